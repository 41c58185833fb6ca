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
    for e in range(t.grid.matrices):
        tops = np.zeros((t.grid.m, t.grid.n), np.uint8)
        for i, j in chunks(t.rows, t.columns):
            codes = t.elements(e, i, j)
            s.histogram += counted(codes)
            _raise(tops, codes & mask, t, i)
            progress(codes.size if t.pack == "" else codes.size // 2)
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


def _raise(tops: NDArray[np.uint8], magnitudes: NDArray[np.uint8], t: Quantised, i: int) -> None:
    """Largest magnitudes of the groups that rows from i on belong to."""
    g = t.grid
    rows = magnitudes.shape[0]
    if g.n == 1:
        wide = magnitudes.max(axis=1, keepdims=True)
    elif t.columns % g.c == 0:
        wide = magnitudes.reshape(rows, g.n, g.c).max(axis=2)
    else:
        wide = np.maximum.reduceat(magnitudes, np.arange(0, t.columns, g.c), axis=1)
    index = np.arange(i, i + rows) // g.r
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    part = np.maximum.reduceat(wide, starts, axis=0)
    where = index[starts]
    tops[where] = np.maximum(tops[where], part)


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
    typical: list[Array] = []
    inverse: list[Array] = []
    unit = True
    small, large = np.inf, 0.0
    name = t.scale.name if t.scale is not None else t.name
    for e in range(t.grid.matrices):
        stored = t.stored_scales(e)
        numbers = t.decoded(stored)
        _numbers(t, name, e, stored, numbers)
        tops = np.abs(f[np.minimum(s.tops[e], f.size - 1)])
        used = s.tops[e] > 0
        zero = (numbers == 0) & used
        if zero.any():
            _at(t, "scale-zero", name, e, zero, "is 0, and its codes are not")
        real = numbers[np.isfinite(numbers) & (numbers > 0)]
        if real.size:
            small, large = min(small, float(real.min())), max(large, float(real.max()))
            s.powers = s.powers and bool((np.frexp(real)[0] == 0.5).all())
            s.bf16 = s.bf16 and not (real.view(np.uint32) & np.uint32(0xFFFF)).any()
        unit = unit and bool((numbers == 1).all())
        s.groups += numbers.size
        s.zero_groups += int((~used).sum())
        some = used & np.isfinite(numbers) & (numbers > 0) & np.isfinite(tops)
        with np.errstate(all="ignore"):
            w = t.multiplier(e)
            typical.append((tops[some] * numbers[some]).astype(np.float64) * w)
            inverse.append(tops[some].astype(np.float64) / (numbers[some].astype(np.float64) * w))
            s.at_top += float((tops[some] >= float(t.format.max) / 2).sum())
    s.smallest, s.largest = (float(small), float(large)) if large else (0.0, 0.0)
    reached = np.concatenate(typical)
    turned = np.concatenate(inverse)
    s.at_top = s.at_top / reached.size if reached.size else 0.0
    s.typical = float(np.median(reached)) if reached.size else 0.0
    _wholes(t)
    if not reached.size:
        return
    if unit and s.typical >= LARGE * t.multiplier() and s.typical >= LARGE:
        t.find("unit-scale", f"{name} is 1, and the codes reach {float(f[_best(s)]):g}: their scale is not there")
    elif t.whole is not None and (t.wholes == 1).all() and s.typical >= LARGE:
        t.find("unit-scale", f"{t.whole.name} is 1, and values reach {s.typical:.4g} in an ordinary block")
    elif unit and t.whole is not None and s.groups >= 8:
        t.find("unit-scale", f"all {s.groups} block scales of {name} are 1 under a scale of the tensor")
    elif s.typical > IMPLAUSIBLE and float(np.median(turned)) < PLAUSIBLE:
        whose = t.whole.name if t.whole is not None else name
        t.find(
            "scale-inverted",
            f"{whose}: an ordinary group would reach {s.typical:.4g}, with the reciprocal {np.median(turned):.4g}",
        )
    if s.at_top < 0.01 and reached.size and t.format.k == 8:
        t.find(
            "range-unused", f"no group has a code in the upper half of {t.element}: scales are too large, or searched"
        )


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
