"""JSON lines, the source of truth: a header for each section, then a case a line.

Into a file the header carries count and sha256 of the case lines; into a pipe, which cannot know them yet, it carries
null and a line ``{"fp8ref":"end","count":...,"sha256":...}`` follows the cases.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import IO, Any

import numpy as np

from ...cases.operation import INTEGERS, Operation
from ...cases.products.beside import has_amax
from ...cases.products.exact import says_more
from ...cases.products.questions import zero_rule
from ...cases.scaling.questions import is_scale, quantiser
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...version import __version__
from ..coverage.bins import coverpoints_of
from ..generate import Recipe
from ..section import NONE, VERSION, Block, Column, Coverpoint, Section
from ..source import Details, Found, Source, Unreadable, lines_that_begin
from .caselines import Lines, constant, json_object, parse, prefix
from .digits import Text, squeezed, table
from .registry import Sections

SCHEMA = "fp8ref/vectors/1"
STATUS, AMAX = Column("x", "u8"), Column("amax", "f32")
MARK = b'{"fp8ref"'
MOST_WORDS = 1024  # of a table of neighbouring coverpoints
CLAUSES = {
    "convert": ("IEEE 754-2019 5.4.2, 4.3, clause 7", "OCP OFP8 1.0 5.2.1"),
    "decode": ("IEEE 754-2019 3.4", "OCP OFP8 1.0 5.1"),
    "arithmetic": ("IEEE 754-2019 5.4.1, 4.3, clause 7",),
    "int": ("IEEE 754-2019 5.8",),
    "compare": ("IEEE 754-2019 5.11",),
    "test": ("IEEE 754-2019 5.7.2",),
    "codes": ("IEEE 754-2019 5.5.1, 5.3.1",),
    "dot": ("OCP MX 1.0 6.1", "P3109 BlockDotProduct"),
    "scale": ("OCP MX 1.0 6.3",),
}


def parameters(f: Format) -> dict[str, Any]:
    """All that decides what the codes of a format stand for."""
    return {
        "k": f.k, "p": f.p, "bias": f.bias, "signed": f.signed, "zero": f.zero, "fixed_point": f.fixed_point,
        "infinities": f.infinities, "nans": f.nans.name.lower().replace("_", "-"),
        "nan_canonical": None if f.nan_canonical is None else f"{f.nan_canonical:0{-(-f.k // 4)}X}",
        "source": f.source,
    }  # fmt: skip


def policy(op: Operation) -> dict[str, str]:
    """The rules that decide the results, each by its name."""
    if op.asked.kind == "dot":
        return {"accumulator": op.mode or "exact", **({"zero": zero_rule(op).value} if says_more(op) else {})}
    if op.asked.kind == "scale":
        return {
            "scheme": op.result,
            "rule": op.mode or "",
            "scale": quantiser(op).scale,
            "element": quantiser(op).element,
        }
    if op.asked.kind == "int":
        rounding, rule = op.integer_mode
        return {"rounding": rounding.value, "out_of_range": rule.value, **dict(op.keys)}
    if op.mode is None:
        return dict(op.keys)
    rho = op.projection
    return {
        "rounding": rho.rounding.value, "finite_overflow": rho.overflow.finite.value,
        "infinite_overflow": rho.overflow.infinite.value, "nan": rho.nan.value, "negative": rho.negative.value,
        "tininess": rho.tininess.value, "snan": rho.snan.value, "subnormal": rho.subnormal.value,
    }  # fmt: skip


def header(section: Section, sha256: str | None = None) -> dict[str, Any]:
    """The header of a section as one JSON object."""
    op = section.operation
    names = [*dict.fromkeys(c.type for c in section.columns)]
    names += [quantiser(op).scale, quantiser(op).element] if is_scale(op) else []
    formats = {name: get_format(name) for name in names if name not in INTEGERS and _is_format(name)}
    sources = [f.source for f in formats.values() if f.source]
    recipe = Recipe.read(section)
    return {
        "fp8ref": "vectors",
        "schema": SCHEMA,
        "version": VERSION,
        "generator": f"fp8ref {__version__}",
        "operation": op.id,
        "columns": [
            {"name": c.name, "type": c.type, "elements": c.elements, "digits": c.digits} for c in section.columns
        ],
        "formats": {name: parameters(f) for name, f in formats.items()},
        "policy": policy(op),
        "spec": [*dict.fromkeys([*CLAUSES.get(op.asked.kind, ()), *sources])],
        "selection": section.selection,
        "seed": section.seed,
        "recipe": recipe.command if recipe else "",
        "bins": [point.name for point in section.coverpoints],
        "count": section.count,
        "sha256": sha256,
    }


def _is_format(name: str) -> bool:
    try:
        get_format(name)
    except ValueError:
        return False
    return True


def _dumped(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def case_columns(section: Section) -> tuple[Column, ...]:
    return (
        *section.columns,
        *([STATUS] if section.has_status else []),
        *([AMAX] if has_amax(section.operation) else []),
    )


@lru_cache(maxsize=64)
def _bin_words(points: tuple[Coverpoint, ...]) -> list[tuple[list[tuple[int, int]], Text]]:
    """Neighbouring coverpoints with few values together: their columns, each with the stride of its numbers, and the
    words of every combination."""
    found: list[tuple[list[tuple[int, int]], Text]] = []
    columns: list[int] = []
    for i in range(len(points)):
        columns.append(i)
        after = len(points[i + 1].values) + 1 if i + 1 < len(points) else MOST_WORDS
        if math.prod(len(points[j].values) + 1 for j in columns) * after > MOST_WORDS:
            each = [["", *(" " * (j > 0) + name for name in points[j].bins)] for j in columns]
            sizes = [len(words) for words in each]
            strides = [(j, math.prod(sizes[place + 1 :])) for place, j in enumerate(columns)]
            found.append((strides, table(["".join(words).encode() for words in product(*each)])))
            columns = []
    return found


def case_lines(section: Section, block: Block) -> bytes:
    """The lines of a block, each with its end."""
    n = block.size
    arrays = [*block.operands, block.result, *(x for x in (block.status, block.amax) if x is not None)]
    parts = prefix(case_columns(section), arrays)
    if section.has_exact:
        parts += [constant(',"exact":"', n), table([text.encode() for text in block.exact or ()]), constant('"', n)]
    if section.coverpoints:
        assert block.bins is not None
        parts.append(constant(',"bins":"', n))
        for strides, words in _bin_words(section.coverpoints):
            numbers = sum((block.bins[:, i].astype(np.intp) - NONE) * stride for i, stride in strides)
            parts.append(words.take(numbers, axis=0))
        parts.append(constant('"', n))
    parts.append(constant("}\n", n))
    return squeezed(np.concatenate(parts, axis=1))


def write(sections: Sections, out: IO[bytes]) -> None:
    """Into a file: every section's cases are laid aside until their number and hash are known."""
    for section, blocks in sections:
        digest, count = hashlib.sha256(), 0
        with tempfile.TemporaryFile() as aside:
            for block in blocks:
                lines = case_lines(section, block)
                digest.update(lines)
                aside.write(lines)
                count += block.size
            out.write(_dumped(header(replace(section, count=count), digest.hexdigest())))
            aside.seek(0)
            shutil.copyfileobj(aside, out, 1 << 20)


