"""Asking one operation's cases and keeping what came back, with where in which call each answer stood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import Operation
from .layout import LAYOUTS, extent, slots
from .plan import Call, calls
from .transport import Session

Codes = NDArray[Any]
LAYOUT_NAMES = tuple(LAYOUTS)
GROUP = 1 << 17  # elements of buffer in one question of small calls


@dataclass
class Observations:
    """Answers to cases.  ``case`` indexes ``operands``; the other arrays tell where the answer stood."""

    operands: list[Codes]
    case: NDArray[np.intp]
    got: Codes
    status: Codes | None
    call: NDArray[np.int32]  # number of the call
    length: NDArray[np.int32]  # elements in that call
    position: NDArray[np.int32]  # place in that call
    layout: NDArray[np.int8]  # index into LAYOUT_NAMES
    again: NDArray[np.bool_]

    @property
    def size(self) -> int:
        return self.case.size

    def inputs(self) -> list[Codes]:
        """Operand codes, one for each answer."""
        return [codes[self.case] for codes in self.operands]


@dataclass
class _Parts:
    """Arrays gathered call by call."""

    columns: dict[str, list[Codes]] = field(default_factory=dict)

    def add(self, **arrays: Codes) -> None:
        for name, array in arrays.items():
            self.columns.setdefault(name, []).append(array)

    def joined(self) -> dict[str, Codes]:
        return {name: np.concatenate(parts) for name, parts in self.columns.items()}


def observe(
    session: Session,
    op: Operation,
    operands: Sequence[Codes],
    level: int,
    seed: int,
    advance: Callable[[int], None] = lambda n: None,
) -> Observations:
    """Ask every call of the plan.  ``operands``: one-dimensional arrays of equal length.

    Raises Declined, Crashed or TimedOut as the session does.
    """
    parts = _Parts()
    number = 0
    for group in _groups(calls(operands[0].size, level, seed)):
        answers = session.ask(op, [([o[call.cases] for o in operands], call.layout) for call in group])
        for call, (codes, status) in zip(group, answers):
            parts.add(**_columns(number, call, codes, status))
            advance(call.cases.size)
            number += 1
    columns = parts.joined()
    return Observations(list(operands), status=columns.pop("status", None), **columns)


def _groups(planned: Iterable[Call]) -> Iterator[list[Call]]:
    """Calls that go together into one question: large ones alone, small ones many at a time."""
    group: list[Call] = []
    for call in planned:
        group.append(call)
        if extent(slots([(c.cases.size, c.layout) for c in group])) > GROUP:
            yield group
            group = []
    if group:
        yield group


def _columns(number: int, call: Call, codes: Codes, status: Codes | None) -> dict[str, Codes]:
    n = call.cases.size
    columns: dict[str, Codes] = {
        "case": call.cases,
        "got": codes.copy(),
        "call": np.full(n, number, np.int32),
        "length": np.full(n, n, np.int32),
        "position": np.arange(n, dtype=np.int32),
        "layout": np.full(n, LAYOUT_NAMES.index(call.layout), np.int8),
        "again": np.full(n, call.again),
    }
    if status is not None:
        columns["status"] = status.copy()
    return columns
