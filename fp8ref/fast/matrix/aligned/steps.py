"""Fused units on tiles: a few products and C aligned at their largest exponent, cut, summed and rounded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spec.matrix.accumulate import TO_INFINITY, Fused
from ....spec.projection import Projection
from ....spec.rounding import Rounding
from ...decode import decode_codes
from ..expansion import F64, Floats, round_values, to_odd, two_sum
from ..narrow import F32s, add, to_format
from ..tiles import Tile


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
        self.model, self.tile = model, tile
        shape, dtype = tile.shape, tile.a.values.dtype
        self.product, self.total, self.scale = (np.empty(shape, dtype) for _ in range(3))
        self.exponent, self.largest = (np.empty(shape, tile.a.exponents.dtype) for _ in range(2))
        self.cut = CUTS[model.cut]
        f = model.format
        self.finest = f.emin - (model.register.p - 1)
        keep = 52 - (model.register.p - 1)
        self.mask = np.int64(-1 << keep)

    def run(self, c: F32s) -> F32s:
        model, tile = self.model, self.tile
        for start in range(0, tile.k, model.k):
            d = np.zeros_like(c) if model.c_last else c
            for places in model.steps:
                d = self.step([start + i for i in places], d)
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

    def step(self, places: list[int], c: F32s) -> F32s:
        """Align, cut, sum, round."""
        e = self.align(places, c)
        bits = self.model.fraction_bits
        if self.total.dtype == np.float32:  # products of FP8 operands: exponents below -60 mean that all are zero
            self.scale.view(np.int32)[...] = (bits - np.maximum(e, -60) + 127) << 23
        up = ((bits - e).astype(np.int64) + 1023) << 52
        up = up.view(np.float64)
        if self.total.dtype == np.float64:
            self.scale = up
        self.sum_products(places)
        total = c.astype(np.float64)
        total *= up
        self.cut(total, out=total)
        total += self.total
        total /= up
        total += 0.0  # a sum of zeros is +0
        d = self.round(total, e)
        special = self.tile.special_sum(places)
        return d if special is None else np.where(special == 0, d, special + c).astype(np.float32)

    def align(self, places: Sequence[int], c: F32s) -> NDArray[np.int32]:
        """The exponent to align at."""
        model, tile = self.model, self.tile
        ea, eb = tile.a.exponents, tile.b.exponents
        np.add(ea[places[0]], eb[places[0]], out=self.largest)
        for k in places[1:]:
            np.add(ea[k], eb[k], out=self.exponent)
            np.maximum(self.largest, self.exponent, out=self.largest)
        e = self.largest.astype(np.int32)
        if tile.present is not None:
            e[self.largest < tile.present] = LOWEST
        of_c = (c.view(np.int32) >> 23) & 0xFF
        np.maximum(of_c, model.format.emin + 127, out=of_c)
        of_c -= 127
        floor = LOWEST if model.min_exponent is None else model.min_exponent
        if floor < model.format.emin and tile.lowest < model.format.emin:  # else no product shows less than a zero C
            np.copyto(of_c, LOWEST, where=c == 0)
        np.maximum(e, of_c, out=e)
        return np.maximum(e, floor, out=e)

    def sum_products(self, places: Sequence[int]) -> None:
        """The sum of the cut products, in units of the alignment."""
        a, b = self.tile.a.values, self.tile.b.values
        product, total, scale = self.product, self.total, self.scale
        np.multiply(a[places[0]], b[places[0]], out=total)
        np.multiply(total, scale, out=total)
        self.cut(total, out=total)
        for k in places[1:]:
            np.multiply(a[k], b[k], out=product)
            np.multiply(product, scale, out=product)
            self.cut(product, out=product)
            np.add(total, product, out=total)

    def round(self, x: Floats, e: NDArray[np.int32]) -> F32s:
        """Exact sums to the register's format."""
        model = self.model
        sign = np.signbit(x) if model.underflow_sign else None
        if model.rounding is Rounding.TOWARD_ZERO and model.result == "f32":
            if int(e.min()) - model.fraction_bits < self.finest:
                small = np.abs(x) < np.ldexp(1.0, model.format.emin)
                unit = np.ldexp(1.0, self.finest)
                x[small] = np.trunc(x[small] / unit) * unit
            bits = x.view(np.int64)
            np.bitwise_and(bits, self.mask, out=bits)
            d = x.astype(np.float32)
        elif model.rounding is Rounding.TIES_TO_EVEN and model.register == model.format:
            d = to_format(x, model.format)
        else:
            rho = Projection(model.rounding, TO_INFINITY)
            register = model.register
            d = decode_codes(round_values(x, register, rho), register, F64).view(np.float64).astype(np.float32)
        if sign is None:
            d += np.float32(0)
            return d
        return np.copysign(d, np.where(sign, np.float32(-1), np.float32(1)))
