"""``fp8ref report``: run records rendered again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..report.runs import record
from ..report.runs.renderers import RENDERERS
from .console import PIPE, console
from .errors import BadInput, OneLine
from .files import require_form, require_free, write


def read_records(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Run records of strangers; BadInput in one line for one that is none or cannot be read."""
    documents = []
    for path in paths:
        try:
            documents.append(record.read(path))
        except ValueError as error:
            raise BadInput(str(error)) from None
        except OSError as error:
            raise BadInput(f"cannot read {path}: {error.strerror or error}") from None
    return documents


@click.command(cls=OneLine)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--as", "form", type=click.Choice(list(RENDERERS)), default="text", show_default=True, help="The form to render."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write this file, not to the terminal."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def report(runs: tuple[Path, ...], form: str, output: Path | None, force: bool) -> None:
    """Render run records: as text, for a page, for a CI system, as a badge.

    RUN is a record that `fp8ref check -o RUN.jsonl` wrote; several are rendered together.  Nothing is judged again.

    \b
    fp8ref report run.jsonl
    fp8ref report torch.jsonl ml_dtypes.jsonl --as junit -o report.xml
    fp8ref report *.jsonl --as html -o matrix.html
    """
    require_free(output, force=force)
    require_form(form)
    documents = read_records(runs)
    try:
        width = {"width": console(PIPE).width} if form == "text" and output is None else {}
        rendered = RENDERERS[form].render(documents, **width)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{', '.join(map(str, runs))}: not a whole run record: {error}") from None
    if output is None:
        click.echo(rendered, nl=False)
    else:
        write({output: rendered}, force)