def stream(sections: Sections, out: IO[bytes]) -> None:
    """Into a pipe, block by block."""
    for section, blocks in sections:
        digest, count = hashlib.sha256(), 0
        out.write(_dumped(header(replace(section, count=None))))
        for block in blocks:
            lines = case_lines(section, block)
            digest.update(lines)
            out.write(lines)
            out.flush()
            count += block.size
        out.write(_dumped({"fp8ref": "end", "count": count, "sha256": digest.hexdigest()}))
        out.flush()


class _Reading:
    """One section as it is read: how many lines were there, and their hash."""

    def __init__(self, section: Section, sha256: str | None, where: str, binned: bool) -> None:
        self.section, self.sha256, self.where = section, sha256, where
        self.keys = ["exact"] * section.has_exact + ["bins"] * binned
        self.digest, self.seen = hashlib.sha256(), 0
        self.ended = section.count is not None

    def take(self, piece: bytes, first: int, source: Source) -> Found:
        section = self.section
        found: Lines = parse(piece, first, case_columns(section), self.keys, source.at)
        self.digest.update(piece)
        self.seen += len(found.lines)
        if section.count is not None and self.seen > section.count:
            line = int(found.lines[section.count - self.seen])
            raise Unreadable(f"{source.at(line)}: the header announces {section.count} cases, and here is one more")
        names = [c.name for c in section.columns]
        block = Block(
            tuple(found.codes[name] for name in names[:-1]),
            found.codes[names[-1]],
            found.codes["x"] if section.has_status else None,
            amax=found.codes["amax"] if has_amax(section.operation) else None,
        )

        def details() -> Details:
            texts = found.texts()
            return texts.get("exact"), texts.get("bins")

        return Found(section, block, found.lines, 31, piece, details)

    def end(self, count: Any, sha256: Any, where: str) -> None:
        """Compare with what was announced."""
        if self.seen != count:
            raise Unreadable(f"{where}: {count!r:.40} cases are announced, {self.seen} are there: is the file torn?")
        if sha256 is not None and self.digest.hexdigest() != sha256:
            raise Unreadable(
                f"{self.where}: the {count} case lines after this header hash to {self.digest.hexdigest()[:16]}..., "
                f"announced is {str(sha256)[:16]}...: a line was changed, moved, lost or repeated"
            )


