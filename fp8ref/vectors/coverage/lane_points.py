"""Coverpoints of the faults that units of several lanes have: zeros that gate their partner, lanes that are alone or
equal, and C that meets a sum that was rounded before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...cases.answers import expect
from ...cases.operation import Operation
from ...cases.products.exact import says_more
from ...cases.products.questions import exact_projection, has_addend, is_fixed, length, operand_formats, scale_type
from ...fast.kernel import Fields
from ..section import NONE
from .dot_view import LOWEST, DotView
from .points import Point, View, point

FEW = 4  # lanes that have bins of their own


def lanes(k: int) -> tuple[str, ...]:
    """The names of lanes: the first ones, what lies between, the last."""
    if k <= FEW + 1:
        return tuple(map(str, range(k)))
    return (*map(str, range(FEW)), "mid", "last")


def lane_of(k: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The number of each lane's name."""
    names = lanes(k)
    found = np.minimum(np.arange(k), FEW)
    found[k - 1] = len(names) - 1
    return found


def _zero(x: Fields) -> Any:
    return (x.sig == 0) & ~x.nan & ~x.infinite


def _gate(k: int) -> Any:
    def of(view: View) -> Any:
        """The first lane in which a zero meets a NaN or an infinity, where every other lane is a number."""
        assert isinstance(view, DotView)
        x, y, z = view.parts[:3]
        nan = (x.nan & _zero(y)) | (y.nan & _zero(x))
        infinite = (x.infinite & _zero(y)) | (y.infinite & _zero(x))
        special = x.nan | x.infinite | y.nan | y.infinite
        alone = (special.sum(axis=1) == 1) & ~z.nan & ~z.infinite
        lane = lane_of(k)[np.argmax(nan | infinite, axis=1)]
        count = len(lanes(k))
        return np.select([alone & nan.any(axis=1), alone & infinite.any(axis=1)], [lane, count + lane], NONE)

    return of


def _shape(k: int) -> Any:
    def of(view: View) -> Any:
        """One lane alone, by its name; all lanes equal; all products zero."""
        assert isinstance(view, DotView)
        there = view.terms > LOWEST
        count = there.sum(axis=1)
        a, b = view.operands[:2]
        equal = ((a == a[:, :1]) & (b == b[:, :1])).all(axis=1)
        lane = lane_of(k)[np.argmax(there, axis=1)]
        names = len(lanes(k))
        one = view.numbers & (count == 1)
        if k == 1:
            return np.where(view.numbers, 0, NONE)
        return np.select([one, view.numbers & equal, view.numbers & (count == k)], [lane, names, names + 1], NONE)

    return of


def _twice(view: View) -> Any:
    """Does the sum of the products, rounded before C is added and again after, differ from the one rounding?"""
    assert isinstance(view, DotView)
    op = view.op
    rho = exact_projection(op)
    mode = f"{rho.rounding.value}.{rho.overflow}"
    keys = {key: value for key, value in op.keys if key not in ("c", "bias", "flags")}
    alone = replace(op, mode=f"exact.{mode}", keys=tuple(sorted({**keys, "c": "none"}.items())))
    a, b, c, *rest = view.operands
    once = expect(alone, [a, b, *rest]).codes
    join = Operation("add", (op.result, view.typed[2][1].name), op.result, mode)
    return np.where(view.numbers, expect(join, [once, c]).codes != view.result, NONE)


def lane_points(op: Operation) -> tuple[Point, ...]:
    """The points of the lanes of a dot product."""
    k = length(op)
    names = lanes(k)
    fs = operand_formats(op)[:2]  # as the unit reads them
    gates = tuple(f"{what}*0@{name}" for what in ("nan", "inf") for name in names)
    missing: dict[str, str] = {}
    for what, there in (("nan", [f.has_nan for f in fs]), ("inf", [f.infinities for f in fs])):
        zeros = [other.zero for other in reversed(fs)]
        if not any(x and y for x, y in zip(there, zeros)):
            missing |= {f"{what}*0@{name}": f"no {what} meets a zero" for name in names}
    shapes = (*(f"one-hot@{name}" for name in names), "constant", "full") if k > 1 else ("one-hot@0",)
    found = [
        point("gate", gates, "the lane in which a zero meets a NaN or an infinity, among numbers", _gate(k), missing),
        point("shape", shapes, "one product alone, by its lane; all equal; all there", _shape(k)),
    ]
    if says_more(op) and has_addend(op) and not is_fixed(op) and not scale_type(op):
        asks = "does rounding the sum of the products before C is added change the result?"
        found.append(point("twice", ("same", "differs"), asks, _twice))
    return tuple(found)
