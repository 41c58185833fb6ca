"""The catalogued model that differs least from some answers, and the smallest case on which it does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.cases import Cases
from ...cases.products.questions import length
from .accumulators import Hypothesis, answers, catalogue, wrong
from .fitting import Ask, Observed

Codes = NDArray[Any]


@dataclass(frozen=True)
class Disagreement:
    """One case that a hypothesis answers otherwise, as small as it was found."""

    case: Cases
    want: int
    got: int


@dataclass(frozen=True)
class Near:
    """The catalogued model that misses least: in ``misses`` of ``of`` answers."""

    hypothesis: Hypothesis
    misses: int
    of: int
    smallest: Disagreement


def nearest(op: Operation, seen: Observed, ask: Ask | None) -> Near | None:
    """The catalogued model with the fewest mismatches, and the smallest of them."""
    cases, got = seen.cases, seen.got
    if not got.size:
        return None
    few = np.arange(0, got.size, max(1, got.size // 2000))
    some = cases.taken(few)
    ranked = sorted(catalogue(op), key=lambda h: int(wrong(op, got[few], answers(op, h, some)).sum()))
    scored = [(int(seen.wrong(h).size), i, h) for i, h in enumerate(ranked[:4])]
    misses, _, h = min(scored)
    off = seen.wrong(h)
    small = _smallest(op, cases.taken(off))
    case = cases.taken(off[small : small + 1])
    if ask is not None:
        case = _shrunk(op, h, case, ask)
    answered = ask(case)[0] if ask is not None else got[off[small]]
    return Near(h, misses, int(got.size), Disagreement(case, int(answers(op, h, case)[0]), int(answered)))


def _smallest(op: Operation, cases: Cases) -> int:
    """The case with the fewest products, C zero, and few bits."""
    sign_free = [codes & codes.dtype.type((1 << (codes.dtype.itemsize * 8 - 1)) - 1) for codes in cases.operands]
    products = ((sign_free[0] != 0) & (sign_free[1] != 0)).sum(axis=1)
    bits = sum(np.bitwise_count(x).sum(axis=1) for x in sign_free[:2])
    order = np.lexsort((bits, np.bitwise_count(sign_free[2]), products + (sign_free[2] != 0)))
    return int(order[0])


def _shrunk(op: Operation, h: Hypothesis, case: Cases, ask: Ask) -> Cases:
    """Drop products, and C, as long as the answer stays another than the hypothesis's."""
    for _ in range(length(op) + 1):
        trials = []
        for place in np.flatnonzero((case.a[0] != 0) | (case.b[0] != 0)):
            a, b = case.a.copy(), case.b.copy()
            a[0, place] = b[0, place] = 0
            trials.append(replace(case, a=a, b=b))
        if case.c[0]:
            trials.append(replace(case, c=np.zeros_like(case.c)))
        if not trials:
            return case
        joined = Cases.joined(trials)
        still = np.flatnonzero(wrong(op, ask(joined), answers(op, h, joined)))
        if not still.size:
            return case
        case = joined.taken(still[:1])
    return case
