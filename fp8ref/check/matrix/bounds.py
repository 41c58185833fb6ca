"""How far answers lie from the exact sums, and which lie outside a class of error bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...arrays.products import dot
from ...cases.answers import scaling
from ...cases.operation import Operation
from ...cases.products.bounds import Bound
from ...cases.products.cases import Cases, values_of
from ...cases.products.questions import addend_type, block_of, length, model_of, scale_type
from ...fast.environment import exact_floats
from ...fast.matrix.tiles import shown_exponents
from ...spec.catalog import get_format
from ...spec.matrix.units import Finished
from ..identify.accumulators import Hypothesis, answers

Codes = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Farthest:
    """The largest errors of finite answers: in ulps of the exact result, and as good bits of sum |a b| + |c|."""

    ulps: float
    bits: int


@exact_floats
def farthest(op: Operation, cases: Cases, got: Codes) -> Farthest:
    fa, fb, fc, fd = map(get_format, (*op.operands, addend_type(op), op.result))
    a, b, c, d = (values_of(x, f) for x, f in zip((cases.a, cases.b, cases.c, got), (fa, fb, fc, fd)))
    with np.errstate(all="ignore"):
        size = np.abs(a * b * scale_products(op, cases)).sum(axis=1) + np.abs(c)
        wide = _exact_in_f64(op, cases)
        error = np.abs(d - wide)
        ulp = np.ldexp(1.0, np.maximum(np.frexp(wide)[1] - 1, fd.emin) - fd.t)
        known = np.isfinite(error) & np.isfinite(size) & (size > 0) & _tame(op, cases)
        if not known.any():
            return Farthest(np.inf, 0)
        relative = float((error / size)[known].max())
        bits = fd.p if relative == 0 else int(np.clip(np.floor(-np.log2(relative)), 0, fd.p))
        return Farthest(float((error / ulp)[known].max()), bits)


@exact_floats
def room(op: Operation, bound: Bound, cases: Cases) -> NDArray[np.float64]:
    """How far an answer in the bound's own precision may lie from the exact sum, one number a case."""
    return _room(op, bound, cases, *_sizes(op, cases))


def _sizes(op: Operation, cases: Cases) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The addends of every case, C last; and the power of two of the largest product's operands, or |C|."""
    fa, fb, fc = map(get_format, (*op.operands, addend_type(op)))
    a, b, c = (values_of(x, f) for x, f in zip((cases.a, cases.b, cases.c), (fa, fb, fc)))
    with np.errstate(all="ignore"):
        scale = scale_products(op, cases)
        addends = np.concatenate([a * b * scale, c[:, np.newaxis]], axis=1)
        e = shown_exponents(cases.a, fa, -9999).astype(int) + shown_exponents(cases.b, fb, -9999)
        e = e + np.frexp(np.abs(scale))[1]
        top = np.maximum(np.ldexp(1.0, np.clip(e.max(axis=1), -1000, 1000)), np.abs(c))
    return addends, np.asarray(top)


def _room(op: Operation, bound: Bound, cases: Cases, addends: Floats, top: Floats) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        size = np.abs(addends).sum(axis=1)
        return np.asarray(bound(size, top, length(op) + (3 if cases.scales else 0)))


