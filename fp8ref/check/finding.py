"""The findings of wrong answers: why, and the one that a person reads most easily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected, expect
from ..cases.flags import flags_of, operand_parts
from ..cases.operation import Operation
from ..cases.scaling.questions import is_scale
from .compare import Compared, compared, digest
from .diagnosis.diagnose import Cause, Diagnosis, diagnose
from .diagnosis.scaling import plainest
from .failing import keep, picture
from .harness.observe import LAYOUT_NAMES, Observations
from .harness.transport import Crashed, Declined, Session, TimedOut
from .variations.catalog import promised
from .verdict import Finding, Report

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


def findings_of(
    session: Session,
    claim: Operation,
    op: Operation,
    seen: Observations,
    judged: Compared,
    nan: str,
    report: Report,
    known: Diagnosis | None = None,
) -> list[Finding]:
    """A finding for each cause of the wrong answers, the severest first, each with its own smallest case.

    ``known``: the one diagnosis that they have.
    """
    if known is not None:
        causes = [Cause(known, judged.wrong)]
    else:
        asked, reference = promised(op, judged.chosen), judged.reference
        if asked != op:  # wrong rules answer the open question as the implementation does
            reference = expect(asked, [codes[seen.case] for codes in seen.operands])
        causes = diagnose(asked, seen, reference, judged.wrong, nan)
    if report.failing is not None:
        where = (seen.case, seen.position, seen.length, seen.layout)
        for cause in causes:
            said = str(cause.diagnosis)
            keep(report.failing, op, seen.operands, judged.want.codes, seen.got, cause.wrong, said, where, LAYOUT_NAMES)
    return [_finding(session, claim, op, seen, judged.want, cause, nan, report, len(causes) == 1) for cause in causes]


def _finding(
    session: Session, claim: Operation, op: Operation, seen: Observations, want: Expected, cause: Cause, nan: str,
    report: Report, single: bool,
) -> Finding:  # fmt: skip
    chosen = _smallest(op, seen, cause.wrong)
    x = [codes[seen.case[chosen]] for codes in seen.operands]
    alone = _alone(session, claim, op, x, nan, report.chosen)
    one = [np.array([code]) for code in x]
    carried = sorted(name for name, there in flags_of(op, one).items() if there[0])
    expected = expect(op, one)
    bad, where = np.unique(seen.case[cause.wrong], return_index=True)
    first = np.flatnonzero(cause.wrong)[where]
    return Finding(
        op=op.id,
        inputs=tuple(_bits(code) for codes in x for code in np.atleast_1d(codes)),
        want=_bits(want.codes[chosen]),
        got=_bits(seen.got[chosen]),
        count=report.failed if single else bad.size,
        of=report.cases,
        flags=tuple(carried),
        diagnosis=cause.diagnosis,
        length=1 if alone else int(seen.length[chosen]),
        position=0 if alone else int(seen.position[chosen]),
        layout="plain" if alone else LAYOUT_NAMES[seen.layout[chosen]],
        want_status=None if expected.status is None else int(expected.status[0]),
        got_status=None if seen.status is None else int(seen.status[chosen]),
        picture=picture(op, seen.operands, seen.case, cause.wrong),
        digest="" if single else f"{digest([codes[bad] for codes in seen.operands], seen.got[first]):016X}",
    )


def _bits(code: Any) -> int:
    """A code as an unsigned number; an integer as its two's complement; a row of bytes as the number they write."""
    if code.ndim:
        return int.from_bytes(code.tobytes(), "big")
    return int(code.view(f"u{code.dtype.itemsize}"))


def hexadecimal(code: Any) -> str:
    """A code as it is written: all digits of its carrier."""
    return f"{_bits(code):0{2 * (code.nbytes if code.ndim else code.dtype.itemsize)}X}"


def _smallest(op: Operation, seen: Observations, wrong: Mask) -> int:
    """The wrong answer that a person reads most easily."""
    bad = np.flatnonzero(wrong)
    operands = [codes[seen.case[bad]] for codes in seen.operands]
    if is_scale(op):
        return int(bad[plainest(op, operands)])
    return int(bad[reading_order(op, operands, seen.case[bad], seen.length[bad], seen.layout[bad])[0]])


def reading_order(
    op: Operation, operands: list[Codes], case: Codes | None = None, length: Codes | None = None,
    layout: Codes | None = None,
) -> NDArray[np.intp]:  # fmt: skip
    """Cases in the order in which a person reads them most easily: finite, few significand bits, near 1, positive."""
    parts = operand_parts(op, operands)
    special = np.add.reduce([x.nan.astype(int) + x.infinite for x in parts])
    bits = np.add.reduce([np.bitwise_count(x.sig).astype(int) for x in parts])
    exponent = np.add.reduce([np.abs(x.exp) for x in parts])
    negative = np.add.reduce([x.negative.astype(int) for x in parts])
    keys = (case, length, negative, exponent, bits, layout, special)
    return np.lexsort([key for key in keys if key is not None])


def _alone(
    session: Session, claim: Operation, op: Operation, x: Sequence[Any], nan: str, chosen: Mapping[str, str]
) -> bool:
    """Is the answer wrong in a call of this one case, too?"""
    one = [np.array([code]) for code in x]
    try:
        ((got, status),) = session.ask(claim, [(one, "plain")])
    except (Declined, Crashed, TimedOut):
        return False
    return bool(compared(op, one, got.copy(), status, expect(op, one), nan, chosen).wrong[0])
