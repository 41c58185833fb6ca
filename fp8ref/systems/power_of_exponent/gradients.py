"""Straight-through gradients of the ExMy quantiser with respect to x, the largest value c and the significand bits M.

Write Q = s * rne(xc / s) with xc = clip(x, -c, c), one ulp s = 2**(p - M - b), p = max(floor(log2|xc| + b), 1) and
b(M, c) = 2**E - log2(c) + log2(2 - 2**-M) - 1, where E + M is constant.  Rounding is the identity for gradients, so
that dQ/ds = (Q - xc) / s, and everything comes from how s moves:

    db/dc = -1 / (c ln 2)        db/dM = -ln(2) 2**E + 2**-M / (2 - 2**-M)

Two readings of p differ in whether it moves with b.  ``detached`` holds p, as the paper's published code does: then
every step widens with c and, for E >= 1, with M.  ``followed`` lets p move with b wherever x is normal: then only the
subnormal step widens with c and M, and a normal step halves with every bit of M.  Beyond +-c both agree: dQ/dc is
sign(x) and the rest is 0.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...fast.chunks import Array
from .grid import Grid, floats

Binade = Literal["detached", "followed"]


class Gradients(NamedTuple):
    """dQ/dx, dQ/dc and dQ/dM, element by element."""

    x: Array
    c: Array
    significand_bits: Array


def bias_slope(exponent_bits: int, significand_bits: int) -> float:
    """db/dM along E + M constant."""
    rest = 2.0**-significand_bits
    return -math.log(2) * 2.0**exponent_bits + rest / (2 - rest)


def gradients(x: ArrayLike, grid: Grid, binade: Binade = "detached") -> Gradients:
    """The gradients at every element of x, float32 or float64 as x is.

    Raises ValueError for other readings than ``detached`` and ``followed``, and where x has NaN.
    """
    if binade not in ("detached", "followed"):
        raise ValueError(f"the binade is 'detached' or 'followed', not {binade!r}")
    x = floats(x)
    inside = np.abs(x) <= float(grid.c) if grid.signed else (x >= 0) & (x <= float(grid.c))
    error = np.where(inside, grid.quantise(x) - x, x.dtype.type(0))
    subnormal_rate = -math.log(2) * (1 + bias_slope(grid.exponent_bits, grid.significand_bits))  # d ln(s) / dM
    by_c, by_bits = error / float(grid.c), error * subnormal_rate
    if binade == "followed" and grid.exponent_bits:
        normal = np.abs(x) >= float(grid.magnitudes[1 << grid.significand_bits])
        by_c, by_bits = np.where(normal, 0, by_c), np.where(normal, -math.log(2) * error, by_bits)
    beyond = np.sign(x) if grid.signed else (x > 0).astype(x.dtype)
    return Gradients(inside.astype(x.dtype), np.where(inside, by_c, beyond).astype(x.dtype), by_bits.astype(x.dtype))
