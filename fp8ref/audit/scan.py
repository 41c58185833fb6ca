"""A quantised tensor on its own: its scales, its codes, and whether they can be weights at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fast.recipes import values_of
from .files.stored import chunks
from .tensors import Quantised

Array = NDArray[Any]
IMPLAUSIBLE = 4096.0  # a largest weight beyond which only a wrong scale explains it
PLAUSIBLE = 1024.0
LARGE = 128.0  # what codes reach under a scale of 1, and weights do not


@dataclass
class Scan:
    """What one pass over a tensor saw.

    ``histogram``: how often each code stands.  ``tops``: largest magnitude code of each group, a matrix (m, n) for each
    matrix.  ``smallest``, ``largest``: decoded scales that are not 0.  ``powers``: all of them are powers of two.
    ``typical``: the median of the groups' largest values.  ``elements``: seen so far.
    """

    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    tops: list[NDArray[np.uint8]] = field(default_factory=list)
    smallest: float = 0.0
    largest: float = 0.0
    powers: bool = True
    bf16: bool = True
    typical: float = 0.0
    at_top: float = 0.0
    zeros: float = 0.0
    saturated: float = 0.0
    groups: int = 0
    zero_groups: int = 0


def scan(t: Quantised, progress: Callable[[int], None] = lambda n: None) -> Scan:
    """One pass over codes and scales; what is wrong with the tensor alone is added to its findings."""
    s = Scan()
    f = t.format
    mask = np.uint8(f.magnitude_mask)
    paired = t.pack in ("low", "high") and t.columns % 2 == 0 and (t.grid.n == 1 or t.grid.c % 2 == 0)
    for e in range(t.grid.matrices):
        tops = np.zeros((t.grid.m, t.grid.n), np.uint8)
        for i, j in chunks(t.rows, t.columns):
            if paired:
                raw = t.stored_rows(e, i, j)
                pairs = counted(raw).reshape(16, 16)
                s.histogram[:16] += pairs.sum(axis=0) + pairs.sum(axis=1)
                _raise(tops, np.maximum(raw & mask, (raw >> 4) & mask), t, i, t.grid.c // 2 if t.grid.n > 1 else 0)
            else:
                codes = t.elements(e, i, j)
                s.histogram += counted(codes)
                _raise(tops, codes & mask, t, i, t.grid.c)
            progress((j - i) * t.row_bytes)
        s.tops.append(tops)
    _codes(t, s)
    _scales(t, s)
    return s


def counted(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each byte stands."""
    flat = np.ascontiguousarray(codes).reshape(-1)
    even = flat[: flat.size // 2 * 2].view(np.uint16)
    pairs = np.bincount(even, minlength=1 << 16).reshape(256, 256)
    found: NDArray[np.int64] = pairs.sum(axis=0) + pairs.sum(axis=1)
    if flat.size % 2:
        found[flat[-1]] += 1
    return found


def _raise(tops: NDArray[np.uint8], magnitudes: NDArray[np.uint8], t: Quantised, i: int, c: int) -> None:
    """Largest magnitudes of the groups that rows from i on belong to, each of ``c`` columns here."""
    g = t.grid
    rows, columns = magnitudes.shape
    index = np.arange(i, i + rows) // g.r
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    wide = np.maximum.reduceat(magnitudes, starts, axis=0) if g.r > 1 else magnitudes
    if g.n == 1:
        wide = wide.max(axis=1, keepdims=True)
    elif columns % c == 0:
        wide = wide.reshape(-1, g.n, c).max(axis=2)
    else:
        wide = np.maximum.reduceat(wide, np.arange(0, columns, c), axis=1)
    where = index[starts]
    tops[where] = np.maximum(tops[where], wide)


def _codes(t: Quantised, s: Scan) -> None:
    values = values_of(t.element)
    wrong = np.flatnonzero(~np.isfinite(values) & (s.histogram[: values.size] > 0))
    total = int(s.histogram.sum())
    top = float(t.format.max)
    size = values.size
    s.zeros = float(s.histogram[:size][values == 0].sum()) / max(total, 1)
    s.saturated = float(s.histogram[:size][np.abs(values) == top].sum()) / max(total, 1)
    if wrong.size:
        n = int(s.histogram[wrong].sum())
        e, i, k = _first(t, {int(code) for code in wrong})
        t.find(
            "codes-nan", f"{n} of {total} codes are no numbers, the first 0x{_code(t, e, i, k):02X}", _place(t, e, i, k)
        )
    if s.saturated > 0.02 and total >= 4096 and t.format.k == 8:
        t.find("saturated", f"{100 * s.saturated:.1f} % of the codes are the largest of {t.element}")


def _first(t: Quantised, wanted: set[int]) -> tuple[int, int, int]:
    for e in range(t.grid.matrices):
        for i, j in chunks(t.rows, t.columns):
            codes = t.elements(e, i, j)
            hit = np.flatnonzero(np.isin(codes, list(wanted)))
            if hit.size:
                return e, i + int(hit[0]) // codes.shape[1], int(hit[0]) % codes.shape[1]
    return 0, 0, 0


def _code(t: Quantised, e: int, i: int, k: int) -> int:
    return int(t.elements(e, i, i + 1)[0, k])


def _place(t: Quantised, e: int, i: int, k: int) -> str:
    return f"[{f'{e}, ' if t.grid.matrices > 1 else ''}{i}, {k}]"


def _scales(t: Quantised, s: Scan) -> None:
    if t.scale is None and t.pack != "gguf":
        _alone(t, s)
        return
    f = values_of(t.element)
    seen: list[_Pairs] = []
    name = t.scale.name if t.scale is not None else t.name
    for e in range(t.grid.matrices):
        stored = t.stored_scales(e)
        here = _pairs(t, stored, s.tops[e])
        zero = here.numbers == 0
        if not np.isfinite(here.numbers).all() or (here.numbers < 0).any() or (zero & (here.tops > 0)).any():
            numbers = t.decoded(stored)
            _numbers(t, name, e, stored, numbers)
            empty = (numbers == 0) & (s.tops[e] > 0)
            if empty.any():
                _at(t, "scale-zero", name, e, empty, "is 0, and its codes are not")
        seen.append(here)
    w = np.concatenate([np.full(here.counts.size, t.multiplier(e)) for e, here in enumerate(seen)])
    numbers, codes, counts = (np.concatenate([getattr(p, x) for p in seen]) for x in ("numbers", "tops", "counts"))
    tops = np.abs(f[np.minimum(codes, f.size - 1)])
    real = numbers[np.isfinite(numbers) & (numbers > 0)]
    if real.size:
        s.smallest, s.largest = float(real.min()), float(real.max())
        s.powers = bool((np.frexp(real)[0] == 0.5).all())
        s.bf16 = not (real.view(np.uint32) & np.uint32(0xFFFF)).any()
    unit = bool((numbers == 1).all())
    s.groups, s.zero_groups = int(counts.sum()), int(counts[codes == 0].sum())
    some = (codes > 0) & np.isfinite(numbers) & (numbers > 0) & np.isfinite(tops)
    with np.errstate(all="ignore"):
        reached = (tops[some] * numbers[some]).astype(np.float64) * w[some]
        turned = tops[some].astype(np.float64) / (numbers[some].astype(np.float64) * w[some])
    total = int(counts[some].sum())
    s.at_top = float(counts[some][tops[some] >= float(t.format.max) / 2].sum()) / total if total else 0.0
    s.typical = _median(reached, counts[some])
    _wholes(t)
    if not reached.size:
        return
    if unit and s.typical >= LARGE * t.multiplier() and s.typical >= LARGE:
        t.find("unit-scale", f"{name} is 1, and the codes reach {float(f[_best(s)]):g}: their scale is not there")
    elif t.whole is not None and (t.wholes == 1).all() and s.typical >= LARGE:
        t.find("unit-scale", f"{t.whole.name} is 1, and values reach {s.typical:.4g} in an ordinary block")
    elif unit and t.whole is not None and s.groups >= 8:
        t.find("unit-scale", f"all {s.groups} block scales of {name} are 1 under a scale of the tensor")
    elif s.typical > IMPLAUSIBLE and _median(turned, counts[some]) < PLAUSIBLE:
        whose = t.whole.name if t.whole is not None else name
        other = _median(turned, counts[some])
        t.find(
            "scale-inverted", f"{whose}: an ordinary group would reach {s.typical:.4g}, with the reciprocal {other:.4g}"
        )
    if s.at_top < 0.01 and reached.size and t.format.k == 8:
        t.find(
            "range-unused", f"no group has a code in the upper half of {t.element}: scales are too large, or searched"
        )


@dataclass(frozen=True)
class _Pairs:
    """Scales and largest codes that stand together in groups of a matrix, and how often."""

    numbers: NDArray[np.float32]
    tops: NDArray[np.uint8]
    counts: NDArray[np.int64]


def _pairs(t: Quantised, stored: Array, tops: NDArray[np.uint8]) -> _Pairs:
    """``stored``: scales as they stand; of bytes there are few pairs, of numbers each group is one."""
    if stored.dtype != np.uint8 or stored.size < 1 << 12:
        return _Pairs(t.decoded(stored).reshape(-1), tops.reshape(-1), np.ones(stored.size, np.int64))
    both = np.left_shift(stored, 8, dtype=np.uint16)
    both |= tops
    counts = np.bincount(both.reshape(-1), minlength=1 << 16)
    there = np.flatnonzero(counts)
    return _Pairs(t.decoded((there >> 8).astype(np.uint8)), (there & 255).astype(np.uint8), counts[there])


def _median(x: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """The median of numbers that stand several times each; 0 of none."""
    total = int(counts.sum())
    if not total:
        return 0.0
    order = np.argsort(x, kind="stable")
    ends = np.cumsum(counts[order])
    low, high = (x[order[np.searchsorted(ends, k, "right")]] for k in ((total - 1) // 2, total // 2))
    return float((low + high) / 2) if low != high else float(low)


def _best(s: Scan) -> int:
    return max(int(tops.max(initial=0)) for tops in s.tops)


def _numbers(t: Quantised, name: str, e: int, stored: Array, numbers: NDArray[np.float32]) -> None:
    if np.isnan(numbers).any():
        _at(t, "scale-nan", name, e, np.isnan(numbers), "is NaN")
    if np.isinf(numbers).any():
        _at(t, "scale-infinite", name, e, np.isinf(numbers), "is infinite")
    if (numbers < 0).any():
        _at(t, "scale-negative", name, e, numbers < 0, "is negative")


def _at(t: Quantised, kind: str, name: str, e: int, mask: NDArray[np.bool_], what: str) -> None:
    i, k = (int(n) for n in np.argwhere(mask)[0])
    n = int(mask.sum())
    t.find(kind, f"{n} of {mask.size} scales: {name}[{i}, {k}] {what}", _place(t, e, i * t.grid.r, k * t.grid.c))


def _wholes(t: Quantised) -> None:
    """The tensor's own scale."""
    if t.whole is None:
        return
    for kind, mask, what in (
        ("scale-nan", np.isnan(t.wholes), "NaN"),
        ("scale-infinite", np.isinf(t.wholes), "infinite"),
        ("scale-negative", t.wholes < 0, "negative"),
        ("scale-zero", t.wholes == 0, "0"),
    ):
        if mask.any() and not (kind == "scale-zero" and not t.convention.divides and _all_zero(t)):
            t.find(kind, f"{t.whole.name} is {what}")


def _all_zero(t: Quantised) -> bool:
    mask = np.uint8(t.format.magnitude_mask)
    return all(
        not (t.elements(e, i, j) & mask).any() for e in range(t.grid.matrices) for i, j in chunks(t.rows, t.columns)
    )


def _alone(t: Quantised, s: Scan) -> None:
    """Codes without scales: they are the values, if they can be."""
    if t.grid.name != "none" or any(f.kind == "scale-missing" for f in t.findings):
        return
    values = values_of(t.element)
    top = float(np.abs(values[_best(s)]))
    share = s.histogram[: values.size].astype(np.float64) / max(int(s.histogram.sum()), 1)
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    rms = float(np.sqrt((share * finite * finite).sum()))
    if top >= float(t.format.max) / 2 and rms > 4:
        t.find(
            "scale-missing",
            f"no scale stands beside the codes, which reach {top:g} with a root mean square of {rms:.3g}",
        )
    else:
        t.find("unscaled", f"no scale stands beside the codes; the largest value is {top:g}")
