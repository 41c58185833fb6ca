"""Which answers are wrong: each compared with the reference's, and excused where a variation names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected, differs, expect
from ..cases.kappa import Kappa, beyond
from ..cases.operation import Operation
from ..spec.catalog import get_format
from .harness.observe import Observations
from .variations.settle import settle
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
    cases: bool = False  # keep every wrong answer


@dataclass
class Compared:
    """``want``: what is expected once open questions are settled, as ``chosen``; ``reference``: what is by the
    reference's own answers to them; ``allowed``: answers excused so."""

    wrong: Mask
    want: Expected
    reference: Expected
    allowed: dict[str, Mask]
    chosen: dict[str, str]


def compared(
    op: Operation,
    operands: Sequence[Codes],
    got: Codes,
    status: Codes | None,
    want: Expected,
    nan: str,
    given: Mapping[str, str] | None = None,
) -> Compared:
    """Which answers are wrong.  ``given``: how open questions were settled by other answers to the same operation."""
    wrong = _off(op, operands, got, want.codes, nan)
    found = Compared(wrong, want, want, {}, {})
    if wrong.any() or given:
        settled = settle(op, operands, got, want.codes, given)
        wrong = found.wrong = _off(op, operands, got, settled.want, nan)
        for mask in settled.allowed.values():  # NaNs are one where a NaN is an answer to an open question
            where = np.flatnonzero(mask & wrong)
            wrong[where] = differs(op, got[where], settled.want[where])
        found.want = replace(want, codes=settled.want)
        found.allowed, found.chosen = settled.allowed, settled.chosen
    if status is not None and want.status is not None:
        off = status != want.status
        if off.any() or given:
            of_status = settle(op, operands, status, want.status, given, status=True)
            off = status != of_status.want
            found.want = replace(found.want, status=of_status.want)
            found.allowed = {**found.allowed, **of_status.allowed}
            found.chosen = {**found.chosen, **of_status.chosen}
        wrong |= off
    return found


def _off(op: Operation, operands: Sequence[Codes], got: Codes, want: Codes, nan: str) -> Mask:
    """Which answers are others than what is wanted, or farther from it than an approximation's ``kappa`` allows."""
    wrong = differs(op, got, want, nan)
    kappa = op.key("kappa")
    if kappa and wrong.any():
        f, g = get_format(op.operands[0]), op.result_format
        wrong &= beyond(Kappa.parse(kappa), operands, f, got, want, g)
    return wrong


MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # of splitmix64
GOLDEN = 0x9E3779B97F4A7C15


def digest(operands: Sequence[Codes], got: Codes) -> int:
    """64 bits of wrong answers with their operands, in any order: sums of parts are the sum of all."""
    mixed = np.zeros(len(got), np.uint64)
    for codes in (*operands, got):
        for column in codes.reshape(len(got), -1).T if len(got) else ():
            mixed = (mixed ^ column.astype(np.uint64)) + np.uint64(GOLDEN)
            for shift, multiplier in zip((30, 27), MULTIPLIERS):
                mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(multiplier)
            mixed ^= mixed >> np.uint64(31)
    return int(np.add.reduce(mixed))


def compare(op: Operation, seen: Observations, nan: str, report: Report) -> Compared:
    """Compare all observations; counts go into the report, each case once."""
    want = expect(op, seen.operands).taken(seen.case)
    found = compared(op, seen.inputs(), seen.got, seen.status, want, nan)
    report.cases = len(seen.operands[0])
    report.declines, report.unasked = str(seen.declines), seen.unasked
    bad, where = np.unique(seen.case[found.wrong], return_index=True)
    report.failed = bad.size
    first = np.flatnonzero(found.wrong)[where]
    report.digest = digest([codes[bad] for codes in seen.operands], seen.got[first])
    report.chosen = found.chosen
    counted = bad  # a case wrong elsewhere counts as wrong
    for name, mask in found.allowed.items():
        here = np.setdiff1d(np.unique(seen.case[mask]), counted)
        counted = np.union1d(counted, here)
        if here.size:
            report.allowed[name] = int(here.size)
    return found
