"""``fp8ref audit``: which convention and recipe made the quantised tensors of a model file, and where it breaks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from ..audit.kinds import KINDS
from ..audit.run import Audit, audit
from ..escapes import one_line
from ..report.audits.text import audit_page
from .console import print_json
from .errors import OneLine
from .files import require_form, require_free, write
from .say import say, status

FAULTY = 1
PATIENCE = 2.0  # seconds after which a line says how far it is


@click.command("audit", cls=OneLine)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--original", type=click.Path(path_type=Path), help="The weights that were quantised: a file or folder of any form."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, fp8ref/audit/1.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write a page with heat maps and code usage, too.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing file.")
def audit_(path: Path, original: Path | None, as_json: bool, page: Path | None, force: bool) -> None:
    """Which convention and recipe made a model's quantised tensors, and what is wrong?

    PATH is a safetensors file, an index of shards, a folder with a model, or a file of GGUF, ONNX, npz or torch
    (read with weights_only).  Scales and codes are held against what the file declares.  With --original, also
    against the weights: which recipe gives every bit, and where codes are no rounding under the stored scale.

    \b
    fp8ref audit model.safetensors
    fp8ref audit Qwen3-8B-FP8/ --original Qwen3-8B/ --json
    fp8ref audit model.safetensors --html audit.html

    Exit codes: 0 no fault, 1 a fault, 2 interrupted, 4 a file cannot be read.
    """
    require_free(page, force=force)
    if page is not None:
        require_form("html")
    began = time.monotonic()

    def progress(name: str, done: int, total: int) -> None:
        spent = time.monotonic() - began
        if spent > PATIENCE and done:
            left = spent * (total - done) / done
            status(f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB, {left:.0f} s left, {one_line(name, 40)} ...")

    found = audit(path, original, progress)
    status()
    document = found.document()
    if page is not None:
        _write_page(page, found, document, force)
    if as_json:
        print_json(document)
    else:
        say(audit_page(document))
    sys.exit(0 if found.clean else FAULTY)


def _write_page(path: Path, found: Audit, document: dict[str, Any], force: bool) -> None:
    from ..audit.pictures.maps import pictures
    from ..report.audits.page import html

    def progress(name: str, done: int, total: int) -> None:
        status(f"drawing {done} of {total}: {one_line(name, 40)} ...")

    drawn = pictures(found, progress)
    status()
    write({path: html(document, drawn, {name: kind.about for name, kind in KINDS.items()})}, force)
