"""Mutants of conversions and decodes with the habits of today's kernels, as public reports describe them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...arrays import decode, encode
from ...cases.operation import Operation
from ..base import Codes
from . import answers as a
from .answers import Answer, constant, instead, right, signed, within
from .mutant import NONSAT, SAT, Mutant, wrong

ONE = (SAT,)
E4M3_DECODE = ("decode/e4m3/f32", "decode/e4m3/f16")
SCALES = ("decode/e8m0fnu/f32",)
TO_SCALE = ("convert/f32/e8m0fnu/rtp.sat",)
MUL = "mul/e4m3fn.e4m3fn/e4m3fn/rne.sat"
TOP = 0x7E  # e4m3fn's largest value, 448


def clamped(top: float) -> Answer:
    """Clamped to a value before the cast; a NaN stays."""
    return lambda op, x: encode(np.clip(a.values(op, x), -top, top), op.result, overflow="sat")


def through_f16_toward_zero(op: Operation, x: Codes) -> Codes:
    v = a.values(op, x)
    with np.errstate(over="ignore", invalid="ignore"):
        half = v.astype(np.float16)
        beyond = np.isfinite(v) & (np.abs(half.astype(np.float64)) > np.abs(v))
        half = np.where(beyond, np.nextafter(half, np.float16(0)), half).astype(np.float16)
    return a.of(op, half)


def shifted_modulo(word: int) -> Answer:
    """The significand of a value below the normal range is shifted by a count that the machine cuts."""

    def answer(op: Operation, x: Codes) -> Codes:
        f = op.result_format
        field, significand = (x >> 23 & 0xFF).astype(np.int64), (x & 0x7FFFFF).astype(np.uint64)
        significand += np.where(field > 0, np.uint64(1 << 23), np.uint64(0))
        count = 23 - f.t + f.emin - (np.maximum(field, 1) - 127)
        tiny = (count > 23 - f.t) & (field != 255)
        shift = (np.where(tiny, count, 0) % word).astype(np.uint64)
        twice = (significand << np.uint64(1)) >> shift  # one bit more than is kept
        exact = (twice << shift) == significand << np.uint64(1)
        up = (twice & np.uint64(1) == 1) & (~exact | (twice & np.uint64(2) == 2))
        code = np.minimum((twice >> np.uint64(1)) + up, np.uint64(f.max_code)).astype(np.uint8)
        return np.where(tiny, code | a.sign_of(op, x), right(op, x))

    return answer


def by_ceiling_of_log2(op: Operation, x: Codes) -> Codes:
    v = a.values(op, x)
    with np.errstate(all="ignore"):
        e = np.ceil(np.log2(v.astype(np.float64)).astype(np.float32))
    usual = (v > 0) & np.isfinite(v)
    return np.where(usual, np.clip(np.nan_to_num(e) + 127, 0, 254), right(op, x)).astype(np.uint8)


def by_frexp(op: Operation, x: Codes) -> Codes:
    v = a.values(op, x)
    usual = (v > 0) & np.isfinite(v)
    e = np.frexp(np.where(usual, v, 1).astype(np.float64))[1]
    return np.where(usual, np.clip(e + 127, 0, 254), right(op, x)).astype(np.uint8)


def helper_of_one_four_three(op: Operation, x: Codes) -> Codes:
    """A helper that knows neither subnormals nor the top binade, and cuts."""
    v, sign = np.abs(a.values(op, x)), a.sign_of(op, x)
    kept = np.where(v < 2.0**-6, sign, right(op, x, rounding="rtz"))
    return np.where(np.isnan(v), 0x7F, np.where(v >= 256, sign | 0x78, kept)).astype(np.uint8)


def in_ieee_e4m3(op: Operation, *xs: Codes) -> Codes:
    if len(xs) == 1:
        return encode(a.values(op, xs[0]), "e4m3", overflow="nonsat")  # type: ignore[no-any-return]
    v = [decode(x, "e4m3", dtype=np.float64) for x in xs]
    with np.errstate(all="ignore"):
        return encode(v[0] * v[1], "e4m3", overflow="nonsat")  # type: ignore[no-any-return]


def codes_kept(op: Operation, x: Codes) -> Codes:
    return x.copy()


def nan_codes(body: Callable[[Codes, Codes], Codes]) -> Answer:
    """Answers to NaNs made of the operand's code and the right answer."""
    return lambda op, x: np.where(a.is_nan(op, x), body(x, right(op, x)), right(op, x)).astype(right(op, x).dtype)


