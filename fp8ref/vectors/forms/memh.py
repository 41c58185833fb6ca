"""Words for ``$readmemh``: a case is a word {operands, result, status}, every field whole hexadecimal digits.

A section takes three files: the words, one a line and nothing else; a JSON sidecar with the section's header and every
field's place; and a SystemVerilog package with the same as localparams and a packed struct.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...outputs import require_free, together
from ..section import Block, Column, Section, by_case
from ..source import Found, Source, Unreadable
from .digits import from_digits, to_digits
from .jsonl import case_columns, header, read_header
from .registry import Sections
from .tables import arrays, identifier, numbered

SCHEMA = "fp8ref/memh/1"
SUFFIX = ".memh"
LONGEST_SIDECAR = 1 << 20
UNKNOWN = frozenset(b"xXzZ_")  # what $readmemh reads and no case has


@dataclass(frozen=True)
class Field:
    """A column's place in a word: bits ``lsb + width - 1`` down to ``lsb``, element 0 on top."""

    column: Column
    lsb: int

    @property
    def width(self) -> int:
        return 4 * self.column.digits * self.column.elements

    @property
    def msb(self) -> int:
        return self.lsb + self.width - 1

    def described(self) -> dict[str, Any]:
        c = self.column
        return {
            "name": c.name, "type": c.type, "elements": c.elements, "element_bits": c.bits,
            "element_width": 4 * c.digits, "msb": self.msb, "lsb": self.lsb,
        }  # fmt: skip


def fields(section: Section) -> tuple[Field, ...]:
    """The fields of a section's words, the highest first; the status, where there is one, is the lowest."""
    found: list[Field] = []
    lsb = 0
    for column in reversed(case_columns(section)):
        found.append(Field(column, lsb))
        lsb += found[-1].width
    return tuple(reversed(found))


def word_bits(section: Section) -> int:
    return fields(section)[0].msb + 1


