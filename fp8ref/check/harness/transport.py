"""Talking to an implementation in its own process: start, ask, watch its limits, and survive whatever it does."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from ...adapters.programs.program import signal_name
from ...cases.operation import Operation, carrier_dtype
from ...cases.products.beside import beside
from ...cases.products.questions import operand_types, shapes
from ...escapes import one_line
from . import worker
from .crashes import survive
from .guard import Guard, end_session, open_standard_streams
from .layout import DONE, OPERANDS, Slot, arena_size, extent, slots
from .limits import POSIX, Limits, Usage, slowness
from .outcomes import Answer, Call, Codes, Crashed, Declined, Failed, Mishap, TimedOut

__all__ = [
    "CAPACITY", "USUAL", "Answer", "Call", "Codes", "Crashed", "Declined", "Hello", "Limits", "Mishap", "NotStarted",
    "Session", "TimedOut", "largest",
]  # fmt: skip

NO_CHILDREN = (
    "implementations run in child processes, which need POSIX: Linux or macOS, on Windows WSL; in this process, on any "
    "system, fp8ref.judge(function, operation) judges from Python"
)
CAPACITY = 1 << 23  # elements of buffer for each operand, and for answers; what is never used takes no memory
USUAL = 1 << 21  # elements of a call, unless its length is what is asked about
MAX_LINE = 1 << 22
MOST_MISHAPS = 64  # kinds of them that are kept
MAX_REASON = 600  # characters
START_TIMEOUT = 120.0
TICK = 0.2  # seconds between two looks at a child that has not answered yet
GRACE = 2.0  # seconds to end after closing the pipe
REST = 1.0  # seconds between two looks at the memory of a child that answers


@dataclass(frozen=True)
class Hello:
    """What an implementation says of itself."""

    identity: Mapping[str, str]
    claims: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)


class NotStarted(Exception):
    """The implementation would not start; ``usage`` where the name or its options were wrong."""

    def __init__(self, reason: str, usage: bool = False) -> None:
        super().__init__(reason)
        self.usage = usage


class Session:
    """One implementation in a child process, restarted when it dies.

    ``ask`` sends operands and waits; ``send`` and ``receive`` do the two halves, so that the caller can work meanwhile.
    What fails is asked again (``crashes.py``): ``mishaps`` are those that were answered then, for the caller to take
    and clear; ``recycled`` counts the children that were replaced because their memory grew.  ``timeout``: seconds for
    a question, in place of those of ``limits``.
    """

    def __init__(self, connectable: str, timeout: float | None = None, limits: Limits | None = None) -> None:
        self.connectable, self.limits = connectable, limits or Limits()
        if timeout is not None:
            self.limits = replace(self.limits, seconds=timeout)
        self.mishaps: list[Mishap] = []
        self.recycled = 0
        self.hangs = 0  # questions that were given up because of their time
        self.closed = False
        self._slowest = 0.0  # seconds of the longest answer
        self._lock = threading.Lock()  # a child is started and ended by one thread at a time
        if not POSIX:
            raise NotStarted(NO_CHILDREN)
        open_standard_streams()
        self._arena_fd = _anonymous_file("fp8ref-arena", arena_size(CAPACITY))
        self._log_fd = _anonymous_file("fp8ref-log", 0)
        self._arena = mmap.mmap(self._arena_fd, arena_size(CAPACITY))
        self._done = np.frombuffer(self._arena, np.int64, 1, DONE)
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: tuple[Operation, list[tuple[Slot, int]]] | None = None
        self._unsent: Failed | None = None
        self._rested, self._first_use = 0.0, 0
        self._guard = Guard()
        try:
            self.hello = self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True
        self.end()
        self._guard.close()
        del self._done
        with contextlib.suppress(BufferError):  # a view of the arena may outlive us; the mapping goes with it
            self._arena.close()
        for fd in (self._arena_fd, self._log_fd):
            with contextlib.suppress(OSError):
                os.close(fd)

    # -- questions ------------------------------------------------------------------------------------------------
    def ask(self, op: Operation, calls: Sequence[Call]) -> list[Answer]:
        """The answers to calls, made one after the other, as views that the next question overwrites.

        Raises Declined; Crashed or TimedOut where a call fails every time.
        """
        self.send(op, calls)
        return self.receive()

    def ask_each(self, op: Operation, calls: Sequence[Call]) -> list[Answer | Declined]:
        """The same, where a call that is declined loses no other: its Declined stands in the place of an answer."""
        self.send(op, calls)
        return self.receive_each()

    def send(self, op: Operation, calls: Sequence[Call]) -> None:
        """Hand over the operands of calls (together at most CAPACITY elements) and return at once.

        The operands stay as they are until the answers are received.
        """
        found = slots(tuple((largest(operands), layout) for operands, layout in calls))
        assert extent(found) <= CAPACITY
        counts = [len(operands[0]) for operands, _ in calls]
        self._question, self._pending, self._unsent = calls, (op, list(zip(found, counts))), None
        if time.monotonic() > self._rested + REST:
            self.rest()
        try:
            if self._child is None:
                self._start_again()
            self._done[0] = 0
            for (operands, _), slot in zip(calls, found):
                for region, (name, codes) in enumerate(zip(operand_types(op), operands)):
                    slot.view(self._arena, carrier_dtype(name), region, CAPACITY, codes.shape)[...] = codes
            message = {"op": op.put.id, "calls": [[s.start, s.n, s.layout, n] for s, n in zip(found, counts)]}
            self._notify(message)
        except Failed as error:
            self._unsent = error

    def receive(self) -> list[Answer]:
        """Wait for the answers to the last question.  Raises as :meth:`ask`."""
        assert self._pending is not None
        return cast(list[Answer], survive(self, self._pending[0], self._question))

    def receive_each(self) -> list[Answer | Declined]:
        """Wait for the answers to the last question.  Raises as :meth:`ask_each`."""
        assert self._pending is not None
        return survive(self, self._pending[0], self._question, each=True)

    def rest(self) -> None:
        """A child whose memory has grown half of the way to the limit is ended; the next question starts another.

        ``send`` does this now and then; a runner may, between operations, so that a slow leak never meets the limit.
        """
        self._rested = time.monotonic()
        if self._child is None:
            return
        used = self._usage.resident()
        self._first_use = self._first_use or used
        if used > (self._first_use + self.limits.memory) // 2:
            self.recycled += 1
            self.end()

    # -- one try --------------------------------------------------------------------------------------------------
    def wait(self, seconds: float) -> list[Answer]:
        """The answers to what was sent.  Raises Declined; Crashed or TimedOut at the first failure."""
        assert self._pending is not None
        op, asked = self._pending
        if self._unsent is not None:
            raise self._unsent
        started = time.monotonic()
        answer = self._read_line(seconds)
        if "unsupported" in answer:
            raise Declined(_one_line(answer["unsupported"]))
        for kind in ("raised", "wrong"):
            if kind in answer:
                raise Crashed(_one_line(answer[kind]))
        if answer.get("done") != len(asked) or int(self._done[0]) != len(asked):  # one who writes there lies once
            self.end()
            raise Crashed(f"answered {str(answer)[:200]!r} instead of {len(asked)} calls")
        self._slowest = max(self._slowest, time.monotonic() - started)
        return [self._answer(op, slot, n) for slot, n in asked]

    def answered(self) -> list[Answer]:
        """Copies of the answers to the calls before the one that failed."""
        assert self._pending is not None
        op, asked = self._pending
        done = 0 if self._unsent is not None else int(self._done[0])
        found = [self._answer(op, slot, n) for slot, n in asked[: max(0, min(done, len(asked) - 1))]]
        return [(codes.copy(), None if status is None else status.copy()) for codes, status in found]

    def note(self, failures: Sequence[Failed]) -> None:
        """Add failures of a call that was answered in the end to the mishaps."""
        for failed in failures:
            same = [m for m in self.mishaps if (m.kind, m.reason) == (failed.kind, str(failed))]
            for old in same:
                self.mishaps.remove(old)
            self.mishaps.append(Mishap(failed.kind, str(failed), 1 + sum(m.times for m in same)))
        del self.mishaps[:-MOST_MISHAPS]

    def patience(self, seconds: float) -> float:
        """Seconds after which a part of a question that hung has hung, too."""
        return min(self.limits.seconds, max(seconds, 3 * self._slowest / slowness()))

    def _answer(self, op: Operation, slot: Slot, n: int) -> Answer:
        two, plain = beside(op, n), Slot(slot.start, slot.n)
        codes = plain.view(self._arena, carrier_dtype(op.result), OPERANDS, CAPACITY, shapes(op, n)[-1])
        return codes, None if two is None else plain.view(self._arena, two.dtype, OPERANDS + 1, CAPACITY, two.shape)

    # -- the process ----------------------------------------------------------------------------------------------
    def _start(self) -> Hello:
        """A fresh child.  Raises NotStarted."""
        with self._lock:
            self._spawn()
        try:
            answer = self._read_line(START_TIMEOUT)
        except TimedOut:
            raise NotStarted(f"it did not start within {START_TIMEOUT:.0f} s") from None
        except Crashed as error:
            raise NotStarted(str(error)) from None
        if "failed" in answer:
            self.end()
            raise NotStarted(_one_line(answer["failed"]), bool(answer.get("usage")))
        identity, claims, sources = (answer.get(key) for key in ("identity", "claims", "sources"))
        if not (_are_texts(identity, dict) and _are_texts(claims, list) and _are_texts(sources, dict)):
            self.end()
            raise NotStarted(f"its hello is {str(answer)[:200]!r}")
        return Hello(identity, tuple(claims), sources)  # type: ignore[arg-type]

    def _start_again(self) -> None:
        try:
            self.hello = self._start()
        except NotStarted as error:
            raise Crashed(f"it ended and could not be started again: {error}", tries=2) from None

    def _spawn(self) -> None:
        if self.closed:
            raise Crashed("its session is closed")
        to_child, self._to = os.pipe()
        self._from, from_child = os.pipe()
        numbers = [str(fd) for fd in (to_child, from_child, self._arena_fd, CAPACITY)]
        try:
            self._child = subprocess.Popen(
                [*worker.command(), self.connectable, *numbers],
                stdin=subprocess.DEVNULL,
                stdout=self._log_fd,
                stderr=self._log_fd,
                pass_fds=(to_child, from_child, self._arena_fd),
                start_new_session=True,
            )
        except OSError as error:
            self._close_pipes()
            raise NotStarted(f"{self.connectable} cannot be started: {error}") from None
        finally:
            os.close(to_child)
            os.close(from_child)
        self._guard.watch(self._child.pid)
        self._usage, self._first_use, self._rested = Usage(self._child.pid), 0, time.monotonic()
        self._buffer = b""
        self._clear_log()

    def _notify(self, message: dict[str, Any]) -> None:
        try:
            os.write(self._to, json.dumps(message).encode() + b"\n")
        except OSError:
            self._fail_with_exit()

    def _read_line(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds * slowness()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                last = self._last_words()
                self.end()
                raise TimedOut(f"no answer within {seconds:g} s" + (f": {last}" if last else ""))
            if not select.select([self._from], [], [], min(left, TICK))[0]:
                self._look()
                continue
            data = os.read(self._from, 1 << 16)
            self._buffer += data
            if not data:
                self._fail_with_exit()
            if len(self._buffer) > MAX_LINE:
                self.end()
                raise Crashed("answered with a line that does not end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        self._require_limits(os.fstat(self._log_fd).st_size, 0)
        self._clear_log()
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            self.end()
            raise Crashed("wrote garbage where its answer should be")
        return answer

    def _look(self) -> None:
        """Is a child that has not answered yet still alive, and inside its limits?"""
        assert self._child is not None
        if self._child.poll() is not None:  # another process of its holds the pipe open
            self._fail_with_exit()
        self._require_limits(os.fstat(self._log_fd).st_size, self._usage.resident())

    def _require_limits(self, output: int, memory: int) -> None:
        exceeded = self.limits.exceeded(memory, output)
        if exceeded:
            self.end()
            raise Crashed(exceeded, tries=2)

    def _fail_with_exit(self) -> None:
        child, last = self._child, self._last_words()
        assert child is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
        code = child.poll()
        self.end()
        if code is None:
            how = "closed the pipe of its answers"
        elif code < 0:
            how = f"killed by {signal_name(-code)}"
        else:
            how = f"its process ended with exit code {code}"
        raise Crashed(how + (f": {last}" if last else ""))

    def _clear_log(self) -> None:
        os.ftruncate(self._log_fd, 0)
        os.lseek(self._log_fd, 0, os.SEEK_SET)  # the child writes through the same offset

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            size = os.fstat(self._log_fd).st_size
            tail = os.pread(self._log_fd, 4096, max(0, size - 4096)).decode("utf-8", "replace").strip().splitlines()
            return tail[-1][:300] if tail else ""
        return ""

    def end(self) -> None:
        """End the child and all that it started; the next question starts another."""
        with self._lock:
            child, self._child = self._child, None
            if child is None:
                return
            end_session(child.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):  # in a driver that does not let go of it
                child.wait(GRACE)
            self._guard.watch(0)
            self._close_pipes()

    def _close_pipes(self) -> None:
        for fd in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(fd)


def _are_texts(x: Any, kind: type) -> bool:
    """Is it a list of texts, or an object of them?"""
    values = x.values() if isinstance(x, dict) else x
    return isinstance(x, kind) and all(isinstance(text, str) for text in values)


def _one_line(said: object) -> str:
    """Somebody's words, fit for a verdict."""
    return one_line(str(said).strip(), MAX_REASON) or "no reason given"


def largest(operands: Sequence[Codes]) -> int:
    """Elements of the largest array of a call, its answer's among them: no answer is larger than its operands."""
    return max(codes.size for codes in operands)


def _anonymous_file(name: str, size: int) -> int:
    """A file without a name: shared with a child by descriptor, gone with the last process that holds it."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create(name)
    else:  # pragma: no cover - other systems than Linux
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd
