"""Exact numbers as text: the decimal where it is short, else a rounded one, marked ``~``, beside an exact form."""

from __future__ import annotations

from fractions import Fraction

from ...spec.datum import floor_log2, power_of_two

SHORT = 12  # significant digits up to which an exact decimal is printed
ROUNDED = 9  # significant digits of a rounded one: enough to distinguish two float32 values

MAGNITUDE = 6  # significant digits of a rounded one with an exponent: it gives the size, the exact form the rest


def decimal_text(x: Fraction, short: int = SHORT, rounded: int = ROUNDED) -> str:
    """A number in decimal: exact up to ``short`` significant digits, else ``~`` and ``rounded`` of them.

    >>> decimal_text(Fraction(1, 512)), decimal_text(Fraction(-1, 3)), decimal_text(Fraction(2) ** 127)
    ('0.001953125', '~-0.333333333', '~1.70141e+38')
    """
    sign = "-" if x < 0 else ""
    if found := _exact_digits(abs(x), short):
        return sign + _layout(*found, _is_everyday(*found, short))
    found = _rounded_digits(abs(x), rounded)
    if not _is_everyday(*found, short):
        return f"~{sign}{_layout(*_rounded_digits(abs(x), min(rounded, MAGNITUDE)), False)}"
    return f"~{sign}{_layout(*found, True)}"


def fitted_text(x: Fraction, width: int) -> str:
    """A decimal of at most ``width`` columns (5 or more): exact where it fits, else ``~`` and all digits that do."""
    exact = decimal_text(x)
    if not exact.startswith("~") and len(exact) <= width:
        return exact
    sign = "-" if x < 0 else ""
    for digits in range(width, 0, -1):
        for positional in (True, False):  # with an exponent only where that holds more digits
            text = f"~{sign}{_layout(*_rounded_digits(abs(x), digits), positional)}"
            if len(text) <= width:
                return text
    raise ValueError(f"no decimal of {exact} fits {width} columns")


def is_short(x: Fraction, short: int = SHORT) -> bool:
    """Has the number an exact decimal of at most ``short`` significant digits?"""
    return _exact_digits(abs(x), short) is not None


def is_dyadic(x: Fraction) -> bool:
    """Is the number an integer times a power of two, as every finite floating-point datum is?"""
    return x.denominator & (x.denominator - 1) == 0


def hex_text(x: Fraction) -> str:
    """A dyadic number as a hexadecimal float with one leading digit, as C prints it but in upper case.

    >>> hex_text(Fraction(9227469, 2**20))
    '0x1.19999Ap+3'
    """
    if x == 0:
        return "0x0p+0"
    e = floor_log2(abs(x))
    fraction = abs(x) / power_of_two(e) - 1
    places = -(-(fraction.denominator.bit_length() - 1) // 4)
    digits = f".{int(fraction * 16**places):0{places}X}" if places else ""
    return f"{'-' if x < 0 else ''}0x1{digits}p{e:+d}"


def scaled_text(x: Fraction, emin: int | None = None) -> str:
    """A dyadic number as significand x power of two; the exponent stays at ``emin`` for smaller (subnormal) ones.

    A significand whose decimal is long gives a hexadecimal float instead.

    >>> scaled_text(Fraction(1, 512), emin=-6), scaled_text(Fraction(448))
    ('0.125 x 2^-6', '1.75 x 2^8')
    """
    if x == 0:
        return "0"
    e = floor_log2(abs(x))
    e = e if emin is None else max(e, emin)
    significand = x / power_of_two(e)
    return f"{decimal_text(significand)} x 2^{e}" if is_short(significand) else hex_text(x)


def exact_text(x: Fraction) -> str:
    """A number so that it can be read back: short decimal, else a hexadecimal float, else a ratio."""
    if is_short(x):
        return decimal_text(x)
    return hex_text(x) if is_dyadic(x) else str(x)


def ulps_text(eta: Fraction) -> str:
    """A part of an ulp, saying how near it lies to nothing, to a half and to a whole.

    >>> ulps_text(Fraction(1, 2)), ulps_text(Fraction(1, 2) + Fraction(1, 2**20)), ulps_text(Fraction(1, 3))
    ('1/2 ulp', '(1/2 + 2^-20) ulp', '1/3 ulp')
    """
    if eta.denominator <= 64:
        return f"{eta} ulp"
    for anchor in (Fraction(0), Fraction(1, 2), Fraction(1)):
        off = eta - anchor
        if abs(off) < Fraction(1, 256):
            power = floor_log2(abs(off))
            text = f"2^{power}" if abs(off) == power_of_two(power) else decimal_text(abs(off), 6, 3)
            return f"({anchor} {'-' if off < 0 else '+'} {text}) ulp" if anchor else f"{text} ulp"
    return f"{decimal_text(eta, 6, 6)} ulp"


def _exact_digits(x: Fraction, short: int) -> tuple[str, int] | None:
    """Digits without trailing zeros and the exponent of the last one, or None where there are more than ``short``."""
    if x == 0:
        return "0", 0
    rest, twos, fives = x.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1 or max(twos, fives) > 4000:
        return None
    places = max(twos, fives)
    units = int(x * 10**places)
    exponent = -places
    while units % 10 == 0:
        units, exponent = units // 10, exponent + 1
    return (str(units), exponent) if units < 10**short else None


def _rounded_digits(x: Fraction, n: int) -> tuple[str, int]:
    """n significant digits, to nearest even, and the exponent of the last one; trailing zeros dropped."""
    top = int((floor_log2(x)) * 0.30103)  # near floor(log10 x)
    while Fraction(10) ** top > x:
        top -= 1
    while Fraction(10) ** (top + 1) <= x:
        top += 1
    units, exponent = round(x / Fraction(10) ** (top - n + 1)), top - n + 1
    while units % 10 == 0:
        units, exponent = units // 10, exponent + 1
    return str(units), exponent


def _is_everyday(digits: str, exponent: int, short: int) -> bool:
    """Is the number of a size that people read without an exponent?"""
    return -5 < exponent + len(digits) - 1 < short


def _layout(digits: str, exponent: int, positional: bool) -> str:
    """123.4 or 1.234e+2."""
    top = exponent + len(digits) - 1
    if not positional:
        return f"{digits[0]}{'.' + digits[1:] if digits[1:] else ''}e{top:+d}"
    if exponent >= 0:
        return digits + "0" * exponent
    if top >= 0:
        return f"{digits[: top + 1]}.{digits[top + 1 :]}"
    return "0." + "0" * (-top - 1) + digits
