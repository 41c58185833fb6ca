"""A run as Markdown: a table of the operations with a mismatch, the drawn counterexamples, the totals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...check.verdict import Verdict
from ...escapes import code, fenced
from ...escapes import markdown as md
from ..findings.siblings import causes
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
    parts = [f"## {md(text.heading(header))}", f"**{md(text.summary(reports, end['finished']))}**"]
    shown = [r for r in reports if r.verdict not in QUIET]
    rows = [
        f"| {code(r.op)} | {r.cases} | {sum(r.allowed.values()) or ''} | {r.failed or ''} | {r.verdict.value} "
        f"| {md(text.remark(r))} |"
        for r in shown
    ]
    if rows:
        parts.append("\n".join([*HEAD, *rows]))
    if len(reports) > len(shown):
        parts.append("\n".join(f"- {md(line)}" for line in text.gathered(reports, hint="")))
    for line in end.get("stale", ()):
        parts.append(f"- stale: {md(line)}")
    parts += [fenced(text.cause_block(cause, header)) for cause in causes(reports)]
    return "\n\n".join(parts)
