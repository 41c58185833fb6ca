"""``fp8ref audit``: which convention and recipe made the quantised tensors of a model file, and where it breaks."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ..audit.run import audit
from ..escapes import one_line
from ..report.audits.text import audit_page
from .console import print_json
from .errors import OneLine
from .say import say, status

FAULTY = 1
PATIENCE = 2.0  # seconds after which a line says how far it is


@click.command("audit", cls=OneLine)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--original", type=click.Path(path_type=Path), help="The weights that were quantised: a file or folder of any form."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, fp8ref/audit/1.")
def audit_(path: Path, original: Path | None, as_json: bool) -> None:
    """Which convention and recipe made a model's quantised tensors, and what is wrong?

    PATH is a safetensors file, an index of shards, a folder with a model, or a file of GGUF, ONNX, npz or torch
    (read with weights_only).  Scales and codes are held against what the file declares.  With --original, also
    against the weights: which recipe gives every bit, and where codes are no rounding under the stored scale.

    \b
    fp8ref audit model.safetensors
    fp8ref audit Qwen3-8B-FP8/ --original Qwen3-8B/ --json

    Exit codes: 0 no fault, 1 a fault, 2 interrupted, 4 a file cannot be read.
    """
    began = time.monotonic()

    def progress(name: str, done: int, total: int) -> None:
        spent = time.monotonic() - began
        if spent > PATIENCE and done:
            left = spent * (total - done) / done
            status(f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB, {left:.0f} s left, {one_line(name, 40)} ...")

    found = audit(path, original, progress)
    status()
    document = found.document()
    if as_json:
        print_json(document)
    else:
        say(audit_page(document))
    sys.exit(0 if found.clean else FAULTY)
