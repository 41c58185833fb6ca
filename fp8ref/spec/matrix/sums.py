"""The exact pieces of adding units: addends in integer units, cuts, products, sums with one rounding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from ..datum import ZERO, Datum, floor_log2
from ..formats import Format
from ..overflow import Overflow, To
from ..projection import Projection, Subnormal, project
from ..rounding import Rounding, rounds_away

TO_INFINITY, TO_LARGEST = Overflow(To.INF, To.INF), Overflow(To.MAX, To.INF)


class Addend(NamedTuple):
    """``units * 2**lsb``, and the exponent that alignment sees."""

    units: int
    lsb: int
    exponent: int


def addend(x: Datum, f: Format, zero_exponent: int | None = None) -> Addend:
    """A finite datum of a format in integer units; its exponent is the format's exponent field, emin for subnormals."""
    if x.is_zero and zero_exponent is not None:
        return Addend(0, 0, zero_exponent)
    e = f.emin if x.is_zero else max(floor_log2(x.magnitude), f.emin)
    lsb = f.quantum_exponent(e)
    shift = -lsb - (x.magnitude.denominator.bit_length() - 1)  # the denominator is a power of two
    units = x.magnitude.numerator << shift if shift >= 0 else x.magnitude.numerator >> -shift
    return Addend(-units if x.sign else units, lsb, e)


def cut(x: Addend, lsb: int, rounding: Rounding) -> int:
    """An addend in units of 2**lsb, rounded to an integer."""
    if x.lsb >= lsb:
        return x.units << (x.lsb - lsb)
    shift = lsb - x.lsb
    kept, rest = divmod(abs(x.units), 1 << shift)
    if rest:
        kept += rounds_away(rounding, Fraction(rest, 1 << shift), kept % 2 == 1, x.units < 0)
    return -kept if x.units < 0 else kept


def product(x: Datum, y: Datum) -> Datum:
    """The exact product, IEEE's rules for signs, infinities and NaNs."""
    sign = x.sign ^ y.sign
    if x.is_nan or y.is_nan:
        return Datum.nan()
    if x.is_infinite or y.is_infinite:
        return Datum.nan() if x.is_zero or y.is_zero else Datum.infinity(sign)
    return Datum.finite(x.magnitude * y.magnitude).with_sign(sign)


def special_sum(addends: Sequence[Datum]) -> Datum | None:
    """NaN if an addend is NaN or infinities of both signs meet; an infinity if one is there; None if all are finite."""
    signs = {x.sign for x in addends if x.is_infinite}
    if len(signs) > 1 or any(x.is_nan for x in addends):
        return Datum.nan()
    return Datum.infinity(signs.pop()) if signs else None


def rounded(x: Datum, f: Format, rounding: Rounding = Rounding.TIES_TO_EVEN, *, flush: bool = False) -> Datum:
    """x in a format; ``flush``: what is tiny after rounding becomes a zero of its sign."""
    rho = Projection(rounding, TO_INFINITY, subnormal=Subnormal.FTZ if flush else Subnormal.KEEP)
    return project(x, f, rho)[0]


def flushed(x: Datum, f: Format, *, sign: bool = True) -> Datum:
    """A number below the normal range of a format is a zero: of its sign, or +0."""
    if not x.is_finite or x.magnitude >= f.min_normal:
        return x
    return Datum.finite(ZERO, x.sign if sign else 0)


def rounded_sum(
    x: Datum, y: Datum, f: Format, rounding: Rounding = Rounding.TIES_TO_EVEN, *, flush: bool = False
) -> Datum:
    """x + y, rounded once: to nearest, or to odd [IEEE 754-2019 5.4.1, 6.3]."""
    special = special_sum((x, y))
    if special is not None:
        return special
    total = x.value + y.value
    return rounded(Datum.finite(total, x.sign & y.sign if total == 0 else None), f, rounding, flush=flush)


def exact_sum(addends: Sequence[Datum]) -> Datum:
    """The exact sum.  A zero sum is +0, whatever the signs of its addends."""
    special = special_sum(addends)
    return special if special is not None else Datum.finite(sum((x.value for x in addends), ZERO))
