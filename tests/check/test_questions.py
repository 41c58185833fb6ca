"""Questions that single faults of units and libraries call for: each planted fault answers something else there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from short import some

import fp8ref
from fp8ref.cases.answers import differs, expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, dot_cases, values_of
from fp8ref.cases.products.questions import addend_type
from fp8ref.cases.scaling.questions import values
from fp8ref.cases.selection import cases
from fp8ref.check.compare import Options
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report
from fp8ref.report.runs.text import remark
from fp8ref.spec import get_format

LONG_CALLS = ALL_CASES = True  # see tests/conftest.py


def wrong(op: Operation, asked: Cases, of_unit: Cases) -> np.ndarray:
    """Where a unit that takes the cases for others answers otherwise."""
    return differs(op, expect(op, of_unit.operands).codes, expect(op, asked.operands).codes)


@pytest.mark.parametrize("lane", [0, 3, 7])
def test_a_unit_that_gates_zeros_loses_a_nan_in_any_single_lane(lane: int) -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/exact;k=8")
    asked = dot_cases(op, 1, 0)
    a, b = asked.a.copy(), asked.b.copy()
    a[(b[:, lane] & 0x7F) == 0, lane] = 0
    b[(a[:, lane] & 0x7F) == 0, lane] = 0
    assert wrong(op, asked, replace(asked, a=a, b=b)).any()


def test_a_unit_that_skips_the_scale_of_a_block_of_zeros() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/exact;k=64;scale=e8m0fnu;block=32")
    asked = dot_cases(op, 1, 0)
    sa, sb = (x.copy() for x in asked.scales[:2])
    for j in range(2):
        zeros = ((asked.a[:, 32 * j : 32 * j + 32] & 0x7F) == 0).all(axis=1)
        sa[zeros, j] = 127
    found = wrong(op, asked, replace(asked, scales=(sa, sb, *asked.scales[2:])))
    assert (found & (asked.scales[0] == get_format("e8m0fnu").nan_canonical).any(axis=1)).any()


def test_minus_infinity_stands_in_the_last_lane_too() -> None:
    asked = dot_cases(Operation.parse("dot/e5m2.e5m2/f32/exact;k=8"), 1, 0)
    assert ((asked.a[:, -1] == 0xFC) & (asked.a[:, :-1] != 0xFC).all(axis=1)).any()
    assert ((asked.b[:, -1] == 0xFC) & (asked.b[:, :-1] != 0xFC).all(axis=1)).any()


@pytest.mark.parametrize("claim", ["scale/f32/mxfp8_e4m3/floor", "scale/f32.f32/nvfp4/te"])
def test_blocks_of_one_sign_constant_blocks_and_one_hot_blocks(claim: str) -> None:
    op = Operation.parse(claim)
    x = values(op, cases(op, 1, 0))[0]
    finite = x[np.isfinite(x).all(axis=1) & (x != 0).any(axis=1)]
    constant = (finite == finite[:, :1]).all(axis=1)
    for rows in (
        constant & (finite[:, 0] > 0),
        constant & (finite[:, 0] < 0),
        (finite > 0).all(axis=1) & ~constant,
        (finite < 0).all(axis=1) & ~constant,
    ):
        assert rows.sum() >= 8
    hot = (finite != 0).sum(axis=1) == 1
    assert set(np.flatnonzero((finite[hot] != 0).any(axis=0))) == set(range(finite.shape[1]))


KERNEL = """
import numpy as np
import fp8ref
from fp8ref.cases.answers import expect
class Kernel:
    def identify(self): return {{"name": "kernel", "version": "1"}}
    def capabilities(self): return ["{claim}"]
    def run(self, op, *x):
        d = expect(op, x).codes.copy()
        {fault}
        return d
