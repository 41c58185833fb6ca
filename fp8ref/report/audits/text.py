"""An audit for a terminal: the convention, the layers, and what was found."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ...escapes import one_line

WIDTH = 80
SHOWN = 24  # findings of one kind that are listed
NUMBER = re.compile(r"(?<![A-Za-z0-9])\d+(?![A-Za-z0-9])")


def audit_page(document: dict[str, Any]) -> str:
    """The page of a document ``fp8ref/audit/1``: at most 80 columns, but for names that are longer."""
    tensors: list[dict[str, Any]] = document["tensors"]
    kept = [f for t in tensors for f in t["findings"]] + document["findings"]
    faults = [f for f in kept if f["severity"] == "fault"]
    producers = ", ".join(document["producers"]) or "not known"
    lines = [f"{document['convention'] or 'no quantised tensors'}   {producers}"]
    books = "".join(f"; {n} of {name}, not judged" for name, n in document["code_books"].items())
    lines.append(f"{len(tensors)} quantised tensors, {document['others']} others{books}")
    lines += ["", *_layers(tensors)] if tensors else []
    firsts = {id(f): t["first"] for t in tensors if "first" in t for f in t["findings"]}
    for severity in ("fault", "warning", "note"):
        lines += _found([f for f in kept if f["severity"] == severity], severity, firsts)
    lines += ["", f"{_count(len(faults), 'fault')}" if faults else "no faults"]
    return "\n".join(lines)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _layers(tensors: list[dict[str, Any]]) -> Iterator[str]:
    """A line for tensors that are alike but for the numbers in their names."""
    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for t in tensors:
        name = NUMBER.sub("*", t["name"])
        rows[name, t["format"], t["granularity"], tuple(t["recipes"][:1])].append(t)
    width = min(max((len(key[0]) for key in rows), default=0), 28)
    for (name, format_, grain, recipe), group in rows.items():
        wrong = sum(any(f["severity"] == "fault" for f in t["findings"]) for t in group)
        short = name if len(name) <= width else "..." + name[3 - width :]
        state = f"{wrong} wrong" if wrong else "ok"
        line = f"{short:{width}} {len(group):4d} {format_:7} {grain:7} {state:8} {_answer(group, recipe)}"
        yield line.rstrip()


def _answer(group: list[dict[str, Any]], recipe: tuple[str, ...]) -> str:
    first = group[0]
    if first["scales"]["by_recipe"] is None:
        return ""
    if recipe:
        return recipe[0]
    sound = all(t["codes"]["rounded"] for t in group)
    return "complete rounding, no known recipe" if sound else "-"


def _found(findings: list[dict[str, Any]], severity: str, firsts: dict[int, dict[str, Any]]) -> Iterator[str]:
    """Findings by kind.  ``firsts``: for some of them the first code that is off, by their ``id``."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for f in findings:
        kinds[f["kind"]].append(f)
    for kind, some in kinds.items():
        yield ""
        yield f"{severity}: {kind}" + (f", {len(some)} times" if len(some) > 1 else "")
        most = SHOWN if severity == "fault" else 3
        for f in some[:most]:
            yield f"  {one_line(f['at'], 200)}" if f["at"] else "  the file"
            yield from (f"    {line}" for line in _wrapped(f["text"], WIDTH - 4))
            if severity == "fault" and id(f) in firsts:
                first = firsts[id(f)]
                yield from (f"    {line}" for line in _wrapped(f"first: {first['text']}", WIDTH - 4))
                yield f"    fp8ref explain {first['case']} --got {first['code']}"
        if len(some) > most:
            yield f"  and {len(some) - most} more: --json has all"


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
