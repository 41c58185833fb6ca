"""A page for each wrong rule: what it looks like, in one case drawn, who had it, and how to mend it."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import md
import numpy as np

from fp8ref.adapters.mutants.connect import FAULTY, MUTANTS
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.check.advice.pages import GROUPS, Page, pages, pages_of
from fp8ref.check.diagnosis.book import rules_for
from fp8ref.check.diagnosis.rule import prediction
from fp8ref.report.findings.draw import draw_case

# operations that between them can show most mistakes
SHOWN = (
    "convert/f32/e4m3fn/rne.sat",
    "convert/f64/e4m3fn/rne.sat",
    "convert/f32/e5m2/rne.nonsat",
    "convert/f32/ue4m3/rne.sat;negative=zero",
    "decode/e4m3fn/f32",
    "decode/e5m2/f32",
    "add/e4m3fn.e4m3fn/e4m3fn/rne.nonsat",
    "mul/e5m2.e5m2/e5m2/rne.nonsat;flags=1",
    "div/e5m2.e5m2/e5m2/rne.nonsat",
    "fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.nonsat",
    "min/e4m3fn.e4m3fn/e4m3fn",
    "rem/e4m3fn.e4m3fn/e4m3fn",
    "lt/e4m3fn.e4m3fn/bool",
    "neg/e4m3fnuz/e4m3fnuz",
    "isfinite/e5m2/bool",
    "sigmoid/e4m3fn/e4m3fn/rne.nonsat",
    "softmax/e4m3fn.e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat",
    "layernorm/e4m3fn.e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat",
)
CASES = 1500  # of an operation
INDEX = "wrong-rules"


def generated(docs: Path) -> dict[str, str]:
    """The pages, beside those written by hand, and their list by groups."""
    drawn, had = drawings(), libraries(docs)
    mutants: dict[str, list[str]] = defaultdict(list)
    for name in FAULTY:
        for page in pages_of(MUTANTS[name].diagnosis):
            mutants[page.name].append(name)
    found = {
        f"../{INDEX}/{page.name}.md": text(page, drawn.get(page.name, ""), had[page.name], mutants[page.name])
        for page in pages().values()
    }
    return {**found, "check/mistakes.md": index(had)}


def index(had: Mapping[str, Mapping[str, list[str]]]) -> str:
    parts = []
    for group, title in GROUPS.items():
        mine = [page for page in pages().values() if page.group == group]
        rows = [
            [f"[{page.title}]({INDEX}/{page.name}.md)", page.looks, ", ".join(sorted(had[page.name]))] for page in mine
        ]
        parts.append(f"## {title}\n\n" + md.table(["mistake", "what one sees", "seen in"], rows))
    listed = "\n".join(f"{INDEX}/{page.name}" for page in pages().values())
    return "\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n"])


def text(page: Page, drawn: str, had: Mapping[str, list[str]], mutants: list[str]) -> str:
    parts = [f"# {page.title}\n", f"{page.looks}\n"]
    if drawn:
        parts += ["For instance:\n", md.fence(drawn)]
    parts += ["## Where it comes from\n", f"{page.comes}\n", "## How to mend it\n", f"{page.mend}\n", "## Who had it\n"]
    if had:
        rows = [
            [name, ", ".join(map(md.code, operations[:3])) + more(operations, 3)] for name, operations in had.items()
        ]
        parts += [md.table(["implementation", "operations"], rows)]
        parts += ["As [the matrix](../matrix.md) has it; a finding may be a choice that nothing forbids.\n"]
    else:
        parts += ["None of the implementations in [the matrix](../matrix.md).\n"]
    if mutants:
        named = ", ".join(md.code(f"mini:{name}") for name in mutants[:6]) + more(mutants, 6)
        parts += [f"Planted, to see that the checker finds it: {named}. "
                  f"Try it: `fp8ref check --impl mini:{mutants[0]}`.\n"]  # fmt: skip
    parts += ["## Its names\n", f"The rules of a record that lead here: {', '.join(map(md.code, page.rules))}.\n"]
    return "\n".join(parts)


def more(found: list[str], most: int) -> str:
    return f" and {len(found) - most} more" if len(found) > most else ""


def libraries(docs: Path) -> dict[str, dict[str, list[str]]]:
    """Which implementation of the matrix had a mistake, and in which operations: by page."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in pages()}
    for path in sorted((docs / "data" / "matrix").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        name = str(records[0]["implementation"].get("name", records[0]["impl"]))
        for record in records:
            for page in pages_of(record["rule"]) if record.get("kind") == "finding" else ():
                operations = found[page.name].setdefault(name, [])
                if record["op"] not in operations:
                    operations.append(record["op"])
    return found


def drawings() -> dict[str, str]:
    """A case that each mistake gets wrong, drawn: the simplest of the first operation that shows it."""
    found: dict[str, str] = {}
    for operation in SHOWN:
        for name, drawn in examples(Operation.parse(operation), found):
            found.setdefault(name, drawn)
    return found


def examples(op: Operation, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pages that are not known yet, each with a case."""
    operands = cases(op, 1, 0)
    step = -(-len(operands[0]) // CASES)
    operands = [np.ascontiguousarray(codes[::step]) for codes in operands]
    right = expect(op, operands)
    for rule in rules_for(op, operands):
        new = [page.name for page in pages_of(rule.name) if page.name not in known]
        if not new:
            continue
        wrong: Any = prediction(rule, right.codes.dtype)
        if wrong is None:
            continue
        off = np.flatnonzero(wrong.codes != right.codes)
        if not off.size:
            continue
        simple = min(off, key=lambda i: (sum(int(codes[i]).bit_count() for codes in operands), int(operands[0][i])))
        inputs = tuple(int(codes[simple]) for codes in operands)
        drawn = draw_case(op, inputs, int(right.codes[simple]), int(wrong.codes[simple]), rule.sentence)
        yield from ((name, drawn) for name in new)
