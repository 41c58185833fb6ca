"""The explorer of the site: all well-known formats, and the libraries of the records in docs/data/matrix."""

from __future__ import annotations

from pathlib import Path

from fp8ref.report.explorer.page import page
from fp8ref.report.runs import record

PAGE = "explore.html"  # explorer.html is the page of the documentation that shows it
SITE = "site"  # copied beside the built pages


def pages(docs: Path) -> dict[str, str]:
    runs = [record.read(path) for path in sorted((docs / "data" / "matrix").glob("*.jsonl.gz"))]
    return {f"{SITE}/{PAGE}": page(runs=runs)}
