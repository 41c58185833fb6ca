"""Where text is laid out in columns and colours: what it says is data, never markup and never a picture's name.

Nothing is wider than the terminal, save what is meant to be copied: a command stays on one line.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

NARROWEST = 40  # columns: below, nothing is folded any further
BESIDE = 24  # columns that the last cell of a row needs beside the others; with less it has lines of its own
INDENT = 4
COMMAND = re.compile(r"\s*(?:repro|again|\$)?\s*(?:fp8ref|python|pip) ")
COMPARED = re.compile(r"\s*(?:want|got) ")


def terminal(**options: Any) -> Console:
    """A console of rich that prints texts as they are; ``options`` are its own."""
    return Console(**{"highlight": False, "markup": False, "emoji": False, **options})


def columns(pipe: int | None = None) -> int | None:
    """How wide lines may be: COLUMNS where that is set, else the terminal's width; ``pipe`` where there is none."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and 0 < int(said) < 1 << 15:
        return max(NARROWEST, int(said))
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else pipe


def counted(n: int, what: str) -> str:
    """``1 operation``, ``2 operations``, ``2 crashes``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}{'es' if what.endswith(('s', 'sh', 'ch', 'x')) else 's'}"


def folded(page: str, width: int | None) -> str:
    """A page whose lines are at most so wide: what a line has too much goes on below its value.

    A line ends at the gap between two columns, else at a blank, else after a mark in a long name.  Commands stay whole.

    >>> print(folded("  why  it rounds twice, first to binary32", 30))
      why  it rounds twice, first
           to binary32
    """
    if width is None:
        return page
    lines = [line.rstrip() for line in page.split("\n")]
    if any(len(line) > width for line in lines if COMPARED.match(line)):  # they stand below each other
        lines = [_narrow(line, width)[0] if COMPARED.match(line) else line for line in lines]
    return "\n".join(part for line in lines for part in _folded(line, width))


def _narrow(line: str, width: int) -> tuple[str, int]:
    """A line whose columns give way, before it is broken, and where what has no room goes on."""
    label = re.match(r"\s*(?:FAIL |\S+(?: \S+)* {2,})?", line)
    indent = label.end() if label and 0 < label.end() <= width // 2 else INDENT
    return line[:indent] + re.sub(" {4,}", " " * 3, line[indent:]), indent


def _folded(line: str, width: int) -> Iterator[str]:
    if len(line) <= width or COMMAND.match(line):
        yield line
        return
    line, indent = _narrow(line, width)  # columns give way before lines are broken
    yield from _broken(line, width, indent)


def _broken(line: str, width: int, indent: int) -> Iterator[str]:
    indent = min(indent, width // 2)  # what is before may take more than a line
    while len(line) > width:
        end = _end_of_line(line, indent, width)
        yield line[:end].rstrip()
        line = " " * indent + line[end:].lstrip()
    yield line


def _end_of_line(line: str, indent: int, width: int) -> int:
    least = indent + (width - indent) // 3
    for mark, keep in (("  ", 0), (" ", 0), (";", 1), (",", 1), ("/", 1)):
        at = line.rfind(mark, least, width + (keep == 0) * len(mark) - keep)
        if at >= least:
            return at + keep
    return width


def rows(
    heads: Sequence[str],
    cells: Iterable[Sequence[str | Text]],
    width: int | None,
    right: Sequence[int] = (),
    own_line: bool | None = None,
) -> Iterator[Text]:
    """A table line by line: columns aligned, the last one wrapped below itself, no blanks at the end.

    ``right``: the columns whose numbers stand to the right.  ``own_line``: whether the last cell stands on lines of its
    own below its row; by default where nothing of use would fit beside the others.
    """
    table = [[_text(cell) for cell in row] for row in cells]
    head = [Text(name, "dim") for name in heads]
    last = len(heads) - 1
    widest = [max((len(row[i]) for row in [head, *table]), default=0) for i in range(last + 1)]
    room = 1 << 15 if width is None else width
    need = 0 if own_line else min(widest[last], BESIDE)
    gap = next((gap for gap in (2, 1) if room - sum(widest[:last]) - gap * last >= need), 2)
    left = room - sum(widest[:last]) - gap * last
    little = left < min(widest[last], BESIDE)
    below = little if own_line is None else widest[last] > 0 and (own_line or (little and left < room // 8))
    for row in [head, *table] if any(heads) else table:
        line = Text()
        for i, cell in enumerate(row[:last]):
            pad = " " * (widest[i] - len(cell))
            line = line + (Text(pad) + cell if i in right else cell + Text(pad)) + Text(" " * gap)
        if below:
            yield from _fits(line, room)
            if row is not head and row[last]:
                yield from _wrapped(Text(" " * INDENT), row[last], INDENT, room)
        else:
            yield from _wrapped(line, row[last], sum(widest[:last]) + gap * last, room)


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _fits(line: Text, width: int) -> Iterator[Text]:
    line.rstrip()
    if len(line) <= width:
        yield line
    else:
        yield from map(Text, _folded(line.plain, width))


def _wrapped(line: Text, cell: Text, indent: int, width: int) -> Iterator[Text]:
    if len(cell) <= width - indent:
        whole = line + cell
        whole.rstrip()
        yield whole
        return
    for i, part in enumerate(_broken(" " * indent + cell.plain, width, indent)):
        yield (Text(" " * indent) if i else line) + Text(part[indent:], cell.style)


def shown(out: Console, lines: Iterable[Text | str], style: str = "") -> None:
    """Print lines that are folded already."""
    for line in lines:
        out.print(line, soft_wrap=True, style=style or None)
