"""The explorer as one file: no network, no server; a content security policy admits its one script alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from ...arrays.conversion import FormatLike
from ...escapes import html, script
from ...version import __version__
from .shared import BLOCK
from .tables import FORMATS, document

EXAMPLES = (
    "0.1", "448", "464", "1/3", "2^-10", "0x1.8p-7", "f32:43E88000", "e4m3fn:7E", "-0", "inf", "nan", "1.75 + 0.0625",
    "1.1 * 448",
)  # fmt: skip

SCRIPTS = ("explorer.js", "blocks.js", "start.js")  # in this order, one script


def page(formats: Iterable[FormatLike] = FORMATS, runs: Sequence[Mapping[str, Any]] = ()) -> str:
    """The page.  ``runs``: records, whose libraries' answers it shows.  Raises ValueError for wide formats."""
    code = "".join(_file(name) for name in SCRIPTS)
    buttons = " ".join(f'<button type="button" data-number="{html(x)}">{html(x)}</button>' for x in EXAMPLES)
    dates = sorted({str(run["header"].get("date") or "") for run in runs} - {""})
    recorded = f" Libraries were asked on {html(' to '.join(sorted({dates[0], dates[-1]})))}." if dates else ""
    return _file("explorer.html") % {
        "hash": base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
        "style": _file("explorer.css"),
        "code": code,
        "examples": buttons,
        "block": BLOCK,
        "version": html(__version__),
        "recorded": recorded,
        "data": script(document(formats, runs)),
    }


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
