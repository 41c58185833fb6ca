"""Words for ``$readmemh``: a case is a word {operands, result, status}, every field whole hexadecimal digits.

A section takes four files: the words, one a line and nothing else; a JSON sidecar with the section's header and every
field's place; a SystemVerilog package with the same as localparams and a packed struct; and a VHDL package with a
record and a function that takes a line apart.  Where cases have bins there are two more: words of them, and a module
that counts them in a simulator.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...outputs import require_free, together
from ..coverage.bins import points_of
from ..merging.covergroup import digits_of, members, module
from ..section import NONE, Block, Column, Section, by_case, tags
from ..source import Details, Found, Source, Unreadable
from . import vhdl
from .digits import from_digits, to_digits
from .jsonl import case_columns, header, read_header
from .registry import Sections
from .tables import arrays, block_of, identifier, numbered

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
    """The fields of a section's words, the highest first; the status or the amax, where there is one, is the lowest."""
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


def bins_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.bins{path.suffix}")


def files_of(path: Path, section: Section) -> list[Path]:
    """Every file that a section takes, the words first."""
    stem = identifier(path.stem)
    found = [path, sidecar_of(path), package_of(path), vhdl.package_of(path)]
    return [*found, bins_of(path), path.with_name(f"{stem}_cover.sv")] if section.coverpoints else found


def bin_words(section: Section, block: Block) -> bytes:
    """The bins of a block, a line a case: the number of each point's value, all ones for none."""
    if not block.size:
        return b""
    assert block.bins is not None
    digits = digits_of(section.coverpoints)
    rows = to_digits(block.bins.view(np.uint16), Column("bins", "u16", (len(section.coverpoints),)))[:, :, -digits:]
    end = np.full((block.size, 1), ord("\n"), np.uint8)
    return np.concatenate([by_case(rows), end], axis=1).tobytes()


def words(section: Section, block: Block) -> bytes:
    """The words of a block, a line each."""
    if not block.size:
        return b""
    parts = [by_case(to_digits(x, c)) for x, c in zip(arrays(section, block), case_columns(section))]
    end = np.full((block.size, 1), ord("\n"), np.uint8)
    return np.concatenate([*parts, end], axis=1).tobytes()


def write(sections: Sections, path: Path, force: bool = False) -> list[Path]:
    """Four files for each section, six with bins; returns them.  Raises FileExistsError unless ``force``."""
    written: list[Path] = []
    with together(force) as files:
        for file, section, blocks in numbered(path, sections):
            require_free(names := files_of(file, section), force)
            digest, count, bins = hashlib.sha256(), 0, hashlib.sha256()
            with files.file(file) as out, files.file(bins_of(file)) if section.coverpoints else nullcontext() as beside:
                for block in blocks:
                    text = words(section, block)
                    digest.update(text)
                    out.write(text)
                    count += block.size
                    if beside is not None:
                        text = bin_words(section, block)
                        bins.update(text)
                        beside.write(text)
            section = replace(section, count=count)
            texts = [
                sidecar(section, file, digest.hexdigest(), bins.hexdigest()),
                package(section, file),
                vhdl.package(section, file, [(f.column.name, f.msb, f.lsb) for f in fields(section)]),
            ]
            if section.coverpoints:
                points = points_of(section.operation)
                texts.append(module(names[-1].stem, package_of(file).stem, section.operation.id, points))
            for other, content in zip([name for name in names[1:] if name != bins_of(file)], texts):
                with files.file(other) as out:
                    out.write(content.encode())
            written += names
    return written


def sidecar(section: Section, path: Path, sha256: str, bins_sha256: str = "") -> str:
    document = {
        "fp8ref": "memh",
        "schema": SCHEMA,
        "file": path.name,
        "package": package_of(path).name,
        "word_bits": word_bits(section),
        "fields": [field.described() for field in fields(section)],
        "header": header(section, sha256),
    }
    if section.coverpoints:
        document["bins"] = bins_described(section, path) | {"sha256": bins_sha256}
    return json.dumps(document, indent=1) + "\n"


