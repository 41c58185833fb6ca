"""The finding of wrong answers: why, and the one that a person reads most easily."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import expect
from ..cases.flags import flags_of, operand_parts
from ..cases.operation import Operation
from ..cases.scaling.questions import is_scale
from .compare import Compared, compared
from .diagnosis.diagnose import diagnose
from .diagnosis.scaling import plainest
from .harness.observe import LAYOUT_NAMES, Observations
from .harness.transport import Crashed, Declined, Session, TimedOut
from .verdict import Finding, Report

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


def finding_of(
    session: Session,
    claim: Operation,
    op: Operation,
    seen: Observations,
    judged: Compared,
    nan: str,
    report: Report,
) -> Finding:
    """Why answers are wrong, and the case that shows it best."""
    diagnosis = diagnose(op, seen, judged.reference, judged.wrong)
    chosen = _smallest(op, seen, judged.wrong)
    x = [codes[seen.case[chosen]] for codes in seen.operands]
    alone = _alone(session, claim, op, x, nan, report.chosen)
    one = [np.array([code]) for code in x]
    carried = sorted(name for name, there in flags_of(op, one).items() if there[0])
    expected = expect(op, one)
    return Finding(
        op=op.id,
        inputs=tuple(_bits(code) for codes in x for code in np.atleast_1d(codes)),
        want=_bits(judged.want.codes[chosen]),
        got=_bits(seen.got[chosen]),
        count=report.failed,
        of=report.cases,
        flags=tuple(carried),
        diagnosis=diagnosis,
        length=1 if alone else int(seen.length[chosen]),
        position=0 if alone else int(seen.position[chosen]),
        layout="plain" if alone else LAYOUT_NAMES[seen.layout[chosen]],
        want_status=None if expected.status is None else int(expected.status[0]),
        got_status=None if seen.status is None else int(seen.status[chosen]),
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
