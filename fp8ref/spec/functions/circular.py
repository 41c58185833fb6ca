"""Circular functions, in radians and in half turns  [IEEE 754-2019 9.2; P3109 4.10: Sin .. ArcTan2Pi].

In radians they are exact at 0 alone (Lindemann and Weierstrass), and cos, acos at the values that belong to it.  In
half turns they are exact where Niven's theorem allows: rational values at rational angles are 0, 1/2, 1 for sine and
cosine and 0, 1 for the tangent, and the half needs a denominator of 3, which no dyadic angle has.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..datum import HALF, Datum
from ..operations.definition import INVALID, Exact, Semantics, exactly
from .decide import Enclosure
from .intervals import Interval
from .rows import ONE, ZERO, Outcome, function, number, outside, pole, unary
from .series import atan, cos_reduced, pi, reduced, sin_reduced, sine_cosine

QUARTER = Fraction(1, 4)


def of(x: Fraction, prec: int) -> Interval:
    return Interval.of(x, prec)


def _odd(f: Callable[[Fraction, int], Interval]) -> Callable[[Fraction, int], Interval]:
    """An odd function of which f gives the positive half."""
    return lambda x, prec: f(x, prec) if x > 0 else -f(-x, prec)


# -- radians --------------------------------------------------------------------------------------------------------


def _sin(x: Fraction, prec: int) -> Interval:
    return sine_cosine(*reduced(x, prec))[0].below(min(x, Fraction(1))).above(-1)


def _cos(x: Fraction, prec: int) -> Interval:
    return sine_cosine(*reduced(x, prec))[1].below(1).above(-1)


def _tan(x: Fraction, prec: int) -> Interval:
    s, c = sine_cosine(*reduced(x, prec))
    return (s / c).above(x) if x < 1 else s / c


def _asin(x: Fraction, prec: int) -> Interval:
    """For 0 < x < 1 from its tangent."""
    if x == 1:
        return pi(prec).scaled(-1)
    return atan(of(x, prec) / of((1 - x) * (1 + x), prec).sqrt()).above(x)


def _acos(x: Fraction, prec: int) -> Interval:
    """Twice the arc tangent of sqrt((1 - x) / (1 + x))."""
    return pi(prec) if x == -1 else atan((of(1 - x, prec) / of(1 + x, prec)).sqrt()).scaled(1)


def _atan(x: Fraction, prec: int) -> Interval:
    return atan(of(x, prec)).below(x)


def _half_pi(sign: int) -> Enclosure:
    return lambda prec: -pi(prec).scaled(-1) if sign else pi(prec).scaled(-1)


_in_unit = outside(lambda x: abs(x) <= 1)


# -- half turns -----------------------------------------------------------------------------------------------------


def _half_turns(x: Fraction, prec: int) -> tuple[int, Interval]:
    """pi x taken apart: quarter turns, and the rest within an eighth of a turn either way."""
    n = round(2 * x)
    return n % 4, pi(prec) * (x - HALF * n) if x != HALF * n else Interval(0, 0, 0, prec)


def _sin_pi(x: Fraction, prec: int) -> Interval:
    n, r = _half_turns(x, prec)
    found = cos_reduced(r) if n % 2 else sin_reduced(r)
    return (-found if n >= 2 else found).below(1).above(-1)


def _cos_pi(x: Fraction, prec: int) -> Interval:
    return _sin_pi(abs(x) % 2 + HALF, prec)


def _tan_pi(x: Fraction, prec: int) -> Interval:
    s, c = sine_cosine(*_half_turns(x, prec))
    return s / c


def _exact_sin_pi(x: Fraction) -> Exact | None:
    """Zeros have the sign of x; at halves 1, -1 in turn."""
    if x.denominator == 1:
        return number(0, int(x < 0))
    return number(1 if (x - HALF) % 2 == 0 else -1) if x.denominator == 2 else None


def _exact_cos_pi(x: Fraction) -> Exact | None:
    """At halves +0; at integers 1, -1 in turn."""
    if x.denominator == 2:
        return ZERO
    return number(-1 if x % 2 else 1) if x.denominator == 1 else None


def _tan_pi_row(x: Datum, semantics: Semantics) -> Outcome:
    """Zeros: + at positive even and negative odd integers, else -; poles: + at n + 1/2 for even n, - for odd n.

    [IEEE 754-2019 9.2.1]  P3109's report has NaN at the poles, its formal text these infinities.
    """
    if x.is_infinite:
        return INVALID
    if x.is_zero:
        return exactly(x)
    v = x.value
    if v.denominator == 1:
        return number(0, int((v % 2 == 1) == (v > 0)))
    if v.denominator == 2:
        return INVALID if semantics is Semantics.P3109 else pole(int((v - HALF) % 2))
    if v.denominator == 4:
        return number(1 if v % 1 == QUARTER else -1)
    return lambda prec: _tan_pi(v, prec)


def _asin_pi(x: Fraction, prec: int) -> Interval:
    return (_asin(x, prec) / pi(prec)).below(HALF)


def _acos_pi(x: Fraction, prec: int) -> Interval:
    found = _acos(x, prec) / pi(prec)
    return found.below(HALF) if x > 0 else found.above(HALF).below(1)


def _atan_pi(x: Fraction, prec: int) -> Interval:
    return (_atan(x, prec) / pi(prec)).below(HALF)


_ENDS_OF_ACOS_PI = {Fraction(1): ZERO, Fraction(-1): ONE}
_ENDS = {Fraction(s): {n: number(s * Fraction(1, n)) for n in (2, 4)} for s in (1, -1)}


# -- two operands ---------------------------------------------------------------------------------------------------


def _angle(y: Fraction, x: Fraction, prec: int, turns: bool) -> Interval:
    """The angle of the point (x, y) for y > 0 and x not 0."""
    if x > 0 and y < x:
        found = atan(of(y, prec) / of(x, prec)).below(y / x)
    elif x < 0 and y < -x:
        found = pi(prec) - atan(of(y, prec) / of(-x, prec))
    else:
        found = pi(prec).scaled(-1) - atan(of(x, prec) / of(y, prec))
    if not turns:
        return found
    found = found / pi(prec)
    return found.below(HALF) if x > 0 else found.above(HALF).below(1)


def _atan2(turns: bool) -> Callable[..., Outcome]:
    """[IEEE 754-2019 9.2.1: no exception at (0, 0)]  P3109: two zeros or infinities give NaN, (Y < 0, -Inf) +pi in the
    report, -pi in the formal text."""

    def of_pi(part: Fraction, sign: int) -> Outcome:
        if turns:
            return number(-part if sign else part)
        return lambda prec: pi(prec) * (-part if sign else part)

    def row(y: Datum, x: Datum, semantics: Semantics) -> Outcome:
        p3109, sign = semantics.of_p3109, y.sign
        if p3109 and ((y.is_zero and x.is_zero) or (y.is_infinite and x.is_infinite)):
            return INVALID
        if y.is_infinite:
            part = HALF if not x.is_infinite else 3 * QUARTER if x.sign else QUARTER
            return of_pi(part, sign)
        if y.is_zero or x.is_infinite:
            if x.sign:
                return of_pi(Fraction(1), 0 if semantics is Semantics.P3109 else sign)
            return exactly(Datum.finite(0, sign))
        if x.is_zero:
            return of_pi(HALF, sign)
        a, b = y.magnitude, x.value
        if turns and a == abs(b):
            return of_pi(QUARTER if b > 0 else 3 * QUARTER, sign)
        return lambda prec: -_angle(a, b, prec, turns) if sign else _angle(a, b, prec, turns)

    return row


CIRCULAR = {
    "sin": unary(_odd(_sin), plus=INVALID, minus=INVALID),
    "cos": unary(_cos, zero=ONE, plus=INVALID, minus=INVALID),
    "tan": unary(_odd(_tan), plus=INVALID, minus=INVALID),
    "asin": unary(_odd(_asin), plus=INVALID, minus=INVALID, exact=_in_unit),
    "acos": unary(
        _acos, zero=_half_pi(0), plus=INVALID, minus=INVALID, exact=lambda x: ZERO if x == 1 else _in_unit(x)
    ),
    "atan": unary(_odd(_atan), plus=_half_pi(0), minus=_half_pi(1)),
    "sinpi": unary(_odd(_sin_pi), plus=INVALID, minus=INVALID, exact=_exact_sin_pi),
    "cospi": unary(_cos_pi, zero=ONE, plus=INVALID, minus=INVALID, exact=_exact_cos_pi),
    "tanpi": function(1, _tan_pi_row),
    "asinpi": unary(
        _odd(_asin_pi), plus=INVALID, minus=INVALID, exact=lambda x: _ENDS[x][2] if abs(x) == 1 else _in_unit(x)
    ),
    "acospi": unary(
        _acos_pi, zero=number(HALF), plus=INVALID, minus=INVALID,
        exact=lambda x: _ENDS_OF_ACOS_PI.get(x) or _in_unit(x),
    ),
    "atanpi": unary(
        _odd(_atan_pi), plus=number(HALF), minus=number(-HALF), exact=lambda x: _ENDS[x][4] if abs(x) == 1 else None
    ),
    "atan2": function(2, _atan2(False)),
    "atan2pi": function(2, _atan2(True)),
    "deg2rad": unary(lambda x, prec: pi(prec) * (x / 180)),
    "rad2deg": unary(lambda x, prec: of(180 * x, prec) / pi(prec)),
}  # fmt: skip
