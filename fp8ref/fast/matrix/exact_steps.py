"""Units that add a few products and C exactly and round once (CDNA1), on tiles of outputs.

A float64 sum of the addends is off by no more than a bound that their magnitudes give.  Where the sum less the bound
and the sum plus the bound round to the same binary32 number, that is the answer; the few others are summed as
expansions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...spec.matrix.accumulate import ExactStep
from ..chunks import Array
from .expansion import Floats, condense, grow, to_odd
from .narrow import F32s
from .tiles import Tile, contract

MOST = 6  # products of a step, for which the bound holds: each of k + 2 roundings loses 2**-53 of the largest sum


def exact_steps(model: ExactStep, tile: Tile, c: F32s) -> F32s:
    """D of every output, C an addend of the first step."""
    assert model.k <= MOST
    a, b = tile.a.values, tile.b.values
    bound = np.ldexp(_largest(c) + _largest(a) * _largest(b) * tile.k, -50)
    wide = c.astype(np.float64)
    low, high = np.empty(tile.shape, np.float32), np.empty(tile.shape, np.float32)
    total, beside = np.empty(tile.shape), np.empty(tile.shape)
    for start in range(0, tile.k, model.k):
        places = slice(start, start + model.k)
        special = tile.special_sum(places)
        np.add(contract(a[places], b[places], tile.outer), wide, out=total)
        if not bound:
            total += 0.0  # an exact zero is +0
        low[...] = np.subtract(total, bound, out=beside)
        high[...] = np.add(total, bound, out=beside)
        doubtful = np.flatnonzero(low.view(np.int32) != high.view(np.int32))
        if doubtful.size:
            low.reshape(-1)[doubtful] = _expanded(tile, places, doubtful, wide)
        d = low if special is None else np.where(special == 0, low, special + wide)
        wide[...] = d
    return wide.astype(np.float32)


def _largest(x: Array) -> float:
    """The largest finite magnitude."""
    return float(np.abs(x, where=np.isfinite(x), out=np.zeros(x.shape, x.dtype)).max(initial=0))


def _expanded(tile: Tile, places: slice, which: NDArray[np.intp], c: Floats) -> Floats:
    """The exact sums of some outputs, rounded to odd."""
    at = np.divmod(which, tile.shape[1]) if tile.outer else (which, which)
    a = tile.a.values[places][(slice(None), at[0], 0) if tile.outer else (slice(None), at[0])]
    b = tile.b.values[places][(slice(None), 0, at[1]) if tile.outer else (slice(None), at[1])]
    *more, head = grow([*(a * b), c.reshape(-1)[which]])
    if more:
        head, rest, _ = condense([*more, head])
        head = to_odd(head, rest)
    return head + 0.0
