"""The specification's projection on arrays, for any format: exact integer arithmetic, vectorised.

A finite magnitude comes as ``sig * 2**exp`` with ``sig`` an unsigned 64-bit integer.  It is brought to *quarter ulps*
of the target with everything below jammed into the lowest bit; two bits then hold all that the specification asks of
the discarded part (nothing, below half, half, above half), and the specification's own table, tabulated over those four
classes, decides.  Tables for narrow targets (``tables.py``) are filled from here; wide targets come here directly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..spec.codec import pack
from ..spec.datum import Datum, power_of_two
from ..spec.formats import Format, NaNs
from ..spec.projection import Negative, Projection, project
from ..spec.rounding import ROUNDS_AWAY, RandomBits, Rounding
from ..spec.status import Status, Tininess

U64 = np.uint64
Codes = NDArray[np.unsignedinteger]
Bits = NDArray[np.uint64]

# The four classes of a discarded part, each by one member.
ETA_CLASSES = (Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))


def code_dtype(f: Format) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned dtype that holds the format's codes; of more than 64 bits, that of their words."""
    return np.dtype(next((f"u{size}" for size in (1, 2, 4, 8) if f.k <= 8 * size), "u8"))


def longest(f: Format) -> int:
    """Bits of a format's longest value; in two's complement the most negative one has them all."""
    return f.k if f.fixed_point else f.p


@dataclass(frozen=True)
class Fields:
    """Codes taken apart: finite magnitudes are ``sig * 2**exp``."""

    negative: NDArray[np.bool_]
    sig: Bits
    exp: NDArray[np.int64]
    infinite: NDArray[np.bool_]
    nan: NDArray[np.bool_]


def unpack_fields(codes: Codes, f: Format) -> Fields:
    """Vectorised ``spec.unpack`` (NaN payloads stay in the codes)."""
    c = codes.astype(U64)
    negative = (c & U64(f.sign_bit)) != 0
    if f.fixed_point:
        sig = np.where(negative, (U64(0) - c) & U64(f.code_mask), c)
        never = np.zeros(c.shape, bool)
        return Fields(negative, sig, np.full(c.shape, -f.t, np.int64), never, never)
    magnitude = c & U64(f.magnitude_mask)
    field = (magnitude >> U64(f.t)).astype(np.int64)
    sig = magnitude & U64((1 << f.t) - 1)
    normal = field > 0 if f.zero else np.ones(c.shape, bool)
    sig |= normal.astype(U64) << U64(f.t)
    exp = np.where(normal, field - f.bias, f.emin) - f.t
    infinite = magnitude == U64(f.infinity_code) if f.infinities else np.zeros(c.shape, bool)
    return Fields(negative, sig, exp, infinite, nan_codes(c, f))


def nan_codes(codes: Codes, f: Format) -> NDArray[np.bool_]:
    """Which codes are NaNs, by comparisons in their own type."""
    if f.fixed_point or not (f.nans in (NaNs.NEGATIVE_ZERO, NaNs.ALL_ONES) or f.infinities):
        return np.zeros(codes.shape, bool)
    if codes.dtype.kind != "u":
        codes = codes.astype(U64)
    u = codes.dtype.type
    if f.nans is NaNs.NEGATIVE_ZERO:
        return np.asarray(codes == u(f.sign_bit))
    magnitude = codes & u(f.magnitude_mask)
    if f.nans is NaNs.ALL_ONES:
        return np.asarray(magnitude == u(f.magnitude_mask))
    return np.asarray(magnitude > u(f.infinity_code))


def operand_fields(codes: Codes, f: Format, rho: Projection) -> Fields:
    """Vectorised ``spec.operand``: unpacked, subnormals flushed where the projection flushes operands."""
    fields = unpack_fields(codes, f)
    if rho.subnormal.of_operands and f.has_subnormals and not f.fixed_point:
        return replace(fields, sig=np.where(fields.sig >> U64(f.t) == 0, U64(0), fields.sig))
    return fields


@lru_cache(maxsize=64)
def away_table(mode: Rounding) -> NDArray[np.bool_]:
    """The specification's table of a mode over (negative, odd, class), flat: index negative*8 + odd*4 + class."""
    rounds_away = ROUNDS_AWAY[mode]
    return np.array([rounds_away(eta, bool(odd), bool(neg)) for neg in (0, 1) for odd in (0, 1) for eta in ETA_CLASSES])