def sidecar_of(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def package_of(path: Path) -> Path:
    return path.with_name(f"{identifier(path.stem)}_pkg.sv")


def words(section: Section, block: Block) -> bytes:
    """The words of a block, a line each."""
    if not block.size:
        return b""
    parts = [by_case(to_digits(x, c)) for x, c in zip(arrays(section, block), case_columns(section))]
    end = np.full((block.size, 1), ord("\n"), np.uint8)
    return np.concatenate([*parts, end], axis=1).tobytes()


def write(sections: Sections, path: Path, force: bool = False) -> list[Path]:
    """Three files for each section; returns them.  Raises FileExistsError unless ``force``."""
    written: list[Path] = []
    with together(force) as files:
        for file, section, blocks in numbered(path, sections):
            require_free(names := [file, sidecar_of(file), package_of(file)], force)
            digest, count = hashlib.sha256(), 0
            with files.file(file) as out:
                for block in blocks:
                    text = words(section, block)
                    digest.update(text)
                    out.write(text)
                    count += block.size
            section = replace(section, count=count)
            beside = (sidecar(section, file, digest.hexdigest()), package(section, file))
            for other, content in zip(names[1:], beside):
                with files.file(other) as out:
                    out.write(content.encode())
            written += names
    return written


def sidecar(section: Section, path: Path, sha256: str) -> str:
    document = {
        "fp8ref": "memh",
        "schema": SCHEMA,
        "file": path.name,
        "package": package_of(path).name,
        "word_bits": word_bits(section),
        "fields": [field.described() for field in fields(section)],
        "header": header(section, sha256),
    }
    return json.dumps(document, indent=1) + "\n"


def package(section: Section, path: Path) -> str:
    """Widths, counts and ranges as localparams, and a word as a packed struct."""
    lines = [
        f"// The words of {path.name}: {section.operation.id}",
        f"package {package_of(path).stem};",
        f'  localparam FILE = "{path.name}";',
        f"  localparam int COUNT = {section.count};",
        f"  localparam int WORD_BITS = {word_bits(section)};",
    ]
    members = []
    for field in fields(section):
        c, name = field.column, field.column.name.upper()
        lines.append(f"  localparam int {name}_MSB = {field.msb}, {name}_LSB = {field.lsb}, {name}_BITS = {c.bits};")
        many = "" if c.shape == () else f"[0:{c.elements - 1}]"
        members.append(f"    logic {many}[{4 * c.digits - 1}:0] {c.name};")
    return "\n".join([*lines, "  typedef struct packed {", *members, "  } case_t;", "endpackage", ""])


# -- reading ----------------------------------------------------------------------------------------------------------
def read(source: Source) -> Iterator[Found]:
    """The cases of a file of words, by the sidecar beside it.  Raises Unreadable with file, line and field."""
    section, sha256 = _by_sidecar(source)
    columns = case_columns(section)
    width = word_bits(section) // 4
    digest, seen = hashlib.sha256(), 0
    for first, piece in source.pieces():
        digest.update(piece)
        flat = np.frombuffer(piece, np.uint8)
        ends = np.flatnonzero(flat == ord("\n"))
        lengths = np.diff(ends, prepend=-1) - 1
        if (lengths != width).any():
            i = int(np.argmax(lengths != width))
            raise Unreadable(f"{source.at(first + i)}: a word of {lengths[i]} digits; the sidecar says {width}")
        text = flat.reshape(-1, width + 1)[:, :-1]
        lines = first + np.arange(len(text))
        seen += len(text)
        assert section.count is not None
        if seen > section.count:
            line = int(lines[section.count - seen])
            raise Unreadable(f"{source.at(line)}: the sidecar announces {section.count} words, and here is one more")
        codes, start = [], 0
        for column in columns:
            digits = column.digits * column.elements
            part = text[:, start : start + digits].reshape(-1, column.elements, column.digits)
            found, bad = from_digits(np.ascontiguousarray(part), column)
            if bad.any():
                i = int(np.argmax(bad))
                raise Unreadable(f"{source.at(int(lines[i]))}: field {column.name}: {_complaint(part[i], column)}")
            codes.append(found)
            start += digits
        status = codes.pop() if section.has_status else None
        block = Block(tuple(codes[:-1]), codes[-1], status)
        yield Found(section, block, lines)
    if seen != section.count:
        raise Unreadable(f"{source.at(seen)}: {section.count} words are announced, {seen} are there: is the file torn?")
    if digest.hexdigest() != sha256:
        raise Unreadable(
            f"{source.at(1)}: the file hashes to {digest.hexdigest()[:16]}..., its sidecar announces "
            f"{str(sha256)[:16]}...: a word was changed, moved, lost or repeated"
        )


def _complaint(digits: NDArray[np.uint8], column: Column) -> str:
    text = digits.tobytes().decode()
    for digit in digits.reshape(-1).tolist():
        if digit in UNKNOWN:
            return f"{text!r} has the unknown digit {chr(digit)!r}; a case is known in every bit"
        if chr(digit) not in "0123456789abcdefABCDEF":
            return f"{chr(digit)!r} in {text!r} is no hexadecimal digit"
    return f"{text!r} is no code of {column.type}, which has {column.bits} bits"


def _by_sidecar(source: Source) -> tuple[Section, str | None]:
    path = Path(source.name)
    beside = sidecar_of(path)
    where = str(beside)
    if source.name == "-" or not os.path.isfile(beside):
        raise Unreadable(f"{source.name}: words are read by the sidecar beside them, and there is no {beside.name}")
    raw = beside.read_bytes()[: LONGEST_SIDECAR + 1]
    if len(raw) > LONGEST_SIDECAR:
        raise Unreadable(f"{where}: a sidecar of more than {LONGEST_SIDECAR} bytes")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{where}: not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("fp8ref") != "memh":
        raise Unreadable(f'{where}: no sidecar: it begins with {{"fp8ref":"memh"')
    if document.get("schema") != SCHEMA:
        raise Unreadable(f"{where}: field schema: {repr(document.get('schema'))[:40]}; this version reads {SCHEMA}")
    if document.get("file") != path.name:
        raise Unreadable(f"{where}: field file: {repr(document.get('file'))[:60]}; it stands beside {path.name}")
    if not isinstance(document.get("header"), dict):
        raise Unreadable(f"{where}: field header: the section's header is missing")
    section, sha256 = read_header(document["header"], f"{where}: field header")
    if section.count is None or sha256 is None:
        raise Unreadable(f"{where}: field header: count and sha256 of the words are missing")
    section = replace(section, coverpoints=())
    for name, own in (
        ("word_bits", word_bits(section)),
        ("fields", [field.described() for field in fields(section)]),
    ):
        if document.get(name) != own:
            raise Unreadable(f"{where}: field {name}: not that of {section.operation.id}")
    return section, sha256
