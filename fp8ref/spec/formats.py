"""What a number format is: how wide, how precise, where its range starts, and which codes are not numbers.

One picture serves every binary floating-point format of this field.  Take the sign bit away and read the rest of the
code as an integer, the *magnitude code*.  Magnitude codes are in the order of the values they stand for::

    0 ........ subnormals ........ normals ........ max_code [ infinity ] [ NaNs ]

so a format is (k, p, bias) and a statement of what sits at the top.  The field widths follow: t = p - 1 trailing
significand bits below w exponent bits [IEEE 754-2019 3.4; OCP OFP8 1.0 table 1; OCP MX 1.0 5.3; P3109 4.1].
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from .. import display
from .datum import floor_log2, power_of_two

WIDEST, WIDEST_FIXED = 64, 4096  # bits of a code: an accumulator that loses nothing is wider than any float


class NaNs(enum.Enum):
    """Where a format keeps its NaNs."""

    NONE = "none"  # OCP MX FP6, FP4, INT8
    IEEE = "exponent field all ones, trailing significand not zero"
    ALL_ONES = "every bit below the sign is one"  # OCP E4M3, E8M0; P3109 unsigned
    NEGATIVE_ZERO = "the code of -0"  # FNUZ; P3109 signed


@dataclass(frozen=True, eq=False)
class Format:
    """A number format by its parameters; equal by parameters, not by name.

    k: code width in bits.  p: precision in bits, the implicit bit included.  bias: exponent bias.  ``signed`` formats
    carry a sign bit on top.  Formats without ``zero`` (E8M0) have no subnormals either: exponent field 0 is an ordinary
    binade.  ``fixed_point`` makes the code a two's-complement integer in units of 2**-t (OCP MX INT8).

    >>> from fp8ref.spec import get_format
    >>> f = get_format("e4m3fn")
    >>> f.k, f.p, f.bias, f.emin, f.emax, f.max
    (8, 4, 7, -6, 8, Fraction(448, 1))
    """

    name: str
    k: int
    p: int
    bias: int
    signed: bool = True
    infinities: bool = False
    nans: NaNs = NaNs.NONE
    zero: bool = True
    fixed_point: bool = False
    canonical: int | None = None  # the canonical NaN, where the general rule does not give it
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for what, value in (("k", self.k), ("p", self.p), ("bias", self.bias)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{self.name}: {what} must be an int, not {value!r}")
        widest = WIDEST_FIXED if self.fixed_point else WIDEST
        if not 2 <= self.k <= widest:
            raise ValueError(f"{self.name}: the code width k must be 2 to {widest} bits, not {self.k}")
        if self.p < 1 or self.t > self.k - self.signed:
            raise ValueError(f"{self.name}: the precision p must be 1 to {self.k - self.signed + 1}, not {self.p}")
        if self.infinities and self.nans in (NaNs.NONE,):
            raise ValueError(f"{self.name}: a format with infinities needs NaNs")
        if self.nans is NaNs.IEEE and (not self.infinities or self.w < 1):
            raise ValueError(f"{self.name}: IEEE NaNs need infinities and an exponent field")
        if self.nans is NaNs.NEGATIVE_ZERO and not (self.signed and self.zero):
            raise ValueError(f"{self.name}: a NaN at the code of -0 needs a sign bit and a zero")
        if self.fixed_point and (self.infinities or self.nans is not NaNs.NONE or not self.signed):
            raise ValueError(f"{self.name}: a two's-complement format is signed and has neither infinities nor NaNs")
        if self.max_code < self.zero:
            raise ValueError(f"{self.name}: no code is left for a finite value other than 0")

    # -- widths -------------------------------------------------------------------------------------------------
    @property
    def t(self) -> int:
        """Trailing significand width in bits, p - 1."""
        return self.p - 1

    @property
    def w(self) -> int:
        """Exponent field width in bits (0 for fixed point)."""
        return 0 if self.fixed_point else self.k - self.signed - self.t

    @property
    def magnitude_bits(self) -> int:
        return self.k - self.signed

    @property
    def sign_bit(self) -> int:
        """The sign bit as a mask; 0 for unsigned formats."""
        return 1 << (self.k - 1) if self.signed else 0

    @property
    def code_mask(self) -> int:
        return (1 << self.k) - 1

    @property
    def magnitude_mask(self) -> int:
        return (1 << self.magnitude_bits) - 1

    # -- exponents and extreme values ---------------------------------------------------------------------------
    @property
    def emin(self) -> int:
        """Unbiased exponent of the smallest normal."""
        if self.fixed_point:
            return 0
        return 1 - self.bias if self.zero else -self.bias

    @property
    def emax(self) -> int:
        """Unbiased exponent of the largest finite value."""
        return floor_log2(self.max)

    @cached_property
    def max(self) -> Fraction:
        """Largest finite value."""
        return self.magnitude(self.max_code)

    @cached_property
    def lowest(self) -> Fraction:
        """Most negative finite value; 0 for unsigned formats, the smallest value where there is no zero either."""
        if self.fixed_point:
            return -self.magnitude(self.max_code + 1)
        if self.signed:
            return -self.max
        return self.magnitude(0)

    @property
    def min_normal(self) -> Fraction:
        return power_of_two(self.emin)

    @property
    def min_subnormal(self) -> Fraction:
        """Smallest positive value (the smallest normal where there are no subnormals)."""
        return self.magnitude(1 if self.zero else 0)

    @property
    def has_subnormals(self) -> bool:
        return self.zero and self.t > 0

    @property
    def has_negative_zero(self) -> bool:
        return self.signed and self.zero and not self.fixed_point and self.nans is not NaNs.NEGATIVE_ZERO

    # -- the top of the magnitude codes -------------------------------------------------------------------------
    @cached_property
    def max_code(self) -> int:
        """Magnitude code of the largest finite value."""
        if self.infinities:
            return self.infinity_code - 1
        return self.magnitude_mask - (self.nans is NaNs.ALL_ONES)

    @property
    def infinity_code(self) -> int:
        """Magnitude code of infinity."""
        if not self.infinities:
            raise ValueError(f"{self.name} has no infinity")
        if self.nans is NaNs.IEEE:
            return ((1 << self.w) - 1) << self.t
        return self.magnitude_mask - (self.nans is NaNs.ALL_ONES)

    @property
    def has_nan(self) -> bool:
        return self.nans is not NaNs.NONE and not (self.nans is NaNs.IEEE and self.t == 0)

    @property
    def nan_canonical(self) -> int | None:
        """The code that a NaN result gets by default; None where the format has no NaN."""
        if not self.has_nan:
            return None
        if self.canonical is not None:
            return self.canonical
        if self.nans is NaNs.NEGATIVE_ZERO:
            return self.sign_bit
        if self.nans is NaNs.ALL_ONES:
            return self.magnitude_mask
        return self.infinity_code | (1 << (self.t - 1))

    def is_nan_code(self, code: int) -> bool:
        if self.nans is NaNs.NEGATIVE_ZERO:
            return code == self.sign_bit
        magnitude = code & self.magnitude_mask
        if self.nans is NaNs.ALL_ONES:
            return magnitude == self.magnitude_mask
        return self.nans is NaNs.IEEE and magnitude > self.infinity_code

    # -- values -------------------------------------------------------------------------------------------------
    def quantum_exponent(self, e: int) -> int:
        """Exponent of one ulp for magnitudes in [2**e, 2**(e+1)), as if the exponent had no upper bound.

        The lower bound emin holds it up for subnormals [P3109 RoundToPrecision: Q = max(floor(log2 X), emin) - t].
        """
        return -self.t if self.fixed_point else max(e, self.emin) - self.t

    def magnitude(self, code: int) -> Fraction:
        """Exact magnitude of a magnitude code, as if every code were a number (none is special).

        Exponent field E, trailing significand T: (2**t + T) * 2**(E - bias - t), or T * 2**(emin - t) where E is 0
        [OCP OFP8 1.0 5.1; IEEE 754-2019 3.4].
        """
        if self.fixed_point:
            return code * power_of_two(-self.t)
        exponent, trailing = code >> self.t, code & ((1 << self.t) - 1)
        if exponent == 0 and self.zero:
            return trailing * power_of_two(self.emin - self.t)
        return ((1 << self.t) + trailing) * power_of_two(exponent - self.bias - self.t)

    def values(self) -> tuple[Fraction, ...]:
        """Every finite value, exact, ascending, each once.  Formats up to 16 bits only.

        Raises ValueError for wider formats, which have too many.
        """
        if self.k > 16:
            raise ValueError(f"{self.name} has 2**{self.k} codes; values() serves formats of at most 16 bits")
        found = {self.magnitude(m) for m in range(self.max_code + 1)}
        if self.signed:
            found |= {-v for v in found} | {self.lowest}
        return tuple(sorted(found))

    # -- identity -----------------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[object, ...]:
        """All that decides which values the codes stand for: everything but the name and the canonical NaN."""
        return (self.k, self.p, self.bias, self.signed, self.infinities, self.nans, self.zero, self.fixed_point)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and (self.shape, self.nan_canonical) == (other.shape, other.nan_canonical)

    def __hash__(self) -> int:
        return hash(self.shape)

    def __str__(self) -> str:
        return self.name

    def _repr_html_(self) -> str | None:
        return display.html("format", self)
