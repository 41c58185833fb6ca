"""The conformance matrix of the records in docs/data/matrix: the page itself, and the picture that leads to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import md

from fp8ref.report.runs import record
from fp8ref.report.runs.html import html, picture
from fp8ref.report.runs.matrix import build

PAGE = "conformance.html"
SITE = "site"  # copied beside the built pages


def pages(docs: Path) -> dict[str, str]:
    documents = [record.read(path) for path in sorted((docs / "data" / "matrix").glob("*.jsonl.gz"))]
    if not documents:
        return {"matrix.md": "No implementation was asked yet: `python tools/matrix/ask.py`.\n"}
    table = md.table(["implementation", "verdict", "allowed", "asked"], _rows(documents))
    return {f"{SITE}/{PAGE}": html(documents, "wrong-rules/"), "matrix.md": f"{_picture(documents)}\n{table}"}


def _picture(documents: list[dict[str, Any]]) -> str:
    """The picture as raw HTML, without blank lines, which would end it."""
    lines = [line for line in picture(documents, PAGE).splitlines() if line.strip()]
    return md.fence("\n".join(['<div class="fp8ref-scroll">', *lines, "</div>"]), "{raw} html")


def _rows(documents: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            f"{one.name} {one.version}",
            one.summary,
            ", ".join(f"{name} ({count})" for name, count in one.allowed.items()),
            str(one.header.get("date", "")).replace("-", "\u2011"),  # hyphens that do not break
        ]
        for one in build(documents).implementations
    ]
