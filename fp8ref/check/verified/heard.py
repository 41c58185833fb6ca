"""What vectors hold of each operation, kept while they are verified, and the report on it that a check would give.

A vector file is an implementation that answers nothing but what it holds: the same wrong rules explain its answers.
What differs is decided by the verification alone, which excuses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected
from ...cases.operation import Operation
from ...cases.products.beside import without_amax
from ...cases.products.cases import Cases
from ...cases.products.exact import is_delivered
from ...cases.products.questions import has_addend, is_product
from ...cases.scaling.questions import is_scale
from ...vectors.section import Block as Written
from ...vectors.source import Found
from ...vectors.verify import EVERY_FLAG
from ..compare import Compared, digest
from ..diagnosis.diagnose import EVIDENCE, UNEXPLAINED, Cause, Diagnosis
from ..failing import Failing, keep
from ..finding import findings_of
from ..fits import fitting
from ..harness.limits import Limits
from ..harness.observe import LAYOUT_NAMES, Observations
from ..harness.outcomes import Answer, Call
from ..harness.transport import Declined, Hello, Session
from ..matrix import sums
from ..matrix.amax import amax_diagnosis
from ..matrix.amax_rules import Block
from ..matrix.causes import Asked, diagnose_products
from ..matrix.delivered import as_number, causes_of, plainest_row
from ..matrix.faults import Shape
from ..product_calls import FIRST
from ..verdict import Finding, Report, Verdict

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
MOST = 1 << 17  # cases of an operation on which causes are sought
IN_ALL = 1 << 20
FAULTS = {  # of the file itself: field -> rule, sentence
    "exact": ("exact-text", "the exact sum that is written is not that of the operands"),
    "bins": ("bins-text", "the bins that are written are not those of the case"),
}


@dataclass
class Part:
    """A piece of one operation: operands, answers, right answers, and which differ in which field."""

    operands: tuple[Codes, ...]
    got: Expected
    want: Expected
    wrong: dict[str, Mask]


@dataclass
class Heard:
    """The cases of every operation that was verified, up to bounds; call it with each piece."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    cases: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    kept: int = 0

    def __call__(self, piece: Found, want: Written, wrong: dict[str, Mask]) -> None:
        op, got = piece.section.operation, piece.block
        status = got.status
        if status is None and op.flags:
            op = replace(op, keys=tuple(pair for pair in op.keys if pair[0] != "flags"))
        elif status is not None and want.status is not None and piece.mask != EVERY_FLAG:
            status = status & np.uint8(piece.mask) | want.status & np.uint8(EVERY_FLAG & ~piece.mask)
        name = op.id
        self.operations[name] = op
        bad = np.logical_or.reduce(list(wrong.values())) if wrong else np.zeros(got.size, bool)
        before = self.cases.get(name, 0)
        self.cases[name] = before + got.size
        self.failed[name] = self.failed.get(name, 0) + int(bad.sum())
        here = np.arange(got.size)
        if before + got.size > MOST or self.kept + got.size > IN_ALL:
            here = np.flatnonzero(bad)[: max(0, 2 * MOST - before)]
        self.kept += here.size
        if here.size:
            self.parts.setdefault(name, []).append(
                Part(
                    tuple(x[here] for x in got.operands),
                    Expected(got.result[here], None if status is None else status[here], _some(got.amax, here)),
                    Expected(want.result[here], None if status is None else _some(want.status, here),
                             _some(want.amax, here)),
                    {key: mask[here] for key, mask in wrong.items()},
                )
            )  # fmt: skip

    def reports(self, nan: str = "class") -> list[Report]:
        """A report on each operation, in the order in which they came."""
        return [self._report(name, nan) for name in self.operations]

    def whole(self, name: str) -> Part | None:
        """What was kept of an operation."""
        parts = self.parts.get(name)
        if not parts:
            return None
        keys = dict.fromkeys(key for part in parts for key in part.wrong)
        wrong = {
            key: np.concatenate([part.wrong.get(key, np.zeros(len(part.got.codes), bool)) for part in parts])
            for key in keys
        }
        operands = tuple(np.concatenate(columns) for columns in zip(*(part.operands for part in parts)))
        return Part(operands, _joined([part.got for part in parts]), _joined([part.want for part in parts]), wrong)

    def _report(self, name: str, nan: str) -> Report:
        op, failed = self.operations[name], self.failed[name]
        report = Report(name, name, Verdict.FAIL if failed else Verdict.PASS, self.cases[name], failed)
        part = self.whole(name)
        if not failed or part is None:
            return report
        report.failing = Failing()
        answers = np.zeros(len(part.got.codes), bool)
        for key in ("result", "flags", "amax"):
            answers |= part.wrong.get(key, False)
        if answers.any():
            report.findings += _findings(op, part, answers, nan, report)
        for key, (rule, sentence) in FAULTS.items():
            mask = part.wrong.get(key, np.zeros(0, bool)) & ~answers if key in part.wrong else answers[:0]
            if mask.any():
                report.findings.append(_row(op, part, Cause(Diagnosis(rule, sentence), mask), report))
        return report


