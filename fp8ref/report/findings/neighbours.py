"""An exact value between the two codes around it, in words and on a small line."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ...spec.codec import pack
from ...spec.datum import Datum, floor_log2, power_of_two
from ...spec.formats import Format
from ...spec.projection import round_to_precision
from ...spec.rounding import Rounding
from ..formats.numbers import decimal_text, is_dyadic, scaled_text, ulps_text


@dataclass(frozen=True)
class Neighbours:
    """Where a finite value lies among the values of a format, were its exponent without an upper bound.

    ``inner`` is the value itself or its neighbour toward zero, ``outer`` the next one away from zero, ``eta`` the
    distance from inner in ulps, 0 <= eta < 1.  A code is None where the format has none: beyond the largest finite
    value, or below the smallest of a format without zero.
    """

    f: Format
    x: Datum
    inner: Fraction
    outer: Fraction
    inner_code: int | None
    outer_code: int | None

    @property
    def eta(self) -> Fraction:
        return (self.x.value - self.inner) / (self.outer - self.inner)

    @property
    def ulp(self) -> Fraction:
        return abs(self.outer - self.inner)

    @property
    def is_exact(self) -> bool:
        return self.x.value == self.inner and self.inner_code is not None

    @property
    def is_below_all(self) -> bool:
        """Does it lie below the smallest value of a format without zero?"""
        return not self.f.zero and self.x.magnitude < self.f.min_normal

    @property
    def before(self) -> tuple[Fraction, int | None] | None:
        """The value on the other side of an exact one (toward zero, or past it), and its code; None at an end."""
        assert self.inner_code is not None
        if self.f.fixed_point:
            value = 2 * self.inner - self.outer
        elif self.inner == 0:
            value = -self.outer
        else:
            magnitude_code = self.inner_code & self.f.magnitude_mask
            if magnitude_code == 0:  # E8M0's smallest
                return None
            value = self.f.magnitude(magnitude_code - 1) * (-1 if self.x.sign else 1)
        code = _code_or_none(Datum.finite(value, self.x.sign if value == 0 else None), self.f)
        return None if code is None else (value, code)

    @property
    def text(self) -> str:
        """``0.001953125 [0x01] + 1/2 ulp, next up 0.00390625 [0x02]``."""
        inner, outer = named(self.inner, self.inner_code, self.f), named(self.outer, self.outer_code, self.f)
        if self.is_exact:
            return f"{inner} exactly"
        if self.is_below_all:
            return f"below {outer}, the smallest value: {self.f.name} has no zero"
        if self.inner_code is None:
            extreme = self.f.lowest if self.x.sign else self.f.max
            code = pack(Datum.finite(extreme), self.f)
            return f"beyond {named(extreme, code, self.f)}, the {'most negative' if self.x.sign else 'largest'} value"
        between = f"{'-' if self.x.sign else '+'} {ulps_text(self.eta)}"
        return f"{inner} {between}, next {'down' if self.x.sign else 'up'} {outer}"


def neighbours(x: Datum, f: Format) -> Neighbours | None:
    """The values around a finite datum; None for a NaN, an infinity, and a negative value of an unsigned format."""
    if not x.is_finite or (x.value < 0 and not f.signed):
        return None

    def signed(magnitude: Fraction) -> Fraction:
        return -magnitude if x.sign else magnitude

    def code_of(magnitude: Fraction) -> int | None:
        return _code_or_none(Datum.finite(magnitude).with_sign(x.sign), f)

    if not f.zero and x.magnitude < f.min_normal:  # E8M0: the reference rounds nothing here
        inner, outer = Fraction(0), f.min_normal
        return Neighbours(f, x, inner, outer, None, code_of(outer))
    if x.is_zero:
        inner, outer = Fraction(0), f.min_subnormal
    else:
        inner, _ = round_to_precision(x.magnitude, bool(x.sign), f, Rounding.TOWARD_ZERO)
        outer = inner + power_of_two(f.quantum_exponent(floor_log2(x.magnitude)))
    return Neighbours(f, x, signed(inner), signed(outer), code_of(inner), code_of(outer))


def _code_or_none(x: Datum, f: Format) -> int | None:
    try:
        return pack(x, f)
    except ValueError:
        return None


def named(value: Fraction, code: int | None, f: Format) -> str:
    """A value and its code in brackets."""
    return f"{short_value(value)} [{code_text(code, f.k) if code is not None else 'no code'}]"


def short_value(value: Fraction) -> str:
    """A value as one word, or a power of two where its decimal is long: for lines with several values."""
    text = decimal_text(value)
    if text.startswith("~") and is_dyadic(value):
        scaled = scaled_text(value)
        return scaled.removeprefix("1 x ") if len(scaled) <= 18 else text
    return text


def code_text(code: int, k: int) -> str:
    """A code in hexadecimal, padded to its width.

    >>> code_text(2, 8), code_text(0x1A00, 16), code_text(5, 6)
    ('0x02', '0x1A00', '0x05')
    """
    return f"0x{code:0{-(-k // 4)}X}"
