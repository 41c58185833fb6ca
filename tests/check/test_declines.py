"""What was answered is judged, however many other calls were declined."""

import json
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from short import some

from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.cli.check import check

KERNEL = """
import numpy as np
from fp8ref.adapters.base import Unsupported
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
CALLS = []
class Kernel:
    def identify(self): return {{"name": "kernel", "version": "1", "device": "cpu"}}
    def capabilities(self): return {claims}
    def run(self, op, *operands):
        x = operands[0]
        CALLS.append(x.shape)
        if {declines}: raise Unsupported("no room")
        codes = expect(op, operands).codes
        return {answer}
"""
CONVERT = ["convert/f32/e4m3fn/rne.sat"]
ALWAYS_WRONG = "codes ^ 1"
DECLINES = {
    "strided and reversed arrays": "x.strides[0] not in (x.itemsize, 0) and x.size",
    "arrays of up to 16 elements": "0 < x.size < 17",
    "arrays of another number of elements than a multiple of 16": "len(x) % 16",
    "every call from number 31 on": "len(CALLS) > 30",
    "empty arrays": "x.size == 0",
}


def kernel(folder: Path, monkeypatch: pytest.MonkeyPatch, declines: str, answer: str, claims: list[str]) -> str:
    monkeypatch.chdir(folder)
    name = f"kernel_{abs(hash((declines, answer, *claims)))}"
    text = textwrap.dedent(KERNEL).format(declines=declines, answer=answer, claims=claims)
    (folder / f"{name}.py").write_text(text)
    return f"py:{name}:Kernel"


def judged(connectable: str) -> list[Report]:
    with Run(Request(connectable)) as run:
        return list(run.reports())


def checked(connectable: str, *more: str) -> Result:
    return CliRunner().invoke(check, ["--impl", connectable, "--jobs", "1", *more])


@pytest.mark.parametrize("said", some(DECLINES, ["every call from number 31 on"]))
def test_wrong_answers_fail_beside_declined_calls(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (report,) = judged(kernel(tmp_path, monkeypatch, DECLINES[said], ALWAYS_WRONG, CONVERT))
    assert report.verdict is Verdict.FAIL
    assert report.failed == report.cases > 100
    assert report.findings


@pytest.mark.parametrize("said", DECLINES)
def test_right_answers_pass_in_part(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (report,) = judged(kernel(tmp_path, monkeypatch, DECLINES[said], "codes", CONVERT))
    assert (report.verdict, report.in_part, report.failed) == (Verdict.PASS, True, 0)
    assert f"declines {said}" in report.declines
    assert report.declines.endswith(": no room")


def test_a_part_alone_does_not_conform_and_a_whole_beside_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = kernel(tmp_path, monkeypatch, DECLINES["strided and reversed arrays"], "codes", CONVERT)
    found = checked(part, "--badge", str(tmp_path / "badge.json"))
    assert found.exit_code == 5, found.output
    assert "1 passes in part" in found.output
    assert "conforms" not in found.output
    badge = json.loads((tmp_path / "badge.json").read_text())
    assert (badge["message"], badge["color"]) == ("1 passes in part", "yellow")
    claims = [*CONVERT, "decode/e5m2/f32", "convert/f32/e5m2/rne.sat"]
    both = kernel(tmp_path, monkeypatch, "op.result == 'e5m2' and len(x) == 3", "codes", claims)
    found = checked(both)
    assert found.exit_code == 0
    assert "of 2 operations; 1 passes in part" in found.output


def test_one_that_declines_every_call_is_unsupported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = kernel(tmp_path, monkeypatch, "x.size", ALWAYS_WRONG, CONVERT)  # empty arrays decide nothing
    (report,) = judged(everything)
    assert (report.verdict, report.reason, report.cases) == (Verdict.UNSUPPORTED, "no room", 0)
    assert checked(everything).exit_code == 5


@pytest.mark.parametrize(
    "claim",
    some(
        ["scale/f32/mxfp8_e4m3/floor", "dot/e4m3fn.e4m3fn/f32/exact;k=4", "matmul/e4m3fn.e4m3fn/f32/exact;k=4"],
        ["matmul/e4m3fn.e4m3fn/f32/exact;k=4"],
    ),
)
def test_products_and_scales_are_judged_so_too(claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (wrong,) = judged(kernel(tmp_path, monkeypatch, "len(x) in (13, 17)", ALWAYS_WRONG, [claim]))
    assert wrong.verdict is Verdict.FAIL
    (right,) = judged(kernel(tmp_path, monkeypatch, "len(x) in (13, 17)", "codes", [claim]))
    assert (right.verdict, right.in_part) == (Verdict.PASS, True), right
    (none,) = judged(kernel(tmp_path, monkeypatch, "len(x)", "codes", [claim]))
    assert none.verdict is Verdict.UNSUPPORTED
