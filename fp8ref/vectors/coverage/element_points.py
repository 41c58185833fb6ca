"""Coverpoints of the operations on single codes, family by family."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import expect
from ...cases.families import FUNCTIONS
from ...cases.flags import exact_parts
from ...cases.operation import INTEGERS, UNITS, Operation, carrier_dtype
from ...cases.stochastic import field_of
from ...cases.tuples import width
from ...fast.kernel import Fields, floor_log2_u64
from ...spec.catalog import get_format
from ...spec.formats import Format
from ..section import NONE, Codes
from .points import Mask, Point, View, cross, none_of, of_class, point, result_points


def _both(view: View) -> Mask:
    both: Mask = view.finite[0] & view.finite[1]
    return both


def _unlike(view: View) -> Mask:
    """Effective subtraction."""
    unlike: Mask = view.parts[0].negative != view.parts[1].negative
    return ~unlike if view.op.family == "sub" else unlike


def _distance(reach: int) -> Callable[[View], NDArray[np.int64]]:
    def of(view: View) -> NDArray[np.int64]:
        gap = np.minimum(np.abs(view.exponents[0] - view.exponents[1]), reach + 1)
        return np.where(_both(view), 2 * gap + _unlike(view), NONE)

    return of


def _cancelled(largest: NDArray[np.int64], asked: Mask, exact: Fields, reach: int) -> NDArray[np.int64]:
    """By how many binades the exact result lies below its largest term; ``reach + 1`` for a zero."""
    lost = largest - (floor_log2_u64(exact.sig) + exact.exp)
    return np.where(asked, np.where(exact.sig == 0, reach + 1, np.clip(lost, 0, reach)), NONE)


def _cancel(reach: int) -> Callable[[View], NDArray[np.int64]]:
    return lambda view: _cancelled(
        np.maximum(*view.exponents), _both(view) & _unlike(view), view.exact, reach
    )  # fmt: skip


def _zero_sum(view: View) -> NDArray[np.int64]:
    """Exact zero sums: of zeros, or of opposite numbers; and the sign that came out."""
    zeros = [~x.nan & ~x.infinite & (x.sig == 0) for x in view.parts]
    negative = [x.negative for x in view.parts]
    second = ~negative[1] if view.op.family == "sub" else negative[1]
    of_zeros = zeros[0] & zeros[1]
    alike = negative[0] == second
    total = ~view.exact.nan & ~view.exact.infinite & (view.exact.sig == 0)
    return np.select([of_zeros & alike, of_zeros, total], [np.where(negative[0], 1, 0), 2, 3], NONE)


def _carry_out(view: View) -> NDArray[np.int64]:
    out = floor_log2_u64(view.exact.sig) + view.exact.exp > np.maximum(*view.exponents)
    return np.where(_both(view) & ~_unlike(view), out, NONE)


ZERO_SUMS = ("+0+0", "-0-0", "+0-0", "x-x")


def _no_zero_sums(op: Operation) -> dict[str, str]:
    """Sums of zeros that the signs of the operands' zeros do not allow."""
    a, b = ((0, 1) if get_format(name).has_negative_zero else (0,) for name in op.operands)
    sums = {(x, y ^ (op.family == "sub")) for x in a for y in b}
    pairs = {"+0+0": {(0, 0)}, "-0-0": {(1, 1)}, "+0-0": {(0, 1), (1, 0)}}
    return {name: "an operand has one zero" for name, signs in pairs.items() if not signs & sums}


def _add_points(op: Operation) -> list[Point]:
    reach = op.result_format.p + 3
    p = max(get_format(name).p for name in op.operands)
    gaps = [*map(str, range(reach + 1)), f">{reach}"]
    depths = [*map(str, range(p + 1)), f">{p}", "all"]
    return [
        point("distance", [f"{gap}{kind}" for gap in gaps for kind in ("add", "sub")],
               "difference of the operands' exponents, effective addition or subtraction", _distance(reach)),
        point("cancel", depths, "binades lost by an effective subtraction", _cancel(p + 1),
              {f">{p}": f"the smallest difference of numbers of {p} bits lies {p} binades below"}),
        point("zerosum", ZERO_SUMS, "sums that are exactly zero", _zero_sum,
              _no_zero_sums(op), {"+0+0": 1, "-0-0": 1, "+0-0": 2}),
        point("carryout", ("no", "yes"), "does an effective addition carry into the next binade?", _carry_out),
    ]  # fmt: skip


def _product_top(view: View) -> NDArray[np.int64]:
    """Is the product of the two significands 2 or more?"""
    (x, y), (ex, ey) = view.parts[:2], view.exponents[:2]
    product = x.sig * y.sig
    two = floor_log2_u64(product) + x.exp + y.exp > ex + ey
    return np.where(_both(view), two, NONE)


