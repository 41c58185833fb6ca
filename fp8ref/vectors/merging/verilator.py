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
    """The counts of a coverage file, without those of the modules that count bins.  Raises Unreadable for others."""
    database = Database.of(Counter(where, SIMULATOR, "verilator"))
    first, *lines = raw.decode("utf-8", "replace").split("\n")
    if not first.encode().startswith(START):
        raise Unreadable(f"{where}:1: no coverage of Verilator: it begins with {START.decode()!r}")
    counting: set[str] = set()
    for number, line in enumerate(lines, 2):
        if not line:
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise Unreadable(f"{where}:{number}: not a count of Verilator: {line[:60]!r}")
        keys = dict(part.partition("\2")[::2] for part in match[1].split("\1") if part)
        if _is_bin(database, keys, int(match[2])):
            counting.add(_file(keys))
    database.code = {key: items for key, items in database.code.items() if key[0] not in counting}
    return database


def _file(keys: dict[str, str]) -> str:
    return keys.get("f", "?").replace("\\", "/").rpartition("/")[2]


def _is_bin(database: Database, keys: dict[str, str], hits: int) -> bool:
    """Count one point, whose page says of what kind it is: v_user/MODULE, v_line/MODULE ...; is it a bin of ours?"""
    page = keys.get("page", "")
    kind, _, module = page.removeprefix("v_").partition("/")
    said = ESCAPE.sub(lambda found: chr(int(found[1], 16)), keys.get("o", ""))
    if kind == OWN:
        scope, separator, bin_ = said.partition(SEPARATOR)
        point, equals, value = bin_.partition("=")
        if separator and equals:
            database.hit(scope, point, value, hits)
            return True
        database.hit(module, "cover", said or f"line {keys.get('l', '?')}", hits)
        return False
    what = said if kind == "toggle" else keys.get("S", "") or said
    database.line(_file(keys), kind, f"{keys.get('l', '?')}: {what}", hits)
    return False
