"""What is found under ``*``: rules that are rules, bounds that are the result's own."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from fp8ref.arrays.conversion import FLOAT_DTYPES
from fp8ref.cases.answers import expect, modes
from fp8ref.cases.operation import Operation
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict

ALL_CASES = True  # see tests/conftest.py

KERNEL = """
import numpy as np
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
class Kernel:
    def identify(self): return {{"name": "kernel", "version": "1", "device": "cpu"}}
    def capabilities(self): return {claims!r}
    def run(self, op, *operands):
        {body}
"""


def judged(folder: Path, monkeypatch: pytest.MonkeyPatch, claim: str, body: str) -> Report:
    monkeypatch.chdir(folder)
    name = f"kernel_{abs(hash((claim, body)))}"
    (folder / f"{name}.py").write_text(KERNEL.format(claims=[claim], body=body))
    with Run(Request(f"py:{name}:Kernel")) as run:
        (report,) = run.reports()
    return report


@pytest.mark.parametrize(("result", "rule"), [("e5m2", "ieee-max"), ("e5m2", "nan-inf"), ("e4m3fn", "nan-max")])
def test_a_smaller_answer_for_a_larger_input_is_no_rule(
    result: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding is about the infinity, not about an overflow that is right."""
    body = f'return expect(op.with_mode("rne.{rule}"), operands).codes'
    report = judged(tmp_path, monkeypatch, f"convert/f32/{result}/*", body)
    assert report.verdict is Verdict.FAIL
    assert not report.op.endswith(rule)
    if rule == "ieee-max":
        assert report.op.endswith("rne.nonsat")
        assert report.findings[0].inputs[0] & 0x7FFFFFFF == 0x7F800000


@pytest.mark.parametrize("result", ["e5m2", "e4m3fn", "e4m3fnuz", "e2m1fn", "e8m0fnu", "f16"])
def test_every_mode_that_may_be_found_keeps_the_order_of_its_inputs(result: str) -> None:
    """From the largest number to infinity: no answer is smaller than the one before, where NaN is beyond infinity."""
    x = np.array([1.0, 1e30, 3e38, np.inf], np.float32).view(np.uint32)
    found = list(modes(Operation.parse(f"convert/f32/{result}/rne.sat")))
    assert "rne.sat" in found
    for mode in found:
        op = Operation.parse(f"convert/f32/{result}/{mode}")
        values = FLOATS[result](expect(op, [x]).codes).astype(np.float64)
        ranks = np.where(np.isnan(values), 1e40, np.where(np.isinf(values), 1e39, values))
        assert (np.diff(ranks[1:]) >= 0).all(), mode


FLOATS = {
    name: (lambda codes, t=t: codes.view(t))  # type: ignore[misc]
    for name, t in {
        "e5m2": ml_dtypes.float8_e5m2, "e4m3fn": ml_dtypes.float8_e4m3fn, "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
        "e2m1fn": ml_dtypes.float4_e2m1fn, "e8m0fnu": ml_dtypes.float8_e8m0fnu, "f16": FLOAT_DTYPES["f16"],
    }.items()
}  # fmt: skip

SUM = """
        a, b = (np.ascontiguousarray(x).view(ml_dtypes.float8_e4m3fn).astype(np.float32) for x in operands[:2])
        total = np.ascontiguousarray(operands[2]).view(np.float32).astype(T)
        with np.errstate(all="ignore"):
            for k in range(a.shape[1]):
                total = (total.astype(np.float32) + (a[:, k] * b[:, k]).astype(np.float32)).astype(T)
        return total.astype(np.float32).view(np.uint32)
"""
DOT = "dot/e4m3fn.e4m3fn/f32/"


def running_sum(kind: str) -> str:
    return "import ml_dtypes" + SUM.replace("(T)", f"({kind})")


def test_a_running_sum_narrower_than_its_result_fails_and_says_how_far_off_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = running_sum("ml_dtypes.bfloat16")
    report = judged(tmp_path, monkeypatch, DOT + "*;k=16", body)
    assert report.verdict is Verdict.FAIL
    (finding,) = report.findings
    assert finding.diagnosis.rule == "weaker-than-result"
    said = str(finding.diagnosis)
    assert "of 24 bits good" in said
    assert "ulps of f32" in said
    assert "within.bf16, which it does not claim" in said
    assert "fp8ref identify" in said
    claimed = judged(tmp_path, monkeypatch, DOT + "within.bf16;k=16", body)
    assert claimed.verdict is Verdict.PASS


def test_a_running_sum_of_the_results_own_format_keeps_inside_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd but legal: every second product first, in an order that no catalogued model has."""
    body = running_sum("np.float32").replace(
        "range(a.shape[1])", "[*range(1, a.shape[1], 2), *range(0, a.shape[1], 2)]"
    )
    report = judged(tmp_path, monkeypatch, DOT + "*;k=16", body)
    assert report.verdict is Verdict.ALLOWED
    assert list(report.allowed) == ["inside-bound-f32"]
