"""Mistakes of quantisers of blocks: another rule for the scale, another largest magnitude, other elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.quantisers import Quantiser, join
from ...cases.answers import is_nan
from ...cases.operation import INTEGERS, Operation
from ...cases.scaling.questions import is_fake, quantiser, scaled_rows, split, values
from ...cases.scaling.recipes import FakeQuantiser
from ...fast.blocks import amax_bits
from ...fast.decode import decode_codes
from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.projection import Projection, get_projection
from ...spec.rounding import DETERMINISTIC, Rounding
from .rule import ROUNDING_SENTENCES, Rule

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
F32s = NDArray[np.float32]
INFINITY, FLT_MAX, ONE, MIN_NORMAL = (np.uint32(x) for x in (0x7F800000, 0x7F7FFFFF, 0x3F800000, 0x00800000))
F32 = get_format("f32")

ROWS = 64  # groups whose values are compared at a time


@dataclass(frozen=True)
class _Blocks:
    """The blocks that are asked, and what they would be scaled to with one thing changed."""

    op: Operation
    q: Quantiser
    x: F32s
    amax: Codes
    tensor: Codes | None

    def row(
        self,
        x: F32s | None = None,
        amax: Codes | None = None,
        tensor: Codes | None = None,
        rounding: Rounding = Rounding.TIES_TO_EVEN,
    ) -> Codes:
        """Rows of other elements, largest magnitudes, tensors or roundings."""
        x = self.x if x is None else np.ascontiguousarray(x, np.float32)
        stored, up = self.scales(self.amax if amax is None else amax, tensor)
        return join(stored, self.q.elements(x, up, rounding))

    def scales(self, amax: Codes, tensor: Codes | None = None) -> tuple[Codes, F32s]:
        return self.q.scales(amax.astype(np.uint32), self.op.mode or "", self.tensor if tensor is None else tensor)

    def without(self, gone: Mask) -> Codes:
        """The largest magnitude where some elements do not count."""
        return amax_bits(np.where(gone, np.float32(0), self.x))


def scale_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Well-known mistakes, each alone."""
    q = quantiser(op)
    x, tensor = values(op, operands)
    b = _Blocks(op, q, x, amax_bits(x), tensor)
    for other in q.rules:
        if other != op.mode:
            sentence = f"the scale is that of the rule {other}, not {op.mode}"
            yield Rule(f"scale-rule-{other}", sentence, partial(scaled_rows, op, operands, other))
    for mode in DETERMINISTIC:
        if mode is not Rounding.TIES_TO_EVEN:
            sentence = f"elements: {ROUNDING_SENTENCES[mode]}"
            yield Rule(f"element-rounding-{mode.value}", sentence, partial(b.row, rounding=mode))
    yield from _element_rules(b)
    for name, sentence, amax in _other_amax(b):
        yield Rule(name, sentence, partial(b.row, amax=amax))
    flushed = np.where(np.abs(x) < np.float32(2.0**-126), np.copysign(np.float32(0), x), x)
    changed = [("inputs-flushed", "subnormal elements of binary32 count as zeros", flushed)]
    for between in ("bf16", "f16"):
        if between != op.operands[0]:
            changed.append((f"via-{between}", f"elements are first rounded to {between}", _through(x, between)))
    for name, sentence, other_x in changed:
        yield Rule(name, sentence, partial(b.row, other_x, amax_bits(other_x)))
    if tensor is not None:
        yield Rule(
            "tensor-ignored",
            "the largest magnitude of the tensor is not used",
            partial(b.row, tensor=np.full_like(tensor, 448 * 6)),
        )
        yield Rule(
            "tensor-is-block",
            "the block's largest magnitude stands for the tensor's",
            partial(b.row, tensor=b.amax.view(np.float32)),
        )
    if q.scale == "e8m0fnu":
        yield Rule("scale-twice", "scales are twice the right ones", partial(_shifted, b, 1))
        yield Rule("scale-half", "scales are half the right ones", partial(_shifted, b, -1))
        sentence = "elements under the smallest scale, 2^-127, are divided by 2^-126"
        yield Rule("smallest-scale-normal", sentence, partial(_smallest_scale, b, 2.0**126))
        sentence = "elements under the smallest scale, 2^-127, are not scaled"
        yield Rule("smallest-scale-one", sentence, partial(_smallest_scale, b, 1.0))
        sentence = "the exponent is a rounded logarithm of amax / max; under the smallest scale elements are not scaled"
        yield Rule("rceil-by-log2", sentence, partial(_rceil_by_log2, b))
        yield from _nearest_rules(b)
        for by in (by for by in range(-8, 9) if by):
            sentence = f"every scale is 2^{by} of the right one, the elements are right"
            yield Rule(f"scale-off-by-{by}", sentence, partial(_scales_alone, b, by))


