"""The general ExMy grid with a real-valued bias, and rounding to it.

    G = {c * g / g_max},   g = m in binade 0,   (2**M + m) * 2**(e - 1) in binade e,   0 <= m < 2**M, 0 <= e < 2**E

There are no infinities and no NaNs; subnormals are binade 0; c is the largest value.  Moving c moves every value, which
is what a bias that need not be an integer means: c = 2**(2**E - 1 - b) * (2 - 2**-M).  A code is a sign bit over the
magnitude code e * 2**M + m, and 0 has one code.  E = 0 leaves the symmetric integers, -127 to 127 of 8 bits.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...fast.chunks import Array, for_each_chunk
from ..primitives import EVEN, Codebook

MAX_EXPONENT_BITS = 7  # values reach over 2**(2**E - 2), and every one of them must be a normal float64


@dataclass(frozen=True)
class Grid:
    """An ExMy grid: E exponent bits, M significand bits below the leading one, and its largest value c.

    ``c`` is taken as the exact rational that it is.  Signed grids span -c to c, unsigned ones 0 to c.  Raises
    ValueError for widths beyond 8 bits in all, a grid without a value above 0, and c that is not positive and finite or
    so far out that some value is no normal float64.

    >>> grid = Grid(4, 3, 240)
    >>> grid.name, grid.bias, len(grid.values)
    ('E4M3', 8.0, 255)
    >>> grid.quantise([0.15, 101, -1e6]).tolist()
    [0.15625, 104.0, -240.0]
    """

    exponent_bits: int
    significand_bits: int
    c: Fraction | float | int
    signed: bool = True

    def __post_init__(self) -> None:
        E, M = self.exponent_bits, self.significand_bits
        if not (0 <= E <= MAX_EXPONENT_BITS and M >= 0 and 1 <= E + M <= 8 - self.signed):
            raise ValueError(f"{self.name}: E is 0 to {MAX_EXPONENT_BITS} and E + M 1 to {8 - self.signed}")
        if not (math.isfinite(self.c) and self.c > 0):
            raise ValueError(f"{self.name}: the largest value c must be positive and finite, not {self.c}")
        if not Fraction(2) ** -1000 < Fraction(self.c) / self.steps[-1] <= Fraction(self.c) < Fraction(2) ** 1000:
            raise ValueError(f"{self.name}: with c = {float(self.c):g} some values are no normal float64")

    @property
    def name(self) -> str:
        """``E4M3``; ``INT8`` where there are no exponent bits; unsigned grids begin with U."""
        E, M = self.exponent_bits, self.significand_bits
        return ("" if self.signed else "U") + (f"E{E}M{M}" if E else f"INT{M + self.signed}")

    @property
    def bits(self) -> int:
        return self.exponent_bits + self.significand_bits + self.signed

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """g of every magnitude code, ascending from 0 to g_max."""
        M = self.significand_bits
        binades = range(1, 1 << self.exponent_bits)
        return (*range(1 << M), *(((1 << M) + m) << (e - 1) for e in binades for m in range(1 << M)))

    @cached_property
    def magnitudes(self) -> tuple[Fraction, ...]:
        """The exact values of the magnitude codes."""
        unit = Fraction(self.c) / self.steps[-1]
        return tuple(unit * g for g in self.steps)

    @cached_property
    def values(self) -> tuple[Fraction, ...]:
        """Every value, exact, ascending."""
        return tuple([-v for v in self.magnitudes[:0:-1]] * self.signed) + self.magnitudes

    @property
    def bias(self) -> float:
        """b = 2**E - log2(c) + log2(2 - 2**-M) - 1, in float64."""
        return largest_binade(self.exponent_bits) - math.log2(self.c) + math.log2(2 - 2.0**-self.significand_bits)

    @classmethod
    def with_bias(cls, exponent_bits: int, significand_bits: int, bias: int, signed: bool = True) -> Grid:
        """The grid of an integer bias, exactly: its quantum is 2**(1 - bias - M)."""
        top = 2 - Fraction(1, 2**significand_bits)
        return cls(exponent_bits, significand_bits, top * Fraction(2) ** (largest_binade(exponent_bits) - bias), signed)

    # -- rounding -----------------------------------------------------------------------------------------------------
    def code_exact(self, x: Fraction | float | int) -> int:
        """The definition: the code of the value nearest to x, ties to the even code, saturated at the ends.

        Raises ValueError for NaN.
        """
        if isinstance(x, float) and math.isinf(x):
            x = math.copysign(float(self.c) * 2, x)
        magnitude = Fraction(x) if self.signed or x > 0 else Fraction(0)
        negative, magnitude = magnitude < 0, abs(magnitude)
        values = self.magnitudes
        above = min(bisect_left(values, magnitude), len(values) - 1)
        below = max(above - 1, 0)
        down, up = magnitude - values[below], values[above] - magnitude
        code = above if up < down or (up == down and above % 2 == 0) else below
        return code | (negative and code > 0) << (self.bits - 1)

    def codes(self, x: ArrayLike) -> NDArray[np.uint8]:
        """:meth:`code_exact` of every element, uint8 of x's shape.

        x: float32 or float64, or what becomes float64.  Raises ValueError where x has NaN.
        """
        source = floats(x)
        out = np.empty(source.size, np.uint8)

        def store(code: NDArray[np.uint8], chunk: Array, part: Array) -> None:
            np.add(code, self._signs((chunk < 0) & (code > 0)), out=part)

        self._each(source, out, store)
        return out.reshape(source.shape)

    def quantise(self, x: ArrayLike) -> Array:
        """The nearest values themselves, each correctly rounded to float32 or float64 as x is; x's shape.

        Raises ValueError where x has NaN.
        """
        source = floats(x)
        out, table = np.empty(source.size, source.dtype), self.table(source.dtype.type)

        def store(code: NDArray[np.uint8], chunk: Array, part: Array) -> None:
            np.take(table, code + self._signs(chunk < 0), out=part)

        self._each(source, out, store)
        return out.reshape(source.shape)

    def decode(self, codes: ArrayLike, dtype: Any = np.float64) -> Array:
        """The values of codes, correctly rounded to float32 or float64."""
        return np.asarray(self.table(dtype)[np.asarray(codes)])

    def table(self, dtype: Any = np.float64) -> Array:
        """The value of every code, correctly rounded; the unused code of -0 stands for 0."""
        found = np.array([_to_float(v, dtype) for v in self.magnitudes], dtype)
        return np.concatenate([found, 0 - found]) if self.signed else found

    @cached_property
    def _codebook(self) -> Codebook:
        return Codebook(self.magnitudes, EVEN)

    def _signs(self, negative: NDArray[np.bool_]) -> NDArray[np.uint8]:
        signs: NDArray[np.uint8] = negative.view(np.uint8) << np.uint8(self.bits - 1)
        return signs

    def _each(self, source: Array, out: Array, store: Callable[[NDArray[np.uint8], Array, Array], None]) -> None:
        """Call ``store(magnitude codes, inputs, part of out)`` chunk by chunk."""

        def body(chunk: Array, outs: Sequence[Array], scratch: object) -> None:
            if np.isnan(chunk).any():
                raise ValueError(f"{self.name} has no NaN, and there is one among the inputs")
            magnitude = np.abs(chunk) if self.signed else np.maximum(chunk, 0)
            store(self._codebook.nearest(magnitude), chunk if self.signed else magnitude, outs[0])

        for_each_chunk(source, [out], body)


def largest_binade(exponent_bits: int) -> int:
    """2**E - 1, the exponent field of the largest value."""
    return (1 << exponent_bits) - 1


def floats(x: ArrayLike) -> Array:
    """x as float32 or float64."""
    found = np.asarray(x)
    return found if found.dtype.newbyteorder("=") in (np.float32, np.float64) else found.astype(np.float64)


def _to_float(x: Fraction, dtype: Any) -> Any:
    """Correctly rounded: to float32 by float64 rounded to odd, so that nothing is rounded twice."""
    nearest = float(x)
    if dtype == np.float64 or Fraction(nearest) == x:
        return dtype(nearest)
    low = nearest if Fraction(nearest) < x else math.nextafter(nearest, -math.inf)
    odd = low if np.float64(low).view(np.uint64) & np.uint64(1) else math.nextafter(low, math.inf)
    return dtype(odd)
