"""Answers to exact sums of products with status, with a rule for zeros, without C, or in fixed point.

The specification is :func:`fp8ref.spec.matrix.exact.exact_dot`; floats come from the exact engine of float64
expansions, fixed-point results from integers of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...fast.decode import decode_codes
from ...fast.environment import exact_floats
from ...fast.kernel import Fields, code_dtype, unpack_fields
from ...fast.matrix.dot import solve_flagged
from ...fast.matrix.problem import Problem
from ...spec.catalog import get_format
from ...spec.datum import Datum, power_of_two
from ...spec.formats import Format, NaNs
from ...spec.matrix.exact import WRAP, Zero, exact_dot, projected, wrapped
from ...spec.projection import Projection, SNaN
from ...spec.rounding import Rounding
from ...spec.status import Status
from ..operation import Operation
from .questions import (
    OF_EXACT,
    addend_type,
    block_of,
    exact_projection,
    fixed_overflow,
    has_addend,
    has_output_scale,
    is_exact,
    is_fixed,
    length,
    limbs,
    operand_formats,
    operand_types,
    scale_type,
    zero_rule,
)

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
F64 = get_format("f64")
LIMB = 16


def says_more(op: Operation) -> bool:
    """Does a product ask more of the exact sum than its value in a float format?"""
    said = any(op.key(name, "0") != "0" for name in OF_EXACT)
    return is_exact(op.mode or "exact") and (said or is_fixed(op))


def is_delivered(op: Operation) -> bool:
    """Is it a sum with status, without C or in fixed point, which is judged by itself?"""
    return says_more(op) and (op.flags or is_fixed(op) or not has_addend(op))


@dataclass(frozen=True)
class Terms:
    """The operands of exact sums taken apart: every factor (n, K) of the products, and C, where there is one."""

    factors: Sequence[Fields]
    addend: Fields | None
    output: Fields | None = None  # (n): a factor of everything

    @classmethod
    def of(cls, op: Operation, operands: Sequence[Codes]) -> Terms:
        found = [unpack_fields(codes, f) for codes, f in zip(operands, operand_formats(op))]
        output = found.pop() if has_output_scale(op) else None
        addend = found.pop(2) if has_addend(op) else None
        scales = [_spread(scale, block_of(op), length(op)) for scale in found[2:]]
        return cls((*found[:2], *scales), addend, output)

    @cached_property
    def minus(self) -> Mask:
        """Which products are negative, (n, K)."""
        found: Mask = np.logical_xor.reduce([x.negative for x in self._all])
        return found

    @cached_property
    def nan(self) -> Mask:
        """Which products have a NaN for a factor."""
        found: Mask = np.logical_or.reduce([x.nan for x in self._all])
        return found

    @cached_property
    def infinite(self) -> Mask:
        """Which products are infinite."""
        found: Mask = np.logical_or.reduce([x.infinite for x in self._all])
        return found & ~self.nan & ~self.zero

    @cached_property
    def undefined(self) -> Mask:
        """Which products are infinity times zero."""
        found: Mask = np.logical_or.reduce([x.infinite for x in self._all])
        zero: Mask = np.logical_or.reduce([_zero(x) for x in self._all])
        return found & zero & ~self.nan

    @cached_property
    def zero(self) -> Mask:
        """Which products have a zero for a factor."""
        found: Mask = np.logical_or.reduce([_zero(x) for x in self._all])
        return found

    @property
    def _all(self) -> list[Fields]:
        output = [] if self.output is None else [_wide(self.output, self.factors[0].nan.shape)]
        return [*self.factors, *output]

    def of_addend(self) -> tuple[Mask, Mask, Mask, Mask, Mask]:
        """(NaN, infinite, zero, negative, infinity times zero) of C times the output's scale; empty without C."""
        n = len(self.minus)
        never = np.zeros(n, bool)
        z, r = self.addend, self.output
        if z is None:
            return never, never, ~never, never, never
        if r is None:
            return z.nan, z.infinite, _zero(z), z.negative, never
        nan = z.nan | r.nan
        zero = _zero(z) | _zero(r)
        infinite = (z.infinite | r.infinite) & ~nan
        return nan, infinite & ~zero, zero, z.negative ^ r.negative, infinite & zero


