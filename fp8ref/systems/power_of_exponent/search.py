"""The best largest value c of a grid, the best split of its bits, and where one split overtakes another.

D(c) has many local minima: for E >= 4 it is almost periodic in log2 c.  Every one of them is a sign change of
dD/dc = 2 E[Q (Q - x)] / c, which is known in closed form; they are found on a logarithmic grid, bisected together, and
the least wins.  What can be compared between implementations is the error there, not c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .distributions import Distribution, Floats
from .expected import Moments, moments, scaled
from .grid import Grid

ALIKE = {10: 1e-6, 20: 1e-9}  # after so many bisections only minima within that of the least are followed


@dataclass(frozen=True)
class Best:
    """A grid at its best c, and its moments there."""

    grid: Grid
    moments: Moments

    @property
    def sqnr(self) -> float:
        return float(self.moments.sqnr)


@lru_cache(maxsize=1024)
def best_c(exponent_bits: int, significand_bits: int, distribution: Distribution) -> Best:
    """The c of least mean squared error for a signed grid on a distribution.

    Raises ArithmeticError where there is none between a quarter of the root of the second moment and g_max of them.
    """
    steps = Grid(exponent_bits, significand_bits, 1).steps
    sigma = np.sqrt(distribution.second_moment)
    top = steps[-1].bit_length() + 1  # from all clipped, c = sigma / 4, to nearly all 0, c > g_max * sigma
    c = sigma * np.exp2(np.linspace(-2, top, (top + 2) * distribution.per_octave + 1))
    slope = _slope(steps, c, distribution)
    turns = np.flatnonzero((slope[:-1] < 0) & (slope[1:] >= 0))
    if not turns.size:
        raise ArithmeticError(
            f"no largest value of E{exponent_bits}M{significand_bits} is best for {distribution.name}"
        )
    a, b = c[turns], c[turns + 1]
    for i in range(60):
        if i in ALIKE:  # D is settled to far better than that by now
            D = moments(scaled(steps, b), distribution).D
            alike = np.flatnonzero(np.less_equal(D, D.min() * (1 + ALIKE[i])))
            a, b = (a[alike], b[alike]) if i < max(ALIKE) else (a[alike[:1]], b[alike[:1]])  # the smallest c
        middle = (a + b) / 2
        falls = _slope(steps, middle, distribution) < 0
        a, b = np.where(falls, middle, a), np.where(falls, b, middle)
        if np.all(b - a <= 4e-16 * b):
            break
    found = moments(scaled(steps, b[0]), distribution)
    grid = Grid(exponent_bits, significand_bits, float(b[0]))
    return Best(grid, Moments(found.xx, float(found.qq), float(found.xq)))


def best_split(distribution: Distribution, bits: int = 8) -> list[Best]:
    """Every split of bits - 1 bits into exponent and significand at its best c, the best one first.

    E1 is left out: it has the values of E0 with one significand bit more.
    """
    splits = [(e, bits - 1 - e) for e in range(min(bits, 7)) if e != 1 and bits - 1 - e >= 1]
    return sorted((best_c(E, M, distribution) for E, M in splits), key=lambda found: -found.sqnr)


def crossover(difference: Callable[[float], float], low: float, high: float, digits: int = 5) -> float:
    """The root of a continuous function between two arguments where its signs differ (Illinois' false position).

    Raises ValueError where they do not.
    """
    f_low, f_high = difference(low), difference(high)
    if f_low * f_high > 0:
        raise ValueError(f"no crossover between {low} and {high}: the difference is {f_low:.4g} and {f_high:.4g}")
    middle = low
    for _ in range(100):
        last, middle = middle, (low * f_high - high * f_low) / (f_high - f_low)
        if abs(middle - last) < 10.0**-digits:
            return middle
        f_middle = difference(middle)
        if f_middle * f_high < 0:
            low, f_low = high, f_high
        else:
            f_low /= 2
        high, f_high = middle, f_middle
        if f_middle == 0:
            return middle
    raise ArithmeticError(f"no root found between {low} and {high}")


def _slope(steps: tuple[int, ...], c: Floats, distribution: Distribution) -> Floats:
    found = moments(scaled(steps, c), distribution)
    return np.asarray(found.qq - found.xq)
