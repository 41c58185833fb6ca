"""Asking a product's cases: all of them at once, some again in short calls and odd layouts, and once more."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import Operation
from ..cases.products.cases import Cases
from ..cases.products.questions import COLUMNS, columns, length, limbs, with_columns
from ..engines import pulse
from ..spec.catalog import get_format
from .harness.declines import Declines
from .harness.transport import USUAL, Declined, Session
from .matrix.causes import Asked
from .matrix.faults import Shape

Codes = NDArray[Any]
LENGTHS = (0, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 64)
ODD = (1, 3, 17, 33)
TAILS = (1, 2, 15, 17, 31, 33, 63, 65, 127, 129, 255, 257)
SHAPES = {  # rows and columns of matrix products: what is left of tiles of every size
    1: ((65, COLUMNS), (129, COLUMNS), (5, 1)),
    2: (*((m, COLUMNS) for m in TAILS), *((17, n) for n in TAILS), (65, 129), (129, 65), (257, 257), (1, 1)),
}
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
        n = np.repeat([cases.size // size for cases, *_, size in parts], counts)
        shape = Shape(np.repeat(np.arange(len(parts)), counts), index // n, index % n, m, n)
        return Asked(op, Cases.joined([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), calls, shape)


def ask(
    session: Session,
    op: Operation,
    cases: Cases,
    level: int,
    seed: int,
    *,
    replay: bool,
    advance: Callable[[int], None],
) -> Answers:
    """Every case; then some again in short calls and odd layouts, and in the same order once more."""
    found = Answers()
    rng = np.random.default_rng([seed, cases.size])
    done, total = 0, sum(which.size for which, _, _ in calls_of(op, cases.size, copy.deepcopy(rng), replay))
    for which, layout, call in calls_of(op, cases.size, rng, replay):
        here = cases.taken(which)
        if op.family == "dot":
            got = found.answer(session, op, here.operands, layout)
            if got is not None:
                found.add(here, got, call, which.size)
        else:
            ask_matrix(session, op, here, cases, rng, layout, call, found)
        advance(which.size)
        done += which.size
        pulse.report(which.size, done, total)
    if op.family == "matmul" and cases.size and not replay:
        for m, n in SHAPES[min(level, 2)]:
            here = cases.taken(rng.integers(0, cases.size, m))
            ask_matrix(session, with_columns(op, n), here, cases, rng, "plain", SHORT, found)
    found.declines.require_an_answer()
    return found


def ask_matrix(
    session: Session,
    op: Operation,
    rows: Cases,
    cases: Cases,
    rng: np.random.Generator,
    layout: str,
    call: str,
    found: Answers,
) -> None:
    """Ask one matrix product: rows by columns that are drawn from all cases."""
    m, wide = rows.size, columns(op)
    drawn = cases.taken(rng.integers(0, cases.size, wide))
    c = cases.c[rng.integers(0, cases.size, (m, wide))]
    c[:, 0] = rows.c
    given = [rows.a, np.ascontiguousarray(drawn.b.T), c]
    given += [rows.scales[0], np.ascontiguousarray(drawn.scales[1].T)] if rows.scales else []
    outputs = [np.repeat(x[:, None], wide, axis=1) for x in rows.scales[2:]]
    got = found.answer(session, op, [*given, *outputs], layout)
    if got is None:
        return
    a, b = np.repeat(rows.a, wide, axis=0), np.tile(drawn.b, (m, 1))
    names = tuple(name for name in rows.names for _ in range(wide))
    scales = (np.repeat(rows.scales[0], wide, axis=0), np.tile(drawn.scales[1], (m, 1))) if rows.scales else ()
    of_all = Cases(a, b, c.reshape(-1), names, (*scales, *(x.reshape(-1) for x in outputs)))
    found.add(of_all, got.reshape(-1), call, m)


def calls_of(
    op: Operation, count: int, rng: np.random.Generator, replay: bool
) -> Iterator[tuple[NDArray[np.intp], str, str]]:
    """Which cases each call asks, in what layout, and what kind of call it is."""
    everything = np.arange(count)
    step = max(1, USUAL // 4 // max(length(op), columns(op), limbs(get_format(op.result))))
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
