"""CDNA3's units on tiles: products aligned in groups, C joining through a window of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....spec.catalog import get_format
from ....spec.matrix.accumulate import FusedLate
from ..exact_dot import format_range
from ..expansion import Floats
from ..narrow import F32s, to_format
from ..tiles import Tile, power


def fused_late(model: FusedLate, tile: Tile, c: F32s) -> F32s:
    a, b, ea, eb = tile.a.values, tile.b.values, tile.a.exponents, tile.b.exponents
    bits = model.fraction_bits
    limit = None if model.product_limit is None else np.ldexp(1.0, model.product_limit)
    if limit is not None and np.abs(a).max(initial=0) * np.abs(b).max(initial=0) < limit:
        limit = None
    for start in range(0, tile.k, model.k):
        huge = np.zeros(tile.shape)
        sums, tops = [], []
        for g in range(model.groups):
            places = range(start + g, start + model.products, model.groups)
            top = ea[places[0]] + eb[places[0]]
            for k in places[1:]:
                np.maximum(top, ea[k] + eb[k], out=top)
            top = top.astype(np.int32)
            scale = power(bits - top)
            total = np.zeros(tile.shape)
            product = np.empty(tile.shape)
            for k in places:
                np.multiply(a[k], b[k], out=product)
                if limit is not None:
                    beyond = np.abs(product) >= limit
                    huge = np.where(beyond, huge + np.where(product > 0, np.inf, -np.inf), huge)
                    product[beyond] = 0.0
                product *= scale
                np.trunc(product, out=product)
                total += product
            sums.append(total)
            tops.append(top)
        e = tops[0] if model.groups == 1 else np.maximum.reduce(tops)
        total = sum((np.floor(s * power(t - e)) for s, t in zip(sums, tops)), np.zeros(tile.shape))
        of_c = _exponent(c, model)
        top = np.maximum(e, of_c)
        d = np.floor(total * power(e - bits - (top - model.sum_bits))) * power(top - model.sum_bits)
        late = np.floor(c.astype(np.float64) * power(bits - top)) * power(top - bits)
        if model.window is not None:
            late[of_c < top - model.window] = 0.0
        d = d + late
        if model.keep_bits is not None:
            d = _kept(d, model, model.keep_bits)
        special = tile.special_sum(slice(start, start + model.k))
        special = huge if special is None else special + huge
        unusual = ~np.isfinite(c) | (special != 0)
        d = np.where(unusual, special + c, d) + 0.0
        c = to_format(d, model.format)
    return c


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
