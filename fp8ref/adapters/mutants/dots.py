"""Mutants of matrix units: one planted fault each, to judge how products are judged and identified.

``fp8ref check --impl mini:dot-f-12`` must fail, and ``fp8ref identify --impl mini:dot-f-12`` must not call it a unit
that it is not.  ``mini:dot-model,accumulator=NAME`` is any catalogued model behind a black box.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...arrays.products import dot, matmul
from ...cases.answers import scaling
from ...cases.operation import Operation
from ...cases.products.cases import codes_of, values_of
from ...cases.products.questions import addend_type, exact_projection, model_of
from ...fast.matrix.tiles import exponent_table
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Fused, Model
from ...spec.matrix.models import get_model
from ...spec.rounding import Rounding
from ..base import Codes, Unsupported

E4M3, E5M2 = "e4m3fn.e4m3fn", "e5m2.e5m2"
HOPPER, ADA, EMULATED, WIDE = "hopper.wgmma.fp8", "ada.mma.fp8", "hopper.mma.fp8", "blackwell.tcgen05.fp8"
TF32 = "ampere.mma.tf32.f32+in.tf32"
Answer = Callable[..., Codes]
Floats = NDArray[np.float64]


@dataclass
class DotMutant:
    """What it answers, and what it claims to be."""

    answer: Answer
    claims: tuple[str, ...]
    name: str = ""
    diagnosis: str = ""  # the rule that the checker should name, where it is said
    where: str = ""  # part of its circumstance

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self.claims

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.asked.kind != "dot":
            raise Unsupported(f"it has no {op.id}")
        claimed = Operation.parse(self.claims[0])
        here = op if op.mode != "*" else op.with_mode(claimed.mode or "")
        return self.answer(here, *operands)


def right(op: Operation, a: Codes, b: Codes, c: Codes, *scales: Codes, accumulator: Model | str | None = None) -> Codes:
    """The reference's answer, by the operation's own mode or by another accumulator."""
    chosen = accumulator or model_of(op) or "exact"
    fc = addend_type(op)
    rho = exact_projection(op if (op.mode or "").startswith("exact") else op.with_mode("exact"))
    own = chosen.result if isinstance(chosen, Model) else get_model(chosen).result if chosen != "exact" else fc
    addend = np.ascontiguousarray(c).view(FLOAT_DTYPES[fc]).astype(FLOAT_DTYPES[own], copy=False)
    d = (matmul if op.family == "matmul" else dot)(
        a, b, *op.operands, c=addend, accumulator=chosen, result=op.result, rounding=rho.rounding,
        overflow=(rho.overflow.finite, rho.overflow.infinite), **scaling(op, scales),
    )  # fmt: skip
    return d.view(f"u{d.dtype.itemsize}")


def by(accumulator: Model | str) -> Answer:
    """Another accumulator than the claimed one."""
    return lambda op, *operands: right(op, *operands, accumulator=accumulator)


def changed(**fields: Any) -> Answer:
    """The claimed fused unit with other parameters."""

    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        model = model_of(op)
        assert isinstance(model, Fused)
        return right(op, a, b, c, accumulator=replace(model, **fields))

    return answer


def operands_through(change: Callable[[Operation, Codes, Codes, Codes], tuple[Codes, Codes, Codes]]) -> Answer:
    """Right, but of other operands."""
    return lambda op, a, b, c: right(op, *change(op, a, b, c))


def flushed(codes: Codes, name: str) -> Codes:
    """Subnormal codes made zeros of their sign."""
    f = get_format(name)
    x = np.abs(values_of(codes, f))
    return np.where((x > 0) & (x < float(f.min_normal)), codes & codes.dtype.type(f.sign_bit), codes)


def where_result(find: Callable[[Operation, Codes], Codes], code: Callable[[Operation, Codes], Any]) -> Answer:
    """Right, but some results replaced."""

    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        d = right(op, a, b, c)
        return np.where(find(op, d), code(op, d), d).astype(d.dtype)

    return answer


def decoded(op: Operation, d: Codes) -> Any:
    return values_of(d, get_format(op.result))


def normalised_exponents(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """Hopper's unit with every product aligned by its own exponent, not by the sum of its operands' fields."""
    return _step(op, a, b, c, normalise=True)


def carry_lost(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """Sums of four times the largest addend and more wrap around: two carry bits are too few."""
    return _step(op, a, b, c, carries=3)


def sticky_kept(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """What is cut at alignment leaves a sticky bit that pushes the sum away from zero by a unit of its cut."""
    return _step(op, a, b, c, sticky=True)


def _step(
    op: Operation, a: Codes, b: Codes, c: Codes, *, normalise: bool = False, carries: int = 0, sticky: bool = False
) -> Codes:
    """Hopper's wgmma for K = 32 in float64, with a fault."""
    fa, fb = map(get_format, op.operands)
    x, y, z = values_of(a, fa), values_of(b, fb), values_of(c, get_format(addend_type(op)))
    with np.errstate(all="ignore"):
        p = x * y
        e = exponent_table(fa, -99)[a].astype(int) + exponent_table(fb, -99)[b]
        if normalise:
            e = np.where(p == 0, -200, np.frexp(p)[1] - 1)
        top = np.where(p == 0, -200, e).max(axis=1)
        top = np.maximum(np.maximum(top, np.where(z == 0, -200, np.frexp(z)[1] - 1)), -126)
        up = np.ldexp(1.0, 13 - top)
        parts = np.concatenate([p, z[:, None]], axis=1) * up[:, None]
        total = np.trunc(parts).sum(axis=1)
        if sticky:
            total += np.sign(total) * (np.trunc(parts) != parts).any(axis=1)
        if carries:
            half = 2.0 ** (13 + carries)
            total = np.mod(total + half, 2 * half) - half
        total = total / up
        grid = np.ldexp(1.0, np.maximum(np.frexp(total)[1] - 1, -126) - 13)
        d = (np.trunc(total / grid) * grid + 0.0).astype(np.float32).view(np.uint32)
    finite = np.isfinite(p).all(axis=1) & np.isfinite(z)
    return np.where(finite, d, right(op, a, b, c))


