"""What a code stands for: an exact real number, an infinity, or a NaN.

A :class:`Datum` is the *floating-point datum* of IEEE 754-2019 (2.1.24, 3.3): it knows nothing of codes, widths or
formats.  Finite magnitudes are exact rationals, so nothing on this floor ever rounds by accident.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from fractions import Fraction

ZERO = Fraction(0)
HALF = Fraction(1, 2)


class Kind(enum.Enum):
    """The three kinds of datum."""

    FINITE = "finite"
    INFINITE = "infinite"
    NAN = "nan"


@dataclass(frozen=True, slots=True)
class Datum:
    """A sign and an exact magnitude, an infinity, or a NaN with its payload.

    ``sign`` is 0 or 1; zero keeps its sign.  ``magnitude`` is the exact absolute value of a finite datum.  ``payload``
    is the trailing significand of a NaN as a fraction of one, in [0, 1): 1/2 is the quiet bit alone, whatever the width
    of the field it came from.
    """

    kind: Kind
    sign: int = 0
    magnitude: Fraction = ZERO
    payload: Fraction = ZERO

    @classmethod
    def finite(cls, value: Fraction | int, sign: int | None = None) -> Datum:
        """The finite datum of an exact value; ``sign`` gives a zero its sign."""
        value = Fraction(value)
        return cls(Kind.FINITE, int(value < 0) if sign is None else sign, abs(value))

    @classmethod
    def infinity(cls, sign: int = 0) -> Datum:
        return cls(Kind.INFINITE, sign)

    @classmethod
    def nan(cls, sign: int = 0, payload: Fraction = HALF) -> Datum:
        return cls(Kind.NAN, sign, ZERO, payload)

    @classmethod
    def of(cls, value: Fraction | int | float | Datum) -> Datum:
        """The exact datum of a Python number (a float is the binary64 datum that it is)."""
        if isinstance(value, Datum):
            return value
        if isinstance(value, float):
            sign = int(math.copysign(1.0, value) < 0)
            if math.isnan(value):
                return cls.nan(sign)
            if math.isinf(value):
                return cls.infinity(sign)
            return cls.finite(Fraction(value), sign)
        if isinstance(value, bool) or not isinstance(value, (int, Fraction)):
            raise TypeError(f"a value must be an int, a Fraction, a float or a Datum, not {type(value).__name__}")
        return cls.finite(value)

    @property
    def is_finite(self) -> bool:
        return self.kind is Kind.FINITE

    @property
    def is_infinite(self) -> bool:
        return self.kind is Kind.INFINITE

    @property
    def is_nan(self) -> bool:
        return self.kind is Kind.NAN

    @property
    def is_zero(self) -> bool:
        return self.kind is Kind.FINITE and self.magnitude == 0

    @property
    def value(self) -> Fraction:
        """The exact value of a finite datum (the two zeros are both 0)."""
        if not self.is_finite:
            raise ValueError(f"{self} has no finite value")
        return -self.magnitude if self.sign else self.magnitude

    def with_sign(self, sign: int) -> Datum:
        return Datum(self.kind, sign, self.magnitude, self.payload)

    def __str__(self) -> str:
        sign = "-" if self.sign else "+"
        if self.is_nan:
            return f"{sign}NaN(payload {self.payload})"
        return f"{sign}Inf" if self.is_infinite else f"{sign}{self.magnitude}"


def floor_log2(x: Fraction) -> int:
    """floor(log2 x) for x > 0, exactly."""
    if x <= 0:
        raise ValueError(f"log2 needs a positive number, not {x}")
    n = x.numerator.bit_length() - x.denominator.bit_length()
    return n if power_of_two(n) <= x else n - 1


def power_of_two(e: int) -> Fraction:
    """2**e, exactly, for any integer e."""
    return Fraction(1 << e) if e >= 0 else Fraction(1, 1 << -e)
