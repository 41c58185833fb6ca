"""Chains of binary64 fused multiply-adds on tiles of outputs, each rounded once [Boldo and Melquiond 2008, figure 9].

The product as two float64 numbers and C are added with what is lost rounded to odd.  Only the product's lower half can
underflow, and only sums can overflow: magnitudes of the operands exclude both, or the specification answers.
"""

from __future__ import annotations

import numpy as np

from ...spec.matrix.accumulate import Chain
from ..chunks import Array
from ..decode import decode_codes
from .expansion import F64, Floats, halves, to_odd, two_product_of, two_sum
from .problem import Problem

LEAST, MOST = 2.0**-450, 2.0**480  # magnitudes of operands whose products are two float64 numbers
ROWS, COLUMNS = 32, 512


def fma_chain(p: Problem) -> Array | None:
    """Codes of the outputs of a binary64 chain; None where it is no such problem, or numbers are out of reach."""
    model = p.model
    if not isinstance(model, Chain) or not model.fused or model.order != "up" or not p.result == model.format == F64:
        return None
    if not p.fa == p.fb == F64 or any(x is not None for x in (p.scale_a, p.scale_b, p.tensor_scale, p.scale_result)):
        return None
    a, b = (np.ascontiguousarray(decode_codes(x, F64, F64).view(np.float64).T) for x in (p.a, p.b))
    c = np.zeros(p.shape) if p.c is None else p.c.astype(np.float64)
    if not all(_within(x, LEAST) for x in (a, b)) or not _within(c, 0.0):
        return None
    zeros = not (a.all() and b.all())
    out = np.empty(p.shape)
    if not p.outer:
        for i in range(0, out.size, ROWS * COLUMNS):
            s = slice(i, i + ROWS * COLUMNS)
            out[s] = _chain(a[:, s], b[:, s], c[s], zeros=zeros)
        return out.view(np.uint64)
    for i in range(0, p.shape[0], ROWS):
        for j in range(0, p.shape[1], COLUMNS):
            at = slice(i, i + ROWS), slice(j, j + COLUMNS)
            out[at] = _chain(a[:, at[0], None], b[:, None, at[1]], c[at], zeros=zeros)
    return out.view(np.uint64)


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
