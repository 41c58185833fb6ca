"""Units that a document defines, restated on integers: Arm's FP8 products, RISC-V's bulk-normalised dot products.

Arm ARM DDI 0487 M.a.a J1.3.3, A1.5.5; RISC-V ldot-bdot 0.2 with riscv-isa-sim's bulknormdot.h.  Each restatement is
held against the reference and the arrays; the vectors at the end come from Spike's and Bochs' own compiled code.
"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

import fp8ref
from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.matrix.models import get_model, models
from fp8ref.spec.matrix.products import dot

FP8 = {"e4m3fn": (4, 3), "e5m2": (5, 2)}
RESULTS = {"f32": (8, 23), "f16": (5, 10)}
DTYPES = {"f32": (np.uint32, np.float32), "f16": (np.uint16, np.float16)}
TWO = Fraction(2)


def number(code: int, name: str) -> tuple[int, str | Fraction]:
    """(sign, "nan", "inf" or the magnitude)."""
    w, t = {**FP8, **RESULTS}[name]
    sign, field, fraction = code >> (w + t), code >> t & ((1 << w) - 1), code & ((1 << t) - 1)
    if name == "e4m3fn" and code & 0x7F == 0x7F:
        return sign, "nan"
    if name != "e4m3fn" and field == (1 << w) - 1:
        return sign, "nan" if fraction else "inf"
    bias = (1 << (w - 1)) - 1
    return sign, (fraction + (field > 0) * (1 << t)) * TWO ** (max(field, 1) - bias - t)


def packed(x: Fraction, name: str, to_odd: bool = False) -> int:
    """The magnitude code next to a positive number; at or beyond the code of infinity it overflowed."""
    w, t = RESULTS[name]
    bias = (1 << (w - 1)) - 1
    e = max(x.numerator.bit_length() - x.denominator.bit_length() - 1, 1 - bias)
    while TWO ** (e + 1) <= x:
        e += 1
    ulps = x / TWO ** (e - t)
    whole, rest = int(ulps), ulps - int(ulps)
    if to_odd:
        whole |= rest != 0
    else:
        whole += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    return min((e + bias - 1 << t) + whole, ((1 << w) - 1) << t)


def specials(products: list[tuple[int, str | Fraction]]) -> str | None:
    """NaN, or the sign of an infinity, among addends."""
    signs = {sign for sign, x in products if x == "inf"}
    if any(x == "nan" for _, x in products) or len(signs) == 2:
        return "nan"
    return "+-"[signs.pop()] if signs else None


def multiplied(a: int, b: int, fa: str, fb: str) -> tuple[int, str | Fraction]:
    (sa, x), (sb, y) = number(a, fa), number(b, fb)
    if isinstance(x, Fraction) and isinstance(y, Fraction):
        return sa ^ sb, x * y
    zero = x == 0 or y == 0
    return sa ^ sb, "nan" if "nan" in (x, y) or zero else "inf"


def arm(a: list[int], b: list[int], fa: str, fb: str, c: int, result: str, lscale: int, saturate: bool) -> int:
    """FP8DotAddFP."""
    w, t = RESULTS[result]
    infinity = ((1 << w) - 1) << t
    addends = [*(multiplied(x, y, fa, fb) for x, y in zip(a, b)), number(c, result)]
    special = specials(addends)
    if special is not None:
        return infinity | 1 << (t - 1) if special == "nan" else infinity | (special == "-") << (w + t)
    units = [1] * (len(addends) - 1)
    total = sum(
        ((-1) ** s * m * TWO ** (-lscale * u) for (s, m), u in zip(addends, [*units, 0]) if isinstance(m, Fraction)),
        Fraction(0),
    )
    if total == 0:
        negative = all(m == 0 and s for s, m in addends)
        return negative << (w + t)
    code = packed(abs(total), result)
    return min(code, infinity - saturate) | (total < 0) << (w + t)


def riscv(a: list[int], b: list[int], fa: str, fb: str, c: int) -> int:
    """One set of n products, aligned at the largest sum of exponent fields, cut and rounded to odd; then C, to odd."""
    products = [multiplied(x, y, fa, fb) for x, y in zip(a, b)]
    special = specials([*products, number(c, "f32")])
    if special is not None:
        return 0x7FC00000 if special == "nan" else 0x7F800000 | (special == "-") << 31
    guard = (len(a) - 1).bit_length()
    exponents = []
    for x, y in zip(a, b):
        fields = [max(code >> FP8[f][1] & ((1 << FP8[f][0]) - 1), 1) for code, f in ((x, fa), (y, fb))]
        if number(x, fa)[1] and number(y, fb)[1]:
            exponents.append(sum(fields) - sum((1 << (FP8[f][0] - 1)) - 1 for f in (fa, fb)))
    total = Fraction(0)
    for sign, m in products:
        if m:
            assert isinstance(m, Fraction)
            unit = TWO ** (max(exponents) - 23 - guard)
            kept = int(m / unit)
            total += (-1) ** sign * (kept | (m != kept * unit)) * unit
    for addend in (None, c):
        if addend is not None:
            sign, m = number(addend, "f32")
            assert isinstance(m, Fraction)
            total += (-1) ** sign * m
        code = packed(abs(total), "f32", to_odd=True) if total else 0
        if code == 0x7F800000:
            return code | (total < 0) << 31
        total = (-1 if total < 0 else 1) * Fraction(number(code, "f32")[1])
    return code | (total < 0) << 31


def operands(rng: random.Random, name: str, k: int) -> list[int]:
    """Codes of a few kinds: any, near one, subnormals and zeros, minus zeros."""
    kind = rng.random()
    if kind < 0.5:
        return [rng.choice([0, 0x80]) | rng.randrange(0x7C if name == "e5m2" else 0x7F) for _ in range(k)]
    if kind < 0.7:
        return [rng.randrange(256) for _ in range(k)]
    if kind < 0.85:
        return [rng.choice([0, 0x80, 1, 0x81, 2, 0x38, 0xB8, 0x3C]) for _ in range(k)]
    return [rng.choice([0, 0x80]) for _ in range(k)]


def addend(rng: random.Random, result: str) -> int:
    w, t = RESULTS[result]
    most = ((1 << w) - 1) << t
    return rng.choice(
        [0, 1 << (w + t), rng.getrandbits(w + t + 1), most - 1, most, rng.getrandbits(t + 1),
         ((1 << (w - 1)) - 1 + rng.randint(-8, 8)) << t | rng.getrandbits(t) | rng.getrandbits(1) << (w + t)]
    )  # fmt: skip


ARM = {  # name: products of one instruction
    "arm.fmlal.fp8.f16": 1, "arm.fmlall.fp8.f32": 1, "arm.fdot2.fp8.f16": 2, "arm.fvdot.fp8.f32": 2,
    "arm.fdot4.fp8.f32": 4, "arm.fmmla.fp8.f16": 4, "arm.fmmla.fp8.f32": 8, "arm.fmopa4.fp8.f32": 4,
}  # fmt: skip


def asked(name: str, k: int, options: str, count: int, seed: str) -> list[tuple[list[int], list[int], str, str, int]]:
    """Questions; what the reference and the arrays answer to them must be the same."""
    rng = random.Random(seed)
    result = get_model(name).result
    questions = []
    for fa in FP8:
        for fb in FP8:
            some = [(operands(rng, fa, k), operands(rng, fb, k), addend(rng, result)) for _ in range(count)]
            questions += [(a, b, fa, fb, c) for a, b, c in some]
    return questions


def answers(name: str, questions: list[tuple[list[int], list[int], str, str, int]]) -> list[int]:
    result = get_model(name).result
    codes, floats = DTYPES[result]
    found = [dot(a, b, fa, fb, c=unpack(c, get_format(result)), accumulator=name) for a, b, fa, fb, c in questions]
    for fa in FP8:
        for fb in FP8:
            which = [i for i, q in enumerate(questions) if q[2:4] == (fa, fb)]
            if not which:
                continue
            a, b = (np.array([questions[i][side] for i in which], np.uint8) for side in (0, 1))
            c = np.array([questions[i][4] for i in which], codes).view(floats)
            got = np.asarray(fp8ref.dot(a, b, fa, fb, c=c, accumulator=name)).view(codes)
            assert got.tolist() == [found[i] for i in which]
    return found


@pytest.mark.parametrize("option", ["", "@saturate=1", "@lscale=7", "@saturate=1@lscale=14"])
@pytest.mark.parametrize("name", ARM)
def test_arm(name: str, option: str) -> None:
    result = get_model(name).result
    lscale = int(option.rpartition("=")[2]) if "lscale" in option else 0
    questions = asked(name, ARM[name], option, 30, name + option)
    want = [arm(a, b, fa, fb, c, result, lscale, "saturate" in option) for a, b, fa, fb, c in questions]
    assert answers(name + option, questions) == want


RISCV = (4, 8, 16, 32, 64)


def test_every_defined_unit_is_asked() -> None:
    named = {*ARM, *(f"riscv.bulknorm{n}.fp8.f32" for n in RISCV)}
    assert {m.name for m in models() if m.name.startswith(("arm.", "riscv."))} == named - {"arm.fmopa4.fp8.f32"}


@pytest.mark.parametrize("n", RISCV)
def test_riscv(n: int) -> None:
    name = f"riscv.bulknorm{n}.fp8.f32"
    questions = asked(name, n, "", 25, name)
    assert answers(name, questions) == [riscv(a, b, fa, fb, c) for a, b, fa, fb, c in questions]


def test_instructions_follow_one_another() -> None:
    """D of one is C of the next, and elements that are missing are +0."""
    name, c = "arm.fdot4.fp8.f32", 0x80000000
    a, b = [0x80] * 6, [0x38] * 6
    first = arm(a[:4], b[:4], "e4m3fn", "e4m3fn", c, "f32", 0, False)
    assert first == 0x80000000
    want = arm([*a[4:], 0, 0], [*b[4:], 0, 0], "e4m3fn", "e4m3fn", first, "f32", 0, False)
    assert answers(name, [(a, b, "e4m3fn", "e4m3fn", c)]) == [want] == [0]


VECTORS = [  # a, b, C; Spike with n = 4; one rounding, as Arm's FDOT of four
    ("7E01FE00", "7E387E00", 0x00000000, 0x3B000000, 0x3B000000),
    ("7EFE0100", "7E7E3800", 0x00000000, 0x3B000000, 0x3B000000),
    ("7E0101FE", "7E01017E", 0x00000000, 0x3B800000, 0x37000000),
    ("38383838", "38383838", 0x4B800000, 0x4B800002, 0x4B800002),
    ("38000000", "38000000", 0x33800000, 0x3F800001, 0x3F800000),
    ("7F000000", "38000000", 0x00000000, 0x7FC00000, 0x7FC00000),
    ("80808080", "38383838", 0x80000000, 0x00000000, 0x80000000),
]


@pytest.mark.parametrize(("a", "b", "c", "spike", "once"), VECTORS)
def test_recorded(a: str, b: str, c: int, spike: int, once: int) -> None:
    question = [(list(bytes.fromhex(a)), list(bytes.fromhex(b)), "e4m3fn", "e4m3fn", c)]
    assert answers("riscv.bulknorm4.fp8.f32", question) == [spike]
    assert answers("arm.fdot4.fp8.f32", question) == [once]


@pytest.mark.parametrize("option", ["lscale=16", "lscale=-1", "saturate=2", "zero=minus", "lscale=01"])
def test_options_that_do_not_exist(option: str) -> None:
    with pytest.raises(ValueError, match="is not a value of"):
        get_model(f"arm.fmmla.fp8.f16@{option}")
