"""Any file of coverage: vectors of every form, the merged document, Verilator's, cocotb-coverage's, UCIS."""

from __future__ import annotations

from pathlib import Path

from ..files import found_in
from ..source import Unreadable, open_source
from . import cocotb_xml, database, suite, ucis, verilator
from .database import LARGEST, Database

ENOUGH = 512  # bytes that show what a file is


def coverage_of(path: Path) -> Database:
    """What a file counts.  Raises OSError; Unreadable for what is none of these."""
    source = open_source(path)
    with path.open("rb") as file:
        start = file.read(ENOUGH).lstrip()
    if start.startswith(verilator.START):
        return verilator.read(source.whole(LARGEST), str(path))
    if start.startswith(b"<"):
        raw = source.whole(LARGEST)
        reader = ucis.read if b"UCIS" in raw[: 1 << 12] else cocotb_xml.read
        return reader(raw, str(path))
    if start.replace(b" ", b"").startswith(b'{"fp8ref":"coverage"'):
        return database.read(source.whole(LARGEST), str(path))
    found = suite.of_vectors(found_in(source), path.name)
    if not found.bins:
        raise Unreadable(f"{path}: holds no cases and no coverage")
    return found
