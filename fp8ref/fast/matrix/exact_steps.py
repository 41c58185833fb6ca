"""Units that add a few products and C exactly and round once (CDNA1, Arm), on tiles of outputs.

A float64 sum of the addends is off by no more than a bound that their magnitudes give.  Where the sum less the bound
and the sum plus the bound round to the same number, that is the answer; the few others are summed as expansions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...spec.matrix.accumulate import ExactStep
from ..chunks import Array
from .expansion import Floats, condense, grow, to_odd
from .narrow import F32s, to_format
from .tiles import Tile, contract


def exact_steps(model: ExactStep, tile: Tile, c: F32s) -> F32s:
    """D of every output, C an addend of the first step."""
    f = model.format
    if model.lscale:
        tile = replace(tile, a=replace(tile.a, values=np.ldexp(tile.a.values, -model.lscale)))
    a, b = tile.a.values, tile.b.values
    lost = (model.k + 1).bit_length() - 52  # each of k + 2 roundings loses 2**-53 of the largest sum; D grew a little
    bound = np.ldexp(_largest(c) + _largest(a) * _largest(b) * tile.k, lost)
    wide = c.astype(np.float64)
    total, beside = np.empty(tile.shape), np.empty(tile.shape)
    for start in range(0, tile.k, model.k):
        places = slice(start, start + model.k)
        special = tile.special_sum(places)
        np.add(contract(a[places], b[places], tile.outer), wide, out=total)
        if not bound:
            total += 0.0  # an exact zero is +0
        low = to_format(np.subtract(total, bound, out=beside), f)
        high = to_format(np.add(total, bound, out=beside), f)
        doubtful = np.flatnonzero(low.view(np.int32) != high.view(np.int32))
        if doubtful.size:
            low.reshape(-1)[doubtful] = to_format(_expanded(tile, places, doubtful, wide), f)
        if model.saturate:
            low = np.where(np.isinf(low) & np.isfinite(wide), np.copysign(np.float32(f.max), low), low)
        if model.zero == "ieee":
            low.reshape(-1)[_minus_zeros(tile, places, wide)] = -0.0
        d = low if special is None else np.where(special == 0, low, special + wide)
        wide[...] = d
    return wide.astype(np.float32)


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
