"""The expected error of rounding a random number to a grid, and of a product of two, in closed form.

With values q_0 = 0 < q_1 < ... of a symmetric quantiser and thresholds t_i half way between q_(i-1) and q_i, Q jumps at
each threshold, so that sums over the jumps take the place of integrals over cells:

    E[Q**2] = 2 sum (q_i**2 - q_(i-1)**2) S0(t_i)        E[x Q] = 2 sum (q_i - q_(i-1)) S1(t_i)

with the tails S0 and S1 of the distribution.  D = E[(Q - x)**2] and A = E[x (Q - x)] follow, saturation included: the
last value keeps all that lies beyond.  Where c is best, dD/dc = 2 E[Q (Q - x)] / c is 0 and A = -D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .distributions import Distribution, Floats


@dataclass(frozen=True)
class Moments:
    """E[x**2], E[Q**2] and E[x Q] of a quantiser Q on a distribution; floats, or arrays with one element a grid."""

    xx: float
    qq: Any
    xq: Any

    @property
    def D(self) -> Any:
        """The mean squared error E[(Q - x)**2]."""
        return self.xx - 2 * self.xq + self.qq

    @property
    def A(self) -> Any:
        """E[x (Q - x)]."""
        return self.xq - self.xx

    @property
    def sqnr(self) -> Any:
        """Signal to quantisation noise in decibels: 10 log10(E[x**2] / D)."""
        return 10 * np.log10(self.xx / self.D)


def moments(magnitudes: ArrayLike, distribution: Distribution) -> Moments:
    """The moments of rounding to 0 and +- the given values, saturated at the last.

    magnitudes: (..., n) float64, ascending from 0 along the last axis; one result for each leading index.
    """
    q = np.asarray(magnitudes, np.float64)
    s0, s1 = distribution.tails(((q[..., 1:] + q[..., :-1]) / 2).ravel())
    step, total = np.diff(q), q[..., 1:] + q[..., :-1]
    qq, xq = (
        2 * np.sum(part, axis=-1) for part in (step * total * s0.reshape(step.shape), step * s1.reshape(step.shape))
    )
    return Moments(distribution.second_moment, qq, xq)


def two_sided(positive: ArrayLike, negative: ArrayLike, distribution: Distribution) -> Moments:
    """The moments where the values above 0 and (as magnitudes) below 0 differ: two's complement has one more below."""
    up, down = moments(positive, distribution), moments(negative, distribution)
    return Moments(distribution.second_moment, (up.qq + down.qq) / 2, (up.xq + down.xq) / 2)


def dot_error(x: Moments, y: Moments) -> Any:
    """E[(x y - Qx Qy)**2] of independent x and y: what each product of a dot product adds to its squared error.

    D_x E[y**2] + D_y E[x**2] + D_x D_y + 2 A_x A_y + 2 A_x D_y + 2 A_y D_x, which is 2 E[x**2] D - D**2 for x and y
    alike at the best c.
    """
    return x.D * y.xx + y.D * x.xx + x.D * y.D + 2 * (x.A * y.A + x.A * y.D + y.A * x.D)


def dot_sqnr(x: Moments, y: Moments) -> float:
    """10 log10(E[x**2] E[y**2] / E[(x y - Qx Qy)**2]) in decibels."""
    return 10 * math.log10(x.xx * y.xx / dot_error(x, y))


def scaled(steps: Sequence[int], c: ArrayLike) -> Floats:
    """c * g / g_max in float64, (..., n) for c of shape (...): the magnitudes of a grid for every c at once."""
    shape = np.array([g / steps[-1] for g in steps])
    return np.asarray(np.multiply.outer(np.asarray(c, np.float64), shape))
