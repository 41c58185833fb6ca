"""``fp8ref diff``: two files of the same tensors side by side."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ..audit.diff.products import Unfit
from ..audit.diff.run import diff
from ..escapes import one_line
from ..report.audits.differences import diff_page
from .console import print_json
from .errors import BadInput, OneLine
from .say import say, status

DIFFERENT, NOTHING = 1, 5
PATIENCE = 2.0  # seconds after which a line says how far it is


@click.command("diff", cls=OneLine)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--original", type=click.Path(path_type=Path), help="The weights from which both were made.")
@click.option(
    "--rename",
    "renames",
    multiple=True,
    metavar="OLD=NEW",
    help="Replace OLD by NEW in the tensor names of both files.",
)
@click.option(
    "--product", "products", multiple=True, metavar="X,W,Y",
    help="Outputs Y = X W^T with their quantised operands: which accumulators give them?",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, fp8ref/diff/1.")
def diff_(
    a: Path, b: Path, original: Path | None, renames: tuple[str, ...], products: tuple[str, ...], as_json: bool
) -> None:
    """Where do two files of the same tensors differ, and what explains it?

    A and B are models, or captures of tensors: anything that `fp8ref audit` reads.  Tensors are paired by name.
    Form, recipe, scales, codes and values are compared in this order, and the first difference is explained.  With
    --original the command also finds whether both are right by different recipes.

    \b
    fp8ref diff vllm.safetensors torchao.safetensors --original bf16.safetensors
    fp8ref diff A-FP8/ B-FP8/ --rename .experts.0= --json
    fp8ref diff h100.npz b200.npz --product x,w,y

    Exit codes: 0 every difference is explained, 1 some are not, 2 interrupted, 4 a file cannot be read, 5 no tensor
    is in both.
    """
    pairs = [text.partition("=") for text in renames]
    for old, sign, _ in pairs:
        if not old or not sign:
            raise BadInput("--rename: OLD=NEW, the text in the names before the first =")
    began = time.monotonic()

    def progress(name: str, done: int, total: int) -> None:
        spent = time.monotonic() - began
        if spent > PATIENCE and done:
            status(f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB, {one_line(name, 40)} ...")

    asked = []
    for text in products:
        x, w, y, *more = [*text.split(","), "", "", ""][: max(3, text.count(",") + 1)]
        if more or not (x and w and y):
            raise BadInput(f"--product {text!r:.80}: three names, X,W,Y")
        asked.append((x, w, y))
    try:
        found = diff(a, b, original, [(old, new) for old, _, new in pairs], asked, progress)
    except Unfit as error:
        raise BadInput(f"--product: {error}") from None
    status()
    document = found.document()
    if as_json:
        print_json(document)
    else:
        say(diff_page(document))
    sys.exit(NOTHING if found.nothing else 0 if found.explained else DIFFERENT)
