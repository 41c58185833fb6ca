"""Why codes are no rounding of the original over the stored scale: what explains all of them is named.

Every cause is a hypothesis about the bytes (another scale, another order, another format), and it holds only where the
codes become a complete rounding under it.  What no cause explains is a rounding of its own, or single codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.layouts import SCALE_LAYOUTS, relayout
from ...fast.recipes import values_of
from ..allowed import of_types
from ..declared import BITS
from ..tensors import Quantised
from .compare import Against, sparse
from .hypotheses import Hypothesis, numbers, scaled
from .original import TYPES, narrowed
from .rounding import feasible
from .samples import Sample

Array = NDArray[Any]
Others = Callable[[], Iterator[Quantised]]
FEW = 8  # codes that may be off by chance
SLIGHT = 0.0625  # steps beyond a rounding interval that the arithmetic of a narrower type explains


def causes(a: Against, s: Sample, others: Others) -> Iterator[tuple[str, Any]]:
    """What explains every code of the sample, the harmless first."""
    t = a.t
    if a.wrong >= FEW and s.off(how="truncated") == 0:
        yield "truncated", "every code is its quotient cut toward zero, not rounded"
    if sparse(a) and _few_in_groups(a, s):
        return
    yield from _order(t, s)
    yield from _other_scales(a, s, others)
    yield from _formats(t, s)
    yield from _groups(a, s)


def _few_in_groups(a: Against, s: Sample) -> bool:
    """Are the codes that are off alone in their groups?"""
    bad = a.bad[s.e]
    return int(bad.max(initial=0)) <= 2


def _order(t: Quantised, s: Sample) -> Iterator[tuple[str, Any]]:
    """Codes in another order in their bytes, scales in another order in their grid."""
    if t.pack == "dense" and s.off(codes=_from_the_top(s.codes)) == 0:
        yield "nibbles", "the first of four codes lies in the highest bits of three bytes, not in the lowest"
    elif t.pack and t.format.k == 4 and t.grid.c % 2 == 0:
        pairs = s.codes.reshape(len(s.codes), -1, 2)
        if s.off(codes=pairs[:, :, ::-1].reshape(s.codes.shape)) == 0:
            yield "nibbles", f"the first code of each byte lies in the {'low' if t.pack == 'high' else 'high'} nibble"
        if t.columns % t.grid.c == 0 and t.grid.n > 1:
            blocks = s.codes.reshape(len(s.codes), t.grid.n, t.grid.c)
            halves = np.concatenate([blocks[:, :, 0::2], blocks[:, :, 1::2]], axis=2)
            if t.pack == "gguf":
                split = blocks.reshape(len(s.codes), t.grid.n, 2, -1)
                halves = np.swapaxes(split, 2, 3).reshape(blocks.shape)
            if s.off(codes=halves.reshape(s.codes.shape)) == 0:
                yield (
                    "nibbles",
                    "the codes of a block lie in halves, as in GGUF" if t.pack != "gguf" else "codes lie in pairs",
                )
    m, n = s.factors.shape
    if m == n > 1 and s.off(np.ascontiguousarray(s.factors.T)) == 0:
        yield "scale-transposed", "the square grid of scales is transposed: rows and columns are exchanged"
    if m * n > 1 and (m, n) != (1, m * n):
        turned = s.factors.reshape(n, m).T
        if m != n and s.off(np.ascontiguousarray(turned)) == 0:
            yield "scale-transposed", "the scales stand column by column"
    for layout in SCALE_LAYOUTS:
        if layout in ("rows", "int32") or m * n < 2:
            continue
        places = np.arange(m * n, dtype=np.int64).reshape(m, n)
        flat = relayout(places, "rows", layout)
        if flat.size != m * n:
            continue
        for what, order in (("lie in", np.argsort(flat)), ("were taken out of", flat)):
            if s.off(s.factors.reshape(-1)[order].reshape(m, n)) == 0:
                yield (
                    "scale-swizzled",
                    f"the scales {what} the layout {layout}, and {t.convention.name} has them in {t.grid.layout}",
                )


def _from_the_top(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes of six bits, read as if the first of four lay in the highest bits of its three bytes."""
    a, b, c, d = (codes[:, i::4].astype(np.uint32) for i in range(4))
    word = a | b << 6 | c << 12 | d << 18
    turned = (word & 0xFF) << 16 | (word & 0xFF00) | word >> 16
    return np.stack([(turned >> (18 - 6 * i)) & 63 for i in range(4)], axis=2).astype(np.uint8).reshape(codes.shape)


def _other_scales(a: Against, s: Sample, others: Others) -> Iterator[tuple[str, Any]]:
    t = a.t
    with np.errstate(all="ignore"):
        w = t.multiplier(s.e)
        own = s.factors / w
        if s.off(1 / s.factors) == 0:
            yield "scale-inverted", "the codes were made with the reciprocals of the scales"
        if t.whole is not None:
            if s.off(own / w) == 0:
                yield "scale-inverted", f"{t.whole.name} is the reciprocal of what {t.convention.name} stores"
            if s.off(own) == 0:
                yield "global-scale", f"the codes were made without {t.whole.name}"
        if s.off(1 / own * w) == 0:
            yield "scale-inverted", "the scales of groups are reciprocals"
    for other in others():
        if other is t or other.grid != t.grid or other.scale is None:
            continue
        if s.off(other.factors(s.e)) == 0:
            yield "scale-exchanged", f"the codes were made with the scales of {other.name}"
        if t.whole is not None and other.whole is not None and s.off(own * other.multiplier(s.e)) == 0:
            yield "global-scale", f"the codes were made with {other.whole.name}"
    for h in a.scales[:4]:
        yield from _before_storing(a, s, h)
    if t.scale_format in TYPES:
        yield from _rounded_scales(a, s)


