"""Circumstances: places where a mistake may be confined, each a text and the answers that lie there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....cases.answers import Expected, is_nan
from ....cases.flags import operand_parts, parts_of
from ....cases.operation import INTEGERS, Operation
from ....cases.scaling.questions import is_scale
from ....fast.kernel import Fields, floor_log2_u64
from ....spec.catalog import get_format
from ...harness.observe import LAYOUT_NAMES, Observations
from ..scaling import scale_places

Mask = NDArray[np.bool_]
FAR = 20  # binades beyond those of the result format that bound a circumstance


@dataclass(frozen=True)
class Place:
    """A circumstance in words, and the answers that lie there.

    ``narrow``: one of so many that chance finds one for a few answers; ``of_call``: it depends on the call, not on the
    case.
    """

    text: str
    there: Mask
    narrow: bool = False
    of_call: bool = False


def circumstances(op: Operation, seen: Observations, want: Expected) -> Iterator[Place]:
    """Places where a mistake may be confined, widest first."""
    yield Place("", np.ones(seen.size, bool))
    yield from (Place(text, there) for text, there in _of_operands(op, seen))
    yield from (Place(text, there, narrow=True, of_call=True) for text, there in _of_calls(seen))
    yield from (Place(text, there) for text, there in _of_results(op, seen, want))
    if op.asked.kind in ("convert", "arithmetic") and not op.result_format.fixed_point:
        yield from (Place(text, there, narrow=True) for text, there in _of_binades(op, seen, want))


def _of_operands(op: Operation, seen: Observations) -> Iterator[tuple[str, Mask]]:
    parts = [] if is_scale(op) else operand_parts(op, seen.operands)
    subnormal = [_subnormals(x, name) for x, name in zip(parts, op.operands)]
    if is_scale(op):
        everywhere = scale_places(op, seen.operands)
    else:
        everywhere = _of_one(parts[0], subnormal[0]) if len(parts) == 1 else _of_several(parts, subnormal)
    for text, where in everywhere:
        yield text, where[seen.case]


def _of_calls(seen: Observations) -> Iterator[tuple[str, Mask]]:
    plain, strided = LAYOUT_NAMES.index("plain"), LAYOUT_NAMES.index("strided")
    yield "in calls after the first", seen.call > 0
    for name, text in (
        ("strided", "strided arrays"),
        ("reversed", "arrays of negative stride"),
        ("offset", "unaligned arrays"),
    ):
        yield f"for {text}", seen.layout == LAYOUT_NAMES.index(name)
    yield (
        "for strided arrays, negative strides included",
        (seen.layout != plain) & (seen.layout != LAYOUT_NAMES.index("offset")),
    )
    yield "for arrays that are not plainly laid out", seen.layout != plain
    yield "when the same cases are asked again", seen.again
    for power in range(1, 13):
        n = 1 << power
        yield f"in arrays of at least {n} elements", seen.length >= n
        yield f"in arrays shorter than {n} elements", seen.length < n
    for n in (4, 8, 16, 32, 64):
        body = seen.length - seen.length % n
        yield f"in the tail after blocks of {n} elements", seen.position >= body
        yield f"in full blocks of {n} elements", seen.position < body
    yield "in the last element", seen.position == seen.length - 1
    yield "in the first element", seen.position == 0
    for n in (2, 4, 8, 16):
        for r in range(n):
            yield f"at positions that are {r} modulo {n}", seen.position % n == r
    for n in (16, 32, 64):  # code with vectors for contiguous arrays alone
        blocks = seen.position < seen.length - seen.length % n
        yield f"in full blocks of {n} elements of contiguous arrays", blocks & (seen.layout != strided)


def _of_results(op: Operation, seen: Observations, want: Expected) -> Iterator[tuple[str, Mask]]:
    if op.asked.kind in ("convert", "decode"):
        f, x = op.result_format, operand_parts(op, seen.operands)[0]
        e, finite = floor_log2_u64(x.sig) + x.exp, ~(x.nan | x.infinite)
        value = np.ldexp(np.where(finite, x.sig, 0).astype(np.float64), x.exp.astype(np.int32))
        yield "for magnitudes up to the largest finite value", (finite & (value <= float(f.max)))[seen.case]
        if op.family == "convert" and not f.fixed_point:
            yield "for results in the subnormal range", (finite & (e < f.emin))[seen.case]
            yield "for results in the normal range", (finite & (e >= f.emin))[seen.case]
        yield "for large magnitudes (the top binade and beyond)", (finite & (e >= f.emax))[seen.case]
    elif op.asked.kind == "arithmetic":
        f = op.result_format
        number = ~is_nan(want.codes, op.result)
        magnitude = want.codes & want.codes.dtype.type(f.magnitude_mask)
        negative = (want.codes & want.codes.dtype.type(f.sign_bit)) != 0
        if f.has_subnormals:
            yield "for subnormal results", number & (magnitude > 0) & (magnitude < 1 << f.t)
            yield "for results below the normal range", number & (magnitude < 1 << f.t)
            yield "for normal results", number & (magnitude >= 1 << f.t)
        yield "for negative results", number & negative
        yield "for positive results", number & ~negative


def _of_binades(op: Operation, seen: Observations, want: Expected) -> Iterator[tuple[str, Mask]]:
    """Magnitudes of inputs of a conversion, of results of arithmetic."""
    f = op.result_format
    if op.asked.kind == "convert":
        x = parts_of(seen.operands[0], op.operands[0])
        what = "inputs"
    else:
        x = parts_of(want.codes, op.result)
        what = "results"
    number = ~(x.nan | x.infinite) & (x.sig != 0)
    e = np.where(number, floor_log2_u64(x.sig) + x.exp, 0)
    if op.asked.kind == "convert":
        number, e = number[seen.case], e[seen.case]
    there = e[number]
    if not there.size:
        return
    lowest = max(int(there.min()) + 1, f.emin - f.t - FAR)
    for bound in range(lowest, min(int(there.max()), f.emax + FAR) + 1):
        power = f"2^{bound}" if bound < 0 or bound > 20 else str(1 << bound)
        yield f"for {what} of magnitude {power} and more", number & (e >= bound)
        yield f"for {what} of magnitude below {power}", number & (e < bound)
        yield f"for {what} in the binade of {power}", number & (e == bound)


def _subnormals(x: Fields, type_name: str) -> Mask:
    """Subnormals and zeros of a format that has them."""
    finite = ~(x.nan | x.infinite)
    if type_name in INTEGERS or not get_format(type_name).has_subnormals:
        return np.zeros(finite.shape, bool)
    return finite & (x.sig < np.uint64(1 << get_format(type_name).t))


def _of_one(x: Fields, subnormal: Mask) -> Iterator[tuple[str, Mask]]:
    finite = ~(x.nan | x.infinite)
    yield "for subnormal inputs", subnormal
    yield "for negative inputs", x.negative
    yield "for positive inputs", ~x.negative
    yield "for finite inputs", finite
    yield "for infinities and NaNs", ~finite
    yield "for NaNs", x.nan
    yield "for infinities", x.infinite


def _of_several(parts: Sequence[Fields], subnormal: Sequence[Mask]) -> Iterator[tuple[str, Mask]]:
    finite = np.logical_and.reduce([~(x.nan | x.infinite) for x in parts])
    nan = np.logical_or.reduce([x.nan for x in parts])
    yield "for finite operands", finite
    yield "for operands that are no NaN", ~nan
    unlike = parts[0].negative != parts[1].negative
    yield "for operands of unlike sign", unlike
    yield "for operands of like sign", ~unlike
    for name, x, small in zip("abc", parts, subnormal):
        yield f"for negative {name}", x.negative
        yield f"for positive {name}", ~x.negative
        yield f"for subnormal {name}", small & (x.sig != 0)
    yield "where an operand is subnormal", np.logical_or.reduce([s & (x.sig != 0) for s, x in zip(subnormal, parts)])
    yield "where no operand is subnormal", ~np.logical_or.reduce([s & (x.sig != 0) for s, x in zip(subnormal, parts)])
    yield "where an operand is zero", np.logical_or.reduce([~x.nan & ~x.infinite & (x.sig == 0) for x in parts])
    yield "where an operand is infinite", np.logical_or.reduce([x.infinite for x in parts])
    yield "where an operand is a NaN", nan
    yield "where an operand is infinite or a NaN", ~finite