def _other_amax(b: _Blocks) -> Iterator[tuple[str, str, Codes]]:
    """Wrong largest magnitudes."""
    x, amax = b.x, b.amax
    yield "amax-signed", "the largest element is taken, not the largest magnitude", b.without(~(x > 0))
    yield "amax-skips-nan", "NaNs are left out of the largest magnitude", b.without(np.isnan(x))
    yield "amax-skips-infinity", "infinities are left out of the largest magnitude", b.without(np.isinf(x))
    last = np.arange(x.shape[1]) == x.shape[1] - 1
    yield "amax-skips-last", "the last element is left out of the largest magnitude", b.without(last)
    yield "amax-log2-rounded", "the exponent is a logarithm rounded to binary32", _by_log2(amax)
    nan, infinite, zero = amax > INFINITY, amax == INFINITY, amax == 0
    for name, sentence, where, other in (
        ("zero-block-scale-one", "a block of zeros has the scale of a largest magnitude of 1", zero, ONE),
        ("zero-block-scale-tiny", "a block of zeros has the scale of a largest magnitude of 2^-126", zero, MIN_NORMAL),
        ("nan-block-finite", "a NaN counts as the largest number", nan, FLT_MAX),
        ("nan-like-infinity", "a NaN counts as an infinity", nan, INFINITY),
        ("infinite-block-finite", "an infinity counts as the largest number", infinite, FLT_MAX),
        ("infinity-like-nan", "an infinity counts as a NaN", infinite, np.uint32(0x7FC00000)),
    ):
        yield name, sentence, np.where(where, other, amax)


def _element_rules(b: _Blocks) -> Iterator[Rule]:
    q, x = b.q, b.x
    stored, up = b.scales(b.amax)
    right = q.elements(x, up, Rounding.TIES_TO_EVEN)
    if q.element not in INTEGERS:
        f = get_format(q.element)
        with np.errstate(all="ignore"):
            scaled = np.ascontiguousarray(x * up[:, None])
        for name, sentence, overflow in (
            ("elements-not-saturated", "elements beyond the largest value do not saturate", "nonsat"),
            ("elements-propagate-infinity", "infinite elements stay infinite", "satprop"),
        ):
            rho = get_projection(f, "rne", overflow)
            yield Rule(name, sentence, partial(_projected, stored, scaled, f, rho))
        if f.has_nan:
            nan = np.full_like(right, f.nan_canonical or 0)
            yield Rule("elements-nan", "every element is a NaN", partial(join, stored, nan))
        if not f.fixed_point:
            magnitude, sign = right & np.uint8(f.magnitude_mask), right & np.uint8(f.sign_bit)
            flushed, plain = np.where(magnitude < 1 << f.t, sign, right), np.where(magnitude == 0, 0, right)
            yield Rule("elements-flushed", "subnormal elements become zeros", partial(join, stored, flushed))
            sentence = "zero elements lose their sign"
            yield Rule("element-zero-sign-lost", sentence, partial(join, stored, plain.astype(np.uint8)))
    if q.scale == "f32":
        sentence = "the stored scale is the multiplier, not its reciprocal"
        yield Rule("scale-inverse", sentence, partial(join, up, right))
    divided = q.elements(_divided(b, stored), np.ones_like(up), Rounding.TIES_TO_EVEN)
    sentence = "elements are divided by the scale, not multiplied by its reciprocal"
    yield Rule("elements-divided", sentence, partial(join, stored, divided))


def _projected(stored: Codes, scaled: F32s, f: Format, rho: Projection) -> Codes:
    return join(stored, convert_codes(scaled.view(np.uint32), F32, f, rho, False)[0])


def _divided(b: _Blocks, stored: Codes) -> F32s:
    with np.errstate(all="ignore"):
        if b.q.scale == "f32":
            return np.asarray(b.x / stored.view(np.float32)[:, None])
        scale = decode_codes(stored, get_format(b.q.scale), F32).view(np.float32)
        if b.tensor is not None:  # NVFP4
            scale = np.asarray(scale * (b.tensor / np.float32(448 * 6)))
        return np.asarray(b.x / scale[:, None])