"""
MATRIX, CAST = "matmul/e4m3fn.e4m3fn/f32/exact;k=8", "convert/f32/e4m3fn/rne.sat"
SIGNED = "convert/f32/e5m2/rne.sat;nan=keep-sign"
LOSES_SIGN = "d[((d & 0x7F) > 0x7C)] &= 0x7F"
PLANTED = {
    "rows-after-64": (MATRIX, 1, "d[64:] = 0", "fail"),
    "rows-after-128": (MATRIX, 1, "d[128:] = 0", "fail"),
    "a-single-column": (MATRIX, 1, "d[:, 0] = d[:, 0] if d.shape[1] > 1 else 0", "fail"),
    "needs-16-columns": (MATRIX, 1, "if d.shape[1] % 16: raise fp8ref.Unsupported('n % 16')", "pass"),
    "columns-after-256": (MATRIX, 2, "d[:, 256:] = 0", "fail"),
    "after-2^20": (CAST, 1, "d[1 << 20:] = 0", "fail"),
    "no-long-calls": (CAST, 1, "if len(d) > 1 << 20: raise fp8ref.Unsupported('too long')", "pass"),
    "after-2^22": (CAST, 2, "d[1 << 22:] = 0", "fail"),
    "sign-of-nan": (SIGNED, 1, LOSES_SIGN, "fail"),
    "payload-of-nan": (SIGNED, 1, "d[((d & 0x7F) > 0x7C)] |= 1", "pass"),
    "sign-of-a-nan-without": ("convert/e4m3fnuz/e5m2/rne.sat;nan=keep-sign", 1, "d[d == 0x7E] = 0xFE", "pass"),
    "sign-of-nan-unpromised": ("convert/f32/e5m2/rne.sat", 1, LOSES_SIGN, "pass"),
}


@pytest.mark.parametrize(
    "name", some(PLANTED, [n for n in PLANTED if PLANTED[n][1] == 1 and n not in ("rows-after-64", "needs-16-columns")])
)
def test_faults_that_show_in_few_calls_are_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, level, fault, verdict = PLANTED[name]
    monkeypatch.chdir(tmp_path)
    module = "kernel_" + "".join(c if c.isalnum() else "_" for c in name)
    (tmp_path / f"{module}.py").write_text(KERNEL.format(claim=claim, fault=fault))
    with Run(Request(f"py:{module}:Kernel", options=Options(level=level))) as run:
        (report,) = run.reports()
    assert report.verdict == verdict, report
    assert report.in_part is ("Unsupported" in fault)


PATHS = """
import ml_dtypes
import numpy as np
class Kernel:
    def identify(self): return {"name": "folds", "version": "1"}
    def capabilities(self): return [f"convert/f32/e5m2/*;path={way}" for way in ("eager", "constant")]
    def run(self, op, x):
        x = x.view(np.float32)
        if op.key("path") == "constant":  # the compiler folds by way of binary16
            x = x.astype(np.float16)
        return x.astype(ml_dtypes.float8_e5m2).view(np.uint8)
"""


def test_the_paths_of_a_library_are_judged_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folds.py").write_text(PATHS)
    with Run(Request("py:folds:Kernel")) as run:
        found = {report.claim: report for report in run.reports()}
    eager, constant = (found[f"convert/f32/e5m2/*;path={way}"] for way in ("eager", "constant"))
    assert (eager.verdict, constant.verdict) == ("pass", "fail")
    assert "ocp-nonsat" in eager.profiles
    assert "f16" in str(constant.findings[0].diagnosis)
    assert all("path=constant" in finding.op for finding in constant.findings)
    with Run(Request("py:folds:Kernel", ("convert/f32/e5m2/*;path=eager",))) as run:
        assert [report.claim for report in run.reports()] == ["convert/f32/e5m2/*;path=eager"]


def test_what_is_slow_is_not_asked_a_long_call_and_not_accused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that takes its time for every element would need 21 s for the long call, of 1 s."""
    monkeypatch.chdir(tmp_path)
    fault = "__import__('time').sleep(len(d) * 2e-5)"
    (tmp_path / "slow_kernel.py").write_text(KERNEL.format(claim="decode/e5m2/f32", fault=fault))
    with Run(Request("py:slow_kernel:Kernel", timeout=1.0)) as run:
        (report,) = run.reports()
    assert report.verdict == "pass", report
    assert report.unasked.startswith("longer calls, up to 1,048,579 elements, were left out")
    assert report.unasked in remark(report)
    assert Report.from_json(report.as_json()) == report


def test_what_calls_on_the_way_to_a_long_one_answer_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long call would take 2 s, of 1 s; one of 65,536 elements is asked, and its wrong answers count."""
    monkeypatch.chdir(tmp_path)
    fault = "d[60000:] = 0; __import__('time').sleep(len(d) * 2e-6)"
    (tmp_path / "slow_and_wrong.py").write_text(KERNEL.format(claim="decode/e5m2/f32", fault=fault))
    with Run(Request("py:slow_and_wrong:Kernel", timeout=1.0)) as run:
        (report,) = run.reports()
    assert report.verdict == "fail", report
    assert (report.findings[0].length, report.unasked[:9]) == (65536, "longer ca")


@pytest.mark.parametrize("result", ["f32", "bf16", "f16", "e4m3fn"])
def test_a_sum_rounded_to_the_result_before_c_is_added(result: str) -> None:
    """Answers that round twice differ from those that round the sum with C once."""
    op = Operation.parse(f"dot/e4m3fn.e4m3fn/{result}/exact;k=32")
    asked = dot_cases(op, 1, 0)
    f, c_type = get_format(result), addend_type(op)
    alone = expect(op, replace(asked, c=asked.c & 0).operands).codes
    with np.errstate(all="ignore"):
        total = values_of(alone, f) + values_of(asked.c, get_format(c_type))
    twice = fp8ref.encode(total, result, overflow="nonsat" if f.k > 8 else "sat")
    finite = np.isfinite(total) & (np.abs(total) < float(f.max))
    codes = twice.view(alone.dtype) if f.k > 8 else twice
    assert (differs(op, codes, expect(op, asked.operands).codes) & finite & (total != 0)).sum() >= 8
