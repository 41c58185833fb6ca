"""Coverpoints of dot products: how far the products spread against the accumulator's window, what cancels, what is
lost, which orders of summation can be distinguished, and where the special values stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ...cases.products.exact import says_more
from ...cases.products.questions import (
    addend_type,
    block_of,
    exact_projection,
    fixed_overflow,
    has_addend,
    is_fixed,
    length,
    model_of,
    operand_formats,
    operand_types,
    scale_type,
    zero_rule,
)
from ...fast.decode import decode_codes
from ...fast.kernel import floor_log2_u64
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import TwoChains
from ...spec.matrix.exact import IMPOSSIBLE, Zero
from ..section import NONE
from .classes import CLASSES, classes, sizes, why_empty
from .dot_view import LOWEST, DotView
from .lane_points import lane_points
from .points import Point, View, point, result_points
from .reasons import never_from_unit


def window(op: Operation) -> int:
    """The fraction bits that an accumulator keeps below its largest addend; its result's where it aligns none."""
    model = model_of(op)
    bits = getattr(model, "fraction_bits", None)
    return int(bits) if bits is not None else get_format(addend_type(op)).p - 1


def _spread(bits: int) -> Callable[[View], Any]:
    def of(view: View) -> Any:
        assert isinstance(view, DotView)
        lowest = np.where(view.terms == LOWEST, 1 << 40, view.terms).min(axis=1)
        gap = view.top - lowest
        place = np.select([gap == 0, gap < bits - 1, gap < bits + 2], [0, 1, 2 + gap - (bits - 1)], 5)
        return np.where(view.numbers, place, NONE)

    return of


def _cancel(bits: int) -> Callable[[View], Any]:
    def of(view: View) -> Any:
        assert isinstance(view, DotView)
        found = np.full(view.n, NONE, np.int64)
        top = np.maximum(view.top, view.addend)
        for i in np.flatnonzero(view.numbers).tolist():
            total = view.sums[i]
            assert total.special == ""
            if not total.units:
                found[i] = 4
                continue
            lost = int(top[i]) - (abs(total.units).bit_length() - 1 + total.exponent)
            found[i] = 0 if lost <= 0 else 1 if lost < bits - 1 else 2 if lost <= bits + 1 else 3
        return found

    return of


def _addend(bits: int) -> Callable[[View], Any]:
    def of(view: View) -> Any:
        assert isinstance(view, DotView)
        gap = view.addend - view.top
        place = np.select(
            [view.addend == LOWEST, gap > bits, gap > 0, gap == 0, gap >= -bits], [0, 1, 2, 3, 4], 5
        )  # fmt: skip
        return np.where(view.numbers, place, NONE)

    return of


def _order(view: View) -> Any:
    """Do sequential sums in binary32 from either end differ?"""
    assert isinstance(view, DotView)
    a, b, c, *scales = (decode_codes(codes, f, get_format("f64")).view(np.float64) for codes, f in view.typed)
    with np.errstate(all="ignore"):
        products = a * b
        for scale in scales:
            products = products * np.repeat(scale, block_of(view.op), axis=1)[:, : products.shape[1]]
        products = products.astype(np.float32)
        start = c.astype(np.float32)[:, None]
        up = np.add.accumulate(np.concatenate([start, products], axis=1), axis=1, dtype=np.float32)[:, -1]
        down = np.add.accumulate(np.concatenate([start, products[:, ::-1]], axis=1), axis=1, dtype=np.float32)[:, -1]
    return np.where(view.numbers, up != down, NONE)


def _special(k: int) -> Callable[[View], Any]:
    def of(view: View) -> Any:
        assert isinstance(view, DotView)
        x, y, z = view.parts[:3]
        zero = [~w.nan & ~w.infinite & (w.sig == 0) for w in (x, y)]
        times = (x.infinite & zero[1]) | (y.infinite & zero[0])
        infinite = (x.infinite | y.infinite) & ~x.nan & ~y.nan & ~times
        minus = x.negative ^ y.negative
        up = (infinite & ~minus).any(axis=1)
        down = (infinite & minus).any(axis=1)
        opposite = (up | (z.infinite & ~z.negative)) & (down | (z.infinite & z.negative))
        nan_lane = x.nan | y.nan
        lane = np.argmax(nan_lane, axis=1)
        return np.select(
            [nan_lane.any(axis=1), z.nan, times.any(axis=1), opposite & up & down, opposite, up, down, z.infinite],
            [lane, k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6], NONE,
        )  # fmt: skip

    return of


