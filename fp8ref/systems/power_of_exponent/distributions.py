"""Symmetric distributions by what an expected error needs of them: the second moment and the tails.

A tail is S0(t) = P(X > t) and S1(t) = E[X; X > t] for t >= 0, in closed form and accurate far out, where 1 - P(X <= t)
would have lost every digit.  Student's t needs the regularised incomplete beta function, which is evaluated by its
continued fraction for every threshold at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tails = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Distribution:
    """A symmetric distribution: its name, E[X**2], and ``tails(t)`` = (S0, S1) of thresholds t >= 0.

    ``per_octave``: at how many points in an octave a search for the best c looks.  A smooth density needs 8; one with
    an edge has a local minimum for every value of the grid that may come to lie there.
    """

    name: str
    second_moment: float
    tails: Tails
    per_octave: int = 8


def _uniform_tails(t: Floats) -> tuple[Floats, Floats]:
    inside = np.minimum(t, 1.0)
    return (1 - inside) / 2, (1 - inside * inside) / 4


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _gaussian_tails(t: Floats) -> tuple[Floats, Floats]:
    near = np.minimum(t, 40.0)  # beyond, both are 0 in float64
    return _erfc(near / math.sqrt(2)) / 2, np.exp(-near * near / 2) / math.sqrt(2 * math.pi)


UNIFORM = Distribution("U(-1,1)", 1 / 3, _uniform_tails, per_octave=512)
GAUSSIAN = Distribution("N(0,1)", 1.0, _gaussian_tails)


NEARLY_NORMAL = 2e4  # degrees of freedom above which the tails come from those of the normal distribution


@lru_cache(maxsize=1024)
def student_t(nu: float) -> Distribution:
    """Student's t with nu > 2 degrees of freedom, not scaled: its second moment is nu / (nu - 2).

    Raises ValueError for nu <= 2, where there is no second moment.
    """
    if not (math.isfinite(nu) and nu > 2):
        raise ValueError(f"Student's t needs more than 2 degrees of freedom for a second moment, not {nu}")
    if nu > NEARLY_NORMAL:
        return Distribution(f"t({nu:g})", nu / (nu - 2), _nearly_normal(nu))
    density_at_0 = math.exp(math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)) / math.sqrt(nu * math.pi)

    def tails(t: Floats) -> tuple[Floats, Floats]:
        square = t * t / nu
        first = density_at_0 * nu / (nu - 1) * np.exp(np.log1p(square) * (1 - nu) / 2)
        return incomplete_beta(nu / 2, 0.5, 1 / (1 + square), square / (1 + square)) / 2, first

    return Distribution(f"t({nu:g})", nu / (nu - 2), tails)


def _nearly_normal(nu: float) -> Tails:
    """Student's t of many degrees of freedom: Fisher's expansion in 1/nu.

    The incomplete beta function loses digits there: the difference of two log-gammas of nu/2 is small beside them.
    """
    at_0 = (1 - 1 / (4 * nu) + 1 / (32 * nu**2) + 5 / (128 * nu**3)) / math.sqrt(2 * math.pi)

    def tails(t: Floats) -> tuple[Floats, Floats]:
        near = np.minimum(t, 30.0)  # beyond, both are far below 1e-190
        s = near * near
        first = near * (s + 1) / 4
        second = near * (((3 * s - 7) * s - 5) * s - 3) / 96
        third = near * (((((s - 11) * s + 14) * s + 6) * s - 3) * s - 15) / 384
        normal, density = _erfc(near / math.sqrt(2)) / 2, np.exp(-s / 2) / math.sqrt(2 * math.pi)
        above = np.maximum(normal + density * (first + (second + third / nu) / nu) / nu, 0)
        return above, at_0 * nu / (nu - 1) * np.exp(np.log1p(s / nu) * (1 - nu) / 2)

    return tails


def incomplete_beta(a: float, b: float, x: Floats, y: Floats) -> Floats:
    """The regularised incomplete beta function I_x(a, b), where y = 1 - x is given apart so that neither loses digits.

    Its continued fraction [Abramowitz and Stegun 26.5.8] by the modified Lentz method; where that converges slowly,
    1 - I_y(b, a).
    """
    swap = x > (a + 1) / (a + b + 2)
    found = np.empty_like(x)
    for where, p, q, u, v in ((~swap, a, b, x, y), (swap, b, a, y, x)):
        u, v = u[where], v[where]
        scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
        with np.errstate(divide="ignore"):  # log 0 is -inf, and its exponential 0
            front = scale / p * np.exp(p * np.log(u) + q * np.log(v))
        found[where] = front * _fraction(p, q, u)
    return np.where(swap, 1 - found, found)


def _fraction(a: float, b: float, x: Floats) -> Floats:
    """1 / (1 + d1 / (1 + d2 / (1 + ...))) of I_x(a, b), to about 1e-14."""
    c = np.ones_like(x)
    d = 1 / (1 - (a + b) / (a + 1) * x)
    value = d.copy()
    for m in range(1, 10_000):
        even = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m)) * x
        odd = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1)) * x
        change: Any = 1.0
        for term in (even, odd):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            change = change * (c * d)
        value *= change
        if x.size == 0 or float(np.max(np.abs(change - 1))) < 4e-15:
            return value
    raise ArithmeticError(f"the incomplete beta function of ({a}, {b}) did not converge")
