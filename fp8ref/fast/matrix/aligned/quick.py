"""Sums of aligned products of a whole tile: by one matrix product where nothing is cut, else in float32.

Uncut.  Where 2**(E - F) divides every product of an output (F fraction bits, E the exponent aligned at), the unit cuts
none of them.  They are below 2**(E + 2), and so every partial sum of n of them is an integer below n * 2**(F + 2) in
units of 2**(E - F): with n * 2**(F + 2) <= 2**53 float64 adds them exactly in any order.  It is enough that E - F is at
most the sum of the lowest bits of all operands; else the smallest lowest bit of an output's products is found like E.

Cut.  A product of at most 24 bits is exact in float32.  Times 2**(F - E) it is exact, or below 1 and cut to 0; it is
below 2**(F + 2), so the conversion to int32 is the cut toward zero, and 2**(29 - F) of them add in int32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....spec.matrix.accumulate import Fused
from ....spec.rounding import Rounding
from ...chunks import Array
from ..expansion import Floats
from ..narrow import F32s
from ..tiles import Tile, power
from .powers import Largest

SHARE = 12  # a tile with more than 1/SHARE of outputs that cut products is added product by product
HOPEFUL = 10  # fraction bits beyond those of a product, with which most products are not cut
TOGETHER = 4  # products of a tile that one call of numpy makes


def quick_sums(model: Fused, tile: Tile, largest: Largest, cut: Callable[..., Any]) -> Quick | None:
    """What adds a tile's products quickly; None where no lemma serves."""
    bits = model.fraction_bits
    if largest.base + 1 < bits - 126 or largest.highest > 120:  # powers of two that float32 has, both ways
        return None
    made = Quick(model, tile, largest, cut)
    return made if made.hopes or made.group else None


class Quick:
    """The sums of one tile."""

    def __init__(self, model: Fused, tile: Tile, largest: Largest, cut: Callable[..., Any]) -> None:
        self.tile, self.cut = tile, cut
        self.bits = bits = model.fraction_bits
        self.low = bits - 126  # 2**(E - bits) and 2**(bits - E) are normal in float32 from here on
        n = model.products
        self.narrow = tile.a.values.dtype == np.float32 and (4 * n + 2) << bits <= 1 << 24
        room = n << (bits + 2) <= 1 << 53
        self.hopes = not self.narrow and room and bits - tile.bits >= HOPEFUL
        self.group = 0  # products that are added before they leave float32 or int32; 0: none
        if model.cut is Rounding.TOWARD_ZERO and _in_float32(tile):
            self.group = n if self.narrow else min(n, 1 << max(29 - bits, 0))
        if self.group < min(n, TOGETHER):
            self.group = 0
        self.smallest: Largest | None = None

    def sum(self, part: slice, c: F32s | None, e: NDArray[np.int32], low: int) -> Array | None:
        """The sums of cut products and cut C; None where they are out of reach."""
        if low < self.low:
            if c is not None and c[e < self.low].any():
                return None
            np.maximum(e, self.low, out=e)  # nothing but zeros is aligned there
        scale = ((self.bits + 127 - e) << 23).view(np.float32)
        unit = ((e + (127 - self.bits)) << 23).view(np.float32)
        of_c = None
        if c is not None:
            of_c = c * scale
            self.cut(of_c, out=of_c)
        if self.narrow:
            if not self.group:
                return None
            return self._joined(self.cut_in_float32(part, scale), of_c, unit)
        total = self.uncut(part, e)
        if total is not None:
            if of_c is not None:
                of_c *= unit
                total += of_c
            return total
        if not self.group:
            return None
        return self._joined(self.cut_in_int32(part, scale), of_c, unit)

    @staticmethod
    def _joined(total: Array, of_c: F32s | None, unit: F32s) -> Array:
        if of_c is not None:
            total += of_c
        total *= unit
        return total

    def uncut(self, part: slice, e: NDArray[np.int32]) -> Floats | None:
        """The sums, those of outputs that cut products one by one; None where these are many."""
        if not self.hopes:
            return None
        a, b = self.tile.a, self.tile.b
        cuts = None
        if int(e.max()) - self.bits + a.lowest.high + b.lowest.high > 0:
            if self.smallest is None:
                if not Largest.serves(a.lowest, b.lowest, part.stop - part.start):
                    self.hopes = False
                    return None
                self.smallest = Largest(a.lowest, b.lowest)
            below = self.smallest.of(part)
            below += e
            cuts = below > self.bits - self.smallest.base
            some = int(np.count_nonzero(cuts))
            if some * SHARE > cuts.size:
                self.hopes = False
                return None
        total: Floats = np.matmul(a.flat[part].T, b.flat[part])
        if cuts is not None and some:
            self.add_one_by_one(part, e, cuts, total)
        return total

    def add_one_by_one(self, part: slice, e: NDArray[np.int32], which: NDArray[np.bool_], total: Floats) -> None:
        """The sums of some outputs anew, every product cut by itself."""
        rows, columns = np.nonzero(which)
        products = self.tile.a.flat[part][:, rows] * self.tile.b.flat[part][:, columns]
        up = power(self.bits - e[rows, columns])
        products *= up
        self.cut(products, out=products)
        total[rows, columns] = products.sum(axis=0) / up

    def cut_in_float32(self, part: slice, scale: F32s) -> F32s:
        """The sums of cut products in units of the alignment, as float32 holds them."""
        total: F32s | None = None
        for products in self._scaled(part, scale):
            self.cut(products, out=products)
            for x in products:
                total = x.copy() if total is None else np.add(total, x, out=total)
        assert total is not None
        return total

    def cut_in_int32(self, part: slice, scale: F32s) -> Floats:
        """The sums of cut products in units of the alignment."""
        total: Floats | None = None
        for start in range(part.start, part.stop, self.group):
            run: NDArray[np.int32] | None = None
            for products in self._scaled(slice(start, min(start + self.group, part.stop)), scale):
                units = products.astype(np.int32)
                for x in units:
                    run = x.copy() if run is None else np.add(run, x, out=run)
            assert run is not None
            total = run.astype(np.float64) if total is None else np.add(total, run, out=total)
        assert total is not None
        return total

    def _scaled(self, part: slice, scale: F32s) -> Any:
        """The products of a part, a few at a time, in units of the alignment."""
        a, b = self.tile.a.narrow[part], self.tile.b.narrow[part]
        buffer = np.empty((TOGETHER, *self.tile.shape), np.float32)
        for i in range(0, len(a), TOGETHER):
            out = buffer[: min(TOGETHER, len(a) - i)]
            np.multiply(a[i : i + TOGETHER], b[i : i + TOGETHER], out=out)
            out *= scale
            yield out


def _in_float32(tile: Tile) -> bool:
    """Does float32 hold the operands and their products?"""
    a, b = tile.a.shown, tile.b.shown
    if tile.bits > 24 or min(a.low, b.low) < -100 or max(a.high, b.high) > 120:
        return False
    return a.low + b.low - (tile.bits - 2) >= -149 and a.high + b.high <= 120