def _some(x: Codes | None, which: NDArray[np.intp]) -> Codes | None:
    return None if x is None else x[which]


def _joined(parts: Sequence[Expected]) -> Expected:
    status, amax = (
        np.concatenate([x for x in some if x is not None]) if all(x is not None for x in some) else None
        for some in ([part.status for part in parts], [part.amax for part in parts])
    )
    return Expected(np.concatenate([part.codes for part in parts]), status, amax)


class _Silent(Session):
    """Nobody is there to be asked again."""

    def __init__(self) -> None:
        self.connectable, self.limits, self.hello, self.mishaps = "", Limits(), Hello({}, ()), []

    def ask(self, op: Operation, calls: Sequence[Call]) -> list[Answer]:
        raise Declined("vectors answer what they hold")


def _findings(op: Operation, part: Part, wrong: Mask, nan: str, report: Report) -> list[Finding]:
    if is_product(op):
        causes = _causes(op, part, wrong, nan)
        return [_row(op, part, cause, report) for cause in causes]
    seen = Observations.of_one_call(part.operands, part.got.codes, part.got.status)
    judged = Compared(wrong, part.want, part.want, {}, {})
    flags = part.wrong.get("flags")
    fits = op.asked.mode is not None and not op.random_width and not is_scale(op) and (flags is None or not flags.any())
    fit = fitting(op, seen, nan) if fits else None
    known = fit.diagnosis() if fit is not None and fit.open else None
    found = findings_of(_Silent(), op, op, seen, judged, nan, report, known)
    return [replace(_cautious(one), length=1, position=0, layout="plain") for one in found]


def _cautious(finding: Finding) -> Finding:
    """A cause under a circumstance is named only where so many answers bear it out: a single one fits too many."""
    if not finding.diagnosis.where or finding.count >= EVIDENCE:
        return finding
    answers = "1 answer is" if finding.count == 1 else f"{finding.count} answers are"
    pattern = f"{answers} too little to name a cause"
    return replace(finding, diagnosis=Diagnosis(UNEXPLAINED, "", "", pattern))


def _causes(op: Operation, part: Part, wrong: Mask, nan: str) -> list[Cause]:
    """Of sums and products: a mistake that gives all answers, else causes as check finds them."""
    of_amax = part.wrong.get("amax")
    if of_amax is not None and of_amax.any() and part.got.amax is not None and part.want.amax is not None:
        block = Block(op, part.operands, part.got.codes, part.got.amax)
        of_d = part.wrong["result"]
        found = amax_diagnosis(op, [block], [part.want.amax], [of_amax], nan, bool(of_d.any()))
        bare = replace(part, got=replace(part.got, amax=None), wrong={"result": of_d})
        more = _causes(without_amax(op), bare, of_d, nan) if of_d.any() else []
        return [*more, Cause(found, of_amax)]
    mistakes = sums.mistakes_in(op, part.operands, part.got)
    if mistakes:
        first, *others = mistakes
        fits = tuple(one.name for one in others if one.name != first.name)
        return [Cause(Diagnosis(first.name, first.sentence, fits=fits), wrong)]
    if is_delivered(op):
        return causes_of(op, part.operands, part.got, part.want, wrong, nan)
    a, b, *rest = part.operands
    c = rest.pop(0) if has_addend(op) else np.zeros(len(a), np.uint32)
    n = np.arange(len(a))
    shape = Shape(0 * n, n, 0 * n, 0 * n + len(a), 0 * n + 1)
    asked = Asked(op, Cases(a, b, c, ("",) * len(a), tuple(rest)), part.got.codes, np.full(len(a), FIRST), shape)
    return diagnose_products(asked, wrong, part.want.codes)


def _row(op: Operation, part: Part, cause: Cause, report: Report) -> Finding:
    """A finding shown by its plainest case; its wrong answers are kept."""
    which = np.flatnonzero(cause.wrong)
    n = np.arange(len(cause.wrong))
    assert report.failing is not None
    where = (n, 0 * n, 0 * n + 1, 0 * n)
    keep(report.failing, op, part.operands, part.want.codes, part.got.codes, cause.wrong, str(cause.diagnosis), where,
         LAYOUT_NAMES)  # fmt: skip
    i = int(which[plainest_row([x[which] for x in part.operands])])
    got, want = part.got, part.want
    return Finding(
        op=op.id,
        inputs=tuple(int(code) for x in part.operands for code in np.atleast_1d(x[i])),
        want=as_number(want.codes[i]),
        got=as_number(got.codes[i]),
        count=which.size,
        of=report.cases,
        flags=(),
        diagnosis=cause.diagnosis,
        want_status=None if want.status is None else int(want.status[i]),
        got_status=None if got.status is None else int(got.status[i]),
        digest=f"{digest([x[which] for x in part.operands], got.codes[which]):016X}",
        want_amax=None if want.amax is None else int(want.amax[i]),
        got_amax=None if got.amax is None else int(got.amax[i]),
    )


def is_explained(report: Report) -> bool:
    """Has every wrong answer a named cause?"""
    return all(finding.diagnosis.rule != UNEXPLAINED for finding in report.findings)
