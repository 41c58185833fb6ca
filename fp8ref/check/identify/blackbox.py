"""A matrix unit as a black box: dot products in, answers out, whatever it is that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation, carrier_dtype
from ...cases.products.cases import Cases
from ...cases.products.probes import ones
from ...cases.products.questions import COLUMNS, length, scale_type
from ..harness.transport import USUAL, Session

Codes = NDArray[Any]
ROOM = USUAL // 4


def with_scales(op: Operation, cases: Cases) -> Cases:
    """The cases with scales of 1, where the operation has scales and they have none."""
    if not scale_type(op) or cases.scales:
        return cases
    return replace(cases, scales=tuple(np.repeat(x, cases.size, axis=0) for x in ones(op)))


class BlackBox:
    """Asks one claimed product operation of an implementation; ``asked`` counts the dot products."""

    def __init__(self, session: Session, claim: Operation, advance: Callable[[int], None] = lambda n: None) -> None:
        self.session, self.claim, self.advance = session, claim, advance
        self.asked = 0

    def __call__(self, cases: Cases) -> Codes:
        """The answers, one code for each case.  Raises Declined, Crashed or TimedOut as the session does."""
        if not cases.size:
            return np.zeros(0, carrier_dtype(self.claim.result))
        step = max(1, ROOM // length(self.claim)) if self.claim.family == "dot" else COLUMNS
        parts = []
        for start in range(0, cases.size, step):
            here = cases.taken(np.arange(start, min(start + step, cases.size)))
            parts.append(self._dots(here) if self.claim.family == "dot" else self._diagonal(here))
        self.asked += cases.size
        self.advance(cases.size)
        return np.concatenate(parts)

    def _dots(self, cases: Cases) -> Codes:
        ((got, _),) = self.session.ask(self.claim, [(cases.operands, "plain")])
        return got.copy()

    def _diagonal(self, cases: Cases) -> Codes:
        """Dot products as the diagonal of a matrix product of 16 columns."""
        n = cases.size
        b = np.zeros((length(self.claim), COLUMNS), cases.b.dtype)
        b[:, :n] = cases.b.T
        c = np.zeros((n, COLUMNS), cases.c.dtype)
        c[np.arange(n), np.arange(n)] = cases.c
        given = [cases.a, b, c]
        if cases.scales:
            sa, sb, *outputs = cases.scales
            turned = np.repeat(sb.T[:, :1], COLUMNS, axis=1)
            turned[:, :n] = sb.T
            given += [sa, turned, *(np.repeat(x[:, None], COLUMNS, axis=1) for x in outputs)]
        ((got, _),) = self.session.ask(self.claim, [(given, "plain")])
        return got[np.arange(n), np.arange(n)].copy()
