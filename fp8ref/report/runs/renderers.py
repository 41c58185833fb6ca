"""What a run can be rendered as: a table of pure functions from run records to a text.

A record is a document as :func:`fp8ref.report.runs.record.read` gives it; several are rendered together.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...escapes import plain_data
from ..findings.siblings import causes
from ..terminal import terminal
from . import text
from .html import html
from .junit import junit
from .markdown import markdown
from .record import reports_of

Document = dict[str, Any]
WIDTH = 140


@dataclass(frozen=True)
class Renderer:
    """``help`` names the option of ``check`` that writes such a file; empty where it has another way to print it.

    ``needs``: a package of the extra ``report``.  ``exact``: a program reads it, and texts stay as they are.
    """

    make: Callable[..., str]
    help: str = ""
    needs: str = ""
    exact: bool = False

    def render(self, documents: Sequence[Document], **options: Any) -> str:
        """Records rendered, with whatever strangers wrote in them made plain first."""
        return self.make(documents if self.exact else [plain_data(document) for document in documents], **options)


def as_text(documents: Sequence[Document], width: int = WIDTH) -> str:
    """What ``fp8ref check`` prints."""
    out = io.StringIO()
    console = terminal(file=out, width=width, color_system=None)
    for i, document in enumerate(documents):
        if i:
            console.print()
        end = document["end"] or {"finished": False}
        text.render(console, document["header"], reports_of(document), end["finished"], False, end.get("stale", ()))
    return out.getvalue()


def as_json(documents: Sequence[Document]) -> str:
    """The record as one document, with its causes across operations; a list of several."""
    found = [
        {**document, "causes": [cause.as_json() for cause in causes(reports_of(document))]} for document in documents
    ]
    return json.dumps(found[0] if len(found) == 1 else found, indent=1, sort_keys=True) + "\n"


def badge(documents: Sequence[Document]) -> str:
    """A shields.io endpoint: how many operations fail, never a percentage."""
    reports = [report for document in documents for report in reports_of(document)]
    finished = all(document["end"] and document["end"]["finished"] for document in documents)
    bad = sum(report.verdict in text.BAD for report in reports)
    judged = sum(report.verdict.value != "unsupported" for report in reports)
    in_part = sum(report.in_part for report in reports)
    undecided = sum(report.verdict.value == "undecided" for report in reports)
    asked = text.asked_text(reports)
    if not judged:
        message, color = "nothing ran", "lightgrey"
    elif bad:
        message, color = f"{bad} of {judged} operations fail", "red"
    elif not finished:
        message, color = "not finished", "lightgrey"
    else:
        known = sum(report.verdict.value == "xfail" for report in reports)
        whole = judged - in_part - undecided - known
        conforms = f"conforms: {whole} operations" if not known else f"{whole} operations right"
        parts = [conforms] if whole else []
        parts += [f"{in_part} pass{'es' if in_part == 1 else ''} in part"] if in_part else []
        parts += [f"{undecided} undecided"] if undecided else []
        parts += [f"{known} known failures"] if known else []
        message = ", ".join(parts) + asked
        color = "yellow" if known or not whole or undecided else "green" if asked else "brightgreen"
    return json.dumps({"schemaVersion": 1, "label": "fp8ref", "message": message, "color": color}) + "\n"


RENDERERS: dict[str, Renderer] = {
    "text": Renderer(as_text),
    "md": Renderer(markdown, "Write the report as Markdown."),
    "junit": Renderer(junit, "Write the verdicts as JUnit XML."),
    "html": Renderer(html, "Write the matrix as one HTML page.", "jinja2"),
    "json": Renderer(as_json, exact=True),
    "badge": Renderer(badge, "Write a shields.io endpoint."),
}
