"""Judging dot and matrix products: planted faults are caught and named, correct units are never accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from short import every

from fp8ref.adapters.mutants.dots import DOT_FAULTY, right
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.bounds import BOUNDS
from fp8ref.cases.products.cases import PROBES, Cases, dot_cases, probes
from fp8ref.check.matrix.bounds import outside
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.report.runs.text import drawing
from fp8ref.spec.matrix.models import get_model, models

NAMED = {
    "dot-f-12": "unit-fraction-bits",
    "dot-f-26": "unit-fraction-bits",
    "dot-floor-at-alignment": "unit-cut",
    "dot-nearest-at-the-end": "unit-rounding",
    "dot-keeps-15-bits": "unit-precision",
    "dot-half-steps": "unit-order",
    "dot-not-interleaved": "unit-order",
    "dot-c-late": "unit-c-last",
    "dot-fma-down": "model-f32.fma@order=down",
    "dot-pairwise": "model-f32.pairwise",
    "dot-scale-ignored": "scale-b-ignored",
    "dot-scale-blocks-swapped": "scale-b-blocks-rotated",
    "dot-scale-nan-lost": "scale-nan-finite",
    "dot-scale-exact-by-unit": "model-blackwell.mxf8f6f4",
    "dot-exact-truncated": "model-exact.rtz",
    "dot-promotes-early": "model-hopper.wgmma.fp8.f32+promote64.fadd",
}


def reports(impl: str, *select: str) -> list[Report]:
    with Run(Request(impl, select)) as run:
        return list(run.reports())


@pytest.mark.parametrize(  # every fifth one every day, all of them with --full
    "name", every(5, DOT_FAULTY)
)
def test_every_planted_fault_is_caught(name: str) -> None:
    (report,) = reports(f"mini:{name}")
    assert report.verdict is Verdict.FAIL
    finding, *_ = report.findings
    assert finding.want != finding.got
    if name in NAMED:
        assert finding.diagnosis.rule == NAMED[name]
    text = drawing(finding, f"mini:{name}")
    assert "want" in text
    assert f"--impl mini:{name}" in text


def test_there_are_enough_planted_faults() -> None:
    assert len(DOT_FAULTY) >= 25
    assert set(NAMED) <= set(DOT_FAULTY)


def test_correct_units_are_never_accused() -> None:
    names = ("dot-correct", "dot-scaled-correct", "dot-gelu-correct")
    found = [report for name in names for report in reports(f"mini:{name}")]
    assert len(found) == 14
    assert {report.verdict for report in found} == {Verdict.PASS}


PAGE = {  # the facts' table of probes: what each published model answers, as bits of binary32
    "ada.mma.fp8.f32": "3f800400 3f800000 3f800000 3f800400 3f800000 3f800000 bf800000 3f800000 3a800000 00000000 "
    "00000000 3fd20400 00000000 00000000 00000000 00000000 35800000 42e10000 39000000 39800000",
    "hopper.wgmma.fp8.f32": "3f800400 3f800000 3f800000 3f800400 3f800000 3f800000 bf800000 3f800000 00000000 00000000 "
    "00000000 3fd20400 00000000 00000000 00000000 00000000 35800000 42e10000 39000000 39800000",
    "hopper.mma.fp8.f32": "3f800400 3f800200 3f800001 3f800400 3f800200 3f801e00 bf800300 3f7ffc00 00000000 3a800000 "
    "3a800000 3fd20400 39800000 00000000 00000000 00000000 35800000 42e10000 39000000 39a00000",
    "blackwell.tcgen05.fp8.f32": "3f800400 3f800200 3f800001 3f800400 3f800200 3f801e00 bf800300 3f7ffc00 00000000 "
    "00000000 00000000 3fd20400 39800000 3b000000 00000000 3a000000 35800000 42e10000 39000000 39a00000",
}


@pytest.mark.parametrize("model", PAGE)
def test_the_probes_are_those_of_the_literature(model: str) -> None:
    op = Operation.parse(f"dot/e4m3fn.e4m3fn/f32/{model};k=32")
    asked = probes(op)
    assert asked.size == len(PROBES)
    assert [f"{int(code):08x}" for code in right(op, *asked.operands)] == PAGE[model].split()


@pytest.mark.usefixtures("all_cases")
def test_cases_are_the_same_every_time_and_hold_every_kind() -> None:
    op = Operation.parse("dot/e5m2.e5m2/f32/exact;k=32")
    one, two = (dot_cases(op, 1, 3) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(one.operands, two.operands))
    assert not np.array_equal(one.a, dot_cases(op, 1, 4).a[: one.size])
    infinite = (one.a & 0x7F) == 0x7C
    assert infinite.any(axis=0).all(), "an infinity in every lane"
    assert ((one.a & 0x7F) > 0x7C).any(axis=0).all(), "a NaN in every lane"
    assert (one.c == 0x80000000).any()


CLASSES = {  # which bounds claim to hold a model, by the beginning of its name
    "f32.": "f32 f32-directed aligned25 aligned13", "f16.": "f16", "bf16.": "bf16",
    "hopper.wgmma.fp8.f32": "aligned13", "ada.mma.fp8.f32": "aligned13", "hopper.mma.fp8.f32": "aligned25 aligned13",
    "blackwell.tcgen05.fp8.f32": "aligned25 aligned13", "sm120.mma.fp8.f32": "aligned25 aligned13",
}  # fmt: skip
HELD = [
    (m.name, bound)
    for m in models()
    for start, bounds in CLASSES.items()
    if m.name.startswith(start)
    for bound in bounds.split()
]


def test_every_kind_of_model_is_held_against_a_bound() -> None:
    assert {bound for _, bound in HELD} == set(BOUNDS)
    assert len({model for model, _ in HELD}) >= 11


@pytest.mark.parametrize("operands", ["e4m3fn.e4m3fn", "e5m2.e5m2"])
@pytest.mark.parametrize(("model", "bound"), every(2, HELD))
def test_models_lie_inside_the_bounds_that_claim_to_hold_them(model: str, bound: str, operands: str) -> None:
    """On specials, too: e5m2's largest products overflow binary16, and Inf - Inf may come of -Inf alone."""
    op = Operation.parse(f"dot/{operands}/{get_model(model).result}/{model};k=64")
    cases = dot_cases(op, 1, 0)
    assert not outside(op, BOUNDS[bound], cases, right(op, *cases.operands)).any()


