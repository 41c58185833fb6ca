"""``fp8ref quantize``: a checkpoint in a convention, made by a recipe bit for bit."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ..audit.quantize.places import convention_of
from ..audit.quantize.write import KEPT, quantize
from ..escapes import one_line
from ..report.terminal import counted
from ..spec.scaling.named import get_recipe
from .errors import BadInput, OneLine
from .files import why
from .say import say, status

PATIENCE = 2.0  # seconds after which a line says how far it is


@click.command("quantize", cls=OneLine)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("folder", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--recipe", required=True, metavar="NAME", help="A recipe's name or text; `fp8ref list recipes` has the names."
)
@click.option(
    "--convention", metavar="NAME", help="How tensors are stored. Default: as the recipe's library stores them."
)
@click.option(
    "--keep", "kept", multiple=True, metavar="TEXT", default=KEPT, show_default=True,
    help="Copy matrices whose names contain this.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace existing files.")
def quantize_(
    source: Path, folder: Path, recipe: str, convention: str | None, kept: tuple[str, ...], force: bool
) -> None:
    """Write a quantised checkpoint bit-exactly: a reference producer, to test readers with.

    IN is a model in any form that `fp8ref audit` reads; OUT is a folder, which receives model.safetensors, config.json
    and fp8ref-manifest.json.  The manifest has the digest of every tensor, read and written.  The same input gives the
    same bytes.

    \b
    fp8ref quantize model/ model-fp8/ --recipe ct-fp8-bf16
    fp8ref quantize model/ model-fp8/ --recipe "deepseek-v3 128x128" --convention "block FP8"

    Exit codes: 0 written, 2 interrupted, 4 IN cannot be read, or the recipe fits nothing in it.
    """
    began = time.monotonic()

    def progress(name: str, done: int, total: int) -> None:
        if time.monotonic() - began > PATIENCE:
            status(f"{done} of {total} tensors, {one_line(name, 40)} ...")

    try:
        asked = get_recipe(recipe)
        row = convention_of(asked, convention)
        made = quantize(source, folder, asked, row, kept=kept, force=force, progress=progress)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(why(error, f"cannot write {folder}")) from None
    status()
    written, copied = counted(len(made.quantised), "weight"), counted(len(made.copied), "tensor")
    say(f"{written} in {row.name}, {copied} copied: {one_line(str(folder), 200)}")
    sys.exit(0)