def _zeros_before(view: View, t: int) -> NDArray[np.int64]:
    """Leading zeros of the subnormal operand; of both together where both are."""
    found = none_of(view)
    for i, (x, there) in enumerate(zip(view.parts[:2], view.finite)):
        small = there & (x.sig < np.uint64(1 << t))
        found = np.where(small & (found == NONE), i * t + (t - 1 - floor_log2_u64(x.sig)), found)
    return found


def _mul_points(op: Operation) -> list[Point]:
    points = [point("product", ("1..2", "2..4"), "product of the significands", _product_top)]
    f = get_format(op.operands[0])
    t = f.t
    if op.operands[0] == op.operands[1] and f.has_subnormals:
        values = [f"{name}{zeros}" for name in "ab" for zeros in range(1, t + 1)]
        points.append(point("subnormal", values, "leading zeros of the subnormal operand a, or b",
                             lambda view: _zeros_before(view, t)))  # fmt: skip
    return points


def _terms(view: View) -> tuple[Mask, NDArray[np.int64], NDArray[np.int64], Mask]:
    """fma: which cases have three numbers other than 0, exponent of the exact product, of the addend, unlike signs."""
    (x, y, z), there = view.parts, np.logical_and.reduce(view.finite)
    product = floor_log2_u64(x.sig * y.sig) + x.exp + y.exp
    return there, product, view.exponents[2], (x.negative ^ y.negative) != z.negative


def _offset(low: int, high: int) -> Callable[[View], NDArray[np.int64]]:
    def of(view: View) -> NDArray[np.int64]:
        there, product, addend, unlike = _terms(view)
        place = np.clip(addend - product, low - 1, high + 1) - (low - 1)
        return np.where(there, 2 * place + unlike, NONE)

    return of


def _fma_cancel(reach: int) -> Callable[[View], NDArray[np.int64]]:
    def of(view: View) -> NDArray[np.int64]:
        there, product, addend, unlike = _terms(view)
        return _cancelled(np.maximum(product, addend), there & unlike, view.exact, reach)

    return of


def _no_number(view: View) -> NDArray[np.int64]:
    x, y, z = view.parts
    zero = [~w.nan & ~w.infinite & (w.sig == 0) for w in view.parts]
    times = (x.infinite & zero[1]) | (y.infinite & zero[0])
    infinite = (x.infinite | y.infinite) & ~times & ~x.nan & ~y.nan
    opposite = infinite & z.infinite & ((x.negative ^ y.negative) != z.negative)
    return np.select([times & z.nan, times, opposite], [0, 1, 2], NONE)


def _rescued(view: View) -> NDArray[np.int64]:
    """Would the product alone overflow, and does the sum not?"""
    product = _unfused(view)[1]
    f = view.op.result_format
    finite = (view.position >= 0) & (view.position <= 8 * f.max_code)
    return np.where((product & 4 != 0) & finite, 0, NONE)


def _fused(view: View) -> NDArray[np.int64]:
    there, *_ = _terms(view)
    return np.where(there, _unfused(view)[0] != view.result, NONE)


def _unfused(view: View) -> tuple[Codes, NDArray[np.uint8]]:
    """A rounded product and then a rounded sum; and the status of the product."""
    if "unfused" not in view.cache:
        a, b, c = view.op.operands
        keys = tuple(sorted({**dict(view.op.keys), "flags": "1"}.items()))
        product = expect(Operation("mul", (a, b), view.op.result, view.op.mode, keys), view.operands[:2])
        total = Operation("add", (view.op.result, c), view.op.result, view.op.mode, keys)
        view.cache["unfused"] = expect(total, [product.codes, view.operands[2]]).codes, product.status
    found: tuple[Codes, NDArray[np.uint8]] = view.cache["unfused"]
    return found


NO_NUMBERS = ("inf*0+nan", "inf*0", "inf-inf")


def _fma_points(op: Operation) -> list[Point]:
    p = op.result_format.p
    low, high = -2 * p - 3, p + 3
    offsets = [f"<{low}", *map(str, range(low, high + 1)), f">{high}"]
    fs = [get_format(name) for name in op.operands]
    deep = max(fs[0].p + fs[1].p - 1, fs[2].p)  # a product of two is at most (2^p - 1)^2 < 2^2p - 1
    depths = [*map(str, range(deep + 1)), f">{deep}", "all"]
    f = op.result_format
    lsb = sum(g.quantum_exponent(g.emin) for g in fs[:2])
    holds = f.p >= fs[0].p + fs[1].p and lsb >= f.emin - f.t and fs[0].max * fs[1].max <= f.max
    invalid = {}
    if not (fs[0].infinities or fs[1].infinities):
        invalid = dict.fromkeys(NO_NUMBERS, "the factors have no infinity")
    elif not fs[2].infinities:
        invalid = {"inf-inf": "the addend has no infinity"}
    return [
        point("offset", [f"{offset}{kind}" for offset in offsets for kind in ("add", "sub")],
               "the addend's exponent less the product's, effective addition or subtraction", _offset(low, high)),
        point("cancel", depths, "binades lost by an effective subtraction", _fma_cancel(deep + 1),
              {f">{deep}": f"the exact sum is a multiple of a unit at most {deep} binades below"}),
        point("nonumber", NO_NUMBERS, "combinations that have no result", _no_number, invalid),
        point("rescue", ("yes",), "the product alone overflows, the sum does not", _rescued,
              {"yes": f"{f.name} holds every product"} if holds else {}),
        point("fused", ("same", "differs"), "would two roundings give another result?", _fused,
              {"differs": f"{f.name} holds every product"} if holds else {}),
    ]  # fmt: skip


