"""Run tests on one mutant in a fork of this process, which has numpy, pytest and the oracles loaded but no fp8ref.

Starting Python and these packages would cost more than most mutants' tests.  A child is limited in processor time, not
in time on the clock, so that a busy machine changes no outcome.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PRELOADED = ("numpy", "ml_dtypes", "gmpy2", "mpmath", "z3", "hypothesis")
MEMORY = 12 << 30  # bytes of address space; a mutant may ask for 2**(2**30)
PYTEST = ["-x", "-q", "--no-header", "--tb=line", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider"]


@dataclass
class Outcome:
    """``killer`` is the test that failed, "timeout", "crash", or None; ``times`` are those of tests in CPU seconds."""

    killer: str | None
    times: dict[str, float] = field(default_factory=dict)


class _Watch:
    """The pytest plugin of a child: quickest tests first, only known ones where any are; notes who failed first."""

    def __init__(self, known: dict[str, float]) -> None:
        self.known, self.times, self.killer = known, dict[str, float](), ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.known:
            items[:] = sorted((i for i in items if i.nodeid in self.known), key=lambda item: self.known[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        start = time.process_time()
        result = yield
        self.times[item.nodeid] = round(time.process_time() - start, 4)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.killer:
            self.killer = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.killer:
            self.killer = report.nodeid or "collection"


def preload() -> None:
    """Load what the tests need and no mutant changes; a package that is not there is not needed."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run_tests(
    tree: Path, stages: Sequence[Sequence[str]], known: dict[str, float], limit: float, keep_bytecode: bool = False
) -> Outcome:
    """Run the stages (pytest arguments each) in the tree until a test fails; ``limit`` is in CPU seconds."""
    outcome = tree / "outcome.json"
    outcome.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            _child(tree, stages, known, limit, keep_bytecode, outcome)
        finally:
            os._exit(1)
    status = _wait(pid, 20 * limit)
    if outcome.exists():
        return Outcome(**json.loads(outcome.read_text()))
    timed_out = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
    return Outcome("timeout" if timed_out else "crash")


def _wait(pid: int, seconds: float) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _child(
    tree: Path,
    stages: Sequence[Sequence[str]],
    known: dict[str, float],
    limit: float,
    keep_bytecode: bool,
    outcome: Path,
) -> None:
    os.setpgid(0, 0)
    seconds = int(limit + time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(tree)
    sys.path[:] = [str(tree)] + [p for p in sys.path if not Path(p, "fp8ref").is_dir()]
    sys.dont_write_bytecode = not keep_bytecode
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    watch = _Watch(known)
    for stage in stages:
        code = pytest.main([*PYTEST, *stage], plugins=[watch])
        if code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
            watch.killer = watch.killer or f"pytest exits {int(code)}"
            break
    outcome.write_text(json.dumps({"killer": watch.killer or None, "times": watch.times}))
    os._exit(0)
