"""Exponentials and logarithms  [IEEE 754-2019 9.2; P3109 4.10: Exp, Exp2, ExpMinusOne, Log, Log2, LogOnePlus].

Exact only where the theorems of Lindemann and Weierstrass (base e) and unique factorisation (bases 2 and 10) leave
room: e**x at 0; 2**x at integers; 10**x at integers from 0 on; their inverses at the powers of the base.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..datum import Datum, power_of_two
from ..operations.definition import INVALID, Exact, Semantics, exactly
from .intervals import Interval
from .rows import INFINITY, RANGE, ZERO, Outcome, function, infinity, number, pole, power, unary
from .series import exp, expm1, log, log1p, log_of


def of(x: Fraction, prec: int) -> Interval:
    return Interval.of(x, prec)


def _in_base(x: Fraction, base: int, prec: int) -> Interval:
    """x log(base)"""
    size = max(0, x.numerator.bit_length() - x.denominator.bit_length())
    return of(x, prec + size) * log_of(base, prec + size + 8)


def _exp2(x: Fraction, prec: int) -> Interval:
    k = x.numerator // x.denominator
    return exp(_in_base(x - k, 2, prec)).scaled(k)


def _whole_power(base: int) -> Callable[[Fraction], Exact | None]:
    def exact(x: Fraction) -> Exact | None:
        found = power(Fraction(base), x.numerator) if x.denominator == 1 and abs(x) <= RANGE else None
        return None if found is None else number(found)

    return exact


def _less_one(base: int) -> Callable[[Fraction], Exact | None]:
    """base**x - 1 is an odd integer for large integers x, and for small ones all ones down to a bit below 1."""

    def exact(x: Fraction) -> Exact | None:
        found = power(Fraction(base), x.numerator) if x.denominator == 1 and abs(x) <= 4096 else None
        return None if found is None else number(found - 1)

    return exact


def _less_one_in_base(base: int) -> Callable[[Fraction, int], Interval]:
    return lambda x, prec: expm1(_in_base(x, base, prec).at(prec)).above(-1)


def _logarithm(base: int, plus_one: bool) -> Callable[[Fraction], Outcome | None]:
    """-1 (0) is a pole, what lies below is invalid; exact at powers of the base."""

    def exact(x: Fraction) -> Outcome | None:
        y = x + 1 if plus_one else x
        if y <= 0:
            return INVALID if y < 0 else pole(1)
        if y == 1:
            return ZERO
        if base == 2 and (y.numerator == 1 or y.denominator == 1) and (y.numerator & (y.numerator - 1)) == 0:
            return number(y.numerator.bit_length() - y.denominator.bit_length())
        if base == 10 and y.denominator == 1 and y.numerator % 10 == 0:
            k, rest = 0, y.numerator
            while rest % 10 == 0:
                k, rest = k + 1, rest // 10
            return number(k) if rest == 1 else None
        return None

    return exact


def _log(base: int) -> Callable[[Fraction, int], Interval]:
    if not base:
        return lambda x, prec: log(of(x, prec))
    return lambda x, prec: log(of(x, prec)) / log_of(base, prec)


def _log1p(x: Fraction, prec: int) -> Interval:
    return log1p(of(x, prec)).below(x)


def _log1p_base(base: int) -> Callable[[Fraction, int], Interval]:
    return lambda x, prec: log1p(of(x, prec)) / log_of(base, prec)


def logistic_sum(x: Fraction, y: Fraction, prec: int) -> Interval:
    """log(e**x + e**y), above the larger one."""
    larger, smaller = max(x, y), min(x, y)
    return (log1p(exp(of(smaller - larger, prec))) + larger).above(larger)


def _logistic_sum_2(x: Fraction, y: Fraction, prec: int) -> Interval:
    larger, smaller = max(x, y), min(x, y)
    return (log1p(_exp2(smaller - larger, prec)) / log_of(2, prec) + larger).above(larger)


def _log_add(f: Callable[[Fraction, Fraction, int], Interval], doubles: bool) -> Callable[..., Outcome]:
    """An infinity wins, +infinity over -infinity.  log2(2**x + 2**y) is rational for x = y alone (Eisenstein)."""

    def row(x: Datum, y: Datum, semantics: Semantics) -> Outcome:
        if x.is_infinite or y.is_infinite:
            a, b = (x, y) if x.is_infinite else (y, x)
            return infinity() if not a.sign or (b.is_infinite and not b.sign) else exactly(b)
        if doubles and x.value == y.value:
            return number(x.value + 1)
        return lambda prec: f(x.value, y.value, prec)

    return row


def _near_one(f: Callable[[Fraction, int], Interval]) -> Callable[[Fraction, int], Interval]:
    """An exponential lies on x's side of 1."""
    return lambda x, prec: f(x, prec).above(1) if x > 0 else f(x, prec).below(1)


ONE, LESS_ONE = number(power_of_two(0)), number(-1)
EXPONENTIALS = {
    "exp": unary(lambda x, prec: exp(of(x, prec)), zero=ONE, plus=INFINITY, minus=ZERO),
    "exp2": unary(_near_one(_exp2), zero=ONE, plus=INFINITY, minus=ZERO, exact=_whole_power(2)),
    "exp10": unary(
        _near_one(lambda x, prec: exp(_in_base(x, 10, prec).at(prec))),
        zero=ONE, plus=INFINITY, minus=ZERO, exact=_whole_power(10),
    ),
    "expm1": unary(lambda x, prec: expm1(of(x, prec)).above(max(x, Fraction(-1))), plus=INFINITY, minus=LESS_ONE),
    "exp2m1": unary(_less_one_in_base(2), plus=INFINITY, minus=LESS_ONE, exact=_less_one(2)),
    "exp10m1": unary(_less_one_in_base(10), plus=INFINITY, minus=LESS_ONE, exact=_less_one(10)),
    "log": unary(_log(0), zero=pole(1), plus=INFINITY, minus=INVALID, exact=_logarithm(0, False)),
    "log2": unary(_log(2), zero=pole(1), plus=INFINITY, minus=INVALID, exact=_logarithm(2, False)),
    "log10": unary(_log(10), zero=pole(1), plus=INFINITY, minus=INVALID, exact=_logarithm(10, False)),
    "log1p": unary(_log1p, plus=INFINITY, minus=INVALID, exact=_logarithm(0, True)),
    "log2p1": unary(_log1p_base(2), plus=INFINITY, minus=INVALID, exact=_logarithm(2, True)),
    "log10p1": unary(_log1p_base(10), plus=INFINITY, minus=INVALID, exact=_logarithm(10, True)),
    "logaddexp": function(2, _log_add(logistic_sum, False)),
    "logaddexp2": function(2, _log_add(_logistic_sum_2, True)),
}  # fmt: skip
