"""Coverpoints: what every case of a family is asked, as vectorised functions of the exact operands and results.

A point has few values; ``of`` gives for every case the number of its value, or -1 where the question does not arise.
Values that no case can have are listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import expect
from ...cases.flags import exact_parts, parts_of
from ...cases.operation import INTEGERS, Operation
from ...cases.products.exact import Sum
from ...cases.products.questions import addend_type, has_addend, length, scale_type
from ...fast.kernel import Fields, floor_log2_u64, jam
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.overflow import To
from ...spec.rounding import Rounding
from ..section import NONE, Codes, Coverpoint
from .classes import CLASSES, classes, sizes, why_empty
from .reasons import few_exact, few_results

Index = NDArray[np.int16]
Mask = NDArray[np.bool_]


@dataclass
class View:
    """Cases with their answers, taken apart as far as somebody asks."""

    op: Operation
    operands: tuple[Codes, ...]
    result: Codes
    status: NDArray[np.uint8] | None = None
    given: Sequence[Sum] = ()
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.result)

    @cached_property
    def parts(self) -> list[Fields]:
        return [parts_of(codes, name) for codes, name in zip(self.operands, self.op.operands)]

    @cached_property
    def finite(self) -> list[Mask]:
        """Which operands are numbers other than 0."""
        return [~x.nan & ~x.infinite & (x.sig != 0) for x in self.parts]

    @cached_property
    def exponents(self) -> list[NDArray[np.int64]]:
        """floor(log2) of every operand that is a number other than 0."""
        return [floor_log2_u64(x.sig) + x.exp for x in self.parts]

    @cached_property
    def exact(self) -> Fields:
        """The exact results, before rounding."""
        return self.parts[0] if self.op.family == "convert" else exact_parts(self.op, self.operands)

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """Exact magnitudes in eighths of an ulp of the result, counted as its magnitude codes are, everything below in
        the last bit; -1 where there is no number, or none on that side."""
        return eighths(self.exact, self.op.result_format)

    @cached_property
    def magnitude(self) -> NDArray[np.int64]:
        return (self.result.astype(np.uint64) & np.uint64(self.op.result_format.magnitude_mask)).astype(np.int64)

    @cached_property
    def classes(self) -> list[Index]:
        return [classes(codes, name) for codes, name in zip(self.operands, self.op.operands)]


def eighths(x: Fields, f: Format) -> NDArray[np.int64]:
    e = np.where(x.sig == 0, f.emin - 1, floor_log2_u64(x.sig) + x.exp)
    excess = np.maximum(e - (f.emax + 2), 0)
    e, exp = e - excess, x.exp - excess
    binade = np.full_like(e, f.emin) if f.fixed_point else np.maximum(e, f.emin)
    shift = np.where(x.sig == 0, 0, binade - f.t - 3 - exp)
    found = jam(x.sig, shift).astype(np.int64) + (((binade - f.emin) << f.t) - (0 if f.zero else 1 << f.t)) * 8
    nowhere = x.nan | x.infinite | (found < 0)
    if not f.signed:
        nowhere = nowhere | x.negative
    return np.where(nowhere, NONE, found)


@dataclass(frozen=True)
class Point:
    """A coverpoint, how its value is found, and what is known of it.

    ``missing``: values that no case has, each with the reason.  ``room``: how many different cases there can be at most
    for some values, where that is few.
    """

    coverpoint: Coverpoint
    of: Callable[[View], Index]
    asks: str
    missing: Mapping[str, str] = field(default_factory=dict)
    room: Mapping[str, float] = field(default_factory=dict)


def point(
    name: str, values: Sequence[str], asks: str, of: Callable[[View], Any], missing: Mapping[str, str] | None = None,
    room: Mapping[str, float] | None = None,
) -> Point:  # fmt: skip
    assert not any(set(value) & set(' "\\') for value in values), name  # they are words of a line
    return Point(
        Coverpoint(name, tuple(values)), lambda view: np.asarray(of(view), np.int16), asks, missing or {}, room or {}
    )


def none_of(view: View) -> NDArray[np.int64]:
    return np.full(view.n, NONE, np.int64)


# -- operands ---------------------------------------------------------------------------------------------------------
def of_class(name: str, which: int, type_: str, others: int, asks: str) -> Point:
    """The class of one operand; ``others``: bits of the other operands."""
    size = sizes(type_)
    missing = {c: why_empty(type_, c) for c, there in zip(CLASSES, size) if not there}
    room = {c: there * 2.0**others for c, there in zip(CLASSES, size) if there}
    return point(name, CLASSES, asks, lambda view: view.classes[which], missing, room)


def cross(name: str, types: Sequence[str], bits: int, asks: str) -> Point:
    """The classes of the first two operands."""
    a, b = (sizes(type_) for type_ in types[:2])
    values, missing, room = [], {}, {}
    for i, x in enumerate(CLASSES):
        for j, y in enumerate(CLASSES):
            values.append(f"{x},{y}")
            if not (a[i] and b[j]):
                missing[values[-1]] = why_empty(types[0], x) if not a[i] else why_empty(types[1], y)
            else:
                room[values[-1]] = a[i] * b[j] * 2.0**bits
    of = lambda view: view.classes[0].astype(np.int64) * len(CLASSES) + view.classes[1]  # noqa: E731
    return point(name, values, asks, of, missing, room)


# -- results ----------------------------------------------------------------------------------------------------------
def _grs(view: View) -> NDArray[np.int64]:
    position = view.position
    inside = (position > 0) & (position < 8 * (view.op.result_format.max_code + 1))
    return np.where(inside, ((position & 7) << 1) | ((position >> 3) & 1), NONE)


def _midpoint(view: View) -> NDArray[np.int64]:
    """Exact, below, at or above the midpoint; for either sign."""
    position = view.position
    inside = (position > 0) & (position < 8 * (view.op.result_format.max_code + 1))
    rest = position & 7
    place = np.where(rest == 0, 0, np.where(rest < 4, 1, np.where(rest == 4, 2, 3)))
    return np.where(inside, 2 * place + view.exact.negative, NONE)


def _carry(view: View) -> NDArray[np.int64]:
    f = view.op.result_format
    down = view.position >> 3
    up = (view.position >= 0) & (view.magnitude == down + 1) & (view.magnitude <= f.max_code)
    first = 1 << f.t
    to_normal = up & (view.magnitude == first) & f.zero
    carries = up & (view.magnitude & (first - 1) == 0)
    return np.where(to_normal, 0, np.where(carries, 1, NONE))


def _minsub(view: View) -> NDArray[np.int64]:
    position = view.position
    place = np.select(
        [(position > 0) & (position < 4), position == 4, (position > 4) & (position < 8), position == 12],
        [0, 1, 2, 3], NONE,
    )  # fmt: skip
    return np.where(place < 0, NONE, 2 * place + view.exact.negative)


def _limit(view: View) -> NDArray[np.int64]:
    f = view.op.result_format
    top = 8 * (f.max_code + np.where(view.exact.negative, int(f.fixed_point), 0))
    over = np.where(view.position < 0, -1, view.position - top)
    place = np.select(
        [over == 0, (over > 0) & (over < 4), over == 4, (over > 4) & (over < 8), over == 8, over > 8],
        [0, 1, 2, 3, 4, 5], NONE,
    )  # fmt: skip
    return np.where(place < 0, NONE, 2 * place + view.exact.negative)


def _tiny(view: View) -> NDArray[np.int64]:
    """Which conventions raise underflow for an inexact result of the last ulp below the smallest normal."""
    f = view.op.result_format
    near = np.flatnonzero((view.position > 8 * ((1 << f.t) - 1)) & (view.position < 8 << f.t))
    found = none_of(view)
    if near.size:
        operands = [codes[near] for codes in view.operands]
        raised = []
        for tininess in ("before", "after", "delivered"):
            keys = {**dict(view.op.keys), "tininess": tininess, "flags": "1"}
            status = expect(replace(view.op, keys=tuple(sorted(keys.items()))), operands).status
            assert status is not None
            raised.append(status & 2 != 0)
        before, after, delivered = raised
        found[near] = np.select(
            [before & ~after, before & after & ~delivered, before & after & delivered], [0, 1, 2], NONE
        )
    return found


SIGNED = ("+", "-")
MIDPOINTS = tuple(s + w for w in ("exact", "below", "tie", "above") for s in SIGNED)
MINSUB = tuple(s + w for w in ("<1/2", "1/2", ">1/2", "3/2") for s in SIGNED)
LIMITS = tuple(s + w for w in ("max", "<half", "half", ">half", "first", "beyond") for s in SIGNED)
GRS = tuple(f"{grs:03b}.{lsb}" for grs in range(8) for lsb in (0, 1))


NEVER_UP = (Rounding.TOWARD_ZERO, Rounding.TO_ODD)  # odd codes stay where they are


def _reach(op: Operation) -> tuple[int | None, Fraction | None]:
    """(g, top): exact results are multiples of 2**g and at most top in magnitude; None where that is not known."""
    fs = [None if name in INTEGERS else get_format(name) for name in op.operands]
    lsb = [0 if f is None else f.quantum_exponent(f.emin) for f in fs]
    top = [Fraction(1 << int(n[1:])) if f is None else max(f.max, -f.lowest) for f, n in zip(fs, op.operands)]
    match op.family:
        case "convert":
            return lsb[0], top[0]
        case "add" | "sub":
            return min(lsb), sum(top, Fraction(0))
        case "mul":
            return sum(lsb), top[0] * top[1]
        case "fma":
            return min(lsb[0] + lsb[1], lsb[2]), top[0] * top[1] + top[2]
        case "dot" if scale_type(op) is None:
            more = get_format(addend_type(op.with_mode("exact"))) if has_addend(op) else None
            ends = [sum(lsb), *([more.quantum_exponent(more.emin)] if more else [])]
            return min(ends), length(op) * top[0] * top[1] + (more.max if more else 0)
        case _:
            return None, None


def _limits(op: Operation) -> tuple[dict[str, str], dict[str, float]]:
    """Values of ``limit`` that no exact result reaches; those that a conversion has one code for."""
    f = op.result_format
    missing = {value: f"{f.name} has no sign" for value in LIMITS if value[0] == "-" and not f.signed}
    _, top = _reach(op)
    here, first = f.magnitude(f.max_code), f.magnitude(f.max_code + 1)
    half = (here + first) / 2
    for name, least, included in (
        ("max", here, True), ("<half", here, False), ("half", half, True), (">half", half, False),
        ("first", first, True), ("beyond", first, False),
    ):  # fmt: skip
        if top is not None and (top < least or (top == least and not included)):
            missing |= {sign + name: "exact results end below" for sign in SIGNED}
    single = op.family == "convert"
    return missing, {sign + name: 1 for sign in SIGNED for name in ("max", "half", "first")} if single else {}


def _classes_to(op: Operation) -> dict[str, str]:
    """The classes that no result has."""
    f = op.result_format
    missing = {c: why_empty(f.name, c) for c, there in zip(CLASSES, sizes(f.name)) if not there}
    missing["snan"] = "no result is a signalling NaN"
    overflow = op.projection.overflow
    if f.infinities and overflow.finite is To.MAX and overflow.infinite is To.MAX:
        missing |= {sign + "inf": "overflow and infinities saturate" for sign in SIGNED}
    grain, _ = _reach(op)
    least = {"minsub": f.emin - f.t, "sub": f.emin, "maxsub": f.emin, "minnorm": f.emin + 1}
    for name, e in least.items():
        if grain is not None and f.zero and grain >= e + (name == "minsub"):
            missing |= {sign + name: f"exact results are multiples of 2^{grain}" for sign in SIGNED}
    if op.operands[0] in INTEGERS and op.family == "convert":
        missing["-zero"] = "integers have no -0"
        if overflow.finite is To.MAX:
            missing["qnan"] = "no integer is a NaN, and overflow saturates"
    return missing


def result_points(op: Operation) -> list[Point]:
    """What every rounded result is asked."""
    f = op.result_format
    rounding = op.projection.rounding
    never = f"{rounding.value} never rounds an odd code up" if rounding in NEVER_UP else ""
    to_missing = _classes_to(op)
    exact, parity = few_exact(op)
    grain, _ = _reach(op)
    small = {}
    if grain is not None and grain >= f.emin - f.t:
        small[""] = f"exact results are multiples of 2^{grain}: subnormal ones are exact"

    def minus(values: tuple[str, ...]) -> dict[str, str]:
        return {} if f.signed else {value: f"{f.name} has no sign" for value in values if value[0] == "-"}

    no_carry = dict.fromkeys(("normal", "binade"), never) if never else {}
    if not f.has_subnormals:
        no_carry["normal"] = f"{f.name} has no subnormals"
    elif small:
        no_carry["normal"] = small[""]
    points = [
        point("to", CLASSES, "class and sign of the result", lambda view: classes(view.result, f.name), to_missing,
              few_results(op)),
        point("grs", GRS, "guard, round and sticky bit; after the point the last bit kept", _grs, {}, parity),
        point("mid", MIDPOINTS, "exact, or where between two codes the exact result lies", _midpoint,
               minus(MIDPOINTS), exact),
        point("carry", ("normal", "binade"), "rounding carries into the smallest normal, or a higher binade", _carry,
               no_carry),
        point("limit", LIMITS, "the largest finite value, half an ulp more, the first value beyond it", _limit,
              *_limits(op)),
    ]  # fmt: skip
    if f.zero:
        room = {value: 1 for value in MINSUB if value[1:] in ("1/2", "3/2")} if op.family == "convert" else {}
        points.append(
            point(
                "minsub",
                MINSUB,
                "about half of, and 3/2 of, the smallest magnitude",
                _minsub,
                minus(MINSUB) | dict.fromkeys(MINSUB, small[""]) if small else minus(MINSUB),
                room,
            )
        )
    if f.has_subnormals and not f.fixed_point:
        conventions = ("before", "before,after", "before,after,delivered")
        missing = dict.fromkeys(conventions[:2], never) if never else {}
        missing = dict.fromkeys(conventions, small[""]) if small else missing
        points.append(point("tiny", conventions, "which tininess conventions raise UF just below the smallest normal",
                             _tiny, missing))  # fmt: skip
    return points
