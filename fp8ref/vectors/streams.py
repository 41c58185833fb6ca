"""Interleaved streams read again: the cases of every opcode, held against the recipe that the comments say.

What a bench writes back has the same words with its own ``z`` and ``flags``.  Idle cycles are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .demanded import Demanded
from .forms.digits import from_digits
from .interleaved import BEGINS, fields_of
from .section import Block, Codes, Column, Section
from .source import Found, Source, Unreadable

OPCODE = re.compile(r"// opcode ([0-9A-F]{2}) (\S{1,400}) \((.{0,400}), seed (\d{1,18})\)")
FLAGS = Column("flags", "u8")
Text = NDArray[np.uint8]


def is_stream(source: Source) -> bool:
    """Does a source begin as a stream?"""
    return source.begins_with(BEGINS.encode())


class _Stream:
    """What the comments say: the operations, the fields of a word, the cases that are to come."""

    def __init__(self, comments: Sequence[str], source: Source) -> None:
        self.source = source
        if source.asked is not None:
            raise Unreadable(f"{source.at(1)}: a stream says its operations itself: leave out --op")
        if len(comments) < 3 or not comments[0].startswith(BEGINS):
            raise Unreadable(f"{source.at(1)}: a stream begins with {BEGINS!r}, its fields and its opcodes")
        self.sections: list[Section] = []
        self.demanded: list[Demanded | None] = []
        for number, line in enumerate(comments[2:], 3):
            found = OPCODE.fullmatch(line)
            if found is None:
                continue
            where = source.at(number)
            if int(found[1], 16) != len(self.sections):
                raise Unreadable(f"{where}: opcode {found[1]}; wanted is {len(self.sections):02X}")
            try:
                said = Section.of(found[2], selection=found[3], seed=int(found[4]))
            except ValueError as error:
                raise Unreadable(f"{where}: {error}") from None
            self.demanded.append(Demanded.of(said))
            self.sections.append(Section(said.operation))
        if not self.sections:
            raise Unreadable(f"{source.at(3)}: no line says an opcode: '// opcode 00 OPERATION (SELECTION, seed N)'")
        widths = {"valid": 1, "ready": 1, "opcode": 2, **fields_of(self.sections)}
        said_fields = " ".join(f"{name} {digits}" for name, digits in widths.items())
        if comments[1] != f"// {said_fields}":
            raise Unreadable(f"{source.at(2)}: the fields of these operations are {said_fields}")
        self.places: dict[str, slice] = {}
        at = 0
        for name, digits in widths.items():
            self.places[name] = slice(at, at + digits)
            at += digits + 1
        self.width = at - 1

    def take(self, piece: bytes, first: int) -> Iterator[Found]:
        """The cases of a piece of words, an operation after the other."""
        flat = np.frombuffer(piece, np.uint8)
        lengths = np.diff(np.flatnonzero(flat == ord("\n")), prepend=-1) - 1
        if (lengths != self.width).any():
            i = int(np.argmax(lengths != self.width))
            raise Unreadable(f"{self.source.at(first + i)}: a word of {lengths[i]} characters; wanted are {self.width}")
        words = flat.reshape(-1, self.width + 1)[:, :-1]
        between = [place.stop for place in self.places.values()][:-1]
        self._require(~(words[:, between] != ord("_")).any(axis=1), first, "fields are joined by _")
        for name in ("valid", "ready"):
            bit = words[:, self.places[name].start]
            self._require((bit == ord("0")) | (bit == ord("1")), first, f"field {name} is 0 or 1")
        valid = words[:, 0] == ord("1")
        opcodes, bad = from_digits(words[:, None, self.places["opcode"]], FLAGS)
        known = ~bad & (opcodes < len(self.sections))
        self._require(known | ~valid, first, "field opcode is none of the stream")
        for i, section in enumerate(self.sections):
            rows = np.flatnonzero(valid & (opcodes == i))
            if rows.size:
                yield self._found(i, section, words[rows], first + rows)

    def _found(self, i: int, section: Section, words: Text, lines: NDArray[np.int64]) -> Found:
        codes = [self._codes(words, column, lines) for column in section.columns]
        flags = self._codes(words, FLAGS, lines)
        block = Block(tuple(codes[:-1]), codes[-1], flags if section.has_status else None)
        demanded = self.demanded[i]
        other = None if demanded is None else demanded.first_other(block.operands)
        if other is not None:
            raise Unreadable(
                f"{self.source.at(int(lines[other]))}: not the case that the recipe of opcode {i:02X} has here: words "
                "were lost, repeated or made up"
            )
        return Found(section, block, lines, complete=demanded is not None)

    def _codes(self, words: Text, column: Column, lines: NDArray[np.int64]) -> Codes:
        """The codes of a column, which stand in the low digits of its field."""
        field = words[:, self.places[column.name]]
        digits = column.elements * column.digits
        text = np.ascontiguousarray(field[:, -digits:]).reshape(-1, column.elements, column.digits)
        codes, bad = from_digits(text, column)
        bad = bad | (field[:, :-digits] != ord("0")).any(axis=1)
        if bad.any():
            at = int(np.argmax(bad))
            there = field[at].tobytes().decode("ascii")
            where = f"{self.source.at(int(lines[at]))}: field {column.name}"
            raise Unreadable(f"{where}: {there!r:.60} is no code of {column.type}")
        return codes

    def _require(self, right: NDArray[np.bool_], first: int, said: str) -> None:
        if not right.all():
            raise Unreadable(f"{self.source.at(first + int(np.argmax(~right)))}: {said}")

    def end(self, last: int) -> None:
        """Have all cases come?"""
        for i, demanded in enumerate(self.demanded):
            if demanded is not None and not demanded.ended():
                raise Unreadable(f"{self.source.at(last)}: the recipe of opcode {i:02X} makes more: words were lost")


def read(source: Source) -> Iterator[Found]:
    """The cases of a stream.  Raises Unreadable with file and line for anything else."""
    comments: list[str] = []
    now: _Stream | None = None
    last = 1
    for first, piece in source.pieces():
        while now is None and piece.startswith(b"//"):
            line, _, piece = piece.partition(b"\n")
            comments.append(line.decode("ascii"))
            first += 1
        if not piece:
            continue
        if now is None:
            now = _Stream(comments, source)
        yield from now.take(piece, first)
        last = first + piece.count(b"\n") - 1
    (now or _Stream(comments, source)).end(last)
