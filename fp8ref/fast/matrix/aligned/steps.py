"""Fused units on tiles: a few products and C aligned at their largest exponent, cut, summed and rounded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spec.matrix.accumulate import TO_INFINITY, Fused
from ....spec.projection import Projection
from ....spec.rounding import Rounding
from ...chunks import Array
from ...decode import decode_codes
from ..expansion import F64, Floats, round_values, to_odd, two_sum
from ..narrow import F32s, add, to_format
from ..tiles import Tile, power
from .powers import Largest
from .quick import quick_sums


def _to_odd_integers(x: Floats, out: Floats) -> None:
    """Integers by rounding to odd."""
    kept = np.trunc(x)
    even = (kept != x) & (np.fmod(kept, 2) == 0)
    np.add(kept, np.copysign(even, x), out=out)


CUTS: dict[Rounding, Callable[..., Any]] = {
    Rounding.TOWARD_ZERO: np.trunc,
    Rounding.TOWARD_NEGATIVE: np.floor,
    Rounding.TOWARD_POSITIVE: np.ceil,
    Rounding.TIES_TO_EVEN: np.rint,
    Rounding.TO_ODD: _to_odd_integers,
}
LOWEST = -400  # an exponent below every other that float64 still scales by


class Steps:
    """A fused unit over one tile, with its buffers."""

    def __init__(self, model: Fused, tile: Tile) -> None:
        if model.lanes:  # each step's products side by side
            order = np.concatenate([start + np.array(model.steps) for start in range(0, tile.k, model.k)]).ravel()
            tile = replace(tile, a=tile.a.pick(order), b=tile.b.pick(order))
        self.model, self.tile = model, tile
        self.cut = CUTS[model.cut]
        f = model.format
        self.floor = LOWEST if model.min_exponent is None else model.min_exponent
        self.finest = f.emin - (model.register.p - 1)
        self.mask = np.int64(-1 << (53 - model.register.p))
        self.largest = None
        if tile.outer and tile.present is not None and Largest.serves(tile.a.shown, tile.b.shown, model.products):
            self.largest = Largest(tile.a.shown, tile.b.shown)
        self.quick = None if self.largest is None else quick_sums(model, tile, self.largest, self.cut)
        self.lowest = tile.lowest if self.largest is None else self.largest.base + 1

    def run(self, c: F32s) -> F32s:
        model = self.model
        for start in range(0, self.tile.k, model.k):
            d = None if model.c_last else c
            for i in range(start, start + model.k, model.products):
                d = self.step(slice(i, i + model.products), d)
            assert d is not None
            c = self.join(d, c) if model.c_last else d
        return c

    def join(self, d: F32s, c: F32s) -> F32s:
        """C added last."""
        f, rounding = self.model.format, self.model.c_rounding
        if rounding is Rounding.TIES_TO_EVEN:
            return add(d, c, f)
        head, rest = two_sum(d.astype(np.float64), c.astype(np.float64))
        total = to_odd(head, np.where(np.isfinite(head), rest, 0.0))
        codes = round_values(total, f, Projection(rounding, TO_INFINITY))
        return decode_codes(codes, f, F64).view(np.float64).astype(np.float32)

    def step(self, part: slice, c: F32s | None) -> F32s:
        """Align, cut, sum, round; no C: it is +0."""
        e, low = self.align(part, c)
        total = None if self.quick is None else self.quick.sum(part, c, e, low)
        d = self.careful(part, c, e) if total is None else self.round(total, low)
        special = self.tile.special_sum(part)
        if special is None:
            return d
        with_c = special if c is None else special + c
        return np.where(special == 0, d, with_c).astype(np.float32)

    def align(self, part: slice, c: F32s | None) -> tuple[NDArray[np.int32], int]:
        """The exponents to align at, and the least of them."""
        model, tile = self.model, self.tile
        emin = model.format.emin
        absent = True
        if self.largest is not None:
            e = self.largest.of(part)
            absent = int(e.min()) == 0
            e += np.int32(self.largest.base)
            if absent:
                e[e == self.largest.base] = LOWEST
        else:
            e = self._largest_of(part)
            if tile.present is not None:
                e = np.where(e < tile.present, np.int32(LOWEST), e)
            e = e.astype(np.int32)
        if c is not None:
            of_c = c.view(np.int32) >> 23
            of_c &= 0xFF
            of_c -= 127
            if absent or self.lowest < emin:
                np.maximum(of_c, emin, out=of_c)
                if self.floor < emin and self.lowest < emin:  # else no product shows less than a zero C
                    np.copyto(of_c, LOWEST, where=c == 0)
            np.maximum(e, of_c, out=e)
        if absent or self.lowest < self.floor:
            np.maximum(e, self.floor, out=e)
        return e, int(e.min())

    def _largest_of(self, part: slice) -> Array:
        """The largest sum of two operands' exponents."""
        ea, eb = self.tile.a.exponents[part], self.tile.b.exponents[part]
        largest: Array = ea[0] + eb[0]
        other = np.empty_like(largest)
        for x, y in zip(ea[1:], eb[1:]):
            np.add(x, y, out=other)
            np.maximum(largest, other, out=largest)
        return largest

    def careful(self, part: slice, c: F32s | None, e: NDArray[np.int32]) -> F32s:
        """Every product by itself."""
        bits = self.model.fraction_bits
        up: Floats = power(bits - e)
        scale: Array
        if self.tile.a.values.dtype == np.float32:  # FP8 operands: exponents below -60 mean that all are zero
            scale = ((bits + 127 - np.maximum(e, -60)) << 23).view(np.float32)
        else:
            scale = up
        total: Floats = self.sum_products(part, scale).astype(np.float64, copy=False)
        if c is not None:
            of_c = c * up
            self.cut(of_c, out=of_c)
            total += of_c
        total /= up
        return self.round(total, int(e.min()))

    def sum_products(self, part: slice, scale: Array) -> Array:
        """The sum of the cut products, in units of the alignment."""
        a, b = self.tile.a.values[part], self.tile.b.values[part]
        total = np.zeros(self.tile.shape, a.dtype)
        product = np.empty_like(total)
        for x, y in zip(a, b):
            np.multiply(x, y, out=product)
            np.multiply(product, scale, out=product)
            self.cut(product, out=product)
            np.add(total, product, out=total)
        return total

    def round(self, x: Array, low: int) -> F32s:
        """Exact sums, float32 or float64, to the register's format; ``low``: the least exponent aligned at."""
        model = self.model
        x += x.dtype.type(0)  # a sum of zeros is +0
        sign = np.signbit(x) if model.underflow_sign else None
        if model.rounding is Rounding.TOWARD_ZERO and model.result == "f32":
            if low - model.fraction_bits < self.finest:
                small = np.abs(x) < np.ldexp(1.0, model.format.emin)
                unit = np.ldexp(1.0, self.finest)
                x[small] = np.trunc(x[small] / unit) * unit
            if x.dtype == np.float32:
                bits32 = x.view(np.int32)
                np.bitwise_and(bits32, np.int32(self.mask >> 29), out=bits32)
            else:
                bits = x.view(np.int64)
                np.bitwise_and(bits, self.mask, out=bits)
            d = x.astype(np.float32, copy=False)
        elif model.rounding is Rounding.TIES_TO_EVEN and model.register == model.format:
            d = to_format(x, model.format)
        else:
            rho = Projection(model.rounding, TO_INFINITY)
            register = model.register
            d = (
                decode_codes(round_values(x.astype(np.float64, copy=False), register, rho), register, F64)
                .view(np.float64)
                .astype(np.float32)
            )
        if sign is None:
            d += np.float32(0)
            return d
        return np.copysign(d, np.where(sign, np.float32(-1), np.float32(1)))
