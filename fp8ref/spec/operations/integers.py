"""Conversion to integers  [IEEE 754-2019 5.4.1, 5.8, 7.2 j]; from integers it is :func:`fp8ref.spec.encode`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..datum import Datum
from ..projection import SNaN
from ..rounding import RandomBits, Rounding, get_rounding, rounds_away
from ..status import Status


class OutOfRange(enum.StrEnum):
    """What a NaN and a value that the integer type lacks become.  The standard leaves it open; invalid is raised."""

    RISCV = "riscv"  # the nearest end; a NaN becomes the largest
    ARM = "arm"  # the nearest end; a NaN becomes 0
    X86 = "x86"  # the integer indefinite: the lowest of a signed type, the largest of an unsigned one


@dataclass(frozen=True, slots=True)
class IntegerType:
    """A two's-complement or unsigned integer type of ``bits`` bits."""

    bits: int
    signed: bool

    @property
    def lowest(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def largest(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    def replacement(self, x: Datum, rule: OutOfRange) -> int:
        """What an invalid conversion delivers."""
        if rule is OutOfRange.X86:
            return self.lowest if self.signed else self.largest
        if x.is_nan:
            return self.largest if rule is OutOfRange.RISCV else 0
        return self.lowest if x.sign else self.largest


INTEGERS = {
    f"{'i' if signed else 'u'}{bits}": IntegerType(bits, signed) for bits in (8, 16, 32, 64) for signed in (True, False)
}


def get_integer(name: str) -> IntegerType:
    """The integer type of a name, i8 to u64.  Raises ValueError with the choices for any other."""
    if name not in INTEGERS:
        raise ValueError(f"unknown integer type {name!r}; choose from {', '.join(INTEGERS)}")
    return INTEGERS[name]


def to_integer(
    x: Datum,
    integer: IntegerType | str,
    rounding: Rounding | str = Rounding.TOWARD_ZERO,
    *,
    exact: bool = True,
    out_of_range: OutOfRange | str = OutOfRange.RISCV,
    snan: SNaN = SNaN.IEEE,
    random: RandomBits | None = None,
) -> tuple[int, Status]:
    """The integer that a datum is rounded to.

    ``exact``: raise inexact where anything was rounded away (convertToIntegerExact...); without it only invalid is
    raised.  Out of range is judged on the rounded integer; an invalid conversion raises nothing else.
    """
    to = get_integer(integer) if isinstance(integer, str) else integer
    rule = OutOfRange(out_of_range)
    if not x.is_finite:
        return to.replacement(x, rule), Status.INVALID
    kept = int(x.magnitude)
    eta = x.magnitude - kept
    rounded = kept + rounds_away(get_rounding(rounding), eta, kept % 2 == 1, bool(x.sign), random)
    value = -rounded if x.sign else rounded
    if not to.lowest <= value <= to.largest:
        return to.replacement(x, rule), Status.INVALID
    return value, Status.INEXACT if exact and eta else Status.NONE
