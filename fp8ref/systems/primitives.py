"""What the 8-bit systems share: rounding to integers, scales, symmetric codes, exact sums, dyadic factors, codebooks.

Functions named ``*_exact`` are the definitions, over int and Fraction, one number at a time; their neighbours are the
same on arrays, and tests prove it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.datum import HALF
from ..spec.rounding import RandomBits, Rounding, get_rounding, rounds_away

Array = NDArray[Any]

HALF_UP = (
    "half-up"  # floor(x + 1/2): the one integer rounding of the systems that the specification of formats does not have
)
INT32 = (-(1 << 31), (1 << 31) - 1)

# -- rounding to integers ---------------------------------------------------------------------------------------------


def round_exact(x: Fraction | int, mode: str = "rne", random: RandomBits | None = None) -> int:
    """The integer that x becomes under a mode of the formats (``rtn`` is floor, ``sr-a`` stochastic) or ``half-up``.

    Stochastic modes act on the magnitude, |x| + R / 2**N, cut, as in the specification.  Raises ValueError for unknown
    modes and for missing random bits.
    """
    x = Fraction(x)
    if mode == HALF_UP:
        return math.floor(x + HALF)
    below = math.floor(abs(x))
    away = rounds_away(get_rounding(mode), abs(x) - below, below % 2 == 1, x < 0, random)
    return (-1 if x < 0 else 1) * (below + away)


def round_to_integer(
    x: Array, mode: str = "rne", *, random_bits: ArrayLike | None = None, random_width: int | None = None
) -> Array:
    """:func:`round_exact` on a float array, in its own dtype (float32 or float64), which holds the result exactly.

    ``random_bits``: unsigned integers below 2**random_width that broadcast to x, for ``sr-a``; random_width is at most
    24 for float32 and 52 for float64.  Raises ValueError for other modes than ``rne rna rtz rtp rtn half-up sr-a``.
    """
    if mode == HALF_UP:
        below = np.floor(x)
        return np.asarray(below + (x - below >= 0.5))  # the difference is exact wherever 1/2 is near
    simple = _SIMPLE.get(get_rounding(mode))
    if simple is not None:
        return np.asarray(simple(x))
    if mode not in ("rna", "sr-a"):
        raise ValueError(f"rounding {mode!r} has no array form; choose from rne, rna, rtz, rtp, rtn, half-up, sr-a")
    magnitude = np.abs(x)
    below = np.floor(magnitude)
    eta = magnitude - below
    if mode == "rna":
        return np.asarray(np.copysign(below + (eta >= 0.5), x))
    top = 24 if x.dtype == np.float32 else 52
    if random_bits is None or random_width is None or not 1 <= random_width <= top:
        raise ValueError(f"rounding 'sr-a' needs random_bits and a random_width of 1 to {top} for {x.dtype}")
    one = 1 << random_width
    bits = np.asarray(random_bits)
    if bits.size and int(bits.max()) >= one:
        raise ValueError(f"random bits: {int(bits.max())} is not an integer of {random_width} bits")
    carry = (one - bits.astype(np.int64)).astype(x.dtype)
    return np.asarray(np.copysign(below + (np.floor(eta * x.dtype.type(one)) >= carry), x))


_SIMPLE: dict[Rounding, Any] = {
    Rounding.TIES_TO_EVEN: np.rint,
    Rounding.TOWARD_ZERO: np.trunc,
    Rounding.TOWARD_POSITIVE: np.ceil,
    Rounding.TOWARD_NEGATIVE: np.floor,
}


# -- scales and codes -------------------------------------------------------------------------------------------------


def top_of(bits: int) -> int:
    """The largest code of a symmetric quantiser of so many bits: 127 of 8."""
    if not 2 <= bits <= 16:
        raise ValueError(f"symmetric codes have 2 to 16 bits, not {bits}")
    return (1 << (bits - 1)) - 1


def absmax_scale_exact(values: Sequence[Fraction], top: int = 127) -> Fraction:
    """max|x| / top: the step at which the largest magnitude becomes the largest code; 1 where all are zero."""
    largest = max((abs(Fraction(v)) for v in values), default=Fraction(0))
    return largest / top if largest else Fraction(1)


def absmax(x: Array, axis: int | None = None) -> Array:
    """max|x| along an axis, kept as an axis of length 1; 0 of nothing.  Raises ValueError for NaN and infinity."""
    if x.size == 0:
        return np.zeros([1] * x.ndim if axis is None else [*x.shape[:axis], 1, *x.shape[axis + 1 :]], x.dtype)
    largest = np.abs(np.maximum(x.max(axis=axis, keepdims=True), -x.min(axis=axis, keepdims=True)))
    if not np.isfinite(largest).all():
        raise ValueError("a scale needs finite values: there is an infinity or a NaN among them")
    return np.asarray(largest)


def affine_scale_exact(values: Sequence[Fraction], bits: int = 8) -> tuple[Fraction, int]:
    """(step, zero point) of unsigned codes for the range of the values, widened to hold 0; code = rne(x / s) + z."""
    low, high = min(Fraction(0), *values), max(Fraction(0), *values)
    step = (high - low) / ((1 << bits) - 1) if high > low else Fraction(1)
    return step, round_exact(-low / step)


def absmax_codes(x: Array, largest: Array, bits: int = 8) -> Array:
    """round(top * x / largest) to nearest even, 0 where largest is 0: :func:`symmetric_exact` at step largest / top.

    ``x``: float32, ``largest``: float32 that broadcast, nowhere below the magnitude of x; int8 or int16 codes.
    Computed in float64, where top * x is exact and a tie is met or 2**-41 away, as in :func:`symmetric`.
    """
    top = top_of(bits)
    codes = np.multiply(x, np.float64(top), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        codes /= largest
    np.rint(codes, out=codes)
    if not np.all(largest):
        codes[np.broadcast_to(largest == 0, codes.shape)] = 0
    return codes.astype(np.int8 if bits <= 8 else np.int16)


def symmetric_exact(x: Fraction, step: Fraction, bits: int = 8, mode: str = "rne") -> int:
    """round(x / step), saturated at the symmetric largest codes."""
    top = top_of(bits)
    return max(-top, min(top, round_exact(Fraction(x) / step, mode)))


def symmetric(x: Array, step: Array | float, bits: int = 8) -> Array:
    """:func:`symmetric_exact`, nearest even, of float32 values and float32 steps that broadcast: int8 or int16 codes.

    The quotient is taken in float64, and that is enough: x and step have 24 significant bits and a tie h at most 17,
    so that x / step is h or at least 2**-41 away from it in proportion, while the division errs by 2**-53.
    """
    if x.dtype != np.float32 or np.asarray(step).dtype != np.float32:
        raise TypeError(f"values and steps must be float32, not {x.dtype} and {np.asarray(step).dtype}")
    top = top_of(bits)
    codes = np.divide(x, step, dtype=np.float64)
    np.rint(codes, out=codes)
    np.minimum(np.maximum(codes, -top, out=codes), top, out=codes)
    return codes.astype(np.int8 if bits <= 8 else np.int16)


# -- exact sums of products -------------------------------------------------------------------------------------------


def integer_dot_exact(a: Sequence[int], b: Sequence[int], limits: tuple[int, int] = INT32) -> int:
    """The sum of products; raises OverflowError where it is outside the accumulator's limits."""
    found = sum(int(x) * int(y) for x, y in zip(a, b, strict=True))
    if not limits[0] <= found <= limits[1]:
        raise OverflowError(f"the sum {found} of {len(a)} products is outside {limits[0]} to {limits[1]}")
    return found


