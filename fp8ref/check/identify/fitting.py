"""Fitting the parameters of a fused unit to answers, and finding which of them the answers decide."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.cases import Cases
from ...spec.matrix.accumulate import Fused, Model
from ...spec.rounding import Rounding
from .accumulators import (
    PARAMETERS,
    Hypothesis,
    Order,
    agrees,
    alternatives,
    answers,
    order_of,
    precision_of,
    unit,
    wrong,
)

Codes = NDArray[Any]
SPECIAL = ("special lane", "special C", "specials", "zeros", "subnormals", "overflow")
ROWS = 360  # cases on which units are compared first
ROUNDS = 6
STARTS = ((13, 14), (25, 24), (8, 24), (20, 24), (32, 24))  # fraction bits, precision


@dataclass
class Observed:
    """Cases and what the unit answered."""

    op: Operation
    parts: list[tuple[Cases, Codes]] = field(default_factory=list)

    def add(self, cases: Cases, got: Codes) -> None:
        if cases.size:
            self.parts.append((cases, got))

    def _join(self) -> tuple[Cases, Codes]:
        if len(self.parts) > 1:
            cases = Cases.joined([cases for cases, _ in self.parts])
            self.parts = [(cases, np.concatenate([got for _, got in self.parts]))]
        return self.parts[0]

    @property
    def cases(self) -> Cases:
        return self._join()[0]

    @property
    def got(self) -> Codes:
        return self._join()[1]

    def named(self, names: Iterable[str], *, inside: bool = True) -> Observed:
        """The observations of these kinds, or all others."""
        wanted = set(names)
        found = Observed(self.op)
        for cases, got in self.parts:
            which = np.flatnonzero([(name in wanted) is inside for name in cases.names])
            if which.size:
                found.add(cases.taken(which), got[which])
        return found

    def wrong(self, h: Hypothesis | Model) -> NDArray[np.intp]:
        """Which of the observations a hypothesis does not answer alike."""
        return np.flatnonzero(wrong(self.op, self.got, answers(self.op, h, self.cases)))


@dataclass
class Fit:
    """``model`` and how many of ``of`` observations it does not predict."""

    model: Fused
    misses: int
    of: int


class Fitter:
    """Searches the units for the one that predicts the answers best."""

    def __init__(
        self,
        op: Operation,
        seen: Observed,
        orders: Sequence[Order],
        fixed: Order | None = None,
        bits: int | None = None,
        until: float = math.inf,
    ) -> None:
        """``fixed``: the order where it is known; ``bits``: the fraction bits where they are.

        ``until``: the moment of ``time.monotonic`` after which the best so far has to do.
        """
        self.until = until
        self.op, self.fixed, self.bits = op, fixed, bits
        self.orders = [fixed] if fixed else orders
        self.cases, self.got = seen.cases, seen.got
        rng = np.random.default_rng(len(self.got))
        self.rows = np.sort(rng.choice(self.cases.size, min(ROWS, self.cases.size), replace=False))
        self.scored: tuple[NDArray[np.intp], dict[Fused, tuple[int, float]]] = (self.rows, {})

    def fit(self, given: Sequence[Fused] = ()) -> Fit:
        """Ascend from many starts on some rows; then add rows that are missed, and ascend again."""
        model = self._best(self._starts(given))
        best: tuple[int, Fused] | None = None
        for _ in range(ROUNDS):
            off = np.flatnonzero(wrong(self.op, self.got, answers(self.op, model, self.cases)))
            if best is None or off.size < best[0]:
                best = off.size, model
            if not off.size or self._late():
                break
            more = off[:: max(1, off.size // 100)]
            if np.isin(more, self.rows).all():
                break
            self.rows = np.union1d(self.rows, more)
            model = self._ascend(model)
        assert best is not None
        return Fit(best[1], best[0], self.got.size)

    def _starts(self, given: Sequence[Fused]) -> list[Fused]:
        joins = (False, True) if self.fixed is None else (self.fixed.c_last,)
        roundings = (Rounding.TOWARD_ZERO, Rounding.TIES_TO_EVEN)
        found = list(given)
        shapes = STARTS if self.fixed else STARTS[:2]
        if self.bits is not None:
            shapes = ((self.bits, 24), (self.bits, 14))
        for order, c_last, (bits, precision), rounding in product(self.orders, joins, shapes, roundings):
            here = Order(order.k, order.steps, c_last)
            probe = unit(self.op, here, bits, 0, rounding=rounding)
            found.append(unit(self.op, here, bits, min(precision, probe.format.p), rounding=rounding))
        return found

    def _best(self, starts: Sequence[Fused]) -> Fused:
        few = self.rows[:: max(1, self.rows.size // 120)]
        ranked = sorted(starts, key=lambda m: (0, 0.0) if self._late() else self._score_of(m, few), reverse=True)
        best: tuple[tuple[int, float], Fused] | None = None
        for start in ranked[: 4 if self.fixed else 8]:
            model = self._ascend(start)
            score = self._score(model)
            if best is None or score > best[0]:
                best = score, model
            if score[0] == self.rows.size or self._late():
                break
        assert best is not None
        return best[1]

    def _late(self) -> bool:
        return time.monotonic() > self.until

    def _score(self, model: Fused) -> tuple[int, float]:
        """The score on the rows that are looked at now; several ascents come by the same models."""
        if self.scored[0] is not self.rows:
            self.scored = self.rows, {}
        known = self.scored[1]
        if model not in known:
            known[model] = self._score_of(model, self.rows)
        return known[model]

    def _score_of(self, model: Fused, rows: NDArray[np.intp]) -> tuple[int, float]:
        """Answers predicted; then how near the others are."""
        want, got = answers(self.op, model, self.cases.taken(rows)), self.got[rows]
        off = wrong(self.op, got, want)
        distance = np.minimum(np.abs(got.astype(np.int64) - want.astype(np.int64)), 1 << 30)[off]
        return int(rows.size - off.sum()), -float(np.log2(1.0 + distance).sum())

    def _ascend(self, model: Fused) -> Fused:
        """Change one parameter at a time to its best value until none is better."""
        score = self._score(model)
        known = [*(("order", "c_last") if self.fixed else ()), *(("fraction_bits",) if self.bits is not None else ())]
        parameters = [p for p in PARAMETERS if p not in known]
        improved = True
        while improved and score[0] < self.rows.size:
            improved = False
            for parameter in parameters:
                for _, other in alternatives(model, parameter, self.orders):
                    if self._late():
                        return model
                    here = self._score(other)
                    if here > score:
                        model, score, improved = other, here, True
        for one, two in (("rounding", "precision"), ("cut", "fraction_bits")):  # these show only together
            if score[0] == self.rows.size or two not in parameters or self._late():
                continue
            pairs = [o for _, m in alternatives(model, one) for _, o in alternatives(m, two)]
            best = max(pairs, key=self._score)
            if self._score(best) > score:
                return self._ascend(best)
        return model


Ask = Callable[[Cases], Codes]


def undecided(
    op: Operation,
    model: Fused,
    seen: Observed,
    parameter: str,
    orders: Sequence[Order],
    pool: Cases,
    ask: Ask | None,
) -> list[Any]:
    """The other values of a parameter that no answer excludes.

    With ``ask``, which records what it asks, the pool is searched for cases on which a value would show.
    """
    cases, got = seen.cases, seen.got
    expected = answers(op, model, pool)
    found = []
    for value, other in alternatives(model, parameter, orders):
        if not agrees(op, got, other, cases):
            continue
        if ask is not None:
            separating = np.flatnonzero(wrong(op, expected, answers(op, other, pool)))
            if separating.size:
                chosen = pool.taken(separating[:: max(1, separating.size // 4)][:4])
                answered = ask(chosen)
                if wrong(op, answered, answers(op, other, chosen)).any():
                    continue
        found.append(value)
    return found


def parameters(model: Fused) -> dict[str, Any]:
    """The values of a unit's parameters."""
    return {
        "order": order_of(model),
        "fraction_bits": model.fraction_bits,
        "cut": model.cut,
        "precision": precision_of(model),
        "rounding": model.rounding,
        "c_last": model.c_last,
        "zero_exponent": model.zero_exponent,
        "min_exponent": model.min_exponent,
        "underflow_sign": model.underflow_sign,
    }
