"""The specification of every conversion: project = round, then saturate; encode = pack(project); decode = unpack.

Everything fast in fp8ref is derived from these functions or proved equal to them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from .catalog import get_format
from .codec import canonical_nan, code_of_ulps, pack, unpack
from .datum import HALF, ZERO, Datum, floor_log2, power_of_two
from .formats import Format
from .overflow import Overflow, OverflowLike, get_overflow, resolve
from .rounding import RandomBits, Rounding, get_rounding, rounds_away
from .status import Status, Tininess


class NaN(enum.StrEnum):
    """What a NaN input becomes.  The specifications leave the code open, so it is a named choice."""

    CANONICAL = "canonical"  # the format's canonical NaN; +max where the format has no NaN
    KEEP_SIGN = "keep-sign"  # the canonical NaN with the sign of the input
    QUIET = "quiet"  # the sign of the input and the quiet bit alone
    PAYLOAD = "payload"  # sign and leading payload bits of the input, quieted [IEEE 754-2019 6.2.3]
    DEFAULT = "default"  # the quiet bit alone and no sign, as Arm; a NaN that an overflow makes keeps its sign
    MAX = "max"  # +max and invalid
    SIGNED_MAX = "signed-max"  # max with the sign of the input, and invalid
    ZERO = "zero"  # +0 and invalid
    ERROR = "error"  # refuse


UNSIGNED = (NaN.CANONICAL, NaN.MAX, NaN.ZERO, NaN.ERROR)  # under these an overflow's NaN has no sign


class SNaN(enum.StrEnum):
    """What a signalling NaN operand raises."""

    IEEE = "ieee"  # invalid [IEEE 754-2019 6.2]
    QUIET = "quiet"  # nothing: it is taken for a quiet NaN


class Subnormal(enum.StrEnum):
    """Are subnormals numbers?  Flushing differs from IEEE 754 and is what much hardware offers."""

    KEEP = "keep"
    DAZ = "daz"  # a subnormal operand is a zero of its sign; raises nothing
    FTZ = "ftz"  # a tiny result, exact or not, becomes a zero of its sign; raises underflow and inexact
    BOTH = "both"

    @property
    def of_operands(self) -> bool:
        return self in (Subnormal.DAZ, Subnormal.BOTH)

    @property
    def of_results(self) -> bool:
        return self in (Subnormal.FTZ, Subnormal.BOTH)


class Negative(enum.StrEnum):
    """What a negative input becomes.  The first two are about unsigned formats, of which no standard says it."""

    LOWEST = "lowest"  # out of range below: judged by the overflow rule; NaN where the format has no zero
    MAGNITUDE = "magnitude"  # the sign is dropped, as CUDA does
    ZERO = "zero"  # +0, of -0 and -Infinity too and in every format: a rectifier, PTX's .relu; raises nothing


E = TypeVar("E", bound=enum.StrEnum)


@dataclass(frozen=True, slots=True)
class Projection:
    """Everything that decides how an exact value becomes a datum of a format (the rho of P3109, and its options)."""

    rounding: Rounding
    overflow: Overflow
    nan: NaN = NaN.CANONICAL
    negative: Negative = Negative.LOWEST
    tininess: Tininess = Tininess.AFTER
    snan: SNaN = SNaN.IEEE
    subnormal: Subnormal = Subnormal.KEEP


def _choice(what: str, kind: type[E], name: str) -> E:
    try:
        return kind(name)
    except ValueError:
        raise ValueError(f"unknown {what} {name!r:.80}; choose from {', '.join(kind)}") from None


def get_projection(
    f: Format,
    rounding: Rounding | str = Rounding.TIES_TO_EVEN,
    overflow: OverflowLike | None = None,
    nan: NaN | str = NaN.CANONICAL,
    negative: Negative | str = Negative.LOWEST,
    tininess: Tininess | str = Tininess.AFTER,
    snan: SNaN | str = SNaN.IEEE,
    subnormal: Subnormal | str = Subnormal.KEEP,
) -> Projection:
    """The projection of these names onto a format.  Raises ValueError, with the choices, for unknown or unfit names."""
    if negative == Negative.ZERO and not f.zero:
        raise ValueError(f"negative {str(negative)!r}: {f.name} has no zero for negative values to become")
    return Projection(
        get_rounding(rounding),
        get_overflow(overflow, f),
        _choice("nan", NaN, nan),
        _choice("negative", Negative, negative),
        _choice("tininess", Tininess, tininess),
        _choice("snan", SNaN, snan),
        _choice("subnormal", Subnormal, subnormal),
    )


def operand(code: int, f: Format, rho: Projection) -> Datum:
    """The datum of an operand's code: unpacked, and a subnormal flushed where the projection flushes operands."""
    x = unpack(code, f)
    flushed = rho.subnormal.of_operands and x.is_finite and f.has_subnormals and x.magnitude < f.min_normal
    return Datum.finite(ZERO, x.sign) if flushed and not f.fixed_point else x


