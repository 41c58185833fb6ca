"""How bad a wrong answer is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ....cases.answers import Codes, Expected, Mask, differs
from ....cases.flags import operand_parts, parts_of
from ....cases.operation import INTEGERS, UNITS, Operation
from ....cases.scaling.questions import is_scale
from ...harness.observe import Observations

SEVERITIES = (
    "a finite value is wrong by more than one code",
    "a finite value is wrong by one code",
    "the answer to an infinity or NaN is wrong",
    "a zero has the wrong sign",
    "only the status, or the bits of a NaN, are wrong",
)
FAR, NEAR, SPECIAL, SIGN, STATUS = range(5)


def severity(op: Operation, seen: Observations, want: Expected, wrong: Mask) -> NDArray[np.intp]:
    """The place in SEVERITIES of each wrong answer."""
    bad = np.flatnonzero(wrong)
    got, right = seen.got[bad], want.codes[bad]
    grades = np.full(bad.size, FAR, np.intp)
    if is_scale(op) or op.result in (*INTEGERS, *UNITS) or op.asked.kind == "constant":
        return grades
    g, w = parts_of(got, op.result), parts_of(right, op.result)
    f = op.result_format
    special = np.logical_or.reduce(
        [x.nan | x.infinite for x in operand_parts(op, [codes[seen.case[bad]] for codes in seen.operands])]
    )
    numbers = ~(g.nan | g.infinite | w.nan | w.infinite)
    grades[numbers & (np.abs(_ordinal(got, f.sign_bit) - _ordinal(right, f.sign_bit)) <= 1)] = NEAR
    grades[special] = SPECIAL
    grades[numbers & (g.sig == 0) & (w.sig == 0) & ~special] = SIGN
    grades[~differs(op, got, right)] = STATUS
    return grades


def _ordinal(codes: Codes, sign: int) -> NDArray[np.float64]:
    """Codes of signed magnitudes on one line; in float64, where one step between codes that are near is exact."""
    magnitude = (codes & codes.dtype.type(~sign & ((1 << 8 * codes.dtype.itemsize) - 1))).astype(np.float64)
    ordered: NDArray[np.float64] = np.where((codes & codes.dtype.type(sign)) != 0, -magnitude, magnitude)
    return ordered
