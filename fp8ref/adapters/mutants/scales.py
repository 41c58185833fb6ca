"""Mutants of quantisers of blocks: one planted fault each, to judge how scaling is judged.

``fp8ref check --impl mini:scale-rounds-up`` must fail and name the fault; ``mini:scale-correct`` must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays.quantisers import join
from ...cases.operation import Operation
from ...cases.scaling.questions import quantiser, scaled_rows, values
from ...fast.blocks import amax_bits
from ...spec.rounding import Rounding
from ..base import Codes

Answer = Callable[..., Codes]
FLOOR, MX4, MX6 = "scale/f32/mxfp8_e4m3/floor", "scale/f32/mxfp4/rceil", "scale/f32/mxfp6_e2m3/even"
NVFP4, ROW = "scale/f32.f32/nvfp4/te", "scale/f32/row_e4m3fn/te;k=40"
UNEXPLAINED = "unexplained"


@dataclass
class ScaleMutant:
    """What it answers, what the diagnosis should say and where, and what it claims."""

    answer: Answer
    claims: tuple[str, ...] = (FLOOR,)
    diagnosis: str = ""
    where: str = ""
    name: str = ""

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self.claims

    def run(self, op: Operation, *operands: Codes) -> Codes:
        return self.answer(op, *operands)


def right(op: Operation, *operands: Codes) -> Codes:
    """The specification's rows; under a free mode those of the second rule."""
    return scaled_rows(op, operands, quantiser(op).rules[1] if op.mode == "*" else None)


def by_rule(rule: str) -> Answer:
    return lambda op, *operands: scaled_rows(op, operands, rule)


def of_amax(change: Callable[[Codes, Codes], Codes]) -> Answer:
    """Another largest magnitude: from the elements and the right one's bits."""

    def answer(op: Operation, *operands: Codes) -> Codes:
        x, tensor = values(op, operands)
        q = quantiser(op)
        with np.errstate(all="ignore"):
            stored, up = q.scales(change(x, amax_bits(x)).astype(np.uint32), op.mode or "", tensor)
        return join(stored, q.elements(x, up, Rounding.TIES_TO_EVEN))

    return answer


def of_elements(rounding: Rounding) -> Answer:
    def answer(op: Operation, *operands: Codes) -> Codes:
        x, tensor = values(op, operands)
        q = quantiser(op)
        stored, up = q.scales(amax_bits(x), op.mode or "", tensor)
        return join(stored, q.elements(x, up, rounding))

    return answer


def of_rows(change: Callable[[Codes], Any], size: int = 1) -> Answer:
    """Right, but for a change of the rows' element codes."""

    def answer(op: Operation, *operands: Codes) -> Codes:
        rows = right(op, *operands)
        return np.concatenate([rows[:, :size], change(rows[:, size:])], axis=1).astype(np.uint8)

    return answer


def _scale_moved(by: int) -> Answer:
    """Scales one code away, elements divided by them."""

    def answer(op: Operation, *operands: Codes) -> Codes:
        x, _ = values(op, operands)
        q = quantiser(op)
        stored, up = q.scales(amax_bits(x), op.mode or "", None)
        moved = np.clip(stored.astype(int) + by, 0, 254)
        usual = (stored != 255) & (moved != stored)
        up = np.where(usual, up * np.float32(2.0**-by), up).astype(np.float32)
        return join(np.where(usual, moved, stored).astype(np.uint8), q.elements(x, up, Rounding.TIES_TO_EVEN))

    return answer


def _nearest_power(op: Operation, *operands: Codes) -> Codes:
    """The scale is the power of two nearest to amax / max."""
    x, _ = values(op, operands)
    q, amax, rows = quantiser(op), amax_bits(x), right(op, *operands)
    usual = (amax > 0) & (amax < 0x7F800000)
    with np.errstate(all="ignore"):
        ratio = amax.view(np.float32).astype(np.float64) / 448
        down = np.exp2(np.floor(np.log2(ratio)))
        near = np.where(ratio - down < 2 * down - ratio, down, 2 * down)
        scale = np.clip(near, 2.0**-127, 2.0**127)
        code = np.where(usual, np.log2(scale) + 127, 0).astype(np.uint8)
        up = np.where(usual, 1 / scale, 1).astype(np.float32)
    return np.where(usual[:, None], join(code, q.elements(x, up, Rounding.TIES_TO_EVEN)), rows).astype(np.uint8)


