"""The questions about matrix units that public evidence leaves open, as cases, and the readings that they tell apart.

A case names some places of a row with values of a and b there, zeros elsewhere, and C.  A reading is a choice of the
claimed model; the answers to a question are those of one reading, of several, or of none.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from draws import Codes

from fp8ref.cases.answers import product
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, codes_of, values_of
from fp8ref.cases.products.questions import addend_type, length, model_of
from fp8ref.spec.catalog import get_format
from fp8ref.spec.formats import Format
from fp8ref.spec.matrix.accumulate import Fused

INF, NAN = math.inf, math.nan
Term = tuple[int, float, float]


@dataclass(frozen=True)
class Case:
    """``terms``: places and the values of a and b; ``c``: a value."""

    name: str
    terms: tuple[Term, ...]
    c: float = 0.0


@dataclass(frozen=True)
class Question:
    """``options``: the choices of the model between which it decides; where there are none, the answers are shown."""

    title: str
    cases: tuple[Case, ...]
    options: tuple[dict[str, Any], ...] = ()


def _same(n: int, a: float, b: float) -> tuple[Term, ...]:
    return tuple((k, a, b) for k in range(n))


def _bounds() -> Iterator[Case]:
    """C alone, subnormal, and products near underflow: how many of their last bits stay."""
    for code in (0x12345, 0x1234F, 0x00007, 0x0000F, 0x00010, 0x3FFFFF, 0x7FFFFF):
        for sign in (1, -1):
            yield Case("C alone, subnormal", (), sign * code * 2.0**-149)
    yield Case("16 products that are 2^-149 where 2^-153 stays", _same(16, 2.0**-76, 2.0**-77))
    uneven = (*_same(15, 2.0**-76 * (1 + 2.0**-5), 2.0**-77), (15, 2.0**-76 * (1 - 15 * 2.0**-5), 2.0**-77))
    yield Case("16 products that are 2^-149 where 2^-158 stays", uneven)
    for e in range(-48, -30):  # beside half of the least number of f16: which of them round it up
        yield Case("2^-25 and a small product", ((0, 2.0**-12, 2.0**-13), (1, 2.0 ** (e // 2), 2.0 ** (e - e // 2))))
    for e in range(-23, -10):  # C of f16
        yield Case("C alone, small", (), 1.5 * 2.0**e)
        yield Case("two equal products", ((0, 2.0**-6, 2.0 ** (e + 5)), (1, 2.0**-6, 2.0 ** (e + 5))))


def _zero_operands() -> Iterator[Case]:
    """A zero times the largest number, beside a small C or product."""
    for large in (448.0, 57344.0, 2.0**15, 2.0**127):
        for lane in (0, 1, 2, 15):
            for c in (2.0**-20, 2.0**-24, 2.0**-100, -(2.0**-126), 0x12345 * 2.0**-149, 1.5 * 2.0**-14):
                yield Case("0 times a large b", ((lane, 0.0, large),), c)
                yield Case("-0 times a large b", ((lane, -0.0, large),), c)
                yield Case("a large a times 0", ((lane, large, 0.0),), c)
        yield Case("0 times a large b, and a small product", ((0, 0.0, large), (5, 2.0**-9, 2.0**-6)))


def _vanishing() -> Iterator[Case]:
    """Zeros of both signs, sums that cancel, negative sums below the last bit that stays."""
    yield Case("-0 alone", (), -0.0)
    yield Case("+0 alone", (), 0.0)
    yield Case("-0 times 1 everywhere, C = -0", _same(16, -0.0, 1.0), -0.0)
    yield Case("-0 times 1 everywhere, C = +0", _same(16, -0.0, 1.0))
    yield Case("1 - 1", ((0, 1, 1), (1, -1, 1)))
    yield Case("-1 + 1, C = -0", ((0, -1, 1), (1, 1, 1)), -0.0)
    yield Case("1, C = -1", ((0, 1, 1),), -1.0)
    yield Case("-1, C = 1", ((0, -1, 1),), 1.0)
    for e in (-149, -148, -140):
        yield Case("negative C below the last bit", (), -(2.0**e))
    yield Case("C and a larger pair that cancels", ((0, 256, 256), (1, -256, 256)), -(2.0**-20))
    pair = ((0, 256, 256), (1, -256, 256))
    yield Case("a negative product and a larger pair that cancels", (*pair, (2, -(2.0**-6), 2.0**-6)))
    for x, y in ((2.0**-76, 2.0**-77), (2.0**-75, 2.0**-75), (2.0**-75, 2.0**-76), (2.0**-13, 2.0**-13)):
        for sign in (1, -1):
            yield Case("a product that underflows", ((0, sign * x, y),))
            yield Case("a product that underflows, C = -0", ((0, sign * x, y),), -0.0)


def _specials() -> Iterator[Case]:
    """NaN and infinities in a, in b and in C, alone and together."""
    for lane in (0, 1, 15):
        for x in (NAN, INF, -INF):
            for y in (1.0, -1.0, 0.0, x):
                for c in (0.0, 1.0, NAN, INF, -INF):
                    yield Case(f"{x} times {y}, C = {c}", ((lane, x, y),), c)
                    yield Case(f"{y} times {x}, C = {c}", ((lane, y, x),), c)
        yield Case("inf - inf", ((lane, INF, 1), (lane + 1 if lane < 15 else 0, -INF, 1)))
    for c in (NAN, INF, -INF):
        yield Case(f"C = {c} alone", (), c)
        yield Case(f"C = {c} beside 448 times 448", ((0, 448, 448),), c)


def _overflow() -> Iterator[Case]:
    """Sums at the largest numbers of f32 and f16."""
    for top, step in ((65504.0, 32.0), ((2 - 2.0**-23) * 2.0**127, 2.0**104)):
        for sign in (1, -1):
            yield Case("C the largest alone", (), sign * top)
            for part in (0.25, 0.5, 0.75, 1.0, 2.0):
                a = sign * 2.0 ** math.floor(math.log2(step * part) / 2)
                yield Case(f"C the largest and {part} of a step", ((0, a, step * part / abs(a)),), sign * top)
                yield Case(f"C the largest less {part} of a step", ((0, -a, step * part / abs(a)),), sign * top)
    yield Case("16 times 448 * 448", _same(16, 448, 448))
    yield Case("16 times 57344^2", _same(16, 57344, 57344))


def _exponents() -> Iterator[Case]:
    """C of every exponent with all bits set, alone and beside 1: where the alignment ends."""
    for e in range(-149, 128):
        t = 23 if e >= -126 else e + 149
        for sign in (1, -1):
            full = sign * (2 - 2.0**-t) * 2.0**e
            yield Case("C with all bits", (), full)
            if -40 <= e <= 40:
                yield Case("C with all bits beside 1", ((0, 1, 1),), full)
                yield Case("C with all bits beside 1 and 2^-12", ((0, 1, 1), (7, 2.0**-6, 2.0**-6)), full)
    for e in range(-14, 16):
        for sign in (1, -1):
            yield Case("C of f16 with all bits beside 1", ((0, 1, 1),), sign * (2 - 2.0**-10) * 2.0**e)


LOWEST = tuple({"min_exponent": e} for e in (-126, -131, -132, -133, -19, -20, -21, None))
ZEROS = tuple({"zero_exponent": e} for e in (None, -126, -131, -132, -133, -14, -19, -20, -21))
SIGNS = ({"underflow_sign": False}, {"underflow_sign": True})
QUESTIONS = (
    Question("the lower bound of the alignment", tuple(_bounds()), LOWEST),
    Question("the exponent that a zero operand shows", tuple(_zero_operands()), ZEROS),
    Question("the sign of sums that vanish", tuple(_vanishing()), SIGNS),
    Question("NaN and infinities", tuple(_specials()), ({},)),
    Question("overflow", tuple(_overflow()), ({},)),
    Question("C of every exponent", tuple(_exponents()), ({},)),
)


# -- as operands ------------------------------------------------------------------------------------------------------
def _code(x: float, f: Format) -> int | None:
    """The code of a value, signed zeros, infinities and NaN included; None where the format lacks it."""
    return _coded(struct.pack("<d", x), f.name)


@lru_cache(maxsize=1 << 14)
def _coded(bits: bytes, name: str) -> int | None:
    """The same for a float64 by its bits: +0 and -0 are two values."""
    (x,), f = struct.unpack("<d", bits), get_format(name)
    if math.isnan(x):
        return f.nan_canonical
    sign = f.sign_bit if math.copysign(1, x) < 0 else 0
    if math.isinf(x):
        return f.infinity_code | sign if f.infinities else None
    code = codes_of(np.array([abs(x)]), f)
    return int(code[0]) | sign if values_of(code, f)[0] == abs(x) else None


def asked(op: Operation, question: Question) -> Cases | None:
    """The cases of a question that an operation's formats and K can ask; None where there are none."""
    k, fa, fb, fc = length(op), *map(get_format, op.operands), get_format(addend_type(op))
    rows: dict[tuple[bytes, bytes, int], tuple[Codes, Codes, int, str]] = {}
    for case in question.cases:
        codes = [(place, _code(x, fa), _code(y, fb)) for place, x, y in case.terms]
        c = _code(case.c, fc)
        if c is None or any(place >= k or x is None or y is None for place, x, y in codes):
            continue
        a, b = (np.zeros(k, f"u{-(-f.k // 8)}") for f in (fa, fb))
        for place, x, y in codes:
            a[place], b[place] = x, y
        rows.setdefault((a.tobytes(), b.tobytes(), c), (a, b, c, case.name))
    if not rows:
        return None
    found = list(rows.values())
    a, b = (np.stack([row[i] for row in found]) for i in (0, 1))
    return Cases(a, b, np.array([row[2] for row in found], f"u{fc.k // 8}"), tuple(row[3] for row in found))


def predicted(op: Operation, question: Question, cases: Cases) -> dict[str, Codes]:
    """What every reading of a question answers, by the name of the choice; readings that answer alike are one."""
    model = model_of(op)
    found: dict[str, Codes] = {}
    if not isinstance(model, Fused):
        return found
    for option in question.options:
        name = ", ".join(f"{key}={'none' if value is None else value}" for key, value in option.items())
        answers = product(op, cases.operands, replace(model, **option))
        alike = next((other for other, codes in found.items() if np.array_equal(codes, answers)), None)
        if alike is None:
            found[name or "as claimed"] = answers
        else:
            found[f"{alike} or {name}"] = found.pop(alike)
    return found


__all__ = ["QUESTIONS", "Case", "Question", "asked", "predicted"]
