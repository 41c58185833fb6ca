"""``fp8ref vectors c-model``: the golden model in C99 for chosen formats."""

from __future__ import annotations

from pathlib import Path

import click

from ..outputs import together
from ..vectors.c_model.generate import c_model as model_of
from .errors import BadInput, OneLine
from .files import require_free, why
from .say import say


@click.command("c-model", cls=OneLine)
@click.argument("formats", nargs=-1, required=True, metavar="FORMAT...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Write into this folder.")
@click.option(
    "--functions",
    metavar="NAMES",
    default="",
    help="Add elementary functions for formats of at most 8 bits: exp,tanh or all.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
def c_model(formats: tuple[str, ...], output: Path, functions: str, force: bool) -> None:
    """A golden model in C99 without dependencies: conversions and arithmetic of FORMATs, with every mode and flag.

    It writes fp8ref_model.h, fp8ref_model.c, and fp8ref_model_pkg.sv with the DPI-C imports.
    """
    try:
        files = model_of(formats, [name for name in functions.split(",") if name])
        require_free(*(output / name for name in files), force=force)
        output.mkdir(parents=True, exist_ok=True)
        with together(force) as written:
            for name, text in files.items():
                with written.file(output / name) as file:
                    file.write(text.encode())
        for name in files:
            say(str(output / name))
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(why(error, f"{output} cannot be written")) from None
