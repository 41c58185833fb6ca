"""Coverage counted by several tools: hits of bins and of lines, by the source that counted them.

A scope is an operation id, or what a simulator calls a covergroup of its own; a bin of one name, point and scope is one
bin, whoever counted it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..source import Unreadable

SCHEMA = "fp8ref/coverage/1"
SUITE, SIMULATOR = "suite", "simulator"  # who counts: the cases of vector files, or what a simulation saw
LARGEST = 1 << 26  # bytes of a document
MOST_HITS = 1 << 53


class Counter(NamedTuple):
    """Who counted: a file's name, the suite or a simulator, and the form that was read."""

    name: str
    kind: str
    form: str


class BinRow(NamedTuple):
    """One bin: how often the suite and the simulators hit it, and why no case can, where that is so."""

    name: str
    suite: int
    simulator: int
    why: str = ""


@dataclass
class Database:
    """Hits by source.

    ``bins``: (scope, point) -> bin -> hits of every source; ``why``: (scope, point, bin) -> why no case is in it;
    ``code``: (file, kind) -> item, as ``line`` or ``line: what`` -> hits of every source.
    """

    sources: list[Counter] = field(default_factory=list)
    bins: dict[tuple[str, str], dict[str, list[int]]] = field(default_factory=dict)
    why: dict[tuple[str, str, str], str] = field(default_factory=dict)
    code: dict[tuple[str, str], dict[str, list[int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Counter) -> Database:
        return cls([source])

    def hit(self, scope: str, point: str, name: str, hits: int) -> None:
        """Count hits of the only source."""
        self.bins.setdefault((scope, point), {}).setdefault(name, [0])[0] += hits

    def line(self, file: str, kind: str, item: str, hits: int) -> None:
        self.code.setdefault((file, kind), {}).setdefault(item, [0])[0] += hits

    def rows(self, scope: str, point: str) -> Iterator[BinRow]:
        for name, hits in self.bins[scope, point].items():
            suite = sum(n for n, source in zip(hits, self.sources) if source.kind == SUITE)
            yield BinRow(name, suite, sum(hits) - suite, self.why.get((scope, point, name), ""))

    @property
    def scopes(self) -> list[str]:
        return [*dict.fromkeys(scope for scope, _ in self.bins)]

    def points(self, scope: str) -> list[str]:
        return [point for other, point in self.bins if other == scope]

    @property
    def has_simulator(self) -> bool:
        return any(source.kind == SIMULATOR for source in self.sources)


def short(scope: str) -> str:
    """A short name of a scope, for labels: simulators cut long ones, or hash them.

    >>> short("decode/e5m2/f32")
    '#345d43f3'
    """
    return f"#{hashlib.sha256(scope.encode()).hexdigest()[:8]}"


def merged(databases: Iterable[Database]) -> Database:
    """One database of all; the hits of each source stay apart, and short names of scopes become the whole ones."""
    parts = list(databases)
    known = {short(scope): scope for part in parts for scope in part.scopes}
    for part in parts:
        part.bins = {(known.get(scope, scope), point): found for (scope, point), found in part.bins.items()}
    found = Database([source for part in parts for source in part.sources])
    first = 0
    for part in parts:
        for mine, theirs in ((found.bins, part.bins), (found.code, part.code)):
            for key, items in theirs.items():
                for name, hits in items.items():
                    own = mine.setdefault(key, {}).setdefault(name, [0] * len(found.sources))
                    for i, n in enumerate(hits):
                        own[first + i] += n
        found.why |= part.why
        first += len(part.sources)
    return found


# -- the document -----------------------------------------------------------------------------------------------------
def document(database: Database) -> dict[str, Any]:
    """The database as one JSON object."""
    return {
        "fp8ref": "coverage",
        "schema": SCHEMA,
        "sources": [source._asdict() for source in database.sources],
        "bins": [
            {
                "scope": scope,
                "point": point,
                "bins": [
                    {"name": name, "hits": hits}
                    | ({"why": database.why[scope, point, name]} if (scope, point, name) in database.why else {})
                    for name, hits in found.items()
                ],
            }
            for (scope, point), found in database.bins.items()
        ],
        "code": [
            {"file": file, "kind": kind, "items": [{"at": at, "hits": hits} for at, hits in found.items()]}
            for (file, kind), found in database.code.items()
        ],
    }


def written(database: Database) -> str:
    """The document, a bin or an item a line."""
    whole = document(database)

    def lines(rows: list[dict[str, Any]], key: str) -> str:
        texts = []
        for row in rows:
            head = json.dumps({k: v for k, v in row.items() if k != key})[:-1]
            items = ",\n  ".join(json.dumps(item) for item in row[key])
            texts.append(f'{head}, "{key}": [\n  {items}]}}')
        return "[" + ",\n ".join(texts) + "]"

    head = json.dumps({k: v for k, v in whole.items() if k not in ("bins", "code")})[:-1]
    return f'{head},\n"bins": {lines(whole["bins"], "bins")},\n"code": {lines(whole["code"], "items")}}}\n'


def read(raw: bytes, where: str) -> Database:
    """The database of a document.  Raises Unreadable for anything else."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{where}: not JSON: {error}") from None
    if not isinstance(found, dict) or found.get("fp8ref") != "coverage":
        raise Unreadable(f'{where}: no coverage: it begins with {{"fp8ref": "coverage"')
    if found.get("schema") != SCHEMA:
        raise Unreadable(f"{where}: field schema: {str(found.get('schema'))[:40]!r}; this version reads {SCHEMA}")
    database = Database([_counter(source, where) for source in _list(found, "sources", where)])
    for row in _list(found, "bins", where):
        key = _text(row, "scope", where), _text(row, "point", where)
        for item in _list(row, "bins", where):
            name = _text(item, "name", where)
            database.bins.setdefault(key, {})[name] = _hits(item, database, where)
            if "why" in item:
                database.why[(*key, name)] = _text(item, "why", where)
    for row in _list(found, "code", where):
        code = database.code.setdefault((_text(row, "file", where), _text(row, "kind", where)), {})
        for item in _list(row, "items", where):
            code[_text(item, "at", where)] = _hits(item, database, where)
    return database


def _counter(source: Any, where: str) -> Counter:
    found = Counter(*(_text(source, name, where) for name in Counter._fields))
    if found.kind not in (SUITE, SIMULATOR):
        raise Unreadable(f"{where}: field kind: {found.kind[:40]!r} is neither {SUITE} nor {SIMULATOR}")
    return found


def _list(found: Any, name: str, where: str) -> list[Any]:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, list):
        raise Unreadable(f"{where}: field {name}: a list is missing")
    return value


def _text(found: Any, name: str, where: str) -> str:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, str) or len(value) > 4096:
        raise Unreadable(f"{where}: field {name}: a text is missing")
    return value


def _hits(item: Any, database: Database, where: str) -> list[int]:
    hits = _list(item, "hits", where)
    if len(hits) != len(database.sources) or not all(type(n) is int and 0 <= n < MOST_HITS for n in hits):
        raise Unreadable(f"{where}: field hits: {repr(hits)[:60]}; a count for each of {len(database.sources)} sources")
    return hits