def floor_log2_u64(sig: Bits) -> NDArray[np.int64]:
    """floor(log2 sig) for sig > 0 (0 gives -1).  Clearing the second-highest bit keeps float64 from rounding up."""
    return np.frexp((sig & ~(sig >> U64(1))).astype(np.float64))[1].astype(np.int64) - 1


@dataclass(frozen=True)
class Random:
    """Random bits for the stochastic modes: a value of ``width`` bits for every element."""

    value: Bits
    width: int


def stochastically_away(
    mode: Rounding, sig: Bits, shift: NDArray[np.int64], random: Random | None, gap: NDArray[np.int64] | int = 0
) -> NDArray[np.uint64]:
    """1 where the specification's stochastic modes take the ``shift`` lowest bits of ``sig`` away from zero, else 0.

    With F the first N discarded bits, g the next and s "any below", and R the random bits: F + R, plus a carry c, reach
    2**N.  c is 0 in StochasticA, g in StochasticB, and g rounded to even by s and F in StochasticC.  The Intel form
    adds R ``gap`` binades lower.
    """
    if random is None:
        raise ValueError(f"rounding {mode.value!r} needs random bits")
    lower = np.clip(gap, 0, 64 - random.width) if mode is Rounding.STOCHASTIC_BIAS else 0
    width = random.width + lower
    drop = shift - width  # > 0: discarded bits below the first N
    cut = np.clip(drop, 0, 63).astype(U64)
    discarded = np.where(shift > 63, sig, sig & ((U64(1) << np.clip(shift, 0, 63).astype(U64)) - U64(1)))
    leading = np.where(drop > 63, U64(0), discarded >> cut)
    leading <<= np.clip(-drop, 0, 63).astype(U64)
    below = np.clip(drop - 1, 0, 63).astype(U64)
    guard = np.where((drop > 0) & (drop <= 64), (discarded >> below) & U64(1), U64(0))
    sticky = (discarded & ((U64(1) << below) - U64(1))) != 0
    carry = {
        Rounding.STOCHASTIC_B: guard != 0,
        Rounding.STOCHASTIC_C: (guard != 0) & (sticky | (leading & U64(1) != 0)),
    }.get(mode, np.zeros(sig.shape, bool))
    top = U64(2) * ((U64(1) << (width - 1 + np.zeros_like(shift)).astype(U64)) - U64(1)) + U64(1)
    missing = top - random.value  # F + R + c >= 2**N, without a 65th bit
    away: NDArray[np.uint64] = ((leading > missing) | ((leading == missing) & carry)).astype(U64)
    return away


def jam(sig: Bits, shift: NDArray[np.int64]) -> Bits:
    """sig * 2**-shift, with everything below the lowest bit OR-ed into it (round to odd).

    A left shift (negative ``shift``) must leave the result within 64 bits.
    """
    right = np.clip(shift, 0, 63).astype(U64)
    left = np.clip(-shift, 0, 63).astype(U64)
    lost = (sig & ((U64(1) << right) - U64(1))) != 0
    jammed: Bits = ((sig >> right) << left) | lost.astype(U64)
    return jammed


def _rectified(x: Fields) -> Fields:
    """Everything below +0 made +0; NaNs stay."""
    below = x.negative & ~x.nan
    return Fields(x.negative & x.nan, np.where(below, U64(0), x.sig), x.exp, x.infinite & ~below, x.nan)


