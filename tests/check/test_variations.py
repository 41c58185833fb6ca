"""A variation excuses answers that it names, one of them throughout an operation, and nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fp8ref
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.scaling.questions import values
from fp8ref.cases.selection import cases
from fp8ref.check.compare import compared
from fp8ref.check.variations.catalog import VARIATIONS
from fp8ref.check.verdict import Verdict

Codes = NDArray[Any]
RNG = np.random.default_rng(0)
E8M0, UE5M3, FP4, INT8 = (f"convert/f32/{f}/rne.sat" for f in ("e8m0fnu", "ue5m3", "e2m1fn", "mxint8"))
ACOSH = "acosh/e2m1fn/e2m1fn/rne.sat"
MX, MX4, MXI = "scale/f32/mxfp8_e4m3/floor", "scale/f32/mxfp4/floor", "scale/f32/mxint8/floor"


def judged(claim: str, answer: Callable[[Codes, Codes], None]) -> tuple[int, dict[str, str]]:
    """How many answers are wrong and what was chosen, where ``answer``, given x in binary32, changes the right."""
    op = Operation.parse(claim)
    operands = cases(op, 1, 0)
    want = expect(op, operands)
    got = want.codes.copy()
    x = values(op, operands)[0] if op.family == "scale" else operands[0]
    x = x.view(np.float32) if x.dtype == np.uint32 else x
    with np.errstate(all="ignore"):
        answer(x, got)
    found = compared(op, operands, got, None, want, "class")
    return int(found.wrong.sum()), found.chosen


def put(where: Callable[[Codes], Codes], code: Callable[[Codes, int], Codes] | int) -> Callable[[Codes, Codes], None]:
    """Another code where x is so."""

    def change(x: Codes, got: Codes) -> None:
        here = where(x)
        got[here] = code(x[here], int(here.sum())) if callable(code) else code

    return change


def of_acosh(code: Callable[[int], Codes] | int) -> Callable[[Codes, Codes], None]:
    """Other codes where acosh of E2M1 is a NaN: below 1, which is the code 2."""

    def change(_: Codes, got: Codes) -> None:
        below = np.array([c for c in range(16) if c < 2 or c >= 8])
        assert got.tolist()[2:8] == [0, 2, 3, 4, 4, 4], "one case a code, in order; 0 0.96 1.32 1.76 2.06 2.48 rounded"
        got[below] = code(below.size) if callable(code) else code

    return change


def negative(x: Codes) -> Codes:
    return (x < 0) & np.isfinite(x)


def infinite_rows(x: Codes) -> Codes:
    return np.isinf(x).any(axis=1) & ~np.isnan(x).any(axis=1)


def magnitudes(x: Codes, n: int) -> Codes:
    return expect(Operation.parse(E8M0), [np.abs(x).view(np.uint32)]).codes


def at_random(x: Codes, n: int) -> Codes:
    return RNG.integers(0, 255, n).astype(np.uint8)


def half(x: Codes, n: int) -> Codes:
    """One answer in use for half of the cases, another for the rest."""
    return np.where(np.arange(n) % 2, 0xFF, 0).astype(np.uint8)


def scale_of(rows: Callable[[Codes], Codes], code: int) -> Callable[[Codes, Codes], None]:
    def change(x: Codes, got: Codes) -> None:
        got[rows(x), 0] = code

    return change


def elements_of(rows: Callable[[Codes], Codes], code: int) -> Callable[[Codes, Codes], None]:
    def change(x: Codes, got: Codes) -> None:
        got[rows(x), 1:] = code

    return change


def zero_rows(x: Codes) -> Codes:
    return np.asarray((x == 0).all(axis=1))


def te_infinity(elements: int | None) -> Callable[[Codes, Codes], None]:
    """Infinite blocks with the scale 2^127, and the elements under it or one code for all."""

    def change(x: Codes, got: Codes) -> None:
        here = infinite_rows(x)
        got[here, 0] = 0xFE
        scaled = (x[here].astype(np.float64) * 2.0**-127).astype(np.float32)
        op = Operation.parse("convert/f32/e4m3fn/rne.sat")
        got[here, 1:] = expect(op, [scaled.view(np.uint32).ravel()]).codes.reshape(scaled.shape)
        if elements is not None:
            got[here, 1:] = elements

    return change


def minus_two(x: Codes, got: Codes) -> None:
    t = np.ldexp(x.astype(np.float64), 133 - got[:, :1].astype(int))
    got[:, 1:][(t <= -127.5) & (got[:, :1] < 255)] = 0x80


RIGHT = {
    "negative-nan": (E8M0, put(negative, 0xFF), {}),
    "negative-least": (E8M0, put(negative, 0), {"unsigned-negative": "smallest or 0"}),
    "negative-magnitude": (E8M0, put(negative, magnitudes), {"unsigned-negative": "magnitude"}),
    "negative-nan-ue5m3": (UE5M3, put(negative, 0xFF), {"unsigned-negative": "NaN"}),
    "zero-nan": (E8M0, put(lambda x: x == 0, 0xFF), {"e8m0-zero": "NaN"}),
    "infinity-nan": (E8M0, put(lambda x: x == np.inf, 0xFF), {"e8m0-infinity": "NaN"}),
    "nan-by-sign": (FP4, put(np.isnan, lambda x, n: np.where(np.signbit(x), 0, 8)), {"nan-without-nan": "-sign·0"}),
    "nan-made-by-an-operation": (ACOSH, of_acosh(lambda n: 8 * (np.arange(n) % 3 % 2).astype(np.uint8)),
                                 {"nan-without-nan": "-sign·0, invalid ±0"}),
    "minus-zero-lost": (FP4, put(lambda x: (x == 0) & np.signbit(x), 0), {"minus-zero": "+0 for -0"}),
    "every-minus-zero-lost": (FP4, lambda x, got: got.__setitem__(got == 8, 0), {"minus-zero": "+0 always"}),
    "zero-block-one": (MX, scale_of(zero_rows, 0x7F), {"zero-block-scale": "7F"}),
    "infinite-block": (MX, te_infinity(None), {"infinite-block-scale": "FE"}),
    "minus-two": (MXI, minus_two, {"mxint8-minus-two": "80"}),
    "mx-minus-zero-lost": (MX4, lambda x, got: got[:, 1:].__setitem__(got[:, 1:] == 8, 0),
                           {"minus-zero": "+0 always"}),
    "symmetric": (INT8, lambda x, got: got.__setitem__(got == 0x80, 0x81), {"mxint8-symmetric": "81"}),
}  # fmt: skip
WRONG = {
    "negative-random": (E8M0, put(negative, at_random)),
    "negative-random-ue5m3": (UE5M3, put(negative, at_random)),
    "negative-two-answers": (E8M0, put(negative, half)),
    "negative-one-code": (UE5M3, put(negative, 0x12)),
    "zero-one": (E8M0, put(lambda x: x == 0, 0x7F)),
    "zero-two-answers": (E8M0, put(lambda x: (x == 0) & np.signbit(x), 0xFF)),
    "infinity-code": (E8M0, put(lambda x: x == np.inf, 0x80)),
    "nan-random": (FP4, put(np.isnan, lambda x, n: RNG.integers(0, 16, n))),
    "nan-made-code": (ACOSH, of_acosh(3)),
    "nan-made-zero-or-one": (ACOSH, of_acosh(lambda n: (np.arange(n) % 2).astype(np.uint8))),
    "nan-by-no-sign": (FP4, put(np.isnan, lambda x, n: 8 * RNG.integers(0, 2, n).astype(np.uint8))),
    "nan-code": (FP4, put(np.isnan, 3)),
    "some-minus-zeros-lost": (FP4, put(lambda x: (x < 0) & (x > -1e-30), 0)),
    "plus-zero-to-minus": (FP4, put(lambda x: (x == 0) & ~np.signbit(x), 8)),
    "zero-block-two": (MX, scale_of(zero_rows, 0x80)),
    "infinite-block-elements-of-our-scale": ("scale/f32/mxfp4/te", elements_of(infinite_rows, 0x33)),
    "infinite-block-elements": (MX, te_infinity(0x33)),
    "infinite-block-scale": (MX, scale_of(infinite_rows, 0x12)),
    "minus-two-for-less": (MXI, lambda x, got: got[:, 1:].__setitem__(got[:, 1:] == 0x81, 0x80)),
    "mx-nan-scale-for-zeros": (MX, scale_of(zero_rows, 0xFF)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_an_answer_in_use_that_holds_throughout_is_allowed_and_named(name: str) -> None:
    claim, answer, chosen = RIGHT[name]
    assert judged(claim, answer) == (0, chosen)


@pytest.mark.parametrize("name", WRONG)
def test_any_other_answer_fails(name: str) -> None:
    claim, answer = WRONG[name]
    wrong, _ = judged(claim, answer)
    assert wrong


@pytest.mark.parametrize("code", [0x00, 0xFF])
def test_what_most_cases_have_is_expected_and_the_others_are_wrong(code: int) -> None:
    """Of negative inputs 40 have the other answer in use, so these 40 are wrong, and not the thousands beside them."""

    def most(x: Codes, n: int) -> Codes:
        return np.where(np.arange(n) < 40, 0xFF - code, code).astype(np.uint8)

    wrong, chosen = judged(E8M0, put(negative, most))
    assert (wrong, chosen) == (40, {} if code else {"unsigned-negative": "smallest or 0"})  # NaN is the reference's own


def test_what_the_cases_settled_holds_for_what_is_asked_later() -> None:
    """A sweep's block, or one case alone, is judged by the answer that was found; no other is chosen there."""
    op = Operation.parse(E8M0)
    x = np.array([-1.0, -2.0], np.float32).view(np.uint32)
    want = expect(op, [x])
    magnitude = np.array([127, 128], np.uint8)
    for given, wrong in (({"unsigned-negative": "magnitude"}, 0), ({}, 2), ({"unsigned-negative": "smallest or 0"}, 2)):
        assert compared(op, [x], magnitude, None, want, "class", given).wrong.sum() == wrong
    given = {"unsigned-negative": "magnitude"}
    assert compared(op, [x], want.codes.copy(), None, want, "class", given).wrong.sum() == 2


