"""Programs under test: ``exec:"./program args"``, a child process spoken to through its stdin and stdout.

Level 0 is lines of hexadecimal for the operations that ``op=`` names; levels 1 (JSON lines) and 2 (binary frames) begin
with a hello in which the program names its operations and its level.  ``docs/protocol.md`` is the specification.
"""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence

from ...cases.operation import ANY_MODE, Operation
from ..base import Broken, Codes, Unavailable, Unsupported
from .dialects import Answer, Lines, ask_frames, ask_json, ask_lines, json_object, reason
from .named_operations import askable, named_operations
from .program import Program
from .wire import shown

PROTOCOL = 1
HELLO = b'{"fp8ref":"hello","protocol":1}\n'
LONGEST_HELLO = 1 << 20
LEVELS = ("0", "1", "2")


class Exec:
    """A program under test.

    ``op``: the operations of a program of level 0, ids or TestFloat names joined by ``+``, globs for the types.
    ``level``: 0, 1 or 2; by default 0 where ``op`` is given, else what the program says in its hello.
    ``keep``: 1 where a program of level 0 answers each line at once and stays; else it is run anew for each batch and
    reads to the end of its input.  ``start``: seconds it may take to say hello.  ``name``, ``version``: for the record.
    Raises ValueError for options that do not fit, Unavailable where the program does not start.
    """

    def __init__(
        self,
        command: str = "",
        *,
        op: str = "",
        level: str = "",
        keep: str = "0",
        start: str = "30",
        name: str = "",
        version: str = "",
    ) -> None:
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"exec: {command!r}: {error}") from None
        if not self._command:
            raise ValueError("a program is missing; write exec:./program, with op=OPERATION for one of level 0")
        if level not in ("", *LEVELS):
            raise ValueError(f"exec: level is {', '.join(LEVELS)}, not {level!r}")
        if keep not in ("0", "1"):
            raise ValueError(f"exec: keep is 0 or 1, not {keep!r}")
        try:
            self._patience = float(start)
        except ValueError:
            raise ValueError(f"exec: start is a number of seconds, not {start!r}") from None
        if not 0 < self._patience <= 3600:
            raise ValueError(f"exec: start is a number of seconds from 0 to 3600, not {start!r}")
        self._keep = keep == "1"
        self._program: Program | None = None
        self._running = ""  # the operation of a program of level 0 that is kept
        self._serial = itertools.count(1)
        self._identity = {"name": name or os.path.basename(self._command[0]), "version": version or "unknown"}
        if level in ("", "0") and not op and (level or keep == "1"):
            raise ValueError(f"exec: level 0 needs op=OPERATION, e.g. exec:{command},op=f32_to_e4m3fn")
        if op and level in ("1", "2"):
            raise ValueError("exec: op= is for level 0; at levels 1 and 2 the program names its operations")
        self._level = int(level or 0)
        if op:
            self._claims = named_operations(op)
            if shutil.which(self._command[0]) is None:
                there = "is not executable" if os.path.exists(self._command[0]) else "is not there"
                raise Unavailable(f"{self._command[0]} {there}")
        else:
            self._claims = []
            self._start_hello(level)

    def identify(self) -> Mapping[str, str]:
        return {**self._identity, "device": f"program, level {self._level}"}

    def capabilities(self) -> Sequence[str]:
        return [claim.id for claim in self._claims]

    def run(self, op: Operation, *operands: Codes) -> Answer | Codes:
        claim = self._covering(op)
        try:
            codes, status = self._ask(claim, operands)
        except Unsupported:
            raise
        except Unavailable as error:  # it started before
            self._stop()
            raise Broken(str(error)) from None
        except BaseException:
            self._stop()
            raise
        return codes if status is None else (codes, status)

    def _covering(self, op: Operation) -> Operation:
        for wanted in (op, op.with_mode(ANY_MODE)):
            if wanted in self._claims:
                return wanted
        raise Unsupported(f"it has no {op.id}")

    def _ask(self, claim: Operation, operands: Sequence[Codes]) -> Answer:
        if self._level == 0:
            program = self._level_0(claim)
            answer = ask_lines(program, claim, operands, last=not self._keep)
            if not self._keep:
                self._stop()
            return answer
        if self._program is None:
            self._start_hello(str(self._level))
        program = self._quiet()
        if self._level == 1:
            return ask_json(program, claim, operands, self._serial)
        return ask_frames(program, claim, self._claims.index(claim), operands, self._serial)

    # -- the program ------------------------------------------------------------------------------------------------
    def _level_0(self, claim: Operation) -> Program:
        """A program for an operation, which its arguments and its environment name."""
        if self._running != claim.id:
            self._stop()
        if self._program is None:
            names = {"{op}": claim.id, "{testfloat}": claim.testfloat, "{mode}": claim.mode or ""}
            command = self._command[:1] + [_replaced(word, names) for word in self._command[1:]]
            self._program, self._running = Program(command, {"FP8REF_OP": claim.id}), claim.id
        return self._quiet()

    def _quiet(self) -> Program:
        """The running program; Broken where it wrote what nobody asked for."""
        assert self._program is not None
        late = self._program.late_output()
        if late:
            raise Broken(f"goes on after its last answer: {shown(late)}")
        return self._program

    def _start_hello(self, level: str) -> None:
        """Start the program and read its hello.  Raises Unavailable where that is none, or another than before."""
        self._program = Program(self._command)
        reader = Lines(1, LONGEST_HELLO)
        try:
            self._program.exchange(HELLO, reader, patience=self._patience)
            hello = json_object(bytes(reader.data))
            claims = self._read_hello(hello, level)
        except TimeoutError:
            words = self._program.last_words()
            self._stop()
            raise Unavailable(
                f"no hello within {self._patience:g} s (a program of level 0 needs op=OPERATION)"
                + (f": {words}" if words else "")
            ) from None
        except Broken as error:
            self._stop()
            raise Unavailable(f"its hello is none (a program of level 0 needs op=OPERATION): {error}") from None
        except ValueError as error:
            self._stop()
            raise Unavailable(f"its hello: {error}") from None
        if self._claims and claims != self._claims:
            self._stop()
            raise Broken("started again it names other operations than before")
        self._claims = claims

    def _read_hello(self, hello: Mapping[str, object], level: str) -> list[Operation]:
        if hello.get("fp8ref") != "hello":
            raise ValueError('it begins with {"fp8ref":"hello",...}')
        if hello.get("protocol") != PROTOCOL:
            raise ValueError(f"protocol is {PROTOCOL}, not {hello.get('protocol')!a:.40}")
        if hello.get("level") not in (1, 2) or isinstance(hello["level"], bool):
            raise ValueError(f"level is 1 or 2, not {hello.get('level')!a:.40}")
        if level and int(level) != hello["level"]:
            raise ValueError(f"it speaks level {hello['level']}, and level={level} was asked for")
        names = hello.get("operations")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("operations is a list of operation ids")
        claims = [askable(Operation.parse_claim(name)) for name in names]
        if len(set(claims)) != len(claims):
            raise ValueError("an operation is named twice")
        self._level = int(str(hello["level"]))
        known = ("fp8ref", "protocol", "level", "operations", "device")
        said = {k: reason(v) for k, v in hello.items() if k not in known and isinstance(v, str)}
        self._identity = {**self._identity, **dict(list(said.items())[:16])}
        return claims

    def _stop(self) -> None:
        if self._program is not None:
            self._program.kill()
            self._program = None


def _replaced(word: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        word = word.replace(name, value)
    return word
