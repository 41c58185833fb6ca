"""Cases as lines of JSON: one object a line, the hexadecimal codes of its elements under each column's name.

    {"a":"43E80001","z":"7E","x":"05"}

Lines in the spelling that is written here are read whole pieces at a time; any other JSON of the same keys one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..section import Codes, Column
from ..source import Unreadable
from .digits import Text, from_digits, to_digits

_HEX = re.compile(r"[0-9A-Fa-f]*")
At = Callable[[int], str]


@dataclass(frozen=True)
class Lines:
    """Cases of a piece: codes by column, the number of each one's line, and, read when asked, texts by key."""

    codes: Mapping[str, Codes]
    lines: NDArray[np.int64]
    texts: Callable[[], Mapping[str, tuple[str, ...]]]


def json_object(line: bytes, where: str, what: str) -> dict[str, Any]:
    """The object of a line.  Raises Unreadable where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreadable(f"{where}: not a line of {what}: {line[:40].decode('utf-8', 'replace').strip()!r}")
    return found


def hex_text(case: Mapping[str, Any], column: Column, where: str) -> str:
    """The digits of a column in a case."""
    text = case.get(column.name)
    wanted = column.elements * column.digits
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) != wanted:
        raise Unreadable(
            f"{where}: {column.name} is {column.elements} element(s) of {column.digits} hexadecimal digits, "
            f"not {repr(text)[:40]}"
        )
    return text


def codes_of(texts: Sequence[str], column: Column, at: Callable[[int], str]) -> Codes:
    """Codes of digits, one text for each case; ``at`` names the place of a case, for a complaint."""
    flat = np.frombuffer("".join(texts).encode(), np.uint8)
    codes, bad = from_digits(flat.reshape(len(texts), column.elements, column.digits), column)
    if bad.any():
        raise Unreadable(f"{at(int(np.argmax(bad)))}: {column.name} has a code that {column.type} does not")
    return codes


def prefix(columns: Sequence[Column], arrays: Sequence[Codes]) -> list[Text]:
    """The columns as parts of lines, up to and with the quotation mark that ends the last one."""
    n = len(arrays[0])
    parts = []
    for i, (column, codes) in enumerate(zip(columns, arrays)):
        parts.append(constant(f'{"," if i else "{"}"{column.name}":"', n))
        parts.append(to_digits(codes, column).reshape(n, column.elements * column.digits))
        parts.append(constant('"', n))
    return parts


def constant(text: str, n: int) -> Text:
    return np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (n, len(text)))


def parse(
    piece: bytes, first: int, columns: Sequence[Column], keys: Sequence[str], at: At, what: str = "vectors"
) -> Lines:
    """The cases of a piece of complete lines, the first of which has the number ``first``.

    ``keys``: those of texts that a case may have after its columns, in this order, or else not at all.
    """
    found = _regular(piece, first, columns, keys, at, what)
    return found if found is not None else _irregular(piece, first, columns, keys, at, what)


def _regular(
    piece: bytes, first: int, columns: Sequence[Column], keys: Sequence[str], at: At, what: str
) -> Lines | None:
    flat = np.frombuffer(piece, np.uint8)
    ends = np.flatnonzero(flat == 10)
    starts = np.concatenate([[0], ends[:-1] + 1])
    shape = [(f'{"," if i else "{"}"{c.name}":"', c) for i, c in enumerate(columns)]
    width = sum(len(text) + c.elements * c.digits + 1 for text, c in shape)
    if not ends.size or (ends - starts <= width).any():
        return None
    rows = flat[starts[:, None] + np.arange(width)]
    codes, place = {}, 0
    for text, c in shape:
        digits = c.elements * c.digits
        if (rows[:, place : place + len(text)] != np.frombuffer(text.encode(), np.uint8)).any():
            return None
        place += len(text)
        values, bad = from_digits(rows[:, place : place + digits].reshape(-1, c.elements, c.digits), c)
        if bad.any():
            return None
        codes[c.name] = values
        place += digits
        if (rows[:, place] != ord('"')).any():
            return None
        place += 1
    lines = first + np.arange(ends.size)
    if not keys:
        plain = (ends - starts == width + 1).all() and bool((flat[ends - 1] == ord("}")).all())
        return Lines(codes, lines, dict) if plain else None
    pattern = re.compile("".join(f',"{key}":"([^"\\\\]*)"' for key in keys) + "}")

    def texts() -> Mapping[str, tuple[str, ...]]:
        rests = [pattern.fullmatch(piece[s:e].decode()) for s, e in zip((starts + width).tolist(), ends.tolist())]
        if not all(rests):
            return _irregular(piece, first, columns, keys, at, what).texts()
        return dict(zip(keys, zip(*(match.groups() for match in rests if match))))

    return Lines(codes, lines, texts)


def _irregular(piece: bytes, first: int, columns: Sequence[Column], keys: Sequence[str], at: At, what: str) -> Lines:
    texts: dict[str, list[str]] = {c.name: [] for c in columns}
    rest: dict[str, list[str]] = {key: [] for key in keys}
    lines = []
    allowed = {*texts, *keys}
    for number, line in enumerate(piece.split(b"\n")[:-1], first):
        if not line.strip():
            continue
        case = json_object(line, at(number), what)
        if unknown := sorted(set(case) - allowed):
            raise Unreadable(
                f"{at(number)}: a case has no {unknown[0][:40]!r}; its keys are {', '.join(sorted(allowed))}"
            )
        for c in columns:
            texts[c.name].append(hex_text(case, c, at(number)))
        for key in keys:
            text = case.get(key)
            if not isinstance(text, str):
                raise Unreadable(f"{at(number)}: {key} is a text, not {repr(text)[:40]}")
            rest[key].append(text)
        lines.append(number)
    codes = {c.name: codes_of(texts[c.name], c, lambda i: at(lines[i])) for c in columns}
    texts_ = {key: tuple(found) for key, found in rest.items()}
    return Lines(codes, np.array(lines, np.int64), lambda: texts_)
