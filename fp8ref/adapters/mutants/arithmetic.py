"""Mutants of arithmetic: correct ones, and one planted fault each, written in plain NumPy and the array functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import arrays
from ...arrays import decode, encode
from ...cases.families import FAMILIES
from ...cases.operation import Operation
from ..base import Codes
from .mutant import UNEXPLAINED, Mutant, wrong

Answer = Callable[..., Any]
Condition = Callable[..., Codes]

# family -> the array function of operands and formats
_ROUNDING: dict[str, Callable[..., Any]] = {
    "add": arrays.add, "sub": arrays.subtract, "mul": arrays.multiply, "div": arrays.divide, "rem": arrays.remainder,
    "sqrt": arrays.sqrt, "fma": arrays.fma, "faa": arrays.faa, "min": arrays.minimum, "max": arrays.maximum,
}  # fmt: skip
_QUIET: dict[str, Callable[..., Any]] = {
    "neg": arrays.negate, "abs": arrays.abs_, "copysign": arrays.copysign, "nextup": arrays.next_up,
}  # fmt: skip


# -- building blocks --------------------------------------------------------------------------------------------------
def right(op: Operation, *xs: Codes, **changed: Any) -> Any:
    """The right answer, or the right answer to a question with something changed; the status too where asked for."""
    kind, flags = op.asked.kind, op.flags
    if kind == "arithmetic":
        family = op.family
        rounding, _, overflow = (op.mode or "").partition(".")
        options = {"rounding": rounding, "overflow": overflow, **dict(op.keys), "flags": flags, **changed}
        if family in ("minnum", "maxnum"):
            family, options["number"] = family[:3], True
        return _ROUNDING[family](*xs, *op.operands, result=op.result, **options)
    if kind == "compare":
        a, b = xs
        found = arrays.compare(a, b, op.family, *op.operands, flags=flags)
        return (found[0].astype(np.uint8), found[1]) if flags else found.astype(np.uint8)
    if kind == "int":
        rounding, _, rule = (op.mode or "").partition(".")
        options = {"rounding": rounding, "out_of_range": rule, "flags": flags, **changed}
        return arrays.to_integer(xs[0], op.result, op.operands[0], **options)
    if kind == "test":
        return arrays.is_class(xs[0], op.family, op.operands[0]).astype(np.uint8)
    return _QUIET[op.family](*xs, op.operands[0])


def values(op: Operation, *xs: Codes) -> list[Codes]:
    """Operands as float64."""
    return [decode(x, name, dtype=np.float64) for x, name in zip(xs, op.operands)]


def of(op: Operation, v: Codes) -> Codes:
    """float64 values under the mode of an operation."""
    rounding, _, overflow = (op.mode or "").partition(".")
    return encode(v, op.result, rounding=rounding, overflow=overflow)  # type: ignore[no-any-return]


def instead(condition: Condition, other: Answer) -> Answer:
    """Another answer where a condition holds; the flags stay right."""

    def answer(op: Operation, *xs: Codes) -> Any:
        good = right(op, *xs)
        codes = good[0] if op.flags else good
        bad = other(op, *xs)
        bad = bad[0] if op.flags and isinstance(bad, tuple) else bad
        codes = np.where(condition(op, *xs), bad, codes).astype(codes.dtype)
        return (codes, good[1]) if op.flags else codes

    return answer


def changed(**options: Any) -> Answer:
    return lambda op, *xs: right(op, *xs, **options)


def constant(code: int) -> Answer:
    return lambda op, *xs: np.full(xs[0].shape, code, np.uint8)


def flags(change: Callable[..., Codes]) -> Answer:
    """Right codes with a changed status."""

    def answer(op: Operation, *xs: Codes) -> Any:
        codes, status = right(op, *xs)
        return codes, change(op, codes, status, *xs).astype(np.uint8)

    return answer


# -- conditions -------------------------------------------------------------------------------------------------------
def any_nan(op: Operation, *xs: Codes) -> Codes:
    return np.logical_or.reduce([np.isnan(v) for v in values(op, *xs)])  # type: ignore[no-any-return]


def pole(op: Operation, a: Codes, b: Codes) -> Codes:
    x, y = values(op, a, b)
    return (y == 0) & (x != 0) & np.isfinite(x)  # type: ignore[no-any-return]


def infinities_cancel(op: Operation, a: Codes, b: Codes) -> Codes:
    x, y = values(op, a, b)
    return np.isinf(x) & np.isinf(y) & (np.signbit(x) != np.signbit(y))  # type: ignore[no-any-return]


def zero_times_infinity(op: Operation, a: Codes, b: Codes) -> Codes:
    x, y = values(op, a, b)
    return ((x == 0) & np.isinf(y)) | (np.isinf(x) & (y == 0))  # type: ignore[no-any-return]


def cancels(op: Operation, a: Codes, b: Codes) -> Codes:
    x, y = values(op, a, b)
    return (x == -y) & (x != 0) & np.isfinite(x)  # type: ignore[no-any-return]


def subnormal_result(op: Operation, *xs: Codes) -> Codes:
    return subnormal_codes(op, right(op, *xs))


def subnormal_codes(op: Operation, z: Codes) -> Codes:
    code = z & op.result_format.magnitude_mask
    found: Codes = (code > 0) & (code < 1 << op.result_format.t)
    return found


def negative_second(op: Operation, a: Codes, b: Codes) -> Codes:
    return np.signbit(values(op, a, b)[1])


# -- faults -----------------------------------------------------------------------------------------------------------
def in_bfloat16(op: Operation, *xs: Codes) -> Codes:
    """Computed in bfloat16 and rounded again."""
    import ml_dtypes

    x, y = values(op, *xs)
    with np.errstate(all="ignore"):
        exact = {"add": np.add, "mul": np.multiply, "div": np.divide}[op.family](x, y)
        wide = encode(exact, "bf16", overflow="nonsat").view(ml_dtypes.bfloat16).astype(np.float64)
    return of(op, wide)


def unfused(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """The product becomes a code before it is added to."""
    rounding, _, overflow = (op.mode or "").partition(".")
    product = arrays.multiply(a, b, *op.operands[:2], result=op.result, rounding=rounding, overflow=overflow)
    return arrays.add(product, c, op.result, op.operands[2], result=op.result, rounding=rounding, overflow=overflow)  # type: ignore[no-any-return]


def half_fused(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """Product and sum in float16, the result from there."""
    x, y, z = (v.astype(np.float16) for v in values(op, a, b, c))
    with np.errstate(all="ignore"):
        return of(op, (x * y + z).astype(np.float64))


def swapped(op: Operation, a: Codes, b: Codes) -> Codes:
    return right(op, b, a)  # type: ignore[no-any-return]


def by_reciprocal(op: Operation, a: Codes, b: Codes) -> Codes:
    """a times 1/b, which is a code of its own."""
    one = np.full_like(b, op.result_format.bias << op.result_format.t)
    rounding, _, overflow = (op.mode or "").partition(".")
    inverse = arrays.divide(one, b, op.operands[1], rounding="rne", overflow="nonsat")
    return arrays.multiply(a, inverse, op.operands[0], rounding=rounding, overflow=overflow)  # type: ignore[no-any-return]


def code_order(op: Operation, a: Codes, b: Codes) -> Codes:
    """Compares sign and magnitude as integers, so that NaNs are numbers; -0 is +0."""
    x, y = (np.where(c & 0x80, -(c & 0x7F).astype(int), (c & 0x7F).astype(int)) for c in (a, b))
    return (x < y).astype(np.uint8)


def zeros_ordered(op: Operation, a: Codes, b: Codes) -> Codes:
    return np.where((a == 0x80) & (b == 0), 1, right(op, a, b)).astype(np.uint8)


def ternary(op: Operation, a: Codes, b: Codes) -> Codes:
    """``a < b ? a : b``."""
    x, y = values(op, a, b)
    return np.where(x < y, a, b)


def prefers_numbers(op: Operation, a: Codes, b: Codes) -> Codes:
    x, y = values(op, a, b)
    return np.where(np.isnan(x), b, np.where(np.isnan(y), a, right(op, a, b)))


def lane_crossed(op: Operation, a: Codes, b: Codes) -> Codes:
    """The second operand of the last lane of four comes from its neighbour."""
    index = np.arange(b.size)
    return right(op, a, b[np.where((index % 4 == 3), index - 1, index)])  # type: ignore[no-any-return]


def one_pair(op: Operation, a: Codes, b: Codes) -> Codes:
    """One wrong entry in a table: 1.125 times 2.75."""
    good = right(op, a, b)
    return np.where((a == 0x39) & (b == 0x43), good ^ 1, good)  # type: ignore[no-any-return]


def truncating_integers(op: Operation, x: Codes) -> Codes:
    """A cast in C: the low bits of the truncated value."""
    v = decode(x, op.operands[0], dtype=np.float64)
    finite = np.isfinite(v)
    low = np.where(finite, np.trunc(v), 0).astype(np.int64).astype(np.int8)
    return np.where(finite, low, right(op, x))


def sign_bit(op: Operation, x: Codes) -> Codes:
    return x ^ np.uint8(0x80)


_ROUNDED = (
    f"{question};flags=1" if flagged else question
    for question in (
        *(
            f"{family}/{'.'.join([name] * FAMILIES[family].arity)}/{name}/{mode}"
            for family in ("add", "mul", "div", "sqrt", "min", "maxnum", "rem")
            for name, mode in (
                ("e4m3fn", "rne.sat"),
                ("e5m2", "rtn.nonsat"),
                ("e2m3fn", "rna.sat"),
                ("e4m3fnuz", "rtp.satprop"),
                ("binary8p3se", "rto.nonsat"),
            )
        ),
        "sub/e5m2.e4m3fn/f16/rne.nonsat",
        "mul/e5m2.e4m3fn/bf16/rtz.sat;tininess=before",
        "fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat",
        "fma/e5m2.e5m2.f16/f16/rne.nonsat;tininess=before",
        "faa/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rtz.nonsat",
        "div/e5m2.e5m2/e5m2/rne.nonsat;subnormal=both",
        "add/e5m2.e5m2/e5m2/rne.nonsat;snan=quiet",
        "lt/e5m2.e5m2/bool",
        "eq/e4m3fn.e5m2/bool",
        "int/e5m2/i8/rne.arm",
        "int/e4m3fn/u16/rtz.x86",
    )
    for flagged in (False, True)
)
_UNROUNDED = (
    "isnan/e4m3fnuz/bool",
    "neg/e4m3fn/e4m3fn",
    "abs/e5m2/e5m2",
    "copysign/e5m2.e5m2/e5m2",
    "nextup/e4m3/e4m3",
)
CORRECT = (*_ROUNDED, *_UNROUNDED)


def in_steps(dtype: Any, formula: Callable[..., Any]) -> Answer:
    """A function of a row in NumPy's arithmetic of a dtype, rounded at the end; columns are operands."""

    def answer(op: Operation, *xs: Codes) -> Codes:
        with np.errstate(all="ignore"):
            x = np.stack(values(op, *xs), axis=1).astype(dtype)
            return of(op, formula(x, dtype(float(op.key("eps", "1e-5")))).astype(np.float64))

    return answer


