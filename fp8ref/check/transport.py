"""Talking to an implementation in its own process: start, ask, and survive whatever it does."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.dots import operand_types, shapes
from ..cases.operation import Operation, carrier_dtype
from ..spec.words import one_line
from .layout import ELEMENT, OPERANDS, REGIONS, Slot, extent, slots

Codes = NDArray[Any]
Call = tuple[Sequence[Codes], str]  # operands, layout
Answer = tuple[Codes, Codes | None]  # result codes, status where it is asked for
CAPACITY = 1 << 21  # elements of buffer for each operand, and for answers
MAX_LINE = 1 << 22
MAX_REASON = 600  # characters
START_TIMEOUT = 120.0


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


class Declined(Exception):
    """The implementation does not support the operation."""


class Crashed(Exception):
    """It raised, returned something else than asked, or its process ended."""


class TimedOut(Exception):
    """It did not answer in time and was ended."""


class Session:
    """One implementation in a child process, restarted when it dies.

    ``ask`` sends operands and waits; ``send`` and ``receive`` do the two halves, so that the caller can work meanwhile.
    """

    def __init__(self, connectable: str, timeout: float = 60.0) -> None:
        self.connectable, self.timeout = connectable, timeout
        self._arena_fd = _anonymous_file("fp8ref-arena", REGIONS * CAPACITY * ELEMENT)
        self._log_fd = _anonymous_file("fp8ref-log", 0)
        self._arena = mmap.mmap(self._arena_fd, REGIONS * CAPACITY * ELEMENT)
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: tuple[Operation, list[tuple[Slot, int]]] | None = None
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
        self._kill()
        with contextlib.suppress(BufferError):  # a view of the arena may outlive us; the mapping goes with it
            self._arena.close()
        for fd in (self._arena_fd, self._log_fd):
            with contextlib.suppress(OSError):
                os.close(fd)

    # -- questions ------------------------------------------------------------------------------------------------
    def ask(self, op: Operation, calls: Sequence[Call]) -> list[Answer]:
        """The answers to calls, made one after the other, as views that the next question overwrites.

        Raises Declined, Crashed or TimedOut.
        """
        self.send(op, calls)
        return self.receive()

    def send(self, op: Operation, calls: Sequence[Call]) -> None:
        """Hand over the operands of calls (together at most CAPACITY elements) and return at once."""
        found = slots(tuple((largest(operands), layout) for operands, layout in calls))
        assert extent(found) <= CAPACITY
        if self._child is None:
            self.hello = self._start()
        for (operands, _), slot in zip(calls, found):
            for region, (name, codes) in enumerate(zip(operand_types(op), operands)):
                slot.view(self._arena, carrier_dtype(name), region, CAPACITY, codes.shape)[...] = codes
        counts = [len(operands[0]) for operands, _ in calls]
        message = {"op": op.id, "calls": [[s.start, s.n, s.layout, n] for s, n in zip(found, counts)]}
        self._pending = (op, list(zip(found, counts)))
        try:
            os.write(self._to, json.dumps(message).encode() + b"\n")
        except OSError:
            self._fail_with_exit()

    def receive(self) -> list[Answer]:
        """Wait for the answers to the last question."""
        assert self._pending is not None
        op, asked = self._pending
        answer = self._read_line(self.timeout)
        if "unsupported" in answer:
            raise Declined(_one_line(answer["unsupported"]))
        for kind in ("raised", "wrong"):
            if kind in answer:
                raise Crashed(_one_line(answer[kind]))
        if answer.get("done") != len(asked):
            self._kill()
            raise Crashed(f"answered {str(answer)[:200]!r} instead of {len(asked)} calls")
        return [self._answer(op, Slot(slot.start, slot.n), shapes(op, n)[-1]) for slot, n in asked]

    def _answer(self, op: Operation, slot: Slot, shape: tuple[int, ...]) -> Answer:
        codes = slot.view(self._arena, carrier_dtype(op.result), OPERANDS, CAPACITY, shape)
        return codes, slot.view(self._arena, np.dtype(np.uint8), OPERANDS + 1, CAPACITY, shape) if op.flags else None

    # -- the process ----------------------------------------------------------------------------------------------
    def _start(self) -> Hello:
        to_child, self._to = os.pipe()
        self._from, from_child = os.pipe()
        command = [sys.executable, "-m", "fp8ref.check.worker", self.connectable]
        numbers = [str(fd) for fd in (to_child, from_child, self._arena_fd, CAPACITY)]
        self._child = subprocess.Popen(
            command + numbers,
            stdin=subprocess.DEVNULL,
            stdout=self._log_fd,
            stderr=self._log_fd,
            pass_fds=(to_child, from_child, self._arena_fd),
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]),
            }
            if self.connectable.startswith("py:")
            else None,
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer = b""
        try:
            answer = self._read_line(START_TIMEOUT)
        except TimedOut:
            raise NotStarted(f"{self.connectable} did not start within {START_TIMEOUT:.0f} s") from None
        except Crashed as error:
            raise NotStarted(f"{self.connectable} would not start: {error}") from None
        if "failed" in answer:
            self._kill()
            raise NotStarted(_one_line(answer["failed"]), bool(answer.get("usage")))
        identity, claims, sources = (answer.get(key) for key in ("identity", "claims", "sources"))
        if not (_are_texts(identity, dict) and _are_texts(claims, list) and _are_texts(sources, dict)):
            self._kill()
            raise NotStarted(f"{self.connectable} would not start: its hello is {str(answer)[:200]!r}")
        return Hello(identity, tuple(claims), sources)  # type: ignore[arg-type]

    def _read_line(self, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                last = self._last_words()
                self._kill()
                raise TimedOut(f"no answer within {timeout:g} s" + (f": {last}" if last else ""))
            data = os.read(self._from, 1 << 16)
            self._buffer += data
            if not data:
                self._fail_with_exit()
            if len(self._buffer) > MAX_LINE:
                self._kill()
                raise Crashed("answered with a line that does not end")
        line, _, self._buffer = self._buffer.partition(b"\n")
        with contextlib.suppress(OSError):
            os.ftruncate(self._log_fd, 0)
            os.lseek(self._log_fd, 0, os.SEEK_SET)  # the child writes through the same offset
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            self._kill()
            raise Crashed("wrote garbage where its answer should be")
        return answer

    def _fail_with_exit(self) -> None:
        assert self._child is not None
        code = self._child.wait()
        last = self._last_words()
        self._kill()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"its process ended with exit code {code}"
        raise Crashed(how + (f": {last}" if last else ""))

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            size = os.fstat(self._log_fd).st_size
            tail = os.pread(self._log_fd, 4096, max(0, size - 4096)).decode("utf-8", "replace").strip().splitlines()
            return tail[-1][:300] if tail else ""
        return ""

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        _kill_descendants(child.pid)
        child.wait()
        for fd in (self._to, self._from):
            with contextlib.suppress(OSError):
                os.close(fd)


def _are_texts(x: Any, kind: type) -> bool:
    """Is it a list of texts, or an object of them?"""
    texts = x.values() if isinstance(x, dict) else x
    return isinstance(x, kind) and all(isinstance(text, str) for text in texts)


def _one_line(said: object) -> str:
    """Somebody's words, fit for a verdict."""
    return one_line(str(said).strip(), MAX_REASON) or "no reason given"


def _kill_descendants(session: int) -> None:
    """Kill what is left of a session: programs that the child started in process groups of their own."""
    for _ in range(10):  # again, because they may start others meanwhile
        found = [pid for pid in _processes() if _session_of(pid) == session]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    """Every process here; none on systems without /proc."""
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return []


def _session_of(pid: int) -> int | None:
    """The session of a process that is alive; None for a dead one."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
        return int(session) if state not in (b"Z", b"X") else None
    return None


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
