"""Enclosures of the few series that every elementary function is made of, and of the constants.

Each kernel takes an :class:`Interval` and returns one; the number of bits is the argument's ``prec``.  All are good to
a relative accuracy, near their zeros too.  The argument reductions are the textbook ones [Muller, Elementary Functions,
3rd ed., 2016, ch. 11]; the error of every truncated sum is counted in :func:`total`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from .intervals import Interval

Ratio = Callable[[int], tuple[int, int]]
GUARD = 24


def total(w: int, bits: int, ratio: Ratio, width: int = 1) -> tuple[int, int]:
    """Bounds of sum t(n), t(0) = 1, t(n) = t(n-1) W a/b with (a, b) = ratio(n), all in units of 2**-bits.

    W is in [w, w + width] for w >= 0 and in [w - width, w] for w < 0; the ratios a/b are at most 1 and fall from some
    term on, or stay below one.  The sums of smaller W have |W| <= 5/8.

    Error.  Every step rounds down once, and W by one unit once more.  An error made at term i reaches term n by the
    factor t(n)/t(i), which is at most max(t(n), 1), because the terms rise from 1 and then fall.  So term n is off by
    at most 2 n max(t(n), 1) units and N of them by 2 N (sum + N).  Behind the last term, of less than 2 N + 1 units,
    ratios are below 1/2, so that the rest is at most twice that.  A wider W moves a sum of |W| <= 5/8 by at most 4 of
    its widths.
    """
    magnitude, alternates = abs(w), w < 0
    term = signed = plain = 1 << bits
    n = 0
    while True:
        n += 1
        a, b = ratio(n)
        term = term * magnitude * a // (b << bits)
        plain += term
        signed += -term if alternates and n % 2 else term
        if not term and 2 * magnitude * a < b << bits:
            break
    error = 2 * n * ((plain >> bits) + 1 + n) + 4 * n + 8 + 4 * width
    return signed - error, signed + error


def _enclosed(bounds: tuple[int, int], bits: int, prec: int) -> Interval:
    return Interval(*bounds, -bits, prec)


def _of_exp(n: int) -> tuple[int, int]:
    return 1, n


def _of_sin(n: int) -> tuple[int, int]:
    return 1, 2 * n * (2 * n + 1)


def _of_cos(n: int) -> tuple[int, int]:
    return 1, 2 * n * (2 * n - 1)


def _of_atan(n: int) -> tuple[int, int]:
    return 2 * n - 1, 2 * n + 1


def _of_erfc(n: int) -> tuple[int, int]:
    return 2 * n - 1, 1


def _of_erf(n: int) -> tuple[int, int]:
    return 1, 2 * n + 1


def _even(x: Interval, ratio: Ratio, sign: int) -> Interval:
    """The series of ``sign * x**2``, for small x."""
    bits = x.prec + GUARD
    lo, hi = (x * x).fixed(bits)
    lo = max(lo, 0)
    return _enclosed(total(sign * lo, bits, ratio, hi - lo + 1), bits, bits)


def _odd(x: Interval, ratio: Ratio, sign: int) -> Interval:
    """x times that series: as accurate relatively where x is tiny."""
    return x * _even(x, ratio, sign)


# -- constants ------------------------------------------------------------------------------------------------------


def _rounded_up(prec: int) -> int:
    return (prec + 127) // 64 * 64


@lru_cache(maxsize=256)
def _atan_of_inverse(n: int, prec: int) -> Interval:
    return _odd(Interval.of(Fraction(1, n), prec), _of_atan, -1)


@lru_cache(maxsize=512)
def _atanh_of_inverse(n: int, prec: int) -> Interval:
    return _odd(Interval.of(Fraction(1, n), prec), _of_atan, 1)


@lru_cache(maxsize=64)
def _pi(prec: int) -> Interval:
    return _atan_of_inverse(5, prec) * 16 - _atan_of_inverse(239, prec) * 4  # Machin


@lru_cache(maxsize=512)
def _log_of(n: int, prec: int) -> Interval:
    """log n for a small integer n >= 1: log(n / (n - 1)) = 2 atanh(1 / (2 n - 1))."""
    if n == 1:
        return Interval(0, 0, 0, prec)
    if n % 2 == 0:
        return _log_of(n // 2, prec) + (_atanh_of_inverse(3, prec) * 2)
    return _log_of(n - 1, prec) + _atanh_of_inverse(2 * n - 1, prec) * 2


@lru_cache(maxsize=512)
def _atan_of_eighths(j: int, prec: int) -> Interval:
    if j == 0:
        return Interval(0, 0, 0, prec)
    step = Interval.of(Fraction(8, 64 + j * (j - 1)), prec)
    return _atan_of_eighths(j - 1, prec) + _odd(step, _of_atan, -1)


def pi(prec: int) -> Interval:
    return _pi(_rounded_up(prec)).at(prec)


def log_of(n: int, prec: int) -> Interval:
    """The logarithm of a small positive integer."""
    return _log_of(n, _rounded_up(prec)).at(prec)


# -- exponential and logarithm --------------------------------------------------------------------------------------


def exp(x: Interval) -> Interval:
    """e**x; above 1 where x > 0, below where x < 0, however close to it."""
    prec = x.prec
    bits = prec + GUARD
    size = max(0, x.top)
    ln2 = log_of(2, bits + size + 8)
    k = ((x.lo + x.hi) << (bits + size + max(x.e, 0))) // (ln2.fixed(bits + size)[0] << (1 + max(-x.e, 0)))
    lo, hi = (x.at(bits + size + 8) - ln2 * k).fixed(bits)
    if hi - lo > 1 << (bits - 3):  # a rough argument: its ends tell
        if x.is_point:
            raise ArithmeticError("an exponential was not reduced")
        low, high = map(exp, x.ends())
        return join(low, high)
    if lo < 0:  # floor: 0 <= lo < ln 2, but for a unit or so
        lo, hi, k = lo + ln2.fixed(bits)[0], hi + ln2.fixed(bits)[1], k - 1
    sums = total(lo, bits, _of_exp)
    found = Interval(sums[0], sums[1] + 4 * (hi - lo) + 4, k - bits, prec)
    if x.lo > 0:
        return found.above(1)
    return found.below(1) if x.hi < 0 else found


def join(low: Interval, high: Interval) -> Interval:
    """The interval from the lower end of one to the upper end of another."""
    e = min(low.e, high.e)
    gap = max(low.e, high.e) - e
    if gap > 8 * low.prec and low.lo >= 0 and high.e > low.e:  # far apart
        return Interval(0, high.hi, high.e, low.prec)
    return Interval(low.lo << (low.e - e), high.hi << (high.e - e), e, low.prec)


def atanh_small(z: Interval) -> Interval:
    """atanh z for |z| <= 1/4."""
    return _odd(z, _of_atan, 1)


def log(x: Interval) -> Interval:
    """The natural logarithm of positive numbers, as accurate near 1."""
    if not x.is_point:
        low, high = x.ends()
        return log(low) + Interval(0, 1, 0, x.prec) * ((high - low) / low)
    prec = x.prec
    bits = prec + GUARD
    k = x.lo.bit_length() + x.e
    y = Interval(x.lo, x.lo, x.e - k, bits)  # in [1/2, 1)
    leading = _leading(y)
    if leading < 181:  # 256 / sqrt(2)
        k, y, leading = k - 1, y.scaled(1), 2 * leading
    j = (leading + 8) // 16  # y is next to j/16, j = 11..23
    c = Fraction(j, 16)
    near = atanh_small((y - c) / (y + c)) * 2
    if j != 16:
        near = near + log_of(j, bits) - log_of(2, bits) * 4
    return (near + log_of(2, bits + k.bit_length()) * k if k else near).at(prec)


def _leading(y: Interval) -> int:
    """floor(256 y) of a point"""
    return y.fixed(8)[0]


def log1p(t: Interval) -> Interval:
    """log(1 + t), as accurate for small t."""
    if t.top <= -2:
        return atanh_small(t / (t + 2)) * 2
    return log(t + 1)


def sinh(x: Interval) -> Interval:
    if x.top <= -1:
        return _odd(x, _of_sin, 1)
    e = exp(x)
    return (e - e.inverse()).scaled(-1)


def cosh(x: Interval) -> Interval:
    e = exp(x)
    return (e + e.inverse()).scaled(-1).above(1)


def expm1(x: Interval) -> Interval:
    """exp(x) - 1, as accurate for small x."""
    if x.top <= -1:
        half = x.scaled(-1)
        return (sinh(half) * exp(half)).scaled(1)
    return (exp(x) - 1).above(-1)


# -- circular functions ---------------------------------------------------------------------------------------------


def sin_reduced(r: Interval) -> Interval:
    """sin r for |r| <= pi/4."""
    return _odd(r, _of_sin, -1)


def cos_reduced(r: Interval) -> Interval:
    """cos r for |r| <= pi/4."""
    return _even(r, _of_cos, -1).at(r.prec).below(1)


def reduced(x: Fraction, prec: int) -> tuple[int, Interval]:
    """(n mod 4, x - n pi/2) with n the integer next to 2x/pi."""
    size = max(0, x.numerator.bit_length() - x.denominator.bit_length() + 1)
    wide = prec + size + GUARD
    half_pi = pi(wide).scaled(-1)
    n = _quarter(x, half_pi) if size else 0 if abs(x) < Fraction(25, 32) else 1 if x > 0 else -1
    return n % 4, (Interval.of(x, wide) - half_pi * n).at(prec) if n else Interval.of(x, prec)


def _quarter(x: Fraction, half_pi: Interval) -> int:
    divisor = x.denominator * half_pi.lo
    return ((x.numerator << (1 - half_pi.e)) + divisor) // (2 * divisor)


def sine_cosine(quarter: int, r: Interval) -> tuple[Interval, Interval]:
    """Sine and cosine of ``quarter * pi/2 + r``."""
    s, c = sin_reduced(r), cos_reduced(r)
    return ((s, c), (c, -s), (-s, -c), (-c, s))[quarter]


def atan(x: Interval) -> Interval:
    """The arc tangent; slopes are at most 1, and 1 is left by pi/2 - atan(1/x)."""
    if x.hi < 0:
        return -atan(-x)
    prec = x.prec
    y = x.at(prec + GUARD)
    if x.lo > 0 and x.lo.bit_length() + x.e > 0 and not (x.is_point and x.lo == 1 << max(-x.e, 0)):
        return (pi(y.prec).scaled(-1) - atan(1 / y)).at(prec)
    if not x.is_point:
        low, high = y.ends()
        return (atan(low) + Interval(0, 1, 0, y.prec) * (high - low)).at(prec)
    j = (y.fixed(4)[0] + 1) // 2  # y is next to j/8
    if j == 0:
        return _odd(y, _of_atan, -1).at(prec)
    near = _odd((y - Fraction(j, 8)) / (y * Fraction(j, 8) + 1), _of_atan, -1)
    return (near + _atan_of_eighths(j, _rounded_up(y.prec))).at(prec)


# -- the error function -----------------------------------------------------------------------------------------------


def erf(x: Interval) -> Interval:
    """erf x = 2/sqrt(pi) x exp(-x**2) sum (2 x**2)**n / (2n+1)!!  [DLMF 7.6.2]; every term is positive."""
    if not x.is_point:
        low, high = map(erf, x.ends())
        return join(low, high)
    if x.lo < 0:
        return -erf(-x)
    if _is_far(x):
        return (1 - erfc(x)).below(1)
    prec = x.prec
    bits = prec + GUARD
    y = x.at(bits)
    w, _ = (y * y).fixed(bits + 1)
    sums = _enclosed(total(w, bits, _of_erf), bits, bits)
    return (y.scaled(1) * exp(-(y * y)) * sums / pi(bits).sqrt()).at(prec).below(1)


def _is_far(x: Interval) -> bool:
    """Is x**2 so large that the asymptotic series of erfc has all the bits asked for?"""
    return x.top > x.prec or (x * x).fixed(0)[0] > x.prec + GUARD + 8


def erfc(x: Interval) -> Interval:
    """1 - erf x; for large x the asymptotic series exp(-x**2)/(x sqrt pi) sum (-1)**n (2n-1)!! / (2 x**2)**n.

    What that leaves out is smaller than its next term  [DLMF 7.12(i)].  Its terms fall by more than half until they are
    below 2**-bits, as x**2 is above ``bits``, and a unit more of 1/(2 x**2) moves it by less than two.
    """
    if not x.is_point:
        low, high = map(erfc, x.ends())
        return join(high, low)
    if x.lo <= 0:
        return 1 + erf(-x)
    square = x * x
    if _is_far(x):
        bits = x.prec + GUARD
        w = (1 / (2 * square.at(bits))).fixed(bits)[0]
        sums = _enclosed(total(-w, bits, _of_erfc, 2), bits, bits)
        return (exp(-square) * sums / (x * pi(x.prec).sqrt())).at(x.prec)
    lost = int(square.fixed(0)[1]) * 3 // 2 + 8  # log2 e bits for every unit of x**2
    return (1 - erf(x.at(x.prec + lost))).at(x.prec)
