"""Asking a product's cases: all of them at once, some again in short calls and odd layouts, and once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import Operation
from ..cases.products.cases import Cases
from ..cases.products.questions import COLUMNS, length
from .harness.declines import Declines
from .harness.transport import CAPACITY, Declined, Session
from .matrix.causes import Asked
from .matrix.faults import Shape

Codes = NDArray[Any]
LENGTHS = (0, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 64)
ODD = (1, 3, 17, 33)
FIRST, SHORT, AGAIN = "first", "short", "again"


class Answers:
    """Cases with their answers, and in what kind of call each was given: first, short, a layout, again."""

    def __init__(self) -> None:
        self.parts: list[tuple[Cases, Codes, str, int]] = []
        self.declines = Declines("rows")

    def add(self, cases: Cases, got: Codes, call: str, size: int) -> None:
        self.parts.append((cases, got, call, size))

    def answer(self, session: Session, op: Operation, operands: Sequence[Codes], layout: str) -> Codes | None:
        """The answer to one call; None, and a note of it, where it is declined."""
        (answer,) = session.ask_each(op, [(operands, layout)])
        no = answer if isinstance(answer, Declined) else None
        self.declines.note(len(operands[0]), layout, no)
        return None if isinstance(answer, Declined) else answer[0].copy()

    def joined(self, op: Operation) -> Asked:
        """All of them, one after another."""
        parts = [p for p in self.parts if p[0].size]
        counts = [cases.size for cases, *_ in parts]
        calls = np.repeat([call for *_, call, _ in parts], counts)
        m = np.repeat([size for *_, size in parts], counts)
        index = np.concatenate([np.arange(count) for count in counts])
        n = np.full(m.size, COLUMNS if op.family == "matmul" else 1)
        shape = Shape(np.repeat(np.arange(len(parts)), counts), index // n, index % n, m, n)
        return Asked(op, Cases.joined([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), calls, shape)


def ask(
    session: Session, op: Operation, cases: Cases, seed: int, *, replay: bool, advance: Callable[[int], None]
) -> Answers:
    """Every case; then some again in short calls and odd layouts, and in the same order once more."""
    found = Answers()
    rng = np.random.default_rng([seed, cases.size])
    for which, layout, call in _calls(op, cases.size, rng, replay):
        here = cases.taken(which)
        if op.family == "dot":
            got = found.answer(session, op, here.operands, layout)
            if got is None:
                continue
            found.add(here, got, call, which.size)
        else:
            columns = cases.taken(rng.integers(0, cases.size, COLUMNS))
            c = cases.c[rng.integers(0, cases.size, (which.size, COLUMNS))]
            c[:, 0] = here.c
            given = [here.a, np.ascontiguousarray(columns.b.T), c]
            given += [here.scales[0], np.ascontiguousarray(columns.scales[1].T)] if here.scales else []
            outputs = [np.repeat(x[:, None], COLUMNS, axis=1) for x in here.scales[2:]]
            given += outputs
            got = found.answer(session, op, given, layout)
            if got is None:
                continue
            n = which.size * COLUMNS
            a = np.repeat(here.a, COLUMNS, axis=0)
            b = np.tile(columns.b, (which.size, 1))
            names = tuple(name for name in here.names for _ in range(COLUMNS))
            scales = (np.repeat(here.scales[0], COLUMNS, axis=0), np.tile(columns.scales[1], (which.size, 1))) \
                if here.scales else ()  # fmt: skip
            found.add(
                Cases(a, b, c.reshape(n), names, (*scales, *(x.reshape(n) for x in outputs))),
                got.reshape(n),
                call,
                which.size,
            )
        advance(which.size)
    found.declines.require_an_answer()
    return found


def _calls(
    op: Operation, count: int, rng: np.random.Generator, replay: bool
) -> Iterator[tuple[NDArray[np.intp], str, str]]:
    everything = np.arange(count)
    step = max(1, CAPACITY // 4 // max(length(op), COLUMNS))
    if op.family == "matmul":
        step = min(step, 64)
        everything = rng.permutation(count)[: 4 * step]
    for start in range(0, max(count, 1), step):
        if start < everything.size or count == 0:
            yield everything[start : start + step], "plain", FIRST
    if count == 0 or replay:
        return
    for n in LENGTHS:
        yield rng.integers(0, count, n), "plain", SHORT
    for layout in ("offset", "strided", "reversed"):
        for n in ODD:
            yield rng.integers(0, count, n), layout, layout
    yield everything[: min(step, 512)], "plain", AGAIN
