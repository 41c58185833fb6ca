"""Powers and roots  [IEEE 754-2019 9.2; P3109 4.10: Recip, RSqrt, Hypot].

Roots are exact where numerator and denominator are perfect powers.  pow(x, n / 2**k) is exact where x has k square
roots and the odd part of the result is short  [Lauter and Lefevre, IEEE Trans. Computers 58(2), 2009].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from ..datum import Datum
from ..operations.definition import INVALID, Exact, Semantics, exactly
from .decide import exact_root, root
from .intervals import Interval
from .rows import INFINITY, ONE, RANGE, ZERO, Outcome, function, infinity, number, pole, power, unary
from .series import exp, log, log1p


def _is_odd(y: Datum) -> bool:
    return y.is_finite and y.magnitude.denominator == 1 and y.magnitude.numerator % 2 == 1


def _signed(outcome: Outcome, sign: int) -> Outcome:
    if not sign:
        return outcome
    if callable(outcome):
        return lambda prec: -outcome(prec)
    return outcome[0].with_sign(1), outcome[1]


# -- roots ----------------------------------------------------------------------------------------------------------


def _reciprocal(x: Datum, semantics: Semantics) -> Outcome:
    if x.is_zero:
        return INVALID if semantics.of_p3109 else pole(x.sign)
    return number(0, x.sign) if x.is_infinite else number(1 / x.value)


def _rsqrt(x: Datum, semantics: Semantics) -> Outcome:
    """[IEEE 754-2019 9.2.1: rSqrt(+-0) is +-Inf and divideByZero]  P3109: NaN at 0."""
    if x.is_zero:
        return INVALID if semantics.of_p3109 else pole(x.sign)
    if x.sign:
        return INVALID
    return ZERO if x.is_infinite else _root(1 / x.magnitude, 2)


def _root(x: Fraction, n: int) -> Outcome:
    """The n-th root of x > 0."""
    if n < 0:
        return _root(1 / x, -n)
    if n <= 64:
        exact = exact_root(x, n)
        return number(exact) if exact is not None else lambda prec: root(x, n, prec)
    e = x.numerator.bit_length() - x.denominator.bit_length()  # an odd part above 1 has no such root
    if e % n == 0 and 1 in (x.numerator, x.denominator) and x == Fraction(2) ** e:
        return number(Fraction(2) ** (e // n))
    return lambda prec: exp(log(Interval.of(x, prec)) / n)


def _cbrt(x: Datum, semantics: Semantics) -> Outcome:
    return exactly(x) if x.is_zero or x.is_infinite else _signed(_root(x.magnitude, 3), x.sign)


def _hypot(x: Datum, y: Datum, semantics: Semantics) -> Outcome:
    if x.is_infinite or y.is_infinite:
        return INFINITY
    square = x.magnitude**2 + y.magnitude**2
    exact = exact_root(square, 2)
    if exact is not None:
        return number(exact)
    return lambda prec: root(square, 2, prec).above(max(x.magnitude, y.magnitude))


def _infinite_despite_nan(operands: Sequence[Datum], semantics: Semantics) -> Exact | None:
    """hypot of an infinity and a quiet NaN is an infinity  [IEEE 754-2019 9.2.1]; in P3109 the NaN wins."""
    return INFINITY if semantics is Semantics.IEEE and any(x.is_infinite for x in operands) else None


# -- powers with an integer exponent ----------------------------------------------------------------------------------


def _integer_power(x: Fraction, n: int, base: Callable[[int], Interval]) -> Outcome:
    """x**n for x not 0; ``base`` encloses log |x|."""
    found = power(x, n)
    if found is not None:
        return number(found)
    return _signed(lambda prec: exp(base(prec + abs(n).bit_length()) * n).at(prec), int(x < 0) & n % 2)


def _pown(x: Datum, exponent: Datum, semantics: Semantics) -> Outcome:
    n = int(exponent.value)
    sign = x.sign & n % 2
    if n == 0:
        return ONE
    if x.is_zero:
        return pole(sign) if n < 0 else number(0, sign)
    if x.is_infinite:
        return number(0, sign) if n < 0 else infinity(sign)
    return _integer_power(x.value, n, lambda prec: log(Interval.of(x.magnitude, prec)))


def _compound(x: Datum, exponent: Datum, semantics: Semantics) -> Outcome:
    """(1 + x)**n"""
    n = int(exponent.value)
    if x.sign and (x.is_infinite or x.magnitude > 1):
        return INVALID
    if n == 0 or x.is_zero:
        return ONE
    if x.is_infinite:
        return INFINITY if n > 0 else ZERO
    if x.value == -1:
        return ZERO if n > 0 else pole()
    return _integer_power(1 + x.value, n, lambda prec: log1p(Interval.of(x.value, prec)))


def _rootn(x: Datum, exponent: Datum, semantics: Semantics) -> Outcome:
    n = int(exponent.value)
    odd = n % 2
    if n == 0 or (x.sign and not odd and not x.is_zero):
        return INVALID
    if x.is_zero:
        return pole(x.sign & odd) if n < 0 else number(0, x.sign & odd)
    if x.is_infinite:
        return number(0, x.sign) if n < 0 else infinity(x.sign)
    return _signed(_root(x.magnitude, n), x.sign)


def _one_at_zero(operands: Sequence[Datum], semantics: Semantics) -> Exact | None:
    """pown(x, 0) and compound(x, 0) are 1 for a quiet NaN too  [IEEE 754-2019 9.2.1]."""
    return ONE if operands[1].is_zero else None


def _invalid_at_zero(operands: Sequence[Datum], semantics: Semantics) -> Exact | None:
    """rootn(x, 0) is invalid whatever x is  [IEEE 754-2019 9.2.1]."""
    return INVALID if operands[1].is_zero else None


# -- powers with any exponent -----------------------------------------------------------------------------------------


def _positive_power(x: Fraction, y: Fraction) -> Outcome:
    """x**y for x > 0 and y other than 0."""
    if x == 1:
        return ONE
    base: Fraction | None = x
    for _ in range(y.denominator.bit_length() - 1):
        base = exact_root(base, 2) if base is not None else None
    if base is not None and abs(y.numerator) <= RANGE:
        found = power(base, y.numerator)
        if found is not None:
            return number(found)
    size = max(0, y.numerator.bit_length() - y.denominator.bit_length())
    return lambda prec: exp(log(Interval.of(x, prec + size)) * y).at(prec)


def _pow(x: Datum, y: Datum, semantics: Semantics) -> Outcome:
    """[IEEE 754-2019 9.2.1]"""
    sign = x.sign & _is_odd(y)
    if y.is_zero:
        return ONE
    if x.is_zero:
        if y.sign:
            return infinity() if y.is_infinite else pole(sign)
        return number(0, sign)
    if y.is_infinite:
        if x.is_finite and x.magnitude == 1:
            return ONE
        grows = (x.is_infinite or x.magnitude > 1) != bool(y.sign)
        return INFINITY if grows else ZERO
    if x.is_infinite:
        return number(0, sign) if y.sign else infinity(sign)
    if x.sign and y.magnitude.denominator != 1:
        return INVALID
    return _signed(_positive_power(x.magnitude, y.value), sign)


def _powr(x: Datum, y: Datum, semantics: Semantics) -> Outcome:
    """exp(y log x)  [IEEE 754-2019 9.2.1]"""
    if x.sign and not x.is_zero:
        return INVALID
    if y.is_zero and (x.is_zero or x.is_infinite):
        return INVALID
    if y.is_infinite and x.is_finite and x.magnitude == 1:
        return INVALID
    return _pow(x.with_sign(0), y, semantics)


def _pow_despite_nan(operands: Sequence[Datum], semantics: Semantics) -> Exact | None:
    """pow(x, 0) and pow(1, y) are 1 for a quiet NaN too  [IEEE 754-2019 9.2.1]."""
    x, y = operands
    return ONE if y.is_zero or (x.is_finite and x.value == 1) else None


POWERS = {
    "reciprocal": function(1, _reciprocal),
    "rsqrt": function(1, _rsqrt),
    "cbrt": function(1, _cbrt),
    "square": unary(lambda x, prec: Interval.of(x, prec), plus=INFINITY, minus=INFINITY, zero=ZERO,
                    exact=lambda x: number(x * x)),
    "hypot": function(2, _hypot, despite_nan=_infinite_despite_nan),
    "pow": function(2, _pow, despite_nan=_pow_despite_nan),
    "powr": function(2, _powr),
    "pown": function(2, _pown, True, _one_at_zero),
    "rootn": function(2, _rootn, True, _invalid_at_zero),
    "compound": function(2, _compound, True, _one_at_zero),
}  # fmt: skip