def read(source: Source) -> Iterator[Found]:
    """The cases of a file, a piece at a time.  Raises Unreadable with file and line for anything else."""
    now: _Reading | None = None
    last = 1
    for first, piece in source.pieces():
        place, line = 0, first
        for mark in [*lines_that_begin(piece, MARK), None]:
            stop = mark[0] if mark else len(piece)
            if stop > place:
                if now is None:
                    raise Unreadable(f'{source.at(line)}: vectors begin with a header {{"fp8ref":"vectors",...}}')
                yield now.take(piece[place:stop], line, source)
                line += piece.count(b"\n", place, stop)
            if mark is not None:
                now = _marked(json_object(piece[slice(*mark)], source.at(line), "vectors"), now, source, line)
                if now.section.count == 0 or not now.seen:
                    yield now.take(b"", line, source)
                place, line = mark[1], line + 1
        last = line
    if now is None:
        raise Unreadable(f"{source.at(1)}: an empty file holds no vectors")
    _finish(now, source, last - 1)


def _marked(found: dict[str, Any], now: _Reading | None, source: Source, line: int) -> _Reading:
    """What a line that begins with ``{"fp8ref"`` does: open a section, or end a stream."""
    where = source.at(line)
    if found.get("fp8ref") == "end":
        if now is None or now.ended:
            raise Unreadable(f"{where}: an end without a section that waits for it")
        now.end(found.get("count"), found.get("sha256"), where)
        now.ended = True
        now.section = replace(now.section, count=now.seen)
        return now
    if now is not None:
        _finish(now, source, line)
    return _Reading(*read_header(found, where), where, bool(found.get("bins")))


def _finish(now: _Reading, source: Source, line: int) -> None:
    if not now.ended and "forever" not in now.section.selection:
        raise Unreadable(f"{source.at(line)}: the section has no end line: the stream is torn")
    if now.section.count is not None:
        now.end(now.section.count, now.sha256, source.at(line))


def read_header(found: dict[str, Any], where: str) -> tuple[Section, str | None]:
    if found.get("fp8ref") != "vectors":
        raise Unreadable(f'{where}: not vectors: they begin with a header {{"fp8ref":"vectors",...}}')
    if found.get("schema") != SCHEMA:
        raise Unreadable(f"{where}: schema {str(found.get('schema'))[:40]!r}; this version reads {SCHEMA}")
    version = str(found.get("version"))
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise Unreadable(f"{where}: version {version[:20]!r}; this version reads {VERSION.partition('.')[0]}.x")
    count, seed, sha256 = found.get("count"), found.get("seed", 0), found.get("sha256")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 0):
        raise Unreadable(f"{where}: count is the number of cases or null, not {repr(count)[:40]}")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise Unreadable(f"{where}: seed is a whole number, not {repr(seed)[:40]}")
    if sha256 is not None and not (isinstance(sha256, str) and re.fullmatch("[0-9a-f]{64}", sha256)):
        raise Unreadable(f"{where}: sha256 is 64 hexadecimal digits or null, not {repr(sha256)[:40]}")
    try:
        op = Operation.parse(str(found.get("operation")))
        section = Section.of(op, selection=str(found.get("selection", ""))[:400], seed=seed, count=count)
    except ValueError as error:
        raise Unreadable(f"{where}: {error}") from None
    if op.asked.kind == "dot":
        section = replace(section, operation=op)  # it means what it says, and no more
    bins = found.get("bins") or []
    same = version == VERSION  # the bins of other versions are others, and are not compared
    known = coverpoints_of(section.operation) if bins and same else ()
    if known and bins != [point.name for point in known]:
        raise Unreadable(f"{where}: bins of {op.family} are {', '.join(p.name for p in known)}, not {repr(bins)[:60]}")
    return replace(section, operation=_said(op, section), coverpoints=known), sha256


def _said(op: Operation, section: Section) -> Operation:
    """A file's operation has a status only where its id says so."""
    if op.asked.kind == "dot":
        return op
    return section.operation if op.flags else replace(op, keys=tuple((k, v) for k, v in op.keys if k != "flags"))