def _spread(scale: Fields, block: int, k: int) -> Fields:
    """Scales (n, K / block) as one for every element."""
    return Fields(*(np.repeat(getattr(scale, name), block, axis=1)[:, :k] for name in Fields.__dataclass_fields__))


def _wide(x: Fields, shape: tuple[int, ...]) -> Fields:
    """What a case has, for each of its products."""
    return Fields(*(np.broadcast_to(getattr(x, name)[:, None], shape) for name in Fields.__dataclass_fields__))


def _zero(x: Fields) -> Mask:
    zero: Mask = (x.sig == 0) & ~x.nan & ~x.infinite
    return zero


# -- what a sum is besides its value ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Special:
    """Of every sum: is it NaN, +inf, -inf; is it invalid; is a sum that is zero negative?"""

    nan: Mask
    up: Mask
    down: Mask
    invalid: Mask
    minus_zero: Mask


def special(op: Operation, operands: Sequence[Codes], rho: Projection, zero: Zero) -> Special:
    """What :func:`fp8ref.spec.matrix.exact.exact_dot` says of specials, for all cases at once."""
    t = Terms.of(op, operands)
    nan_c, infinite_c, zero_c, minus_c, undefined_c = t.of_addend()
    nan = t.nan.any(axis=1) | nan_c
    undefined = t.undefined.any(axis=1) | undefined_c
    up = (t.infinite & ~t.minus).any(axis=1) | (infinite_c & ~minus_c)
    down = (t.infinite & t.minus).any(axis=1) | (infinite_c & minus_c)
    both = up & down & ~nan & ~undefined
    invalid = undefined | both
    if rho.snan is SNaN.IEEE:
        invalid = invalid | _signals(op, operands)
    none = nan | undefined | both
    if zero is Zero.PLUS:
        minus = np.zeros(none.shape, bool)
    else:
        alone = t.zero.all(axis=1) & zero_c
        there = t.addend is not None
        all_minus = t.minus.all(axis=1) & (minus_c if there else True)
        some_minus = t.minus.any(axis=1) | minus_c
        minus = np.where(alone & (all_minus | ~some_minus), all_minus, rho.rounding is Rounding.TOWARD_NEGATIVE)
    return Special(none, up & ~none, down & ~none, invalid, minus)


def _signals(op: Operation, operands: Sequence[Codes]) -> Mask:
    """Which cases have a signalling NaN among their operands."""
    found = np.zeros(len(operands[0]), bool)
    for codes, name in zip(operands, operand_types(op)):
        f = get_format(name)
        if f.nans is NaNs.IEEE and f.t > 1:
            magnitude = codes & codes.dtype.type(f.magnitude_mask)
            quiet = codes.dtype.type(f.infinity_code | 1 << (f.t - 1))
            signals = (magnitude > codes.dtype.type(f.infinity_code)) & (magnitude < quiet)
            found |= signals if signals.ndim == 1 else signals.any(axis=1)
    return found


# -- floats -----------------------------------------------------------------------------------------------------------
@exact_floats
def flagged(op: Operation, operands: Sequence[Codes]) -> tuple[Codes, NDArray[np.uint8]]:
    """Codes and status of exact sums."""
    rho, zero = exact_projection(op), zero_rule(op)
    if is_fixed(op):
        return _fixed(op, operands, rho)
    with np.errstate(invalid="ignore"):  # a signalling NaN for C
        solved = solve_flagged(_problem(op, operands, rho))
    if solved is None:
        usual = _usual_scale(op, operands)
        if usual.any() and not usual.all():
            return _in_two(op, operands, usual)
        return _by_specification(op, operands, rho, zero)
    codes, status = solved
    f = get_format(op.result)
    zeros = (
        (codes == 0) & (status == 0) if f.has_negative_zero and zero is not Zero.PLUS else np.zeros(len(codes), bool)
    )
    which = np.flatnonzero(zeros | _unusual(op, operands))
    if which.size:
        found = special(op, [x[which] for x in operands], rho, zero)
        status[which] |= np.where(found.invalid, np.uint8(Status.INVALID), np.uint8(0))
        codes[which[zeros[which] & found.minus_zero]] = f.sign_bit
    return codes, status


