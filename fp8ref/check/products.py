"""Judging dot and matrix products: exact, equal to a model, inside the error bound of a class, or outside.

A claimed model must give every answer.  Where the mode is free, the catalogue is searched; an implementation that
equals no model is allowed where it keeps inside a bound of the literature, by the bound's name, and fails where it does
not: no standard says in which order a sum is formed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import expect, is_nan
from ..cases.operation import ANY_MODE, Operation
from ..cases.products.bounds import BOUNDS, Bound
from ..cases.products.cases import Cases, codes_of, dot_cases, values_of
from ..cases.products.questions import (
    WITHIN,
    addend_type,
    bound_of,
    length,
    model_of,
    scale_type,
    under,
    with_length,
)
from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.matrix.accumulate import Fused
from .compare import digest
from .diagnosis.diagnose import UNEXPLAINED, Diagnosis
from .fits import Fitting, fitting_products, leave_open
from .harness.transport import Session
from .identify.accumulators import (
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
from .identify.fitting import SPECIAL
from .matrix.bounds import farthest, outside
from .product_calls import FIRST, ask
from .variations.settle import as_exact_sums, settle
from .verdict import Finding, Report, Verdict

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
    cases = dot_cases(op, level, seed) if plan is None else plan
    found = ask(session, op, cases, seed, replay=plan is not None, advance=advance)
    asked, got, calls, sizes = found.joined()
    report.declines = str(found.declines)
    report.cases = int((calls == FIRST).sum()) or got.size
    if op.mode == ANY_MODE:
        op = _find(op, asked, got)
        report.op = op.id
    fit = fitting_products(under(op, "exact"), asked, got) if report.asked or report.declines else Fitting(())
    if fit.open and claim.mode == ANY_MODE:
        leave_open(report, fit)
        return
    if bound_of(op) is not None or op.mode == ANY_MODE:
        _judge_bound(op, claim, asked, got, calls, report)
        return
    settled = settle(op, asked.operands, got, expected(op, asked))
    want, report.chosen = settled.want, settled.chosen
    report.allowed.update((name, _cases_failed(off, calls)) for name, off in settled.allowed.items())
    off = differing(op, got, want, nan)
    report.failed = _cases_failed(off, calls)
    if off.any():
        report.verdict = Verdict.FAIL
        diagnosis = fit.diagnosis() if fit.open else diagnose_products(op, asked, got, off, calls, sizes)
        report.findings.append(_finding(op, asked, got, want, off, diagnosis, report))


@exact_floats
def expected(op: Operation, cases: Cases) -> Codes:
    """The reference's answers to a product with a definite mode."""
    return expect(replace(op, family="dot"), cases.operands).codes  # the cases of matmul are laid out so, too


def differing(op: Operation, got: Codes, want: Codes, nan: str) -> Mask:
    return wrong(op, got, want) if nan == "class" else np.asarray(got != want)


def _cases_failed(off: Mask, calls: NDArray[np.str_]) -> int:
    first = int(off[calls == FIRST].sum())
    return first or int(off.sum())


# -- free modes -------------------------------------------------------------------------------------------------------
def _find(op: Operation, cases: Cases, got: Codes) -> Operation:
    """The first catalogued behaviour that gives every answer; else the tightest bound that holds; else still free."""
    as_exact = as_exact_sums(op, cases, got)
    for h in catalogue(op):
        if agrees(op, got if h.model else as_exact, h, cases):
            return under(op, h.name if h.model is not None or h.name == "exact" else f"{h.name}.nonsat")
    for bound in _own_bounds(op):
        if not outside(op, bound, cases, got).any():
            return under(op, WITHIN + bound.name)
    return op


def _by_strength(bound: Bound) -> tuple[float, bool]:
    return bound.u, bound.fixed is not None


def _own_bounds(op: Operation) -> list[Bound]:
    """The bounds of sums that keep the bits of the result's own format, tightest first.

    Weaker ones hold of an implementation that claims them; they are found for none.
    """
    own = 2.0 ** (1 - get_format(op.result).p)
    return sorted((b for b in BOUNDS.values() if b.u <= own), key=_by_strength)


def _judge_bound(
    op: Operation,
    claim: Operation,
    cases: Cases,
    got: Codes,
    calls: NDArray[np.str_],
    report: Report,
) -> None:
    """Allowed inside the bound, where the answer is not the exact one; a failure outside."""
    bound = bound_of(op) or _own_bounds(op)[-1]
    off = outside(op, bound, cases, got)
    want = answers(op, Hypothesis("exact", None), cases)
    first = calls == FIRST
    if off.any():
        report.failed = _cases_failed(off, calls)
        report.verdict = Verdict.FAIL
        diagnosis = _outside_diagnosis(op, bound, cases, got, off)
        report.findings.append(_finding(op, cases, got, want, off, diagnosis, report))
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


# -- why --------------------------------------------------------------------------------------------------------------
RULES = {
    "fraction_bits": "keeps {} fraction bits instead of {}",
    "cut": "rounds by {} at alignment instead of {}",
    "precision": "keeps {} bits of the sum instead of {}",
    "rounding": "rounds the sum by {} instead of {}",
}


def _ones(f: Format, like: Codes) -> Codes:
    return np.full_like(like, codes_of(np.array([1.0]), f)[0])


def _finite(f: Format, codes: Codes) -> Codes:
    largest = codes.dtype.type(f.max_code)
    return np.where(is_nan(codes, f.name), largest, codes)


