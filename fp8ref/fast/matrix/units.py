"""The accumulator models on tiles of outputs: the specification's interpreter, vectorised (see ``spec.accumulate``).

C and D travel as float32 arrays that hold values of the model's result format, infinities and NaNs among them.  Every
step is exact arithmetic in float32 or float64: aligned addends are integers small enough to add without rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np

from ...spec.catalog import get_format
from ...spec.matrix.accumulate import (
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
    TwoChains,
)
from ..chunks import Array
from .aligned.late import fused_late
from .aligned.steps import Steps
from .exact_steps import exact_steps
from .expansion import Floats
from .groups import group_dot
from .narrow import F32s, add, flushed, fma, fma32, to_flushed, to_format
from .tiles import Tile, product32, to_binary32

SIDE_BY_SIDE = 1 << 13  # outputs of pieces of K that are summed together


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
        case TwoChains():
            return _two_chains(model, tile, c)
        case Tree() if model.k == 1:
            return add(_tree(model, _products(tile), 0, tile.k), c, model.format) if tile.k else c
    if tile.k % model.k:
        tile = tile.part(0, -(-tile.k // model.k) * model.k)
    match model:
        case Fused():
            return Steps(model, tile).run(c)
        case FusedLate():
            return fused_late(model, tile, c)
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


def _products(tile: Tile) -> Callable[[int], Array]:
    """The k-th products, exact or (of a tree in f32) as IEEE multiplies, special ones included."""
    a, b = _operands(tile)
    return lambda k: a[k] * b[k]


def _operands(tile: Tile) -> tuple[Array, Array]:
    """Both sides in the dtype of their values, special ones included."""
    a, b = (s.values if s.special is None else s.special.astype(s.values.dtype) for s in (tile.a, tile.b))
    return a, b


def _chain(model: Chain, tile: Tile, c: F32s) -> F32s:
    if tile.k % model.k:
        tile = tile.part(0, -(-tile.k // model.k) * model.k)
    order = model.places(tile.k)
    f = model.format
    if model.flush:
        return _flushing_chain(model, *_operands(tile), flushed(c, f))
    a, b = (s.values if s.special is None else s.special for s in (tile.a, tile.b))
    if a.dtype == np.float64:  # products that float32 does not hold
        for k in order:
            c = fma(a[k] * b[k], c, f) if model.fused else add(to_format(a[k] * b[k], f), c, f)
        return c
    product = np.empty(tile.shape, np.float32)
    c = c.copy()
    products, reach = _largest(a) * _largest(b), float(_largest(c.reshape(1, -1))[0])
    for k in order:
        np.multiply(a[k], b[k], out=product)
        if f.name == "f32":
            np.add(c, product, out=c)
            continue
        reach = _rounded(reach + _rounded(float(products[k])))
        c = (
            fma32(product, c, f, reach=reach)
            if model.fused
            else add(to_format(product, f, reach=reach), c, f, reach=reach)
        )
    return c


def _largest(x: Array) -> Floats:
    """The largest magnitude in each row of x, as float64; NaN where one is."""
    flat = x.reshape(len(x), -1)
    largest: Array = np.maximum(flat.max(axis=1, initial=0), -flat.min(axis=1, initial=0))
    return largest.astype(np.float64)


def _rounded(x: float) -> float:
    """What a magnitude of at most x does not exceed once it is rounded to f16 (or float64), normal or not."""
    return x * (1 + 2.0**-10) + 2.0**-24


def _flushing_chain(model: Chain, a: Array, b: Array, c: F32s) -> F32s:
    f = model.format
    calm = a.dtype == np.float32 and model.fused and f.name == "f32" and _never_tiny(model)
    for k in model.places(len(a)):
        p = a[k] * b[k]
        if calm:
            c = c + p
        elif model.fused:
            c = fma(p.astype(np.float64), c, f, flush=True)
        else:
            c = to_flushed(to_flushed(p, f) + c, f)
    return c


def _two_chains(model: TwoChains, tile: Tile, c: F32s) -> F32s:
    f = model.format
    if tile.k % model.turn:
        tile = tile.part(0, -(-tile.k // model.turn) * model.turn)
    a, b = _operands(tile)
    calm = a.dtype == np.float32 and f.name == "f32" and _never_tiny(model)
    c = flushed(c, f)
    for start in range(0, tile.k, model.k):
        registers = [np.zeros(tile.shape, np.float32), np.zeros(tile.shape, np.float32)]
        for k in range(start, min(start + model.k, tile.k), 1 + model.pairs):
            which = (k >> model.pairs) % 2
            p = a[k] * b[k]
            if model.pairs:
                q = a[k + 1] * b[k + 1]
                p = p + q if calm else to_flushed(to_flushed(p, f) + to_flushed(q, f), f)
            if calm:
                registers[which] += p
            else:
                registers[which] = fma(p.astype(np.float64), registers[which], f, flush=True)
        c = to_flushed(c + to_flushed(registers[0] + registers[1], f), f)
    return c


def _never_tiny(model: Chain | TwoChains) -> bool:
    """Are sums that begin at zeros or normal numbers never tiny, for the products' lowest bits lie far above?

    Of a product p and a sum c, c + p is a multiple of p's lowest bit u, or of the ulp of a c that nearly cancels p,
    which is at least u * 2**-p.
    """
    lowest = [get_format(name).emin - get_format(name).t for name in model.operands]
    return bool(lowest) and 2 * min(lowest) >= model.format.emin + model.format.p


def _tree(model: Tree, product: Callable[[int], Array], start: int, stop: int) -> F32s:
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
        c = flushed(c, model.format)
        c = c if model.signed else np.where(c == 0, np.float32(0), c)
    for start in range(0, tile.k, model.k):
        c = _flushed(model, add(_tree(model, product, start, start + model.k), c, model.format))
    return c
