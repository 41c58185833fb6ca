"""Decimal and hexadecimal text of data, both ways  [IEEE 754-2019 5.12].

>>> from fp8ref.spec import decode
>>> to_decimal(decode(0x01, "e4m3fn")), shortest(0x01, "e4m3fn"), to_hex(decode(0x01, "e4m3fn"))
('0.001953125', '0.002', '0x1p-9')
"""

from __future__ import annotations

import re
from fractions import Fraction

from ..catalog import get_format
from ..codec import pack, unpack
from ..datum import HALF, ZERO, Datum, floor_log2, power_of_two
from ..formats import Format
from ..overflow import OverflowLike
from ..projection import Projection, get_projection, is_signalling, project
from ..rounding import Rounding
from ..status import Status

_NUMBER = re.compile(r"(?P<digits>\d+\.?\d*|\.\d+)(?:e(?P<exponent>[+-]?\d{1,6}))?", re.ASCII)
_HEX = re.compile(r"0x(?P<digits>[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p(?P<exponent>[+-]?\d{1,6}))?", re.ASCII)
LONGEST, FARTHEST = 4000, 20_000  # characters and exponents that are read: far beyond what any format needs
_NAN = re.compile(r"(?P<kind>s?nan)(?:\((?P<payload>[^)]*)\))?")


def _special(x: Datum) -> str | None:
    sign = "-" if x.sign else ""
    if x.is_nan:
        return f"{sign}snan" if is_signalling(x) else f"{sign}nan"
    return f"{sign}inf" if x.is_infinite else f"{sign}0" if x.is_zero else None


def to_decimal(x: Datum) -> str:
    """The exact value, without an exponent; inf, nan and snan with a minus where the sign is set.

    Raises ValueError for a finite value that has no finite decimal expansion.
    """
    special = _special(x)
    if special is not None:
        return special
    q = x.magnitude.denominator
    places = 0
    while q % 5 == 0 or q % 2 == 0:
        q = q // 10 if q % 10 == 0 else q // 5 if q % 5 == 0 else q // 2
        places += 1
    if q != 1:
        raise ValueError(f"{x} has no finite decimal expansion")
    return ("-" if x.sign else "") + _positional(int(x.magnitude * 10**places), -places)


def _positional(digits: int, exponent: int) -> str:
    """digits * 10**exponent in positional notation."""
    if exponent >= 0:
        return str(digits * 10**exponent)
    text = str(digits).rjust(1 - exponent, "0")
    whole, fraction = text[:exponent], text[exponent:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def shortest(code: int, format: Format | str) -> str:
    """The decimal of fewest digits that rounds to nearest even to the same code; of several, the nearest to its value.

    As with Python's repr, no other format is considered.  Values far from 1 are written with an exponent.
    """
    f = get_format(format)
    x = unpack(code, f)
    special = _special(x)
    if special is not None:
        return special
    leading = len(str(int(x.magnitude))) - 1 if x.magnitude >= 1 else -len(str(int(1 / x.magnitude)))
    for count in range(1, 800):
        unit = leading - count + 1
        scaled = x.magnitude / Fraction(10) ** unit
        found = [
            digits
            for digits in (int(scaled), int(scaled) + 1)
            if digits and _rounds_to(digits * Fraction(10) ** unit, x, code, f)
        ]
        if found:
            digits = min(found, key=lambda d: (abs(d - scaled), d % 2))
            return ("-" if x.sign else "") + _readable(digits, unit)
    raise AssertionError(f"no decimal found for {code:#x} of {f.name}")  # pragma: no cover


def _rounds_to(magnitude: Fraction, x: Datum, code: int, f: Format) -> bool:
    rho = get_projection(f, Rounding.TIES_TO_EVEN, "sat")
    datum, status = project(Datum.finite(magnitude).with_sign(x.sign), f, rho)
    return pack(datum, f) == code and not status & Status.OVERFLOW


def _readable(digits: int, exponent: int) -> str:
    text = str(digits).rstrip("0")
    point = len(str(digits)) + exponent
    if -4 < point <= 16:
        return _positional(digits, exponent)
    return f"{text[0]}{'.' + text[1:] if len(text) > 1 else ''}e{point - 1:+d}"


def to_hex(x: Datum) -> str:
    """The exact value as C's %a prints it: 0x1.8p+3.  Raises ValueError where it is not a binary fraction."""
    special = _special(x)
    if special is not None:
        return special
    e = floor_log2(x.magnitude)
    rest, digits = x.magnitude / power_of_two(e) - 1, ""
    if rest.denominator & (rest.denominator - 1):
        raise ValueError(f"{x} is not a binary fraction")
    while rest:
        rest *= 16
        digits += f"{int(rest):x}"
        rest -= int(rest)
    return f"{'-' if x.sign else ''}0x1{'.' + digits if digits else ''}p{e:+d}"


def parse(text: str) -> Datum:
    """The exact datum of decimal or hexadecimal text: 1.5, -0, 3e-4, 0x1.8p3, inf, infinity, nan, snan.

    Raises ValueError for any other text, for more than 4000 characters, and for exponents beyond 20000.
    """
    if len(text) > LONGEST:
        raise ValueError(f"{text!r:.40}... has {len(text)} characters; a number has at most {LONGEST}")
    body = text.strip().lower()
    sign = int(body.startswith("-"))
    body = body[1:] if body[:1] in ("+", "-") else body
    if body in ("inf", "infinity"):
        return Datum.infinity(sign)
    if match := _NAN.fullmatch(body):
        return Datum.nan(sign, HALF if match["kind"] == "nan" else HALF / 2)
    match = _HEX.fullmatch(body) or _NUMBER.fullmatch(body)
    if match and abs(int(match["exponent"] or 0)) > FARTHEST:
        raise ValueError(f"{text!r:.40}: exponents go from -{FARTHEST} to {FARTHEST}")
    if match and match.re is _HEX:
        whole, _, fraction = match["digits"].partition(".")
        value = Fraction(int(whole + fraction, 16), 16 ** len(fraction)) * power_of_two(int(match["exponent"] or 0))
    elif match:
        whole, _, fraction = match["digits"].partition(".")
        value = Fraction(int(whole + fraction), 10 ** len(fraction)) * Fraction(10) ** int(match["exponent"] or 0)
    else:
        raise ValueError(f"{text!r:.80} is not a number: write 1.5, 3e-4, 0x1.8p3, inf or nan")
    return Datum.finite(value if value else ZERO).with_sign(sign)


def from_text(
    text: str,
    format: Format | str,
    rounding: Rounding | str = Rounding.TIES_TO_EVEN,
    overflow: OverflowLike | None = None,
    rho: Projection | None = None,
) -> tuple[int, Status]:
    """The code of a number in text, correctly rounded, and the exceptions raised  [IEEE 754-2019 5.12.2].

    >>> from_text("0.1", "e4m3fn")
    (29, <Status.INEXACT: 1>)
    """
    f = get_format(format)
    datum, status = project(parse(text), f, rho or get_projection(f, rounding, overflow))
    return pack(datum, f), status