def round_to_precision(
    x: Fraction, negative: bool, f: Format, rounding: Rounding, random: RandomBits | None = None
) -> tuple[Fraction, bool]:
    """Round a magnitude x > 0 to the format's precision as if the exponent had no upper bound; was it exact?

    [IEEE 754-2019 4.3; OCP OFP8 1.0 5.2.1; P3109 RoundToPrecision]
    """
    e = floor_log2(x)
    ulp = power_of_two(f.quantum_exponent(e))
    kept = int(x / ulp)  # the ulps kept
    eta = x / ulp - kept  # the ulps discarded, 0 <= eta < 1
    odd = code_of_ulps(kept, e, f) % 2 == 1
    gap = 0 if f.fixed_point else max(0, f.emin - e)
    away = rounds_away(rounding, eta, odd, negative, random, gap)
    return (kept + away) * ulp, eta == 0


def project(x: Datum, f: Format, rho: Projection, random: RandomBits | None = None) -> tuple[Datum, Status]:
    """The datum of the format that a datum becomes: round, then saturate; and the exceptions raised on the way.

    [OCP OFP8 1.0 5.2.1, table 3; OCP MX 1.0 5.3; IEEE 754-2019 clause 7; P3109 Project]
    """
    if x.is_nan:
        return _project_nan(x, f, rho)
    if x.sign and rho.negative is Negative.ZERO:
        return Datum.finite(ZERO), Status.NONE
    if x.sign and not f.signed:
        if rho.negative is Negative.MAGNITUDE:
            x = x.with_sign(0)
        elif not f.zero and not x.is_zero:  # E8M0: no value lies on this side at all
            return _project_nan(Datum.nan(), f, rho)[0], Status.INVALID
    if x.is_infinite:
        return _made(resolve(rho.overflow, f, rho.rounding, bool(x.sign), infinite=True), f, rho.nan), Status.NONE
    if x.is_zero and f.zero:
        return x, Status.NONE
    if not f.zero and x.magnitude < f.min_normal:  # E8M0: 0 and all below 2**-127 become its code 0
        return Datum.finite(f.min_normal), Status.UNDERFLOW | Status.INEXACT

    rounded, exact = round_to_precision(x.magnitude, bool(x.sign), f, rho.rounding, random)
    if rounded > (-f.lowest if x.sign else f.max):
        delivered = resolve(rho.overflow, f, rho.rounding, bool(x.sign), infinite=False)
        return _made(delivered, f, rho.nan), Status.OVERFLOW | Status.INEXACT
    flushes = rho.subnormal.of_results and f.has_subnormals
    status = Status.NONE if exact else Status.INEXACT
    if (flushes or not exact) and _is_tiny(x, rounded, f, rho, random):
        if flushes:
            return Datum.finite(ZERO, x.sign), Status.UNDERFLOW | Status.INEXACT
        status |= Status.UNDERFLOW
    return Datum.finite(rounded).with_sign(x.sign), status