def _growth(view: View) -> Any:
    """All products of one sign and magnitude, the largest there is among them."""
    assert isinstance(view, DotView)
    x, y = view.parts[:2]
    fa, fb = map(get_format, view.op.operands)
    most = np.ones(view.n, bool)
    for codes, f in zip(view.operands, (fa, fb)):
        most &= ((codes & f.magnitude_mask) == f.max_code).all(axis=1)
    minus = x.negative ^ y.negative
    alike = (minus == minus[:, :1]).all(axis=1)
    same = (view.terms == view.terms[:, :1]).all(axis=1)
    place = np.select([most & alike & ~minus[:, 0], most & alike, alike & same, alike], [0, 1, 2, 3], NONE)
    return np.where(view.numbers, place, NONE)


def dot_points(op: Operation) -> tuple[Point, ...]:
    """The points of a dot product."""
    k, bits = length(op), window(op)
    c = addend_type(op)
    read = operand_formats(op)[:2]
    infinities, nans = any(f.infinities for f in read), any(f.has_nan for f in read)
    without = {} if infinities else dict.fromkeys(
        ("inf*0", "inf-inf", "inf-inf-c", "+inf", "-inf"), "the operands have no infinity"
    )  # fmt: skip
    if k == 1 and infinities:
        without["inf-inf"] = "there is one lane"
    if not has_addend(op):
        without |= dict.fromkeys(("nan-c", "inf-inf-c", "inf-c"), "there is no C")
    if not nans:
        without |= {f"nan{i}": "the operands have no NaN" for i in range(k)}
    special = [*(f"nan{i}" for i in range(k)), "nan-c", "inf*0", "inf-inf", "inf-inf-c", "+inf", "-inf", "inf-c"]
    spread = ("0", f"<{bits - 1}", str(bits - 1), str(bits), str(bits + 1), f">{bits + 1}")
    reach = sum(
        get_format(name).emax - get_format(name).quantum_exponent(get_format(name).emin) for name in op.operands
    )
    narrow = {value: f"the products span {reach + 1} binades" for value, least in zip(
        spread, (0, 1, bits - 1, bits, bits + 1, bits + 2)) if least > reach + 1 and not scale_type(op)}  # fmt: skip
    addend = ("0", f">{bits}", "above", "same", "below", f"<-{bits}")
    cancel = ("no", f"<{bits - 1}", f"{bits - 1}..{bits + 1}", f">{bits + 1}", "all")
    few = k <= 2 and not has_addend(op) and not scale_type(op)
    deepest = sum(get_format(name).p for name in op.operands) if k == 2 else 0
    depths = zip(cancel[1:4], (1, bits - 1, bits + 2))
    shallow = {v: f"the sum cancels {deepest} bits at most" for v, least in depths if few and least > deepest}
    return (
        *_result(op),
        point("spread", spread, f"largest less smallest exponent of the products; the window has {bits} bits",
              _spread(bits), narrow | (dict.fromkeys(spread[1:], "there is one product") if k == 1 else {})),
        point("cancel", cancel, "binades from the largest addend down to the exact sum", _cancel(bits), shallow),
        point("addend", addend, f"exponent of c less that of the largest product: dominant, lost, or between; {c}",
              _addend(bits), {} if has_addend(op) else dict.fromkeys(addend[1:], "there is no C")),
        point("order", ("same", "differs"), "do sequential binary32 sums from either end differ?", _order,
              {"differs": "there is one product"} if k == 1 else {"differs": "there are two addends"} if few else {}),
        point("special", special, "the first NaN lane; infinities that meet zeros or each other", _special(k), without),
        point("growth", ("+max", "-max", "same", "one-sign"), "all products of one sign; all the largest", _growth,
              {} if all(get_format(name).signed for name in op.operands) else {"-max": "the operands have no sign"},
              {} if has_addend(op) or scale_type(op) else {"+max": 2.0**k, "-max": 2.0**k}),
        *lane_points(op),
        *_scale_points(op),
    )  # fmt: skip


SCALES = ("nan-a", "nan-b", "inf", "zero", "max,max", "min,min", "max,min", "min,max", "max", "min", "other")
BLOCKS = ("zero", "zero,nan-scale", "subnormal*max", "max*min")


def _scale_codes(view: View) -> Any:
    """What the scales of any block are, the rarest first."""
    assert isinstance(view, DotView)
    name = scale_type(view.op) or ""
    a, b = (classes(codes, name) for codes, _ in view.typed[3:])
    nans, infinite, zero = [[CLASSES.index(c) for c in kind] for kind in (
        ("qnan", "snan"), ("+inf", "-inf"), ("+zero", "-zero"))]  # fmt: skip
    f = get_format(name)
    largest = [CLASSES.index(c) for c in ("+maxnorm", "-maxnorm")]
    least = [CLASSES.index(c) for c in (("+minsub", "-minsub") if f.has_subnormals else ("+minnorm", "-minnorm"))]
    (ma, mb), (la, lb) = [[np.isin(x, kind) for x in (a, b)] for kind in (largest, least)]
    asked = [
        np.isin(a, nans), np.isin(b, nans), np.isin(a, infinite) | np.isin(b, infinite),
        np.isin(a, zero) | np.isin(b, zero), ma & mb, la & lb, ma & lb, la & mb, ma | mb, la | lb,
    ]  # fmt: skip
    return np.select([mask.any(axis=1) for mask in asked], list(range(10)), 10)


