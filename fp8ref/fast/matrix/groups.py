"""FP4 units on tiles: exact dot products of small groups, scaled, aligned by their scales' exponents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...spec.matrix.accumulate import GroupDot
from ..chunks import Array
from .narrow import F32s
from .tiles import Tile, contract, power


def group_dot(model: GroupDot, tile: Tile, c: F32s) -> F32s:
    sa, sb = tile.a.scales, tile.b.scales
    xa, xb = tile.a.scale_exponents, tile.b.scale_exponents
    if sa is None or sb is None or xa is None or xb is None:
        raise AssertionError("a tile for group scales carries them, 1 where none are given")
    groups = model.k // model.group
    whole_a, whole_b = np.ldexp(sa, xa), np.ldexp(sb, xb)
    absent = _absent_groups(model, tile)
    for start in range(0, tile.k, model.k):
        first = start // model.group
        places = range(first, min(first + groups, len(sa)))
        top = np.maximum((c.view(np.int32) >> 23) & 0xFF, 1) - 127
        if model.min_exponent < model.format.emin:
            np.copyto(top, model.min_exponent, where=c == 0)
        for g in places:
            e, nothing = xa[g] + xb[g], absent(g)
            np.maximum(top, e if nothing is None else np.where(nothing, model.min_exponent, e), out=top)
        up = power(model.fraction_bits - top)
        total = np.trunc(c * up)
        for g in places:
            k = slice(g * model.group, (g + 1) * model.group)
            term = contract(tile.a.values[k], tile.b.values[k], tile.outer)
            term *= whole_a[g] * whole_b[g]
            term *= up
            total += np.trunc(term, out=term)
        total /= up
        total += 0.0
        small = np.abs(total) < 2.0**-126
        total[small] = np.trunc(total[small] * 2.0**149) * 2.0**-149
        d = (total.view(np.int64) & np.int64(-1 << 29)).view(np.float64).astype(np.float32) + np.float32(0)
        c = np.where(np.isfinite(c) | np.isnan(total), d, c)
    return c


def _absent_groups(model: GroupDot, tile: Tile) -> Callable[[int], Array | None]:
    """Which outputs have nothing but zero products in the g-th group; None: none has, or such groups count."""
    if model.zero_groups != "absent":
        return lambda g: None
    bits = 1 << np.arange(model.group, dtype=np.uint16)
    present = []
    for x in (tile.a.values, tile.b.values):
        groups = (x != 0).reshape(-1, model.group, *x.shape[1:])
        present.append((groups * bits.reshape(-1, *(1,) * (x.ndim - 1))).sum(axis=1, dtype=np.uint16))
    a, b = present

    def absent(g: int) -> Array | None:
        found = (a[g] & b[g]) == 0
        return found if found.any() else None

    return absent
