"""Intervals of reals with dyadic ends: every operation gives an interval that holds every true result.

An :class:`Interval` is ``[lo, hi] * 2**e`` with integers ``lo <= hi``.  Results are cut to ``prec`` bits, outward.  The
exponent stands apart from the ends, so that ``exp(3e38)`` is as cheap as ``exp(3)``.  Standard library only; no
floating-point number takes part.
"""

from __future__ import annotations

import math
from fractions import Fraction


def _down(n: int, shift: int) -> int:
    """floor(n * 2**shift)"""
    return n << shift if shift >= 0 else n >> -shift


def _up(n: int, shift: int) -> int:
    """ceil(n * 2**shift)"""
    return n << shift if shift >= 0 else -(-n >> -shift)


class Interval:
    """``[lo, hi] * 2**e``; immutable by convention."""

    __slots__ = ("e", "hi", "lo", "prec")

    def __init__(self, lo: int, hi: int, e: int, prec: int) -> None:
        self.lo, self.hi, self.e, self.prec = lo, hi, e, prec

    @classmethod
    def cut(cls, lo: int, hi: int, e: int, prec: int) -> Interval:
        """Cut to ``prec`` bits, outward; points stay as they are."""
        excess = max(lo.bit_length(), hi.bit_length()) - prec
        if excess > 0 and lo != hi:
            return cls(lo >> excess, -(-hi >> excess), e + excess, prec)
        return cls(lo, hi, e, prec)

    @classmethod
    def of(cls, x: Fraction | int, prec: int) -> Interval:
        """The interval of a rational: a point where it is dyadic, whatever its length, else ``prec`` bits of it."""
        n, d = (x, 1) if isinstance(x, int) else (x.numerator, x.denominator)
        if d & (d - 1) == 0:
            return cls(n, n, 1 - d.bit_length(), prec)
        shift = prec + d.bit_length() - n.bit_length() + 1
        n = _down(n, shift) if shift > 0 else n
        shift = max(shift, 0)
        return cls(n // d, n // d + 1, -shift, prec)

    @property
    def is_point(self) -> bool:
        return self.lo == self.hi

    @property
    def top(self) -> int:
        """An exponent that no value reaches: ``abs(x) < 2**top``."""
        return max(self.lo.bit_length(), self.hi.bit_length()) + self.e

    def at(self, prec: int) -> Interval:
        """The same numbers, to be computed with at another precision."""
        return Interval(self.lo, self.hi, self.e, prec)

    def fixed(self, bits: int) -> tuple[int, int]:
        """The ends in units of 2**-bits, outward."""
        return _down(self.lo, self.e + bits), _up(self.hi, self.e + bits)

    def ends(self) -> tuple[Interval, Interval]:
        return Interval(self.lo, self.lo, self.e, self.prec), Interval(self.hi, self.hi, self.e, self.prec)

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo, self.e, self.prec)

    def __add__(self, other: Interval | Fraction | int) -> Interval:
        x, y = self, other if isinstance(other, Interval) else Interval.of(other, self.prec)
        if x.e < y.e:
            x, y = y, x
        prec = min(self.prec, y.prec, x.prec)
        if x.lo == x.hi == 0:
            return y.at(prec)
        gap = x.e - y.e
        if gap > 4 * prec and y.top < x.e - 2 * prec:  # y is less than a unit far below x
            lo, hi, shift = -int(y.lo < 0), int(y.hi > 0), 2 * prec
            return Interval.cut((x.lo << shift) + lo, (x.hi << shift) + hi, x.e - shift, prec)
        return Interval.cut((x.lo << gap) + y.lo, (x.hi << gap) + y.hi, y.e, prec)

    __radd__ = __add__

    def __sub__(self, other: Interval | Fraction | int) -> Interval:
        return self + (-other)

    def __rsub__(self, other: Fraction | int) -> Interval:
        return -self + other

    def __mul__(self, other: Interval | Fraction | int) -> Interval:
        y = other if isinstance(other, Interval) else Interval.of(other, self.prec)
        prec = min(self.prec, y.prec)
        if self.lo >= 0 and y.lo >= 0:
            return Interval.cut(self.lo * y.lo, self.hi * y.hi, self.e + y.e, prec)
        ends = (self.lo * y.lo, self.lo * y.hi, self.hi * y.lo, self.hi * y.hi)
        return Interval.cut(min(ends), max(ends), self.e + y.e, prec)

    __rmul__ = __mul__

    def scaled(self, k: int) -> Interval:
        """times 2**k"""
        return Interval(self.lo, self.hi, self.e + k, self.prec)

    def inverse(self) -> Interval:
        """1/x.  Raises ZeroDivisionError where zero lies inside."""
        if self.lo <= 0 <= self.hi:
            raise ZeroDivisionError("an interval around zero has no inverse")
        if self.hi < 0:
            return -(-self).inverse()
        q = self.prec + self.hi.bit_length() + 1
        return Interval.cut((1 << q) // self.hi, -(-(1 << q) // self.lo), -self.e - q, self.prec)

    def __truediv__(self, other: Interval | Fraction | int) -> Interval:
        return self * (other if isinstance(other, Interval) else Interval.of(other, self.prec)).inverse()

    def __rtruediv__(self, other: Fraction | int) -> Interval:
        return self.inverse() * other

    def sqrt(self) -> Interval:
        """The square root of an interval without negative numbers."""
        shift = max(0, 2 * self.prec + 2 - self.lo.bit_length())
        shift += (self.e - shift) % 2
        lo, hi = math.isqrt(self.lo << shift), math.isqrt(self.hi << shift)
        return Interval.cut(lo, hi + (hi * hi != self.hi << shift), (self.e - shift) // 2, self.prec)

    def above(self, bound: Fraction | int) -> Interval:
        """What of it lies above a bound that a theorem gives; nothing is cut."""
        b = Interval.of(bound, self.prec)
        if (b.lo < 0 and b.hi.bit_length() - 1 + b.e >= self.top) or (
            self.lo > 0 and (b.hi <= 0 or b.top < self.lo.bit_length() + self.e)
        ):
            return self  # it does, however far
        e = min(self.e, b.e) if b.hi else self.e
        lo, hi = self.lo << (self.e - e), self.hi << (self.e - e)
        return Interval(max(lo, b.lo << (b.e - e) if b.hi else 0), hi, e, self.prec)

    def below(self, bound: Fraction | int) -> Interval:
        """What of it lies below a bound that a theorem gives; nothing is cut."""
        return -(-self).above(-bound)
