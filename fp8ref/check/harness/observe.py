"""Asking one operation's cases and keeping what came back, with where in which call each answer stood."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation, carrier_dtype
from ...engines import pulse
from .declines import Declines
from .layout import ALIGNED, LAYOUTS, extent, slots
from .outcomes import Declined
from .plan import Call, calls, case_size, long_call, repeats, room
from .transport import CAPACITY, Session

Codes = NDArray[Any]
LAYOUT_NAMES = tuple(LAYOUTS)
GROWTH = 16  # times as many elements, on the way to a long call
GROUP = 1 << 17  # elements of buffer in one question of small calls


@dataclass
class Observations:
    """Answers to cases.  ``case`` indexes ``operands``; the other arrays say where the answer stood."""

    operands: list[Codes]
    case: NDArray[np.intp]
    got: Codes
    status: Codes | None
    call: NDArray[np.int32]  # number of the call
    length: NDArray[np.int32]  # elements in that call
    position: NDArray[np.int32]  # place in that call
    layout: NDArray[np.int8]  # index into LAYOUT_NAMES
    again: NDArray[np.bool_]
    declines: Declines = field(default_factory=Declines)
    unasked: str = ""  # which calls were left out, and why

    @property
    def size(self) -> int:
        return self.case.size

    @property
    def first(self) -> slice | NDArray[np.intp]:
        """Where the first answer to each case is, in the order of the cases."""
        if not self.declines.declined:
            return slice(0, len(self.operands[0]))  # the first calls ask every case once
        return np.unique(self.case, return_index=True)[1]

    @classmethod
    def of_one_call(cls, operands: Sequence[Codes], got: Codes, status: Codes | None = None) -> Observations:
        """Answers that were not asked here, as if they stood in one plain call."""
        zeros = np.zeros(len(got), np.int32)
        return cls(
            operands=list(operands),
            case=np.arange(zeros.size),
            got=got,
            status=status,
            call=zeros,
            length=zeros + zeros.size,
            position=zeros,
            layout=zeros.astype(np.int8),
            again=np.zeros(zeros.size, bool),
        )

    def inputs(self) -> list[Codes]:
        """Operand codes, one for each answer."""
        return [codes[self.case] for codes in self.operands]


def observe(
    session: Session,
    op: Operation,
    operands: Sequence[Codes],
    level: int,
    seed: int,
    advance: Callable[[int], None] = lambda n: None,
) -> Observations:
    """Ask every call of the plan.  ``operands``: arrays of as many cases each.

    Raises Crashed or TimedOut as the session does, and Declined where no call was answered.
    """
    started, elements = time.monotonic(), 0
    plan = _plan(len(operands[0]), repeats(op, level), seed, room(op, CAPACITY), case_size(op))
    got: list[Codes] = []
    status: list[Codes] = []
    answered: list[bool] = []
    declines = Declines()
    total = sum(call.cases.size for group in plan.groups for call in group)
    for group in plan.groups:
        answers = session.ask_each(op, [([o[call.cases] for o in operands], call.layout) for call in group])
        for call, answer in zip(group, answers):
            no = answer if isinstance(answer, Declined) else None
            declines.note(call.cases.size, call.layout, no)
            answered.append(no is None)
            if isinstance(answer, Declined):
                continue
            codes, flags = answer
            got.append(codes.copy())
            if flags is not None:
                status.append(flags.copy())
        elements += (asked := sum(call.cases.size for call in group))
        advance(asked)
        pulse.report(asked, elements, total)
    pace = (time.monotonic() - started) / max(elements, 1)
    long, unasked = _ask_long(session, op, operands, long_call(op, level), declines, pace)
    declines.require_an_answer()
    if declines.declined:
        plan = plan.of_calls(np.array(answered))
    seen = Observations(
        operands=list(operands),
        case=plan.case,
        got=np.concatenate(got) if got else np.zeros(0, carrier_dtype(op.result)),
        status=np.concatenate(status) if op.flags else None,
        call=plan.call,
        length=plan.length,
        position=plan.position,
        layout=plan.layout,
        again=plan.again,
        declines=declines,
        unasked=unasked,
    )
    for taken in long:
        seen = _with_long(seen, taken)
    return _of_answered(seen) if declines.declined else seen


def _ask_long(
    session: Session, op: Operation, operands: Sequence[Codes], length: int, declines: Declines, pace: float
) -> tuple[list[Codes], str]:
    """The answers to a long call, which repeats the cases in order, and to those on the way; and what was not asked.

    ``pace``: seconds for an element so far.  A right device that takes milliseconds for each is not accused of its
    time: calls grow up to the long one, and one that would take half of what a question may is not asked.
    """
    n = len(operands[0]) if length else 0
    found: list[Codes] = []
    while 0 < n < length:
        # short calls cost more for each element: the pace of a longer one decides
        n = length if length * pace <= session.limits.seconds / 2 else min(GROWTH * n, length)
        if n * pace > session.limits.seconds / 2:
            why = "they would take more than half of the time limit"
            return found, f"longer calls, up to {length:,} elements, were left out: {why}"
        started = time.monotonic()
        (answer,) = session.ask_each(op, [([np.resize(codes, n) for codes in operands], "plain")])
        pace = min(pace, (time.monotonic() - started) / n)
        declines.note(n, "plain", answer if isinstance(answer, Declined) else None)
        if not isinstance(answer, Declined):
            found.append(answer[0].copy())
    return found, ""


def _with_long(seen: Observations, got: Codes) -> Observations:
    """The observations, and of a long call the answers that the cases did not have before, each case once."""
    cases = np.resize(np.arange(len(seen.operands[0])), got.size)
    before = np.full(len(seen.operands[0]), -1, np.intp)
    before[seen.case[::-1]] = np.arange(seen.size)[::-1]  # where each case was answered first
    there = before[cases]
    position = np.flatnonzero((there < 0) | (seen.got[there] != got)) if seen.size else np.arange(got.size)
    position = position[np.sort(np.unique(cases[position], return_index=True)[1])]
    n = position.size
    more = {
        "case": cases[position], "got": got[position], "call": np.full(n, seen.call.max(initial=-1) + 1),
        "length": np.full(n, got.size), "position": position, "layout": np.zeros(n), "again": np.zeros(n, bool),
    }  # fmt: skip
    joined: Any = {
        name: np.concatenate([getattr(seen, name), x.astype(getattr(seen, name).dtype)]) for name, x in more.items()
    }
    return replace(seen, **joined) if n else seen


def _of_answered(seen: Observations) -> Observations:
    """The same without the cases that were never answered."""
    cases = np.unique(seen.case)
    return replace(
        seen, operands=[codes[cases] for codes in seen.operands], case=np.searchsorted(cases, seen.case).astype(np.intp)
    )


@dataclass(frozen=True)
class _Plan:
    """The calls for a number of cases, in groups that go together, and where each answer will stand."""

    groups: list[list[Call]]
    case: NDArray[np.intp]
    call: NDArray[np.int32]
    length: NDArray[np.int32]
    position: NDArray[np.int32]
    layout: NDArray[np.int8]
    again: NDArray[np.bool_]

    def of_calls(self, some: NDArray[np.bool_]) -> _Plan:
        """The places of some calls alone."""
        kept = some[self.call]
        return _Plan([], *(getattr(self, f)[kept] for f in ("case", "call", "length", "position", "layout", "again")))


@lru_cache(maxsize=4)
def _plan(count: int, times: int, seed: int, room: int, size: int) -> _Plan:
    """Many operations have the same number of cases, and so the same plan."""
    planned = list(calls(count, times, seed, room))
    lengths = np.array([call.cases.size for call in planned], np.int32)
    ends = np.cumsum(lengths, dtype=np.int32)
    return _Plan(
        groups=list(_groups(planned, size)),
        case=np.concatenate([call.cases for call in planned]),
        call=np.repeat(np.arange(lengths.size, dtype=np.int32), lengths),
        length=np.repeat(lengths, lengths),
        position=np.arange(lengths.sum(), dtype=np.int32) - np.repeat(ends - lengths, lengths),
        layout=np.repeat(np.array([LAYOUT_NAMES.index(call.layout) for call in planned], np.int8), lengths),
        again=np.repeat(np.array([call.again for call in planned], bool), lengths),
    )


def _groups(planned: Iterable[Call], each: int) -> Iterator[list[Call]]:
    """Calls that go together into one question: large ones alone, small ones many at a time.

    ``each``: elements of a case.
    """
    group: list[Call] = []
    size = 0
    for call in planned:
        here = extent(slots(((call.cases.size * each, call.layout),))) + ALIGNED
        if group and size + here > CAPACITY:
            yield group
            group, size = [], 0
        group.append(call)
        size += here
        if size > GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group
