"""From enclosures to one number that every rounding takes for the true value.

A real that is no short dyadic number lies strictly inside one cell of the grid of numbers with so many significant
bits.  Its *stand-in* is the middle of that cell: rounding to odd at one bit more [Boldo and Melquiond, IEEE Trans.
Computers 57(4), 2008].  Every threshold of every rounding to a format of p bits, with up to 64 random bits and with
the tininess rules, lies on the grid of p + 66 bits, so that the projection of the stand-in is the projection of the
real.  The enclosure is computed with more and more bits until it lies in one cell; theorems bound it where the real
comes close to a short number without being one (tanh below 1, sin x below x).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ..datum import Datum, floor_log2, power_of_two
from ..formats import Format
from .intervals import Interval

Enclosure = Callable[[int], Interval]
PRECISE = 70  # significant bits beyond p: 64 random bits, two for their ties, and some
MOST = 1 << 14  # bits of an enclosure; no function of at most 16 bits is known to need a tenth of them


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of ``bits`` significant bits with exponents ``low`` to ``high``; beyond these all answers are alike."""

    bits: int
    low: int
    high: int

    @classmethod
    def of(cls, f: Format, scale: Format | None = None) -> Grid:
        """Fine and wide enough for every projection onto a format, of the result or of it divided by a scale."""
        bits, low, high = longest(f) + PRECISE, f.quantum_exponent(f.emin) - PRECISE, f.emax + 4
        if scale is None:
            return cls(bits, low, high)
        return cls(bits + longest(scale), low + scale.quantum_exponent(scale.emin), high + scale.emax + 1)


def decide(enclosure: Enclosure, grid: Grid) -> Datum:
    """The stand-in of the real that the enclosures close in on, which must not be a number of the grid.

    Raises ArithmeticError where :data:`MOST` bits do not separate it from the grid.
    """
    prec = grid.bits + 24
    while prec <= MOST:
        try:
            x = enclosure(prec)
        except ZeroDivisionError:  # not yet apart from a pole
            prec *= 2
            continue
        found = _stand_in(x, grid) if x.lo > 0 else _stand_in(-x, grid) if x.hi < 0 else None
        if found is not None:
            return Datum.finite(found, int(x.hi < 0))
        prec *= 2
    raise ArithmeticError(f"{MOST} bits do not decide on which side of a number of {grid.bits} bits a result lies")


def _stand_in(x: Interval, grid: Grid) -> Fraction | None:
    e = x.lo.bit_length() - 1 + x.e
    if e > grid.high:
        return power_of_two(grid.high) * Fraction(3, 2)
    if x.top <= grid.low:
        return power_of_two(grid.low - 1) * Fraction(3, 2)
    unit = e + 1 - grid.bits
    shift = x.e - unit
    lo = x.lo << shift if shift >= 0 else x.lo >> -shift
    hi = x.hi << shift if shift >= 0 else -(-x.hi >> -shift)
    return (2 * lo + 1) * power_of_two(unit - 1) if hi - lo == 1 else None


def longest(f: Format) -> int:
    """Bits of a format's longest significand."""
    return f.k if f.fixed_point else f.p


def integer_root(x: int, n: int) -> int:
    """floor(x ** (1/n)) for x >= 0, n >= 1."""
    if x < 2 or n == 1:
        return x
    root = 1 << -(-x.bit_length() // n)  # above the root; Newton falls from there
    while True:
        less = ((n - 1) * root + x // root ** (n - 1)) // n
        if less >= root:
            return root
        root = less


def exact_root(x: Fraction, n: int) -> Fraction | None:
    """The n-th root of x >= 0 where it is rational."""
    a, b = integer_root(x.numerator, n), integer_root(x.denominator, n)
    return Fraction(a, b) if a**n == x.numerator and b**n == x.denominator else None


def root(x: Fraction, n: int, prec: int) -> Interval:
    """The n-th root of x > 0."""
    e = floor_log2(x)
    scale = (prec + 1) * n - e
    scale += -scale % n
    scaled = x.numerator << scale if scale >= 0 else x.numerator
    below = integer_root(scaled // (x.denominator if scale >= 0 else x.denominator << -scale), n)
    return Interval(below, below + 1, -scale // n, prec)
