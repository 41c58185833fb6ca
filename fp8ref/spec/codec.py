"""The two pure maps between codes and data: unpack and pack.  Nothing is rounded here."""

from __future__ import annotations

from fractions import Fraction

from .datum import Datum, floor_log2, power_of_two
from .formats import Format, NaNs


def unpack(code: int, f: Format) -> Datum:
    """The datum that a code stands for [OCP OFP8 1.0 table 1; OCP MX 1.0 5.3, 5.4; P3109 Decode].

    Raises ValueError for a code outside 0 .. 2**k - 1.
    """
    if not 0 <= code <= f.code_mask:
        raise ValueError(f"{code:#x} is not a code of {f.name}, which has {f.k} bits")
    sign = int(bool(code & f.sign_bit))
    if f.fixed_point:
        return Datum.finite((code - (sign << f.k)) * power_of_two(-f.t))
    if f.is_nan_code(code):
        if f.nans is NaNs.NEGATIVE_ZERO:
            return Datum.nan()
        return Datum.nan(sign, Fraction(code & ((1 << f.t) - 1), 1 << f.t) if f.nans is NaNs.IEEE else Fraction(1, 2))
    magnitude = code & f.magnitude_mask
    if f.infinities and magnitude == f.infinity_code:
        return Datum.infinity(sign)
    return Datum.finite(f.magnitude(magnitude), sign).with_sign(sign)


def pack(x: Datum, f: Format) -> int:
    """The code of a datum that the format has; for a NaN, its sign and payload as far as they go.

    Raises ValueError where the format has no code for the datum: nothing is rounded here.
    """
    if x.is_nan:
        return _pack_nan(x, f)
    if x.sign and not f.signed and not x.is_zero:
        raise ValueError(f"{f.name} is unsigned and has no {x}")
    if x.is_infinite:
        return (f.sign_bit if x.sign else 0) | f.infinity_code
    if f.fixed_point:
        units = x.value * 2**f.t
        if units.denominator != 1 or not f.lowest <= x.value <= f.max:
            raise ValueError(f"{f.name} has no code for {x}")
        return int(units) & f.code_mask
    sign = f.sign_bit if x.sign and (f.has_negative_zero or not x.is_zero) else 0
    return sign | _magnitude_code(x.magnitude, f)


def _magnitude_code(magnitude: Fraction, f: Format) -> int:
    e = f.emin if magnitude == 0 else floor_log2(magnitude)
    ulps = magnitude / power_of_two(f.quantum_exponent(e))
    code = code_of_ulps(int(ulps), e, f)
    if ulps.denominator != 1 or not 0 <= code <= f.max_code:
        raise ValueError(f"{f.name} has no code for the magnitude {magnitude}")
    return code


def _pack_nan(x: Datum, f: Format) -> int:
    if not f.has_nan:
        raise ValueError(f"{f.name} has no NaN")
    sign = f.sign_bit if x.sign else 0
    if f.nans is NaNs.NEGATIVE_ZERO:
        return f.sign_bit
    if f.nans is NaNs.ALL_ONES:
        return sign | f.magnitude_mask
    trailing = int(x.payload * 2**f.t)
    return sign | f.infinity_code | (trailing or 1 << (f.t - 1))


def code_of_ulps(ulps: int, e: int, f: Format) -> int:
    """Magnitude code of ``ulps`` units of the binade of 2**e, as if codes went on beyond the top.

    With e raised to emin, ``((e - emin) << t) + ulps`` is the code in every case: ulps holds the implicit bit, which
    is the step from exponent field 0 to 1, and a carry to 2**p ulps steps into the next binade by itself.  Without a
    zero there is no such step: field 0 already is a binade of normals.
    """
    if f.fixed_point:
        return ulps
    return ((max(e, f.emin) - f.emin) << f.t) + ulps - (0 if f.zero else 1 << f.t)


def canonical_nan(f: Format, sign: int | None = None) -> Datum:
    """The format's canonical NaN, with another sign where one is given.  Raises ValueError where it has no NaN."""
    if f.nan_canonical is None:
        raise ValueError(f"{f.name} has no NaN")
    datum = unpack(f.nan_canonical, f)
    return datum if sign is None or not f.signed else datum.with_sign(sign)
