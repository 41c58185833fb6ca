"""What Verilator counted: ``coverage.dat``, with cover properties, lines, branches and toggles."""

from __future__ import annotations

import re

from ..source import Unreadable
from .covergroup import SEPARATOR
from .database import SIMULATOR, Counter, Database

START = b"# SystemC::Coverage-3"
LINE = re.compile(r"C '(.*)' (\d{1,18})")
ESCAPE = re.compile(r"__0([0-9a-f]{2})")
OWN = "user"  # the kind of cover properties


def read(raw: bytes, where: str) -> Database:
    """The counts of a coverage file.  Raises Unreadable for anything else."""
    database = Database.of(Counter(where, SIMULATOR, "verilator"))
    first, *lines = raw.decode("utf-8", "replace").split("\n")
    if not first.encode().startswith(START):
        raise Unreadable(f"{where}:1: no coverage of Verilator: it begins with {START.decode()!r}")
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise Unreadable(f"{where}:{number}: not a count of Verilator: {line[:60]!r}")
        keys = dict(part.partition("\2")[::2] for part in match[1].split("\1") if part)
        _count(database, keys, int(match[2]))
    return database


def _count(database: Database, keys: dict[str, str], hits: int) -> None:
    """One point, whose page says of what kind it is: v_user/MODULE, v_line/MODULE ..."""
    page = keys.get("page", "")
    kind, _, module = page.removeprefix("v_").partition("/")
    said = ESCAPE.sub(lambda found: chr(int(found[1], 16)), keys.get("o", ""))
    if kind == OWN:
        scope, separator, bin_ = said.partition(SEPARATOR)
        point, equals, value = bin_.partition("=")
        if separator and equals:
            database.hit(scope, point, value, hits)
        else:
            database.hit(module, "cover", said or f"line {keys.get('l', '?')}", hits)
        return
    file = keys.get("f", "?").replace("\\", "/").rpartition("/")[2]
    if kind == "toggle":
        database.line(file, kind, f"{keys.get('l', '?')}: {said}", hits)
    else:
        database.line(file, kind, f"{keys.get('l', '?')}: {keys.get('S', '') or said}", hits)
