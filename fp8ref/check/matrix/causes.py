"""Why wrong products are wrong: another model, one changed parameter of a unit, or mistakes with their circumstances.

Where a model or the exact sum is claimed, a mistake explains an answer if it predicts it; where an error bound is, if
the answer lies inside the bound about what the mistake makes of the case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import expect, is_nan
from ...cases.operation import Operation
from ...cases.products.bounds import Bound
from ...cases.products.cases import Cases, values_of
from ...cases.products.questions import addend_type, length, model_of, scale_type, under
from ...spec.catalog import get_format
from ...spec.matrix.accumulate import Fused
from ..diagnosis.diagnose import UNEXPLAINED, Candidate, Cause, Diagnosis, Peel
from ..diagnosis.rule import Rule
from ..diagnosis.traits.places import Place
from ..harness.observe import Observations
from ..identify.accumulators import (
    PARAMETERS,
    Hypothesis,
    agrees,
    alternatives,
    answers,
    catalogue,
    order_of,
    orders,
    wrong,
)
from ..identify.compositions import FORMS, splits
from ..identify.fitting import SPECIAL
from .bounds import outside
from .faults import Fault, Shape, of_c, of_k, of_operands, of_results
from .places import of_matrices, of_scales

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
SAMPLE = 48  # wrong answers of which a mistake must explain one, before it is put to all
NEAR = 3  # catalogued units whose parameters are varied
FIRST = "first"

RULES = {
    "fraction_bits": "keeps {} fraction bits instead of {}",
    "cut": "rounds by {} at alignment instead of {}",
    "precision": "keeps {} bits of the sum instead of {}",
    "rounding": "rounds the sum by {} instead of {}",
}


@dataclass(frozen=True)
class Asked:
    """Products that were asked: the cases, the answers, in what kind of call and where in it each was given."""

    op: Operation
    cases: Cases
    got: Codes
    calls: NDArray[np.str_]
    shape: Shape


def faults_of(op: Operation, matrices: bool) -> Iterator[Fault]:
    """Every mistake that a product can have; ``matrices``: its answers stand in rows and columns."""
    families = [of_c, of_k, of_operands, of_results]
    families += [of_scales] if scale_type(op) else []
    for family in [*families, of_matrices] if matrices else families:
        yield from family(op)


def diagnose_products(asked: Asked, off: Mask, want: Codes, bound: Bound | None = None) -> list[Cause]:
    """The causes of wrong answers, that of most of them first.  ``want``: the right ones; under a bound the exact."""
    op = asked.op
    if other := _other_model(op, asked.cases, asked.got):
        return [Cause(other, off)]
    return _Search(asked, off, want, bound).causes()


def _other_model(op: Operation, cases: Cases, got: Codes) -> Diagnosis | None:
    """The claimed unit, or a catalogued one near by, with one parameter changed; another model; a split over K."""
    declared = model_of(op)
    if isinstance(declared, Fused) and (found := _parameter(op, cases, got, declared)):
        return Diagnosis(*found)
    for h in catalogue(op):
        if agrees(op, got, h, cases):
            return Diagnosis(f"model-{h.name}", f"the answers are those of {h.name}")
    units = [h for h in ranked(op, cases, got) if isinstance(h.model, Fused) and h.model != declared]
    for h in units[:NEAR]:
        assert isinstance(h.model, Fused)
        if found := _parameter(op, cases, got, h.model):
            return Diagnosis(f"model-{h.name}-{found[0]}", f"the answers are those of {h.name}, but it {found[1]}")
    for h in (h for names in FORMS.values() for h in splits(op, names)):
        if agrees(op, got, h, cases):
            return Diagnosis(f"model-{h.name}", f"the answers are those of {h.name}")
    return None


def ranked(op: Operation, cases: Cases, got: Codes) -> list[Hypothesis]:
    """The catalogued models, those that miss fewest of some answers first."""
    some = np.unique(np.linspace(0, got.size - 1, min(got.size, 512)).astype(np.intp))
    few = cases.taken(some)
    scored = [(int(wrong(op, got[some], answers(op, h, few)).sum()), i, h) for i, h in enumerate(catalogue(op))]
    return [h for *_, h in sorted(scored, key=lambda item: item[:2])]


def _parameter(op: Operation, cases: Cases, got: Codes, model: Fused) -> tuple[str, str] | None:
    """The one parameter of a unit that is another, as the name of a rule and in words."""
    for parameter in PARAMETERS:
        for value, other in alternatives(model, parameter, orders(length(op))):
            if agrees(op, got, other, cases):
                return f"unit-{parameter.replace('_', '-')}", _changed(model, parameter, value)
    return None


def _changed(model: Fused, parameter: str, value: Any) -> str:
    if parameter == "c_last":
        return "C is added last" if value else "C joins the first step"
    if parameter == "order":
        return f"another order over K: steps of {value.widest} products in instructions of {value.k}, not " \
               f"{order_of(model).widest} in {model.k}"  # fmt: skip
    own = model.precision or model.format.p if parameter == "precision" else getattr(model, parameter)
    return RULES[parameter].format(getattr(value, "value", value), getattr(own, "value", own))


class _Search(Peel):
    """Mistakes, one for everything or one after another."""

    def __init__(self, asked: Asked, off: Mask, want: Codes, bound: Bound | None) -> None:
        self.asked, self.op, self.bound, self.want = asked, asked.op, bound, want
        self.exact = replace(asked.op, family="dot") if bound is None else under(asked.op, "exact")
        self.seen = Observations.of_one_call(asked.cases.operands, asked.got)
        self.wrong, self.pardoned = off, np.zeros_like(off)
        self.places = list(_circumstances(asked, want))

    def causes(self) -> list[Cause]:
        matrices = self.op.family == "matmul"
        candidates = [c for fault in faults_of(self.op, matrices) if (c := self._candidate(fault))]
        if single := self._single(candidates):
            return [single]
        found = self._sound(self._peel(candidates)) if candidates else []
        left = self._left(found)
        if left.any():
            found.append(Cause(Diagnosis(UNEXPLAINED, "", pattern=self._pattern(left)), left))
        return sorted(found, key=lambda cause: -int(cause.wrong.sum()))

    def _candidate(self, fault: Fault) -> Candidate | None:
        """A mistake with what it changes and misses; None where it explains too few wrong answers to be one."""
        bad = np.flatnonzero(self.wrong)
        if not fault.whole:
            some = bad[:: -(-bad.size // SAMPLE)]
            few = _predicted(fault, self, some)
            if few is None or few[1].all():
                return None
        found = _predicted(fault, self, np.arange(self.wrong.size))
        if found is None or not (found[0] & ~found[1] & self.wrong).any():
            return None
        rule = Rule(fault.name, fault.sentence, _no_prediction)
        return Candidate(rule, *found, composed=False)

    def _pattern(self, off: Mask) -> str:
        near = ranked(self.op, self.asked.cases, self.asked.got)[0]
        misses = int(wrong(self.op, self.asked.got, answers(self.op, near, self.asked.cases)).sum())
        said = pattern(self.op, self.asked, off)
        return f"{said}; the nearest model, {near.name}, answers {misses} of {off.size} otherwise"


def _no_prediction() -> Codes:
    raise NotImplementedError


def _predicted(fault: Fault, search: _Search, some: NDArray[np.intp]) -> tuple[Mask, Mask] | None:
    """Which answers a mistake changes, and which it misses."""
    asked, op = search.asked, search.exact
    whole = some.size == asked.got.size
    cases = asked.cases if whole else asked.cases.taken(some)
    shape = asked.shape if whole else asked.shape.taken(some)
    got, want = asked.got[some], search.want[some]
    try:
        if fault.codes is not None:
            codes = fault.codes(op, cases, want, shape)
            if search.bound is not None:
                return None
            return wrong(op, codes, want), wrong(op, got, codes)
        assert fault.cases is not None
        other, changed = fault.cases(op, cases, shape)
        codes = expect(replace(other, family="dot"), changed.operands).codes
        if search.bound is None:
            return wrong(op, codes, want), wrong(op, got, codes)
        return wrong(op, codes, want), outside(other, search.bound, changed, got)
    except (NotImplementedError, ValueError, IndexError):
        return None


# -- where ------------------------------------------------------------------------------------------------------------
def _circumstances(asked: Asked, want: Codes) -> Iterator[Place]:
    """Where a mistake may be confined: everywhere; kinds of operands and results, rows, columns, shapes and calls."""
    op, shape, n = asked.op, asked.shape, asked.got.size
    fa, fb, fc, fd = map(get_format, (*op.operands, addend_type(op), op.result))
    a, b, c, d = (values_of(x, f) for x, f in zip((*asked.cases.operands[:3], want), (fa, fb, fc, fd)))
    yield Place("", np.ones(n, bool))
    special = np.asarray(~np.isfinite(a).all(axis=1) | ~np.isfinite(b).all(axis=1))
    small = (((np.abs(a) < float(fa.min_normal)) & (a != 0)).any(axis=1)
             | ((np.abs(b) < float(fb.min_normal)) & (b != 0)).any(axis=1))  # fmt: skip
    yield Place("where an operand is infinite or a NaN", special)
    yield Place("for finite operands", ~special & np.isfinite(c))
    yield Place("where an operand is subnormal", np.asarray(small))
    yield Place("where C is zero", c == 0)
    yield Place("where C is not zero", c != 0)
    yield Place("where C is infinite or a NaN", ~np.isfinite(c))
    yield Place("for zero results", d == 0)
    yield Place("for negative results", np.signbit(d) & ~is_nan(want, fd.name))
    yield Place("for positive results", ~np.signbit(d) & ~is_nan(want, fd.name))
    if op.family == "matmul":
        yield Place("in the last row", shape.row == shape.m - 1, narrow=True)
        yield Place("in the first row", shape.row == 0, narrow=True)
        yield Place("in rows after the first", shape.row > 0, narrow=True)
        yield Place("in the last column", shape.column == shape.n - 1, narrow=True)
        yield Place("in the first column", shape.column == 0, narrow=True)
        yield Place("in columns after the first", shape.column > 0, narrow=True)
        for modulus in (2, 4, 8):
            for r in range(modulus):
                yield Place(f"in columns that are {r} modulo {modulus}", shape.column % modulus == r, narrow=True)
    for modulus in (2, 4, 8, 16):
        for r in range(modulus):
            yield Place(f"in rows that are {r} modulo {modulus}", shape.row % modulus == r, narrow=True)
    for size in (4, 8, 16, 32, 64):
        body = shape.m - shape.m % size
        yield Place(f"in the tail after blocks of {size} rows", shape.row >= body, narrow=True)
        yield Place(f"in full blocks of {size} rows", shape.row < body, narrow=True)
    for power in range(1, 8):
        yield Place(f"in calls of at least {1 << power} rows", shape.m >= 1 << power, narrow=True)
        yield Place(f"in calls of fewer than {1 << power} rows", shape.m < 1 << power, narrow=True)
    yield Place("in calls after the first", shape.call > 0, narrow=True)
    for call in sorted(set(asked.calls) - {FIRST}):
        words = {"short": "in short calls", "again": "when the same cases are asked again"}
        yield Place(words.get(call, f"for {call} arrays"), asked.calls == call, narrow=True)


def pattern(op: Operation, asked: Asked, off: Mask) -> str:
    """What wrong answers have in common."""
    parts = [f"{int(off.sum())} of {off.size} answers"]
    cases, calls = asked.cases, asked.calls
    kinds = sorted({cases.names[i] for i in np.flatnonzero(off)})
    if set(kinds) <= set(SPECIAL):
        parts.append("only " + ", ".join(kinds))
    if not off[calls == FIRST].any():
        parts.append("only in calls of " + ", ".join(sorted(set(calls[off]))))
        parts.append(f"of {int(asked.shape.m[off].min())} cases or more")
    for name, values in (("rows", asked.shape.row), ("columns", asked.shape.column)):
        there = np.unique(values[off])
        if op.family == "matmul" and there.size == 1:
            parts.append(f"all in {name[:-1]} {there[0]}")
    for name, codes, other in (("a", cases.a, cases.b), ("b", cases.b, cases.a)):
        places = np.flatnonzero(((codes != 0) & (other != 0))[off].all(axis=0))
        if 0 < places.size <= 4 and length(op) > 4:
            parts.append(f"all with {name} at k = {', '.join(map(str, places))}")
            break
    return "; ".join(parts)