def _is_tiny(x: Datum, rounded: Fraction, f: Format, rho: Projection, random: RandomBits | None) -> bool:
    """Is a result tiny?  [IEEE 754-2019 7.5]  Fixed point has no underflow."""
    if f.fixed_point:
        return False
    if rho.tininess is Tininess.BEFORE:
        return x.magnitude < f.min_normal
    if rho.tininess is Tininess.DELIVERED or x.magnitude >= f.min_normal:
        return rounded < f.min_normal
    # after: round to p bits in x's own binade, as if emin did not hold the ulp up
    e = floor_log2(x.magnitude)
    ulps = x.magnitude / power_of_two(e - f.t)
    odd = (((e - f.emin) << f.t) + int(ulps)) % 2 == 1
    away = rounds_away(rho.rounding, ulps - int(ulps), odd, bool(x.sign), random)
    return (int(ulps) + away) * power_of_two(e - f.t) < f.min_normal


def _made(x: Datum, f: Format, nan: NaN) -> Datum:
    """A NaN that an overflow made is the canonical one; it has the overflow's sign where the choice keeps signs."""
    if not x.is_nan:
        return x
    return canonical_nan(f, None if nan in UNSIGNED else x.sign)


def is_signalling(x: Datum) -> bool:
    """Is the datum a signalling NaN, one whose quiet bit is clear?  [IEEE 754-2019 6.2.1]"""
    return x.is_nan and x.payload < HALF


def _project_nan(x: Datum, f: Format, rho: Projection) -> tuple[Datum, Status]:
    nan = rho.nan
    if nan is NaN.ERROR:
        raise ValueError(f"a NaN is to be converted to {f.name} and nan='error' refuses it")
    if nan is NaN.ZERO:
        return Datum.finite(ZERO if f.zero else f.min_normal), Status.INVALID
    if nan in (NaN.MAX, NaN.SIGNED_MAX) or not f.has_nan:
        return Datum.finite(f.max).with_sign(x.sign if nan is NaN.SIGNED_MAX and f.signed else 0), Status.INVALID
    status = Status.INVALID if is_signalling(x) and rho.snan is SNaN.IEEE else Status.NONE
    if nan in (NaN.CANONICAL, NaN.KEEP_SIGN):
        return canonical_nan(f, x.sign if nan is NaN.KEEP_SIGN else None), status
    if nan is NaN.DEFAULT:
        return Datum.nan(), status
    quieted = HALF if nan is NaN.QUIET else x.payload if x.payload >= HALF else x.payload + HALF
    return Datum.nan(x.sign, quieted), status


def encode(
    value: Fraction | int | float | Datum,
    format: Format | str,
    rounding: Rounding | str = Rounding.TIES_TO_EVEN,
    overflow: OverflowLike | None = None,
    *,
    nan: NaN | str = NaN.CANONICAL,
    negative: Negative | str = Negative.LOWEST,
    tininess: Tininess | str = Tininess.AFTER,
    snan: SNaN | str = SNaN.IEEE,
    subnormal: Subnormal | str = Subnormal.KEEP,
    random: RandomBits | None = None,
) -> tuple[int, Status]:
    """The code of an exact value in a format, and the exceptions raised.  This is the definition.

    >>> encode(464, "e4m3fn"), encode(465, "e4m3fn", overflow="nonsat")
    ((126, <Status.INEXACT: 1>), (127, <Status.INEXACT|OVERFLOW: 5>))

    Raises ValueError for unknown names and for rules that the format cannot follow, TypeError for other values.
    """
    f = get_format(format)
    rho = get_projection(f, rounding, overflow, nan, negative, tininess, snan, subnormal)
    datum, status = project(Datum.of(value), f, rho, random)
    return pack(datum, f), status


def decode(code: int, format: Format | str) -> Datum:
    """The datum of a code.  Raises ValueError for a code that the format does not have."""
    return unpack(code, get_format(format))