def one_case(op: Operation, a: list[int], b: list[int], c: int) -> Cases:
    asked = dot_cases(op, 1, 0)
    one = Cases(*(x[:1].copy() for x in asked.operands), ("x",))
    one.a[0], one.b[0], one.c[0] = a, b, c
    return one


def test_nan_is_inside_where_the_class_may_overflow_to_the_other_infinity() -> None:
    """e5m2: 57344 times 57344 is +Inf in binary16 and finite in binary32; Inf times -1 is -Inf in both."""
    for bound, result, a, inside in (
        ("f16", "f16", 0x7B, True), ("f32", "f32", 0x7B, False), ("f16", "f32", 0x7B, True),
        ("f16", "f16", 0x3C, False),
        ("f16", "f16", 0xFB, False),  # the product overflows to the infinity that the sum is
    ):  # fmt: skip
        op = Operation.parse(f"dot/e5m2.e5m2/{result}/within.{bound};k=2")
        case = one_case(op, [a, 0x7C], [0x7B, 0xBC], 0)
        nan, wrong_sign = (np.array([x], {"f16": np.float16, "f32": np.float32}[result]) for x in (np.nan, np.inf))
        code = np.uint16 if result == "f16" else np.uint32
        assert bool(outside(op, BOUNDS[bound], case, nan.view(code))[0]) is not inside, (bound, result, a)
        assert outside(op, BOUNDS[bound], case, wrong_sign.view(code))[0]
        assert not outside(op, BOUNDS[bound], case, (-wrong_sign).view(code))[0]


def test_bounds_are_not_so_wide_that_everything_fits() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=64")
    cases = dot_cases(op, 1, 0)
    assert outside(op, BOUNDS["f32"], cases, right(op, *cases.operands)).any()
    one = Cases(*(x[:1].copy() for x in cases.operands), ("x",))
    one.a[:], one.b[:], one.c[:] = 0x38, 0x38, 0  # 64 ones
    for answer, far in ((64.0, False), (np.nextafter(np.float32(64), np.float32(65)), False), (64.01, True)):
        got = np.array([answer], np.float32).view(np.uint32)
        assert bool(outside(op, BOUNDS["f32"], one, got)[0]) is far


