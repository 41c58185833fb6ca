"""Two quantised tensors, or their values, compared part by part: how many scales, codes and values differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.recipes import values_of
from ..files.stored import KINDS, Stored, chunks
from ..run import Judged
from ..tensors import Quantised

Array = NDArray[Any]
Part = Callable[[int, int, int], Array]  # matrix, first row, row after the last: values


@dataclass
class Counts:
    """What differs between A and B.

    ``scales``: groups whose decode multipliers differ, of ``groups``, ``one_bit`` of them by one unit in the last place
    of the stored scale; ``least``, ``most``: the ratios B / A there.  ``codes``: elements whose codes differ,
    ``under_one`` where the scales are equal, ``under_bit`` where they differ by one unit, ``under_other`` elsewhere;
    ``one_step``: neighbours in the format, ``signs``: zeros of unlike sign.  ``values``: decoded values that differ.
    ``noise``: sum of squares of the differences, ``signal``: of A's values, ``largest``: difference.  Places are
    (matrix, row, column), of scales those of their groups.
    """

    elements: int = 0
    groups: int = 0
    comparable_scales: bool = False
    comparable_codes: bool = False
    scales: int = 0
    one_bit: int = 0
    least: float = float("inf")
    most: float = 0.0
    codes: int = 0
    under_one: int = 0
    under_bit: int = 0
    under_other: int = 0
    one_step: int = 0
    signs: int = 0
    values: int = 0
    nans: int = 0
    noise: float = 0.0
    signal: float = 0.0
    largest: float = 0.0
    first_scale: tuple[int, int, int] | None = None
    first_code: tuple[int, int, int] | None = None
    first_value: tuple[int, int, int] | None = None
    first_pair: tuple[float, float] | None = None

    @property
    def sqnr(self) -> float | None:
        """Of B's values as an approximation of A's, in dB; None where they are equal, or no numbers."""
        if not (self.noise > 0 and self.signal > 0 and np.isfinite(self.noise + self.signal)):
            return None
        return round(float(10 * np.log10(self.signal / self.noise)), 2)


@dataclass
class _Scales:
    """Decode multipliers of a matrix, and a mask of groups: equal 0, one unit apart 1, otherwise 2."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    apart: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))


def count(a: Judged, b: Judged, progress: Callable[[int], None] = lambda n: None) -> Counts:
    """Compare two quantised tensors of one shape."""
    s, t = a.tensor, b.tensor
    found = Counts(elements=s.size)
    ga, gb = s.grid, t.grid
    found.comparable_scales = (ga.r, ga.c, ga.m, ga.n) == (gb.r, gb.c, gb.m, gb.n)
    found.comparable_codes = s.element == t.element
    found.groups = ga.m * ga.n * ga.matrices if found.comparable_scales else 0
    for e in range(ga.matrices):
        scales = _scales(found, s, t, e)
        for i, j in chunks(s.rows, s.columns, 1, 1 << 19):
            fa, fb = s.spread(scales.a, i, j), t.spread(scales.b, i, j)
            ca, cb = s.elements(e, i, j), t.elements(e, i, j)
            if found.comparable_codes:
                apart = s.spread(scales.apart, i, j) if found.comparable_scales else _apart(fa, fb)
                _codes(found, s, ca, cb, np.broadcast_to(apart, ca.shape), (e, i))
            with np.errstate(all="ignore"):
                _values(found, values_of(s.element)[ca] * fa, values_of(t.element)[cb] * fb, (e, i))
            progress(ca.size)
    return found


def count_values(size: int, rows: int, columns: int, a: Part, b: Part, matrices: int = 1) -> Counts:
    """Compare values alone."""
    found = Counts(elements=size)
    for e in range(matrices):
        for i, j in chunks(rows, columns, 1, 1 << 19):
            _values(found, a(e, i, j).astype(np.float64), b(e, i, j).astype(np.float64), (e, i))
    return found


def values_part(side: Judged | Stored, rows: int, columns: int) -> Part:
    """Reads decoded values of a tensor, in binary64."""
    if isinstance(side, Judged):
        t = side.tensor
        factors: dict[int, Array] = {}

        def decoded(e: int, i: int, j: int) -> Array:
            if e not in factors:
                factors.clear()
                factors[e] = t.factors(e)
            with np.errstate(all="ignore"):
                return np.asarray(values_of(t.element)[t.elements(e, i, j)] * t.spread(factors[e], i, j))

        return decoded

    def stored(e: int, i: int, j: int) -> Array:
        start = (e * rows + i) * columns
        return np.asarray(side.read(start, start + (j - i) * columns), np.float64).reshape(j - i, columns)

    return stored


