"""The three levels at which a program is asked: lines of hexadecimal, lines of JSON, binary frames.

``docs/protocol.md`` is the specification; each class here asks one batch and reads its answers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ..base import Broken, Codes, Unsupported
from .program import Program
from .wire import (
    STATUS,
    check_codes,
    codes_of,
    fields,
    hex_block,
    longest_answer,
    question_lines,
    read_answers,
    second_field,
    shown,
)

Answer = tuple[Codes, Codes | None]
HEX = frozenset("0123456789ABCDEFabcdef")
TEXT = 1 << 12  # bytes of a reason
JSON_BATCH = 1 << 14  # cases that are under way at once
FRAME_BYTES = 1 << 20  # of a frame, its length not counted


class Lines:
    """A reader of lines; memory is bounded by their number and the length of the longest."""

    def __init__(self, n: int, longest: int) -> None:
        self.n, self.longest = n, longest
        self.data = bytearray()
        self.count = self._tail = 0

    def feed(self, data: bytes) -> bool:
        self.data += data
        here = data.count(b"\n")
        self.count += here
        self._tail = len(data) - data.rfind(b"\n") - 1 if here else self._tail + len(data)
        if self.count > self.n or (self.count == self.n and self._tail):
            raise Broken(f"more answers than the {self.n} that were asked, the first {shown(self._first())}")
        if self._tail > self.longest:
            raise Broken(f"answer {self.count + 1} does not end: {shown(bytes(self.data[-self._tail :][:61]))}")
        if len(self.data) > (self.n + 1) * self.longest:
            raise Broken(f"lines too long for answers, the first {shown(self._first())}")
        return self.count == self.n

    def progress(self) -> str:
        torn = f" and a torn line {shown(bytes(self.data[-self._tail :]))}" if self._tail else ""
        first = f", the first {shown(self._first())}" if self.count else ""
        return f"{self.count} of {self.n} answers{first}{torn}"

    def _first(self) -> bytes:
        return bytes(self.data[:200]).split(b"\n")[0]


# -- level 0 ----------------------------------------------------------------------------------------------------------
def ask_lines(program: Program, op: Operation, operands: Sequence[Codes], last: bool) -> Answer:
    """One line of hexadecimal a case, and one answer line; ``last``: then the end of input."""
    reader = Lines(len(operands[0]), longest_answer(op))
    program.exchange(question_lines(op, operands), reader, last=last)
    return read_answers(op, operands, bytes(reader.data))


# -- level 1 ----------------------------------------------------------------------------------------------------------
def ask_json(program: Program, op: Operation, operands: Sequence[Codes], serial: Iterator[int]) -> Answer:
    """One JSON object a line and a case, each with an id; answers come in any order."""
    n = len(operands[0])
    *given, result = fields(op)
    answers: list[Answer] = []
    for start in range(0, n, JSON_BATCH):
        here = [x[start : start + JSON_BATCH] for x in operands]
        count = len(here[0])
        ids = [next(serial) for _ in range(count)]
        texts = [_texts(hex_block(x, field).tobytes().decode(), field.width) for x, field in zip(here, given)]
        head = f',"op":{json.dumps(op.id)},'
        bodies = (",".join(f'"{f.name}":"{t}"' for f, t in zip(given, case)) for case in zip(*texts))
        asked = "".join(f'{{"id":{i}{head}{body}}}\n' for i, body in zip(ids, bodies))
        reader = Lines(count, longest_answer(op) + TEXT)
        program.exchange(asked.encode(), reader)
        answers.append(_read_json(op, bytes(reader.data), ids))
    if not answers:
        second = second_field(op)
        return np.empty(0, result.dtype), None if second is None else np.empty(0, second.dtype)
    beside = [s for _, s in answers if s is not None]
    return np.concatenate([codes for codes, _ in answers]), np.concatenate(beside) if beside else None


def _texts(joined: str, width: int) -> list[str]:
    return [joined[i : i + width] for i in range(0, len(joined), width)]


def _read_json(op: Operation, data: bytes, ids: Sequence[int]) -> Answer:
    result, second = fields(op)[-1], second_field(op)
    here = second or STATUS
    first, n = ids[0], len(ids)
    codes: list[str | None] = [None] * n
    beside: list[str] = [""] * n
    for line in data.split(b"\n")[:-1]:
        answer = json_object(line)
        number = answer.get("id")
        if type(number) is not int or not 0 <= number - first < n:
            raise Broken(f"an answer to nothing that was asked: {shown(line)}")
        if "unsupported" in answer:
            raise Unsupported(reason(answer["unsupported"]))
        if "error" in answer:
            raise Broken(f"the program says: {reason(answer['error'])}")
        if codes[number - first] is not None:
            raise Broken(f"two answers to one question: {shown(line)}")
        code, more = answer.get("d"), answer.get(here.name, "0" * here.width)
        if type(code) is not str or len(code) != result.width or not HEX.issuperset(code):
            raise Broken(f"an answer has {result.text} as d, not {shown(line)}")
        if type(more) is not str or len(more) != here.width or (second is not None and here.name not in answer):
            asked = "flags=1" if here is STATUS else "amax"
            raise Broken(
                f"an answer to a question with {asked} has {here.width} hexadecimal digits as {here.name}, "
                f"not {shown(line)}"
            )
        codes[number - first], beside[number - first] = code, more
    found = codes_of("".join(code or "" for code in codes).encode(), n, result)
    if second is None:
        return found, None
    if not HEX.issuperset("".join(beside)):
        raise Broken(f"an answer has {second.name} that {'are' if second is STATUS else 'is'} not hexadecimal")
    return found, codes_of("".join(beside).encode(), n, second)


def json_object(line: bytes) -> dict[str, Any]:
    """The object on a line.  Raises Broken for anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Broken(f"a line that is no JSON object: {shown(line)}")
    return found


