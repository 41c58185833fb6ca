"""Exact sums with modes, flags, zeros and fixed point, against Fractions written here."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.vectors.coverage.dot_samplers import dot_batch
from fp8ref.vectors.section import Section

NX, UF, OF, NV = 1, 2, 4, 16


class Shape(NamedTuple):
    """A format: exponent bits, trailing bits, bias; IEEE-like, or E4M3 with one NaN a sign."""

    w: int
    t: int
    bias: int
    ieee: bool = True


SHAPES = {"e5m2": Shape(5, 2, 15), "e4m3fn": Shape(4, 3, 7, False), "f16": Shape(5, 10, 15), "bf16": Shape(8, 7, 127),
          "f32": Shape(8, 23, 127), "e8m0fnu": Shape(8, 0, 127, False)}  # fmt: skip


class Number(NamedTuple):
    kind: str  # number, inf, nan, snan
    negative: bool
    value: Fraction = Fraction(0)


def meaning(code: int, name: str) -> Number:
    if name == "e8m0fnu":
        return Number("nan", False) if code == 255 else Number("number", False, Fraction(2) ** (code - 127))
    s = SHAPES[name]
    negative, e, t = bool(code >> (s.w + s.t)), code >> s.t & ((1 << s.w) - 1), code & ((1 << s.t) - 1)
    if e == (1 << s.w) - 1:
        if s.ieee:
            return Number("inf" if t == 0 else "nan" if t >> (s.t - 1) else "snan", negative)
        if t == (1 << s.t) - 1:
            return Number("nan", negative)
    unit = Fraction(2) ** (max(e, 1) - s.bias - s.t)
    value = (t + (e > 0) * (1 << s.t)) * unit
    return Number("number", negative, -value if negative else value)


def whole(x: Fraction, negative: bool, rounding: str) -> int:
    """A magnitude in units, rounded to one."""
    down, rest = divmod(x, 1)
    if not rest:
        return int(down)
    up = {
        "rne": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and down % 2 == 1),
        "rna": rest >= Fraction(1, 2), "rtz": False, "rtp": not negative, "rtn": negative, "rto": down % 2 == 0,
    }[rounding]  # fmt: skip
    return int(down) + up


def floor_log2(x: Fraction) -> int:
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if Fraction(2) ** e <= x else e - 1


def delivered(x: Fraction, name: str, rounding: str, saturate: bool, before: bool) -> tuple[int, int]:
    """Code and flags of a number other than 0."""
    s, negative, size = SHAPES[name], x < 0, abs(x)
    sign = int(negative) << (s.w + s.t)
    emin = 1 - s.bias
    e = max(floor_log2(size), emin)
    kept = whole(size / Fraction(2) ** (e - s.t), negative, rounding)
    top = ((1 << s.w) - 1 << s.t) - 1 if s.ieee else (1 << (s.w + s.t)) - 2
    code = (e - emin << s.t) + kept
    if code > top:
        stays = saturate or rounding in ("rtz", "rto") or rounding == ("rtp" if negative else "rtn")
        if stays:
            return sign | top, OF | NX
        return (sign if s.ieee else 0) | top + 1, OF | NX
    exact = kept * Fraction(2) ** (e - s.t) == size
    own = floor_log2(size)
    tiny = size < Fraction(2) ** emin
    if tiny and not before:  # rounded as if the exponent had no lower end
        ulp = Fraction(2) ** (own - s.t)
        tiny = whole(size / ulp, negative, rounding) * ulp < Fraction(2) ** emin
    return sign | code, (0 if exact else NX | (UF if tiny else 0))


def product(factors: list[Number]) -> Number:
    negative = sum(x.negative for x in factors) % 2 == 1
    if any(x.kind in ("nan", "snan") for x in factors):
        return Number("nan", False)
    if any(x.kind == "inf" for x in factors):
        zero = any(x.kind == "number" and x.value == 0 for x in factors)
        return Number("invalid" if zero else "inf", negative)
    value = Fraction(1)
    for x in factors:
        value *= x.value
    return Number("number", negative, value)


def oracle(addends: list[list[Number]], name: str, mode: str, zero: str, before: bool, quiet: bool) -> tuple[int, int]:
    rounding, overflow = mode.split(".")
    s, terms = SHAPES[name], [product(one) for one in addends]
    flags = 0 if quiet else NV * any(x.kind == "snan" for one in addends for x in one)
    nan = (1 << (s.w + s.t)) - 1 if not s.ieee else ((1 << s.w) - 1 << s.t) | 1 << (s.t - 1)
    nan = 0x7F if name == "e5m2" else nan
    kinds = {x.kind for x in terms}
    flags |= NV * ("invalid" in kinds)
    if kinds & {"nan", "invalid"}:
        return nan, flags
    signs = {x.negative for x in terms if x.kind == "inf"}
    if len(signs) == 2:
        return nan, flags | NV
    sign_bit = 1 << (s.w + s.t)
    if signs:
        infinite = (
            ((1 << s.w) - 1 << s.t) - (overflow == "sat") if s.ieee else (1 << s.w + s.t) - 1 - (overflow == "sat")
        )
        minus = signs.pop() and (s.ieee or overflow == "sat")
        return infinite | sign_bit * minus, flags
    total = sum((x.value for x in terms), Fraction(0))
    if total == 0:
        signs = {x.negative for x in terms}
        alike = all(x.value == 0 for x in terms) and len(signs) == 1
        negative = zero == "ieee" and (signs.pop() if alike else rounding == "rtn")
        return sign_bit * negative, flags
    code, raised = delivered(total, name, rounding, overflow == "sat", before)
    return code, flags | raised


def terms_of(op: Operation, case: list[np.ndarray]) -> list[list[Number]]:
    rest = case[2:]
    c = None if op.key("c") else rest.pop(0)
    scale, block = op.key("scale"), int(op.key("block") or 1 << 20)
    found = []
    for i, (x, y) in enumerate(zip(case[0].tolist(), case[1].tolist())):
        own = [meaning(int(s[i // block]), scale) for s in rest[:2]] if scale else []
        found.append([meaning(x, op.operands[0]), meaning(y, op.operands[1]), *own])
    kind = op.result if op.result in ("f16", "bf16", "f32") else "f32"
    return found + ([[meaning(int(c), kind)]] if c is not None else [])


def asked(text: str, n: int) -> tuple[Operation, list[np.ndarray]]:
    op = Section.of(text).operation
    codes = dot_batch(op, np.random.default_rng(7), 1)
    return op, [x[:n] for x in codes]


MODES = [f"{r}.{o}" for r in ("rne", "rtz", "rtp", "rtn", "rna", "rto") for o in ("nonsat", "sat")]
CASES = [
    *((f"dot/e5m2.e5m2/f16/exact.{mode};flags=1;k=2;zero=ieee", 120) for mode in MODES),
    ("dot/e5m2.e4m3fn/e5m2/exact.rne.nonsat;flags=1;k=3;tininess=before;zero=ieee", 200),
    ("dot/e4m3fn.e4m3fn/e4m3fn/exact.rtn.nonsat;c=none;flags=1;k=4;zero=ieee", 200),
    ("dot/e5m2.e5m2/bf16/exact.rtn.nonsat;flags=1;k=4;snan=quiet;zero=plus", 200),
    ("dot/e4m3fn.e5m2/f32/exact;c=none;flags=1;k=32;zero=ieee", 100),
    ("dot/e4m3fn.e4m3fn/f16/exact.rtz.nonsat;block=2;flags=1;k=4;scale=e8m0fnu;zero=ieee", 200),
]


@pytest.mark.parametrize(("text", "n"), CASES, ids=[text for text, _ in CASES])
def test_sums_with_status_are_those_of_fractions(text: str, n: int) -> None:
    op, codes = asked(text, n)
    got = expect(op, codes)
    assert got.status is not None
    mode = (op.mode or "").removeprefix("exact").removeprefix(".") or "rne.nonsat"
    for i in range(n):
        terms = terms_of(op, [x[i] for x in codes])
        want = oracle(terms, op.result, mode, op.key("zero"), op.key("tininess") == "before", bool(op.key("snan")))
        assert (int(got.codes[i]), int(got.status[i])) == want, (text, i, [x[i] for x in codes])
    raised = np.bitwise_or.reduce(got.status)
    assert raised & NX
    assert raised & OF or "f32" in text


def fixed(terms: list[list[Number]], k: int, t: int, rounding: str, wrap: bool) -> tuple[int, int] | None:
    """Code and flags; None where the sum is no number."""
    found = [product(one) for one in terms]
    if any(x.kind != "number" for x in found):
        return None
    total = sum((x.value for x in found), Fraction(0)) * 2**t
    units = whole(abs(total), total < 0, rounding) * (-1 if total < 0 else 1)
    low, high = -(1 << (k - 1)), (1 << (k - 1)) - 1
    flags = 0 if units == total else NX
    if not low <= units <= high:
        flags = OF | NX
        units = units if wrap else high if units > 0 else low
    return units % (1 << k), flags


@pytest.mark.parametrize(
    ("text", "k", "t", "rounding", "wrap"),
    [
        ("dot/e5m2.e5m2/fx70.32/exact.rne.impossible;flags=1;k=32", 70, 32, "rne", False),
        ("dot/e5m2.e5m2/fx40.20/exact.rtp.wrap;flags=1;k=4", 40, 20, "rtp", True),
        ("dot/e4m3fn.e4m3fn/fx24.8/exact.rtz.sat;flags=1;k=4", 24, 8, "rtz", False),
        ("dot/e4m3fn.e4m3fn/fx200.160/exact.rtn.wrap;bias=f32;flags=1;k=2", 200, 160, "rtn", True),
    ],
)
def test_fixed_point_sums_are_those_of_fractions(text: str, k: int, t: int, rounding: str, wrap: bool) -> None:
    op, codes = asked(text, 300)
    got = expect(op, codes)
    assert got.status is not None
    numbers = beyond = 0
    for i in range(300):
        want = fixed(terms_of(op, [x[i] for x in codes]), k, t, rounding, wrap)
        if want is None:
            continue
        code = int.from_bytes(np.atleast_1d(got.codes[i]).astype(f">u{got.codes.itemsize}").tobytes(), "big")
        assert (code, int(got.status[i])) == want, (text, i)
        numbers, beyond = numbers + 1, beyond + bool(want[1] & OF)
    assert numbers > 60
    assert (beyond > 0) == ("impossible" not in text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dot/e5m2.e5m2/f32/f32.fma;flags=1;k=2", "belongs to the exact sum"),
        ("dot/e5m2.e5m2/f32/exact;bias=f32;c=none;k=2", "c=none says that there is none"),
        ("dot/e5m2.e5m2/f16/exact.rne.wrap;k=2", "is a rule of fixed-point results"),
        ("dot/e5m2.e5m2/fx69.32/exact.rne.impossible;k=32", "for which 70 bits are needed"),
        ("dot/e5m2.e5m2/fx70.32/f32.fma;k=32", "those of exact sums"),
        ("matmul/e5m2.e5m2/f32/exact;flags=1;k=2", "take dot"),
        ("dot/e5m2.e5m2/f32/exact;k=2;zero=minus", "zero is one of ieee, plus"),
        ("dot/e5m2.e5m2/fx1.0/exact;k=2", "has k from 2 to 4096"),
    ],
)
def test_what_cannot_be_asked(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Operation.parse(text)
