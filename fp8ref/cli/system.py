"""``fp8ref system``: the papers' 8-bit systems, one table and one picture each."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import click
import numpy as np
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..report.terminal import terminal
from ..systems import SYSTEMS, get_system
from ..systems.own_tensors import RULES, Quantised, quantised, table_of
from ..systems.watch import watching
from . import complete
from .console import print_json
from .errors import BadInput, OneLine
from .files import require_free, write
from .listing import table
from .say import paragraph, say
from .tensor_files import read_tensor


@click.command(cls=OneLine)
@click.argument("name", required=False, shell_complete=complete.systems)
@click.option("--plot", "picture", metavar="FILE", help="Also draw its picture: .png, .svg or .pdf.")
@click.option(
    "--input", "tensor", metavar="FILE[:NAME]",
    help="Quantise your own tensor (npy, npz or safetensors) by the system's rules; print the loss.",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="FILE", help="With --input: write codes, scales and values of each rule as .npz."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def system(
    name: str | None, picture: str | None, tensor: str | None, output: str | None, force: bool, as_json: bool
) -> None:
    """Compute the table of a paper's 8-bit system.  Without NAME: list the systems.

    \b
    fp8ref system
    fp8ref system i-bert
    fp8ref system adam8 --plot adam8.svg
    fp8ref system s2fp8 --input weights.npy -o codes.npz
    """
    if name is None:
        if picture:
            raise BadInput("--plot draws the picture of one system: give its NAME")
        if tensor:
            raise BadInput(f"--input goes by the rules of one system: give its NAME, of {', '.join(RULES)}")
        if as_json:
            print_json([{"system": s.name, "title": s.title, "paper": s.paper} for s in SYSTEMS.values()])
        else:
            table(
                [("system", "left"), ("what", "left"), ("arXiv", "left")],
                ((s.name, s.title, s.paper.removeprefix("arXiv ")) for s in SYSTEMS.values()),
            )
        return
    if output and (not tensor or Path(output).suffix != ".npz"):
        raise BadInput("-o FILE.npz takes the codes of --input FILE")
    require_free(*(None if file is None else Path(file) for file in (picture, output)), force=force)
    made: list[Quantised] = []
    try:
        found = get_system(name)
        with _progress(name):
            if tensor:
                x = read_tensor(tensor)
                made = quantised(name, x)
                shown = table_of(made, x)
            else:
                shown = found.table()
    except (ValueError, ImportError, TypeError) as error:
        raise BadInput(str(error)) from None
    if output:
        write({Path(output): _npz(made)}, force)
    if as_json:
        rows = [{key: number(cell) for key, cell in zip(_keys(shown.columns), row)} for row in shown.rows]
        print_json({"system": name, "paper": found.paper, "title": shown.title, "rows": rows, "notes": shown.notes})
    else:
        paragraph(shown.title)
        say()
        numbers = [all(_is_number(row[i]) for row in shown.rows) for i in range(len(shown.columns))]
        table([(c, "right" if n else "left") for c, n in zip(shown.columns, numbers)], shown.rows)
        if shown.notes:
            say()
        for note in shown.notes:
            paragraph(note)
    if picture:
        with _progress(name):
            _draw(name, found.plot, picture, force)


def _keys(columns: Sequence[str]) -> list[str]:
    """The columns' names; of several with one name, each after the column that it follows: ``dB at T, t(8)``."""
    return [c if columns.count(c) == 1 else f"{c} at {columns[i - 1]}" for i, c in enumerate(columns)]


@contextmanager
def _progress(name: str) -> Iterator[None]:
    """A bar on stderr, where that is a terminal, for computations that report how far they are."""
    if not sys.stderr.isatty():
        yield
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=terminal(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        with watching(lambda done, of: bar.update(task, completed=done, total=of)):
            yield


def number(text: str) -> str | int | float | None:
    """A cell as data: a number where it is one (of ``12.5%`` 0.125), None for ``-`` and nothing, else its text.

    >>> number("1,024"), number("7.0362%"), number("2.79e-03"), number("-"), number("E4M3"), number("inf")
    (1024, 0.070362, 0.00279, None, 'E4M3', 'inf')
    """
    plain = text.strip().replace(",", "").replace("\u2212", "-")
    if plain in ("", "-"):
        return None
    share = plain.endswith("%")
    digits = plain.removesuffix("%").strip()
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", digits):
        return text
    if share:
        return float(Fraction(digits) / 100)
    return int(digits) if re.fullmatch(r"[+-]?\d+", digits) else float(digits)


def _npz(made: list[Quantised]) -> bytes:
    """The arrays of each rule, numbered as in the table."""
    file = io.BytesIO()
    np.savez(
        file,
        **{f"{what}{n}": getattr(one, what) for n, one in enumerate(made) for what in ("codes", "scales", "values")},
    )
    return file.getvalue()


def _is_number(text: str) -> bool:
    return text in ("", "-") or text.lstrip("+-<>≤±")[:1].isdigit()


def _draw(name: str, plot: str, file: str, force: bool) -> None:
    from ..plots import PLOTS, save

    if plot not in PLOTS:
        raise BadInput(f"{name} has no picture")
    try:
        save(PLOTS[plot].draw(), file, force)
    except (ImportError, ValueError, FileExistsError) as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot write {file}: {error.strerror or error}") from None
    say(file, err=True)
