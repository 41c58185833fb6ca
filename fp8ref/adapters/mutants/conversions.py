"""Mutants of conversions and decodes: correct ones, and one planted fault each."""

from __future__ import annotations

import itertools

import numpy as np

from ...arrays.conversion import FLOAT_DTYPES
from . import answers as a
from .answers import both, constant, instead, overflow, right, rounding, signed, when, within
from .mutant import NONSAT, SAT, UNEXPLAINED, Mutant, wrong

SAT_ONLY, NONSAT_ONLY = (SAT,), (NONSAT,)
BOTH_NONSAT = ("convert/f32/e4m3fn/rne.nonsat", NONSAT)
F64 = ("convert/f64/e4m3fn/rne.sat",)
RELU = ("convert/f32/e4m3fn/rne.sat;negative=zero", "convert/f16/e5m2/rne.nonsat;negative=zero")
DECODE = ("decode/e4m3fn/f32", "decode/e5m2/f32")
ROUNDINGS = ("rne", "rna", "rtz", "rtp", "rtn", "rto")
RESULTS = ("e4m3fn", "e5m2", "e4m3fnuz", "e8m0fnu", "e2m1fn", "mxint8", "binary8p3se")
CORRECT = tuple(
    f"convert/{source}/{result}/{mode}.{rule}"
    for source in ("f32", "f64", "f16", "bf16", "i32", "e5m2")
    for result in RESULTS
    for mode, rule in itertools.product(ROUNDINGS if source == "f32" else ("rne",), ("sat", "satprop", "nonsat"))
)
FREE = tuple(f"convert/f32/{result}/*" for result in ("e4m3fn", "e5m2", "e4m3fnuz", "e8m0fnu", "e3m2fn"))

