"""Vector files on disk: opened by their form, written whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path

from ..outputs import atomically
from .coverage.bins import coverpoints_of
from .forms.registry import FORMS, Form, Sections, form_of
from .generate import answered
from .section import Block, Section
from .source import Found, Source, Unreadable
from .streams import is_stream
from .streams import read as read_stream


def write_file(path: Path, form: Form, sections: Sections, force: bool = False) -> None:
    """Sections into one file of a form; ``.gz`` is packed, the same bytes for the same cases."""
    with atomically(path, force) as file:
        if path.name.endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed:
                form.writer(sections, packed)  # type: ignore[arg-type]
        else:
            form.writer(sections, file)


def found_in(source: Source, form: Form | None = None) -> Iterator[Found]:
    """The cases of a source, whose form its name or its first bytes show."""
    if (form or form_of(Path(source.name))) in (None, FORMS["memh"]) and is_stream(source):
        return read_stream(source)
    chosen = form or form_of(Path(source.name))
    if chosen is None:
        chosen = FORMS["jsonl"] if source.begins_with(b"{") else FORMS["testfloat"]
    return chosen.reader(source)


def sections_of(found: Iterator[Found], tagged: bool | None = None) -> Sections:
    """What was read as sections and blocks that can be written again.

    Answers stay as they are; bins, and exact sums that a form does not hold, are the reference's own.  ``tagged``: with
    bins or without, whatever was read.
    """
    for _, group in groupby(found, key=lambda piece: id(piece.section)):
        pieces = group if tagged is None else _tagged(group, tagged)  # noqa: B031
        first = next(pieces)
        yield first.section, map(_completed, chain([first], pieces))


def _tagged(pieces: Iterator[Found], tagged: bool) -> Iterator[Found]:
    section: Section | None = None
    for piece in pieces:
        if section is None:
            points = coverpoints_of(piece.section.operation) if tagged else ()
            section = replace(piece.section, coverpoints=points)
        yield replace(piece, section=section)


def _completed(piece: Found) -> Block:
    section, block = piece.section, piece.block
    exact, _ = piece.details()
    if not section.coverpoints and (not section.has_exact or exact is not None):
        return replace(block, exact=exact)
    own = answered(section, block.operands)
    return replace(block, bins=own.bins, exact=exact or own.exact)


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = ["Unreadable", "found_in", "sections_of", "sha256_of", "write_file"]