EXTRA: dict[str, Callable[[Operation], list[Point]]] = {
    "add": _add_points,
    "sub": _add_points,
    "mul": _mul_points,
    "fma": lambda op: [*_mul_points(op), *_fma_points(op)],
}


def nearness(x: Fields, f: Format) -> NDArray[np.int64]:
    """d where a magnitude lies 2**-d to 2**-(d+1) ulps from the nearest midpoint of neighbours; NONE on it, where the
    number has a code, and where there is no number."""
    e = floor_log2_u64(np.where(x.sig == 0, np.uint64(1), x.sig)) + x.exp
    shift = np.maximum(e, f.emin) - f.t - x.exp  # the bits below an ulp
    inside = ~x.nan & ~x.infinite & (x.sig != 0) & (shift >= 2) & (shift <= 63) & (e <= f.emax)
    below = np.where(inside, shift, 2).astype(np.uint64)
    rest = x.sig & ((np.uint64(1) << below) - np.uint64(1))
    half = np.uint64(1) << (below - np.uint64(1))
    away = np.where(rest > half, rest - half, half - rest)
    inside &= (rest != 0) & (away != 0)
    found = below.astype(np.int64) - 1 - floor_log2_u64(np.where(away == 0, np.uint64(1), away))
    return np.where(inside, found, NONE)


@lru_cache(maxsize=16)
def known_nearness(op: Operation) -> NDArray[np.int64]:
    """For every code of a function's operand how near its value comes to a midpoint of the result."""
    codes = np.arange(1 << get_format(op.operands[0]).k).astype(carrier_dtype(op.operands[0]))
    return nearness(exact_parts(op, [codes]), op.result_format)


def has_every_code(op: Operation) -> bool:
    """Is it an elementary function of one operand of at most 16 bits, so that its hardest operands are known?"""
    return op.family in FUNCTIONS and get_format(op.operands[0]).k <= 16


def _function_points(op: Operation) -> list[Point]:
    """How near to a midpoint; the hardest operands, known from all of them, are the last value."""
    if not has_every_code(op):
        return []
    near = known_nearness(op)
    counts = np.bincount(near[near >= 0], minlength=1)
    values = [f"2^-{d}" for d in range(counts.size)]
    missing = {value: "no operand comes so near and no nearer" for value, n in zip(values, counts) if not n}
    room = {value: float(n) for value, n in zip(values, counts) if n}
    return [point("near", values, "distance of the true value from the nearest midpoint, in ulps",
                  lambda view: nearness(view.exact, view.op.result_format), missing, room)]  # fmt: skip


WORDS = ("last-down", "first-up", "least", "largest", "other")


def _word(view: View) -> NDArray[np.int64]:
    """Does the value go away from zero with these bits, and not with one less; or not, and with one more?"""
    op = view.op
    low, width = field_of(op)
    words, place = view.operands[1].astype(np.uint64), np.uint64(low)
    most = np.uint64((1 << width) - 1)
    field = words >> place & most
    rest = words ^ field << place

    def answers(field: NDArray[np.uint64]) -> Codes:
        return expect(op, [view.operands[0], (rest | field << place).astype(view.operands[1].dtype)]).codes

    less = answers(field - np.minimum(field, np.uint64(1)))
    more = answers(np.minimum(field, most - np.uint64(1)) + np.uint64(1))
    return np.select([more != view.result, less != view.result, field == 0, field == most], [0, 1, 2, 3], 4)


def element_points(op: Operation) -> tuple[Point, ...]:
    """The points of an operation on single codes."""
    types = op.operands
    bits = [width(type_) for type_ in types]
    if len(types) == 1 or op.random_width:
        points = [of_class("from", 0, types[0], sum(bits[1:]), "class and sign of the operand")]
    else:
        points = [cross("classes", types, sum(bits[2:]), "classes and signs of the first two operands")]
        points += [
            of_class("addend", i, types[i], sum(bits) - bits[i], "class and sign of the third operand")
            for i in range(2, len(types))
        ]
    if op.asked.kind in ("convert", "arithmetic") and op.result not in (*UNITS, *INTEGERS):
        points += result_points(op)
    if op.random_width:
        points.append(
            point("word", WORDS, "the random bits: at, or one beside, those with which the value turns", _word)
        )
    if op.family in FUNCTIONS:
        points += _function_points(op)
    extra = EXTRA.get(op.family)
    return (*points, *(extra(op) if extra else []))
