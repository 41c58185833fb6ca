"""An implementation may crash, hang, print, leak and lie: no finding is lost, and nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import warm

from fp8ref.adapters.mutants.unruly import UNRULY
from fp8ref.cases.operation import Operation
from fp8ref.check.harness import transport
from fp8ref.check.harness.guard import end_session
from fp8ref.check.harness.limits import GIB, MIB, Limits, Usage
from fp8ref.check.harness.outcomes import TRIES
from fp8ref.check.harness.transport import Crashed, Mishap, Session, TimedOut
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report

REAL_STARTS = True  # no forks of this process (warm.py): memory, descriptors and ends are looked at
OP = Operation.parse("convert/f32/e4m3fn/rne.sat")
MARK = "FP8REF_TEST_MARK"
NEEDS_PROC = pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="this system has no /proc")


def marked(mark: str) -> list[int]:
    """The processes that were started under a mark, this one left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def gone(mark: str) -> bool:
    """Do all of them end, and soon?"""
    deadline = time.monotonic() + 20
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not marked(mark)


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mark that every process inherits; at the end none of them and no temporary file is left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv(MARK, tmp_path.name)
    yield tmp_path.name
    assert gone(tmp_path.name)
    assert not list(temporary.iterdir())


def reports(impl: str, timeout: float = 60.0) -> list[Report]:
    with Run(Request(impl, timeout=timeout)) as run:
        return list(run.reports())


DAILY = ("leaks",)  # the others have smaller forms below


