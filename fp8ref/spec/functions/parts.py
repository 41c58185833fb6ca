"""Quotients, remainders, signs and parts of numbers, as Python and NumPy have them; every result is rational.

[Python 3 reference 6.7, ``//`` and ``%``; C23 7.12.10 fmod, 7.12.6 modf, frexp; NumPy reference, sign, heaviside]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from ..datum import HALF, ZERO, Datum, floor_log2, power_of_two
from ..operations.definition import INVALID, Exact, Semantics, exactly
from .rows import function, number, pole


def _floor_divide(a: Datum, b: Datum, semantics: Semantics) -> Exact:
    """The integer at or below a/b; by 0 what a/0 is, as NumPy has it.  Of another infinity NaN, as Python has it."""
    sign = a.sign ^ b.sign
    if a.is_infinite and b.is_zero and not semantics.of_p3109:
        return exactly(Datum.infinity(sign))
    if a.is_infinite or (b.is_zero and (a.is_zero or semantics.of_p3109)):
        return INVALID
    if b.is_zero:
        return pole(sign)
    if a.is_zero or b.is_infinite:
        return number(0, sign) if a.is_zero or not sign else number(-1)
    return number(math.floor(a.value / b.value))


def _modulo(a: Datum, b: Datum, semantics: Semantics) -> Exact:
    """a - b floor(a/b), which has b's sign."""
    if a.is_infinite or b.is_zero:
        return INVALID
    if b.is_infinite:
        return exactly(b) if a.sign != b.sign and not a.is_zero else _under(a, b.sign)
    rest = a.value - b.value * math.floor(a.value / b.value)
    return number(rest, None if rest else b.sign)


def _fmod(a: Datum, b: Datum, semantics: Semantics) -> Exact:
    """a - b trunc(a/b), which has a's sign."""
    if a.is_infinite or b.is_zero:
        return INVALID
    if b.is_infinite:
        return exactly(a)
    return exactly(Datum.finite(a.magnitude % b.magnitude).with_sign(a.sign))


def _under(x: Datum, sign: int) -> Exact:
    return exactly(x.with_sign(sign) if x.is_zero else x)


def _sign(x: Datum, semantics: Semantics) -> Exact:
    return exactly(x) if x.is_zero else number(-1 if x.sign else 1)


def _heaviside(x: Datum, at_zero: Datum, semantics: Semantics) -> Exact:
    """0 below 0, 1 above it, and the second operand at it."""
    return exactly(at_zero) if x.is_zero else number(0 if x.sign else 1)


def _whatever_at_zero(operands: Sequence[Datum], semantics: Semantics) -> Exact | None:
    x = operands[0]
    return None if x.is_nan or x.is_zero else number(0 if x.sign else 1)


def _fraction(x: Datum, semantics: Semantics) -> Exact:
    """What modf leaves beside the integral part; both have x's sign."""
    rest = ZERO if x.is_infinite else x.magnitude % 1
    return exactly(Datum.finite(rest).with_sign(x.sign))


def _significand(x: Datum, semantics: Semantics) -> Exact:
    """frexp's: x divided by a power of two into [1/2, 1)."""
    if x.is_infinite or x.is_zero:
        return exactly(x)
    m: Fraction = x.magnitude * HALF * power_of_two(-floor_log2(x.magnitude))
    return exactly(Datum.finite(m).with_sign(x.sign))


PARTS = {
    "floor_divide": function(2, _floor_divide),
    "modulo": function(2, _modulo),
    "fmod": function(2, _fmod),
    "sign": function(1, _sign),
    "heaviside": function(2, _heaviside, despite_nan=_whatever_at_zero),
    "fraction": function(1, _fraction),
    "significand": function(1, _significand),
}