def project_codes(
    fields: Fields, f: Format, rho: Projection, random: Random | None = None
) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Codes and status of finite values, infinities and (canonical) NaNs; equals ``spec.project`` on every element.

    NaN choices that look at the payload are the caller's: see ``tables.nan_codes``.
    """
    if f.p > 62 or f.magnitude_bits > (60 if f.fixed_point else 63):  # quarter ulps up to 2**(emax+3) need 64 bits
        return _by_specification(fields, f, rho, random)
    if rho.negative is Negative.ZERO:
        fields = _rectified(fields)
    negative, sig, exp = fields.negative, fields.sig, fields.exp
    if not f.signed and rho.negative is Negative.MAGNITUDE:
        negative = np.zeros_like(negative)
    e = np.where(sig == 0, f.emin - 1, floor_log2_u64(sig) + exp)  # zero lies below every binade
    excess = np.maximum(e - (f.emax + 2), 0)  # from 2**(emax+2) on everything overflows alike; shifts stay short
    e, exp = e - excess, exp - excess
    binade = np.full_like(e, f.emin) if f.fixed_point else np.maximum(e, f.emin)
    shift = binade - f.t - exp
    quarters = jam(sig, shift - 2)
    code = quarters >> U64(2)
    base = (binade - f.emin) << f.t
    code = code + base.astype(U64) - U64(0 if f.zero else 1 << f.t)
    if rho.rounding.is_stochastic:
        gap = 0 if f.fixed_point else binade - e
        code = code + stochastically_away(rho.rounding, sig, shift, random, gap)
    else:
        lookup = (negative.astype(np.uint8) << 3) | ((code & U64(1)) << U64(2)).astype(np.uint8)
        code = code + away_table(rho.rounding)[lookup | (quarters & U64(3)).astype(np.uint8)].astype(U64)
    inexact = (quarters & U64(3)) != 0
    if not f.zero:  # E8M0
        below = e < f.emin
        code = np.where(below, U64(0), code)
        inexact = inexact | below
    status = inexact.astype(np.uint8)
    if not f.fixed_point:
        tiny = _tiny(fields, negative, e, code, f, rho, random)
        status |= (tiny & inexact).astype(np.uint8) << 1
    most_negative = int(-f.lowest * 2**f.t) if f.fixed_point else f.max_code if f.signed else 0
    over = code > np.where(negative, U64(most_negative), U64(f.max_code))
    if rho.subnormal.of_results and f.has_subnormals and not f.fixed_point:
        code = np.where(tiny, U64(0), code)
        status |= np.where(tiny, np.uint8(Status.UNDERFLOW | Status.INEXACT), np.uint8(0))
    if f.fixed_point:
        code = np.where(negative, U64(0) - code, code) & U64(f.code_mask)
    elif f.signed:
        signed = negative if f.has_negative_zero else negative & (code != 0)
        code |= np.where(signed, U64(f.sign_bit), U64(0))
    for sign in (False, True):
        beyond = Datum.finite((abs(f.max) + abs(f.lowest)) * (-4 if sign else 4))
        for where, datum in ((over, beyond), (fields.infinite, Datum.infinity(int(sign)))):
            _store(where & (negative == sign), datum, f, rho, code, status)
    if not f.signed and not f.zero:
        _store(negative & (sig != 0), Datum.finite(-1), f, rho, code, status)
    _store(fields.nan, Datum.nan(), f, rho, code, status)
    return code, status


def _by_specification(
    fields: Fields, f: Format, rho: Projection, random: Random | None
) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    code, status = np.zeros(fields.sig.shape, U64), np.zeros(fields.sig.shape, np.uint8)
    for i in np.ndindex(code.shape):
        sign, sig = int(fields.negative[i]), int(fields.sig[i])
        x = Datum.finite(sig and sig * power_of_two(int(fields.exp[i])), sign)
        x = Datum.nan() if fields.nan[i] else Datum.infinity(sign) if fields.infinite[i] else x
        bits = None if random is None else RandomBits(int(random.value[i]), random.width)
        datum, flags = project(x, f, rho, bits)
        code[i], status[i] = pack(datum, f), flags
    return code, status


def _store(
    where: NDArray[np.bool_], x: Datum, f: Format, rho: Projection, code: Bits, status: NDArray[np.uint8]
) -> None:
    if where.any():
        result, flags = project(x, f, rho, RandomBits(0, 1))  # nothing that is stored here is decided by them
        code[where], status[where] = pack(result, f), flags


def _tiny(
    fields: Fields,
    negative: NDArray[np.bool_],
    e: NDArray[np.int64],
    code: Bits,
    f: Format,
    rho: Projection,
    random: Random | None,
) -> NDArray[np.bool_]:
    tiny: NDArray[np.bool_] = (e < f.emin) & (fields.sig != 0)
    if not f.zero:
        return e < f.emin
    if rho.tininess is Tininess.DELIVERED:
        delivered: NDArray[np.bool_] = (code < U64(1 << f.t)) & (fields.sig != 0)
        return delivered
    if rho.tininess is Tininess.AFTER:
        # only values of the binade below 2**emin can reach it when rounded in their own binade
        last = tiny & (e == f.emin - 1)
        shift = e - f.t - fields.exp
        quarters = jam(fields.sig, shift - 2)
        ulps = quarters >> U64(2)
        if rho.rounding.is_stochastic:
            away = stochastically_away(rho.rounding, fields.sig, shift, random)
        else:
            odd = (ulps & U64(1)) ^ U64(f.t == 0)
            lookup = (negative.astype(np.uint8) << 3) | (odd << U64(2)).astype(np.uint8)
            away = away_table(rho.rounding)[lookup | (quarters & U64(3)).astype(np.uint8)].astype(U64)
        tiny &= ~(last & (ulps + away >= U64(1 << f.p)))
    return tiny