@NEEDS_PROC
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in DAILY else [pytest.mark.full]) for n in UNRULY])
def test_nothing_is_lost(name: str, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged is judged as its twin's is; what cannot be judged is reported with the smallest input."""
    monkeypatch.setenv("FP8REF_MEMORY", "0.75")
    plan = UNRULY[name]
    reported = reports(f"mini:{name}", timeout=1.0 if "hangs" in name else 60.0)
    by_claim = {report.claim: report for report in reports(f"mini:{plan.twin}")}
    assert [report.claim for report in reported] == list(by_claim)
    for report in reported:
        twin = by_claim[report.claim]
        assert twin.findings
        if plan.verdict == "fail" or "e4m3fn" not in report.claim:
            assert report.findings == twin.findings
            assert (report.verdict, report.cases, report.failed) == (twin.verdict, twin.cases, twin.failed)
        else:
            assert report.verdict == plan.verdict
            assert report.reason.endswith(plan.smallest)


# -- one question -----------------------------------------------------------------------------------------------------
BODY = """
import ctypes, os, subprocess, sys, time
import numpy as np
CALLS = {folder!r} + "/calls"
class Kernel:
    def identify(self): return {{"name": "kernel", "version": "1", "device": "cpu"}}
    def capabilities(self): return ["convert/f32/e4m3fn/rne.sat"]
    def starts(self):
        with open(CALLS, "ab") as file: file.write(b".")
        return os.path.getsize(CALLS)
    def run(self, op, x):
{body}
        return (x & 0xFF).astype(np.uint8)
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An implementation with the body that the test names."""
    monkeypatch.chdir(tmp_path)
    name = f"kernel_{tmp_path.name}"
    body = "".join(f"        {line}\n" for line in request.param.splitlines())
    (tmp_path / f"{name}.py").write_text(BODY.format(folder=str(tmp_path), body=body))
    return f"py:{name}:Kernel"


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts of a fork (``warm.py``), where nothing but the answers is looked at: such tests start many."""
    if sys.platform == "linux":
        monkeypatch.setattr(transport, "subprocess", warm.SUBPROCESS)


def asked(session: Session, n: int = 8, layout: str = "plain") -> list[int]:
    x = np.arange(n, dtype=np.uint32)
    (first, _), (second, _) = session.ask(OP, [([x[:3]], "plain"), ([x], layout)])
    assert first.tolist() == [0, 1, 2]
    return second.tolist()  # type: ignore[no-any-return]


CRASHES_AT_FIRST = "if x.size == 8 and self.starts() < {}: os.abort()"


@pytest.mark.parametrize("kernel", [CRASHES_AT_FIRST.format(TRIES)], indirect=True)
@pytest.mark.usefixtures("forked")
def test_a_question_is_asked_again_and_the_mishap_noted(kernel: str, tmp_path: Path) -> None:
    """At its third try the implementation is asked one case in between, which it answers."""
    with Session(kernel) as session:
        assert asked(session) == [code & 0xFF for code in range(8)]
        assert session.mishaps == [Mishap("crash", "killed by SIGABRT", TRIES - 1)]
        assert "4 times; asked again, it answered" in str(session.mishaps[0])


@pytest.mark.parametrize("kernel", ["if x.size >= 5: time.sleep(60)"], indirect=True)
@pytest.mark.usefixtures("forked")
def test_a_hang_from_a_length_on_is_reported_with_the_length(kernel: str) -> None:
    with Session(kernel, 0.3) as session:
        with pytest.raises(TimedOut, match=r"no answer within 0\.3 s; smallest: 5 elements$") as caught:
            asked(session)
        assert (caught.value.length, caught.value.inputs) == (5, None)
        assert len(session.ask(OP, [([np.arange(3, dtype=np.uint32)], "plain")])) == 1


@pytest.mark.parametrize("kernel", ["if (x == 7).any(): raise ValueError('seven')"], indirect=True)
@pytest.mark.usefixtures("forked")
def test_an_exception_is_reported_with_the_input(kernel: str) -> None:
    with Session(kernel) as session, pytest.raises(Crashed, match=r"smallest: 00000007 \(1 element\)$") as caught:
        asked(session)
    assert (caught.value.length, caught.value.inputs) == (1, (7,))


@pytest.mark.full
@pytest.mark.parametrize("kernel", ["if (x == 7).any() and x.strides[0] > 4: os._exit(3)"], indirect=True)
def test_the_layout_is_reported_where_it_matters(kernel: str) -> None:
    with Session(kernel) as session:
        assert asked(session)
        with pytest.raises(Crashed, match=r"exit code 3; smallest: 00000007 \(1 element, strided\)$"):
            asked(session, layout="strided")


@pytest.mark.parametrize(
    "kernel", ["if self.starts() == 1: return [x, x.astype(float), 'x'][x.size % 3]"], indirect=True
)
@pytest.mark.usefixtures("forked")
def test_garbage_is_asked_again(kernel: str) -> None:
    with Session(kernel) as session:
        assert asked(session)
        assert [m.kind for m in session.mishaps] == ["crash"]


CLOSES = "if x.size == 8: os.closerange(3, 99); time.sleep(60)"
FORKS = "if x.size == 8 and os.fork(): os.kill(os.getpid(), 9)\nif x.size == 8: time.sleep(60)"


@NEEDS_PROC
@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        pytest.param(CLOSES, "closed the pipe of its answers", marks=pytest.mark.full),
        (FORKS, "killed by SIGKILL"),
    ],
    indirect=["kernel"],
)
def test_an_end_is_seen_however_it_looks(kernel: str, said: str, mark: str) -> None:
    with Session(kernel, 30.0) as session, pytest.raises(Crashed, match=said):
        asked(session)


@pytest.mark.parametrize("kernel", ["if self.starts() > 1: os.unlink(__file__); os._exit(1)"], indirect=True)
def test_one_that_cannot_be_started_again_is_a_crash(kernel: str) -> None:
    with Session(kernel) as session, pytest.raises(Crashed, match=r"could not be started again: .*no module"):
        asked(session)


@NEEDS_PROC
def test_a_child_that_has_grown_is_replaced_before_it_meets_the_limit(mark: str) -> None:
    with Session("mini:leaks", limits=Limits(memory=GIB // 2)) as session:
        x = np.zeros(4, np.uint32)
        for _ in range(100):
            session.ask(OP, [([x], "plain")] * 16)  # 32 MiB more
            session.rest()
            if session.recycled:
                break
        assert session.recycled >= 1
        assert not session.mishaps


@NEEDS_PROC
def test_what_a_child_needs_from_the_beginning_is_no_growth() -> None:
    with Session("mini:correct") as session:
        child = session._child
        assert child is not None
        session.limits = Limits(memory=Usage(child.pid).resident() * 5 // 4)
        for _ in range(3):
            session.ask(OP, [([np.zeros(4, np.uint32)], "plain")])
            session.rest()
        assert session.recycled == 0
        assert session._child is child


@NEEDS_PROC
def test_the_memory_of_programs_that_a_child_starts_is_counted() -> None:
    """In whatever process group they are."""
    holds = "import os, time; os.setpgid(0, 0); x = bytearray(200 << 20); time.sleep(60)"
    shell = subprocess.Popen(["sh", "-c", f"'{sys.executable}' -I -S -c '{holds}' & wait"], start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while Usage(shell.pid).resident() < 200 * MIB and time.monotonic() < deadline:
            time.sleep(0.05)
        assert Usage(shell.pid).resident() >= 200 * MIB
    finally:
        end_session(shell.pid)
        shell.wait()
    assert Usage(shell.pid).resident() == 0


def test_output_without_end_is_cut_off() -> None:
    with Session("mini:prints-without-end", limits=Limits(output=MIB)) as session:
        with pytest.raises(Crashed, match="printed more than 1 MiB"):
            session.ask(OP, [([np.zeros(1, np.uint32)], "plain")])
        size = os.fstat(session._log_fd).st_size
        time.sleep(0.2)
        assert os.fstat(session._log_fd).st_size == size  # it was ended


# -- the end of the checker -------------------------------------------------------------------------------------------
HANGS_IN_C = """
subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600"], process_group=0)
open(CALLS, "w").close()
ctypes.PyDLL(None).sleep(600)
"""
PARENT = "import sys, numpy as np; from fp8ref.check.harness.transport import Session;\
from fp8ref.cases.operation import Operation;\
Session(sys.argv[1]).ask(Operation.parse('convert/f32/e4m3fn/rne.sat'), [([np.zeros(3, np.uint32)], 'plain')])"


@NEEDS_PROC
@pytest.mark.parametrize("kernel", [HANGS_IN_C], indirect=True)
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_everything_ends_with_the_checker(kernel: str, how: signal.Signals, mark: str, tmp_path: Path) -> None:
    """Hung in C with the interpreter's lock held, with programs in groups of their own: all of it ends."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, kernel], start_new_session=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "calls").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    assert len(marked(mark)) >= 5  # parent, guard, child, shell, sleep
    parent.send_signal(how)
    parent.wait()
    assert gone(mark)