@exact_floats
def outside(op: Operation, bound: Bound, cases: Cases, got: Codes) -> Mask:
    """Which answers lie outside a bound: too far from the exact sum, or another special value than it has.

    Where products or partial sums of the class may overflow, in the result format or in the bound's own, an infinity or
    NaN is not held against the answer; nor is NaN in place of an infinity, where they may overflow to the other one.
    """
    fd = get_format(op.result)
    d = values_of(got, fd)
    exact = values_of(answers(op, Hypothesis("exact", None), cases), fd)
    with np.errstate(all="ignore"):
        addends, top = _sizes(op, cases)
        size = np.abs(addends).sum(axis=1)
        finite = np.isfinite(size)
        wide = _exact_in_f64(op, cases)
        room = _room(op, bound, cases, addends, top) + np.abs(wide) * 2.0**-52
        ulp = np.ldexp(1.0, np.maximum(np.frexp(wide)[1] - 1, fd.emin) - fd.t)
        room = room + (0 if fd.name == "f32" else ulp)  # the answer's own rounding into a narrower result
        far = ~(np.abs(d - wide) <= room)
        limit = min(float(fd.max), bound.largest)
        may_overflow = size + room >= limit
        against = np.where(np.sign(addends) == -np.sign(exact)[:, np.newaxis], np.abs(addends), 0).sum(axis=1)
        against = against + bound(against, np.minimum(top, against), length(op) + (3 if cases.scales else 0))
    off = np.where(finite, far & ~(may_overflow & ~np.isfinite(d)), False)
    special = ~finite
    alike = (np.isnan(exact) & np.isnan(d)) | (exact == d) | (np.isinf(exact) & np.isnan(d) & (against >= limit))
    return np.asarray((off | (special & ~alike)) & _tame(op, cases))


@exact_floats
def as_gelu(op: Operation, cases: Cases, got: Codes, want: Codes) -> Mask | None:
    """Which answers count as a model's with GELU in its epilogue: between both ends of it; None: it has none there.

    What follows GELU keeps or reverses order.  Where an end overflows to NaN, or is 0 times infinity, NaN counts too;
    what is wanted shows on which side of the other end it lay.
    """
    model = model_of(op)
    if not isinstance(model, Finished) or "gelu" not in model.steps:
        return None
    nominal, d = (values_of(x, get_format(op.result)) for x in (want, got))
    one, other = (_with_end(op, model, end, cases) for end in ("gelu_low", "gelu_high"))
    nan = np.isnan(one) | np.isnan(other)
    one, other = _placed(one, other, nominal, -np.inf), _placed(other, one, nominal, np.inf)
    inside = (np.minimum(one, other) <= d) & (d <= np.maximum(one, other))
    return np.asarray(np.where(np.isnan(d), nan, inside))


def _with_end(op: Operation, model: Finished, end: str, cases: Cases) -> Floats:
    steps = tuple(end if step == "gelu" else step for step in model.steps)
    return values_of(answers(op, replace(model, steps=steps), cases), get_format(op.result))


def _placed(end: Floats, other: Floats, nominal: Floats, alone: float) -> Floats:
    """An end that is NaN, as an infinity on the side of the other one where the nominal answer is."""
    side = np.where(nominal > other, np.inf, np.where(nominal < other, -np.inf, nominal))
    side = np.where(np.isnan(other) & ~np.isnan(nominal), alone, side)
    return np.where(np.isnan(end), side, end)


def _exact_in_f64(op: Operation, cases: Cases) -> NDArray[np.float64]:
    c = cases.c.view(FLOAT_DTYPES[addend_type(op)])
    given = scaling(op, cases.scales)
    return np.asarray(dot(cases.a, cases.b, *op.operands, c=c, result="f64", overflow="nonsat", **given))


def _tame(op: Operation, cases: Cases) -> Mask:
    """Where scales are NaN or so moderate that no order of multiplying them in over- or underflows on the way."""
    name = scale_type(op)
    if name is None:
        return np.ones(cases.size, bool)
    size = np.abs(np.concatenate([values_of(s, get_format(name)) for s in cases.scales[:2]], axis=1))
    return np.asarray(np.isnan(size).any(axis=1) | ((size >= 2.0**-40) & (size <= 2.0**40)).all(axis=1))


def scale_products(op: Operation, cases: Cases) -> NDArray[np.float64]:
    """The product of both scales for every element; 1 where there are none."""
    name = scale_type(op)
    if name is None:
        return np.ones((1, 1))
    sa, sb = (values_of(s, get_format(name)) for s in cases.scales[:2])
    return np.asarray(np.repeat(sa * sb, block_of(op), axis=1)[:, : length(op)])