def _before_storing(a: Against, s: Sample, h: Hypothesis) -> Iterator[tuple[str, Any]]:
    """Scales of powers of two whose elements met what they were rounded from."""
    size = a.t.grid.m * a.t.grid.n
    if h.recipe.power == "none" or a.t.whole is not None or h.recipe.scale == "emax":
        return
    plain = h.recipe.but(
        power="none", stored="f32", limits="0-255", top="nan", small="exact", nan_scale="nan", elements="div"
    )
    other = Hypothesis(plain, h.source, h.narrow)
    factors = numbers(other, scaled(other, a.groups.a[s.e * size : (s.e + 1) * size])).reshape(s.factors.shape)
    if s.off(factors.astype(np.float64)) == 0:
        yield "scale-stale", "the codes were made with scales that were no powers of two yet"


def _rounded_scales(a: Against, s: Sample) -> Iterator[tuple[str, Any]]:
    """Scales that were rounded to their stored type after the codes were made."""
    t = a.t
    size = t.grid.m * t.grid.n
    part = slice(s.e * size, (s.e + 1) * size)
    for r in of_types(t.element, "f32", False, False):
        if r.scale_in != "f32" or r.stored != "f32":
            continue
        h = Hypothesis(r, "f32", None)
        wide = numbers(h, scaled(h, a.groups.a[part]))
        if (
            np.array_equal(narrowed(wide, t.scale_format), a.groups.stored[part])
            and s.off(wide.astype(np.float64).reshape(s.factors.shape)) == 0
        ):
            yield "scale-stale", f"the codes were made with binary32 scales, which were then stored as {t.scale_format}"


def _formats(t: Quantised, s: Sample) -> Iterator[tuple[str, Any]]:
    """Codes of another format under the same name: another bias first."""
    twins = {"e4m3fn": "e4m3fnuz", "e4m3fnuz": "e4m3fn", "e5m2": "e5m2fnuz", "e5m2fnuz": "e5m2"}
    twin = twins.get(t.element)
    if twin and s.off(element=twin) == 0:
        yield "bias", f"the codes are {twin}, and {t.element} is declared: values are off by a factor of two"
    if twin:
        for factor in (0.5, 2.0):
            if s.off(s.factors * factor) == 0:
                yield (
                    "bias",
                    f"the codes need scales {factor:g} times the stored ones: those of {twin} beside {t.element}",
                )
    for other in (name for name, bits in BITS.items() if bits == t.format.k > 4):
        if other not in (t.element, twin) and s.off(element=other) == 0:
            yield "format", f"the codes are {other}, and {t.element} is declared"


def _stands(t: Quantised, s: Sample, low: Array, high: Array) -> NDArray[np.bool_]:
    """Is there a scale of the stored format between two bounds?"""
    if t.scale_format not in ("e8m0fnu", "e4m3fn"):
        return np.ones(low.shape, np.bool_)
    scales = np.sort(values_of(t.scale_format).astype(np.float64))
    scales = scales[np.isfinite(scales) & (scales > 0)] * t.multiplier(s.e)
    found: NDArray[np.bool_] = np.searchsorted(scales, low, "left") < np.searchsorted(scales, high, "right")
    return found


def _groups(a: Against, s: Sample) -> Iterator[tuple[str, Any]]:
    """Groups whose codes are a complete rounding over some other scale."""
    t, g = a.t, a.t.grid
    low, high = feasible(s.x, s.codes, t.element, s.slack)
    starts = np.arange(0, t.columns, g.c) if g.n > 1 else np.array([0])
    low, high = np.maximum.reduceat(low, starts, axis=1), np.minimum.reduceat(high, starts, axis=1)
    index = s.rows // g.r
    firsts = np.flatnonzero(np.diff(index, prepend=-1))
    low, high = np.maximum.reduceat(low, firsts, axis=0), np.minimum.reduceat(high, firsts, axis=0)
    stored = s.factors[index[firsts]]
    slack = 1 + 2.0**-20
    bad = (stored * slack < low) | (stored > high * slack)
    n = int(bad.sum())
    if not n:
        return
    whole = (low <= high * slack) & _stands(t, s, low / slack, high * slack)
    counts = a.bad[s.e][index[firsts]]
    if not whole[bad].all() or ((counts[bad] <= 1).all() and t.format.k == 4 and n < 3):
        return
    with np.errstate(all="ignore"):
        least, most = low[bad] / stored[bad], high[bad] / stored[bad]
    if a.off.excess <= SLIGHT:
        return  # an arithmetic that is not known, and no other scale
    if n > 1 and bad.all() and float(least.max()) <= float(most.min()) * slack:
        ratio = float(np.sqrt(least.max() * min(most.min(), 1e300)))
        if t.whole is not None:
            yield "global-scale", f"{t.whole.name} is not the one of the codes, which fits {ratio:.6g} times of it"
        yield "scale-stale", f"the codes were made with scales {ratio:.6g} times the stored ones"
    here = s.factors[index[firsts]].reshape(-1)
    fits = sum(bool(((here >= lo / slack) & (here <= hi * slack)).any()) for lo, hi in zip(low[bad], high[bad]))
    wrong = stored[bad]
    among = all(bool(((low <= v * slack) & (high * slack >= v) & bad).any()) for v in wrong[:64])
    if n > 1 and fits == n and among:
        yield "scale-exchanged", f"the scales of {n} of {bad.size} groups stand at the places of others"
    i, k = (int(v) for v in np.argwhere(bad)[0])
    yield (
        "scale-stale",
        f"the codes of {n} of {bad.size} groups were made with other scales: the first fits "
        f"{low[i, k]:.6g} to {high[i, k]:.6g}, stored is {stored[i, k]:.6g}",
    )
