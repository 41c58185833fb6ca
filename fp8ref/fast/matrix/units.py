"""The accumulator models on tiles of outputs: the specification's interpreter, vectorised (see ``spec.accumulate``).

C and D travel as float32 arrays that hold values of the model's result format, infinities and NaNs among them.  Every
step is exact arithmetic in float32 or float64: aligned addends are integers small enough to add without rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spec.catalog import get_format
from ...spec.matrix.accumulate import (
    TO_INFINITY,
    Chain,
    ExactStep,
    Fused,
    FusedLate,
    GroupDot,
    Join,
    Model,
    Promote,
    Split,
    Tree,
)
from ...spec.projection import Projection
from ...spec.rounding import Rounding
from ..decode import decode_codes
from .exact_dot import format_range
from .exact_steps import exact_steps
from .expansion import F64, Floats, round_values, to_odd, two_sum
from .groups import group_dot
from .narrow import F32s, add, fma, fma32, to_format
from .tiles import Tile, power, product32, to_binary32


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
SIDE_BY_SIDE = 1 << 13  # outputs of pieces of K that are summed together
LOWEST = -400  # an exponent below every other that float64 still scales by
NEAREST = Projection(Rounding.TIES_TO_EVEN, TO_INFINITY)


# -- the interpreter ---------------------------------------------------------------------------------------------------


def accumulate(model: Model, tile: Tile, c: F32s) -> F32s:
    """D of a model for every output of a tile, beginning at C."""
    match model:
        case Promote():
            runs = [((start, min(start + model.every, tile.k)),) for start in range(0, tile.k, model.every)]
            for i, partial in enumerate(_from_zero(model.inner, tile, runs, c)):
                c = _joined(model, partial, None if model.join is Join.FADD else tile.pair(i), c)
            return c
        case Split():
            return add(_split(model, tile, c), c, model.format)
        case Chain():
            return _chain(model, tile, c)
        case Tree() if model.k == 1:
            return add(_tree(model, _products(tile), 0, tile.k), c, model.format) if tile.k else c
    if tile.k % model.k:
        tile = tile.part(0, -(-tile.k // model.k) * model.k)
    match model:
        case Fused():
            return _Fused(model, tile).run(c)
        case FusedLate():
            return _fused_late(model, tile, c)
        case GroupDot():
            return group_dot(model, tile, c)
        case ExactStep():
            return exact_steps(model, tile, c)
        case Tree():
            return _small_trees(model, tile, c)
    raise AssertionError(type(model))


def _joined(model: Promote, partial: F32s, scales: tuple[Floats, Floats] | None, c: F32s) -> F32s:
    """The register after one chunk."""
    f = model.format
    if scales is None:
        return add(partial, c, f)
    sa, sb = scales
    match model.join:
        case Join.FFMA:
            return fma(partial.astype(np.float64) * product32(sa, sb), c, f)
        case Join.FMUL:
            return add(to_format(partial.astype(np.float64) * product32(sa, sb), f), c, f)
        case Join.TRITON:
            once = to_format(partial.astype(np.float64) * to_binary32(sa), f)
            return fma(once.astype(np.float64) * to_binary32(sb), c, f)
    once = to_format(partial.astype(np.float64) * to_binary32(sa), f)
    return add(to_format(once.astype(np.float64) * to_binary32(sb), f), c, f)


Pieces = Sequence[Sequence[tuple[int, int]]]


def _from_zero(model: Model, tile: Tile, pieces: Pieces, like: F32s) -> Iterator[F32s]:
    """The sums of some pieces of K, each begun at +0: of few outputs many pieces at a time."""
    zero = np.zeros_like(like)
    together = max(1, SIDE_BY_SIDE // max(zero.size, 1))
    for n, group in groupby(pieces, key=lambda piece: sum(stop - start for start, stop in piece)):
        for some in _batches(list(group), together):
            stack = tile.stacked(some) if n and len(some) > 1 else None
            if stack is not None:
                sums = accumulate(model, stack, np.zeros(len(some) * zero.size, np.float32))
                yield from sums.reshape(len(some), *zero.shape)
                continue
            for piece in some:
                yield accumulate(model, tile.gather(piece), zero) if n else zero


def _batches(items: Pieces, n: int) -> Iterator[Pieces]:
    return (items[i : i + n] for i in range(0, len(items), n))


def _split(model: Split, tile: Tile, c: F32s) -> F32s:
    f = model.sum_format
    zero = np.zeros_like(c)
    parts = [to_format(part, f) for part in _from_zero(model.inner, tile, model.pieces(tile.k), c)]
    total: F32s | None = None
    for group in model.order(len(parts)):
        here = parts[group[0]]
        for s in group[1:]:
            here = add(here, parts[s], f)
        total = here if total is None else add(total, here, f)
    return zero if total is None else total


class _Fused:
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


def _fused_late(model: FusedLate, tile: Tile, c: F32s) -> F32s:
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


def _products(tile: Tile) -> Callable[[int], F32s]:
    """The k-th products in float32 (as IEEE multiplies), special ones included."""
    sides = [s.values if s.special is None else s.special for s in (tile.a, tile.b)]
    a, b = (s.astype(np.float32) for s in sides)
    return lambda k: a[k] * b[k]


def _chain(model: Chain, tile: Tile, c: F32s) -> F32s:
    order = _order(model.order, tile.k)
    f = model.format
    a, b = (s.values if s.special is None else s.special for s in (tile.a, tile.b))
    if a.dtype == np.float64:  # products that float32 does not hold
        for k in order:
            c = fma(a[k] * b[k], c, f) if model.fused else add(to_format(a[k] * b[k], f), c, f)
        return c
    product = np.empty(tile.shape, np.float32)
    c = c.copy()
    for k in order:
        np.multiply(a[k], b[k], out=product)
        if f.name == "f32":
            np.add(c, product, out=c)
        elif model.fused:
            c = fma32(product, c, f)
        else:
            c = add(to_format(product, f), c, f)
    return c


def _order(order: str, n: int) -> Sequence[int]:
    if order == "down":
        return range(n - 1, -1, -1)
    stride = 1 if order == "up" else int(order.removeprefix("stride"))
    return [i for first in range(stride) for i in range(first, n, stride)]


def _tree(model: Tree, product: Callable[[int], F32s], start: int, stop: int) -> F32s:
    if stop - start == 1:
        p = product(start)
        return _flushed(model, to_format(p, model.format))
    half = start + (1 << ((stop - start - 1).bit_length() - 1))
    return _flushed(model, add(_tree(model, product, start, half), _tree(model, product, half, stop), model.format))


def _flushed(model: Tree, x: F32s) -> F32s:
    """Subnormal sums to a zero of their sign."""
    if model.flush:
        x = np.where(np.abs(x) < np.float32(2.0**-126), x * np.float32(0), x)
    return x


def _small_trees(model: Tree, tile: Tile, c: F32s) -> F32s:
    product = _products(tile)
    if model.flush:
        c = np.where(np.abs(c) < np.float32(2.0**-126), np.float32(0), c)
    for start in range(0, tile.k, model.k):
        c = _flushed(model, add(_tree(model, product, start, start + model.k), c, model.format))
    return c
