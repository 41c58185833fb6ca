"""Dot products by an accumulator model: tiles that stay in the cache, scales where the model has them, the epilogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.matrix.accumulate import (
    Chain,
    Composed,
    ExactStep,
    Fused,
    FusedLate,
    GroupDot,
    Model,
    Scales,
    Tree,
    TwoChains,
)
from ..chunks import Array
from ..kernel import code_dtype
from .epilogue import converted, finish
from .exact_dot import format_range
from .expansion import Floats
from .narrow import F32s
from .problem import Problem
from .tiles import ABSENT8, ABSENT16, PRESENT8, PRESENT16, Side, Tile, lay, make_side

ROWS, COLUMNS = 64, 512
TILE = ROWS * COLUMNS
HELD = 1 << 21  # elements of an operand laid out at a time
BUFFER = 512  # elements of numpy's buffer of operands: of a larger one it fills the rest with copies of broadcast rows


@dataclass(frozen=True)
class Layout:
    """How a model wants its operands: dtype of values and exponents, what zeros show, where sums distinguish zeros."""

    dtype: DTypeLike
    exponents: DTypeLike
    zeros: tuple[int, int]
    present: int | None
    lowest: int = -(1 << 15)  # that a product's exponent may be


def layout(model: Model, fa: Format, fb: Format) -> Layout:
    """float32 and int8 where they are exact, else float64 and int16."""
    narrow = _float32_products(fa, fb)
    if isinstance(model, Fused):
        small = max(abs(f.emin) for f in (fa, fb)) <= 16 and max(f.emax for f in (fa, fb)) <= 16
        if model.scales is Scales.PRODUCT or model.zero_exponent is not None or not small:
            zero = ABSENT16 if model.zero_exponent is None else model.zero_exponent
            return Layout(np.float64, np.int16, (zero, zero), PRESENT16 if zero == ABSENT16 else None, -(1 << 15))
        # products are below 2**(E + 2), C below 2**(E + 1); their cut integers must add without rounding
        largest = (4 * model.products + 1) << model.fraction_bits
        dtype = np.float32 if narrow and largest < 1 << 24 else np.float64
        return Layout(dtype, np.int8, (ABSENT8, ABSENT8), PRESENT8, fa.emin + fb.emin)
    if isinstance(model, FusedLate):
        zeros = (fa.emin, fb.emin) if model.zero_exponent is None else (model.zero_exponent,) * 2
        return Layout(np.float64, np.int16, zeros, None)
    dtype = (
        np.float64
        if isinstance(model, GroupDot | ExactStep) or (isinstance(model, Chain | Tree | TwoChains) and not narrow)
        else np.float32
    )
    return Layout(dtype, np.int16, (0, 0), None)


def _float32_products(fa: Format, fb: Format) -> bool:
    """Does float32 hold every product of two values?"""
    (la, ta), (lb, tb) = format_range(fa), format_range(fb)
    return fa.p + fb.p <= 24 and la + lb >= -149 and ta + tb <= 128


def by_model(p: Problem, model: Model) -> Array:
    """Codes of the outputs of a problem, in its result format."""
    leaf = model
    while isinstance(leaf, Composed):
        leaf = leaf.inner
    how = layout(leaf, p.fa, p.fb)
    own = np.empty(p.shape, code_dtype(model.format))
    k = p.a.shape[1]
    held: tuple[slice, Side] | None = None  # tiles of the same columns follow each other
    for rows, columns in _places(p, max(k, 1)):
        place = (rows, columns) if p.outer else (rows,)
        c = np.zeros(_extent(place), np.float32) if p.c is None else p.c[place].astype(np.float32)
        a = _side(p, model, leaf, how, rows, first=True)
        if held is None or held[0] != columns:
            held = columns, _side(p, model, leaf, how, columns, first=False)
        tile = Tile(a, held[1], k, p.outer, how.present, how.lowest, p.fa.p + p.fb.p)
        with np.errstate(all="ignore"), small_buffer():
            d = finish(p, model, tile, place, c)
        own[place] = _codes(d, model)
    return converted(own, p, model)


@contextmanager
def small_buffer() -> Iterator[None]:
    """In this thread rows of a tile that broadcast are read where they lie."""
    before = np.setbufsize(BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


def _places(p: Problem, k: int) -> Iterator[tuple[slice, slice]]:
    if not p.outer:
        step = max(1, min(TILE, HELD // 2 // k))
        for i in range(0, p.shape[0], step):
            rows = slice(i, min(i + step, p.shape[0]))
            yield rows, rows
        return
    m, n = p.shape
    columns = max(1, min(n, COLUMNS, HELD // k))
    height = max(1, min(TILE // columns, HELD // k))
    for j in range(0, n, columns):
        for i in range(0, m, height):
            yield slice(i, min(i + height, m)), slice(j, min(j + columns, n))


def _extent(place: tuple[slice, ...]) -> tuple[int, ...]:
    return tuple(s.stop - s.start for s in place)


def _side(p: Problem, model: Model, leaf: Model, how: Layout, rows: slice, *, first: bool) -> Side:
    codes, f, scale = (p.a, p.fa, p.scale_a) if first else (p.b, p.fb, p.scale_b)
    codes = codes[rows]
    axis = None if not p.outer else 2 if first else 1
    given = p.scale_a is not None or p.scale_b is not None
    if scale is None:
        scale = np.ones((1, 1))
    here = scale[rows] if scale.shape[0] > 1 else np.broadcast_to(scale, (codes.shape[0], scale.shape[1]))
    inside = None
    apart = isinstance(leaf, ExactStep)  # scales of its sums
    if given and model.scales is Scales.PRODUCT and not apart:
        inside = _spread(here, p.block, codes.shape[1])
    least, signed = _least(leaf, f)
    zero = how.zeros[0 if first else 1]
    side = make_side(codes, f, how.dtype, zero, how.exponents, axis, inside=inside, least=least, signed=signed)
    if given and (model.scales is Scales.CHUNK or apart):
        return replace(side, scales=lay(here, np.float64, axis), unit=p.block)
    if isinstance(leaf, GroupDot):
        groups = _spread(here, p.block, codes.shape[1])[:, :: leaf.group]
        return replace(side, unit=leaf.group, **_group_scales(groups, leaf, axis))
    return side


def _least(leaf: Model, f: Format) -> tuple[float, bool]:
    """Below which magnitude a unit takes operands for zeros, and whether they keep their sign."""
    match leaf:
        case Tree(flush=True):
            return float(f.min_normal), leaf.signed
        case Chain(flush=True):
            return float(leaf.format.min_normal), True
        case TwoChains():
            own = float(f.min_normal) if f.name in leaf.daz else 0.0
            return max(float(leaf.format.min_normal), own), True
    return 0.0, False


def _spread(scale: Floats, block: int, k: int) -> Floats:
    """One scale for every element."""
    if scale.shape[1] == 1:
        return np.broadcast_to(scale, (scale.shape[0], k))
    return np.repeat(scale, block, axis=1)[:, :k]


def _group_scales(scale: Floats, model: GroupDot, axis: int | None) -> dict[str, Any]:
    emin = min(get_format(name).emin for name in model.scale_formats)
    e = np.where(scale == 0, -126, np.maximum(np.frexp(scale)[1] - 1, emin))
    return {"scales": lay(np.ldexp(scale, -e), np.float64, axis), "scale_exponents": lay(e, np.int32, axis)}


def _codes(d: F32s, model: Model) -> Array:
    """Values of the model's format, held in float32, as its codes."""
    nan = np.isnan(d)
    if model.result == "f32":
        codes: Array = d.view(np.uint32).copy()
    elif model.result == "f16":
        codes = d.astype(np.float16).view(np.uint16)
    else:
        codes = (d.view(np.uint32) >> 16).astype(np.uint16)
    codes[nan] = model.nan
    return codes
