"""Coverage of vectors by family: what every case is asked, how many bins are hit, and which cannot be."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import md

from fp8ref.report.coverage import picture
from fp8ref.vectors.coverage.bins import Coverage, Row, points_of
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.merging.database import read
from fp8ref.vectors.texts import EXAMPLES, WORDS

SHOWN = 8  # bins named for one reason


def pages(docs: Path) -> dict[str, str]:
    classes = md.table(["class", "the code"], [[md.code(name), text] for name, text in WORDS.items()])
    recorded = docs / "data" / "coverage.json"
    drawn = picture(read(recorded.read_bytes(), recorded.name))
    return {
        "vectors/merged.html": f'<div class="fp8ref-scroll">{drawn}</div>',
        "vectors/classes.md": classes,
        "vectors/coverage.md": "\n".join(family(name, example) for name, example in EXAMPLES.items()),
    }


def family(name: str, example: str) -> str:
    recipe = Recipe.of(example)
    coverage = Coverage(points_of(recipe.operation), recipe.each)
    cases = sum(block.size for block in generate(recipe, True, coverage))
    rows = list(coverage.rows())
    table, reasons, place = [], defaultdict(list), 0
    for point in coverage.points:
        own = rows[place : place + len(point.coverpoint.values)]
        place += len(own)
        hit = [row for row in own if row.hits]
        fewest = min((row.hits for row in hit), default=0)
        table.append([md.code(point.coverpoint.name), point.asks, f"{len(hit)} of {len(own)}", str(fewest)])
        for row in own:
            if not row.hits:
                reasons[row.why].append(row)
    text = f"## {name}\n\n`{recipe.operation.id}`, {cases:,} cases, {recipe.selection}:\n\n"
    text += md.table(["point", "question about each case", "bins hit", "cases in the rarest"], table)
    if reasons:
        text += "\nWithout a case:\n\n" + "".join(reason(why, found) for why, found in reasons.items())
    return text


def reason(why: str, rows: list[Row]) -> str:
    shown = ", ".join(md.code(row.bin) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"- {shown}{more}: {why}\n"
