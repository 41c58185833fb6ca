"""How far a kernel may be off that computes a function of a row in a wider format and rounds at the end, proven.

Let u = 2**-p be the unit roundoff of the format between, of p bits.  Every operation in it is rounded to nearest, the
exponential is off by at most ``ulps`` ulps (2 u each, relatively), nothing overflows.  Then, to first order:

- softmax: x - m, m the largest operand, is off by u |x - m|, and its exponential relatively by as much and by its own
  error.  The sum of n positive terms in any order adds (n - 1) u [Higham, Accuracy and Stability, 2002, 4.2].  A term's
  error has the weight e**(x - m) / sum: as t e**-t <= 1/e and the sum is at least 1, that part is at most u n / e.  The
  quotient adds u; what underflows is 2**(emin - p) a term at most.
- RMSNorm: a square u, the sum (n - 1) u, mean and eps 2 u, all halved by the root, which adds u; the quotient u.

c u stands for (1 + u)**c - 1 <= c u / (1 - c u).  LayerNorm has no such bound: x - mean may cancel.
"""

from __future__ import annotations

import math
from fractions import Fraction

from ..datum import power_of_two
from ..formats import Format

INVERSE_E = Fraction(368, 1000)  # above 1/e
LOG2_E = Fraction(14427, 10000)  # above log2(e)
SINGLE = -126  # the largest emin with which squares lose less than 2**-60 of eps


def relative_error(family: str, n: int, between: Format, ulps: int = 2) -> Fraction:
    """The bound before the last rounding, of results that are normal in ``between``, for a row of n operands.

    Raises ValueError for a family without a bound, and for a row or a format with which there is none.
    """
    if n < 1:
        raise ValueError(f"a row has at least one operand, not {n}")
    u = power_of_two(-between.p)
    lost = power_of_two(-60)
    if family == "softmax":
        steps = (
            -between.emin + n * INVERSE_E + 2 * (2 * ulps) + (n - 1) + 1
        )  # no operand counts that is farther below m
        lost = n * power_of_two(between.emin - between.p)
    elif family == "rmsnorm":
        steps = Fraction(1 + (n - 1) + 2, 2) + 2
        if between.emin > SINGLE:
            raise ValueError(f"squares may underflow in {between.name}: no bound is proven for rmsnorm")
    else:
        raise ValueError(f"no bound is proven for {family}; choose from softmax, rmsnorm")
    if steps * u >= Fraction(1, 2):
        raise ValueError(f"a row of {n} operands is too long for a bound in {between.name}")
    return steps * u / (1 - steps * u) + lost


def kappa(family: str, n: int, between: Format, result: Format, ulps: int = 2) -> int:
    """How many codes of the result, rounded to nearest, such a kernel may be off.

    Two values less than d ulps apart lie on two sides of at most floor(d) + 1 points where rounding changes.  Raises
    ValueError as :func:`relative_error` does, and where numbers of the result are too small for ``between``.
    """
    error = relative_error(family, n, between, ulps)
    least = result.emin - result.p  # of half the least subnormal number, the exponent
    if between.emin > result.emin or (family == "softmax" and LOG2_E * between.emin > least):
        raise ValueError(f"{result.name} has numbers that are too small for {between.name}")
    underflow = power_of_two(between.emin - between.p - least - 1)
    return math.floor(error * power_of_two(result.p) / (1 - error) + underflow) + 1
