"""Exact results of arithmetic on arrays: fields in, fields out, everything below 60 bits jammed into the lowest bit.

Jamming is rounding to odd: with at least two bits more than the result keeps, the final rounding cannot distinguish the
jammed number from the exact one [Boldo and Melquiond, IEEE Trans. Computers 57(4), 2008].  ``serves`` states for which
precisions every operation here has those bits.  The special values are the specification's, each where its row has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.formats import Format
from ..spec.operations.arithmetic import SCALE_LIMIT
from ..spec.operations.definition import Semantics
from ..spec.rounding import Rounding
from ..spec.status import Status
from .kernel import U64, Fields, Random, away_table, floor_log2_u64, jam, longest, stochastically_away

Bools = NDArray[np.bool_]
Flags = NDArray[np.uint8]
TOP = 61  # position of the leading bit of a normalised significand: a sum still fits
LOWEST = -(1 << 40)  # exponent of a normalised zero, below every other


@dataclass(frozen=True)
class Context:
    """What an exact result may depend on besides its operands."""

    rounding: Rounding
    semantics: Semantics
    random: Random | None


Outcome = tuple[Fields, Flags]


def serves(op: str, operands: Sequence[Format], result: Format, random_width: int = 0) -> bool:
    """Is every answer of this file exact enough for these formats?"""
    wanted = longest(result) + random_width + 3
    p = [longest(f) for f in operands]
    match op:
        case "multiply":
            return sum(p) <= TOP + 1
        case "fma":
            return max(p[0] + p[1], p[2]) <= TOP + 1 and wanted <= TOP - 2
        case "faa":  # a sum of two that cancels may leave 61 - p bits for the third
            return wanted <= TOP - max(p)
        case "divide":
            return wanted <= TOP - p[1]
        case "sqrt":
            return wanted <= TOP // 2
        case "remainder":
            return max(p) <= 24
        case _:
            return max(p) <= TOP + 1 and wanted <= TOP - 2


def normalise(x: Fields) -> Fields:
    """The same numbers with the leading bit at TOP; zeros get the lowest exponent."""
    shift = TOP - floor_log2_u64(x.sig)
    exp = np.where(x.sig == 0, LOWEST, x.exp - shift)
    return Fields(x.negative, jam(x.sig, -shift), exp, x.infinite, x.nan)


def _none(x: Bools) -> Flags:
    return np.zeros(x.shape, np.uint8)


def _flag(where: Bools, flag: Status) -> Flags:
    return np.where(where, np.uint8(flag), np.uint8(0))


def is_zero(x: Fields) -> Bools:
    zero: Bools = (x.sig == 0) & ~x.infinite & ~x.nan
    return zero


def choose(where: Bools, x: Fields, y: Fields) -> Fields:
    """Element by element x, where ``where`` holds, else y."""
    return Fields(*(np.where(where, getattr(x, n), getattr(y, n)) for n in Fields.__dataclass_fields__))


def negated(x: Fields) -> Fields:
    return Fields(~x.negative, x.sig, x.exp, x.infinite, x.nan)


def _larger(x: Fields, y: Fields) -> Bools:
    """Is |y| > |x|, both normalised?"""
    larger: Bools = (y.exp > x.exp) | ((y.exp == x.exp) & (y.sig > x.sig))
    return larger


def _sorted(x: Fields, y: Fields) -> tuple[Fields, Fields]:
    """The larger magnitude first, both normalised."""
    swap = _larger(x, y)
    return choose(swap, y, x), choose(swap, x, y)


def _sum_finite(x: Fields, y: Fields, rounding: Rounding) -> Fields:
    """The sum of normalised finite numbers, exact or jammed at the 62nd bit of the larger."""
    x, y = _sorted(x, y)
    aligned = jam(y.sig, x.exp - y.exp)
    unlike = x.negative != y.negative
    sig = np.where(unlike, x.sig - aligned, x.sig + aligned)
    zero = np.where(unlike, rounding is Rounding.TOWARD_NEGATIVE, x.negative)
    never = np.zeros(sig.shape, bool)
    return Fields(np.where(sig == 0, zero, x.negative), sig, x.exp, never, never)


def _sum(x: Fields, y: Fields, c: Context) -> Outcome:
    invalid = x.infinite & y.infinite & (x.negative != y.negative)
    finite = _sum_finite(normalise(x), normalise(y), c.rounding)
    infinite = x.infinite | y.infinite
    negative = np.where(x.infinite, x.negative, np.where(y.infinite, y.negative, finite.negative))
    return Fields(negative, finite.sig, finite.exp, infinite & ~invalid, invalid), _flag(invalid, Status.INVALID)


def _product(x: Fields, y: Fields) -> Outcome:
    invalid = (x.infinite & is_zero(y)) | (is_zero(x) & y.infinite)
    infinite = (x.infinite | y.infinite) & ~invalid
    fields = Fields(x.negative ^ y.negative, x.sig * y.sig, x.exp + y.exp, infinite, invalid)
    return fields, _flag(invalid, Status.INVALID)


def _fma(x: Fields, y: Fields, z: Fields, c: Context) -> Outcome:
    p, status = _product(x, y)
    total, more = _sum(p, z, c)
    nan = p.nan | total.nan
    return Fields(total.negative, total.sig, total.exp, total.infinite & ~nan, nan), status | more


def _faa(x: Fields, y: Fields, z: Fields, c: Context) -> Outcome:
    """The two smaller ones first; where the two larger ones cancel exactly, the smallest is the sum."""
    a, b, s = normalise(x), normalise(y), normalise(z)
    b, s = _sorted(b, s)
    a, b = _sorted(a, b)
    b, s = _sorted(b, s)
    cancels = (a.sig == b.sig) & (a.exp == b.exp) & (a.negative != b.negative)
    finite = choose(cancels, s, _sum_finite(a, normalise(_sum_finite(b, s, c.rounding)), c.rounding))
    alike = (x.negative == y.negative) & (y.negative == z.negative)
    zero = np.where(alike, x.negative, c.rounding is Rounding.TOWARD_NEGATIVE)
    plus = np.zeros(alike.shape, bool)
    minus = plus.copy()
    for t in (x, y, z):
        plus |= t.infinite & ~t.negative
        minus |= t.infinite & t.negative
    invalid, infinite = plus & minus, plus ^ minus
    negative = np.where(infinite, minus, np.where(finite.sig == 0, zero, finite.negative))
    return Fields(negative, finite.sig, finite.exp, infinite, invalid), _flag(invalid, Status.INVALID)


def _divide(x: Fields, y: Fields, c: Context) -> Outcome:
    by_zero, sign = is_zero(y), x.negative ^ y.negative
    invalid = (is_zero(x) & by_zero) | (x.infinite & y.infinite)
    if c.semantics.of_p3109:
        invalid |= by_zero
    n = normalise(x)
    divisor = np.maximum(y.sig, U64(1))
    quotient = n.sig // divisor
    sig = (quotient << U64(1)) | (quotient * divisor != n.sig).astype(U64)
    sig = np.where(y.infinite | (x.sig == 0), U64(0), sig)
    poles = by_zero & ~invalid & ~x.infinite
    infinite = (x.infinite | by_zero) & ~invalid
    status = _flag(invalid, Status.INVALID) | _flag(poles, Status.DIVIDE_BY_ZERO)
    return Fields(sign, sig, n.exp - y.exp - 1, infinite, invalid), status


def _sqrt(x: Fields, c: Context) -> Outcome:
    invalid = x.negative & ~is_zero(x)
    n = normalise(x)
    odd = n.exp & 1
    sig = n.sig >> odd.astype(U64)
    root = np.sqrt(sig.astype(np.float64)).astype(U64)  # or one more
    root -= (root * root > sig).astype(U64)
    jammed = (root << U64(1)) | (root * root != sig).astype(U64)
    exp = (n.exp + odd) // 2 - 1
    return Fields(x.negative, jammed, exp, x.infinite & ~invalid, invalid), _flag(invalid, Status.INVALID)


def _remainder(x: Fields, y: Fields, c: Context) -> Outcome:
    invalid = x.infinite | is_zero(y)
    gap = x.exp - y.exp
    exp = np.where(gap < 0, x.exp, y.exp)
    # where y is the coarser one, bring it to x's exponent; beyond 26 bits it is more than twice x anyway
    divisor = np.maximum(y.sig, U64(1)) << np.clip(-gap, 0, 26).astype(U64)
    quotient = x.sig // divisor
    rest = x.sig - quotient * divisor
    left = np.maximum(gap, 0)
    while left.any():
        step = np.minimum(left, 37)
        shifted = rest << step.astype(U64)
        more = shifted // divisor
        rest = shifted - more * divisor
        quotient = np.where(step > 0, more, quotient)  # its last bit is all that is asked
        left -= step
    doubled = rest << U64(1)
    beyond = (doubled > divisor) | ((doubled == divisor) & (quotient & U64(1) != 0))
    sig = np.where(beyond, divisor - rest, rest)
    negative = x.negative ^ beyond
    whole = y.infinite & ~invalid
    sig, exp, negative = np.where(whole, x.sig, sig), np.where(whole, x.exp, exp), np.where(whole, x.negative, negative)
    return Fields(negative, sig, exp, np.zeros(sig.shape, bool), invalid), _flag(invalid, Status.INVALID)


def _round_to_integral(x: Fields, c: Context) -> Outcome:
    fraction = x.exp < 0
    quarters = jam(x.sig, -x.exp - 2)
    kept = quarters >> U64(2)
    if c.rounding.is_stochastic:
        away = stochastically_away(c.rounding, x.sig, -x.exp, c.random)
    else:
        lookup = (x.negative.astype(np.uint8) << 3) | ((kept & U64(1)) << U64(2)).astype(np.uint8)
        away = away_table(c.rounding)[lookup | (quarters & U64(3)).astype(np.uint8)].astype(U64)
    sig = np.where(fraction, kept + away, x.sig)
    inexact = fraction & (quarters & U64(3) != 0) & ~x.infinite
    return Fields(x.negative, sig, np.maximum(x.exp, 0), x.infinite, x.nan), _flag(inexact, Status.INEXACT)


def _round_to_integral_quietly(x: Fields, c: Context) -> Outcome:
    fields = _round_to_integral(x, c)[0]
    return fields, _none(x.nan)


def _log_b(x: Fields, c: Context) -> Outcome:
    e = floor_log2_u64(x.sig) + x.exp
    pole = is_zero(x)
    negative = np.where(x.infinite, False, pole | (e < 0))
    fields = Fields(negative, np.abs(e).astype(U64), np.zeros_like(e), x.infinite | pole, x.nan)
    return fields, _flag(pole, Status.DIVIDE_BY_ZERO)


def scale(x: Fields, n: NDArray[np.int64]) -> Fields:
    return Fields(x.negative, x.sig, x.exp + np.clip(n, -SCALE_LIMIT, SCALE_LIMIT), x.infinite, x.nan)


def _below(x: Fields, y: Fields) -> tuple[Bools, Bools]:
    """Is |x| < |y|, is |x| > |y|?"""
    a, b = normalise(x), normalise(y)
    unlike = x.infinite != y.infinite
    less = np.where(unlike, y.infinite, ~x.infinite & _larger(a, b))
    more = np.where(unlike, x.infinite, ~x.infinite & _larger(b, a))
    return less, more


def _selection(greatest: bool, by_magnitude: bool) -> Callable[[Fields, Fields, Context], Outcome]:
    def select(x: Fields, y: Fields, c: Context) -> Outcome:
        less, more = _below(x, y)
        signed = np.where(x.negative == y.negative, np.where(x.negative, more, less), x.negative)
        same_sign_equal = (x.negative == y.negative) & ~less & ~more
        x_first = np.where(less | more, less, signed | same_sign_equal) if by_magnitude else signed | same_sign_equal
        if greatest:
            x_first = ~x_first | same_sign_equal
        return choose(x_first, x, y), _none(x.nan)

    return select


def _preferring_finite(greatest: bool) -> Callable[[Fields, Fields, Context], Outcome]:
    among = _selection(greatest, False)

    def select(x: Fields, y: Fields, c: Context) -> Outcome:
        found, status = among(x, y, c)
        return choose(x.infinite & ~y.infinite, y, choose(y.infinite & ~x.infinite, x, found)), status

    return select


def _clamp(x: Fields, low: Fields, high: Fields, c: Context) -> Outcome:
    less, more = _below(low, high)
    above = np.where(low.negative == high.negative, np.where(low.negative, less, more), high.negative)
    invalid = above & ~(is_zero(low) & is_zero(high))
    held, _ = _selection(False, False)(_selection(True, False)(x, low, c)[0], high, c)
    nan = invalid | held.nan
    return Fields(held.negative, held.sig, held.exp, held.infinite & ~nan, nan), _flag(invalid, Status.INVALID)


def _copied(negative: Callable[..., Bools]) -> Callable[..., Outcome]:
    """The first operand under another sign."""

    def copy(x: Fields, *rest: Any) -> Outcome:
        signed = Fields(negative(x.negative, *(y.negative for y in rest[:-1])), x.sig, x.exp, x.infinite, x.nan)
        return signed, _none(x.nan)

    return copy


EXACT: dict[str, Callable[..., Outcome]] = {
    "add": _sum,
    "subtract": lambda x, y, c: _sum(x, negated(y), c),
    "multiply": lambda x, y, c: _product(x, y),
    "divide": _divide,
    "remainder": _remainder,
    "sqrt": _sqrt,
    "fma": _fma,
    "faa": _faa,
    "round_to_integral": _round_to_integral_quietly,
    "round_to_integral_exact": _round_to_integral,
    "log_b": _log_b,
    "minimum": _selection(False, False),
    "maximum": _selection(True, False),
    "minimum_number": _selection(False, False),
    "maximum_number": _selection(True, False),
    "minimum_magnitude": _selection(False, True),
    "maximum_magnitude": _selection(True, True),
    "minimum_magnitude_number": _selection(False, True),
    "maximum_magnitude_number": _selection(True, True),
    "minimum_finite": _preferring_finite(False),
    "maximum_finite": _preferring_finite(True),
    "clamp": _clamp,
    "copy": _copied(lambda x: x),
    "negative": _copied(np.logical_not),
    "absolute": _copied(np.zeros_like),
    "copy_sign": _copied(lambda x, y: y),
}
