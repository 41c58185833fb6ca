"""Mutants that deliver an amax beside D: D is right, and the amax is taken of other values or reduced otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...cases.answers import expect
from ...cases.operation import Operation
from ...cases.products.beside import singles, to_amax
from ...spec.catalog import get_format
from ..base import Codes
from .dots import Answer, DotMutant

MM = (
    "matmul/e4m3fn.e4m3fn/e4m3fn/ada.mma.fp8.f32+out.scale.bias.sat;amax=1;block=32;k=32;n=16;scale=f32;scale_result=1",
)
RELU = (MM[0].replace("bias.sat", "bias.relu.sat"),)
DOT = ("dot/e4m3fn.e4m3fn/e5m2/exact;amax=1;block=4;k=4;scale=f32;scale_result=1",)
PLAIN = ("dot/e5m2.e5m2/f16/ada.mma.fp8.f16;amax=1;k=16",)
NUMBER, SPREADS = (MM[0].replace("amax=1", "amax=number"),), (MM[0].replace("amax=1", "amax=nan"),)


def before(op: Operation, operands: tuple[Codes, ...]) -> Any:
    """The values of which amax is right, binary32."""
    asked, given = to_amax(op, operands)
    return singles(expect(asked, given).codes, asked.result)


def reduced(op: Operation, x: Any, nan: bool = False) -> Codes:
    """The largest magnitude of each sum, or of a whole matrix."""
    x = np.abs(np.asarray(x, np.float32))
    none, x = np.isnan(x), np.where(np.isnan(x), np.float32(0), x)
    if op.family != "dot":
        none, x = none.any(), x.max(initial=np.float32(0))
    found = np.where(none & nan, np.float32(np.nan), x).astype(np.float32)
    return np.abs(found).reshape(-1).view(np.uint32)


def taken(change: Callable[..., Any], nan: bool = False) -> Answer:
    """amax of other values, made of the right ones and the operands."""

    def answer(op: Operation, *operands: Codes) -> Any:
        found = expect(op, operands)
        with np.errstate(all="ignore"):
            return found.codes, reduced(op, change(op, before(op, operands), found.codes, operands), nan)

    return answer


def scaled(op: Operation, x: Any, d: Codes, operands: tuple[Codes, ...]) -> Any:
    return x * operands[-1].view(np.float32)


def clamped(op: Operation, x: Any, d: Codes, operands: tuple[Codes, ...]) -> Any:
    most = float(get_format(op.result).max)
    return np.clip(scaled(op, x, d, operands), -most, most)


def _bf16(x: Any) -> Any:
    bits = np.ascontiguousarray(x).view(np.uint32)
    return (bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000).view(np.float32)


def _other(change: Callable[[tuple[Codes, ...]], tuple[Codes, ...]]) -> Answer:
    return taken(lambda op, x, d, operands: before(op, change(operands)))


def _activated(op: Operation, *operands: Codes) -> Any:
    plain = Operation.parse(op.id.replace(".relu", ""))
    return expect(op, operands).codes, reduced(op, before(plain, operands))


class _NeverReset:
    """The largest so far, whatever was asked before."""

    def __init__(self) -> None:
        self.most = np.uint32(0)

    def __call__(self, op: Operation, *operands: Codes) -> Any:
        found = expect(op, operands)
        assert found.amax is not None
        amax = np.maximum.accumulate(np.maximum(found.amax, self.most))
        self.most = amax[-1] if amax.size else self.most
        return found.codes, amax


def _nan_forgets(op: Operation, *operands: Codes) -> Any:
    m = np.float32(0)
    for x in np.abs(before(op, operands)).reshape(-1):
        m = m if m > x else x
    return expect(op, operands).codes, np.abs(np.array([m], np.float32)).view(np.uint32)


def _wrong_sums(op: Operation, *operands: Codes) -> Any:
    """C is ignored, in D and so in its amax."""
    a, b, c, *rest = operands
    found = expect(op, [a, b, np.zeros_like(c), *rest])
    return found.codes, found.amax


def wrong(answer: Answer, diagnosis: str, claims: tuple[str, ...] = MM) -> DotMutant:
    return DotMutant(answer, claims, diagnosis=f"amax-{diagnosis}")


AMAX_MUTANTS: dict[str, DotMutant] = {
    "dot-amax-correct": DotMutant(taken(lambda op, x, d, operands: x), (*MM, *DOT, *PLAIN, *NUMBER)),
    "dot-amax-nan-correct": DotMutant(taken(lambda op, x, d, operands: x, nan=True), (*DOT, *SPREADS)),
    "dot-amax-after-scale": wrong(taken(scaled), "after-scale"),
    "dot-amax-after-scale-dot": wrong(taken(scaled), "after-scale", DOT),
    "dot-amax-of-result": wrong(taken(lambda op, x, d, operands: singles(d, op.result)), "of-result"),
    "dot-amax-of-saturated": wrong(taken(clamped), "of-saturated"),
    "dot-amax-divided-back": wrong(
        taken(lambda op, x, d, operands: singles(d, op.result) / operands[-1].view(np.float32)), "divided-back"),
    "dot-amax-via-bf16": wrong(
        taken(lambda op, x, d, operands: np.where(np.isfinite(x), _bf16(x), x)), "via-bf16"),
    "dot-amax-before-c": wrong(_other(lambda x: (*x[:2], np.zeros_like(x[2]), *x[3:])), "before-c"),
    "dot-amax-before-scales": wrong(
        _other(lambda x: (*x[:2], np.zeros_like(x[2]), *(np.full_like(s, 0x3F800000) for s in x[3:5]), *x[5:])),
        "before-scales"),
    "dot-amax-before-relu": wrong(_activated, "before-relu", RELU),
    "dot-amax-signed": wrong(taken(lambda op, x, d, operands: np.maximum(x, 0)), "signed"),
    "dot-amax-no-infinity": wrong(
        taken(lambda op, x, d, operands: np.where(np.isinf(x), np.float32(0), x)), "no-infinity", PLAIN),
    "dot-amax-nan-spreads": wrong(taken(lambda op, x, d, operands: x, nan=True), "nan-spreads", NUMBER),
    "dot-amax-nan-ignored": wrong(taken(lambda op, x, d, operands: x), "nan-ignored", SPREADS),
    "dot-amax-nan-as-infinity": wrong(
        taken(lambda op, x, d, operands: np.where(np.isnan(x), np.float32(np.inf), x)), "nan-as-infinity"),
    "dot-amax-nan-forgets": wrong(_nan_forgets, "nan-forgets"),
    "dot-amax-not-reset": wrong(_NeverReset(), "not-reset"),
    "dot-amax-last-row-lost": wrong(taken(lambda op, x, d, operands: x[:-1]), "last-row-lost"),
    "dot-amax-first-column-alone": wrong(taken(lambda op, x, d, operands: x[:, :1]), "first-column-alone"),
    "dot-amax-zero": wrong(taken(lambda op, x, d, operands: 0 * d), "zero", DOT),
    "dot-amax-c-ignored": DotMutant(_wrong_sums, MM, diagnosis="c-ignored"),
}  # fmt: skip
