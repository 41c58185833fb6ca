"""Sums, products and fma through float64: exact, or rounded to odd where the exact number is too long.

The product of two narrow floats is a float64.  Where every sum is one too, nothing more is needed; elsewhere the error
of the addition, which TwoSum finds exactly, turns the sum into the one rounded to odd, which no second rounding to 50
bits or fewer can distinguish from the exact number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..spec.catalog import CATALOG
from ..spec.datum import power_of_two
from ..spec.formats import Format
from ..spec.operations.definition import Semantics
from ..spec.projection import Projection, get_projection
from ..spec.rounding import Rounding
from .chunks import Array, Scratch
from .kernel import code_dtype, longest
from .tables import convert_by_kernel, exactly_holds

F64 = CATALOG["f64"]
F32 = CATALOG["f32"]
Floats = NDArray[np.float64]


def _finest(f: Format) -> int:
    return f.quantum_exponent(f.emin)


@dataclass(frozen=True)
class Linear:
    """``factors`` multiplied, plus ``addend``: operand formats, in order of the operands."""

    factors: tuple[Format, ...]
    addend: Format | None
    subtracts: bool
    to_odd: bool  # may a sum be longer than a float64?
    mirrored: bool  # rtn: -((-x) + (-y)) gives a sum of zero its minus
    flushes: bool

    def value(self, chunks: Sequence[Array], scratch: Scratch) -> Floats:
        """The float64 numbers, exact or rounded to odd; special values as IEEE 754 has them."""
        n = chunks[0].size
        with np.errstate(all="ignore"):
            x: Floats = scratch.get("x", np.float64, n)
            self._product(chunks, x, scratch)
            if self.addend is not None:
                y: Floats = scratch.get("y", np.float64, n)
                _decode(chunks[-1], self.addend, self.subtracts != self.mirrored, self.flushes, y, scratch)
                x = self._sum(x, y, scratch)
            if self.mirrored:
                np.negative(x, out=x)
        return x

    def _product(self, chunks: Sequence[Array], out: Floats, scratch: Scratch) -> None:
        a = self.factors[0]
        if len(self.factors) == 1:
            _decode(chunks[0], a, self.mirrored, self.flushes, out, scratch)
            return
        b = self.factors[1]
        if a.k + b.k <= 16:
            index = pair_index(chunks[0], chunks[1], b.k, scratch)
            _products(a, b, self.mirrored, self.flushes).take(index, out=out, mode="clip")
            return
        other: Floats = scratch.get("z", np.float64, out.size)
        _decode(chunks[0], a, self.mirrored, self.flushes, out, scratch)
        _decode(chunks[1], b, False, self.flushes, other, scratch)
        np.multiply(out, other, out=out)

    def _sum(self, x: Floats, y: Floats, scratch: Scratch) -> Floats:
        if not self.to_odd:
            return np.add(x, y, out=x)
        s: Floats = scratch.get("s", np.float64, x.size)
        part: Floats = scratch.get("part", np.float64, x.size)
        np.add(x, y, out=s)
        np.subtract(s, x, out=part)  # the share of y in s
        np.subtract(y, part, out=y)
        np.subtract(s, part, out=part)
        np.subtract(x, part, out=x)
        np.add(x, y, out=x)  # x + y - s, exactly [Knuth, TAOCP 2, 4.2.2]
        bits, error = s.view(np.int64), x.view(np.int64)
        inexact = np.not_equal(x, 0, out=scratch.get("inexact", np.bool_, x.size))
        inexact &= np.equal(x, x, out=scratch.get("number", np.bool_, x.size))  # not the NaN of an infinite sum
        np.bitwise_xor(error, bits, out=error)
        error >>= 63
        error |= 1  # +1 where s is nearer to zero than the sum, else -1
        error *= inexact
        np.bitwise_and(bits, 1, out=part.view(np.int64))
        part.view(np.int64)[...] ^= 1
        error *= part.view(np.int64)  # an odd s stays
        bits += error
        return s


def plan(op: str, operands: tuple[Format, ...], result: Format, rho: Projection, semantics: Semantics) -> Linear | None:
    """How float64 serves an operation; None where it does not."""
    split = {"add": 1, "subtract": 1, "multiply": 2, "fma": 2}.get(op)
    if split is None or longest(result) > 50 or rho.rounding.is_stochastic:
        return None
    if semantics.of_p3109 and any(f.has_negative_zero for f in (*operands, result)):
        return None
    daz = rho.subnormal.of_operands
    if not all((f.k <= 16 or (f == F32 and not daz)) and exactly_holds(F64, f) for f in operands):
        return None
    factors, addend = operands[:split], operands[split] if len(operands) > split else None
    finest = sum(_finest(f) for f in factors)
    largest = factors[0].max * (factors[1].max if split == 2 else 1)
    if sum(f.p + f.fixed_point for f in factors) > 53 or finest < -1022 or largest >= power_of_two(1020):
        return None
    mirrored = addend is not None and rho.rounding is Rounding.TOWARD_NEGATIVE
    if addend is None:
        return Linear(factors, None, False, False, mirrored, daz)
    # x is a multiple of 2**-precision of itself, or of the other's finest step where that is the smaller of the two
    exact = largest * 4 < power_of_two(_finest(addend) + 53) and addend.max * 4 < power_of_two(finest + 53)
    return Linear(factors, addend, op == "subtract", not exact, mirrored, daz)


def pair_index(a: Array, b: Array, bits: int, scratch: Scratch) -> Array:
    """``a << bits | b``, at most 16 bits, as indices; put together in 16 bits, where a register holds most lanes."""
    index = scratch.get("index", np.intp, a.size)
    high = scratch.get("high", np.uint16, a.size)
    low = scratch.get("low", np.uint16, a.size)
    np.copyto(high, a, casting="unsafe")
    np.copyto(low, b, casting="unsafe")
    np.left_shift(high, bits, out=high)
    np.bitwise_or(high, low, out=high)
    np.copyto(index, high, casting="unsafe")
    return index


@lru_cache(maxsize=256)
def _values(f: Format, negated: bool, flushed: bool) -> Floats:
    """The float64 value of every code of at most 16 bits."""
    rho = get_projection(F64, "rne", "nonsat", "keep-sign", subnormal="daz" if flushed else "keep")
    codes = convert_by_kernel(np.arange(1 << f.k, dtype=code_dtype(f)), f, F64, rho)[0]
    values: Floats = codes.view(np.float64)
    return -values if negated else values


@lru_cache(maxsize=64)
def _products(a: Format, b: Format, negated: bool, flushed: bool) -> Floats:
    with np.errstate(all="ignore"):
        return np.multiply.outer(_values(a, negated, flushed), _values(b, False, flushed)).ravel()


def _decode(codes: Array, f: Format, negated: bool, flushed: bool, out: Floats, scratch: Scratch) -> None:
    if f.k <= 16:
        index = scratch.get("index", np.intp, codes.size)
        np.copyto(index, codes, casting="unsafe")
        _values(f, negated, flushed).take(index, out=out, mode="clip")
        return
    np.copyto(out, codes.view(np.float32), casting="unsafe")
    if negated:
        np.negative(out, out=out)