def via(between: str) -> Answer:
    """The claimed unit's f32 sibling, its answer rounded through another format."""

    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        d = right(op, a, b, c)
        f, fd = get_format(between), get_format(op.result)
        x = decoded(op, d)
        short = codes_of(values_of(codes_of(x, f), f), fd)
        return np.where(np.isfinite(x), short, d).astype(d.dtype)

    return answer


def f16_from_f32(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """An f16 result that is rounded from the f32 unit's, where the f16 unit rounds its sum itself."""
    return right(op, a, b, c, accumulator=(op.mode or "").replace(".f16", ".f32"))


def in_some_rows(which: Callable[[int], Any], other: Answer) -> Answer:
    """Wrong only at some places of a call."""

    def answer(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        hit = np.asarray(which(len(a)))
        return np.where(hit, other(op, a, b, c), right(op, a, b, c))

    return answer


def _nan_as_number(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    x, y = (np.where((v & 0x7F) == 0x7F, v & 0x80 | 0x7E, v) for v in (a, b))
    return x, y, c


def _lanes_swapped(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    b = b.copy()
    b[:, [4, 5]] = b[:, [5, 4]]
    return a, b, c


def _last_dropped(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    a = a.copy()
    a[:, -1] = 0
    return a, np.where(np.arange(b.shape[1]) == b.shape[1] - 1, 0, b).astype(b.dtype), c


def _halves_swapped(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    return np.roll(a, 16, axis=1), np.roll(b, 16, axis=1), c


def _infinity_times_zero(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    """0 x Inf counts as 0."""
    fa, fb = map(get_format, op.operands)
    x, y = values_of(a, fa), values_of(b, fb)
    meets = np.isinf(x) & (y == 0) | np.isinf(y) & (x == 0)
    return np.where(meets, 0, a).astype(a.dtype), np.where(meets, 0, b).astype(b.dtype), c


def _c_cut(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    return a, b, c & np.uint32(0xFFFF0000)


def _c_zero(op: Operation, a: Codes, b: Codes, c: Codes) -> tuple[Codes, Codes, Codes]:
    return a, b, np.zeros_like(c)


def _minus_zero(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """A zero result takes the sign of C."""
    d = right(op, a, b, c)
    return np.where(d == 0, c & c.dtype.type(0x80000000), d).astype(d.dtype)


def _clash_to_infinity(op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """Inf - Inf gives Inf instead of NaN."""
    d = right(op, a, b, c)
    fa, fb = map(get_format, op.operands)
    x, y = values_of(a, fa), values_of(b, fb)
    with np.errstate(invalid="ignore"):
        p = x * y
    quiet = ~np.isnan(p).any(axis=1) & ~np.isnan(values_of(c, get_format(addend_type(op))))
    return np.where(quiet & np.isnan(decoded(op, d)), np.uint32(0x7F800000), d).astype(d.dtype)


def _scales_through(change: Callable[[Codes, Codes], tuple[Codes, Codes]]) -> Answer:
    """Right, but of other scales."""
    return lambda op, a, b, c, sa, sb: right(op, a, b, c, *change(sa, sb))


def _scaled_afterwards(op: Operation, a: Codes, b: Codes, c: Codes, sa: Codes, sb: Codes) -> Codes:
    """The unscaled unit, whose sum is scaled when it is rounded already: fma(sum, scale, C)."""
    return right(op, a, b, c, sa, sb, accumulator=f"{WIDE}.f32")


def _scaled_then_added(op: Operation, a: Codes, b: Codes, c: Codes, sa: Codes, sb: Codes) -> Codes:
    """Block scales multiplied in with a rounding of their own before each sum, where the claim is an fma."""
    plain = Operation.parse(f"dot/{'.'.join(op.operands)}/f32/{HOPPER}.f32;k=128")
    d = c.view(np.float32)
    with np.errstate(all="ignore"):
        for i in range(0, a.shape[1], 128):
            part = right(plain, a[:, i : i + 128], b[:, i : i + 128], np.zeros_like(c)).view(np.float32)
            factor = (sa[:, i // 128].view(np.float32) * sb[:, i // 128].view(np.float32)).astype(np.float32)
            d = part * factor + d
    return np.asarray(d.view(np.uint32))


def activated(function: Callable[[Floats], Floats], before: str = "scale.bias") -> Answer:
    """Ada's unit, then a function of x in float64, rounded to binary32."""

    def answer(op: Operation, *operands: Codes) -> Codes:
        x = right(op, *operands, accumulator=f"{ADA}.f32+out.{before}").view(np.float32).astype(np.float64)
        with np.errstate(all="ignore"):
            return np.asarray(function(x).astype(np.float32).view(np.uint32))

    return answer


def gelu_by_tanh(x: Floats) -> Floats:
    """GELU with a tanh that is off by nearly 2**-11 of its value, now up, now down, as tanh.approx.f32 may be."""
    t = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    off = np.where(np.frexp(x)[0] > 0.75, 0.99, -0.99) * (np.abs(t) < 1)
    return x / 2 * (1 + t * (1 + off * 2.0**-11))


def _bf16_cut(x: Floats) -> Floats:
    """Eight significant bits, the others cut."""
    return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def unit(name: str, result: str = "f32", operands: str = E4M3, k: int = 32) -> tuple[str, ...]:
    return (f"dot/{operands}/{result}/{name}.{result};k={k}",)


ODD_EVEN = ((0, 2), (1, 3))
GELU = (f"dot/{E4M3}/f32/{ADA}.f32+out.scale.bias.gelu;k=32;scale=f32",)
MXF8 = (f"dot/{E4M3}/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu",)
DOT_MUTANTS: dict[str, DotMutant] = {
    "dot-correct": DotMutant(right, (*unit(HOPPER), *unit(ADA), *unit(EMULATED, "f16", E5M2), *unit(WIDE),
                                    f"dot/{E4M3}/f32/exact;k=32", f"matmul/{E4M3}/f32/{HOPPER}.f32;k=32")),
    "dot-scaled-correct": DotMutant(right, (
        f"dot/{E4M3}/f32/exact;block=32;k=80;scale=f32", f"dot/{E5M2}/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu",
        "dot/e2m1fn.e2m1fn/f32/blackwell.mxf4nvf4;k=128;scale=e4m3fn", f"dot/{E4M3}/f32/{HOPPER}.f32;k=64;scale=f32",
        f"dot/{E4M3}/f32/{HOPPER}.f32+promote128.ffma;block=128;k=256;scale=f32",
        f"matmul/{E4M3}/f32/blackwell.mxf8f6f4;k=96;scale=e8m0fnu", f"dot/{E4M3}/f32/*;k=64;scale=e8m0fnu;block=32")),
    "dot-wide-correct": DotMutant(right, ("dot/f32.f32/f32/exact;k=8", "dot/f32.f32/f32/f32.mul-add;k=8",
                                         f"dot/f32.f32/f32/{TF32}.rna;k=8", "dot/f64.f64/f64/f64.pairwise;k=4")),
    # binary32 operands
    "dot-wide-not-fused": DotMutant(by("f32.mul-add"), ("dot/f32.f32/f32/f32.fma;k=8",)),
    "dot-wide-truncates": DotMutant(by(f"{TF32}.rtz"), (f"dot/f32.f32/f32/{TF32}.rna;k=8",)),
    # activations
    "dot-gelu-correct": DotMutant(activated(gelu_by_tanh), GELU),
    "dot-gelu-by-sigmoid": DotMutant(activated(lambda x: x / (1 + np.exp(-1.702 * x))), GELU),
    "dot-gelu-is-relu": DotMutant(activated(lambda x: np.maximum(x, 0)), GELU),
    "dot-gelu-in-bf16": DotMutant(activated(lambda x: _bf16_cut(gelu_by_tanh(x))), GELU),
    "dot-gelu-without-bias": DotMutant(activated(gelu_by_tanh, "scale"), GELU),
    # scales
    "dot-scale-ignored": DotMutant(_scales_through(lambda sa, sb: (sa, np.full_like(sb, 127))), MXF8),
    "dot-scale-blocks-swapped": DotMutant(_scales_through(lambda sa, sb: (sa, np.roll(sb, 1, axis=1))), MXF8),
    "dot-scale-nan-lost": DotMutant(_scales_through(lambda sa, sb: (np.minimum(sa, 254), np.minimum(sb, 254))), MXF8),
    "dot-scale-afterwards": DotMutant(_scaled_afterwards, (f"dot/{E4M3}/f32/blackwell.mxf8f6f4;k=32;scale=e8m0fnu",)),
    "dot-scale-not-fused": DotMutant(_scaled_then_added, (
        f"dot/{E4M3}/f32/{HOPPER}.f32+promote128.ffma;block=128;k=256;scale=f32",)),
    "dot-scale-exact-by-unit": DotMutant(by("blackwell.mxf8f6f4"),
                                        (f"dot/{E4M3}/f32/exact;block=32;k=64;scale=e8m0fnu",)),
    # fraction bits and roundings
    "dot-f-12": DotMutant(changed(fraction_bits=12), unit(HOPPER)),
    "dot-f-14": DotMutant(changed(fraction_bits=14), unit(HOPPER)),
    "dot-f-24": DotMutant(changed(fraction_bits=24), unit(WIDE)),
    "dot-f-26": DotMutant(changed(fraction_bits=26), unit(WIDE)),
    "dot-floor-at-alignment": DotMutant(changed(cut=Rounding.TOWARD_NEGATIVE), unit(HOPPER)),
    "dot-ceiling-at-alignment": DotMutant(changed(cut=Rounding.TOWARD_POSITIVE), unit(ADA)),
    "dot-nearest-at-alignment": DotMutant(changed(cut=Rounding.TIES_TO_EVEN), unit(HOPPER)),
    "dot-nearest-at-the-end": DotMutant(changed(rounding=Rounding.TIES_TO_EVEN), unit(HOPPER)),
    "dot-floor-at-the-end": DotMutant(changed(rounding=Rounding.TOWARD_NEGATIVE), unit(WIDE)),
    "dot-keeps-15-bits": DotMutant(changed(precision=15), unit(HOPPER)),
    "dot-keeps-all-bits": DotMutant(changed(precision=0), unit(HOPPER)),
    "dot-truncates-f16": DotMutant(changed(rounding=Rounding.TOWARD_ZERO), unit(HOPPER, "f16")),
    "dot-sticky": DotMutant(sticky_kept, unit(HOPPER)),
    "dot-carry-lost": DotMutant(carry_lost, unit(HOPPER)),
    "dot-normalised-exponents": DotMutant(normalised_exponents, unit(HOPPER)),
    # steps, order, C
    "dot-half-steps": DotMutant(changed(k=16, products=16), unit(HOPPER)),
    "dot-steps-of-8": DotMutant(changed(k=8, products=8), unit(ADA)),
    "dot-double-steps": DotMutant(changed(k=32, products=32), unit(ADA)),
    "dot-halves-swapped": DotMutant(operands_through(_halves_swapped), unit(ADA)),
    "dot-not-interleaved": DotMutant(changed(lanes=()), unit(EMULATED)),
    "dot-interleaved-otherwise": DotMutant(changed(lanes=ODD_EVEN), unit(EMULATED)),
    "dot-c-late": DotMutant(changed(c_last=True), unit(HOPPER)),
    "dot-c-early": DotMutant(changed(c_last=False), unit(EMULATED)),
    "dot-c-dropped": DotMutant(operands_through(_c_zero), unit(WIDE)),
    "dot-c-cut-to-bf16": DotMutant(operands_through(_c_cut), unit(WIDE)),
    "dot-promotes-early": DotMutant(by(f"{HOPPER}.f32+promote64.fadd"),
                                   (f"dot/{E4M3}/f32/{HOPPER}.f32+promote128.fadd;k=128",)),
    "dot-fma-down": DotMutant(by("f32.fma@order=down"), (f"dot/{E4M3}/f32/f32.fma;k=32",)),
    "dot-fma-strided": DotMutant(by("f32.fma@order=stride4"), (f"dot/{E4M3}/f32/f32.fma;k=32",)),
    "dot-pairwise": DotMutant(by("f32.pairwise"), (f"dot/{E4M3}/f32/f32.fma;k=32",)),
    "dot-sums-in-f32": DotMutant(by("f32.fma"), (f"dot/{E4M3}/f32/exact;k=32",)),
    "dot-exact-truncated": DotMutant(
        lambda op, a, b, c: right(op.with_mode("exact.rtz.nonsat"), a, b, c), (f"dot/{E4M3}/f32/exact;k=32",)
    ),
    "dot-f16-from-f32": DotMutant(f16_from_f32, unit(HOPPER, "f16", E5M2)),
    "dot-through-bf16": DotMutant(via("bf16"), unit(WIDE)),
    # operands
    "dot-flushes-operands": DotMutant(
        operands_through(lambda op, a, b, c: (flushed(a, op.operands[0]), flushed(b, op.operands[1]), c)), unit(HOPPER)
    ),
    "dot-flushes-b": DotMutant(operands_through(lambda op, a, b, c: (a, flushed(b, op.operands[1]), c)), unit(ADA)),
    "dot-flushes-c": DotMutant(operands_through(lambda op, a, b, c: (a, b, flushed(c, "f32"))), unit(WIDE)),
    "dot-lanes-swapped": DotMutant(operands_through(_lanes_swapped), unit(WIDE)),
    "dot-last-product-dropped": DotMutant(operands_through(_last_dropped), unit(HOPPER)),
    "dot-tail-f-12": DotMutant(
        in_some_rows(lambda n: np.arange(n) >= n - n % 8, changed(fraction_bits=12)), unit(HOPPER)
    ),
    # special values
    "dot-nan-as-number": DotMutant(operands_through(_nan_as_number), unit(HOPPER)),
    "dot-infinity-times-zero": DotMutant(operands_through(_infinity_times_zero), unit(HOPPER, "f32", E5M2)),
    "dot-infinities-meet": DotMutant(_clash_to_infinity, unit(WIDE, "f32", E5M2)),
    "dot-minus-zero": DotMutant(_minus_zero, unit(WIDE)),
    "dot-saturates": DotMutant(
        where_result(lambda op, d: np.isinf(decoded(op, d)), lambda op, d: d - d.dtype.type(1)), unit(WIDE)
    ),
}  # fmt: skip
DOT_FAULTY = tuple(name for name in DOT_MUTANTS if not name.endswith("correct"))
