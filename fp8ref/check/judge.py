"""Judging one operation: ask, find the behaviour where it is free, compare, excuse, shrink, diagnose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import expect, modes
from ..cases.flags import flags_of, operand_parts
from ..cases.operation import ANY_MODE, INTEGERS, Operation, default_mode
from ..cases.products.beside import has_amax
from ..cases.products.questions import is_product
from ..cases.scaling.questions import as_recipe, is_recipe, is_scale
from ..cases.selection import cases
from ..spec.profiles.catalog import profiles_meeting
from .compare import Options, compare, compared
from .failing import Failing
from .finding import findings_of
from .fits import Fitting, alike, fitting, fitting_recipes, leave_open
from .harness.capturing import captured, captured_cases
from .harness.observe import Observations, observe
from .harness.transport import Declined, Session
from .identify.recipes import find_recipe
from .matrix.amax import judge_amax
from .products import judge_products
from .stochastic.frequencies import judge_frequencies
from .sweep import add, diagnose_sweep, sweep, sweep_shards
from .verdict import Report, Verdict, misbehaviour

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
SAMPLE = 1 << 13  # cases on which behaviours are sorted out first
FEW_TUPLES = 1021  # the same for several operands; a prime, so that neighbours differ in every operand


def judge(session: Session, claim: Operation, options: Options) -> Report:
    """The report on one claimed operation, its sweep included."""
    report = judge_cases(session, claim, options)
    found = [sweep(session, report, options, *shard) for shard in sweep_shards(report, options, session.connectable)]
    for swept in found:
        add(report, swept)
    if kept := [swept.kept for swept in found if swept.kept is not None]:
        diagnose_sweep(session, report, options, kept)
    return conclude(report)


def judge_cases(session: Session, claim: Operation, options: Options) -> Report:
    """The report on the cases of the plan, before any sweep: its verdict may yet become worse."""
    report = Report(claim.id, claim.id, Verdict.PASS, failing=Failing() if options.cases else None)
    with misbehaviour(session, report):
        _judge(session, claim, options, report)
    return report


def _judge(session: Session, claim: Operation, options: Options, report: Report) -> None:
    capture = captured(session.connectable)
    if capture is not None and not capture.count:
        raise Declined("the capture holds no cases")
    if capture is not None:
        report.asked = "captured"
    rounding = (claim.mode or "").partition(".")[0]
    if claim.asked.mode == "projection" and rounding.startswith("sr-") and not claim.random_width:
        if capture is not None or claim.asked.kind != "convert" or claim.operands[0] in INTEGERS or claim.flags:
            raise Declined(
                f"{rounding} depends on random bits: conversions of floats alone are asked how often they go up"
            )
        judge_frequencies(session, claim, options.seed, report)
        return
    if is_product(claim):
        plan = None if capture is None else captured_cases(capture)
        judging = judge_amax if has_amax(claim) else judge_products
        judging(session, claim, options.level, options.seed, options.nan, report, plan)
        return
    definite = default_mode(claim)
    asked = cases(definite, options.level, options.seed) if capture is None else list(capture.operands)
    if options.flag:
        kept = flags_of(definite, asked)[options.flag]
        asked = [codes[kept] for codes in asked]
        report.asked = f"--flag {options.flag}"
    seen = observe(session, claim, asked, options.level, options.seed)
    op = claim if claim.mode != ANY_MODE else _find_mode(claim, seen, options.nan, report)
    report.op = op.id
    judged = compare(op, seen, options.nan, report)
    part = bool(report.asked or report.declines)
    found = Fitting(())
    if part and is_recipe(claim):
        found = fitting_recipes(claim, seen, options.nan) if claim.mode == ANY_MODE and not report.failed else found
    elif part and claim.asked.mode is not None and not claim.random_width:
        found = fitting(claim, seen, options.nan)
    if report.failed:
        known = found.diagnosis() if found.open else None
        report.findings += findings_of(session, claim, op, seen, judged, options.nan, report, known)
    elif found.open:
        leave_open(report, found)


def _find_mode(claim: Operation, seen: Observations, nan: str, report: Report) -> Operation:
    """The behaviour that all first answers equal; failing that, the one with the fewest mismatches."""
    got = seen.got[seen.first]
    if is_recipe(claim):
        found = find_recipe(claim, seen.operands, got, nan)
        report.profiles, report.alike = found.names, found.also
        return claim.with_mode(found.mode)
    deciding = _deciding(claim, seen.operands)

    def mismatches(op: Operation, some: Any) -> int:
        operands = [codes[some] for codes in seen.operands]
        want = expect(replace(op, keys=quiet), operands)
        return int(compared(op, operands, got[some], None, want, nan).wrong.sum())

    quiet = tuple(pair for pair in claim.keys if pair[0] != "flags")
    scored: list[tuple[int, Operation]] = []
    for mode in modes(claim):
        op = claim.with_mode(mode)
        first = mismatches(op, deciding)
        if first == 0 and mismatches(op, slice(None)) == 0:
            report.alike = alike(op, seen.operands)
            return op
        scored.append((first, op))
    if is_scale(claim) and (recipe := as_recipe(claim)) is not None:
        found = find_recipe(recipe, seen.operands, got, nan, deep=False)
        if not found.wrong:
            report.profiles, report.alike = found.names, found.also
            return recipe.with_mode(found.mode)
    least = min(first for first, _ in scored)
    return min((op for first, op in scored if first == least), key=lambda op: mismatches(op, slice(None)))


def _deciding(op: Operation, operands: Sequence[Codes]) -> NDArray[np.intp]:
    """Cases that decide the mode.

    Of one operand: infinities, NaNs, and values so short that no detour through another format changes them.  Of
    several: some, far apart.
    """
    if len(operands) > 1 or op.asked.kind != "convert":
        return np.unique(np.linspace(0, len(operands[0]) - 1, FEW_TUPLES).astype(np.intp))
    (x,) = operand_parts(op, operands)
    lowest = x.sig & (~x.sig + np.uint64(1))
    short = x.sig < lowest << np.uint64(op.result_format.p + 2)
    simple = np.flatnonzero(short | (x.sig == 0) | x.nan | x.infinite)
    return simple[:: max(1, simple.size // SAMPLE)]


def conclude(report: Report) -> Report:
    """The report with its verdict, the counts of its finding, and the profiles it meets.

    One that crashed or hung now and then, and answered when it was asked again, does not pass; a fault stays a fault.
    """
    op = Operation.parse(report.op)
    if report.mishaps and not report.reason:
        report.reason = "; ".join(dict.fromkeys(str(mishap) for mishap in report.mishaps[:3]))
        if report.verdict in (Verdict.PASS, Verdict.ALLOWED) and not report.failed:
            hung = all(mishap.kind == "timeout" for mishap in report.mishaps)
            report.verdict = Verdict.TIMEOUT if hung else Verdict.CRASH
    if not is_product(op) and len(report.findings) == 1:
        report.findings = [
            replace(found, count=report.failed, of=report.cases, digest=f"{report.digest:016X}")
            for found in report.findings
        ]
    if report.verdict is not Verdict.PASS:
        return report
    if report.failed:
        report.verdict = Verdict.FAIL
        return report
    if report.allowed:
        report.verdict = Verdict.ALLOWED
    elsewhere = any(name.startswith(("unsigned-negative", "documented-via")) for name in report.chosen)
    if op.asked.kind == "convert" and not report.fits and not elsewhere:
        report.profiles = profiles_meeting(op.operands[0], op.result, op.projection)
    return report