def row_of(family: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{family}/{'.'.join([name] * 4)}/{name}/rne.{'nonsat' if name == 'f16' else 'sat'}" for name in names)


ADD, MUL, SQRT = "add/e4m3fn.e4m3fn/e4m3fn/rne.sat", "mul/e4m3fn.e4m3fn/e4m3fn/rne.sat", "sqrt/e5m2/e5m2/rne.sat"
ADD5, MUL5, DIV5 = (f"{name}/e5m2.e5m2/e5m2/rne.nonsat" for name in ("add", "mul", "div"))
FMA, LT, MIN = "fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat", "lt/e4m3fn.e4m3fn/bool", "min/e4m3fn.e4m3fn/e4m3fn/rne.sat"


def flagged(*claims: str) -> tuple[str, ...]:
    return tuple(f"{claim};flags=1" for claim in claims)


ARITHMETIC_MUTANTS: dict[str, Mutant] = {
    "correct-arithmetic": Mutant(right, claims=CORRECT),
    "correct-arithmetic-unasked": Mutant(
        lambda op, *xs: right(op.with_mode("rtz.nonsat"), *xs),
        claims=("add/e5m2.e5m2/e5m2/*", "fma/e5m2.e5m2.e5m2/e5m2/*"),
    ),
    # rounding and range
    "sums-truncate": wrong(changed(rounding="rtz"), "rounding-rtz", (ADD,)),
    "products-ties-away": wrong(changed(rounding="rna"), "rounding-rna", (MUL,)),
    "quotients-to-odd": wrong(changed(rounding="rto"), "rounding-rto", (DIV5,)),
    "roots-round-up": wrong(changed(rounding="rtp"), "rounding-rtp", (SQRT,)),
    "sums-in-bf16": wrong(in_bfloat16, "via-bf16", (ADD,)),
    "products-saturate": wrong(changed(overflow="sat"), "overflow-sat", (MUL5,)),
    "products-flushed": wrong(instead(subnormal_result, lambda op, *xs: right(op, *xs) & 0x80),
                              "flush-to-zero", (MUL,)),
    "products-daz": wrong(changed(subnormal="daz"), "denormals-are-zero", (MUL,)),
    "fma-unfused": wrong(unfused, "fma-unfused", (FMA,)),
    "fma-in-halves": wrong(half_fused, "via-f16", (FMA,)),
    # special values
    "divides-by-zero-to-max": wrong(
        instead(pole, lambda op, *xs: right(op, *xs, overflow="sat")), "divide-by-zero-max", (DIV5,)
    ),
    "infinities-cancel-to-zero": wrong(instead(infinities_cancel, constant(0)), "invalid-zero", (ADD5,)),
    "zero-times-infinity-is-zero": wrong(
        instead(zero_times_infinity, lambda op, a, b: (a ^ b) & 0x80), "invalid-zero", (MUL5,)
    ),
    "sum-loses-nan": wrong(instead(any_nan, constant(0)), "nan-zero", (ADD,)),
    "cancelling-sum-negative": wrong(instead(cancels, constant(0x80)), "zero-sum-negative", (ADD,)),
    # operands
    "difference-swapped": wrong(swapped, "operands-swapped", ("sub/e4m3fn.e4m3fn/e4m3fn/rne.sat",)),
    "divides-by-reciprocal": wrong(by_reciprocal, "reciprocal-e5m2", (DIV5,)),
    "truncates-negative-second": wrong(
        instead(negative_second, changed(rounding="rtz")), "rounding-rtz", (ADD,), "negative b"
    ),
    "truncates-in-tail": wrong(
        instead(lambda op, a, b: np.arange(a.size) >= a.size - a.size % 16, changed(rounding="rtz")),
        "rounding-rtz", (MUL,), "tail after blocks of 16",
    ),
    # functions of a row
    "softmax-without-maximum": wrong(
        in_steps(np.float32, lambda x, eps: np.exp(x[:, 0]) / np.add.reduce(np.exp(x), axis=1)),
        "row-without-maximum-f32", row_of("softmax", "e4m3fn"),
    ),
    "layernorm-by-sample-variance": wrong(
        in_steps(np.float64, lambda x, eps: (x[:, 0] - x.mean(axis=1)) / np.sqrt(x.var(axis=1, ddof=1) + eps)),
        "row-sample-variance-f64", row_of("layernorm", "e4m3fn"),
    ),
    "rmsnorm-epsilon-outside": wrong(
        in_steps(np.float64, lambda x, eps: x[:, 0] / (np.sqrt((x * x).mean(axis=1)) + eps)),
        "row-epsilon-outside-f64", row_of("rmsnorm", "f16"),
    ),
    "softmax-in-halves": wrong(
        in_steps(np.float16, lambda x, eps: (
            (e := np.exp(x - x.max(axis=1)[:, None]))[:, 0] / (((e[:, 0] + e[:, 1]) + e[:, 2]) + e[:, 3])
        )),
        "row-steps-f16", row_of("softmax", "e4m3fn"),
    ),
    "softmax-in-double": Mutant(
        in_steps(np.float64, lambda x, eps: (
            np.exp(x[:, 0] - x.max(axis=1)) / np.exp(x - x.max(axis=1)[:, None]).sum(axis=1)
        )), claims=row_of("softmax", "e4m3fn"),
    ),
    # comparison, selection, sign bits, integers
    "compares-nan-as-number": wrong(code_order, "nan-as-number", (LT,)),
    "orders-zeros": wrong(zeros_ordered, "zeros-ordered", (LT,)),
    "min-by-ternary": wrong(ternary, "select-second", (MIN,)),
    "min-prefers-numbers": wrong(prefers_numbers, "wrong-operation-minnum", (MIN,)),
    "negates-the-nan": wrong(sign_bit, "sign-bit-blind", ("neg/e4m3fnuz/e4m3fnuz",)),
    "integers-wrap": wrong(truncating_integers, "wraps", ("int/e5m2/i8/rtz.riscv",)),
    # status
    "no-underflow": wrong(flags(lambda op, z, s, *xs: s & ~np.uint8(2)), "underflow-missing", flagged(MUL)),
    "underflow-when-exact": wrong(
        flags(lambda op, z, s, *xs: np.where(subnormal_codes(op, z), s | 2, s)), "underflow-exact", flagged(MUL)
    ),
    "tiny-before-rounding": wrong(changed(tininess="before"), "tininess-before", flagged(MUL)),
    "divide-by-zero-is-invalid": wrong(
        flags(lambda op, z, s, *xs: np.where(s & 8, s & 0xF7 | 16, s)), "pole-invalid", flagged(DIV5)
    ),
    "quiet-nan-is-invalid": wrong(
        flags(lambda op, z, s, *xs: np.where(any_nan(op, *xs), s | 16, s)), "invalid-quiet-nan", flagged(ADD5)
    ),
    "overflow-not-inexact": wrong(
        flags(lambda op, z, s, *xs: np.where(s & 4, s & 0xFE, s)), "overflow-not-inexact", flagged(ADD)
    ),
    "sum-truncates-with-flags": wrong(changed(rounding="rtz"), "rounding-rtz", flagged(ADD)),
    # none that a single rule describes
    "one-pair-wrong": wrong(one_pair, UNEXPLAINED, (MUL,)),
    "lane-crossed": wrong(lane_crossed, UNEXPLAINED, (ADD,)),
    "sum-flag-now-and-then": wrong(
        flags(lambda op, z, s, a, b: np.where((a ^ b) % 37 == 5, s ^ 1, s)), UNEXPLAINED, flagged(ADD)
    ),
}  # fmt: skip
