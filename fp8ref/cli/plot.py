"""``fp8ref plot``: figures of formats as files."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from ..plots import PLOTS, save, staircase
from .errors import BadInput, OneLine
from .files import require_free
from .inputs import read_format
from .say import say

DEFAULTS = {"relative-error": ("e4m3fn", "e5m2"), "density": ("e4m3fn", "e5m2", "e3m2fn", "e2m1fn")}


@click.command(cls=OneLine)
@click.argument("name")
@click.argument("formats", metavar="[FORMAT]...", nargs=-1)
@click.option("-o", "--output", metavar="FILE", required=True, help="The file to write: .png, .svg or .pdf.")
@click.option("--rounding", metavar="MODE", help="staircase: the rounding mode.  [default: rne]")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def plot(name: str, formats: tuple[str, ...], output: str, rounding: str | None, force: bool) -> None:
    """A figure of one or more formats.

    NAME is number-line (every value of a format), staircase (how inputs near 1 and near the largest value are rounded),
    relative-error (the largest one when rounding to nearest), density (values in each binade), error-growth (how far
    the sums of matrix units stray from the exact one as K grows), disagreement (the same operands through nine units),
    or sqnr (signal to noise of each split of 8 bits, on data with lighter and heavier tails; it takes no format).  The
    other names are pictures of systems: see fp8ref system.

    \b
    fp8ref plot number-line e4m3fn -o e4m3fn.svg
    fp8ref plot staircase e5m2 --rounding rtz -o staircase.png
    fp8ref plot density e4m3fn e5m2 e2m1fn -o density.png
    """
    if name not in PLOTS:
        near = difflib.get_close_matches(name, PLOTS, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BadInput(f"unknown plot {name!r}; {hint}choose from {', '.join(PLOTS)}")
    draw, takes = PLOTS[name]
    if rounding is not None and draw is not staircase:
        raise BadInput(f"--rounding is for staircase; {name} has no such choice")
    if takes == "none" and formats:
        raise BadInput(f"{name} takes no format")
    found = [read_format(text) for text in formats or DEFAULTS.get(name, ("e4m3fn",))]
    if takes == "one" and len(found) != 1:
        raise BadInput(f"{name} draws one format, not {len(found)}")
    require_free(Path(output), force=force)
    try:
        operands: list[Any] = [] if takes == "none" else found if takes == "one" else [found]
        fig = draw(*operands, **({} if rounding is None else {"rounding": rounding}))
        save(fig, output, force)
    except (ImportError, ValueError, FileExistsError) as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror or error}") from None
    say(output)
