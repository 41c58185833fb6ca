"""CDNA3's units on tiles: products aligned in groups, C joining through a window of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....spec.catalog import get_format
from ....spec.matrix.accumulate import FusedLate
from ....spec.matrix.units import BELOW_ALL
from ...chunks import Array
from ..exact_dot import format_range
from ..expansion import Floats
from ..narrow import F32s, to_format
from ..tiles import Tile, power
from .powers import Largest
from .quick import HOPEFUL, SHARE


def fused_late(model: FusedLate, tile: Tile, c: F32s) -> F32s:
    """D of every output; C joins every instruction's products."""
    bits = model.fraction_bits
    limit = None if model.product_limit is None else float(np.ldexp(1.0, model.product_limit))
    a, b = tile.a.values, tile.b.values
    if limit is not None and np.abs(a).max(initial=0) * np.abs(b).max(initial=0) < limit:
        limit = None
    uncut = _Uncut(model, tile) if limit is None and _Uncut.serves(model, tile) else None
    for start in range(0, tile.k, model.k):
        part = slice(start, start + model.products)
        found = None if uncut is None else uncut.sums(part)
        if found is None:
            total, e, huge = _sums(model, a[part], b[part], tile.a.exponents[part], tile.b.exponents[part], limit)
        else:
            (total, e), huge = found, None
        of_c = _exponent(c, model)
        top = np.maximum(e, of_c)
        total *= power(model.sum_bits - top)
        d = np.floor(total, out=total)
        d *= power(top - model.sum_bits)
        late = c * power(bits - top)
        np.floor(late, out=late)
        late *= power(top - bits)
        if model.window is not None:
            late[of_c < top - model.window] = 0.0
        d += late
        if model.keep_bits is not None:
            d = _kept(d, model, model.keep_bits)
        special = tile.special_sum(slice(start, start + model.k))
        if huge is not None:
            special = huge if special is None else special + huge
        unusual = ~np.isfinite(c)
        if special is not None:
            unusual |= special != 0
        if unusual.any():
            d = np.where(unusual, c.astype(np.float64) if special is None else special + c, d)
        d += 0.0
        c = to_format(d, model.format)
    return c


def _sums(
    model: FusedLate, a: Array, b: Array, ea: Array, eb: Array, limit: float | None
) -> tuple[Floats, NDArray[np.int32], Floats | None]:
    """The groups' sums on the larger one's grid, its exponent, and what products beyond the limit add to."""
    bits = model.fraction_bits
    huge: Floats | None = None
    sums, tops = [], []
    for g in range(model.groups):
        places = range(g, model.products, model.groups)
        top = ea[g] + eb[g]
        for k in places[1:]:
            np.maximum(top, ea[k] + eb[k], out=top)
        top = top.astype(np.int32)
        scale = power(bits - top)
        total = np.zeros(top.shape)
        product = np.empty(top.shape)
        for k in places:
            np.multiply(a[k], b[k], out=product)
            if limit is not None:
                beyond = np.abs(product) >= limit
                infinite = np.where(beyond, np.where(product > 0, np.inf, -np.inf), 0.0)
                huge = infinite if huge is None else huge + infinite
                product[beyond] = 0.0
            product *= scale
            np.trunc(product, out=product)
            total += product
        sums.append(total)
        tops.append(top)
    e = tops[0] if model.groups == 1 else np.maximum.reduce(tops)
    total = sum((np.floor(s * power(t - e)) for s, t in zip(sums, tops)), np.zeros(e.shape))
    total *= power(e - bits)
    return total, e, huge


class _Uncut:
    """The sums of outputs of which no product is cut, as in ``quick.py``: then the groups do not show."""

    def __init__(self, model: FusedLate, tile: Tile) -> None:
        self.model, self.tile = model, tile
        self.largest = Largest(tile.a.shown, tile.b.shown)
        self.smallest: Largest | None = None
        self.hopes = True

    @staticmethod
    def serves(model: FusedLate, tile: Tile) -> bool:
        """Outputs share operands, zeros show an exponent below all, and products leave bits to spare."""
        apart = model.zero_exponent == BELOW_ALL and model.fraction_bits - tile.bits >= HOPEFUL
        room = model.products << (model.fraction_bits + 2) <= 1 << 53
        return tile.outer and apart and room and Largest.serves(tile.a.shown, tile.b.shown, model.products)

    def sums(self, part: slice) -> tuple[Floats, NDArray[np.int32]] | None:
        """The sums and the exponent that they are aligned at; None where many outputs cut products."""
        if not self.hopes:
            return None
        a, b, bits = self.tile.a, self.tile.b, self.model.fraction_bits
        e = self.largest.of(part)
        if int(e.min()) == 0:
            e[e == 0] = BELOW_ALL - self.largest.base
        e += np.int32(self.largest.base)
        cuts = None
        if int(e.max()) - bits + a.lowest.high + b.lowest.high > 0:
            if self.smallest is None:
                if not Largest.serves(a.lowest, b.lowest, self.model.products):
                    self.hopes = False
                    return None
                self.smallest = Largest(a.lowest, b.lowest)
            below = self.smallest.of(part)
            below += e
            cuts = below > bits - self.smallest.base
            if int(np.count_nonzero(cuts)) * SHARE > cuts.size:
                self.hopes = False
                return None
        total: Floats = np.matmul(a.flat[part].T, b.flat[part])
        if cuts is not None and cuts.any():
            self.add_one_by_one(part, cuts, total)
        return total, e

    def add_one_by_one(self, part: slice, which: NDArray[np.bool_], total: Floats) -> None:
        """The sums of some outputs anew, every product cut by itself."""
        rows, columns = np.nonzero(which)
        a, b = self.tile.a, self.tile.b
        ea, eb = (x.exponents.reshape(len(x.values), -1)[part] for x in (a, b))
        x, y = a.flat[part][:, rows], b.flat[part][:, columns]
        total[rows, columns] = _sums(self.model, x, y, ea[:, rows], eb[:, columns], None)[0]


def _kept(d: Floats, model: FusedLate, keep: int) -> Floats:
    """Floored to so many fraction bits of their own exponent, which is not below the format's least."""
    if all(2 * format_range(get_format(name))[0] >= model.format.emin - model.format.t for name in model.operands):
        below = np.int64((1 << (52 - keep)) - 1)  # what lies below the least exponent has no such bits
        bits = d.view(np.int64)
        bits += (bits >> 63) & below
        bits &= ~below
        return d
    own = ((d.view(np.int64) >> 52) & 0x7FF) - 1023
    np.maximum(own, model.format.emin, out=own)
    return np.asarray(np.floor(d * power(keep - own)) * power(own - keep))


def _exponent(c: F32s, model: FusedLate) -> NDArray[np.int32]:
    e: NDArray[np.int32] = np.maximum((c.view(np.int32) >> 23) & 0xFF, model.format.emin + 127) - 127
    return e
