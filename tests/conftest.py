"""Options and fixtures of the whole suite."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator

import pytest

import fp8ref

os.environ.pop("COLUMNS", None)  # xdist's workers have one


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the exhaustive forms too (many minutes)")


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be missing
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for a process."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --full the exhaustive forms are not there at all."""
    if config.getoption("--full"):
        return
    items[:] = [item for item in items if "full" not in item.keywords]


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Nor are their parameters generated."""
    marks = getattr(obj, "pytestmark", [])
    if not collector.config.getoption("--full") and any(mark.name == "full" for mark in marks):
        return []
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    """The thousands of collected tests are not searched for garbage at every turn: 7 % of the processor's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread unless a test asks for more, so that nothing depends on the machine's cores."""
    fp8ref.set_threads(1)
    yield
    fp8ref.set_threads(None)


@pytest.fixture(autouse=True)
def warm_workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Implementations are started by a fork (``warm.py``), save where a module says REAL_STARTS."""
    transport = sys.modules.get("fp8ref.check.harness.transport")  # not there: nobody asks for it
    if transport and sys.platform == "linux" and not getattr(request.module, "REAL_STARTS", False):
        import warm

        monkeypatch.setattr(transport, "subprocess", warm.SUBPROCESS)


# level 1 and 2: random cases beside those at the thresholds, the specials and the probes, which stay all of them
FEWER = {
    ("fp8ref.cases.selection", "RANDOM"): 3,
    ("fp8ref.cases.tuples", "COUNT"): 3,
    ("fp8ref.cases.scaling.cases", "ELEMENTS"): 2,
    ("fp8ref.cases.products.cases", "PRODUCTS"): 2,
    ("fp8ref.check.harness.plan", "LONG"): 7,
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Runs of the short suite draw a part of the random cases, and calls of a million elements have some thousands.

    Save where a module is about them: it says ALL_CASES or LONG_CALLS; or a test alone: it uses ``all_cases``.
    Rows of blocks and products are fewer where a module says FEW_ROWS.
    Fixtures of any scope see the same.
    """
    module = getattr(item, "module", None)
    before: list[tuple[dict[int, int], dict[int, int]]] = []
    for (name, table), shift in FEWER.items():
        keep = getattr(module, "LONG_CALLS" if table == "LONG" else "ALL_CASES", False)
        keep |= table in ("ELEMENTS", "PRODUCTS") and not getattr(module, "FEW_ROWS", False)
        keep |= "all_cases" in getattr(item, "fixturenames", ())
        if name in sys.modules and not keep and not item.config.getoption("--full"):
            counts = getattr(sys.modules[name], table)
            whole = {level: n for level, n in counts.items() if level < 3 or table == "LONG"}
            before.append((counts, whole))
            counts.update({level: (n >> shift) + n % 2 * 3 for level, n in whole.items()})
    try:
        return (yield)
    finally:
        for counts, whole in before:
            counts.update(whole)


@pytest.fixture
def all_cases() -> None:
    """For a test of the cases themselves: as many as an implementation is asked."""
