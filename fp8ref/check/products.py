"""Judging dot and matrix products: exact, equal to a model, inside the error bound of a class, or outside.

A claimed model must give every answer.  Where the mode is free, the catalogue is searched; an implementation that
equals no model is allowed where it keeps inside a bound of the literature, by the bound's name, and fails where it does
not: no standard says in which order a sum is formed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import expect
from ..cases.operation import ANY_MODE, Operation
from ..cases.products.bounds import BOUNDS, Bound
from ..cases.products.cases import Cases, dot_cases, values_of
from ..cases.products.exact import is_delivered
from ..cases.products.questions import (
    WITHIN,
    addend_type,
    bound_of,
    length,
    under,
    with_columns,
    with_length,
)
from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from .compare import digest
from .diagnosis.diagnose import UNEXPLAINED, Cause, Diagnosis
from .failing import grid, keep
from .fits import Fitting, fitting_products, leave_open
from .harness.observe import LAYOUT_NAMES
from .harness.outcomes import Crashed, Declined, TimedOut
from .harness.transport import Session
from .identify.accumulators import (
    Hypothesis,
    agrees,
    answers,
    catalogue,
    wrong,
)
from .matrix.bounds import as_gelu, farthest, outside
from .matrix.causes import Asked, diagnose_products
from .matrix.delivered import judge_delivered
from .product_calls import FIRST, ask
from .variations.settle import as_exact_sums, settle
from .verdict import Finding, Place, Report, Verdict

Codes = NDArray[Any]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def judge_products(
    session: Session,
    claim: Operation,
    level: int,
    seed: int,
    nan: str,
    report: Report,
    plan: Cases | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> None:
    """Ask a claimed product and write the verdict into the report; ``plan``: the only cases that may be asked."""
    op = with_length(claim)
    report.op = op.id
    if is_delivered(op):
        judge_delivered(session, op, level, seed, nan, report, plan, advance)
        return
    cases = dot_cases(op, level, seed) if plan is None else plan
    found = ask(session, op, cases, level, seed, replay=plan is not None, advance=advance)
    answered = found.joined(op)
    asked, got, calls = answered.cases, answered.got, answered.calls
    report.declines = str(found.declines)
    report.cases = int((calls == FIRST).sum()) or got.size
    if op.mode == ANY_MODE:
        op, report.alike = _find(op, asked, got)
        report.op = op.id
    fit = fitting_products(under(op, "exact"), asked, got) if report.asked or report.declines else Fitting(())
    if fit.open and claim.mode == ANY_MODE:
        leave_open(report, fit)
        return
    if bound_of(op) is not None or op.mode == ANY_MODE:
        _judge_bound(session, replace(answered, op=op), claim, report)
        return
    settled = settle(op, asked.operands, got, expected(op, asked))
    want, report.chosen = settled.want, settled.chosen
    report.allowed.update((name, _cases_failed(off, calls)) for name, off in settled.allowed.items())
    off = differing(op, asked, got, want, nan)
    report.failed = _cases_failed(off, calls)
    if off.any():
        report.verdict = Verdict.FAIL
        answered = replace(answered, op=op)
        causes = [Cause(fit.diagnosis(), off)] if fit.open else diagnose_products(answered, off, want)
        report.findings += _findings(session, claim, answered, want, causes, report)


@exact_floats
def expected(op: Operation, cases: Cases) -> Codes:
    """The reference's answers to a product with a definite mode."""
    return expect(replace(op, family="dot"), cases.operands).codes  # the cases of matmul are laid out so, too


def differing(op: Operation, cases: Cases, got: Codes, want: Codes, nan: str) -> Mask:
    off = wrong(op, got, want) if nan == "class" else np.asarray(got != want)
    near = as_gelu(op, cases, got, want) if off.any() else None
    return off if near is None else off & ~near


def _cases_failed(off: Mask, calls: NDArray[np.str_]) -> int:
    first = int(off[calls == FIRST].sum())
    return first or int(off.sum())


