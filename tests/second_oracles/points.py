"""Values at which a conversion can go wrong, made from the list of a format's values alone."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from second_oracles.exact import Table

TINY = Fraction(1, 2**70)


def around(table: Table, parts: int = 4) -> list[Fraction]:
    """Magnitudes: every value and the points that divide every gap, each with a point just below and just above.

    The ladder goes two rungs beyond the largest value; far beyond, far below and zero come last.
    """
    found = [table.ladder[0] * Fraction(7, 10**9), table.ladder[-1] * 1000, Fraction(0)]
    found += [table.ladder[0] - table.ladder[0] * TINY]
    for low, high in zip(table.ladder, table.ladder[1:]):
        gap = high - low
        for n in range(parts):
            point = low + gap * n / parts
            found += [point, point + gap * TINY, high - gap * n / parts - gap * TINY]
    return [x for x in found if x >= 0]


def doubles_around(table: Table) -> list[float]:
    """The same for binary64: every value and every midpoint of a gap, and the doubles next to each."""
    found = [0.0, 5e-324, 1e-300, 1e300, math.nextafter(math.inf, 0)]
    for low, high in zip(table.ladder, table.ladder[1:]):
        for exact in (low, low + (high - low) / 4, (low + high) / 2, high - (high - low) / 4, high):
            x = float(exact)
            assert Fraction(x) == exact  # a narrow value needs far fewer than 53 bits
            found += [math.nextafter(x, 0), x, math.nextafter(x, math.inf)]
    return found


def random_doubles(table: Table, count: int) -> list[float]:
    """Magnitudes spread evenly over the binades of the format and a little beyond."""
    draw = random.Random(table.name)
    low = math.log2(table.ladder[0] or table.ladder[1]) - 3
    high = math.log2(table.ladder[-1]) + 2
    return [2.0 ** draw.uniform(low, high) for _ in range(count)]
