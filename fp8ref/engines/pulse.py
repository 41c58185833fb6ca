"""How far the work is, while it goes on: a board in memory that the processes of a run share.

Each process writes one line of its own: what it does, how much of it is done, and how much it did in all.  What stands
there is for people's eyes; a line that is read while it is written does no harm.  Processes that were not forked from
this one (dask's, those of macOS) write nowhere.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

LINE = struct.Struct("<qqqq128s")  # process, cases in all, cases done of this, of how many; what
LINES = 512
_board = mmap.mmap(-1, LINE.size * LINES)
_total = 0
_what = ""


class Beat(NamedTuple):
    """What a process does now: ``done`` of ``of`` cases (0: unknown), and ``total`` cases since the run began."""

    what: str
    done: int
    of: int
    total: int


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say that this process works on something; what is reported inside is about that."""
    global _what
    _what = what
    _write(0, 0)
    try:
        yield
    finally:
        _what = ""
        _write(0, 0)


def report(more: int, done: int, of: int) -> None:
    """``more`` cases were asked; that makes ``done`` of ``of``."""
    global _total
    _total += more
    _write(done, of)


def clear() -> None:
    """Begin a run: nothing is done yet."""
    global _total
    _total = 0
    _board[:] = bytes(len(_board))


def beats() -> list[Beat]:
    """What stands on the board, a line a process."""
    found = [LINE.unpack_from(_board, i * LINE.size) for i in range(LINES)]
    return [
        Beat(what.rstrip(b"\0").decode("utf-8", "replace"), done, of, total)
        for process, total, done, of, what in found
        if process
    ]


def _write(done: int, of: int) -> None:
    place = os.getpid() % LINES
    LINE.pack_into(_board, place * LINE.size, os.getpid(), _total, done, of, _what.encode()[:128])
