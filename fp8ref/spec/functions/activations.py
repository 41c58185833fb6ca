"""The error function and the activations of neural networks, each as the real function of its formula.

Constants are real: sqrt(2/pi) is not its binary32, 0.044715 is the decimal, softplus has no threshold.  Infinite
operands give the limits.  sigmoid, silu, mish, softplus are exact at 0 at most (Lindemann and Weierstrass).  For erf
and gelu no theorem excludes other exact results: none is met in formats of at most 16 bits, and where one were,
:func:`decide` would raise an error.  [P3109 4.10.13 Softplus; DLMF 7; Hendrycks and Gimpel, arXiv:1606.08415, for gelu]
"""

from __future__ import annotations

from fractions import Fraction

from ..datum import HALF
from .circular import _odd, of
from .exponentials import logistic_sum
from .intervals import Interval
from .rows import INFINITY, ONE, ZERO, number, unary
from .series import erf, erfc, exp, pi

CUBIC = Fraction(44715, 1000000)
MINUS_ZERO = number(0, 1)


def _erf(x: Fraction, prec: int) -> Interval:
    return erf(of(x, prec)).below(1)


def _erfc(x: Fraction, prec: int) -> Interval:
    return erfc(of(x, prec)).below(1) if x > 0 else erfc(of(x, prec)).above(1).below(2)


def _logistic(x: Interval, positive: bool) -> Interval:
    found = 1 / (exp(-x) + 1)
    return found.above(HALF).below(1) if positive else found.below(HALF)


def _sigmoid(x: Fraction, prec: int) -> Interval:
    return _logistic(of(x, prec), x > 0)


def _softplus(x: Fraction, prec: int) -> Interval:
    return logistic_sum(x, Fraction(0), prec)


def _gated(x: Fraction, gate: Interval) -> Interval:
    """x times a gate that is above 1/2 where x > 0 and below it where x < 0: above x/2, and below x or 0."""
    return (gate * x).above(x / 2).below(max(x, Fraction(0)))


def _silu(x: Fraction, prec: int) -> Interval:
    return _gated(x, _sigmoid(x, prec))


def _gelu(x: Fraction, prec: int) -> Interval:
    """x Phi(x), Phi(x) = erfc(-x / sqrt 2) / 2."""
    return _gated(x, erfc(of(-x, prec) / of(Fraction(2), prec).sqrt()).scaled(-1))


def _gelu_tanh(x: Fraction, prec: int) -> Interval:
    """x/2 (1 + tanh u) = x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x**3)."""
    u = (2 / pi(prec)).sqrt() * of(x + CUBIC * x**3, prec)
    return _gated(x, _logistic(u.scaled(1), x > 0))


def _mish(x: Fraction, prec: int) -> Interval:
    """x tanh(log(1 + t)) = x t (t + 2) / (t (t + 2) + 2), t = e**x."""
    t = exp(of(x, prec))
    square = t * (t + 2)
    return ((1 / (2 / square + 1)) * x).below(max(x, Fraction(0)))


ACTIVATIONS = {
    "erf": unary(_odd(_erf), plus=ONE, minus=number(-1)),
    "erfc": unary(_erfc, zero=ONE, plus=ZERO, minus=number(2)),
    "sigmoid": unary(_sigmoid, zero=number(HALF), plus=ONE, minus=ZERO),
    "softplus": unary(_softplus, zero=lambda prec: _softplus(Fraction(0), prec), plus=INFINITY, minus=ZERO),
    "log_sigmoid": unary(
        lambda x, prec: -_softplus(-x, prec), zero=lambda prec: -_softplus(Fraction(0), prec), plus=MINUS_ZERO
    ),
    "silu": unary(_silu, minus=MINUS_ZERO),
    "gelu": unary(_gelu, minus=MINUS_ZERO),
    "gelu_tanh": unary(_gelu_tanh, minus=MINUS_ZERO),
    "mish": unary(_mish, minus=MINUS_ZERO),
}
