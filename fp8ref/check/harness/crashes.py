"""Surviving an implementation that crashes, hangs or answers nonsense.

A question that failed goes on in a fresh process from the call that failed.  Where that call is answered in the end,
the mishap is noted and nothing is lost; where it fails every time, the smallest call that still does is looked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from ...adapters.programs.wire import fields, hex_block
from ...cases.operation import Operation
from ...cases.products.questions import shapes
from .limits import Limits
from .outcomes import Answer, Call, Declined, Failed

FULL = 2  # tries of one call with all the time there is, where it hangs
STEPS, BUDGET = 60, 120.0  # questions that may fail, and seconds, while the smallest call is looked for
SHORT = 5.0  # seconds for such a question, and for the later tries, or three times the longest answer so far
SHOWN = 4  # operand codes that are written out


class Asked(Protocol):
    """What surviving needs of a session (``transport.Session``)."""

    limits: Limits
    closed: bool
    hangs: int

    def send(self, op: Operation, calls: Sequence[Call]) -> None: ...
    def wait(self, seconds: float) -> list[Answer]: ...
    def answered(self) -> list[Answer]: ...
    def note(self, failures: Sequence[Failed]) -> None: ...
    def patience(self, seconds: float) -> float: ...
    def end(self) -> None: ...


def survive(session: Asked, op: Operation, calls: Sequence[Call], each: bool = False) -> list[Answer | Declined]:
    """The answers to a question that was sent; for ``each``, a call that is declined has its Declined as an answer.

    Raises Declined otherwise; Crashed or TimedOut where a call failed every time, with the smallest that does.
    """
    answers: list[Answer | Declined] = []
    failures: list[Failed] = []  # of the first call that has no answer yet
    seconds = session.limits.seconds
    while True:
        try:
            found = session.wait(seconds)
        except Declined as error:
            if not each:
                raise
            session.note(failures)
            failures, seconds = [], session.limits.seconds
            before = session.answered()
            answers += [*before, error]
            calls = calls[len(before) + 1 :]
            if not calls:
                return answers
            session.send(op, calls)
        except Failed as error:
            if session.closed:
                raise
            before = session.answered()
            if before:
                session.note(failures)
                failures = []
            answers += before
            calls = calls[len(before) :]
            failures.append(error)
            _give_up(session, op, calls[0], failures)
            late = error.kind == "timeout" and len(failures) >= FULL
            seconds = session.patience(SHORT) if late else session.limits.seconds
            session.send(op, calls)
        else:
            session.note(failures)
            return answers + found


def _give_up(session: Asked, op: Operation, call: Call, failures: Sequence[Failed]) -> None:
    """Raise the last failure of a call, with the smallest call that fails, where it was tried often enough."""
    error = failures[-1]
    tries = FULL if error.kind == "timeout" and session.hangs else error.tries
    if len(failures) <= FULL:
        session.end()  # one that raised may be unfit for anything else
    search = _Search(session, op, call)
    if len(failures) >= tries:
        search.narrow()
        session.end()
        search.left, search.until = 1, time.monotonic() + BUDGET
        if search.fails():  # what is reported happens in a fresh process, too
            raise _described(error, search)
        raise error
    if len(failures) == FULL and all(search.fails(0, 1) for _ in range(tries - FULL)):
        search.high = min(search.high, 1)
        raise _described(error, search)


# -- the smallest call that fails -------------------------------------------------------------------------------------
def _described(error: Failed, search: _Search) -> Failed:
    """The error with the call that fails."""
    error.length, (operands, layout) = search.high - search.low, search.part(search.low, search.high)
    shown = f"{error.length} element" + "s" * (error.length != 1) + f", {layout}" * (layout != "plain")
    if error.length == 1:
        error.inputs = tuple(_bits(code) for codes in operands for code in codes.reshape(-1))
        if len(error.inputs) <= SHOWN:
            codes = [hex_block(x, field).tobytes().decode() for x, field in zip(operands, fields(search.op))]
            shown = f"{' '.join(codes)} ({shown})"
    search.session.hangs += error.kind == "timeout"
    error.args = (f"{error}; smallest: {shown}",)
    return error


class _Search:
    """Narrows a call that fails down to its cases ``low`` .. ``high``."""

    def __init__(self, session: Asked, op: Operation, call: Call) -> None:
        self.session, self.op, (self.operands, self.layout) = session, op, call
        self.by_case = [a != b for a, b in zip(shapes(op, 1), shapes(op, 2))]  # operands with a part for each case
        self.low, self.high = 0, len(self.operands[self.by_case.index(True)])
        self.left, self.until = STEPS, time.monotonic() + BUDGET

    def narrow(self) -> None:
        """Find the smallest: one case, where one fails alone, else the shortest call."""
        if self.layout != "plain" and self.fails(layout="plain"):
            self.layout = "plain"
        if self.high > 1 and self.fails(0, 1):
            self.high = 1
        while self.high - self.low > 1:
            middle = (self.low + self.high) // 2
            if self.fails(self.low, middle):
                self.high = middle
            elif self.fails(middle, self.high):
                self.low = middle
            else:
                self.shorten(middle)
                break

    def shorten(self, right: int) -> None:
        """Find the shortest call from ``low`` on; one up to ``right`` does not fail."""
        while self.high - right > 1:
            middle = (right + self.high) // 2
            if self.fails(self.low, middle):
                self.high = middle
            else:
                right = middle

    def part(self, low: int, high: int) -> Call:
        return [x[low:high] if mine else x for x, mine in zip(self.operands, self.by_case)], self.layout

    def fails(self, low: int | None = None, high: int | None = None, layout: str = "") -> bool:
        """Does the call of some of the cases fail?  No, where it was tried often and long enough."""
        if not self.left or time.monotonic() > self.until:
            return False
        operands, own = self.part(self.low if low is None else low, self.high if high is None else high)
        self.session.send(self.op, [(operands, layout or own)])
        try:
            self.session.wait(self.session.patience(SHORT))
        except Failed:
            self.left -= 1
            return True
        except Declined:
            pass
        return False


def _bits(code: Any) -> int:
    return int(code.view(f"u{code.dtype.itemsize}"))
