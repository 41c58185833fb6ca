"""Merged coverage as lines for a terminal and as a picture: a row a coverpoint, a column a bin, a cell an operation."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from html import escape

from ..escapes import plain
from ..vectors.merging.database import BinRow, Database

WIDTH, LABEL, GAP, HIGH = 880, 130, 2, 5  # pixels
WIDE = 60  # the most bins in a row
BOTH, SUITE, SIMULATOR, HOLE, NEVER = "both", "suite", "simulator", "hole", "never"
WORDS = {
    BOTH: "hit by the suite and in simulation",
    SUITE: "in the suite, not simulated",
    SIMULATOR: "simulated, not in the suite",
    HOLE: "hit by nobody",
    NEVER: "no case can be in it",
}
STYLE = """
.cover text { font: 11px ui-sans-serif, system-ui, sans-serif; fill: currentColor; }
.cover .title { font-weight: 600; }
.cover .both { fill: #2f9e6e; } .cover .suite { fill: #e0a030; } .cover .simulator { fill: #4a86d8; }
.cover .hole { fill: #d0453a; } .cover .never { fill: currentColor; opacity: 0.16; }
.cover .track { fill: currentColor; opacity: 0.12; }
"""


def state(row: BinRow, alone: bool) -> str:
    """How a bin stands; ``alone``: no simulator counted, so that the suite decides."""
    if row.suite and (row.simulator or alone):
        return BOTH
    if row.suite or row.simulator:
        return SUITE if row.suite else SIMULATOR
    return NEVER if row.why else HOLE


def rows(database: Database) -> Iterator[str]:
    """A line a coverpoint, the bins that somebody missed, and code coverage by file."""
    for source in database.sources:
        yield f"{source.kind}: {plain(source.name)} ({source.form})"
    for scope in database.scopes:
        yield plain(scope)
        names = database.points(scope)
        width = max(map(len, names))
        for point in names:
            found = [*database.rows(scope, point)]
            can = [row for row in found if not row.why or row.suite or row.simulator]
            parts = [f"{sum(row.suite > 0 for row in can)} in the suite"]
            if database.has_simulator:
                parts.append(f"{sum(row.simulator > 0 for row in can)} simulated")
            none = [row.name for row in can if not row.suite and not row.simulator]
            missed = f"; nobody: {', '.join(none[:4])}{' ...' if len(none) > 4 else ''}" if none else ""
            yield plain(f"  {point:<{width}}  {len(can):>4} bins: {', '.join(parts)}{missed}")
    for (file, kind), items in database.code.items():
        hit = sum(any(hits) for hits in items.values())
        yield plain(f"{file}: {hit} of {len(items)} {kind} items hit ({100 * hit / len(items):.1f} %)")


# -- the picture ------------------------------------------------------------------------------------------------------
def picture(database: Database, title: str = "") -> str:
    """One SVG, in the colours of the page that it stands in where that says ``currentColor``."""
    parts: list[str] = []
    y = 4
    for line in filter(None, (title, _scopes(database.scopes))):
        parts.append(f'<text class="title" x="4" y="{y + 10}">{escape(line)}</text>')
        y += 20
    y = _legend(parts, y, {s for _, s in _states(database)})
    points = list(dict.fromkeys(point for _, point in database.bins))
    wide = min(max(map(len, database.bins.values()), default=1), WIDE)
    for point in points:
        y = _point(parts, database, point, y, wide)
    y = _code(parts, database, y + 6)
    return (
        f'<svg class="cover" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img" '
        f'aria-label="merged coverage"><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )


def _scopes(scopes: list[str]) -> str:
    """What the cells of a column are, from the top: the part in which the operations differ.

    >>> _scopes(["mul/e5m2/rne.sat", "mul/e5m2/rtz.sat"])
    'mul/e5m2/*.sat, the cells of a bin from the top: rne rtz'
    """
    if len(scopes) < 2:
        return "".join(scopes)
    prefix, suffix = _common(scopes), _common([scope[::-1] for scope in scopes])
    before = len(prefix) - len(re.split("[./;]", prefix)[-1])
    after = len(suffix) - len(re.split("[./;]", suffix)[-1])
    names = [scope[before : len(scope) - after] for scope in scopes]
    last = scopes[0][len(scopes[0]) - after :]
    return f"{scopes[0][:before]}*{last}, the cells of a bin from the top: {' '.join(names)}"


def _common(texts: list[str]) -> str:
    """What all texts begin with."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*texts))
    return "".join(letters[0] for letters in alike)


def _states(database: Database) -> Iterator[tuple[tuple[str, str], str]]:
    for key in database.bins:
        for row in database.rows(*key):
            yield key, state(row, not database.has_simulator)


def _legend(parts: list[str], y: int, there: set[str]) -> int:
    x = 4
    for name, words in WORDS.items():
        if name not in there:
            continue
        parts.append(f'<rect class="{name}" x="{x}" y="{y}" width="8" height="8"/>')
        parts.append(f'<text x="{x + 12}" y="{y + 8}">{words}</text>')
        x += 24 + 6 * len(words)
    return y + 20


def _point(parts: list[str], database: Database, point: str, y: int, wide: int) -> int:
    """A coverpoint: a column a bin, in it a cell for every operation that has the point."""
    scopes = [scope for scope, own in database.bins if own == point]
    bins: dict[str, list[tuple[str, BinRow]]] = {}
    for scope in scopes:
        for row in database.rows(scope, point):
            bins.setdefault(row.name, []).append((scope, row))
    height, step = len(scopes) * (HIGH + 1) + 4, min((WIDTH - LABEL - 8) // wide, 40)
    parts.append(f'<text x="4" y="{y + 9}">{escape(point)}</text>')
    for i, (name, found) in enumerate(bins.items()):
        line, column = divmod(i, wide)
        x = LABEL + column * step
        for j, (scope, row) in enumerate(found):
            at = y + line * height + j * (HIGH + 1)
            said = state(row, not database.has_simulator)
            why = f" - {row.why}" if row.why else ""
            tip = f"{point}={name}: suite {row.suite}, simulated {row.simulator}{why}; {scope}"
            cell = f'class="{said}" x="{x}" y="{at}" width="{step - GAP}" height="{HIGH}"'
            parts.append(f"<rect {cell}><title>{escape(tip)}</title></rect>")
    return y + height * -(-len(bins) // wide) + 4


def _code(parts: list[str], database: Database, y: int) -> int:
    """A bar a file and kind: how much of it a simulation reached."""
    whole = WIDTH - LABEL - 90
    for (file, kind), items in database.code.items():
        hit = sum(any(hits) for hits in items.values())
        parts.append(f'<text x="4" y="{y + 9}">{escape(f"{file} {kind}")}</text>')
        parts.append(f'<rect class="track" x="{LABEL}" y="{y}" width="{whole}" height="10"/>')
        parts.append(f'<rect class="both" x="{LABEL}" y="{y}" width="{whole * hit / len(items):.1f}" height="10"/>')
        parts.append(f'<text x="{LABEL + whole + 6}" y="{y + 9}">{hit} of {len(items)}</text>')
        y += 16
    return y + 4
