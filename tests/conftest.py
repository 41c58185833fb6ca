"""Options and fixtures of the whole suite."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

import fp8ref

os.environ.pop("COLUMNS", None)  # xdist's workers have one


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the exhaustive forms too (many minutes)")


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


@pytest.fixture(autouse=True)
def short_long_calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of a million elements have some thousands here, save where a module is about them: it says LONG_CALLS."""
    plan = sys.modules.get("fp8ref.check.harness.plan")
    if plan and not getattr(request.module, "LONG_CALLS", False) and not request.config.getoption("--full"):
        monkeypatch.setattr(plan, "LONG", {level: (n >> 7) + 3 for level, n in plan.LONG.items()})
