"""Units that add a few products and C exactly and round once (CDNA1, Arm), on tiles of outputs.

Most steps add products whose bits all fit into float64, so their sum S is exact, and S + C has one rounding before the
unit's own.  A number halfway between two of binary32 is a float64, so a rounded S + C that is none of these lies on the
same side as the exact sum; those that are take what the addition lost into account (``_halfway``).  Where S may lose
bits, a bound says how many: where the sum less the bound and the sum plus the bound round to the same number, that is
the answer, and the few others are summed as expansions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...spec.matrix.accumulate import ExactStep
from ..chunks import Array
from .aligned.powers import lowest_bits
from .expansion import Floats, condense, grow, to_odd, two_sum
from .narrow import F32s, flushed, to_flushed, to_format
from .tiles import Tile, contract

NEVER = 1 << 20
TAIL = 53 - 24  # bits of a float64 beyond a normal number of binary32
LEAST = -149  # the lowest bit of binary32


@dataclass
class _Bits:
    """Where the bits of a tile's products lie: for each place the lowest bit and a power of two above all of them."""

    tile: Tile
    model: ExactStep

    @cached_property
    def places(self) -> tuple[Array, Array]:
        low, top = zip(*(_reach(side.values.reshape(len(side.values), -1)) for side in (self.tile.a, self.tile.b)))
        return low[0] + low[1], top[0] + top[1]

    def exact(self, start: int) -> bool:
        """Does float64 hold every sum of some products of this step, and of a few subnormal bits of C?"""
        low, top = (x[start : start + self.model.k] for x in self.places)
        lowest = int(low.min())
        return lowest >= LEAST and int(top.max()) + (self.model.k - 1).bit_length() - lowest <= 53

    def whole(self, c: F32s) -> bool:
        """Does float64 hold every sum of C and any products?  A rounding keeps multiples of a power of two."""
        flat = c.reshape(1, -1)
        low, top = (int(x[0]) for x in _reach(np.where(np.isfinite(flat), flat, 0).astype(np.float64)))
        lows, tops = self.places
        lowest = min(low, int(lows.min(initial=NEVER)))
        most = max(top, int(tops.max(initial=-NEVER)) + (self.tile.k - 1).bit_length()) + 1
        return most - lowest <= 53 - 1  # D lies no farther from D before than twice the products: D before is a number


def _reach(v: Floats) -> tuple[Array, Array]:
    """Of each row the lowest bit of all values, and the power of two above them; zeros have no bits."""
    present = v != 0
    low = np.where(present, lowest_bits(v).astype(np.int64), NEVER).min(axis=1, initial=NEVER)
    top = np.where(present, np.frexp(v)[1], -NEVER).max(axis=1, initial=-NEVER)
    return low, top


def exact_steps(model: ExactStep, tile: Tile, c: F32s) -> F32s:
    """D of every output, C an addend of the first step."""
    f = model.format
    if model.c_last:
        return _c_last(model, tile, c)
    if model.lscale:
        tile = replace(tile, a=replace(tile.a, values=np.ldexp(tile.a.values, -model.lscale)))
    a, b = tile.a.values, tile.b.values
    bits = _Bits(tile, model)
    whole = bool(tile.k) and bits.whole(c)
    lost = (model.k + 1).bit_length() - 52  # each of k + 2 roundings loses 2**-53 of the largest sum; D grew a little
    bound = np.ldexp(_largest(c) + _largest(a) * _largest(b) * tile.k, lost)
    wide = c.astype(np.float64)
    total = np.empty(tile.shape)
    for start in range(0, tile.k, model.k):
        places = slice(start, start + model.k)
        special = tile.special_sum(places)
        products = contract(a[places], b[places], tile.outer)
        np.add(products, wide, out=total)
        if whole:
            total += 0.0  # an exact zero is +0
            low = to_format(total, f)
        elif f.name == "f32" and bits.exact(start):
            total += 0.0
            low = to_format(total, f)
            _halfway(low, total, products, wide)
        else:
            low = _bounded(model, tile, places, total, wide, bound)
        if model.saturate:
            low = np.where(np.isinf(low) & np.isfinite(wide), np.copysign(np.float32(f.max), low), low)
        if model.zero == "ieee":
            low.reshape(-1)[_minus_zeros(tile, places, wide)] = -0.0
        d = low if special is None else np.where(special == 0, low, special + wide)
        wide[...] = d
    return wide.astype(np.float32)


