"""Where text goes: as wide as COLUMNS or the terminal says, coloured in a terminal unless NO_COLOR is set."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from .. import escapes
from ..report.terminal import columns, folded, terminal

Command = TypeVar("Command", bound=Callable[..., Any])
PIPE = 140  # columns of a report in a pipe, where COLUMNS says nothing
WIDTH = 100  # of a page
WIDEST = 160  # of a table: beyond, eyes lose the line


def color_option(command: Command) -> Command:
    """``--color``: rich, click and whatever a command starts read it from the environment."""

    def chosen(context: click.Context, parameter: click.Parameter, value: str) -> None:
        if value != "auto":
            os.environ["FORCE_COLOR" if value == "always" else "NO_COLOR"] = "1"
            os.environ.pop("NO_COLOR" if value == "always" else "FORCE_COLOR", None)

    return click.option(
        "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True, callback=chosen,
        expose_value=False, is_eager=True, help="Colours: auto has them in a terminal.",
    )(command)  # fmt: skip


def console(pipe: int = WIDTH) -> Console:
    """The console of standard output; ``pipe``: how wide it is in a pipe where COLUMNS says nothing."""
    return terminal(file=sys.stdout, width=min(columns(pipe) or pipe, WIDEST))


def page_width() -> int:
    """How wide the pictures and tables of a page may be."""
    return max(72, min(columns(WIDTH) or WIDTH, WIDTH))


def draws_unicode() -> bool:
    """Can standard output show box and block characters?"""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        "├┴┤●▁█".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def print_page(page: str) -> None:
    """Print a page: its first words and the answer stand out."""
    text = Text(folded(escapes.page(page), columns()))
    text.highlight_regex(re.compile(r"\A\S+( 0x[0-9A-F]+)?"), "bold")
    text.highlight_regex(re.compile(r"^  answer .*$", re.M), "bold")
    text.highlight_regex(re.compile(r"●"), "bold")
    console().print(text, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(escapes.json_text(document))
