"""Nothing around an implementation is held against it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from short import some

from fp8ref.cases.operation import Operation
from fp8ref.check import shards
from fp8ref.check.harness import limits, transport
from fp8ref.check.harness.outcomes import Mishap
from fp8ref.check.harness.transport import Session, TimedOut
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.engines import Result, Task
from fp8ref.report.runs import record

ALL_CASES = True  # see tests/conftest.py

FP8REF = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]
OP = "convert/f32/e4m3fn/rne.sat"


RIGHT, WRONG = ("check", OP, "--impl", "mini:prints-garbage"), ("check", OP, "--impl", "mini:truncates")
ENDS = {
    ((0,), (*RIGHT, "--jobs", "1")): 0,
    ((0,), ("smoke", "--impl", "mini:prints-garbage")): 0,
    ((1,), ("show", "e4m3fn", "38")): 0,
    ((2,), ("list", "nonesuch")): 4,
    ((2,), (*WRONG, "--jobs", "1", "-o", "run.jsonl")): 1,
    ((0, 1, 2), (*RIGHT, "--jobs", "2", "-o", "run.jsonl")): 0,
}


def closed_at_the_start(descriptors: tuple[int, ...], *command: str, folder: Path) -> int:
    def close() -> None:
        for fd in descriptors:
            os.close(fd)

    return subprocess.run([*FP8REF, *command], cwd=folder, timeout=120, check=False, preexec_fn=close).returncode


@pytest.mark.parametrize(("descriptors", "command"), some(ENDS, [*list(ENDS)[::3], list(ENDS)[-1]]))
def test_closed_standard_streams_change_no_verdict(
    descriptors: tuple[int, ...], command: tuple[str, ...], tmp_path: Path
) -> None:
    """The first pipe, or file, would get their numbers, and Python has no stream there."""
    assert closed_at_the_start(descriptors, *command, folder=tmp_path) == ENDS[descriptors, command]
    if "-o" in command:
        found = record.read(tmp_path / "run.jsonl")
        assert [o["verdict"] for o in found["operations"]] == ["fail" if command[:4] == WRONG else "pass"]


EXCLUSIVE = """
import numpy as np, os
import fp8ref
HELD = {held!r}
class Kernel:
    def __init__(self):
        from fp8ref.adapters.base import Unavailable
        try: os.mkdir(HELD)
        except FileExistsError: raise Unavailable("the device is in use")
    def identify(self): return {{"name": "kernel", "version": "1", "device": "one"}}
    def capabilities(self): return ["convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.sat", "decode/e5m2/f32"]
    def run(self, op, x): return fp8ref.encode(x.view(np.float32), op.result)
"""


def test_an_exclusive_device_hints_at_one_process(tmp_path: Path) -> None:
    (tmp_path / "exclusive.py").write_text(EXCLUSIVE.format(held=str(tmp_path / "held")))
    done = subprocess.run(
        [*FP8REF, "check", "convert/*", "--impl", "py:exclusive:Kernel", "--jobs", "3"],
        cwd=tmp_path, timeout=120, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "the device is in use" in done.stderr
    assert "--jobs 1" in done.stderr


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("hangs", [False, True], ids=["crowded", "hangs"])
def test_who_is_late_beside_others_is_asked_again_alone(
    hangs: bool, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that answers late beside others, and one that hung now and then; asked after all others, one by one."""
    asked: list[tuple[str, bool]] = []

    def answers(_: object, tasks: list[Task], *more: object) -> Iterator[tuple[Task, Result]]:
        for task in tasks:
            claim, alone = task.argument["claim"], bool(task.argument.get("alone"))
            asked.append((claim, alone))
            report = Report(claim, claim, Verdict.PASS)
            if "e5m2" in claim and (hangs or not alone):
                report.verdict, report.reason = Verdict.TIMEOUT, "no answer within 1 s"
            if "e4m3fnuz" in claim and (hangs or not alone):
                report.mishaps = [Mishap("timeout", "no answer within 1 s")]
            yield task, shards.report_json(report)

    with Run(Request("mini:correct", ("convert/f32/*/rne.sat",), jobs=jobs)) as run:
        claims = [claim.id for claim in run.claims]
        monkeypatch.setattr("fp8ref.check.run.done", answers)
        verdicts = {report.claim: report.verdict for report in run.reports()}
    assert list(verdicts) == claims
    late = [claim for claim in claims if "e5m2" in claim or "e4m3fnuz" in claim]
    assert 1 < len(late) < len(claims)
    assert asked == [(claim, False) for claim in claims] + [(claim, True) for claim in late if jobs > 1]
    ends = Verdict.TIMEOUT if hangs or jobs == 1 else Verdict.PASS
    assert verdicts == {claim: ends if claim in late else Verdict.PASS for claim in claims}


SLEEPER = """
import time
import fp8ref, numpy as np
class Kernel:
    def identify(self): return {"name": "kernel", "version": "1"}
    def capabilities(self): return ["convert/f32/e4m3fn/rne.sat"]
    def run(self, op, x):
        time.sleep(0.05)
        return fp8ref.encode(x.view(np.float32), op.result)
"""


@pytest.mark.parametrize(("slow", "late"), [(1.0, True), (500.0, False)])
def test_seconds_last_longer_on_a_slow_machine(
    slow: float, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    with Session("py:sleeper:Kernel") as session:
        monkeypatch.setattr(transport, "slowness", lambda: slow)
        session.send(Operation.parse(OP), [([np.zeros(1, np.uint32)], "plain")])
        seconds = 0.02  # the kernel takes 0.05
        if late:
            with pytest.raises(TimedOut, match=r"no answer within 0\.02 s"):
                session.wait(seconds)
        else:
            session.wait(seconds)
    assert 1 <= limits.slowness() <= limits.SLOWEST
