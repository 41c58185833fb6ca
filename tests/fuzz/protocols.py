"""The other side of every protocol, played by the bytes: a process of the checker, programs, shared objects."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from fp8ref.adapters.base import Broken, Unavailable, Unsupported
from fp8ref.adapters.programs import cabi, exec
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.products.questions import operand_types, shapes
from fp8ref.check.harness import transport
from fp8ref.check.harness.transport import Crashed, Declined, NotStarted, Session, TimedOut

from .guard import Fault
from .words import FEW, write

SAID = (NotStarted, Declined, Crashed, TimedOut)
TOLD = (Broken, Unavailable, Unsupported)
BROKEN = (*TOLD, ValueError)  # where a person names the operations
ASKED = Operation.parse("convert/f32/e4m3fn/rne.sat")
PIPE = 1 << 15  # bytes that a pipe takes at once
NOBODY = 2**31 - 1  # a process id that no system gives


# -- the process of the checker ----------------------------------------------------------------------------------------
class _Ended:
    """A process that wrote its bytes and ended with exit code 0."""

    pid = NOBODY

    def __init__(self, said: bytes, questions: int, answers: int) -> None:
        os.write(answers, said)
        self._questions = os.dup(questions)  # so that asking is no error

    def wait(self, timeout: float = 0) -> int:
        if self._questions >= 0:
            os.close(self._questions)
            self._questions = -1
        return 0

    def poll(self) -> int:
        return 0


def worker(data: bytes) -> None:
    """The first line is the hello; the second answers one question."""

    def start(command: Sequence[str], pass_fds: Sequence[int], **rest: Any) -> _Ended:
        return _Ended(data[:PIPE], *pass_fds[:2])

    with (
        mock.patch.object(transport.subprocess, "Popen", start),
        mock.patch.object(transport, "CAPACITY", 1 << 12),
        mock.patch.object(transport, "Guard"),
        mock.patch.object(transport, "end_session"),
        Session("x", 2.0) as session,
    ):
        hello = session.hello
        if not all(isinstance(text, str) for text in (*hello.claims, *hello.identity, *hello.identity.values())):
            raise Fault("a hello with what is no text")
        for name in hello.claims:
            try:
                Operation.parse(name)
            except ValueError as error:
                raise NotStarted(str(error)) from None
        x = np.arange(5, dtype=np.uint32)
        session.send(ASKED, [((x,), "plain")])
        session._done[0] = 1  # what a child counts in the memory that it shares
        ((codes, status),) = session.wait(2.0)  # the first failure is reported: nothing is asked again
        if codes.shape != x.shape or status is not None:
            raise Fault("an answer of another shape")


# -- programs ----------------------------------------------------------------------------------------------------------
class _Program:
    """A program that writes its bytes in pieces, whatever it is asked, and then ends."""

    def __init__(self, said: bytes) -> None:
        self.left = said

    def __call__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> _Program:
        return self

    def exchange(self, data: bytes, reader: Any, *, last: bool = False, patience: float | None = None) -> None:
        done, piece = reader.feed(b""), 1
        while self.left and not (done and not last):
            here, self.left = self.left[:piece], self.left[piece:]
            done, piece = reader.feed(here), piece * 2 if piece < 4096 else piece
            if not last and done:
                return
        if not done:
            raise Broken(f"{reader.progress()}, then the program ended with exit code 0")

    def late_output(self) -> bytes:
        return b""

    def last_words(self) -> str:
        return ""

    def kill(self) -> None:
        pass


@contextmanager
def _program(said: bytes, *, hello: bool) -> Iterator[None]:
    """In place of every program: the hello is handed over alone, so that the rest is left for the answers."""
    if hello:
        first, newline, rest = said.partition(b"\n")
        parts = iter([first + newline, rest])
        with (
            mock.patch.object(_Program, "exchange", _in_parts(parts)),
            mock.patch.object(exec, "Program", _Program(b"")),
        ):
            yield
    else:
        with mock.patch.object(exec, "Program", _Program(said)):
            yield


def _in_parts(parts: Iterator[bytes]) -> Any:
    exchange = _Program.exchange

    def fed(self: _Program, data: bytes, reader: Any, **how: Any) -> None:
        self.left = next(parts, b"")
        exchange(self, data, reader, **how)

    return fed


def lines(data: bytes) -> None:
    """An operation's id on the first line, then what the program writes."""
    head, _, said = data.partition(b"\n")
    op = head.decode("utf-8", "replace").replace("+", "-").replace("*", "-")
    with _program(said, hello=False):
        _asked(exec.Exec(sys.executable, op=op))


def json_lines(data: bytes) -> None:
    with _program(data, hello=True):
        _asked(exec.Exec(sys.executable, level="1"))


def frames(data: bytes) -> None:
    with _program(data, hello=True):
        _asked(exec.Exec(sys.executable, level="2"))


def _asked(adapter: Any) -> None:
    adapter.identify()
    for claim in adapter.capabilities()[:1]:
        op = Operation.parse(claim)
        *given, shape = shapes(op, 3)
        if max(int(np.prod(s)) for s in given) > FEW:
            continue
        operands = [
            (np.arange(int(np.prod(s))) % 3).reshape(s).astype(carrier_dtype(n))
            for s, n in zip(given, operand_types(op))
        ]
        answer = adapter.run(op, *operands)
        codes, status = answer if op.flags else (answer, None)
        if codes.shape != shape or codes.dtype != carrier_dtype(op.result) or (status is None) == op.flags:
            raise Fault(f"an answer of shape {codes.shape} and dtype {codes.dtype} to {claim}")


# -- shared objects ----------------------------------------------------------------------------------------------------
class _Library:
    """A library that says the bytes: its claims, a line, then its identity."""

    def __init__(self, data: bytes) -> None:
        claims, _, identity = data.replace(b"\0", b" ").partition(b"\n")
        self.fp8ref_abi = lambda: cabi.ABI
        self.fp8ref_capabilities = _Says(claims)
        self.fp8ref_identity = _Says(identity)
        self.fp8ref_run = _Says(0)


class _Says:
    restype: Any = None

    def __init__(self, said: object) -> None:
        self.said = said

    def __call__(self, *given: object) -> object:
        return self.said


def shared_object(data: bytes) -> None:
    path = write("lib.so", b"")
    with mock.patch.object(cabi.ctypes, "CDLL", return_value=_Library(data)):
        _asked(cabi.Cabi(str(path)))
