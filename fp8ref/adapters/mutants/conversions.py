"""Miniatures: small implementations with one planted fault each, and correct ones, to judge the judge.

``fp8ref check --impl mini:truncates`` must fail and name the fault; ``mini:correct`` must pass.  ``diagnosis`` is the
rule that the checker should name (``unexplained`` where no single wrong rule fits), ``where`` part of its circumstance.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...arrays.conversion import FLOAT_DTYPES
from ...cases.operation import Operation
from ..base import Adapter, Codes
from . import answers as a
from . import arithmetic as c
from . import constants as mini_constants
from . import dots as mini_dots
from . import scales as mini_scales
from . import unruly as mini_unruly
from .answers import both, constant, instead, overflow, right, rounding, signed, when, within

SAT, NONSAT = "convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.nonsat"
SAT_ONLY, NONSAT_ONLY = (SAT,), (NONSAT,)
BOTH_NONSAT = ("convert/f32/e4m3fn/rne.nonsat", NONSAT)
F64 = ("convert/f64/e4m3fn/rne.sat",)
RELU = ("convert/f32/e4m3fn/rne.sat;negative=zero", "convert/f16/e5m2/rne.nonsat;negative=zero")
DECODE = ("decode/e4m3fn/f32", "decode/e5m2/f32")
UNEXPLAINED = "unexplained"


@dataclass
class Mini:
    """One miniature: what it answers, what the diagnosis should say and where, and what it claims."""

    answer: Callable[..., Any]
    diagnosis: str = ""
    where: str = ""
    claims: tuple[str, ...] = (SAT, NONSAT)
    name: str = ""
    memory: dict[str, Any] = field(default_factory=dict)

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self.claims

    def run(self, op: Operation, *operands: Codes) -> Any:
        if self.answer is a.after_first_call:
            return self.answer(op, operands[0], self.memory)
        return self.answer(op, *operands)


def connect(name: str = "", **options: str) -> Adapter:
    """The miniature of a name.  Raises ValueError for any other, with the nearest."""
    if name.startswith("dot-"):
        return mini_dots.connect(name, **options)
    if name in mini_unruly.UNRULY:
        return mini_unruly.connect(name, MINIS[mini_unruly.UNRULY[name].twin], **options)
    if options:
        raise ValueError(f"miniature {name!r:.80} has no options")
    if name in mini_scales.SCALE_MINIS:
        return mini_scales.connect(name)
    if name in mini_constants.CONSTANT_MINIS:
        return mini_constants.connect(name)
    if name not in MINIS:
        every = [*MINIS, *mini_scales.SCALE_MINIS, *mini_constants.CONSTANT_MINIS, *mini_unruly.UNRULY]
        near = difflib.get_close_matches(name, every, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(every)}"
        raise ValueError(f"unknown miniature {name!r:.80}; {hint}")
    return replace(MINIS[name], name=name, memory={})


def wrong(answer: Any, diagnosis: str, claims: tuple[str, ...] = (SAT, NONSAT), where: str = "") -> Mini:
    return Mini(answer, diagnosis, where, claims)


ROUNDINGS = ("rne", "rna", "rtz", "rtp", "rtn", "rto")
RESULTS = ("e4m3fn", "e5m2", "e4m3fnuz", "e8m0fnu", "e2m1fn", "mxint8", "binary8p3se")
CORRECT = tuple(
    f"convert/{source}/{result}/{mode}.{rule}"
    for source in ("f32", "f64", "f16", "bf16", "i32", "e5m2")
    for result in RESULTS
    for mode, rule in itertools.product(ROUNDINGS if source == "f32" else ("rne",), ("sat", "satprop", "nonsat"))
)
FREE = tuple(f"convert/f32/{result}/*" for result in ("e4m3fn", "e5m2", "e4m3fnuz", "e8m0fnu", "e3m2fn"))

ADD, MUL, SQRT = "add/e4m3fn.e4m3fn/e4m3fn/rne.sat", "mul/e4m3fn.e4m3fn/e4m3fn/rne.sat", "sqrt/e5m2/e5m2/rne.sat"
ADD5, MUL5, DIV5 = (f"{name}/e5m2.e5m2/e5m2/rne.nonsat" for name in ("add", "mul", "div"))
FMA, LT, MIN = "fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat", "lt/e4m3fn.e4m3fn/bool", "min/e4m3fn.e4m3fn/e4m3fn/rne.sat"


def flagged(*claims: str) -> tuple[str, ...]:
    return tuple(f"{claim};flags=1" for claim in claims)


ARITHMETIC: dict[str, Mini] = {
    "correct-arithmetic": Mini(c.right, claims=c.CORRECT),
    "correct-arithmetic-unasked": Mini(
        lambda op, *xs: c.right(op.with_mode("rtz.nonsat"), *xs),
        claims=("add/e5m2.e5m2/e5m2/*", "fma/e5m2.e5m2.e5m2/e5m2/*"),
    ),
    # rounding and range
    "sums-truncate": wrong(c.changed(rounding="rtz"), "rounding-rtz", (ADD,)),
    "products-ties-away": wrong(c.changed(rounding="rna"), "rounding-rna", (MUL,)),
    "quotients-to-odd": wrong(c.changed(rounding="rto"), "rounding-rto", (DIV5,)),
    "roots-round-up": wrong(c.changed(rounding="rtp"), "rounding-rtp", (SQRT,)),
    "sums-in-bf16": wrong(c.in_bfloat16, "via-bf16", (ADD,)),
    "products-saturate": wrong(c.changed(overflow="sat"), "overflow-sat", (MUL5,)),
    "products-flushed": wrong(c.instead(c.subnormal_result, lambda op, *xs: c.right(op, *xs) & 0x80),
                              "flush-to-zero", (MUL,)),
    "products-daz": wrong(c.changed(subnormal="daz"), "denormals-are-zero", (MUL,)),
    "fma-unfused": wrong(c.unfused, "fma-unfused", (FMA,)),
    "fma-in-halves": wrong(c.half_fused, "via-f16", (FMA,)),
    # special values
    "divides-by-zero-to-max": wrong(
        c.instead(c.pole, lambda op, *xs: c.right(op, *xs, overflow="sat")), "divide-by-zero-max", (DIV5,)
    ),
    "infinities-cancel-to-zero": wrong(c.instead(c.infinities_cancel, c.constant(0)), "invalid-zero", (ADD5,)),
    "zero-times-infinity-is-zero": wrong(
        c.instead(c.zero_times_infinity, lambda op, a, b: (a ^ b) & 0x80), "invalid-zero", (MUL5,)
    ),
    "sum-loses-nan": wrong(c.instead(c.any_nan, c.constant(0)), "nan-zero", (ADD,)),
    "cancelling-sum-negative": wrong(c.instead(c.cancels, c.constant(0x80)), "zero-sum-negative", (ADD,)),
    # operands
    "difference-swapped": wrong(c.swapped, "operands-swapped", ("sub/e4m3fn.e4m3fn/e4m3fn/rne.sat",)),
    "divides-by-reciprocal": wrong(c.by_reciprocal, "reciprocal-e5m2", (DIV5,)),
    "truncates-negative-second": wrong(
        c.instead(c.negative_second, c.changed(rounding="rtz")), "rounding-rtz", (ADD,), "negative b"
    ),
    "truncates-in-tail": wrong(
        c.instead(lambda op, a, b: np.arange(a.size) >= a.size - a.size % 16, c.changed(rounding="rtz")),
        "rounding-rtz", (MUL,), "tail after blocks of 16",
    ),
    # comparison, selection, sign bits, integers
    "compares-nan-as-number": wrong(c.code_order, "nan-as-number", (LT,)),
    "orders-zeros": wrong(c.zeros_ordered, "zeros-ordered", (LT,)),
    "min-by-ternary": wrong(c.ternary, "select-second", (MIN,)),
    "min-prefers-numbers": wrong(c.prefers_numbers, "wrong-operation-minnum", (MIN,)),
    "negates-the-nan": wrong(c.sign_bit, "sign-bit-blind", ("neg/e4m3fnuz/e4m3fnuz",)),
    "integers-wrap": wrong(c.truncating_integers, "wraps", ("int/e5m2/i8/rtz.riscv",)),
    # status
    "no-underflow": wrong(c.flags(lambda op, z, s, *xs: s & ~np.uint8(2)), "underflow-missing", flagged(MUL)),
    "underflow-when-exact": wrong(
        c.flags(lambda op, z, s, *xs: np.where(c.subnormal_codes(op, z), s | 2, s)), "underflow-exact", flagged(MUL)
    ),
    "tiny-before-rounding": wrong(c.changed(tininess="before"), "tininess-before", flagged(MUL)),
    "divide-by-zero-is-invalid": wrong(
        c.flags(lambda op, z, s, *xs: np.where(s & 8, s & 0xF7 | 16, s)), "pole-invalid", flagged(DIV5)
    ),
    "quiet-nan-is-invalid": wrong(
        c.flags(lambda op, z, s, *xs: np.where(c.any_nan(op, *xs), s | 16, s)), "invalid-quiet-nan", flagged(ADD5)
    ),
    "overflow-not-inexact": wrong(
        c.flags(lambda op, z, s, *xs: np.where(s & 4, s & 0xFE, s)), "overflow-not-inexact", flagged(ADD)
    ),
    "sum-truncates-with-flags": wrong(c.changed(rounding="rtz"), "rounding-rtz", flagged(ADD)),
    # none that a single rule describes
    "one-pair-wrong": wrong(c.one_pair, UNEXPLAINED, (MUL,)),
    "lane-crossed": wrong(c.lane_crossed, UNEXPLAINED, (ADD,)),
    "sum-flag-now-and-then": wrong(
        c.flags(lambda op, z, s, a, b: np.where((a ^ b) % 37 == 5, s ^ 1, s)), UNEXPLAINED, flagged(ADD)
    ),
}  # fmt: skip

MINIS: dict[str, Mini] = {
    # correct ones
    "correct": Mini(right, claims=(*CORRECT, *DECODE)),
    "correct-unasked": Mini(lambda op, x: right(op.with_mode("rtz.nonsat"), x), claims=FREE),
    "prints-garbage": Mini(a.prints_garbage),
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
    "short-ties-away": wrong(when(lambda x: x.size < 16, rounding("rna")), "rounding-rna", where="shorter than 16"),
    "long-truncates": wrong(when(lambda x: x.size >= 256, rounding("rtz")), "rounding-rtz", where="at least 256"),
    "strided-truncates": wrong(
        when(lambda x: x.strides[0] > x.itemsize, rounding("rtz")), "rounding-rtz", where="strided"
    ),
    "second-call-truncates": wrong(a.after_first_call, "rounding-rtz", where="after the first"),
    "every-fourth-truncates": wrong(a.at_positions(4, 3, rounding("rtz")), "rounding-rtz", where="3 modulo 4"),
    "f64-saturates-low": wrong(a.low_only_from_f64, "max-too-low", (SAT, *F64)),
    "reverses": wrong(lambda op, x: right(op, x)[::-1].copy(), "reversed"),
    "misplaced-by-one": wrong(a.misplaced_by_one, "rotated"),
    # two causes, or none that a single rule describes
    "ignores-stride-sign": wrong(when(lambda x: x.strides[0] < 0, lambda op, x: right(op, x)[::-1]), UNEXPLAINED),
    "truncates-and-loses-nan": wrong(
        both(a.is_nan, constant(0x7B), a.everywhere, rounding("rtz")), UNEXPLAINED, NONSAT_ONLY
    ),
    "ties-away-and-flushes": wrong(both(a.subnormal_result, a.sign_of, a.everywhere, rounding("rna")), UNEXPLAINED),
    "large-truncate-small-ties-away": wrong(
        both(a.large, rounding("rtz"), a.everywhere, rounding("rna")), UNEXPLAINED, SAT_ONLY
    ),
    "one-code-wrong": wrong(instead(a.small_odd_code, constant(0x2C)), UNEXPLAINED),
    "bits-flipped": wrong(a.bits_flipped, UNEXPLAINED),
    "overflow-to-zero": wrong(instead(within(465, np.inf), constant(0)), UNEXPLAINED, SAT_ONLY),
    "stuck-bit": wrong(instead(within(1, 2), lambda op, x: right(op, x) | 4), UNEXPLAINED, SAT_ONLY),
    "one-binade-an-ulp-up": wrong(instead(within(4, 8), lambda op, x: right(op, x) + 1), UNEXPLAINED, SAT_ONLY),
    "stale-after-nan": wrong(a.stale_after_nan, UNEXPLAINED),
    "f64-cut-to-f32": wrong(a.f64_cut_to_f32, UNEXPLAINED, F64),
    "last-element-zero": wrong(a.last_is_zero, UNEXPLAINED),
    "negative-tail-rounds-down": wrong(
        both(a.in_negative_tail, rounding("rtn"), a.is_negative_nan, constant(0)), UNEXPLAINED
    ),
    # misbehaviour
    "raises": Mini(a.raises),
    "wrong-shape": Mini(lambda op, x: right(op, x).reshape(1, -1)),
    "wrong-dtype": Mini(lambda op, x: right(op, x).astype(np.int32)),
    "wrong-length": Mini(lambda op, x: np.concatenate([right(op, x), [0]]).astype(np.uint8)),
    "returns-list": Mini(lambda op, x: right(op, x).tolist()),
    "exits": Mini(a.exits),
    "segfaults": Mini(a.segfaults),
    "hangs": Mini(a.hangs),
}
MINIS |= ARITHMETIC
FAULTY = tuple(name for name, mini in MINIS.items() if mini.diagnosis)
MISBEHAVING = ("raises", "wrong-shape", "wrong-dtype", "wrong-length", "returns-list", "exits", "segfaults", "hangs")
