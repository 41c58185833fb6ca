"""Questions that people asked in public, each answered in one command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from short import every

from fp8ref.arrays import encode
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.scaling.questions import scaled_rows
from fp8ref.check.compare import Options
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import judge
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.cli.main import main

CASES = Path(__file__).parents[3] / "shared" / "cases"
NEEDS = pytest.mark.skipif(not CASES.exists(), reason="the captures are not in the repository")

NAMED = {  # planted: what the findings say, in any order
    "decodes-nan-as-zero": {"NaN codes are read as zero"},
    "ue8m0-nan-as-infinity": {"NaN codes are read as infinity"},
    "ue8m0-by-log2": {"the ceiling of a logarithm rounded to binary32"},
    "nan-to-lowest": {"NaN becomes the lowest finite value"},
    "clamps-to-240": {"clamps to 240"},
    "clamps-to-240+ties-away": {"clamps to 240", "ties go away from zero"},
    "multiplies-in-ieee": {"reads the operands as e4m3"},
    "ue8m0-as-number": {"the code itself is read as a number"},
    "top-binade-lost+ties-away": {"the top binade", "ties go away from zero"},
    "minus-zero-lost+top-binade-lost": {"the top binade", "-0 becomes +0"},
    "small-rounded-twice": {"rounds to full precision first and then again into the subnormal range"},
    "nan-like-infinity": {"NaN becomes the largest finite value of its sign"},
    "decodes-nan-as-number": {"NaN codes are read as numbers"},
    "carry-lost": {"a carry out of the significand does not reach the exponent"},
    "scale-nearest-power": {"the scale is amax / 448 rounded to the nearest power of two"},
    "scale-without-2^-6": {"every scale is 2^-6 of the right one, the elements are right"},
    "scale-infinite-block-nan": {"every element is a NaN, but only for blocks with infinities"},
    "scale-signed-amax": {"the largest element is taken, not the largest magnitude"},
    "dot-scales-swizzled": {"the scales of A and B lie in swizzled tiles of 128 x 4 (cuBLAS's layout)"},
    "dot-amax-after-scale-dot": {"amax is taken after the output's scale"},
    "tail-of-16-truncates+low-payload-to-max": {
        "in the tail after blocks of 16 elements",
        "a NaN whose leading 10 payload bits are zero becomes the largest",
    },
    "shift-modulo-32+underflow-sign-lost": {"shift", "lose their sign"},
    "tail-truncates+answers-fnuz": {"truncates: rounds toward zero, but only in the tail", "answers in e4m3fnuz"},
    "helper-of-1-4-3": {"the top binade", "flushed to zero before rounding", "truncates"},
}


class Answers:
    """An implementation of one claim."""

    def __init__(self, claim: str, answer: Callable[..., Any]) -> None:
        self.claim, self.answer = claim, answer

    def identify(self) -> dict[str, str]:
        return {"name": "field", "version": "1", "device": "cpu"}

    def capabilities(self) -> tuple[str, ...]:
        return (self.claim,)

    def run(self, op: Operation, *operands: Any) -> Any:
        return self.answer(op, *operands)


def judged(claim: str, answer: Callable[..., Any]) -> Report:
    return judge(Here(Answers(claim, answer)), Operation.parse(claim), Options(1, 0))


def reports(impl: str) -> list[Report]:
    with Run(Request(impl, jobs=1, engine="serial")) as run:
        return list(run.reports())


@pytest.mark.parametrize("name", every(3, NAMED))
def test_every_fault_has_its_finding(name: str) -> None:
    for report in reports(f"mini:{name}"):
        said = [str(finding.diagnosis) for finding in report.findings]
        assert len(said) == len(NAMED[name])
        assert all(any(part in one for one in said) for part in NAMED[name]), said


def test_what_is_severest_comes_first() -> None:
    (report,) = reports("mini:minus-zero-lost+top-binade-lost")
    assert "top binade" in str(report.findings[0].diagnosis)


# -- scales ------------------------------------------------------------------------------------------------------------
def exponent_field(op: Operation, x: Any) -> Any:
    return (x >> 23 & 255).astype(np.uint8)


def random_for_no_positive(op: Operation, x: Any) -> Any:
    v = x.view(np.float32)
    noise = (x.astype(np.uint64) * np.uint64(2654435761) >> np.uint64(13)).astype(np.uint8)
    return np.where(np.signbit(v) | (v == 0) | np.isinf(v), noise, expect(op.with_mode("rne.sat"), [x]).codes)


def test_the_exponent_field_is_truncation() -> None:
    report = judged("convert/f32/e8m0fnu/*", exponent_field)
    assert report.verdict is Verdict.ALLOWED
    assert Operation.parse(report.op).mode == "rtz.sat"


@pytest.mark.parametrize("result", ["e8m0fnu", "ue5m3"])
def test_random_codes_are_no_variation(result: str) -> None:
    report = judged(f"convert/f32/{result}/*", random_for_no_positive)
    assert report.verdict is Verdict.FAIL
    assert all("no single wrong rule" in str(finding.diagnosis) for finding in report.findings)


def test_ties_away_of_e2m1() -> None:
    report = judged("convert/f32/e2m1fn/rne.sat", lambda op, x: expect(op.with_mode("rna.sat"), [x]).codes)
    assert [finding.diagnosis.rule for finding in report.findings] == ["rounding-rna"]


def test_rounding_that_never_goes_up_is_not_stochastic() -> None:
    """Where the random bits are hidden, as where they are an operand."""
    report = judged("convert/f32/e5m2/sr-a.sat", lambda op, x: expect(op.with_mode("rtz.sat"), [x]).codes)
    assert report.verdict is Verdict.FAIL
    assert "never rounds up" in str(report.findings[0].diagnosis)
    given = judged(
        "convert/f32.rbits32/e5m2/sr-a.sat", lambda op, x, _: expect(Operation.parse(TOWARD_ZERO), [x]).codes
    )
    assert given.verdict is Verdict.FAIL
    assert "never rounds up" in str(given.findings[0].diagnosis)


TOWARD_ZERO = "convert/f32/e5m2/rtz.sat"


def a_row(floor: float, multiplied: bool) -> Callable[..., Any]:
    """One scale a row: amax / 448 stored, elements divided by it."""

    def answer(op: Operation, x: Any) -> Any:
        v = x.view(np.float32)
        with np.errstate(all="ignore"):
            scale = (np.maximum(np.abs(v).max(axis=1), np.float32(floor)) / np.float32(448)).astype(np.float32)
            scaled = v * (np.float32(1) / scale)[:, None] if multiplied else v / scale[:, None]
        codes = encode(np.clip(scaled, -448, 448), "e4m3fn", overflow="sat")
        return np.concatenate([scale.view(np.uint8).reshape(-1, 4), codes], axis=1)

    return answer


@pytest.mark.parametrize(
    ("floor", "multiplied", "said"),
    [(0, False, "torchao-infer"), (0, True, "elements are multiplied by the rounded reciprocal"),
     (1e-12, False, "the floor is 1e-12")],
)  # fmt: skip
def test_a_scheme_is_named_as_its_recipe(floor: float, multiplied: bool, said: str) -> None:
    report = judged("scale/f32/row_e4m3fn/*;k=40", a_row(floor, multiplied))
    assert report.verdict is Verdict.PASS
    assert any(said in name for name in report.profiles)


def zero_blocks(code: int) -> Callable[..., Any]:
    def answer(op: Operation, x: Any) -> Any:
        rows = scaled_rows(op, [x], "floor")
        rows[(x & 0x7FFFFFFF == 0).all(axis=1), 0] = code
        return rows

    return answer


@pytest.mark.parametrize(("code", "verdict"), [(0, Verdict.PASS), (0x7F, Verdict.ALLOWED)])
def test_the_scale_of_zeros_is_open(code: int, verdict: Verdict) -> None:
    assert judged("scale/f32/mxfp8_e4m3/floor", zero_blocks(code)).verdict is verdict


def test_a_product_that_is_rounded_before_the_sum() -> None:
    def answer(op: Operation, *xs: Any) -> Any:
        a, b, c = (x.view(np.float16) for x in xs)
        with np.errstate(all="ignore"):
            return (a * b + c).view(np.uint16)

    (finding,) = judged("fma/f16.f16.f16/f16/rne.nonsat", answer).findings
    assert "the product is rounded before the sum" in str(finding.diagnosis)


@NEEDS
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("one_point_via_bf16", 1, ("several causes fit", "double rounding via bf16", "truncates", "decides")),
        ("two_exact_points", 5, ("undecided",)),
        ("bound_inf_overflow_e5m2", 0, ("meets the bound f16",)),
    ],
)
def test_captures(name: str, code: int, said: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["check", "--impl", f"replay:{CASES / name}.jsonl", "--jobs", "1"])
    assert result.exit_code == code
    words = " ".join(result.stdout.split())
    assert all(part in words for part in said)