def bins_described(section: Section, path: Path) -> dict[str, Any]:
    """The words of bins: their file, and every point's place and values."""
    width = 4 * digits_of(section.coverpoints)
    last = len(section.coverpoints) - 1
    return {
        "file": bins_of(path).name,
        "word_bits": width * len(section.coverpoints),
        "none": (1 << width) - 1,
        "points": [
            {"name": p.name, "values": list(p.values), "msb": (last - i + 1) * width - 1, "lsb": (last - i) * width}
            for i, p in enumerate(section.coverpoints)
        ],
    }


def package(section: Section, path: Path) -> str:
    """Widths, counts and ranges as localparams, and a word as a packed struct."""
    lines = [
        f"// The words of {path.name}: {section.operation.id}",
        f"package {package_of(path).stem};",
        f'  localparam FILE = "{path.name}";',
        f"  localparam int COUNT = {section.count};",
        f"  localparam int WORD_BITS = {word_bits(section)};",
    ]
    member_lines = []
    for field in fields(section):
        c, name = field.column, field.column.name.upper()
        lines.append(f"  localparam int {name}_MSB = {field.msb}, {name}_LSB = {field.lsb}, {name}_BITS = {c.bits};")
        many = "" if c.shape == () else f"[0:{c.elements - 1}]"
        member_lines.append(f"    logic {many}[{4 * c.digits - 1}:0] {c.name};")
    lines += ["  typedef struct packed {", *member_lines, "  } case_t;"]
    if section.coverpoints:
        width = 4 * digits_of(section.coverpoints)
        lines += [
            f'  localparam BINS_FILE = "{bins_of(path).name}";',
            f"  localparam int BINS_BITS = {width * len(section.coverpoints)};",
            members(section.coverpoints),
        ]
    return "\n".join([*lines, "endpackage", ""])


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
        block = block_of(section, codes)
        details = partial(_bins, source, section, seen - len(text), len(text))
        yield Found(section, block, lines, details=details if section.coverpoints else lambda: (None, None))
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
    if "bins" in document:
        section = _with_bins(section, path, document["bins"], where)
    else:
        section = replace(section, coverpoints=())
    for name, own in (
        ("word_bits", word_bits(section)),
        ("fields", [field.described() for field in fields(section)]),
    ):
        if document.get(name) != own:
            raise Unreadable(f"{where}: field {name}: not that of {section.operation.id}")
    return section, sha256


# -- bins -------------------------------------------------------------------------------------------------------------
def _with_bins(section: Section, path: Path, said: Any, where: str) -> Section:
    """The section with its coverpoints, whose words stand beside; without them where the version is another."""
    if not section.coverpoints:
        return section
    own = bins_described(section, path)
    if not isinstance(said, dict) or {**said, "sha256": ""} != {**own, "sha256": ""}:
        raise Unreadable(f"{where}: field bins: not those of {section.operation.id}")
    beside = bins_of(path)
    try:
        with beside.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unreadable(f"{beside}: cannot be read: {error.strerror or error}") from None
    if found != said["sha256"]:
        raise Unreadable(f"{beside}: hashes to {found[:16]}..., the sidecar announces {str(said['sha256'])[:16]}...")
    return section


def _bins(source: Source, section: Section, first: int, count: int) -> Details:
    """The bins of some cases, read when they are asked for; every line is of one length."""
    beside = bins_of(Path(source.name))
    column = Column("bins", "u16", (len(section.coverpoints),))
    digits = digits_of(section.coverpoints)
    width = digits * column.elements + 1
    with beside.open("rb") as file:
        file.seek(first * width)
        raw = file.read(count * width)
    if len(raw) != count * width:
        raise Unreadable(f"{beside}: {len(raw) // width} words where {count} are to be")
    text = np.frombuffer(raw, np.uint8).reshape(count, width)[:, :-1].reshape(count, column.elements, digits)
    padded = np.full((count, column.elements, column.digits), ord("0"), np.uint8)
    padded[:, :, -digits:] = text
    codes, bad = from_digits(padded, column)
    none = (1 << 4 * digits) - 1
    bins = np.where(codes == none, NONE, codes.astype(np.int32))
    bad |= (bins >= np.array([len(point.values) for point in section.coverpoints])).any(axis=1)
    if bad.any():
        raise Unreadable(f"{beside}:{first + int(np.argmax(bad)) + 1}: no bins of {section.operation.id}")
    return None, tuple(tags(section.coverpoints, bins.astype(np.int16)))