SCALE_MISTAKES: dict[str, tuple[str, Callable[[Format, Codes, Codes], tuple[Codes, Codes]]]] = {
    "scale-a-ignored": ("the scales of a are not used", lambda f, a, b: (_ones(f, a), b)),
    "scale-b-ignored": ("the scales of b are not used", lambda f, a, b: (a, _ones(f, b))),
    "scales-ignored": ("scales are not used", lambda f, a, b: (_ones(f, a), _ones(f, b))),
    "scale-first-block": ("the first scale serves every block", lambda f, a, b: (0 * a + a[:, :1], 0 * b + b[:, :1])),
    "scale-blocks-reversed": ("blocks take each other's scales", lambda f, a, b: (a[:, ::-1], b[:, ::-1])),
    "scale-a-blocks-rotated": ("blocks of a take the scale before theirs", lambda f, a, b: (np.roll(a, 1, axis=1), b)),
    "scale-b-blocks-rotated": ("blocks of b take the scale before theirs", lambda f, a, b: (a, np.roll(b, 1, axis=1))),
    "scale-nan-finite": ("a NaN scale counts as the largest", lambda f, a, b: (_finite(f, a), _finite(f, b))),
}


def diagnose_products(
    op: Operation, cases: Cases, got: Codes, off: Mask, calls: NDArray[np.str_], sizes: NDArray[np.int64]
) -> Diagnosis:
    """The other model, or the one changed parameter, that gives every answer; else what the wrong ones share."""
    declared = model_of(op)
    if isinstance(declared, Fused):
        for parameter in PARAMETERS:
            for value, other in alternatives(declared, parameter, orders(length(op))):
                if agrees(op, got, other, cases):
                    return Diagnosis(f"unit-{parameter.replace('_', '-')}", _changed(declared, parameter, value))
    for h in catalogue(op):
        if agrees(op, got, h, cases):
            return Diagnosis(f"model-{h.name}", f"the answers are those of {h.name}")
    for name, (sentence, change) in SCALE_MISTAKES.items() if scale_type(op) else ():
        pair = change(get_format(scale_type(op) or ""), *cases.scales[:2])
        changed = replace(cases, scales=(*pair, *cases.scales[2:]))
        if not wrong(op, got, expected(op, changed)).any():
            return Diagnosis(name, sentence)
    return Diagnosis(UNEXPLAINED, "", pattern=_pattern(op, cases, off, calls, sizes))


def _changed(model: Fused, parameter: str, value: Any) -> str:
    if parameter == "c_last":
        return "C is added last" if value else "C joins the first step"
    if parameter == "order":
        return f"another order over K: steps of {value.widest} products in instructions of {value.k}, not " \
               f"{order_of(model).widest} in {model.k}"  # fmt: skip
    own = model.precision or model.format.p if parameter == "precision" else getattr(model, parameter)
    return RULES[parameter].format(getattr(value, "value", value), getattr(own, "value", own))


def _pattern(op: Operation, cases: Cases, off: Mask, calls: NDArray[np.str_], sizes: NDArray[np.int64]) -> str:
    parts = [f"{int(off.sum())} of {off.size} answers"]
    kinds = sorted({cases.names[i] for i in np.flatnonzero(off)})
    if set(kinds) <= set(SPECIAL):
        parts.append("only " + ", ".join(kinds))
    if not off[calls == FIRST].any():
        parts.append("only in calls of " + ", ".join(sorted(set(calls[off]))))
        parts.append(f"of {int(sizes[off].min())} cases or more")
    for name, codes, other in (("a", cases.a, cases.b), ("b", cases.b, cases.a)):
        places = np.flatnonzero(((codes != 0) & (other != 0))[off].all(axis=0))
        if 0 < places.size <= 4 and length(op) > 4:
            parts.append(f"all with {name} at k = {', '.join(map(str, places))}")
            break
    return "; ".join(parts)


def _finding(
    op: Operation,
    cases: Cases,
    got: Codes,
    want: Codes,
    off: Mask,
    diagnosis: Diagnosis,
    report: Report,
) -> Finding:
    i = simplest(op, cases, np.flatnonzero(off))
    inputs = tuple(int(code) for codes in cases.operands for code in np.atleast_1d(codes[i]))
    return Finding(
        op=op.id,
        inputs=inputs,
        want=int(want[i]),
        got=int(got[i]),
        count=report.failed,
        of=report.cases,
        flags=(cases.names[i],) if cases.names[i] else (),
        diagnosis=diagnosis,
        digest=f"{digest(cases.taken(np.flatnonzero(off)).operands, got[off]):016X}",
    )


def simplest(op: Operation, cases: Cases, which: NDArray[np.intp]) -> int:
    """The case with the fewest products, finite, C short."""
    some = cases.taken(which)
    fa, fb, fc = map(get_format, (*op.operands, addend_type(op)))
    a, b, c = (values_of(x, f) for x, f in zip(some.operands, (fa, fb, fc)))
    odd = (~np.isfinite(a)).sum(axis=1) + (~np.isfinite(b)).sum(axis=1) + ~np.isfinite(c)
    products = ((a != 0) & (b != 0)).sum(axis=1) + (c != 0)
    bits = np.bitwise_count(some.a).sum(axis=1) + np.bitwise_count(some.b).sum(axis=1)
    bits = bits.astype(int) + np.bitwise_count(some.c)
    return int(which[np.lexsort((bits, products, odd > 0))[0]])


__all__ = ["differing", "expected", "judge_products"]
