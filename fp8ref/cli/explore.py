"""``fp8ref explore``: a page in which numbers are typed and their conversions seen."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.explorer.page import page
from ..report.explorer.tables import FORMATS
from .errors import BadInput, OneLine
from .files import require_free, write
from .inputs import read_format
from .report import read_records
from .say import say


@click.command(cls=OneLine)
@click.argument("formats", metavar="[FORMAT]...", nargs=-1)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The page to write: .html."
)
@click.option(
    "--runs", multiple=True, metavar="RUN", type=click.Path(dir_okay=False, path_type=Path),
    help="A record of `fp8ref check -o`: the page shows what that library answers.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing file.")
def explore(formats: tuple[str, ...], output: Path, runs: tuple[Path, ...], force: bool) -> None:
    """Write a page where you type a number and see what it becomes, in every format, mode and overflow rule.

    A second part takes a row of numbers and shows the shared scale, the codes and the values of an MX block.

    FORMAT has at most 8 bits; by default the page has the well-known formats.  The page is one file and needs no
    network.  Its link carries what was typed.

    \b
    fp8ref explore -o explorer.html
    fp8ref explore e4m3fn e3m4b2fn --runs torch.jsonl -o explorer.html
    """
    require_free(output, force=force)
    documents = read_records(runs)
    try:
        text = page([read_format(name) for name in formats] or FORMATS, documents)
    except ValueError as error:
        raise BadInput(str(error)) from None
    write({output: text}, force)
    say(f"{output}")