def test_every_variation_names_its_answers_and_who_gives_them() -> None:
    for v in VARIATIONS:
        assert v.answers
        assert len({answer.name for answer in v.answers}) == len(v.answers)
        assert all(answer.name and answer.who for answer in v.answers)


def by_ace(code: int, word: int, saturating: bool, printed: bool) -> int:
    """x86 ACE's VCVTBIASPS2HF8[S], restated on bits; ``printed``: as its printed pseudo-code has it."""
    sign, field, fraction = code >> 31 << 7, code >> 23 & 0xFF, code & 0x7FFFFF
    most = 0x7E if saturating else 0x7F
    if field == 0xFF:
        return sign | (0x7F if fraction else most)
    if field == 0:
        return sign
    fraction += word & 0xFFFFF
    field += (fraction >> 23) - 120
    fraction &= 0x7FFFFF
    if field > 15:
        return sign | most
    if field > 0:
        return sign | field << 3 | fraction >> 20
    shift = 21 - field
    return sign | (0 if printed or shift > 24 else (fraction | 0x800000) >> shift)


@pytest.mark.parametrize("printed", [False, True])
@pytest.mark.parametrize("overflow", ["sat", "nonsat"])
def test_biased_conversions_as_two_sources_have_them(overflow: str, printed: bool) -> None:
    op = Operation.parse(f"convert/f32.rbits32/e4m3fn/sr-bias.{overflow};nan=keep-sign;subnormal=daz")
    rng = np.random.default_rng(1)
    near = (rng.integers(105, 140, 3000) << 23 | rng.integers(0, 1 << 23, 3000)).astype(np.uint32)
    ends = (rng.integers(0x43E00000, 0x44100000, 600)).astype(np.uint32)
    x = np.concatenate([near, ends, [0, 1, 0x7F800000, 0x7FC00000]]).astype(np.uint32)
    x |= (rng.integers(0, 2, x.size) << 31).astype(np.uint32)
    words = rng.integers(0, 1 << 32, x.size).astype(np.uint32)
    want = expect(op, [x, words])
    got = np.array([by_ace(int(c), int(w), overflow == "sat", printed) for c, w in zip(x, words)], np.uint8)
    found = compared(op, [x, words], got, None, want, "class")
    assert not found.wrong.any()
    assert found.chosen == ({"bias-below-normal": "0"} if printed else {}) | (
        {"bias-all-ones": "7F"} if overflow == "sat" else {}
    )
    mixed = np.where(np.arange(x.size) % 2, got, want.codes)
    assert compared(op, [x, words], mixed, None, want, "class").wrong.any() == bool(found.chosen)