def _blocks_of(view: View) -> Any:
    """Blocks of zeros; subnormal elements under the largest scales; the largest elements under the smallest."""
    assert isinstance(view, DotView)
    op, name = view.op, scale_type(view.op) or ""
    f, s = get_format(op.operands[0]), get_format(name)
    x, scale = view.parts[0], view.parts[3]
    k, block = length(op), block_of(op)
    count = scale.sig.shape[1]
    padded = np.zeros((view.n, count * block), np.uint64)
    padded[:, :k] = x.sig
    zero = (padded.reshape(view.n, count, block) == 0).all(axis=2)
    power = np.repeat(floor_log2_u64(scale.sig) + scale.exp, block, axis=1)[:, :k]
    small = (x.sig != 0) & (x.sig < np.uint64(1 << f.t)) & (power >= s.emax - 1)
    large = ((view.operands[0] & f.magnitude_mask) == f.max_code) & (power <= s.emin + 1)
    asked = [zero & scale.nan, zero, small, large]
    return np.select([mask.any(axis=1) for mask in asked], [1, 0, 2, 3], NONE)


def _scale_points(op: Operation) -> tuple[Point, ...]:
    name = scale_type(op)
    if name is None:
        return ()
    f = get_format(name)
    missing = {} if f.has_nan else dict.fromkeys(("nan-a", "nan-b"), f"{name} has no NaN")
    missing |= {} if f.infinities else {"inf": f"{name} has no infinity"}
    missing |= {} if f.zero else {"zero": f"{name} has no zero"}
    none = {} if f.has_nan else {"zero,nan-scale": f"{name} has no NaN"}
    if not get_format(op.operands[0]).has_subnormals:
        none["subnormal*max"] = f"{op.operands[0]} has no subnormals"
    return (
        point("scales", SCALES, "the scales of a block, the rarest pair", _scale_codes, missing),
        point("block", BLOCKS, "blocks of zeros; elements and scales at opposite ends", _blocks_of, none),
    )


RANGES = ("inside", "+beyond", "-beyond", "none")


def _range(view: View) -> Any:
    """Where the exact sum lies of a fixed-point result's range."""
    assert isinstance(view, DotView)
    f = view.op.result_format
    least, most = int(f.lowest * 2**f.t), int(f.max * 2**f.t)
    found = []
    for total in view.sums:
        shift = total.exponent + f.t
        units = total.units << shift if shift >= 0 else total.units >> -shift
        found.append(3 if total.special else 1 if units > most else 2 if units < least else 0)
    return np.array(found)


def _result(op: Operation) -> list[Point]:
    """What is asked of the result: its class, and of exact sums in a mode how they are rounded."""
    if not says_more(op):
        return [_class_of_result(op)]
    if is_fixed(op):
        missing = {} if fixed_overflow(op) != IMPOSSIBLE else dict.fromkeys(RANGES[1:3], "no sum is beyond the range")
        if not any(get_format(name).has_nan for name in operand_types(op)):
            missing["none"] = "every operand is a number"
        return [point("range", RANGES, "inside, or beyond, the result's range; no number", _range, missing)]
    rho = exact_projection(op)
    rounded = result_points(op.with_mode(f"{rho.rounding.value}.{rho.overflow}"))
    return [_class_of_result(op), *rounded[1:]]


def _class_of_result(op: Operation) -> Point:
    f = op.result
    missing = {name: why_empty(f, name) for name, there in zip(CLASSES, sizes(f)) if not there}
    missing |= never_from_unit(model_of(op)) | {"snan": "no result is a signalling NaN"}
    result = get_format(f)
    least = sum(get_format(name).quantum_exponent(get_format(name).emin) for name in op.operands)
    if (
        model_of(op) is None
        and scale_type(op) is None
        and zero_rule(op) is Zero.PLUS
        and least >= result.quantum_exponent(result.emin)
    ):
        missing["-zero"] = "an exact sum of zero is +0, and none rounds to zero"
    if isinstance(model_of(op), TwoChains) and least >= result.emin:
        missing["-zero"] = "the registers begin at +0, and no sum is below the normal range"
    return point("to", CLASSES, "class and sign of the result", lambda view: classes(view.result, f), missing)
