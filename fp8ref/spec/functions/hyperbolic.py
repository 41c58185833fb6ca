"""Hyperbolic functions and their inverses  [IEEE 754-2019 9.2; P3109 4.10: Sinh .. ArcTanh].

Exact at 0 alone, and acosh at 1 (Lindemann and Weierstrass).
"""

from __future__ import annotations

from fractions import Fraction

from ..operations.definition import INVALID
from .circular import _odd, of
from .intervals import Interval
from .rows import INFINITY, ONE, ZERO, Outcome, number, outside, pole, unary
from .series import atanh_small, cosh, exp, log, sinh


def _sinh(x: Fraction, prec: int) -> Interval:
    return sinh(of(x, prec)).above(x)


def _tanh(x: Fraction, prec: int) -> Interval:
    if x < 1:
        y = of(x, prec)
        return (sinh(y) / cosh(y)).below(x)
    return (1 - 2 / (exp(of(2 * x, prec)) + 1)).below(1)


def _asinh(x: Fraction, prec: int) -> Interval:
    """atanh of x / sqrt(1 + x**2), or log(x + sqrt(x**2 + 1))."""
    root = of(x * x + 1, prec).sqrt()
    y = of(x, prec)
    return (atanh_small(y / root) if x < Fraction(1, 4) else log(y + root)).below(x)


def _acosh(x: Fraction, prec: int) -> Interval:
    return log(of(x, prec) + of((x - 1) * (x + 1), prec).sqrt())


def _atanh(x: Fraction, prec: int) -> Interval:
    if x < Fraction(1, 4):
        return atanh_small(of(x, prec)).above(x)
    return (log(of(1 + x, prec)) - log(of(1 - x, prec))).scaled(-1)


def _ends_of_atanh(x: Fraction) -> Outcome | None:
    return None if abs(x) < 1 else INVALID if abs(x) > 1 else pole(int(x < 0))


_from_one = outside(lambda x: x >= 1)
HYPERBOLIC = {
    "sinh": unary(_odd(_sinh)),
    "cosh": unary(lambda x, prec: cosh(of(x, prec)), zero=ONE, plus=INFINITY, minus=INFINITY),
    "tanh": unary(_odd(_tanh), plus=ONE, minus=number(-1)),
    "asinh": unary(_odd(_asinh)),
    "acosh": unary(
        _acosh, zero=INVALID, plus=INFINITY, minus=INVALID, exact=lambda x: ZERO if x == 1 else _from_one(x)
    ),
    "atanh": unary(_odd(_atanh), plus=INVALID, minus=INVALID, exact=_ends_of_atanh),
}
