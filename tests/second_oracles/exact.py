"""A second opinion on every format of at most 8 bits that shares no code with fp8ref.

A :class:`Table` is what a specification prints: how a magnitude code decodes, where the largest finite one is, which
codes are infinite or NaN.  Rounding is a naive search for the two neighbours of a value in the list of all values: no
significand, no exponent, no ulp is computed anywhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

TWO = Fraction(2)

ROUNDINGS = ("rne", "rna", "rtz", "rtp", "rtn", "rto")
OVERFLOWS = ("sat", "satprop", "nonsat")

EXACT, BELOW_HALF, TIE, ABOVE_HALF = range(4)


@dataclass(frozen=True)
class Place:
    """Where a magnitude lies: at rung ``rung`` of the ladder of values, or in one of three parts of the gap above."""

    rung: int
    part: int


INFINITE = Place(-2, EXACT)  # not on the ladder at all
UNDER = Place(-1, EXACT)  # below the first rung, where that is not zero


@dataclass(frozen=True)
class Table:
    """A format as its specification prints it."""

    name: str
    k: int
    magnitude: Callable[[int], Fraction]  # of any magnitude code, as if all were numbers and codes went on for ever
    top: int  # magnitude code of the largest finite value
    infinity: int | None = None  # magnitude code of infinity
    nans: frozenset[int] = frozenset()  # NaN codes, sign bit included
    canonical: int | None = None  # the NaN that fp8ref promises
    signed: bool = True
    twos_complement: bool = False
    negative_zero: bool = True

    @property
    def bottom(self) -> int:
        """Magnitude code of the most negative finite value."""
        return self.top + 1 if self.twos_complement else self.top if self.signed else 0

    def code(self, negative: bool, rung: int) -> int:
        if not negative or (rung == 0 and not self.negative_zero):
            return rung
        return (2**self.k - rung) % 2**self.k if self.twos_complement else 2 ** (self.k - 1) + rung

    def meaning(self, code: int) -> tuple[str, int, Fraction | None]:
        """('finite' | 'infinite' | 'nan', sign, value) of a code."""
        half = 2 ** (self.k - 1)
        sign = int(self.signed and code >= half)
        if code in self.nans:
            return "nan", sign, None
        rung = 2**self.k - code if self.twos_complement and sign else code - half * sign
        if rung == self.infinity:
            return "infinite", sign, None
        return "finite", sign, -self.magnitude(rung) if sign else self.magnitude(rung)

    @cached_property
    def ladder(self) -> list[Fraction]:
        """All magnitudes ascending, and two more beyond the last, as if the exponent had no upper bound."""
        return [self.magnitude(rung) for rung in range(max(self.top, self.bottom) + 3)]

    def place(self, magnitude: Fraction) -> Place:
        rung = bisect_right(self.ladder, magnitude) - 1
        if rung < 0:
            return UNDER
        if rung == len(self.ladder) - 1 or self.ladder[rung] == magnitude:
            return Place(rung, EXACT)
        to_lower, to_upper = magnitude - self.ladder[rung], self.ladder[rung + 1] - magnitude
        return Place(rung, BELOW_HALF if to_lower < to_upper else TIE if to_lower == to_upper else ABOVE_HALF)

    def encode(self, negative: bool, place: Place, rounding: str, overflow: str) -> int:
        """The code that a value at this place must get."""
        if negative and self.name == "e8m0fnu":  # the contract: no value lies on this side
            return self.nan
        if place is UNDER:
            return 0
        if place is INFINITE:
            return self.overflowed(negative, rounding, overflow, infinite=True)
        rung = place.rung + goes_up(place, rounding, negative)
        if rung > (self.bottom if negative else self.top):
            return self.overflowed(negative, rounding, overflow, infinite=False)
        return self.code(negative and self.signed, rung)

    @property
    def nan(self) -> int:
        assert self.canonical is not None
        return self.canonical

    def overflowed(self, negative: bool, rounding: str, overflow: str, *, infinite: bool) -> int:
        extreme = self.code(negative and self.signed, self.bottom if negative else self.top)
        turned_back = not infinite and (
            rounding in ("rtz", "rto") or (rounding == "rtn" and not negative) or (rounding == "rtp" and negative)
        )
        if overflow == "sat" or (overflow == "satprop" and not infinite) or turned_back:
            return extreme
        if self.infinity is not None and (self.signed or not negative):
            return self.code(negative, self.infinity)
        if overflow == "satprop" or self.canonical is None:
            return extreme
        return self.canonical


def goes_up(place: Place, rounding: str, negative: bool) -> bool:
    """Does a magnitude at this place go to the upper of its two neighbours?"""
    return place.part != EXACT and GOES_UP[rounding](place.part, place.rung % 2 == 1, negative)


GOES_UP: dict[str, Callable[[int, bool, bool], bool]] = {
    "rne": lambda part, odd, negative: part == ABOVE_HALF or (part == TIE and odd),
    "rna": lambda part, odd, negative: part in (TIE, ABOVE_HALF),
    "rtz": lambda part, odd, negative: False,
    "rtp": lambda part, odd, negative: not negative,
    "rtn": lambda part, odd, negative: negative,
    "rto": lambda part, odd, negative: not odd,
}


# -- the tables ---------------------------------------------------------------------------------------------------
def _fields(t: int, bias: int) -> Callable[[int], Fraction]:
    """2**(E-bias) * 1.T, or 2**(1-bias) * 0.T where E is 0 [OFP8 5.1; MX 5.3; IEEE 754 3.4]."""

    def magnitude(m: int) -> Fraction:
        exponent, trailing = divmod(m, 2**t)
        if exponent == 0:
            return Fraction(trailing, 2**t) * TWO ** (1 - bias)
        return (1 + Fraction(trailing, 2**t)) * TWO ** (exponent - bias)

    return magnitude


def _p3109_magnitude(p: int, bias: int) -> Callable[[int], Fraction]:
    """[P3109 v4.0 Decode] T = x mod 2^(P-1), E = x div 2^(P-1)."""

    def magnitude(x: int) -> Fraction:
        T, E = x % 2 ** (p - 1), x // 2 ** (p - 1)
        if E == 0:
            return T * TWO ** (1 - p) * TWO ** (1 - bias)
        return (1 + T * TWO ** (1 - p)) * TWO ** (E - bias)

    return magnitude


def _p3109(k: int, p: int, signed: bool, extended: bool) -> Table:
    name = f"binary{k}p{p}{'s' if signed else 'u'}{'e' if extended else 'f'}"
    if signed:
        bias, nan = 2 ** (k - p - 1), 2 ** (k - 1)
        infinity = 2 ** (k - 1) - 1 if extended else None
        top = 2 ** (k - 1) - 2 if extended else 2 ** (k - 1) - 1
    else:
        bias, nan = 2 ** (k - p), 2**k - 1
        infinity = 2**k - 2 if extended else None
        top = 2**k - 3 if extended else 2**k - 2
    return Table(name, k, _p3109_magnitude(p, bias), top, infinity, frozenset({nan}), nan, signed, negative_zero=False)


def _both_signs(*magnitude_codes: int) -> frozenset[int]:
    return frozenset(magnitude_codes) | {0x80 | m for m in magnitude_codes}


NAMED = (
    # OCP OFP8 1.0 table 1
    Table("e4m3fn", 8, _fields(3, 7), 0x7E, None, _both_signs(0x7F), 0x7F),
    Table("e5m2", 8, _fields(2, 15), 0x7B, 0x7C, _both_signs(0x7D, 0x7E, 0x7F), 0x7F),
    # LLVM APFloat, IEEE-like
    Table("e4m3", 8, _fields(3, 7), 0x77, 0x78, _both_signs(*range(0x79, 0x80)), 0x7C),
    Table("e3m4", 8, _fields(4, 3), 0x6F, 0x70, _both_signs(*range(0x71, 0x80)), 0x78),
    # FNUZ: one NaN, at the code of -0
    Table("e4m3fnuz", 8, _fields(3, 8), 0x7F, None, frozenset({0x80}), 0x80, negative_zero=False),
    Table("e5m2fnuz", 8, _fields(2, 16), 0x7F, None, frozenset({0x80}), 0x80, negative_zero=False),
    Table("e4m3b11fnuz", 8, _fields(3, 11), 0x7F, None, frozenset({0x80}), 0x80, negative_zero=False),
    # OCP MX 1.0, 5.4.1: powers of two, no zero, no sign
    Table("e8m0fnu", 8, lambda m: TWO ** (m - 127), 0xFE, None, frozenset({0xFF}), 0xFF, signed=False),
    # NVFP4's scale, E4M3 without its sign bit; CUDA 13.5 UE5M3
    Table("ue4m3", 7, _fields(3, 7), 0x7E, None, frozenset({0x7F}), 0x7F, signed=False),
    Table("ue5m3", 8, _fields(3, 15), 0xFE, None, frozenset({0xFF}), 0xFF, signed=False),
    # OCP MX 1.0, 5.3: element formats, every code a number
    Table("e3m2fn", 6, _fields(2, 3), 0x1F),
    Table("e2m3fn", 6, _fields(3, 1), 0x1F),
    Table("e2m1fn", 4, _fields(1, 1), 0x07),
    Table("mxint8", 8, lambda m: Fraction(m, 64), 0x7F, twos_complement=True, negative_zero=False),
)

P3109 = tuple(
    _p3109(k, p, signed, extended)
    for k in range(3, 9)
    for signed in (True, False)
    for p in range(1, k + (not signed))
    for extended in (True, False)
)

TABLES = {table.name: table for table in (*NAMED, *P3109)}
