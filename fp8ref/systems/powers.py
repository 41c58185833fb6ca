"""Powers with real exponents, decided and rounded correctly: sign and nearest float32 of 2**beta * x**alpha.

Logarithms come from :mod:`decimal`, whose ``ln`` and ``exp`` are correctly rounded at any precision.  Digits are added
until an interval around the computed number decides [Ziv, ACM TOMS 17(3), 1991]; where the exact number lies on the
boundary, which no number of digits could show, unique factorisation does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from ..spec.catalog import get_format
from ..spec.codec import unpack
from ..spec.projection import encode

F32 = get_format("f32")
START, LIMIT = 40, 2560  # digits
GUARD = 10  # digits that sums and products of the numbers here may lose


def contexts() -> Iterator[Context]:
    """Contexts of 40, 80, 160 ... digits.  Raises ArithmeticError after the last: nothing here comes near it."""
    digits = START
    while digits <= LIMIT:
        yield context(digits)
        digits *= 2
    raise ArithmeticError(f"{LIMIT} digits do not decide a comparison")


@lru_cache(maxsize=16)
def context(digits: int) -> Context:
    return Context(prec=digits, rounding=ROUND_HALF_EVEN, Emax=10**9, Emin=-(10**9))


@lru_cache(maxsize=1 << 14)
def ln(x: Fraction, digits: int) -> Decimal:
    """The natural logarithm of x > 0, to an absolute error below 10**(3 - digits) for x of up to 2**100 digits."""
    ctx = context(digits)
    return ctx.subtract(ctx.ln(Decimal(x.numerator)), ctx.ln(Decimal(x.denominator)))


def decimal(x: Fraction, digits: int) -> Decimal:
    return context(digits).divide(Decimal(x.numerator), Decimal(x.denominator))


def slack(digits: int) -> Decimal:
    """More than what logarithms of this file, below 10**6, lose in a sum or a product."""
    return Decimal(10) ** (GUARD - digits)


def compare_power(x: Fraction, alpha: Fraction, beta: Fraction, h: Fraction) -> int:
    """The sign of 2**beta * x**alpha - h, for dyadic x, alpha, beta, h with x and h above 0."""
    if _is_power(x, alpha, beta, h):
        return 0
    for ctx in contexts():
        d = ctx.prec
        left = ctx.multiply(decimal(beta, d), ln(Fraction(2), d))
        left = ctx.add(left, ctx.multiply(decimal(alpha, d), ln(x, d)))
        difference = ctx.subtract(left, ln(h, d))
        if difference.copy_abs() > slack(d):
            return 1 if difference > 0 else -1
    raise AssertionError


def _is_power(x: Fraction, alpha: Fraction, beta: Fraction, h: Fraction) -> bool:
    """Is 2**beta * x**alpha exactly h?

    With x = 2**i * u, h = 2**j * v and u, v odd: both u**alpha = v and i * alpha + beta = j.  alpha is P / Q in lowest
    terms, Q a power of two, so that the first is u**P = v**Q.
    """
    (i, u), (j, v) = _odd(x), _odd(h)
    if i * alpha + beta != j:
        return False
    if u == 1 or v == 1:
        return u == v
    p, q = alpha.numerator, alpha.denominator
    return max(p, q) <= 64 and u**p == v**q  # u = w**Q and v = w**P for a w > 1: neither P nor Q is large


def _odd(x: Fraction) -> tuple[int, int]:
    """x = 2**i * u with u odd."""
    n, d = x.numerator, x.denominator
    if d & (d - 1):
        raise ValueError(f"{x} is no dyadic number")
    zeros = (n & -n).bit_length() - 1
    return zeros - (d.bit_length() - 1), n >> zeros


def inverse_power(h: Fraction, alpha: Fraction, beta: Fraction) -> Fraction:
    """The x with 2**beta * x**alpha = h, rounded to the nearest float32, ties to even, at most the largest float32."""
    for ctx in contexts():
        d = ctx.prec
        exponent = ctx.subtract(ln(h, d), ctx.multiply(decimal(beta, d), ln(Fraction(2), d)))
        exponent = ctx.divide(exponent, decimal(alpha, d))
        if exponent > 100:
            return F32.max
        if exponent < -110:
            return Fraction(0)
        found = Fraction(ctx.exp(exponent))
        margin = found * Fraction(slack(d))
        low, high = (rounded32(found + side * margin) for side in (-1, 1))
        if low == high:
            return low
        middle = (low + high) / 2
        if compare_power(middle, alpha, beta, h) == 0:
            return rounded32(middle)
    raise AssertionError


def rounded32(x: Fraction) -> Fraction:
    """The nearest float32, ties to even, saturating."""
    return unpack(encode(x, F32)[0], F32).value


def log2_of_product(magnitudes: Sequence[Fraction], digits: int) -> tuple[Decimal, Decimal]:
    """Bounds of the base-2 logarithm of the product of dyadic magnitudes.

    The odd parts are multiplied and cut at four times as many bits; each cut takes less than 2**(1 - bits) of the
    product, and so less than 2**(2 - bits) of its logarithm.
    """
    bits, ctx = 4 * digits, context(digits)
    significand, exponent, cuts = 1, 0, 0
    for x in magnitudes:
        i, u = _odd(x)
        significand *= u
        exponent += i
        excess = significand.bit_length() - bits
        if excess > 0:
            significand >>= excess
            exponent += excess
            cuts += 1
    low = ctx.add(Decimal(exponent), ctx.divide(ln(Fraction(significand), digits), ln(Fraction(2), digits)))
    lost = ctx.divide(Decimal(4 * cuts), Decimal(1 << bits))
    rounding = ctx.multiply(max(low.copy_abs(), Decimal(1)), Decimal(10) ** (4 - digits))
    return ctx.subtract(low, rounding), ctx.add(low, ctx.add(lost, rounding))