def _without_implicit_scale(op: Operation, *operands: Codes) -> Codes:
    """MXINT8 whose elements count as integers, so that scales are 2^-6 of the right ones."""
    rows = right(op, *operands).copy()
    rows[:, 0] = np.where(rows[:, 0] == 255, 255, np.maximum(rows[:, 0].astype(int) - 6, 0))
    return rows


def _infinite_blocks_nan(op: Operation, *operands: Codes) -> Codes:
    """The scale of a block with an infinity is right, every element a NaN."""
    x, _ = values(op, operands)
    rows = right(op, *operands).copy()
    rows[np.isinf(x).any(axis=1) & ~np.isnan(x).any(axis=1), 1:] = 0x7F
    return rows


def _inverse(op: Operation, *operands: Codes) -> Codes:
    x, _ = values(op, operands)
    q = quantiser(op)
    _, up = q.scales(amax_bits(x), op.mode or "", None)
    return join(up, q.elements(x, up, Rounding.TIES_TO_EVEN))


def _divided(op: Operation, *operands: Codes) -> Codes:
    x, _ = values(op, operands)
    q = quantiser(op)
    stored, up = q.scales(amax_bits(x), op.mode or "", None)
    with np.errstate(all="ignore"):
        return join(stored, q.elements(np.asarray(x / stored[:, None]), np.ones_like(up), Rounding.TIES_TO_EVEN))


def _infinite_blocks_reversed(op: Operation, *operands: Codes) -> Codes:
    x, _ = values(op, operands)
    rows = right(op, *operands)
    return np.where(np.asarray(np.isnan(x).any(axis=1))[:, None], np.uint8(0), rows)


def in_some(which: Callable[[Any], Any], other: Answer) -> Answer:
    """Wrong only for some blocks of a call."""

    def answer(op: Operation, *operands: Codes) -> Codes:
        x, _ = values(op, operands)
        return np.where(which(x)[:, None], other(op, *operands), right(op, *operands)).astype(np.uint8)

    return answer


def wrong(answer: Answer, diagnosis: str, claim: str = FLOOR, where: str = "") -> ScaleMutant:
    return ScaleMutant(answer, (claim,), diagnosis, where)


def _log2(x: Codes, amax: Codes) -> Codes:
    usual = (amax > 0) & (amax < 0x7F800000)
    e = np.floor(np.log2(np.where(usual, amax, np.uint32(0x3F800000)).view(np.float32)))
    power = np.exp2(np.minimum(e, 127).astype(np.float32)).astype(np.float32)
    return np.where(usual, power.view(np.uint32), amax)