def _usual_scale(op: Operation, operands: Sequence[Codes]) -> Mask:
    """Which cases have a positive, finite scale of the output, that float64 multiplies into C without loss."""
    if not has_output_scale(op):
        return np.ones(len(operands[0]), bool)
    r = _values(operands[-1], "f32")
    usual: Mask = np.isfinite(r) & (r > 0)
    return usual


def _in_two(op: Operation, operands: Sequence[Codes], usual: Mask) -> tuple[Codes, NDArray[np.uint8]]:
    """The answers of two kinds of cases, each for itself."""
    parts = [(np.flatnonzero(some), flagged(op, [x[some] for x in operands])) for some in (usual, ~usual)]
    codes, status = (np.empty(len(usual), x.dtype) for x in parts[0][1])
    for rows, (some_codes, some_status) in parts:
        codes[rows], status[rows] = some_codes, some_status
    return codes, status


def _unusual(op: Operation, operands: Sequence[Codes]) -> Mask:
    """Which cases have a NaN or an infinity among their operands."""
    found = np.zeros(len(operands[0]), bool)
    for codes, name in zip(operands, operand_types(op)):
        f = get_format(name)
        if f.nans is NaNs.NONE:
            continue
        if f.nans is NaNs.NEGATIVE_ZERO:
            odd = codes == codes.dtype.type(f.sign_bit)
            odd |= (codes & codes.dtype.type(f.magnitude_mask)) > codes.dtype.type(f.max_code)
        else:
            odd = (codes & codes.dtype.type(f.magnitude_mask)) > codes.dtype.type(f.max_code)
        if odd.any():
            found |= odd if odd.ndim == 1 else odd.any(axis=1)
    return found


def _problem(op: Operation, operands: Sequence[Codes], rho: Projection) -> Problem:
    a, b, *rest = operands
    c = rest.pop(0).view(FLOAT_DTYPES[addend_type(op)]) if has_addend(op) else None
    scales = [_values(codes, scale_type(op) or "") for codes in rest[:2]] if scale_type(op) else [None, None]
    output = _values(rest[2], "f32") if has_output_scale(op) else None
    fa, fb = map(get_format, op.operands)
    return Problem(
        a, b, fa, fb, False, None, get_format(op.result), rho, c, scales[0], scales[1], block_of(op), None, output
    )


def _values(codes: Codes, name: str) -> NDArray[np.float64]:
    found: NDArray[np.float64] = decode_codes(np.ascontiguousarray(codes), get_format(name), F64).view(np.float64)
    return found


def _by_specification(
    op: Operation, operands: Sequence[Codes], rho: Projection, zero: Zero
) -> tuple[Codes, NDArray[np.uint8]]:
    """One after the other by the definition: microseconds a product."""
    f = get_format(op.result)
    codes, status = np.empty(len(operands[0]), code_dtype(f)), np.empty(len(operands[0]), np.uint8)
    for i in range(len(codes)):
        codes[i], status[i] = exact_dot(factors(op, [x[i] for x in operands]), f, rho, zero)
    return codes, status