CONVERSION_MUTANTS: dict[str, Mutant] = {
    # correct ones
    "correct": Mutant(right, claims=(*CORRECT, *DECODE)),
    "correct-unasked": Mutant(lambda op, x: right(op.with_mode("rtz.nonsat"), x), claims=FREE),
    "prints-garbage": Mutant(a.prints_garbage),
    # rounding
    "truncates": wrong(rounding("rtz"), "rounding-rtz"),
    "ties-away": wrong(rounding("rna"), "rounding-rna"),
    "rounds-up": wrong(rounding("rtp"), "rounding-rtp"),
    "rounds-down": wrong(rounding("rtn"), "rounding-rtn"),
    "rounds-to-odd": wrong(rounding("rto"), "rounding-rto"),
    "ties-to-zero": wrong(instead(a.is_tie, rounding("rtz")), "ties-to-zero"),
    "ties-to-odd": wrong(instead(a.is_tie, rounding("rto")), "ties-to-odd"),
    "sticky-lost": wrong(a.truncated_to(4), "sticky-lost", SAT_ONLY),
    "carry-lost": wrong(a.carry_lost, "carry-lost"),
    "via-bf16": wrong(a.through(FLOAT_DTYPES["bf16"]), "via-bf16", SAT_ONLY),
    "via-f16": wrong(a.through(np.float16), "via-f16", SAT_ONLY),
    "via-f32": wrong(a.through(np.float32), "via-f32", F64),
    # small values
    "small-rounded-twice": wrong(a.rounded_twice_when_small, "subnormals-rounded-twice"),
    "flushes": wrong(instead(a.subnormal_result, a.sign_of), "flush-to-zero"),
    "flushes-before-rounding": wrong(instead(a.below_min_normal, a.sign_of), "flush-tiny"),
    "flushes-to-plus-zero": wrong(instead(a.subnormal_result, constant(0)), "flush-to-positive-zero"),
    "denormals-are-zero": wrong(
        instead(within(0, 2.0**-14), a.sign_of), "denormals-are-zero", ("convert/f16/e5m2b20/rne.sat",)
    ),
    "subnormals-truncated": wrong(instead(a.below_min_normal, rounding("rtz")), "subnormals-truncated"),
    "min-normal-for-subnormal": wrong(
        instead(a.subnormal_result, signed(lambda op: 1 << op.result_format.t)), "subnormals-to-min-normal"
    ),
    "never-zero": wrong(instead(a.vanishes, signed(lambda op: 1)), "never-zero"),
    "half-min-up": wrong(instead(a.half_of_least, signed(lambda op: 1)), "half-min-up"),
    # large values
    "overflow-tested-early": wrong(a.overflow_tested_early, "overflow-before-rounding", BOTH_NONSAT),
    "overflow-wraps": wrong(a.wraps, "overflow-wraps", SAT_ONLY),
    "max-too-low": wrong(a.max_too_low, "max-too-low", SAT_ONLY),
    "saturates": wrong(overflow("sat"), "overflow-sat", BOTH_NONSAT),
    "infinity-saturates": wrong(overflow(("ieee", "max")), "overflow-ieee-max", NONSAT_ONLY),
    "does-not-saturate": wrong(overflow("nonsat"), "overflow-nonsat", SAT_ONLY),
    "infinity-to-nan": wrong(overflow(("max", "nan")), "overflow-max-nan", SAT_ONLY),
    # NaN, sign, encoding
    "nan-to-max": wrong(instead(a.is_nan, constant(0x7B)), "nan-max", NONSAT_ONLY),
    "nan-to-zero": wrong(instead(a.is_nan, constant(0)), "nan-zero"),
    "nan-like-infinity": wrong(instead(a.is_nan, a.infinity_of_its_sign), "nan-signed-max", SAT_ONLY),
    "payload-forgotten": wrong(a.low_payload_becomes_infinity, "nan-infinity", NONSAT_ONLY),
    "zero-sign-lost": wrong(instead(lambda op, x: a.magnitude_code(op, x) == 0, constant(0)), "zero-sign-lost"),
    "minus-zero-lost": wrong(instead(lambda op, x: a.values(op, x) == 0, constant(0)), "minus-zero-lost"),
    "underflow-sign-lost": wrong(instead(a.vanishes, constant(0)), "underflow-sign-lost"),
    "wrong-bias": wrong(a.wrong_bias, "wrong-bias"),
    "answers-ieee": wrong(a.in_format("e4m3"), "format-e4m3", SAT_ONLY),
    "answers-fnuz": wrong(a.in_format("e4m3fnuz"), "format-e4m3fnuz", SAT_ONLY),
    "sign-dropped": wrong(lambda op, x: right(op, x) & 0x7F, "sign-dropped"),
    "sign-flipped": wrong(instead(lambda op, x: ~a.is_nan(op, x), lambda op, x: right(op, x) ^ 0x80), "sign-flipped"),
    # rectified: PTX's .relu
    "not-rectified": wrong(lambda op, x: right(op, x, negative="lowest"), "not-rectified", RELU),
    "rectified-unasked": wrong(lambda op, x: right(op, x, negative="zero"), "rectified"),
    "rectifier-keeps-minus-zero": wrong(
        instead(lambda op, x: a.values(op, x) == 0, lambda op, x: a.sign_of(op, x)), "minus-zero-kept", RELU
    ),
    "rectifier-keeps-minus-infinity": wrong(
        instead(lambda op, x: a.values(op, x) == -np.inf, constant(0xFE)), "minus-infinity-kept", RELU[:1]
    ),
    "rectifier-takes-nan-for-zero": wrong(instead(a.is_nan, constant(0)), "nan-zero", RELU),
    # decoding
    "decodes-no-subnormals": wrong(a.decode_without_subnormals, "flush-to-zero", DECODE),
    "decodes-nan-as-number": wrong(a.decode_nan_as_480, "nan-as-number", DECODE[:1]),
    "decodes-wrong-bias": wrong(a.decode_halved, "wrong-bias", DECODE[:1]),
    # one mistake under one circumstance
    "negative-truncates": wrong(instead(a.negative, rounding("rtz")), "rounding-rtz", where="negative"),
    "tail-truncates": wrong(a.in_tail(8, rounding("rtz")), "rounding-rtz", where="tail after blocks of 8"),
    "tail-of-16-truncates": wrong(a.in_tail(16, rounding("rtz")), "rounding-rtz", where="tail after blocks of 16"),
    "short-ties-away": wrong(when(lambda x: x.size < 16, rounding("rna")), "rounding-rna", where="shorter than 16"),
    "long-truncates": wrong(when(lambda x: x.size >= 256, rounding("rtz")), "rounding-rtz", where="at least 256"),
    "strided-truncates": wrong(
        when(lambda x: x.strides[0] > x.itemsize, rounding("rtz")), "rounding-rtz", where="strided"
    ),
    "second-call-truncates": Mutant(a.after_first_call, "rounding-rtz", where="after the first", remembers=True),
    "every-fourth-truncates": wrong(a.at_positions(4, 3, rounding("rtz")), "rounding-rtz", where="3 modulo 4"),
    "f64-saturates-low": wrong(a.low_only_from_f64, "max-too-low", (SAT, *F64)),
    "reverses": wrong(lambda op, x: right(op, x)[::-1].copy(), "reversed"),
    "misplaced-by-one": wrong(a.misplaced_by_one, "rotated"),
    # two causes, or none that a single rule describes
    "ignores-stride-sign": wrong(when(lambda x: x.strides[0] < 0, lambda op, x: right(op, x)[::-1]), UNEXPLAINED),
    "truncates-and-loses-nan": wrong(
        both(a.is_nan, constant(0x7B), a.everywhere, rounding("rtz")), "rounding-rtz", NONSAT_ONLY
    ),
    "ties-away-and-flushes": wrong(
        both(a.subnormal_result, a.sign_of, a.everywhere, rounding("rna")), "flush-to-zero", SAT_ONLY
    ),
    "large-truncate-small-ties-away": wrong(
        both(a.large, rounding("rtz"), a.everywhere, rounding("rna")), "rounding-rna", SAT_ONLY, "below 16"
    ),
    "one-code-wrong": wrong(instead(a.small_odd_code, constant(0x2C)), UNEXPLAINED),
    "bits-flipped": wrong(a.bits_flipped, UNEXPLAINED),
    "overflow-to-zero": wrong(instead(within(465, np.inf), constant(0)), UNEXPLAINED, SAT_ONLY),
    "stuck-bit": wrong(instead(within(1, 2), lambda op, x: right(op, x) | 4), UNEXPLAINED, SAT_ONLY),
    "one-binade-an-ulp-up": wrong(instead(within(4, 8), lambda op, x: right(op, x) + 1), UNEXPLAINED, SAT_ONLY),
    "stale-after-nan": wrong(a.stale_after_nan, UNEXPLAINED),
    "f64-cut-to-f32": wrong(a.f64_cut_to_f32, "via-f32-rtz", F64),
    "last-element-zero": wrong(a.last_is_zero, UNEXPLAINED),
    "negative-tail-rounds-down": wrong(
        both(a.in_negative_tail, rounding("rtn"), a.is_negative_nan, constant(0)), UNEXPLAINED
    ),
    # misbehaviour
    "raises": Mutant(a.raises),
    "wrong-shape": Mutant(lambda op, x: right(op, x).reshape(1, -1)),
    "wrong-dtype": Mutant(lambda op, x: right(op, x).astype(np.int32)),
    "wrong-length": Mutant(lambda op, x: np.concatenate([right(op, x), [0]]).astype(np.uint8)),
    "returns-list": Mutant(lambda op, x: right(op, x).tolist()),
    "exits": Mutant(a.exits),
    "segfaults": Mutant(a.segfaults),
    "hangs": Mutant(a.hangs),
}
MISBEHAVING = ("raises", "wrong-shape", "wrong-dtype", "wrong-length", "returns-list", "exits", "segfaults", "hangs")
