"""Where vectors are read from: a file, ``.gz`` or a pipe, in pieces of whole lines, with the number of every line."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..escapes import one_line
from .section import Block, Section

LONGEST_LINE = 1 << 20
MOST_UNPACKED = 1 << 30  # bytes that a .gz may unpack to
PIECE = 1 << 20


class Unreadable(ValueError):
    """What is no vector file, or is a damaged one: the place, what is wrong, and what would be right; in one line."""

    def __init__(self, said: str) -> None:
        super().__init__(one_line(said))


Details = tuple[tuple[str, ...] | None, tuple[str, ...] | None]


@dataclass(frozen=True)
class Found:
    """Cases as a file has them: ``lines`` says where each one stands, ``mask`` which flags are to be compared.

    ``details`` reads what takes longer, the texts of exact sums and of bins; ``raw``, where a form has one canonical
    spelling, is the bytes of the lines: equal bytes need no details.  ``complete``: something
    says how many cases there are to be.
    """

    section: Section
    block: Block
    lines: NDArray[np.int64]
    mask: int = 31
    raw: bytes | None = None
    details: Callable[[], Details] = lambda: (None, None)
    complete: bool = True


class Source:
    """The complete lines of a stream, a piece at a time.

    ``asked``: the operation that a file without a header is about, or None.
    """

    def __init__(
        self, file: IO[bytes] | gzip.GzipFile, name: str, asked: Section | None = None, limit: int | None = None
    ) -> None:
        self.file, self.name, self.asked, self._limit = file, name, asked, limit
        self._ahead = b""

    def at(self, line: int) -> str:
        """A place, for a complaint."""
        return f"{self.name}:{line}"

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """(number of the first line, bytes that end with a line's end); as much as has arrived, at most PIECE or so."""
        line, kept, taken = 1, b"", 0
        while True:
            more = self._more(line)
            taken += len(more)
            if self._limit is not None and taken > self._limit:
                raise Unreadable(
                    f"{self.at(line)}: unpacks to more than {self._limit} bytes; unpack it and verify that"
                )
            if not more:
                break
            piece = kept + more
            end = piece.rfind(b"\n") + 1
            kept = piece[end:]
            if end:
                self._check(piece[:end], line)
                yield line, piece[:end]
                line += piece.count(b"\n", 0, end)
            if len(kept) > LONGEST_LINE:
                raise Unreadable(f"{self.at(line)}: a line of more than {LONGEST_LINE} bytes")
        if kept:
            raise Unreadable(f"{self.at(line)}: the last line has no end: the file is torn")

    def begins_with(self, start: bytes) -> bool:
        """Does the stream begin so?  Waits for its first bytes."""
        self._ahead = self._ahead or self._more(1)
        return self._ahead.startswith(start)

    def whole(self, most: int) -> bytes:
        """Everything, for the forms that are no lines.  Raises Unreadable where that is more than so many bytes."""
        parts, size = [], 0
        while more := self._more(1):
            parts.append(more)
            size += len(more)
            if size > most:
                raise Unreadable(f"{self.name}: more than {most} bytes")
        return b"".join(parts)

    def _more(self, line: int) -> bytes:
        """What comes next, at most PIECE bytes; ``line`` is where that is, for a complaint."""
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            return ahead
        try:
            if isinstance(self.file, (io.BufferedReader, gzip.GzipFile)):
                return self.file.read1(PIECE)
            return self.file.read(PIECE)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Unreadable(f"{self.at(line)}: the compressed file is damaged from here on: {error}") from None

    def _check(self, piece: bytes, line: int) -> None:
        """Only ASCII, and lines that end with a line feed alone."""
        if b"\r" in piece:
            line += piece.count(b"\n", 0, piece.index(b"\r"))
            raise Unreadable(f"{self.at(line)}: a carriage return; lines end with a line feed alone")
        if not piece.isascii():
            bad = int(np.argmax(np.frombuffer(piece, np.uint8) > 127))
            line += piece.count(b"\n", 0, bad)
            raise Unreadable(f"{self.at(line)}: byte {piece[bad]:#04x} is not ASCII")


def lines_that_begin(piece: bytes, with_: bytes) -> Iterator[tuple[int, int]]:
    """(first byte, byte after its end) of every line of a piece that begins so."""
    first = piece.startswith(with_)
    before = -1 if first else piece.find(b"\n" + with_)
    while first or before >= 0:
        end = piece.index(b"\n", before + 1)
        yield before + 1, end + 1
        first, before = False, piece.find(b"\n" + with_, end)


def open_source(path: Path | str, asked: Section | None = None, limit: int = MOST_UNPACKED) -> Source:
    """The source of a file, by its name; ``.gz`` is unpacked, up to ``limit`` bytes.  Raises OSError."""
    path = Path(path)
    if path.name.endswith(".gz"):
        return Source(gzip.open(path, "rb"), str(path), asked, limit)
    return Source(path.open("rb"), str(path), asked)


def standard_input(asked: Section | None = None) -> Source:
    """What comes through the pipe, as soon as it comes."""
    return Source(io.BufferedReader(io.FileIO(os.dup(0), "rb"), PIECE), "-", asked)