def factors(op: Operation, case: Sequence[Any]) -> list[list[tuple[int, Format]]]:
    """The addends of one case as the definition takes them: the codes that are multiplied, with their formats."""
    types = [get_format(name) for name in operand_types(op)]
    pairs: list[Any] = list(zip(case, types))
    output = [(int(pairs[-1][0]), pairs[-1][1])] if has_output_scale(op) else []
    addend = pairs.pop(2) if has_addend(op) else None
    (a, fa), (b, fb), *scales = pairs[: 4 if scale_type(op) else 2]
    found = []
    for i, (x, y) in enumerate(zip(a.tolist(), b.tolist())):
        own = [(int(codes[i // block_of(op)]), f) for codes, f in scales]
        found.append([(x, fa), (y, fb), *own, *output])
    return found + ([[(int(addend[0]), addend[1]), *output]] if addend else [])


# -- integers ---------------------------------------------------------------------------------------------------------
class Sum(NamedTuple):
    """``units * 2**exponent``, or what ``special`` says: nan, inf, -inf."""

    units: int
    exponent: int
    special: str = ""


def exact_sums(op: Operation, operands: Sequence[Codes]) -> list[Sum]:
    """The exact ``sum(a b) + c`` of codes a (n, K), b (n, K), c (n), with scales ``sum(sa a sb b) + c``.

    A NaN, an infinity times zero, and infinities of both signs give a NaN
    [IEEE 754-2019 7.2; P3109 BlockDotProduct].
    """
    t = Terms.of(op, operands)
    found = special(op, operands, exact_projection(op.with_mode("exact")), Zero.PLUS)
    exponents = np.add.reduce([f.exp for f in t.factors])
    minus = np.logical_xor.reduce([f.negative for f in t.factors])
    apart = np.logical_or.reduce([f.nan | f.infinite for f in t.factors])
    units = _products(t.factors, exponents, minus, apart)
    lowest = int(exponents.min(initial=0))
    sums = []
    for i, total in enumerate(units):
        if found.nan[i] or found.up[i] or found.down[i]:
            sums.append(Sum(0, 0, "nan" if found.nan[i] else "inf" if found.up[i] else "-inf"))
            continue
        unit = lowest
        if t.addend is not None:
            sig, exp = int(t.addend.sig[i]), int(t.addend.exp[i])
            unit = min(lowest, exp) if sig else lowest
            total = (total << (lowest - unit)) + ((-sig if t.addend.negative[i] else sig) << max(exp - unit, 0))
        if t.output is not None:
            sign = -1 if t.output.negative[i] else 1
            total, unit = total * sign * int(t.output.sig[i]), unit + int(t.output.exp[i])
        sums.append(Sum(total, unit))
    return sums


def _products(factors: Sequence[Fields], exp: NDArray[np.int64], minus: Mask, apart: Mask) -> list[int]:
    """Sums of finite products along K in units of the smallest of them all: limbs of 16 bits, joined at the end."""
    exp = exp - int(exp.min(initial=0))
    bits = sum(int(f.sig.max(initial=0)).bit_length() for f in factors)
    if bits + LIMB + exp.shape[1].bit_length() > 62:  # wide scales: Python's integers
        wide = np.multiply.reduce([f.sig.astype(object) for f in factors]) * np.where(minus, -1, 1)
        return [int(t) for t in np.where(apart, 0, wide * np.left_shift(1, exp.astype(object))).sum(axis=1)]
    sig = np.where(apart, np.uint64(0), np.multiply.reduce([f.sig for f in factors])).astype(np.int64)
    place, rest = exp // LIMB, exp % LIMB
    shifted = np.where(minus, -sig, sig) << rest
    total = [0] * len(sig)
    for limb in range(int(place.max(initial=0)), -1, -1):
        part = np.where(place == limb, shifted, 0).sum(axis=1).tolist()
        total = [(t << LIMB) + p for t, p in zip(total, part)]
    return total


def _fixed(op: Operation, operands: Sequence[Codes], rho: Projection) -> tuple[Codes, NDArray[np.uint8]]:
    """Fixed-point codes, (n) or (n, words of 64 bits), the highest word first; and their status."""
    f = get_format(op.result)
    deliver = wrapped if fixed_overflow(op) == WRAP else projected
    words = limbs(f)
    raised, raw = [], bytearray()
    for total in exact_sums(op, operands):
        code, status = deliver(_datum(total), f, rho)
        raised.append(int(status))
        raw += code.to_bytes(8 * words, "big")
    codes = np.frombuffer(bytes(raw), ">u8").reshape(len(raised), words).astype(np.uint64)
    invalid = np.where(special(op, operands, rho, Zero.PLUS).invalid, np.uint8(Status.INVALID), np.uint8(0))
    found = codes if words > 1 else codes[:, 0].astype(code_dtype(f))
    return found, np.array(raised, np.uint8) | invalid


def _datum(total: Sum) -> Datum:
    if total.special:
        return Datum.nan() if total.special == "nan" else Datum.infinity(int(total.special[0] == "-"))
    return Datum.finite(total.units * power_of_two(total.exponent))