CORRECT = (
    *(f"scale/{source}/{scheme}/{rule}"
      for scheme in ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8")
      for source, rule in (("f32", "floor"), ("bf16", "ceil"), ("f32", "ceil"), ("f32", "even"), ("f32", "rceil"),
                           ("f16", "te"), ("f32", "te"))),
    "scale/f32.f32/nvfp4/te", "scale/f32.f32/nvfp4/torchao", "scale/f32/row_e4m3fn/te;k=40",
    "scale/f16/tensor_e5m2/te-pow2;k=7", "scale/f32/block128_e4m3fn/torchao", "scale/f32/block8x8_e4m3fn/te",
)  # fmt: skip
SCALE_MUTANTS: dict[str, ScaleMutant] = {
    "scale-correct": ScaleMutant(right, CORRECT),
    "scale-correct-unasked": ScaleMutant(right, ("scale/f32/mxfp8_e4m3/*", "scale/f32/mxfp4/*", "scale/f32.f32/nvfp4/*",
                                                "scale/f32/row_e5m2/*")),
    # the scale
    "scale-rounds-up": wrong(by_rule("ceil"), "scale-rule-ceil"),
    "scale-to-even": wrong(by_rule("even"), "scale-rule-even"),
    "scale-floors": wrong(by_rule("floor"), "scale-rule-floor", MX6),
    "scale-nvfp4-other-order": wrong(by_rule("torchao"), "scale-rule-torchao", NVFP4),
    "scale-not-a-power": wrong(by_rule("te"), "scale-rule-te", "scale/f32/row_e4m3fn/te-pow2;k=40"),
    "scale-twice": wrong(_scale_moved(1), "scale-twice", MX4),
    "scale-half": wrong(_scale_moved(-1), "scale-half"),
    "scale-stores-multiplier": wrong(_inverse, "scale-inverse", ROW),
    "scale-nearest-power": wrong(_nearest_power, "scale-nearest", "scale/f32/mxfp8_e4m3/rceil"),
    "scale-without-2^-6": wrong(_without_implicit_scale, "scale-off-by--6", "scale/f32/mxint8/floor"),
    "scale-by-log2": wrong(of_amax(_log2), "amax-log2-rounded"),
    # the largest magnitude
    "scale-signed-amax": wrong(of_amax(lambda x, amax: amax_bits(np.where(x > 0, x, np.float32(0)))), "amax-signed"),
    "scale-amax-skips-nan": wrong(of_amax(lambda x, amax: amax_bits(np.where(np.isnan(x), np.float32(0), x))),
                                  "amax-skips-nan", MX6),
    "scale-amax-skips-last": wrong(of_amax(lambda x, amax: amax_bits(np.ascontiguousarray(x[:, :-1]))),
                                   "amax-skips-last", MX4),
    "scale-zero-block-one": wrong(of_amax(lambda x, amax: np.where(amax == 0, np.uint32(0x3F800000), amax)),
                                  "zero-block-scale-one"),
    "scale-infinity-saturates": wrong(
        of_amax(lambda x, amax: np.where(amax == 0x7F800000, np.uint32(0x7F7FFFFF), amax)), "infinite-block-finite"),
    "scale-flushes-inputs": wrong(
        lambda op, x: right(op, np.where((x & 0x7F800000) == 0, x & np.uint32(1 << 31), x)), "inputs-flushed"),
    "scale-via-bf16": wrong(
        lambda op, x: right(op, (x + np.where((x & 0x7FFFFFFF) > 0x7F800000, 0, 0x7FFF + ((x >> 16) & 1))
                                 & 0xFFFF0000).astype(np.uint32)), "via-bf16"),
    "scale-tensor-ignored": wrong(lambda op, x, amax: right(op, x, np.full_like(amax, 0x45280000)), "tensor-ignored",
                                  NVFP4),
    # the elements
    "scale-elements-truncate": wrong(of_elements(Rounding.TOWARD_ZERO), "element-rounding-rtz"),
    "scale-elements-ties-away": wrong(of_elements(Rounding.TIES_TO_AWAY), "element-rounding-rna", MX4),
    "scale-elements-flushed": wrong(
        of_rows(lambda c: np.where((c & 0x7F) < 8, c & 0x80, c)), "elements-flushed"),
    "scale-zero-sign-lost": wrong(of_rows(lambda c: np.where(c == 0x80, 0, c), 4), "element-zero-sign-lost", ROW),
    "scale-infinite-block-nan": wrong(
        _infinite_blocks_nan, "elements-nan", "scale/f32/mxfp8_e4m3/te", "with infinities"),
    "scale-elements-divided": wrong(_divided, "elements-divided", ROW),
    # one mistake under one circumstance
    "scale-negative-amax-up": wrong(
        in_some(lambda x: (x == -np.abs(x).max(axis=1, keepdims=True)).any(axis=1), by_rule("ceil")), "scale-rule-ceil",
        where="largest magnitude is negative"),
    "scale-tail-truncates": wrong(
        in_some(lambda x: np.arange(len(x)) >= len(x) - len(x) % 8, of_elements(Rounding.TOWARD_ZERO)),
        "element-rounding-rtz", where="tail after blocks of 8"),
    # none that a single rule describes
    "scale-lane-3-zero": wrong(of_rows(lambda c: np.where(np.arange(c.shape[1]) == 3, 0, c)), UNEXPLAINED),
    "scale-nan-block-zero": wrong(_infinite_blocks_reversed, UNEXPLAINED),
    "scale-elements-swapped": wrong(of_rows(lambda c: c[:, [1, 0, *range(2, c.shape[1])]]), UNEXPLAINED),
}  # fmt: skip
SCALE_FAULTY = tuple(name for name, mutant in SCALE_MUTANTS.items() if mutant.diagnosis)
