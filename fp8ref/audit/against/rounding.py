"""Are codes the rounding of numbers over their scales?  Each code has an interval of numbers that round to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.recipes import encoded, values_of
from ...spec.catalog import get_format

Array = NDArray[Any]
F32s = NDArray[np.float32]
SLACK = 2.0**-20  # relative: reciprocals and products of binary32 scales; a tie may go either way
SLACKS = {"f32": SLACK, "f16": 2.0**-10, "bf16": 2.0**-7}  # of quotients in narrower types, scales rounded to them


@dataclass(frozen=True, eq=False)
class Table:
    """For each code: its value, its place among the values, and the interval that rounds to it."""

    values: F32s
    rank: NDArray[np.int32]
    low: F32s
    high: F32s
    first: F32s  # the least magnitude that rounds to the code's magnitude, and
    last: F32s  # the largest


@lru_cache(maxsize=32)
def table(name: str, how: str = "nearest", slack: float = SLACK) -> Table:
    """``how``: nearest, or ``truncated``: the interval from a code's value to the next one.  ``slack``: by which part
    intervals are wider."""
    f = get_format(name)
    values = values_of(name)
    size = values.size
    magnitudes = np.array([float(f.magnitude(c)) for c in range(f.max_code + 1)], np.float64)
    middles = (magnitudes[1:] + magnitudes[:-1]) / 2
    if how == "nearest":
        starts, ends = np.concatenate([[0.0], middles]), np.concatenate([middles, [np.inf]])
    else:
        starts, ends = magnitudes, np.concatenate([magnitudes[1:], [np.inf]])
    low, high = np.full(size, np.nan), np.full(size, np.nan)
    first, last = np.full(size, np.nan), np.full(size, np.nan)
    rank = np.zeros(size, np.int32)
    for c in range(size):
        m = c & f.magnitude_mask
        if m > f.max_code or not np.isfinite(values[c]):
            continue
        negative = bool(c & f.sign_bit)
        a, b = starts[m] * (1 - slack), ends[m] * (1 + slack)
        if m == 0:
            a = -b
        low[c], high[c] = (-b, -a) if negative else (a, b)
        first[c], last[c] = starts[m] * (1 - slack + SLACK), ends[m] * (1 + slack - SLACK)
        rank[c] = -m if negative else m
    return Table(
        values, rank, low.astype(np.float32), high.astype(np.float32), first.astype(np.float32), last.astype(np.float32)
    )


def outside(x: F32s, codes: NDArray[np.uint8], s: Array, t: Table) -> NDArray[np.bool_]:
    """Where a code is not the rounding of x over s.  ``s``: decode multipliers that broadcast to x."""
    with np.errstate(all="ignore"):
        if s.size and not 2.0**-100 < np.abs(np.where(s == 0, 1, s)).min() < 2.0**100:
            s, x = s.astype(np.float64), x.astype(np.float64)
        else:
            s = s.astype(np.float32, copy=False)
        low, high = t.low[codes], t.high[codes]
        inside = (x >= low * s) & (x <= high * s)
        if (s == 0).any():
            inside |= (s == 0) & (t.rank[codes] == 0)
        if not np.isfinite(x.sum()):
            inside |= ~np.isfinite(x)  # what a NaN or an infinity becomes is the producer's own choice
        if not np.isfinite(s).all():
            inside |= ~np.isfinite(np.broadcast_to(s, x.shape))
    return ~inside


@dataclass
class Off:
    """Codes that are no rounding: how far they are off."""

    one: int = 0
    more: int = 0
    signs: int = 0
    excess: float = 0.0  # the farthest beyond the interval, in steps of the format there

    def add(self, x: Array, codes: NDArray[np.uint8], s: Array, name: str, slack: float = SLACK) -> None:
        """Count elements that are off; all arrays flat."""
        t, f = table(name, "nearest", slack), get_format(name)
        with np.errstate(all="ignore"):
            q = x.astype(np.float64) / s.astype(np.float64)
            right = encoded(q.astype(np.float32), f)
            steps = np.abs(t.rank[codes].astype(np.int64) - t.rank[right])
            wrong_sign = (steps > 0) & (t.rank[codes] == -t.rank[right])
            below, above = t.low[codes] - q, q - t.high[codes]
            width = np.abs(t.values[right]) * 2.0**-f.t
            width = np.maximum(width, float(f.magnitude(1)))
            excess = np.nan_to_num(np.maximum(below, above) / width, nan=np.inf, posinf=np.inf)
        self.one += int((steps <= 1).sum())
        self.more += int((steps > 1).sum())
        self.signs += int(wrong_sign.sum())
        self.excess = max(self.excess, float(excess.max(initial=0)))


def feasible(x: F32s, codes: NDArray[np.uint8], name: str, slack: float = SLACK) -> tuple[Array, Array]:
    """The least and the largest scale under which each code is the rounding of x; least > largest where none is."""
    t = table(name, "nearest", slack)
    magnitude = np.abs(x.astype(np.float64))
    with np.errstate(all="ignore"):
        low = np.where(np.isinf(t.last[codes]), 0, magnitude / t.last[codes])
        high = magnitude / t.first[codes]
    zero = t.rank[codes] == 0
    high = np.where(zero, np.inf, high)
    wrong = ~zero & ((x == 0) | ((t.rank[codes] < 0) != np.signbit(x)))
    return np.where(wrong, np.inf, low), np.where(wrong, 0, high)
