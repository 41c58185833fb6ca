"""What the mutants of conversions answer: right answers, and small faults built from them and plain NumPy.

Nothing here uses the checker's own wrong rules: the planted faults are a second account of the same mistakes.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import convert, decode, encode
from ...arrays.conversion import FLOAT_DTYPES
from ...cases.operation import INTEGERS, Operation
from ...spec.catalog import get_format
from ..base import Codes

Answer = Callable[[Operation, Codes], Any]
Condition = Callable[[Operation, Codes], Codes]


# -- building blocks --------------------------------------------------------------------------------------------------
def values(op: Operation, x: Codes) -> Codes:
    """Operand codes as an array of the numbers that they are."""
    name = op.operands[0]
    if name in INTEGERS:
        return x
    if name in FLOAT_DTYPES:
        return x.view(FLOAT_DTYPES[name])
    return decode(x, name, dtype=np.float64)


def right(op: Operation, x: Codes, **changed: Any) -> Codes:
    """The right answer, or the right answer to a question with another rounding or overflow."""
    if op.family == "decode":
        return decode(x, op.operands[0], dtype=FLOAT_DTYPES[op.result]).view(f"u{op.result_format.k // 8}")
    rounding, _, overflow = (op.mode or "").partition(".")
    pair = tuple(overflow.split("-"))
    options = {"rounding": rounding, "overflow": pair if len(pair) == 2 else overflow, **dict(op.keys), **changed}
    if op.operands[0] in INTEGERS:
        return encode(x, op.result, **options)  # type: ignore[no-any-return]
    return convert(x, op.operands[0], op.result, **options)  # type: ignore[no-any-return]


def of(op: Operation, v: Codes) -> Codes:
    """The right answer for float64 values."""
    return right(Operation.convert("f64", op.result, op.mode or ""), v.astype(np.float64).view(np.uint64))


def instead(condition: Callable[[Operation, Codes], Codes], other: Answer) -> Answer:
    """Another answer where a condition on the values holds."""
    return lambda op, x: np.where(condition(op, x), other(op, x), right(op, x)).astype(right(op, x).dtype)


def rounding(mode: str) -> Answer:
    return lambda op, x: right(op, x, rounding=mode)


def overflow(rule: Any) -> Answer:
    return lambda op, x: right(op, x, overflow=rule)


def constant(code: int) -> Answer:
    return lambda op, x: np.full(x.shape, code, right(op, x).dtype)


def sign_of(op: Operation, x: Codes) -> Codes:
    return np.where(np.signbit(values(op, x)), op.result_format.sign_bit, 0).astype(np.uint8)


def is_nan(op: Operation, x: Codes) -> Codes:
    return np.isnan(values(op, x))


def is_tie(op: Operation, x: Codes) -> Codes:
    """Rounding down and up are equally far."""
    v = values(op, x).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        low, high = (
            decode(right(op, x, rounding=m, overflow="sat"), op.result, dtype=np.float64) for m in ("rtn", "rtp")
        )
        found: Codes = (high - v == v - low) & (high != low)
        return found


def magnitude_code(op: Operation, x: Codes) -> Codes:
    return right(op, x) & op.result_format.magnitude_mask


def subnormal_result(op: Operation, x: Codes) -> Codes:
    f = op.result_format
    return (magnitude_code(op, x) > 0) & (magnitude_code(op, x) < (1 << f.t)) & ~is_nan(op, x)


def below_min_normal(op: Operation, x: Codes) -> Codes:
    return np.abs(values(op, x)) < float(op.result_format.min_normal)


def vanishes(op: Operation, x: Codes) -> Codes:
    found: Codes = (magnitude_code(op, x) == 0) & (values(op, x) != 0)
    return found


def truncated_to(bits: int) -> Answer:
    """Values with only so many significand bits after the leading one, correctly rounded from there."""

    def answer(op: Operation, x: Codes) -> Codes:
        v = values(op, x).astype(np.float64)
        cut = (v.view(np.uint64) >> np.uint64(52 - bits) << np.uint64(52 - bits)).view(np.float64)
        quantum = float(op.result_format.min_subnormal) / 2
        small = np.abs(v) < float(op.result_format.min_normal)
        with np.errstate(invalid="ignore", over="ignore"):
            cut = np.where(small, np.copysign(np.floor(np.abs(v) / quantum) * quantum, v), cut)
        return np.where(np.isfinite(v), of(op, cut), right(op, x))

    return answer


def carry_lost(op: Operation, x: Codes) -> Codes:
    ones = (1 << op.result_format.t) - 1
    down, nearest = right(op, x, rounding="rtz"), right(op, x)
    return np.where((down != nearest) & (down & ones == ones) & np.isfinite(values(op, x)), down - ones, nearest)


def through(dtype: Any) -> Answer:
    def answer(op: Operation, x: Codes) -> Codes:
        with np.errstate(over="ignore", invalid="ignore"):
            return of(op, values(op, x).astype(dtype))

    return answer


def rounded_twice_when_small(op: Operation, x: Codes) -> Codes:
    """Four significand bits first (two for E5M2's three), the subnormal position after."""
    v = values(op, x).astype(np.float64)
    with np.errstate(invalid="ignore"):
        significand, exponent = np.frexp(v)
        p = op.result_format.p
        full = np.ldexp(np.rint(significand * 2.0**p), exponent - p)
    return np.where(below_min_normal(op, x) & np.isfinite(v), of(op, full), right(op, x))


def overflow_tested_early(op: Operation, x: Codes) -> Codes:
    v, top = values(op, x), float(op.result_format.max)
    beyond = of(op, np.copysign(np.full(v.shape, top * 4), v))
    return np.where((np.abs(v) > top) & np.isfinite(v), beyond, right(op, x))


def wraps(op: Operation, x: Codes) -> Codes:
    """The exponent wraps when it overflows."""
    f, v = op.result_format, np.abs(values(op, x).astype(np.float64))
    finite = np.isfinite(v) & (v > 0)
    v = np.where(finite, v, 1.0)
    e = np.maximum(np.frexp(v)[1].astype(np.int64) - 1, f.emin)
    ulps = np.rint(v / 2.0 ** (e - f.t)).astype(np.int64)
    code = (((e - f.emin) << f.t) + ulps) & f.magnitude_mask
    return np.where(finite, code.astype(np.uint8) | sign_of(op, x), right(op, x))


def max_too_low(op: Operation, x: Codes) -> Codes:
    f, z = op.result_format, right(op, x)
    return np.where(z & f.magnitude_mask == f.max_code, z - 1, z)


def wrong_bias(op: Operation, x: Codes) -> Codes:
    with np.errstate(over="ignore"):
        return of(op, values(op, x).astype(np.float64) * 2)


def low_payload_becomes_infinity(op: Operation, x: Codes) -> Codes:
    """Keeps the top bits of a NaN and forgets that they may all be zero."""
    empty = is_nan(op, x) & ((x & 0x007FFFFF) >> 21 == 0)
    return np.where(empty, np.uint8(op.result_format.infinity_code) | sign_of(op, x), right(op, x))


def in_tail(block: int, other: Answer) -> Answer:
    def answer(op: Operation, x: Codes) -> Codes:
        body = x.size - x.size % block
        return np.where(np.arange(x.size) >= body, other(op, x), right(op, x))

    return answer


def when(condition: Callable[[Codes], bool], other: Answer) -> Answer:
    """Another answer for whole arrays."""
    return lambda op, x: other(op, x) if condition(x) else right(op, x)


def after_first_call(op: Operation, x: Codes, memory: dict[str, Any]) -> Codes:
    memory["calls"] = memory.get("calls", 0) + 1
    return right(op, x, rounding="rtz") if memory["calls"] > 1 else right(op, x)


def stale_after_nan(op: Operation, x: Codes) -> Codes:
    """The element after a NaN repeats the NaN's answer."""
    z, nan = right(op, x), is_nan(op, x)
    return np.concatenate([z[:1], np.where(nan[:-1], z[:-1], z[1:])])


def bits_flipped(op: Operation, x: Codes) -> Codes:
    """About one answer in a thousand, chosen by a hash of the input, has its last bit flipped."""
    hashed = (x.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(54)
    return np.where((hashed == 7) & ~is_nan(op, x), right(op, x) ^ 1, right(op, x))


def misplaced_by_one(op: Operation, x: Codes) -> Codes:
    return np.roll(right(op, x), 1)


def at_positions(modulus: int, remainder: int, other: Answer) -> Answer:
    return lambda op, x: np.where(np.arange(x.size) % modulus == remainder, other(op, x), right(op, x))


def both(
    first: Callable[[Operation, Codes], Codes], a: Answer, second: Callable[[Operation, Codes], Codes], b: Answer
) -> Answer:
    """Two faults in two places."""
    return lambda op, x: np.where(first(op, x), a(op, x), np.where(second(op, x), b(op, x), right(op, x))).astype(
        np.uint8
    )


def everywhere(op: Operation, x: Codes) -> Codes:
    return np.ones(x.shape, bool)


def negative(op: Operation, x: Codes) -> Codes:
    return np.signbit(values(op, x))


def large(op: Operation, x: Codes) -> Codes:
    return np.abs(values(op, x)) >= 16


def small_odd_code(op: Operation, x: Codes) -> Codes:
    found: Codes = magnitude_code(op, x) == 0x2B
    return found


def f64_cut_to_f32(op: Operation, x: Codes) -> Codes:
    """float64 is cut to float32's bits and then rounded: not a double rounding, but a lost sticky bit."""
    return right(op, x & ~np.uint64((1 << 29) - 1))


def within(low: float, high: float) -> Condition:
    """Magnitudes from low up to high, high left out."""
    return lambda op, x: (np.abs(values(op, x)) >= low) & (np.abs(values(op, x)) < high)


def signed(code: Callable[[Operation], int]) -> Answer:
    """A code with the sign of the value."""
    return lambda op, x: np.uint8(code(op)) | sign_of(op, x)


def infinity_of_its_sign(op: Operation, x: Codes) -> Codes:
    return of(op, np.copysign(np.full(x.shape, np.inf), values(op, x)))


def half_of_least(op: Operation, x: Codes) -> Codes:
    return np.abs(values(op, x)) == float(op.result_format.min_subnormal) / 2  # type: ignore[no-any-return]


def last_is_zero(op: Operation, x: Codes) -> Codes:
    return np.where(np.arange(x.size) == x.size - 1, 0, right(op, x)).astype(np.uint8)


def low_only_from_f64(op: Operation, x: Codes) -> Codes:
    return max_too_low(op, x) if op.operands[0] == "f64" else right(op, x)


def in_format(name: str) -> Answer:
    return lambda op, x: encode(values(op, x), name, overflow="sat")


def wide_sign(x: Codes) -> Codes:
    return (x.astype(np.uint32) & 0x80) << 24


def decode_without_subnormals(op: Operation, x: Codes) -> Codes:
    return np.where((x & 0x7F) < (1 << get_format(op.operands[0]).t), wide_sign(x), right(op, x))


def decode_nan_as_480(op: Operation, x: Codes) -> Codes:
    return np.where(x & 0x7F == 0x7F, np.float32(480).view(np.uint32) | wide_sign(x), right(op, x))


def decode_halved(op: Operation, x: Codes) -> Codes:
    return (right(op, x).view(np.float32) / 2).view(np.uint32)


def in_negative_tail(op: Operation, x: Codes) -> Codes:
    return negative(op, x) & (np.arange(x.size) >= x.size - x.size % 16)


def is_negative_nan(op: Operation, x: Codes) -> Codes:
    return is_nan(op, x) & negative(op, x)


# -- misbehaviour ----------------------------------------------------------------------------------------------------
def raises(op: Operation, x: Codes) -> Codes:
    raise RuntimeError("the device is on fire")


def hangs(op: Operation, x: Codes) -> Codes:
    time.sleep(3600)
    return x


def exits(op: Operation, x: Codes) -> Codes:
    os._exit(7)


def segfaults(op: Operation, x: Codes) -> Codes:
    ctypes.string_at(0)
    return x


def prints_garbage(op: Operation, x: Codes) -> Codes:
    os.write(1, b'{"done": 5}\n\xff\x00 garbage\n' * 100)
    return right(op, x)