# -- free modes -------------------------------------------------------------------------------------------------------
def _find(op: Operation, cases: Cases, got: Codes) -> tuple[Operation, tuple[str, ...]]:
    """The first catalogued behaviour that gives every answer, and the others that do; else the tightest bound that
    holds; else still free."""
    as_exact = as_exact_sums(op, cases, got)
    found = [h for h in catalogue(op) if agrees(op, got if h.model else as_exact, h, cases)]
    if found:
        h = found[0]
        mode = h.name if h.model is not None or h.name == "exact" else f"{h.name}.nonsat"
        return under(op, mode), tuple(h.name for h in found[1:])
    for bound in _own_bounds(op):
        if not outside(op, bound, cases, got).any():
            return under(op, WITHIN + bound.name), ()
    return op, ()


def _by_strength(bound: Bound) -> tuple[float, bool]:
    return bound.u, bound.fixed is not None


def _own_bounds(op: Operation) -> list[Bound]:
    """The bounds of sums that keep the bits of the result's own format, tightest first.

    Weaker ones hold of an implementation that claims them; they are found for none.
    """
    own = 2.0 ** (1 - get_format(op.result).p)
    return sorted((b for b in BOUNDS.values() if b.u <= own), key=_by_strength)


def _judge_bound(session: Session, asked: Asked, claim: Operation, report: Report) -> None:
    """Allowed inside the bound, where the answer is not the exact one; a failure outside."""
    op, cases, got, calls = asked.op, asked.cases, asked.got, asked.calls
    bound = bound_of(op) or _own_bounds(op)[-1]
    off = outside(op, bound, cases, got)
    want = answers(op, Hypothesis("exact", None), cases)
    first = calls == FIRST
    if off.any():
        report.failed = _cases_failed(off, calls)
        report.verdict = Verdict.FAIL
        causes = diagnose_products(asked, off, want, bound)
        if any(cause.diagnosis.rule == UNEXPLAINED for cause in causes):
            causes = [Cause(_outside_diagnosis(op, bound, cases, got, off), off)]
        report.findings += _findings(session, claim, asked, want, causes, report)
        return
    inexact = int(wrong(op, got, want)[first].sum())
    if inexact and claim.mode == ANY_MODE:
        report.verdict = Verdict.ALLOWED
        report.allowed[f"inside-bound-{bound.name}"] = inexact
    report.profiles = (f"the bound {bound.name} [{bound.cite}]",)


def _outside_diagnosis(op: Operation, bound: Bound, cases: Cases, got: Codes, off: Mask) -> Diagnosis:
    """How far off the answers are, in bits and ulps; and which weaker bound they keep, where one does."""
    near = nearest_text(op, cases, got)
    if bound_of(op) is not None:
        return Diagnosis("outside-bound", f"outside the bound {bound.name} ({bound.text}); {near}")
    p, far = get_format(op.result).p, farthest(op, cases.taken(np.flatnonzero(off)), got[off])
    if not np.isfinite(far.ulps):
        return Diagnosis("outside-bound", f"outside every bound of {op.result} sums; {near}")
    weaker = sorted((b for b in BOUNDS.values() if b.u > _own_bounds(op)[-1].u), key=_by_strength)
    held = next((b for b in weaker if not outside(op, b, cases, got).any()), None)
    said = f"{far.bits} of {p} bits good, largest error {far.ulps:.3g} ulps of {op.result}"
    if held is None:
        return Diagnosis("outside-bound", f"{said}; outside every bound known here; {near}")
    kept = f"inside {WITHIN}{held.name}, which it does not claim"
    return Diagnosis("weaker-than-result", f"{said}; {kept}; fp8ref identify names the unit")


def nearest_text(op: Operation, cases: Cases, got: Codes) -> str:
    scored = [(int(wrong(op, got, answers(op, h, cases)).sum()), i, h) for i, h in enumerate(catalogue(op))]
    misses, _, h = min(scored)
    return f"the nearest model, {h.name}, answers {misses} of {got.size} otherwise"