def rounded_to(kind: str, x: Array) -> Array:
    """Values rounded to a floating-point kind of stored tensors, once through binary32 as frameworks compute them."""
    with np.errstate(all="ignore"):
        return np.asarray(np.asarray(x, np.float32).astype(KINDS[kind]), np.float64)


def _scales(found: Counts, s: Quantised, t: Quantised, e: int) -> _Scales:
    a, b = s.factors(e), t.factors(e)
    scales = _Scales(a, b)
    if not found.comparable_scales:
        return scales
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    near = ~same & (_ulps(s, t, e) == 1)
    scales.apart = np.where(same, 0, np.where(near, 1, 2)).astype(np.uint8)
    found.scales += int((~same).sum())
    found.one_bit += int(near.sum())
    if not same.all():
        with np.errstate(all="ignore"):
            ratio = b[~same] / a[~same]
        usual = ratio[np.isfinite(ratio) & (ratio > 0)]
        if usual.size:
            found.least, found.most = min(found.least, float(usual.min())), max(found.most, float(usual.max()))
        if found.first_scale is None:
            i, j = np.argwhere(~same)[0]
            found.first_scale = (e, int(i), int(j))
    return scales


def _ulps(s: Quantised, t: Quantised, e: int) -> Array:
    """How many units in the last place lie between stored scales of one type; 0 where they are of two types."""
    x, y = s.stored_scales(e), t.stored_scales(e)
    if s.scale_format != t.scale_format or x.dtype != y.dtype or s.multiplier(e) != t.multiplier(e):
        if s.scale_format in ("f32", "bf16", "f16") and t.scale_format in ("f32", "bf16", "f16"):
            x, y = (np.asarray(z, np.float32) for z in (s.decoded(x), t.decoded(y)))
            wide = np.uint32
        else:
            return np.zeros(x.shape, np.int64)
    else:
        wide = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}[x.dtype.itemsize]  # type: ignore[assignment]
    left, right = (np.ascontiguousarray(z).view(wide).astype(np.int64).reshape(x.shape) for z in (x, y))
    return np.asarray(np.abs(left - right))


def _apart(fa: Array, fb: Array) -> Array:
    return np.where((fa == fb) | (np.isnan(fa) & np.isnan(fb)), 0, 2).astype(np.uint8)


def _codes(found: Counts, s: Quantised, ca: Array, cb: Array, apart: Array, at: tuple[int, int]) -> None:
    differ = ca != cb
    f = s.format
    if differ.any():
        nan = np.isnan(values_of(s.element))
        differ &= ~(nan[ca] & nan[cb])  # NaNs of any sign and payload are alike
    n = int(differ.sum())
    if not n:
        return
    found.codes += n
    where = apart[differ]
    found.under_one += int((where == 0).sum())
    found.under_bit += int((where == 1).sum())
    found.under_other += int((where == 2).sum())
    x, y = ca[differ].astype(np.int64), cb[differ].astype(np.int64)
    mask, sign = f.magnitude_mask, f.sign_bit
    left, right = (np.where(z & sign, -(z & mask), z & mask) for z in (x, y))
    found.signs += int((left == right).sum())
    found.one_step += int((np.abs(left - right) == 1).sum())
    if found.first_code is None:
        i, k = np.argwhere(differ)[0]
        found.first_code = (at[0], at[1] + int(i), int(k))


def _values(found: Counts, a: Array, b: Array, at: tuple[int, int]) -> None:
    nan_a, nan_b = np.isnan(a), np.isnan(b)
    differ = ~((a == b) | (nan_a & nan_b))
    n = int(differ.sum())
    found.values += n
    found.nans += int((nan_a != nan_b).sum())
    with np.errstate(all="ignore"):
        gap = np.where(differ, b - a, 0.0)
        found.signal += float(np.square(a).sum())
        found.noise += float(np.square(gap).sum())
        found.largest = max(found.largest, float(np.nan_to_num(np.abs(gap), nan=np.inf).max(initial=0)))
    if n and found.first_value is None:
        i, k = np.argwhere(differ)[0]
        found.first_value = (at[0], at[1] + int(i), int(k))
        found.first_pair = (float(a[i, k]), float(b[i, k]))
