"""Judging exact sums as units deliver them: with status, without C, in fixed point.

The operation says every choice; what it leaves open (the sign of a sum of -0) is settled as for other operations.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, differs, expect
from ...cases.operation import Operation
from ...cases.products.cases import Cases, handed
from ...vectors.coverage.dot_samplers import sum_cases
from ..compare import Compared, compared, digest
from ..diagnosis.diagnose import UNEXPLAINED, Cause, Diagnosis
from ..diagnosis.rule import Rule
from ..failing import keep
from ..harness.declines import Declines
from ..harness.observe import LAYOUT_NAMES
from ..harness.transport import Declined, Session
from ..product_calls import FIRST, calls_of
from ..verdict import Finding, Report, Verdict
from .sum_rules import sum_rules

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
MOST_CAUSES = 4
SAMPLE = 64  # wrong answers on which a mistake is tried first


@dataclass(frozen=True)
class _Seen:
    """Answers: of which case, in which call (its kind, its length, the place in it), codes and status."""

    case: NDArray[np.intp]
    call: NDArray[np.str_]
    length: NDArray[np.intp]
    place: NDArray[np.intp]
    got: Codes
    status: Codes | None


def judge_delivered(
    session: Session,
    op: Operation,
    level: int,
    seed: int,
    nan: str,
    report: Report,
    plan: Cases | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> None:
    """Ask sums with status, without C or in fixed point, and write the verdict into the report."""
    operands, names = sum_cases(op, level, seed) if plan is None else (handed(op, plan), plan.names)
    seen = _ask(session, op, operands, seed, report, replay=plan is not None, advance=advance)
    inputs = [codes[seen.case] for codes in operands]
    found = compared(op, inputs, seen.got, seen.status, expect(op, operands).taken(seen.case), nan)
    first = seen.call == FIRST
    report.cases = int(first.sum()) or seen.got.shape[0]
    report.failed = _count(found.wrong, seen)
    report.chosen = found.chosen
    for name, mask in found.allowed.items():
        excused = np.unique(seen.case[mask & ~found.wrong])
        if excused.size:
            report.allowed[name] = int(excused.size)
    if not found.wrong.any():
        return
    report.verdict = Verdict.FAIL
    causes = _causes(op, inputs, seen, found, nan)
    if report.failing is not None:
        where = (np.arange(len(seen.case)), seen.place, seen.length, np.zeros(len(seen.case), int))
        for cause in causes:
            keep(report.failing, op, inputs, found.want.codes, seen.got, cause.wrong, str(cause.diagnosis), where,
                 LAYOUT_NAMES)  # fmt: skip
    report.findings += [_finding(op, names, inputs, seen, found, cause, report, len(causes) == 1) for cause in causes]


def _ask(
    session: Session,
    op: Operation,
    operands: Sequence[Codes],
    seed: int,
    report: Report,
    *,
    replay: bool,
    advance: Callable[[int], None],
) -> _Seen:
    """Every case; some again in short calls and odd layouts, and in the same order once more."""
    declines = Declines("rows")
    parts: list[tuple[NDArray[np.intp], str, Codes, Codes | None]] = []
    rng = np.random.default_rng([seed, len(operands[0])])
    for which, layout, call in calls_of(op, len(operands[0]), rng, replay):
        (answer,) = session.ask_each(op, [([codes[which] for codes in operands], layout)])
        declined = answer if isinstance(answer, Declined) else None
        declines.note(which.size, layout, declined)
        if not isinstance(answer, Declined) and which.size:
            codes, status = answer
            parts.append((which, call, codes.copy(), None if status is None else status.copy()))
        advance(which.size)
    declines.require_an_answer()
    report.declines = str(declines)
    sizes = [which.size for which, *_ in parts]
    return _Seen(
        np.concatenate([which for which, *_ in parts]),
        np.repeat([call for _, call, *_ in parts], sizes),
        np.repeat(sizes, sizes),
        np.concatenate([np.arange(size) for size in sizes]),
        np.concatenate([codes for *_, codes, _ in parts]),
        np.concatenate([status for *_, status in parts if status is not None]) if op.flags else None,
    )


def _count(wrong: Mask, seen: _Seen) -> int:
    return np.unique(seen.case[wrong]).size


# -- why --------------------------------------------------------------------------------------------------------------
def _causes(op: Operation, inputs: Sequence[Codes], seen: _Seen, found: Compared, nan: str) -> list[Cause]:
    """Mistakes that predict the wrong answers, those that miss none before others; last what none explains."""
    bad = np.flatnonzero(found.wrong)
    some = bad[:: -(-bad.size // SAMPLE)]
    hopeful = {rule.name for rule, missed in _tried(op, inputs, seen, found, nan, some) if not missed.all()}
    scored = []
    for rule, missed in _tried(op, inputs, seen, found, nan, np.arange(len(seen.case)), hopeful):
        explained = found.wrong & ~missed
        if explained.any():
            scored.append((int((missed & ~found.wrong).sum()), rule, explained))
    causes: list[Cause] = []
    left = found.wrong.copy()
    while left.any() and scored and len(causes) < MOST_CAUSES:
        elsewhere, rule, explained = min(scored, key=lambda one: (one[0] > 0, -int((one[2] & left).sum()), one[0]))
        here = explained & left
        if not here.any():
            break
        where = "at some of the places where it shows" if elsewhere else ""
        alike = [
            r.name for n, r, e in scored if r is not rule and n == elsewhere and not ((e ^ explained) & left).any()
        ]
        causes.append(Cause(Diagnosis(rule.name, rule.sentence, where, fits=tuple(alike)), here))
        left &= ~here
        scored = [one for one in scored if one[1] is not rule]
    if left.any():
        causes.append(Cause(Diagnosis(UNEXPLAINED, "", "", _pattern(found, seen, left)), left))
    return causes


def causes_of(
    op: Operation, operands: Sequence[Codes], got: Expected, want: Expected, wrong: Mask, nan: str
) -> list[Cause]:
    """The causes of wrong answers that stand in one call."""
    n = np.arange(len(got.codes))
    seen = _Seen(n, np.full(n.size, FIRST), 0 * n + n.size, n, got.codes, got.status)
    return _causes(op, operands, seen, Compared(wrong, want, want, {}, {}), nan)


def _tried(
    op: Operation, inputs: Sequence[Codes], seen: _Seen, found: Compared, nan: str, some: NDArray[np.intp],
    names: Container[str] | None = None,
) -> Iterator[tuple[Rule, Mask]]:  # fmt: skip
    """Every mistake, or those named, and which of some answers it misses."""
    right = found.want.taken(some)
    for rule in sum_rules(op, [codes[some] for codes in inputs], right):
        if names is not None and rule.name not in names:
            continue
        try:
            predicted = rule.predicted()
        except (NotImplementedError, ValueError, IndexError):
            continue
        missed = differs(op, seen.got[some], predicted.codes, nan)
        if seen.status is not None and predicted.status is not None:
            missed = missed | (seen.status[some] != predicted.status)
        yield rule, missed


def _pattern(found: Compared, seen: _Seen, left: Mask) -> str:
    said = [f"{int(left.sum())} of {left.size} answers"]
    if seen.status is not None and found.want.status is not None:
        of_status = left & (seen.status != found.want.status)
        if of_status.sum() == left.sum():
            said.append("the status is wrong in all of them")
    if not left[seen.call == FIRST].any():
        said.append("only in calls of " + ", ".join(sorted(set(seen.call[left]))))
    return "; ".join(said)


def _finding(
    op: Operation, names: Sequence[str], inputs: Sequence[Codes], seen: _Seen, found: Compared, cause: Cause,
    report: Report, single: bool,
) -> Finding:  # fmt: skip
    which = np.flatnonzero(cause.wrong)
    i = int(which[_plainest([codes[which] for codes in inputs], seen.length[which])])
    want = found.want
    name = names[seen.case[i]]
    return Finding(
        op=op.id,
        inputs=tuple(int(code) for codes in inputs for code in np.atleast_1d(codes[i])),
        want=as_number(want.codes[i]),
        got=as_number(seen.got[i]),
        count=report.failed if single else _count(cause.wrong, seen),
        of=report.cases,
        flags=(name,) if name else (),
        diagnosis=cause.diagnosis,
        want_status=None if want.status is None else int(want.status[i]),
        got_status=None if seen.status is None else int(seen.status[i]),
        digest=f"{digest([codes[which] for codes in inputs], seen.got[which]):016X}",
    )


def as_number(code: Any) -> int:
    """A code; of several words of 64 bits, the highest first, the number that they write."""
    return int.from_bytes(np.atleast_1d(code).astype(">u8").tobytes(), "big")


def plainest_row(inputs: Sequence[Codes]) -> int:
    """The same of cases in one call."""
    return _plainest(inputs, np.ones(len(inputs[0]), np.intp))


def _plainest(inputs: Sequence[Codes], length: NDArray[np.intp]) -> int:
    """The case in the shortest call with the fewest codes other than 0, and of these the one with the fewest bits."""
    rows = [codes.reshape(len(length), -1) for codes in inputs]
    there = np.add.reduce([(codes != 0).sum(axis=1) for codes in rows])
    bits = np.add.reduce([np.bitwise_count(codes).sum(axis=1, dtype=int) for codes in rows])
    return int(np.lexsort((bits, there, length > length.min()))[0])
