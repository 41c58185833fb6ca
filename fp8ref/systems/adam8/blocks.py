"""8-bit optimizers by block-wise quantisation [Dettmers, Lewis, Shleifer, Zettlemoyer 2021, arXiv 2110.02861].

A tensor is cut into blocks; each block keeps its largest magnitude N in binary32, and of every element x the code of
the value nearest to x / N in a *dynamic tree* codebook: leading zeros of the code are a decimal exponent, a one ends
them, and the bits that are left divide [0.1, 1] into equal parts, of which the middle counts.

signed      +-10**(i - 6) * middle of part j of 2**i, i = 0 ... 6, and 0 and 1: 127 negative, 128 positive numbers
unsigned    10**(i - 6) * middle of part j of 2**(i + 1), i = 0 ... 6, and 0 and 1

Rules:

================  ===================================================================================================
paper             these values rounded to binary32; the nearest to x / N exactly, a tie to the lower one
bitsandbytes      its codebook (the same sums in binary32 arithmetic); x * (1 / N) in binary32; midpoints in binary32
bitsandbytes-cpu  the same codebook; x * (1 / N) goes to one of 65536 equal steps of [-1, 1], and a table has the
                  code of each step: not always the nearest one, and 0 is none of the steps
================  ===================================================================================================

A value comes back as code value * N, rounded once to binary32.  A block of zeros has N = 0 and the code of 0 (code 0
under bitsandbytes-cpu, whatever it stands for: it comes back as a zero).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spec.catalog import get_format
from ...spec.datum import Datum, floor_log2
from ...spec.projection import encode
from ...spec.scaling.binary32 import over, times
from ..primitives import Array, Codebook, absmax

RULES = ("paper", "bitsandbytes", "bitsandbytes-cpu")
BLOCK = 256
SMALLEST = np.float32(1e-38)  # what the Python function of bitsandbytes divides by at least
CHUNK = 1 << 15  # elements that stay in the cache
F32 = get_format("f32")
Single = NDArray[np.float32]

# -- codebooks --------------------------------------------------------------------------------------------------------


def tree_exact(signed: bool = True) -> list[Fraction]:
    """The 256 values of the dynamic tree, ascending."""
    positive = [
        Fraction(10) ** (i - 6) * (Fraction(1, 10) + Fraction(9, 10) * Fraction(2 * j + 1, 2 * parts))
        for i in range(7)
        for parts in (1 << (i + (not signed)),)
        for j in range(parts)
    ]
    return sorted([Fraction(0), Fraction(1), *positive, *([-x for x in positive] if signed else [])])


def _tree_in_binary32(signed: bool) -> Single:
    """The same in the order of operations of bitsandbytes: bounds by one fused operation, means, powers of ten."""
    single = np.float32
    found = [0.0, 1.0]
    for i in range(7):
        parts = 1 << (i + (not signed))
        step = np.float64((single(1) - single(0.1)) / single(parts))
        k = np.arange(parts + 1)
        bounds = np.where(k < (parts + 1) // 2, single(0.1) + step * k, 1 - step * (parts - k)).astype(single)
        middles = single(10.0 ** (i - 6)) * ((bounds[:-1] + bounds[1:]) / single(2))
        found += [*middles.tolist(), *((-middles).tolist() if signed else [])]
    return np.sort(np.array(found, single))


@dataclass(frozen=True, eq=False)
class Tree:
    """A codebook in binary32 and how a rule finds a code in it."""

    values: Single
    nearest: Codebook
    steps: NDArray[np.uint8] | None = None


@lru_cache(maxsize=8)
def tree(signed: bool = True, rule: str = "paper") -> Tree:
    """The codebook of a rule.  Raises ValueError, with the choices, for unknown rules."""
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; choose from {', '.join(RULES)}")
    if rule == "paper":
        exact = tree_exact(signed)
        values = np.array([encode(v, F32, "rne", "sat")[0] for v in exact], np.uint32).view(np.float32)
        return Tree(values, Codebook([Fraction(float(v)) for v in values]))
    values = _tree_in_binary32(signed)
    middles = (values[:-1] + values[1:]) / np.float32(2)
    book = Codebook([Fraction(float(v)) for v in values], midpoints=[Fraction(float(m)) for m in middles])
    if rule == "bitsandbytes":
        return Tree(values, book)
    points = np.float32(-1) + np.float32(2) * np.arange(1 << 16).astype(np.float32) / np.float32(65535)
    return Tree(values, book, np.searchsorted(middles, points).astype(np.uint8))


# -- blocks, one number at a time -------------------------------------------------------------------------------------


def code_exact(x: Fraction, largest: Fraction, signed: bool = True, rule: str = "paper") -> int:
    """The code of one element of a block.  ``x`` and ``largest`` are binary32 values."""
    book = tree(signed, rule)
    if largest == 0:
        return 0 if book.steps is not None else book.nearest.nearest_exact(Fraction(0))
    if rule == "paper":
        return book.nearest.nearest_exact(x / largest)
    if rule == "bitsandbytes":
        largest = max(largest, Fraction(float(SMALLEST)))
    up = over(Datum.finite(1), Datum.finite(largest))
    if up.is_infinite:  # of a subnormal N: every number but 0 is +-1, and 0 times infinity goes to step 0
        v = Fraction(1 if x > 0 else -1)
    else:
        v = times(Datum.finite(x), up).value
    v = max(Fraction(-1), min(Fraction(1), v))
    if book.steps is None:
        return book.nearest.nearest_exact(v)
    v = _single(_single(_single(_single(v + 1) / 2) * 65535) + Fraction(1, 2))
    point = _single(_single(Fraction(2 * int(v))) / 65535)
    return bisect.bisect_left(book.nearest.midpoints, _single(point - 1))


def quantise_exact(
    x: Sequence[Fraction], block: int = BLOCK, signed: bool = True, rule: str = "paper"
) -> tuple[list[int], list[Fraction]]:
    """(codes, largest magnitudes of the blocks) of binary32 values."""
    codes, largest = [], []
    for i in range(0, len(x), block):
        part = x[i : i + block]
        largest.append(max(abs(v) for v in part))
        codes += [code_exact(v, largest[-1], signed, rule) for v in part]
    return codes, largest


def _single(x: Fraction) -> Fraction:
    """The binary32 value nearest to x."""
    if x == 0:
        return x
    ulp = Fraction(2) ** max(floor_log2(abs(x)) - 23, -149)
    return round(x / ulp) * ulp


# -- blocks, arrays ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Blocks:
    """Codes, uint8 of the source's shape, and the largest magnitude of each block of its elements in C order."""

    codes: NDArray[np.uint8]
    largest: Single
    block: int
    signed: bool
    rule: str

    def dequantise(self) -> Single:
        """The values: code value * largest, rounded to binary32."""
        values = tree(self.signed, self.rule).values
        out = np.empty(self.codes.size, np.float32)
        flat = self.codes.reshape(-1)
        whole = flat.size // self.block * self.block
        for i, j, rows in _spans(whole, self.block):
            np.multiply(
                values[flat[i:j]].reshape(-1, self.block),
                self.largest[rows, None],
                out=out[i:j].reshape(-1, self.block),
            )
        out[whole:] = values[flat[whole:]] * self.largest[-1:]
        return out.reshape(self.codes.shape)