# -- findings ----------------------------------------------------------------------------------------------------------
def _findings(
    session: Session, claim: Operation, asked: Asked, want: Codes, causes: Sequence[Cause], report: Report
) -> list[Finding]:
    """A finding for each cause, with its own smallest case."""
    shape, n = asked.shape, asked.got.size
    if report.failing is not None:
        where = (np.arange(n), shape.row * shape.n + shape.column, shape.m, np.zeros(n, int))
        for cause in causes:
            keep(report.failing, asked.op, asked.cases.operands, want, asked.got, cause.wrong, str(cause.diagnosis),
                 where, LAYOUT_NAMES)  # fmt: skip
    return [_finding(session, claim, asked, want, cause, report, len(causes) == 1) for cause in causes]


def _finding(
    session: Session, claim: Operation, asked: Asked, want: Codes, cause: Cause, report: Report, single: bool
) -> Finding:
    op, cases, got, off = asked.op, asked.cases, asked.got, cause.wrong
    which = np.flatnonzero(off)
    i = plainest_of(op, cases, which[asked.shape.m[which] == asked.shape.m[which].min()])
    inputs = tuple(int(code) for codes in cases.operands for code in np.atleast_1d(codes[i]))
    place = None
    if op.family == "matmul":
        s = asked.shape
        alone = right_alone(session, claim, op, cases.taken(np.array([i])), int(s.column[i]), int(s.n[i]), want[i])
        place = Place(int(s.row[i]), int(s.column[i]), int(s.m[i]), int(s.n[i]), length(op), alone)
    return Finding(
        op=op.id,
        inputs=inputs,
        want=int(want[i]),
        got=int(got[i]),
        count=report.failed if single else _cases_failed(off, asked.calls),
        of=report.cases,
        flags=(cases.names[i],) if cases.names[i] else (),
        diagnosis=cause.diagnosis,
        digest=f"{digest(cases.taken(which).operands, got[off]):016X}",
        place=place,
        picture=grid(asked.shape.row, asked.shape.column, off, asked.shape.m) if place else (),
    )


def right_alone(
    session: Session, claim: Operation, op: Operation, case: Cases, column: int, n: int, want: Any
) -> bool | None:
    """Is one dot product right in a matrix product of one row and n columns?  None where that is not answered."""
    given = [case.a, np.repeat(case.b.T, n, axis=1), np.repeat(case.c[:, None], n, axis=1)]
    if case.scales:
        given += [case.scales[0], np.repeat(case.scales[1].T, n, axis=1)]
        given += [np.repeat(x[:, None], n, axis=1) for x in case.scales[2:]]
    try:
        ((got, _),) = session.ask(with_columns(with_length(claim), n), [(given, "plain")])
    except (Declined, Crashed, TimedOut):
        return None
    return not bool(wrong(op, got.reshape(1, n)[0, [column]], np.array([want])).any())


def plainest_of(op: Operation, cases: Cases, which: NDArray[np.intp]) -> int:
    """The case with the fewest products, finite, C short."""
    some = cases.taken(which)
    fa, fb, fc = map(get_format, (*op.operands, addend_type(op)))
    a, b, c = (values_of(x, f) for x, f in zip(some.operands, (fa, fb, fc)))
    odd = (~np.isfinite(a)).sum(axis=1) + (~np.isfinite(b)).sum(axis=1) + ~np.isfinite(c)
    products = ((a != 0) & (b != 0)).sum(axis=1) + (c != 0)
    bits = np.bitwise_count(some.a).sum(axis=1) + np.bitwise_count(some.b).sum(axis=1)
    bits = bits.astype(int) + np.bitwise_count(some.c)
    return int(which[np.lexsort((bits, products, odd > 0))[0]])


__all__ = ["differing", "expected", "judge_products", "plainest_of"]
