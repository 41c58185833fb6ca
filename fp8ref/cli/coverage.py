"""``fp8ref vectors coverage``: the suite's coverage and a simulator's in one."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..outputs import atomically
from ..report.coverage import picture, rows
from ..vectors.merging import ucis
from ..vectors.merging.database import Database, merged, written
from ..vectors.merging.reading import coverage_of
from .errors import BadInput, OneLine
from .files import require_free, why
from .say import say

TOO_FEW = 1
FORMS = {"json": ".json", "ucis": ".xml", "svg": ".svg"}


@click.command(cls=OneLine)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the merged coverage: .xml UCIS, .json, .svg a picture.")  # fmt: skip
@click.option("--as", "form", type=click.Choice(list(FORMS)), default=None, help="The form. Default: by the suffix.")
@click.option("--least", type=click.IntRange(0), default=None, metavar="N",
              help="Exit 1 where simulation (or else the suite) hit a bin fewer times.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing file.")
def coverage(files: tuple[Path, ...], output: Path | None, form: str | None, least: int | None, force: bool) -> None:
    """Merge the coverage of vectors and of simulations.

    FILE is a vector file of any form, Verilator's coverage.dat, cocotb-coverage's XML, UCIS XML of any simulator, or
    what this command or fp8ref.testing.bench wrote as JSON. Bins of the same operation and name are
    added, whoever counted them.

    \b
    fp8ref vectors coverage cases.jsonl.gz coverage.dat -o merged.xml
    """
    if output is not None:
        form = form or next((name for name, suffix in FORMS.items() if output.name.endswith(suffix)), None)
        if form is None:
            raise BadInput(f"{output}: its suffix names no form; say --as {', '.join(FORMS)}")
        require_free(output, force=force)
    try:
        database = merged([coverage_of(path) for path in files])
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(why(error, f"{error.filename or files[0]} cannot be read")) from None
    for line in rows(database):
        say(line)
    if output is not None:
        texts = {"json": written, "ucis": ucis.written, "svg": picture}
        assert form is not None
        _write(output, texts[form](database), force)
    if least is not None:
        _require(database, least)


def _write(output: Path, text: str, force: bool) -> None:
    try:
        with atomically(output, force) as file:
            file.write(text.encode())
    except FileExistsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{output} cannot be written: {error.strerror or error}") from None


def _require(database: Database, least: int) -> None:
    few = [
        f"{scope} {point}={row.name}"
        for scope, point in database.bins
        for row in database.rows(scope, point)
        if not row.why and (row.simulator if database.has_simulator else row.suite) < least
    ]
    if few:
        say(f"{len(few)} bins have fewer than {least} hits, the first: {few[0]}")
        sys.exit(TOO_FEW)