def quantise(x: Array, block: int = BLOCK, signed: bool = True, rule: str = "paper") -> Blocks:
    """:func:`quantise_exact` of a float32 array of any shape.

    Raises TypeError for other dtypes, ValueError for infinities, NaNs, unknown rules, blocks below 1, and for negative
    values where ``signed`` is not set.
    """
    if x.dtype != np.float32:
        raise TypeError(f"block-wise quantisation takes float32, not {x.dtype}")
    if block < 1:
        raise ValueError(f"a block has at least one element, not {block}")
    book = tree(signed, rule)
    flat = np.ascontiguousarray(x).reshape(-1)
    codes = np.empty(flat.size, np.uint8)
    largest = np.empty(-(-flat.size // block), np.float32)
    whole = flat.size // block * block
    for i, j, rows in _spans(whole, block):
        part = flat[i:j].reshape(-1, block)
        largest[rows] = absmax(part, axis=1)[:, 0]
        codes[i:j] = _codes(part, largest[rows, None], book, rule).reshape(-1)
    if whole < flat.size:
        largest[-1] = absmax(flat[whole:]).item()
        codes[whole:] = _codes(flat[whole:], largest[-1:], book, rule)
    if not signed and flat.size and flat.min() < 0:
        raise ValueError(f"unsigned codes stand for no negative number, and {flat.min()} is among the values")
    return Blocks(codes.reshape(x.shape), largest, block, signed, rule)


def _spans(size: int, block: int) -> Any:
    rows = max(1, CHUNK // block)
    for i in range(0, size, rows * block):
        j = min(i + rows * block, size)
        yield i, j, slice(i // block, j // block)


def _codes(part: Array, largest: Array, book: Tree, rule: str) -> NDArray[np.uint8]:
    """Codes of a chunk.

    The paper's quotient is taken in float64: a midpoint of neighbours has at most 26 bits and N 24, so that x / N is
    the midpoint or 2**-50 of itself away from it.
    """
    safe = largest
    if not largest.all():
        safe = np.where(largest == 0, np.float32(1), largest)
    if rule == "paper":
        return book.nearest.nearest(np.divide(part, safe, dtype=np.float64))
    if rule == "bitsandbytes":
        safe = np.maximum(largest, SMALLEST)
    with np.errstate(over="ignore", invalid="ignore"):
        up = np.float32(1) / safe
        v = part * up
    if np.isinf(up).any():
        v[np.isnan(v)] = -1
    np.minimum(np.maximum(v, np.float32(-1), out=v), np.float32(1), out=v)
    if book.steps is None:
        return book.nearest.nearest(v)
    v += np.float32(1)
    v *= np.float32(0.5)
    v *= np.float32(65535)
    v += np.float32(0.5)
    codes = book.steps[v.astype(np.uint16)]
    return codes if safe is largest else np.where(largest == 0, np.uint8(0), codes)
