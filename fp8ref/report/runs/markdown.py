"""A run as Markdown: a table of the operations with a mismatch, the drawn counterexamples, the totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...check.verdict import Verdict
from . import text
from .record import reports_of

QUIET = (Verdict.PASS, Verdict.ALLOWED)
HEAD = ["| operation | cases | allowed | fail | verdict | |", "| --- | ---: | ---: | ---: | --- | --- |"]


def markdown(documents: Sequence[dict[str, Any]]) -> str:
    """One section for each run."""
    return "\n\n".join(map(_section, documents)) + "\n"


def _section(document: dict[str, Any]) -> str:
    header, reports = document["header"], reports_of(document)
    end = document["end"] or {"finished": False}
    parts = [f"## {_plain(text.heading(header))}", f"**{text.summary(reports, end['finished'])}**"]
    shown = [r for r in reports if r.verdict not in QUIET]
    rows = [
        f"| `{r.op}` | {r.cases} | {sum(r.allowed.values()) or ''} | {r.failed or ''} | {r.verdict.value} "
        f"| {_plain(text.remark(r))} |"
        for r in shown
    ]
    if rows:
        parts.append("\n".join([*HEAD, *rows]))
    if len(reports) > len(shown):
        parts.append("\n".join(f"- {line}" for line in text.gathered(reports, hint="")))
    for line in end.get("stale", ()):
        parts.append(f"- stale: {_plain(line)}")
    for findings in text.by_cause(reports):
        others = "".join(f"\n  also   {f.op}" for f in findings[1:])
        parts.append(f"```text\n{text.drawing(findings[0], header['impl'], 'expected' in header)}{others}\n```")
    return "\n\n".join(parts)


def _plain(said: str) -> str:
    """A text that Markdown leaves alone, on one line."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in said)
    return " ".join(escaped.split())
