"""Which answers are wrong: each compared with the reference's, and excused where a variation names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected, differs, expect
from ..cases.operation import Operation
from .harness.observe import Observations
from .variations import excused, excused_status
from .verdict import Report

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Options:
    """How thoroughly to ask and how strictly to compare."""

    level: int = 1
    seed: int = 0
    nan: str = "class"
    flag: str = ""  # ask only cases that carry this flag


def wrong_answers(
    op: Operation, operands: Sequence[Codes], got: Codes, status: Codes | None, want: Expected, nan: str
) -> tuple[Mask, dict[str, int]]:
    """Which answers are wrong, and how many mismatches each variation allows."""
    wrong = differs(op, got, want.codes, nan)
    if not wrong.any():
        allowed: dict[str, int] = {}
    else:
        bad = np.flatnonzero(wrong)
        pardoned, allowed = excused(op, [codes[bad] for codes in operands], got[bad], want.codes[bad])
        wrong[bad[pardoned]] = False
    if status is not None and want.status is not None:
        off = status != want.status
        if off.any():
            bad = np.flatnonzero(off)
            pardoned, names = excused_status(op, [codes[bad] for codes in operands], status[bad] ^ want.status[bad])
            off[bad[pardoned]] = False
            allowed = {**allowed, **names}
        wrong |= off
    return wrong, allowed


def compare(op: Operation, seen: Observations, nan: str, report: Report) -> tuple[Expected, Mask]:
    """Compare all observations; counts go into the report, each case once (the first calls ask each once)."""
    expected = expect(op, seen.operands)
    want = expected.taken(seen.case)
    wrong, _ = wrong_answers(op, seen.inputs(), seen.got, seen.status, want, nan)
    first = seen.first
    first_status = None if seen.status is None else seen.status[first]
    _, report.allowed = wrong_answers(op, seen.operands, seen.got[first], first_status, expected, nan)
    report.cases = len(seen.operands[0])
    report.declines = str(seen.declines)
    report.failed = np.unique(seen.case[wrong]).size
    for name in list(report.allowed):  # a case wrong elsewhere counts as wrong
        report.allowed[name] = min(report.allowed[name], report.cases - report.failed)
    return want, wrong
