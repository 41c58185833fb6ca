"""Chains and trees of binary64 operations on tiles of outputs, each rounded once.

Multiplications and additions are float64's own.  A fused multiply-add [Boldo and Melquiond 2008, figure 9]: the product
as two float64 numbers and C are added with what is lost rounded to odd.  Only the product's lower half can underflow,
and only sums can overflow: magnitudes of the operands exclude both, or the specification answers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...spec.matrix.accumulate import Chain, Tree
from ..chunks import Array
from ..decode import decode_codes
from ..tables import exactly_holds
from .expansion import F64, Floats, halves, to_odd, two_product_of, two_sum
from .problem import Problem

LEAST, MOST = 2.0**-450, 2.0**480  # magnitudes of operands whose products are two float64 numbers
ROWS, COLUMNS = 32, 512


def of_doubles(p: Problem) -> Array | None:
    """Codes of the outputs of binary64 operations; None where it is no such problem, or numbers are out of reach."""
    model = p.model
    if not isinstance(model, Chain | Tree) or not p.result == model.format == F64 or not _plain(model):
        return None
    if any(x is not None for x in (p.scale_a, p.scale_b, p.tensor_scale, p.scale_result)):
        return None
    if not (exactly_holds(F64, p.fa) and exactly_holds(F64, p.fb)):
        return None
    a, b = (
        np.ascontiguousarray(decode_codes(np.ascontiguousarray(x), f, F64).view(np.float64).T)
        for x, f in ((p.a, p.fa), (p.b, p.fb))
    )
    c = np.zeros(p.shape) if p.c is None else p.c.astype(np.float64)
    if isinstance(model, Chain) and model.fused:
        if not all(_within(x, LEAST) for x in (a, b)) or not _within(c, 0.0):
            return None
        zeros = not (a.all() and b.all())
        return _in_tiles(p, a, b, c, lambda x, y, z: _chain(x, y, z, zeros=zeros)).view(np.uint64)
    with np.errstate(all="ignore"):
        out = _in_tiles(p, a, b, c, _rounded_products if isinstance(model, Chain) else _tree_and_c)
    nan = np.isnan(out)
    codes: Array = out.view(np.uint64)
    codes[nan] = model.nan
    return codes


def _plain(model: Chain | Tree) -> bool:
    """k upward, or one tree over all of K, nothing flushed."""
    return not model.flush and model.k == 1 and getattr(model, "order", "up") == "up"


def _in_tiles(p: Problem, a: Floats, b: Floats, c: Floats, of: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """A function of operands, K first, and C, tile by tile."""
    out = np.empty(p.shape)
    if not p.outer:
        for i in range(0, out.size, ROWS * COLUMNS):
            s = slice(i, i + ROWS * COLUMNS)
            out[s] = of(a[:, s], b[:, s], c[s])
        return out
    for i in range(0, p.shape[0], ROWS):
        for j in range(0, p.shape[1], COLUMNS):
            at = slice(i, i + ROWS), slice(j, j + COLUMNS)
            out[at] = of(a[:, at[0], None], b[:, None, at[1]], c[at])
    return out


def _rounded_products(a: Floats, b: Floats, c: Floats) -> Floats:
    for x, y in zip(a, b):
        c = c + x * y
    return c


def _tree_and_c(a: Floats, b: Floats, c: Floats) -> Floats:
    return _tree(a, b) + c if len(a) else c


def _tree(a: Floats, b: Floats) -> Floats:
    """Products added pairwise, the split at the largest power of two below their number."""
    if len(a) == 1:
        return np.asarray(a[0] * b[0])
    half = 1 << ((len(a) - 1).bit_length() - 1)
    return _tree(a[:half], b[:half]) + _tree(a[half:], b[half:])


def _within(x: Floats, least: float) -> bool:
    """Is everything zero or of a magnitude that serves?"""
    size = np.abs(x)
    return bool(((size <= MOST) & ((size >= least) | (size == 0))).all())


def _chain(a: Floats, b: Floats, c: Floats, *, zeros: bool) -> Floats:
    for x, y, *parts in zip(a, b, *halves(a), *halves(b)):
        head, rest = two_product_of(x, (parts[0], parts[1]), y, (parts[2], parts[3]))
        middle, low = two_sum(c, rest)
        high, lost = two_sum(head, middle)
        d = high + to_odd(*two_sum(low, lost))
        c = np.where(head == 0, head + c, d) if zeros else d  # the sign of a sum of zeros
    return c
