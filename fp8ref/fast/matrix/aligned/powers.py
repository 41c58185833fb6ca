"""The largest sum x[k] + y[k] of two integers for every output, by one matrix product of powers of two.

Lemma.  Let S be the sum of at most 2**7 powers 2**(8 * (x[k] + y[k])), zeros among them, in any order, each addition
rounded to nearest in a binary format that neither overflows nor underflows.  Then floor(log2(S) / 8) is the largest
x[k] + y[k] =: m, for 2**(8 m) <= S <= 2**(8 m + 7).  For rounding is monotone and keeps numbers of the format: a
partial sum that holds a power of m is at least 2**(8 m), and one of j powers at most j * 2**(8 m), of at most 7 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 1 << 7  # terms of one sum
FAR = 1 << 14  # beyond every exponent
# spans of one side and of the sums whose powers float32 and float64 hold: 8 * span + 15 is the largest exponent field
RANGE32, RANGE64 = (15, 29), (120, 240)


@dataclass
class Exponents:
    """Integers of one operand, (K, outputs); those of absent elements never count."""

    values: NDArray[Any]
    present: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shown = np.where(self.present, self.values, np.int16(FAR))
        self.low = int(shown.min(initial=FAR))
        shown[~self.present] = -FAR
        self.high = int(shown.max(initial=-FAR))
        if self.low > self.high:  # none is present
            self.low = self.high = 0
        self._powers: dict[tuple[type, int], NDArray[Any]] = {}

    @property
    def span(self) -> int:
        return self.high - self.low

    def powers(self, dtype: type[np.floating[Any]], least: int) -> NDArray[Any]:
        """2**(8 * (values - low) + least), 0 where absent."""
        found = self._powers.get((dtype, least))
        if found is None:
            wide, bias, t = (np.int32, 127, 23) if dtype is np.float32 else (np.int64, 1023, 52)
            field: NDArray[Any] = self.values.astype(wide)
            np.subtract(field, self.low, out=field)
            np.multiply(field, 8, out=field)
            np.add(field, least + bias, out=field)
            np.multiply(field, self.present, out=field)
            np.left_shift(field, t, out=field)
            found = self._powers[dtype, least] = field.view(dtype)
        return found


class Largest:
    """For every output the largest sum of two exponents: ``base`` more than what :meth:`of` returns; 0 there: none."""

    def __init__(self, a: Exponents, b: Exponents) -> None:
        dtype: type[np.floating[Any]] = np.float32 if _fits(a, b, RANGE32) else np.float64
        bias, self.shift = (127, 26) if dtype is np.float32 else (1023, 55)
        self.a, self.b = a.powers(dtype, 0), b.powers(dtype, 8 - bias)
        self.base = a.low + b.low - 1
        self.highest = a.high + b.high

    @staticmethod
    def serves(a: Exponents, b: Exponents, terms: int) -> bool:
        """Do the powers stay in range, each side's and the sums'?"""
        return terms <= MOST and _fits(a, b, RANGE64)

    def of(self, part: slice) -> NDArray[np.int32]:
        """(rows, columns): the largest sum of this part of K, less ``base``."""
        sums = np.matmul(self.a[part].T, self.b[part])
        if sums.dtype == np.float32:
            bits: NDArray[np.int32] = sums.view(np.int32)
            bits >>= self.shift
            return bits
        wide = sums.view(np.int64)
        wide >>= self.shift
        found: NDArray[np.int32] = wide.astype(np.int32)
        return found


def _fits(a: Exponents, b: Exponents, limits: tuple[int, int]) -> bool:
    return a.span <= limits[0] and a.span + b.span <= limits[1]


def lowest_bits(values: NDArray[np.float64]) -> NDArray[np.int16]:
    """The exponent of the lowest bit that is set in each float64 value; of zeros anything."""
    bits = values.view(np.int64)
    trailing = (bits & ((1 << 52) - 1)) | (1 << 52)
    trailing &= -trailing
    place = (trailing.astype(np.float64).view(np.int64) >> 52) - (1023 + 52)
    place += (bits >> 52) & 0x7FF
    place -= 1023
    return place.astype(np.int16)