E5M2 = np.arange(256, dtype=np.uint8)
MINUS_INTEGERS = (0x80, 0xBC, 0xC0, 0xC2, 0xC4, 0xC5, 0xC6, 0xC7, *range(0xC8, 0xFC))  # -0, -1, -2, -3, -4, ...


@pytest.mark.parametrize(
    ("family", "answers", "verdict", "name"),
    [
        ("silu", {0xFC: 0x80}, Verdict.PASS, None),
        ("silu", {0xFC: 0x7E}, Verdict.ALLOWED, "activation-of-minus-infinity"),
        ("silu", {0xFC: 0x00}, Verdict.FAIL, None),
        ("silu", {0xFC: 0xFC}, Verdict.FAIL, None),
        ("log_sigmoid", {0x7C: 0x80}, Verdict.PASS, None),  # the limit
        ("log_sigmoid", {0x7C: 0x00}, Verdict.ALLOWED, "log-sigmoid-of-infinity"),  # log(1)
        ("log_sigmoid", {0x7C: 0x7E}, Verdict.FAIL, None),
        ("log_sigmoid", {0x7C: 0x00, 0x7B: 0x00}, Verdict.FAIL, "log-sigmoid-of-infinity"),  # -exp(-57344) is < 0
        ("sign", {0x80: 0x00}, Verdict.ALLOWED, "sign-of-minus-zero"),
        ("sign", {0x80: 0xBC}, Verdict.FAIL, None),
        ("sign", {0x80: 0x00, 0x00: 0x80}, Verdict.FAIL, "sign-of-minus-zero"),
        ("frac", dict.fromkeys(MINUS_INTEGERS, 0x00), Verdict.ALLOWED, "fraction-of-integer"),  # x - trunc(x)
        ("frac", {0xBC: 0x00}, Verdict.FAIL, None),  # of -1 alone
        ("frac", {0x7C: 0x7E, 0xFC: 0x7E}, Verdict.ALLOWED, "fraction-of-infinity"),
        ("frac", {0x7C: 0x7C, 0xFC: 0xFC}, Verdict.FAIL, None),
    ],
)
def test_what_no_standard_decides_of_functions(
    family: str, answers: dict[int, int], verdict: Verdict, name: str | None
) -> None:
    op = f"{family}/e5m2/e5m2/rne.nonsat"
    table = expect(Operation.parse(op), [E5M2]).codes.copy()
    table[list(answers)] = list(answers.values())
    (found,) = fp8ref.judge(lambda x: table[np.asarray(x).view(np.uint8)], op).operations
    assert found.verdict is verdict
    assert list(found.allowed) == ([name] if name else [])