def reason(text: object) -> str:
    """Somebody's words, made fit for one line."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:300].strip() or "no reason given"


# -- level 2 ----------------------------------------------------------------------------------------------------------
class Frames:
    """A reader of answer frames with consecutive ids, each with the number of bytes that its answers take."""

    def __init__(self, first: int, sizes: Sequence[int]) -> None:
        self.first, self.sizes = first, sizes
        self.payloads: list[bytes] = []
        self._data = bytearray()
        self.refusal: Unsupported | Broken | None = None

    def feed(self, data: bytes) -> bool:
        self._data += data
        while len(self._data) >= 12:
            if len(self.payloads) == len(self.sizes):
                break
            length, number, status = struct.unpack_from("<III", self._data)
            due = self.first + len(self.payloads)
            wanted = 8 + self.sizes[len(self.payloads)]
            if number != due:
                raise Broken(f"a frame for request {number} where {due} is due{self._seen()}")
            if status == 0 and length != wanted:
                raise Broken(f"a frame of {length} bytes where {wanted} are due{self._seen()}")
            if status and not 8 <= length <= 8 + TEXT:
                raise Broken(f"a frame of {length} bytes with status {status}{self._seen()}")
            if len(self._data) < 4 + length:
                break
            payload = bytes(self._data[12 : 4 + length])
            del self._data[: 4 + length]
            if status and self.refusal is None:
                words = reason(payload.decode("utf-8", "replace"))
                self.refusal = Unsupported(words) if status == 1 else Broken(f"the program says: {words}")
            self.payloads.append(payload)
        if len(self.payloads) == len(self.sizes) and self._data:
            raise Broken(f"goes on after the last answer{self._seen()}")
        return len(self.payloads) == len(self.sizes)

    def progress(self) -> str:
        torn = " and a torn one" if self._data else ""
        return f"{len(self.payloads)} of {len(self.sizes)} answer frames{torn}{self._seen() if torn else ''}"

    def _seen(self) -> str:
        return f" ({shown(bytes(self._data[:60]))})" if self._data else ""


def ask_frames(program: Program, op: Operation, index: int, operands: Sequence[Codes], serial: Iterator[int]) -> Answer:
    """Length-prefixed frames of little-endian codes."""
    *given, result = fields(op)
    n = len(operands[0])
    case = sum(field.elements * field.dtype.itemsize for field in given)
    step = max(1, (FRAME_BYTES - 12) // case)
    counts = [min(step, n - start) for start in range(0, max(n, 1), step)]
    frames, first = [], None
    for i, count in enumerate(counts):
        number = next(serial)
        first = number if first is None else first
        here = [x[i * step : i * step + count] for x in operands]
        frames.append(struct.pack("<IIII", 12 + case * count, number, index, count))
        frames += [_little(x).tobytes() for x in here]
    size, second = result.dtype.itemsize, second_field(op)
    more = 0 if second is None else second.dtype.itemsize
    reader = Frames(first or 0, [count * (size + more) for count in counts])
    program.exchange(b"".join(frames), reader)
    if reader.refusal is not None:
        raise reader.refusal
    codes = b"".join(p[: count * size] for p, count in zip(reader.payloads, counts))
    found = np.frombuffer(codes, result.dtype.newbyteorder("<")).astype(result.dtype)
    check_codes(found, result)
    if second is None:
        return found, None
    rest = b"".join(p[c * size :] for p, c in zip(reader.payloads, counts))
    return found, np.frombuffer(rest, second.dtype.newbyteorder("<")).astype(second.dtype)


def _little(x: Codes) -> Codes:
    return np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<"), copy=False)