def _smallest_scale(b: _Blocks, multiplier: float) -> Codes:
    stored, up = b.scales(b.amax)
    up = np.where(stored == 0, np.float32(multiplier), up).astype(np.float32)
    return join(stored, b.q.elements(b.x, up, Rounding.TIES_TO_EVEN))


def _rceil_by_log2(b: _Blocks) -> Codes:
    """As torchao 0.18 computes it in eager mode: ceil(log2(amax / max)) in binary32."""
    top = np.float32(float(get_format(b.q.element).max))
    with np.errstate(all="ignore"):
        ratio = b.amax.view(np.float32) / top
        e = np.clip(np.ceil(np.log2(ratio)), -127, 127)
        code = np.where(np.isinf(ratio), 254, np.nan_to_num(e) + 127).astype(np.uint8)
        code[np.isnan(ratio)] = 255
        up = np.where(code == 0, np.float32(1), np.ldexp(np.float32(1), 127 - code.astype(np.int32)))
        up[code == 255] = np.nan
    return join(code, b.q.elements(b.x, up.astype(np.float32), Rounding.TIES_TO_EVEN))


def _nearest_rules(b: _Blocks) -> Iterator[Rule]:
    """The scale as the power of two nearest to a quotient, by its value or by its logarithm."""
    if b.q.element in INTEGERS or get_format(b.q.element).fixed_point:
        return
    f = get_format(b.q.element)
    top = float(f.max)
    for name, by, word in (("", top, f"{top:g}"), ("-emax", 2.0**f.emax, f"2^{f.emax}")):
        for edge, how in ((1.5, ""), (2**0.5, " by its logarithm")):
            sentence = f"the scale is amax / {word} rounded to the nearest power of two{how}"
            rule = f"scale-nearest{name}{'-log2' if how else ''}"
            yield Rule(rule, sentence, partial(_nearest_power, b, by, edge))


def _nearest_power(b: _Blocks, by: float, edge: float) -> Codes:
    usual = (b.amax > 0) & (b.amax < INFINITY)
    ratio = np.where(usual, b.amax.view(np.float32), 1).astype(np.float64) / by
    significand, e = np.frexp(ratio)
    e = np.clip(e - (2 * significand < edge), -127, 127)
    power = join((e + 127).astype(np.uint8), b.q.elements(b.x, np.ldexp(np.float32(1), -e), Rounding.TIES_TO_EVEN))
    return np.where(usual[:, None], power, b.row())


def _scales_alone(b: _Blocks, shift: int) -> Codes:
    """E8M0 scales some codes away, the elements unchanged."""
    stored, up = b.scales(b.amax)
    moved = np.where(stored == 255, 255, np.clip(stored.astype(np.int64) + shift, 0, 254))
    return join(moved.astype(np.uint8), b.q.elements(b.x, up, Rounding.TIES_TO_EVEN))


def _shifted(b: _Blocks, shift: int) -> Codes:
    """E8M0 scales a code away, and elements that fit them."""
    stored, up = b.scales(b.amax)
    moved = np.clip(stored.astype(np.int64) + shift, 0, 254)
    kept = (stored == 255) | (moved == stored)
    factor = np.where(kept, 1.0, 2.0**-shift).astype(np.float32)
    code = np.where(kept, stored, moved).astype(np.uint8)
    return join(code, b.q.elements(b.x, up * factor, Rounding.TIES_TO_EVEN))


def _by_log2(amax: Codes) -> Codes:
    """Powers of two by a rounded logarithm: just below a power the logarithm rounds up to it."""
    usual = np.asarray((amax > 0) & (amax < INFINITY))
    e = np.floor(np.log2(np.where(usual, amax, ONE).astype(np.uint32).view(np.float32)))
    power = np.ldexp(1.0, np.minimum(e, 127).astype(np.int32)).astype(np.float32)
    return np.where(usual, power.view(np.uint32), amax).astype(np.uint32)


def _through(x: F32s, between: str) -> F32s:
    f = get_format(between)
    short = convert_codes(np.ascontiguousarray(x).view(np.uint32), F32, f, get_projection(f, "rne", "nonsat"), False)[0]
    return decode_codes(short, f, F32).view(np.float32)