def test_a_free_mode_is_found_or_bounded_or_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same adapter, by what it computes: a model, something inside a bound, something outside all."""
    monkeypatch.chdir(tmp_path)
    body = """
import numpy as np
from fp8ref.adapters.mutants.dots import right
class Unit:
    def identify(self): return {{"name": "u", "version": "1"}}
    def capabilities(self): return ["dot/e4m3fn.e4m3fn/f32/*;k=32"]
    def run(self, op, a, b, c):
        {0}
"""
    from_pairs = "x = right(op.with_mode('f32.fma'), a[:, ::-1], b[:, ::-1], c * 0).view(np.float32)"
    for name, code, verdict, mode in (
        ("m", "return right(op.with_mode('ada.mma.fp8.f32'), a, b, c)", Verdict.PASS, "ada.mma.fp8.f32"),
        ("i", f"{from_pairs}; return (x + c.view(np.float32)).view(np.uint32)", Verdict.ALLOWED, "within.f32"),
        ("o", "return right(op.with_mode('f32.fma'), a, b, c) ^ np.uint32(1 << 22)", Verdict.FAIL, "*"),
    ):
        (tmp_path / f"unit_{name}.py").write_text(body.format(code))
        (report,) = reports(f"py:unit_{name}:Unit")
        assert (report.verdict, Operation.parse(report.op).mode) == (verdict, mode), report


EXACT, FREE, DOWN = (
    f"dot/{m};k=4" for m in ("e4m3fn.e4m3fn/f32/exact", "e5m2.e5m2/f16/*", "e5m2.e5m2/f32/exact.rtn.nonsat")
)
HALF = "d[minus & (np.cumsum(minus) % 2 == 0)] = MINUS_ZERO"


@pytest.mark.parametrize(
    ("claim", "answer", "verdict"),
    [
        (EXACT, "d[minus] = MINUS_ZERO", Verdict.ALLOWED),
        (FREE, "d[minus] = MINUS_ZERO", Verdict.ALLOWED),
        (EXACT, "", Verdict.PASS),
        (EXACT, HALF, Verdict.FAIL),
        (EXACT, "d[minus] = 1", Verdict.FAIL),
        (EXACT, "d[d == 0] = MINUS_ZERO", Verdict.FAIL),
        (DOWN, "d[minus | (negative & (d == 0))] = MINUS_ZERO", Verdict.ALLOWED),
    ],
    ids=["minus", "minus-free", "plus", "mixed", "subnormal", "every-zero-minus", "downward"],
)
def test_the_sign_of_a_sum_of_minus_zeros_is_open_and_one(
    claim: str, answer: str, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"zeros{abs(hash((claim, answer)))}"
    (tmp_path / f"{name}.py").write_text(f"""
import numpy as np
from fp8ref.cases.answers import expect
class Unit:
    def identify(self): return {{"name": "u", "version": "1"}}
    def capabilities(self): return ["{claim}"]
    def run(self, op, a, b, c):
        d = expect(op if op.mode != "*" else op.with_mode("exact"), (a, b, c)).codes
        MINUS_ZERO = d.dtype.type(1 << 8 * d.itemsize - 1)
        zero = (((a & 0x7F) == 0) | ((b & 0x7F) == 0)).all(axis=1) & ((c & ~MINUS_ZERO) == 0)
        minus = zero & (d == 0) & (((a ^ b) >> 7) == 1).all(axis=1) & (c == MINUS_ZERO)
        negative = (((a ^ b) >> 7) == 1).any(axis=1) | (c >= MINUS_ZERO)
        {answer or "pass"}
        return d
""")
    (report,) = reports(f"py:{name}:Unit")
    assert report.verdict is verdict, report
    if verdict is Verdict.ALLOWED:
        assert report.chosen["sum-of-minus-zeros"] == "-0"
        assert report.failed == 0 < report.allowed["sum-of-minus-zeros"]
        assert Operation.parse(report.op).mode.startswith("exact")
