"""Elementary functions by MPFR (gmpy2) and by mpmath's intervals: what the true value is, far finer than any rounding.

Shares no code with fp8ref.  An answer is one of ``naive_arithmetic``'s exact results; a number is MPFR's at PRECISION
bits, moved by a fraction of its last bit to the side on which MPFR says that the true value lies.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

gmpy2 = pytest.importorskip("gmpy2")
mpmath = pytest.importorskip("mpmath")

PRECISION = 500
FINER = Fraction(1, 2**60)
Exact = tuple[Any, ...]
Meaning = tuple[str, int, Fraction | None]

WIDE = gmpy2.context(precision=PRECISION, emin=gmpy2.get_emin_min(), emax=gmpy2.get_emax_max())
DIRECT = {
    "exp": "exp", "exp2": "exp2", "exp10": "exp10", "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10",
    "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
    "cbrt": "cbrt", "erf": "erf", "erfc": "erfc", "atan2": "atan2", "hypot": "hypot",
}  # fmt: skip


def number(x: Any) -> Any:
    """A rational as an mpfr number; those of 16 bits are exact."""
    return gmpy2.mpfr(gmpy2.mpq(x.numerator, x.denominator))


def stand_in(z: Any) -> Fraction:
    """The value of an mpfr result, moved off it where it is not exact."""
    value = Fraction(*map(int, z.as_integer_ratio()))
    return value - (abs(value) * Fraction(1, 2**PRECISION) * FINER * (1 if z.rc > 0 else -1) if z.rc else 0)


def by_mpfr(op: str, operands: list[Meaning], flagged: bool = True) -> Exact:
    """A function that MPFR has, on operands that are not NaN; ("nan", True) where it makes one."""
    with gmpy2.context(WIDE) as running:
        given = [
            gmpy2.inf(-1 if sign else 1) if kind == "infinite" else
            (gmpy2.mpfr("-0") if sign else gmpy2.mpfr(0)) if value == 0 else number(value)
            for kind, sign, value in operands
        ]  # fmt: skip
        running.clear_flags()
        z = given[0] ** given[1] if op == "pow" else getattr(gmpy2, DIRECT[op])(*given)
        sign = int(gmpy2.is_signed(z))
        if gmpy2.is_nan(z):
            return ("nan", True)
        if gmpy2.is_infinite(z) and running.overflow:  # beyond MPFR's own range
            return ("number", sign, Fraction(2) ** 3000)
        if gmpy2.is_infinite(z):
            return ("infinite", sign, running.divzero)
        if z == 0:
            return ("number", sign, Fraction(1, 2**3000)) if running.underflow else ("zero", sign)
        exponent = gmpy2.get_exp(z)
        if abs(exponent) > 3000:
            return ("number", sign, Fraction(2) ** (3000 if exponent > 0 else -3000))
        return ("number", sign, abs(stand_in(z)))


iv = mpmath.iv
IV_BITS = 900


def sigmoid(x: Any) -> Any:
    return 1 / (1 + iv.exp(-x))


INTERVALS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": sigmoid,
    "softplus": lambda x: iv.log(1 + iv.exp(x)),
    "log_sigmoid": lambda x: -iv.log(1 + iv.exp(-x)),
    "silu": lambda x: x * sigmoid(x),
    "gelu_tanh": lambda x: x * sigmoid(2 * iv.sqrt(2 / iv.pi) * (x + x**3 * 44715 / 1000000)),
    "mish": lambda x: x * (1 - 2 / ((1 + iv.exp(x)) ** 2 + 1)),
    "exp2m1": lambda x: iv.exp(x * iv.log(2)) - 1,
    "exp10m1": lambda x: iv.exp(x * iv.log(10)) - 1,
    "log2p1": lambda x: iv.log(1 + x) / iv.log(2),
    "log10p1": lambda x: iv.log(1 + x) / iv.log(10),
    "rsqrt": lambda x: 1 / iv.sqrt(x),
    "deg2rad": lambda x: x * iv.pi / 180,
    "rad2deg": lambda x: x * 180 / iv.pi,
}


IN_TURNS = {"asinpi": "asin", "acospi": "acos", "atanpi": "atan"}  # divided by pi
OF_PI = {
    "sinpi": lambda x: iv.sin(iv.pi * x),
    "cospi": lambda x: iv.cos(iv.pi * x),
    "tanpi": lambda x: iv.sin(iv.pi * x) / iv.cos(iv.pi * x),
}
EXACT = {"reciprocal": lambda x: 1 / x, "square": lambda x: x * x}
BEYOND = 20  # where erf is 1 to more bits than a format of 8 bits has


def by_parts(op: str, x: Fraction) -> Exact | None:
    """At a finite x other than 0 what neither MPFR nor mpmath has as one function; None where it is special."""
    if op in EXACT:
        value = EXACT[op](x)
    elif op in OF_PI:
        return by_half_turns(op, x)
    elif op in IN_TURNS:
        if abs(x) > 1 and op != "atanpi":
            return ("nan", True)
        if abs(x) == 1:
            ends = {"asinpi": x / 2, "acospi": Fraction(1 - x, 2), "atanpi": x / 4}
            value = ends[op]
        else:
            with gmpy2.context(WIDE):
                value = stand_in(getattr(gmpy2, IN_TURNS[op])(number(x)) / gmpy2.const_pi())
    else:
        assert op == "gelu"
        if x > BEYOND:
            value = x * (1 - FINER / 2**PRECISION)
        elif x < -BEYOND:
            value = -Fraction(1, 2**200)
        else:
            with gmpy2.context(WIDE):
                value = stand_in(number(x) / 2 * gmpy2.erfc(-number(x) / gmpy2.sqrt(gmpy2.mpfr(2))))
    return ("number", int(value < 0), abs(value)) if value else ("zero", 0)


def by_half_turns(op: str, x: Fraction) -> Exact | None:
    """Niven: rational at multiples of 1/2, of the tangent 1/4, alone; signs of zeros are restated in tests/spec."""
    reduced = x % 2
    if reduced.denominator == 1 or (reduced.denominator == 2 and op != "sinpi"):
        value = {"cospi": {0: 1, 1: -1}}.get(op, {}).get(reduced)
        return None if value is None else ("number", int(value < 0), Fraction(1))
    if op == "sinpi" and reduced.denominator == 2:
        return ("number", int(reduced > 1), Fraction(1))
    if op == "tanpi" and reduced.denominator == 4:
        return ("number", int(reduced % 1 > Fraction(1, 2)), Fraction(1))
    iv.prec = IV_BITS
    found = OF_PI[op](iv.mpf(reduced.numerator) / iv.mpf(reduced.denominator))
    value = (end(found._mpi_[0]) + end(found._mpi_[1])) / 2
    return ("number", int(value < 0), abs(value))


PARTS = (*EXACT, *OF_PI, *IN_TURNS, "gelu")


def end(x: Any) -> Fraction:
    """An end of an interval, an mpf of mpmath, exactly."""
    sign, mantissa, exponent, _ = x._mpf_ if hasattr(x, "_mpf_") else x
    return (-1) ** sign * int(mantissa) * Fraction(2) ** max(min(exponent, 6000), -400000)


def exactly(op: str, x: Fraction) -> Fraction | None:
    """The exact values, found by search: powers of the base, less one; perfect squares."""
    if op in ("exp2m1", "exp10m1") and x.denominator == 1 and abs(x) < 2000 and (x > 0 or op == "exp2m1"):
        return Fraction(2 if op == "exp2m1" else 10) ** int(x) - 1
    if op in ("log2p1", "log10p1") and x > -1:
        base = Fraction(2 if op == "log2p1" else 10)
        return next((Fraction(k) for k in range(-64, 64) if base**k == x + 1), None)
    if op == "rsqrt" and x > 0:
        return next((Fraction(2) ** k for k in range(-80, 80) if Fraction(4) ** -k == x), None)
    return None


def by_intervals(op: str, x: Fraction, bits: int = IV_BITS) -> Exact:
    """The middle of mpmath's interval at a finite x other than 0 where the function is not exact."""
    exact = exactly(op, x)
    if exact is not None:
        return ("number", int(exact < 0), abs(exact)) if exact else ("zero", 0)
    iv.prec = bits + int(abs(x) * 3 / 2 if abs(x) < 2**17 else 0)  # what is left of 1 in 1 + exp(-x)
    found = INTERVALS[op](iv.mpf(x.numerator) / iv.mpf(x.denominator))
    low, high = end(found._mpi_[0]), end(found._mpi_[1])
    value = (low + high) / 2
    return ("number", int(value < 0), abs(value)) if value else ("zero", 0)