def re_biased(op: Operation, x: Codes) -> Codes:
    """The exponent field is re-biased whatever it is."""
    wide = ((x >> 2 & 31).astype(np.uint32) + 112) << 23 | (x & 3).astype(np.uint32) << 21 | a.wide_sign(x)
    return np.where((x & 0x7C) == 0x7C, right(op, x), wide)


def powers_from(bias: int) -> Answer:
    return lambda op, x: np.ldexp(np.float32(1), x.astype(np.int32) - bias).astype(np.float32).view(np.uint32)


def low_payload(op: Operation, x: Codes) -> Codes:
    return a.is_nan(op, x) & ((x & 0x7FFFFF) < 1 << 13)


HABIT_MUTANTS: dict[str, Mutant] = {
    "via-f16-toward-zero": wrong(through_f16_toward_zero, "via-f16-rtz", ONE),
    "nan-to-lowest": wrong(instead(a.is_nan, constant(0x80 | TOP)), "nan-lowest", ONE),
    "clamps-to-240": wrong(clamped(240), "clamp-240", ONE),
    "top-binade-lost": wrong(instead(within(256, np.inf), signed(lambda op: TOP)), "top-binade-max", ONE),
    "shift-modulo-32": wrong(shifted_modulo(32), "shift-modulo-32", ONE),
    "shift-modulo-64": wrong(shifted_modulo(64), "shift-modulo-64", ONE),
    "low-payload-to-max": wrong(instead(low_payload, signed(lambda op: TOP)), "nan-leading-10-zero-signed-max", ONE),
    "answers-ieee-nonsat": wrong(in_ieee_e4m3, "format-e4m3", (SAT, "convert/f16/e4m3fn/rne.sat")),
    "multiplies-in-ieee": wrong(in_ieee_e4m3, "reads-and-answers-e4m3", (MUL,)),
    "bits-kept": wrong(codes_kept, "bits-kept", ("convert/e4m3fn/e4m3fnuz/rne.sat",)),
    "ue8m0-by-log2": wrong(by_ceiling_of_log2, "scale-ceil-log2", TO_SCALE),
    "ue8m0-by-frexp": wrong(by_frexp, "scale-frexp", TO_SCALE),
    "helper-of-1-4-3": wrong(helper_of_one_four_three, "flush-tiny", ONE),
    # decoding
    "decodes-nan-as-zero": wrong(nan_codes(lambda x, z: np.zeros_like(z)), "nan-zero", E4M3_DECODE),
    "ue8m0-nan-as-infinity": wrong(
        nan_codes(lambda x, z: np.full_like(z, {2: 0x7F80, 4: 0x7F800000, 8: 0x7FF << 52}[z.dtype.itemsize])),
        "nan-infinity", ("decode/e8m0fnu/f32", "decode/e8m0fnu/bf16", "decode/e8m0fnu/f64")),
    "re-biases-subnormals": wrong(re_biased, "zero-as-normal", ("decode/e5m2/f32",)),
    "ue8m0-from-128": wrong(powers_from(128), "wrong-bias", SCALES),
    "ue8m0-as-number": wrong(lambda op, x: x.astype(np.float32).view(np.uint32), "code-as-number", SCALES),
    "ue8m0-shifted": wrong(lambda op, x: x.astype(np.uint32) << 23, "code-shifted", SCALES),
}  # fmt: skip

# Right unless bits of NaNs are compared.
NAN_BITS = {
    "nan-keeps-sign": wrong(nan_codes(lambda x, z: z | (x >> 31 << 7)), "nan-keep-sign", (NONSAT,)),
    "nan-signalling": wrong(nan_codes(lambda x, z: np.full_like(z, 0x7D)), "nan-bits-sign-dropped", (NONSAT,)),
    "nan-payload-shifted": wrong(
        nan_codes(lambda x, z: z & 0xFF800000 | x.astype(np.uint32) & 3), "nan-bits-sign-kept", ("decode/e5m2/f32",)),
    "nan-sign-dropped": wrong(nan_codes(lambda x, z: z & 0x7FFFFFFF), "nan-bits-sign-dropped", ("decode/e4m3fn/f32",)),
}  # fmt: skip