def scale_places(op: Operation, operands: Sequence[Codes]) -> Iterator[tuple[str, Mask]]:
    """Circumstances of blocks, widest first."""
    x, tensor = values(op, operands)
    amax = amax_bits(x)
    finite = amax < INFINITY
    yield "for finite blocks", finite
    yield "for blocks with infinities or NaNs", ~finite
    yield "for blocks with a NaN", amax > INFINITY
    yield "for blocks with an infinity and no NaN", amax == INFINITY
    yield "for blocks that are not all zeros", amax != 0
    yield "for blocks of zeros", amax == 0
    subnormal = (amax > 0) & (amax < 0x00800000)
    yield "for blocks of subnormal numbers", subnormal
    yield "for blocks with a normal number", finite & (amax >= 0x00800000)
    yield "for blocks whose largest magnitude is negative", _largest_is(x, True)
    yield "for blocks whose largest magnitude is positive", _largest_is(x, False)
    if tensor is not None:
        usual: Mask = np.isfinite(tensor) & (tensor != 0)
        yield "for tensors whose largest magnitude is a finite number above 0", usual
        yield "for tensors whose largest magnitude is 0, infinite or NaN", ~usual


def _largest_is(x: F32s, negative: bool) -> Mask:
    bits = x.view(np.uint32)
    size = bits & np.uint32(0x7FFFFFFF)
    there = (size == size.max(axis=1, keepdims=True)) & ((bits >> 31 == 1) == negative)
    return np.asarray(there.any(axis=1))


def plainest(op: Operation, operands: Sequence[Codes]) -> int:
    """The block that a person reads most easily: finite, few numbers of few bits, near 1."""
    x, _ = values(op, operands)
    bits = x.view(np.uint32)
    special = (~np.isfinite(x)).sum(axis=1)
    digits = np.bitwise_count(bits & np.uint32(0x7FFFFF)).astype(int).sum(axis=1)
    far = np.abs((amax_bits(x) >> 23).astype(int) - 127)
    return int(np.lexsort((far, digits, (x != 0).sum(axis=1), special))[0])


def _values_pattern(op: Operation, operands: Sequence[Codes], got: Codes, want: Codes) -> list[str]:
    """What wrong values of a fake quantiser have in common: off the grid, a NaN lost, a sign of zero."""
    kind = op.operands[0]
    nan, should = is_nan(got, kind), is_nan(want, kind)
    off = off_grid(op, operands, got)
    zero = ((got ^ want) == get_format(kind).sign_bit) & ((got & ~want.dtype.type(get_format(kind).sign_bit)) == 0)
    counted = (
        ("no element times the scale", off), ("a NaN that became a number", should & ~nan),
        ("a number that became a NaN", nan & ~should), ("a zero of the other sign", zero),
    )  # fmt: skip
    wrong = (got != want) & ~(nan & should)
    parts = [f"{int((there & wrong).sum())} values: {text}" for text, there in counted if (there & wrong).any()]
    return [*parts, *([] if off[wrong].any() else ["every value is an element times the scale"])]


def off_grid(op: Operation, operands: Sequence[Codes], got: Codes) -> Mask:
    """Which values (n, B) are no element times the block's scale; NaNs are not counted."""
    q = quantiser(op)
    assert isinstance(q, FakeQuantiser)
    x, whole = values(op, operands)
    found = np.zeros(got.shape, bool)
    grid = q.values(op.mode or "", x, whole)
    for rows in (slice(i, i + ROWS) for i in range(0, len(grid), ROWS)):
        found[rows] = (got[rows, :, None] != grid[rows, None, :]).all(axis=2)
    return found & ~is_nan(got, op.operands[0])


def scale_pattern(op: Operation, operands: Sequence[Codes], got: Codes, want: Codes) -> list[str]:
    """What wrong rows have in common."""
    (gs, ge), (ws, we) = split(op, got), split(op, want)
    if is_fake(op):
        return _values_pattern(op, operands, ge, we)
    parts = []
    scale, codes = gs != ws, (ge != we).any(axis=1)
    if not scale.any():
        parts.append("only elements are wrong")
    elif not codes.any():
        parts.append("only scales are wrong")
    if quantiser(op).scale != "f32" and scale.any():
        off = np.unique(gs[scale].astype(int) - ws[scale].astype(int))
        if off.size <= 2:
            parts.append("scale code off by " + " or ".join(f"{d:+d}" for d in off))
    lanes = np.flatnonzero((ge != we).any(axis=0))
    if 0 < lanes.size <= 2 and ge.shape[1] > 4:
        parts.append("only at k = " + ", ".join(map(str, lanes)))
    if is_nan(ws, quantiser(op).scale).all():
        parts.append("all with a NaN scale")
    return parts
