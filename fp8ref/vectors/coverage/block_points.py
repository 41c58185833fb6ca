"""Coverpoints of block quantisation, and random blocks that reach them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...cases.operation import Operation
from ...cases.scaling.questions import elements, quantiser, scaled_rows, split
from ...fast.kernel import Fields, floor_log2_u64, unpack_fields
from ...spec.catalog import get_format
from ..section import NONE, Codes
from .classes import CLASSES, classes, sizes, why_empty
from .points import Point, View, point
from .reasons import largest_scale

AMAX = ("zero", "subnormal", "power", "normal", "ones", "max", "inf", "nan")
SPREADS = ("none", "0", "1..7", "8..15", "16+")
BATCH = 1 << 12


def _x(view: View) -> Fields:
    if "x" not in view.cache:
        view.cache["x"] = unpack_fields(view.operands[0], get_format(view.op.operands[0]))
    found: Fields = view.cache["x"]
    return found


def _amax(view: View) -> Any:
    """The largest magnitude of a block: a power of two, all ones, or otherwise; what is no number comes first."""
    f = get_format(view.op.operands[0])
    x = _x(view)
    magnitude = (view.operands[0].astype(np.uint64) & np.uint64(f.magnitude_mask)).max(axis=1)
    trailing = magnitude & np.uint64((1 << f.t) - 1)
    return np.select(
        [x.nan.any(axis=1), x.infinite.any(axis=1), magnitude == 0, magnitude < 1 << f.t, magnitude == f.max_code,
         trailing == 0, trailing == (1 << f.t) - 1],
        [7, 6, 0, 1, 5, 2, 4], 3,
    )  # fmt: skip


def _lanes(view: View) -> Any:
    """Special values among numbers: NaN, infinities, both."""
    x = _x(view)
    nan, infinite = x.nan.any(axis=1), x.infinite.any(axis=1)
    return np.where(nan & infinite, 3, np.where(nan, 1, np.where(infinite, 2, 0)))


def _spread(view: View) -> Any:
    """Binades between the largest and the smallest number of a block other than 0."""
    x = _x(view)
    there = ~x.nan & ~x.infinite & (x.sig != 0)
    e = floor_log2_u64(x.sig) + x.exp
    gap = np.where(there, e, -(1 << 40)).max(axis=1) - np.where(there, e, 1 << 40).min(axis=1)
    return np.select([~there.any(axis=1), gap == 0, gap < 8, gap < 16], [0, 1, 2, 3], 4)


def _elements(view: View) -> Any:
    """Do numbers other than 0 become 0?  Do elements stand at the largest code?"""
    element = quantiser(view.op).element
    codes = split(view.op, view.result)[1]
    x = _x(view)
    there = ~x.nan & ~x.infinite & (x.sig != 0)
    if element.startswith(("i", "u")):
        return np.full(view.n, NONE)
    f = get_format(element)
    magnitude = codes & f.magnitude_mask
    lost = (there & (magnitude == 0)).any(axis=1)
    full = (there & (magnitude == f.max_code)).any(axis=1)
    return 2 * full + lost


def block_points(op: Operation) -> tuple[Point, ...]:
    """The points of a quantisation of blocks."""
    scale = quantiser(op).scale
    missing = {name: why_empty(scale, name) for name, there in zip(CLASSES, sizes(scale)) if not there}
    missing |= {name: "scales come from magnitudes" for name in CLASSES if name[0] == "-" and name not in missing}
    if not quantiser(op).tensor and scale not in ("f32", "f16", "bf16"):
        missing |= largest_scale(scale, int(split(op, scaled_rows(op, [_largest(op)]))[0][0]))
    lone = dict.fromkeys(SPREADS[2:], "a block is one element") if elements(op) == 1 else {}
    return (
        point("amax", AMAX, "the largest magnitude of the block", _amax),
        point("scale", CLASSES, "the class of the scale", lambda v: classes(split(v.op, v.result)[0], scale), missing),
        point("special", ("none", "nan", "inf", "both"), "what is no number in the block", _lanes,
              {"both": "a block is one element"} if elements(op) == 1 else {}),
        point("spread", SPREADS, "binades between the largest and the smallest number", _spread, lone),
        point("elements", ("inside", "lost", "full", "full,lost"), "elements that become 0, or the largest code",
              _elements, {"full,lost": "a block is one element"} if elements(op) == 1 else {}),
    )  # fmt: skip


def _largest(op: Operation) -> Codes:
    """One block (1, B) of the largest numbers."""
    f = get_format(op.operands[0])
    return np.full((1, elements(op)), f.max_code, f"u{f.k // 8}")


def block_batch(op: Operation, rng: np.random.Generator) -> list[Codes]:
    """Blocks of every size of numbers: of one binade or many, with zeros, ends of the range and special values."""
    f, b = get_format(op.operands[0]), elements(op)
    n = max(64, min(BATCH, (1 << 17) // b))
    top = rng.integers(0, f.max_code >> f.t, (n, 1), endpoint=True)
    width = rng.choice([0, 1, 6, 12, 30, 260], (n, 1))
    field = np.maximum(top - rng.integers(0, 1 << 16, (n, b)) % (width + 1), 0)
    trailing = rng.integers(0, 1 << f.t, (n, b))
    kind = rng.integers(0, 8, (n, 1))
    trailing = np.where(kind == 0, 0, np.where(kind == 1, (1 << f.t) - 1, trailing))
    codes = np.minimum(field << f.t | trailing, f.max_code)
    codes = np.where((kind == 2) & (rng.random((n, 1)) < 0.5), codes & ((1 << f.t) - 1), codes)  # subnormals
    codes = np.where(rng.random((n, b)) < rng.choice([0.0, 0.3, 1.0], (n, 1), p=[0.6, 0.3, 0.1]), 0, codes)
    codes[np.arange(n), rng.integers(0, b, n)] = np.where(
        rng.random(n) < 0.05, f.max_code, codes[np.arange(n), rng.integers(0, b, n)]
    )
    special = rng.random((n, b)) < rng.choice([0.0, 2 / b], (n, 1), p=[0.85, 0.15])
    codes = np.where(special, f.infinity_code + (rng.random((n, b)) < 0.5) * (1 << (f.t - 1)), codes)
    codes |= rng.integers(0, 2, (n, b)) * f.sign_bit
    x = codes.astype(f"u{f.k // 8}")
    if not quantiser(op).tensor:
        return [x]
    amax = np.ldexp(1 + rng.random(n), rng.integers(-126, 128, n)).astype(np.float32)
    own = np.nan_to_num(np.abs(x.view(f"f{f.k // 8}").astype(np.float32)).max(axis=1), nan=1.0, posinf=3e38)
    chosen = np.where(rng.random(n) < 0.7, np.maximum(own, 1e-30) * 2.0 ** rng.integers(0, 4, n), amax)
    return [x, np.minimum(chosen, 3e38).astype(np.float32).view(np.uint32)]
