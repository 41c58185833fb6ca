"""The hardest operands of an elementary function: whose true value lies nearest to a midpoint between two results.

A method that computes with so many bits too few rounds just these wrongly under roundTiesToEven.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from fractions import Fraction

from ...spec.codec import unpack
from ...spec.datum import floor_log2, power_of_two
from ...spec.formats import Format
from ...spec.functions.catalog import FUNCTIONS
from ...spec.functions.decide import Grid
from ...spec.functions.rows import Function, settled
from ...spec.operations.definition import Semantics

BITS = 240  # of an enclosure: no function is known to come nearer to a midpoint of 16 bits than 2^-137 ulps


@dataclass(frozen=True)
class Hard:
    """An operand's code, and -log2 of the distance of the true value to a midpoint, in ulps of the result."""

    code: int
    bits: float


def hardest(name: str, f: Format, result: Format | None = None, most: int = 3) -> list[Hard]:
    """The hardest operands of a function of one operand, hardest first; exact results and exact ties are left out.

    Raises ValueError for another function, and for formats of more than 16 bits.
    """
    function = FUNCTIONS.get(name)
    if not isinstance(function, Function) or function.arity != 1:
        raise ValueError(f"{name!r:.40} is no elementary function of one operand")
    if f.k > 16:
        raise ValueError(f"{f.name} has more than 16 bits")
    to = result or f
    found = []
    for code in range(1 << f.k):
        x = unpack(code, f)
        if x.is_nan:
            continue
        outcome = function.row(x, Semantics.IEEE)
        if callable(outcome):
            grid = Grid(BITS, to.quantum_exponent(to.emin) - BITS, to.emax + BITS)
            distance = to_midpoint(settled(outcome, grid)[0].magnitude, to)
            if distance is not None:
                found.append(Hard(code, -_log2(distance)))
    return heapq.nsmallest(most, found, key=lambda hard: (-hard.bits, hard.code))


def to_midpoint(x: Fraction, f: Format) -> Fraction | None:
    """Distance of a magnitude to the nearest midpoint of neighbours, in ulps; None beyond them, and on one."""
    ulp = power_of_two(f.quantum_exponent(max(floor_log2(x), f.emin)))
    if x > f.max + ulp:
        return None
    rest = x / ulp % 1
    below = abs(rest - Fraction(1, 2))
    # under a power of two the midpoint above belongs to the wider spacing; the one below has been taken
    return below if below else None


def _log2(x: Fraction) -> float:
    """log2 of a positive rational of any size."""
    e = floor_log2(x)
    return e + math.log2(x / power_of_two(e))