def integer_matmul(a: ArrayLike, b: ArrayLike, limits: tuple[int, int] = INT32) -> Array:
    """The exact matrix product of integer arrays (M, K) and (K, N), at the speed of floating-point BLAS.

    int64, or int32 where the limits are an int32's.  Operands are taken in pieces of K whose sums a float32 (2**24) or
    float64 (2**53) holds whatever the order of addition; pieces are added as integers.  Raises TypeError for other
    dtypes than integers and OverflowError where a sum is outside the limits, or where int64 might not hold it.
    """
    x, y = np.asarray(a), np.asarray(b)
    if x.dtype.kind not in "iu" or y.dtype.kind not in "iu":
        raise TypeError(f"operands must be integers, not {x.dtype} and {y.dtype}")
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
        raise ValueError(f"shapes must be (M, K) and (K, N), not {x.shape} and {y.shape}")
    k = x.shape[1]
    product = max(_largest(x) * _largest(y), 1)
    result = np.dtype(np.int32 if limits == INT32 else np.int64)
    if product * k >= 1 << 63:
        raise OverflowError(f"{k} products of up to {product} may not fit in int64")
    single = product <= 1 << 16
    piece = min((1 << 24 if single else 1 << 53) // product, max(k, 1))
    if piece == 0:  # products beyond 2**53: numpy's own integer loops
        return np.asarray(_within(np.matmul(x, y, dtype=np.int64), limits, k).astype(result, copy=False))
    dtype: Any = np.float32 if single else np.float64
    u, v = x.astype(dtype), y.astype(dtype)
    if piece >= k:
        total = u @ v
        if product * k <= limits[1]:  # the check is done: nothing can be outside
            return np.asarray(total.astype(result))
        return _within(total.astype(np.int64), limits, k).astype(result, copy=False)
    sums = np.zeros((x.shape[0], y.shape[1]), np.int64)
    for i in range(0, k, piece):
        sums += (u[:, i : i + piece] @ v[i : i + piece]).astype(np.int64)
    return _within(sums, limits, k).astype(result, copy=False)


def _largest(x: Array) -> int:
    return max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0


def _within(sums: Array, limits: tuple[int, int], k: int) -> Array:
    if sums.size and (int(sums.min()) < limits[0] or int(sums.max()) > limits[1]):
        worst = max(int(sums.max()), int(sums.min()), key=abs)
        raise OverflowError(f"the sum {worst} of {k} products is outside {limits[0]} to {limits[1]}")
    return sums


# -- dyadic factors ---------------------------------------------------------------------------------------------------


def dyadic_exact(ratio: Fraction | float, bits: int = 31) -> tuple[int, int]:
    """(B, C) with B / 2**C next to a positive ratio: B of ``bits`` bits, rounded half up.

    B / 2**C is within 2**-bits of the ratio in proportion; B may be 2**bits, where rounding carries.
    """
    exact = Fraction(ratio)
    if exact <= 0:
        raise ValueError(f"a dyadic factor stands for a positive ratio, not {ratio}")
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    exponent += exact >= Fraction(2) ** exponent  # 2**(exponent - 1) <= ratio < 2**exponent, as frexp has it
    return round_exact(exact / Fraction(2) ** (exponent - bits), HALF_UP), bits - exponent


def requantise_exact(q: int, factor: int, shift: int, mode: str = "rne") -> int:
    """round(q * factor / 2**shift), of integers."""
    return round_exact(Fraction(q * factor, 1) / Fraction(2) ** shift, mode)


def requantise(q: Array, factor: int, shift: int, mode: str = "rne") -> NDArray[np.int64]:
    """:func:`requantise_exact` on an integer array by ``rne``, ``half-up`` or ``rtn``, in int64 alone.

    Raises OverflowError where |q| * factor needs more than 63 bits or shift is negative, ValueError for other modes.
    """
    if shift < 0 or _largest(q) * factor >= 1 << 62:
        raise OverflowError(f"{_largest(q)} * {factor} / 2**{shift} is beyond the int64 form: |q| * factor < 2**62")
    if mode not in ("rne", "half-up", "rtn"):
        raise ValueError(f"rounding {mode!r} has no integer form here; choose from rne, half-up, rtn")
    product = q.astype(np.int64)
    product *= factor
    if shift == 0:
        return product
    if shift > 62:  # |product| / 2**shift < 1/2
        return np.where(product < 0, -1, 0) if mode == "rtn" else np.zeros_like(product)
    if mode == "rtn":
        return product >> shift
    if mode == "half-up":
        return (product + (1 << (shift - 1))) >> shift
    odd = (product >> shift) & 1
    odd += (1 << (shift - 1)) - 1
    product += odd
    product >>= shift
    return product


# -- codebooks --------------------------------------------------------------------------------------------------------

LOWER, EVEN = "lower", "even"


class Codebook:
    """Values in ascending order; a number's code is the index of the nearest one.

    ``values``: exact, strictly ascending, 2 to 256 of them.  ``ties``: the code of a number half way between two
    values, the ``lower`` or the ``even`` one.  ``midpoints``: where codes change, if not half way (somebody's rounded
    ones).  Raises ValueError for values that do not ascend.
    """

    def __init__(
        self, values: Sequence[Fraction], ties: str = LOWER, midpoints: Sequence[Fraction] | None = None
    ) -> None:
        self.values = [Fraction(v) for v in values]
        if not 2 <= len(self.values) <= 256 or any(a >= b for a, b in zip(self.values, self.values[1:])):
            raise ValueError(f"a codebook has 2 to 256 values in ascending order, not these {len(self.values)}")
        if ties not in (LOWER, EVEN):
            raise ValueError(f"ties go to the lower or the even code, not {ties!r}")
        self.ties = ties
        self.midpoints = list(midpoints or [(a + b) / 2 for a, b in zip(self.values, self.values[1:])])
        self._below = {dtype: self._thresholds(dtype) for dtype in (np.float32, np.float64)}
        self._lookup = bucket_table(self._below[np.float32])
        single = self._below[np.float32]
        self._apart = bool(np.all(np.nextafter(single[:-1], np.float32(np.inf)) < single[1:]))

    def nearest_exact(self, x: Fraction) -> int:
        """The code of the value nearest to x."""
        code = bisect.bisect_left(self.midpoints, x)  # midpoints < x
        tie = code < len(self.midpoints) and self.midpoints[code] == x
        return code + 1 if tie and self.ties == EVEN and code % 2 else code

    def nearest(self, x: Array) -> NDArray[np.uint8]:
        """:func:`nearest_exact` on a float32 or float64 array of finite values, uint8 codes of its shape."""
        if x.dtype == np.float32 and self._lookup is not None:
            shift, base, threshold = self._lookup
            upper = np.ascontiguousarray(x).view(np.uint32) >> np.uint32(shift)
            return np.asarray(base[upper] + (x > threshold[upper]))
        if x.dtype not in (np.float32, np.float64):
            raise TypeError(f"values must be float32 or float64, not {x.dtype}")
        below = self._below[x.dtype.type]
        if self._lookup is None or not self._apart:
            return np.searchsorted(below, x).astype(np.uint8)
        with np.errstate(over="ignore", under="ignore"):
            code = self.nearest(x.astype(np.float32))  # at most one threshold lies between x and its neighbour
        padded = np.concatenate([[-np.inf], below, [np.inf]])
        return np.asarray(code + (x > padded[1:][code]) - (x <= padded[code]))

    def _thresholds(self, dtype: Any) -> Array:
        """For each midpoint the largest number of the dtype that still has the lower code: code = how many are < x."""
        found = []
        for i, middle in enumerate(self.midpoints):
            top = float(np.finfo(dtype).max)
            y = dtype(max(-top, min(float(middle), top)))
            while Fraction(float(y)) > middle:
                y = np.nextafter(y, dtype(-np.inf))
            if Fraction(float(y)) == middle and self.ties == EVEN and i % 2:
                y = np.nextafter(y, dtype(-np.inf))
            found.append(y)
        return np.array(found, dtype)


def bucket_table(thresholds: NDArray[np.float32]) -> tuple[int, NDArray[np.uint8], NDArray[np.float32]] | None:
    """(shift, base, threshold): for the upper bits of a float32 the code of the least number there, and what ends it.

    At most one threshold may lie among the numbers with the same upper bits: 16, 17 or 18 of them; None where two do.
    """
    padded = np.append(thresholds, np.float32(np.inf))
    for shift in (16, 15, 14):
        low = np.arange(1 << (32 - shift), dtype=np.uint32) << np.uint32(shift)
        negative, rest = low >= 1 << 31, np.uint32((1 << shift) - 1)
        first = np.where(negative, low | rest, low).view(np.float32)
        last = np.where(negative, low, low | rest).view(np.float32)
        for ends in (first, last):
            ends[np.isnan(ends) & negative] = -np.inf
        base, end = np.searchsorted(thresholds, first), np.searchsorted(thresholds, last)
        if (end - base).max() <= 1:
            return shift, base.astype(np.uint8), padded[base]
    return None