def _halfway(low: F32s, total: Floats, products: Floats, c: Floats) -> None:
    """Round anew, in ``low``, the sums of exact products and C that float64 puts halfway between two of binary32."""
    tail = total.view(np.uint64) << np.uint64(64 - TAIL)
    which = np.flatnonzero(tail == np.uint64(1 << 63))
    if which.size:
        head, rest = two_sum(products.reshape(-1)[which], c.reshape(-1)[which])
        moved = np.flatnonzero((rest != 0) & np.isfinite(rest))
        low.reshape(-1)[which[moved]] = to_odd(head[moved], rest[moved]).astype(np.float32)


def _bounded(model: ExactStep, tile: Tile, places: slice, total: Floats, c: Floats, bound: float) -> F32s:
    """The rounded sums of a step whose float64 sums are off by at most ``bound``."""
    f = model.format
    if not bound:
        total += 0.0  # an exact zero is +0
    low, high = to_format(total - bound, f), to_format(total + bound, f)
    doubtful = np.flatnonzero(low.view(np.int32) != high.view(np.int32))
    if doubtful.size:
        low.reshape(-1)[doubtful] = to_format(_expanded(tile, places, doubtful, c), f)
    return low


def _c_last(model: ExactStep, tile: Tile, c: F32s) -> F32s:
    """The same where the products' sum is scaled and rounded before C is added."""
    f = model.format
    narrowed = to_flushed if model.flush else to_format
    c = flushed(c, f) if model.flush else c
    a, b = tile.a.values, tile.b.values
    bits = _Bits(tile, model)
    for start in range(0, tile.k, model.k):
        places = slice(start, start + model.k)
        pair = tile.pair(start // tile.a.unit)
        scale = np.ldexp(1.0 if pair is None else pair[0] * pair[1], -model.lscale)  # a power of two
        total = contract(a[places], b[places], tile.outer) + 0.0
        s = narrowed(total * scale, f)
        if not bits.exact(start):  # each of k roundings loses 2**-53 of the magnitudes' sum
            bound = np.ldexp(contract(np.abs(a[places]), np.abs(b[places]), tile.outer), model.k.bit_length() - 52)
            low, high = (narrowed(edge * scale, f) for edge in (total - bound, total + bound))
            doubtful = np.flatnonzero((low.view(np.int32) != high.view(np.int32)) & np.isfinite(scale))
            if doubtful.size:
                sums = _expanded(tile, places, doubtful, np.zeros(tile.shape))
                s.reshape(-1)[doubtful] = narrowed(sums * np.broadcast_to(scale, tile.shape).reshape(-1)[doubtful], f)
        special = tile.special_sum(places)
        if special is not None:
            s = np.where(special == 0, s, special)
        c = narrowed(s.astype(np.float32) + c, f)
    return c


def _largest(x: Array) -> float:
    """The largest finite magnitude."""
    return float(np.abs(x, where=np.isfinite(x), out=np.zeros(x.shape, x.dtype)).max(initial=0))


def _operands(tile: Tile, places: slice, which: NDArray[np.intp]) -> tuple[Array, Array]:
    """The elements at these places of some outputs: (places, outputs) both."""
    at = np.divmod(which, tile.shape[1]) if tile.outer else (which, which)
    a = tile.a.values[places][(slice(None), at[0], 0) if tile.outer else (slice(None), at[0])]
    b = tile.b.values[places][(slice(None), 0, at[1]) if tile.outer else (slice(None), at[1])]
    return a, b


def _expanded(tile: Tile, places: slice, which: NDArray[np.intp], c: Floats) -> Floats:
    """The exact sums of some outputs, rounded to odd."""
    a, b = _operands(tile, places, which)
    *more, head = grow([*(a * b), c.reshape(-1)[which]])
    if more:
        head, rest, _ = condense([*more, head])
        head = to_odd(head, rest)
    return head + 0.0


def _minus_zeros(tile: Tile, places: slice, c: Floats) -> NDArray[np.intp]:
    """The outputs of which C and every product are -0."""
    which = np.flatnonzero((c == 0) & np.signbit(c))
    a, b = _operands(tile, places, which)
    p = a * b
    return np.asarray(which[((p == 0) & np.signbit(p)).all(axis=0)])
