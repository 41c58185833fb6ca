"""Sections as whole tables, one file each: what the forms that are not streams share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.products.beside import has_amax
from ..section import NONE, VERSION, Block, Column, Section, by_case, tags
from ..source import Details, Found, Unreadable
from .jsonl import case_columns, header, read_header
from .registry import Sections

MOST_BYTES = 1 << 30  # of all the arrays of a table that is read
LONGEST_HEADER = 1 << 20
BINS = "bins"  # the column of the bins: for every coverpoint the number of a value, or -1
HARMLESS, RATIO = 1 << 26, 2000  # bytes that any file may unpack to; and so many for each of its own beyond


def numbered(path: Path, sections: Sections) -> Iterator[tuple[Path, Section, Iterator[Block]]]:
    """The file of each section: the path itself, and ``-2``, ``-3`` before its suffix for those after the first."""
    for number, (section, blocks) in enumerate(sections, 1):
        yield (path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")), section, blocks


def identifier(text: str) -> str:
    """A name that C and SystemVerilog take.

    >>> identifier("f32-to-e4m3fn.2"), identifier("2x")
    ('f32_to_e4m3fn_2', '_2x')
    """
    found = re.sub(r"\W", "_", text, flags=re.ASCII)
    return f"_{found}" if not found or found[0].isdigit() else found


def arrays(section: Section, block: Block) -> tuple[NDArray[Any], ...]:
    """The columns of a block in the order of ``case_columns``: operands, result, status or amax."""
    return (*block.operands, block.result, *(x for x in (block.status, block.amax) if x is not None))


def block_of(section: Section, columns: Sequence[NDArray[Any]]) -> Block:
    """The block of columns in that order."""
    rest = list(columns)
    amax = rest.pop() if has_amax(section.operation) else None
    status = rest.pop() if section.has_status else None
    return Block(tuple(rest[:-1]), rest[-1], status, amax=amax)


def gathered(section: Section, blocks: Iterator[Block]) -> tuple[Section, dict[str, NDArray[Any]]]:
    """The section with its count, and all of its cases: column name -> little-endian array of (count, *shape)."""
    columns = table_columns(section)
    parts = [(*arrays(section, block), *binned(section, block)) for block in blocks]
    found = {
        c.name: np.concatenate([part[i] for part in parts]).astype(_stored(c), copy=False)
        if parts
        else np.empty((0, *c.stored), _stored(c))
        for i, c in enumerate(columns)
    }
    return replace(section, count=len(found[columns[0].name])), found


def table_columns(section: Section) -> tuple[Column, ...]:
    """Operands, result, status or amax, and where the section has coverpoints a column of bins."""
    bins = Column(BINS, "i16", (len(section.coverpoints),))
    return (*case_columns(section), *([bins] if section.coverpoints else []))


def binned(section: Section, block: Block) -> tuple[NDArray[np.int16], ...]:
    if not section.coverpoints:
        return ()
    assert block.bins is not None
    return (block.bins,)


def _stored(column: Column) -> np.dtype[np.generic]:
    return column.dtype.newbyteorder("<")


def digest(table: dict[str, NDArray[Any]]) -> str:
    """The hash of a table: of the bytes of its arrays, one after the other."""
    found = hashlib.sha256()
    for array in table.values():
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def header_text(section: Section, table: dict[str, NDArray[Any]]) -> str:
    return json.dumps(header(section, digest(table)), separators=(",", ":"))


def announced(text: str, where: str, packed: int) -> tuple[Section, str]:
    """The section of a table's header, and the hash that it announces, in a file of ``packed`` bytes.

    Raises Unreadable, also where so much is announced that it would be a bomb.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{where}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Unreadable(f"{where}: a header is a JSON object, not {text[:40]!r}")
    section, sha256 = read_header(document, where)
    if section.count is None or sha256 is None:
        raise Unreadable(f"{where}: count and sha256 of the cases are missing")
    if document.get("bins") and not section.coverpoints:
        raise Unreadable(f"{where}: field bins: those of version {VERSION} are read; export the file without them")
    size = sum(c.elements * c.words * c.dtype.itemsize for c in table_columns(section))
    if section.count * size > MOST_BYTES:
        raise Unreadable(f"{where}: announces {section.count} cases, more than {MOST_BYTES} bytes; take jsonl")
    if section.count * size > max(HARMLESS, RATIO * packed):
        raise Unreadable(f"{where}: announces {section.count * size} bytes of cases in a file of {packed}: a bomb?")
    return section, sha256


def expected_shape(section: Section, column: Column) -> tuple[int, ...]:
    assert section.count is not None
    return (section.count, *column.stored)


def found_of(section: Section, sha256: str, table: dict[str, NDArray[Any]], where: str) -> Found:
    """The cases of a table that was read.  Raises Unreadable for codes that a column's type does not have, and where
    the hash is another."""
    for column in case_columns(section):
        array = table[column.name]
        if column.words > 1:
            array = by_case(array)[:, :1]  # the highest word
        if column.dtype.kind == "u" and (spare := 8 * column.dtype.itemsize * column.words - column.bits):
            bad = by_case(array >> (8 * column.dtype.itemsize - spare) != 0).any(axis=1)
            if bad.any():
                case = int(np.argmax(bad))
                raise Unreadable(
                    f"{where}:{case + 1}: field {column.name}: {array[case]} is no code of {column.type}, "
                    f"which has {column.bits} bits"
                )
    if digest(table) != sha256:
        raise Unreadable(
            f"{where}: the arrays hash to {digest(table)[:16]}..., announced is {sha256[:16]}...: a case was changed, "
            "moved, lost or repeated"
        )
    block = block_of(section, [table[c.name].astype(c.dtype, copy=False) for c in case_columns(section)])
    found = Found(section, block, 1 + np.arange(block.size))
    return replace(found, details=_bins_in(section, table[BINS], where)) if section.coverpoints else found


def _bins_in(section: Section, bins: NDArray[Any], where: str) -> Callable[[], Details]:
    """The texts of bins.  Raises Unreadable for numbers that no value has."""
    most = np.array([len(point.values) for point in section.coverpoints])
    bad = ((bins < NONE) | (bins >= most)).any(axis=1)
    if bad.any():
        raise Unreadable(f"{where}:{int(np.argmax(bad)) + 1}: field {BINS}: a number that is no value's")
    return lambda: (None, tuple(tags(section.coverpoints, bins.astype(np.int16, copy=False))))
