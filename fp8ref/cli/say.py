"""Lines to standard output and standard error, in which nothing is more than text."""

from __future__ import annotations

import sys
import textwrap

import click

from .. import escapes
from ..report.terminal import columns, folded


def say(text: str = "", err: bool = False) -> None:
    """Print lines to standard output, or with ``err`` to standard error; nothing in them is more than text.

    What a stranger wrote and stands in a line is made plain before: here its line ends would stay.
    """
    click.echo(escapes.page(text), err=err)


def prose(text: str, err: bool = False) -> None:
    """Print sentences, no wider than the terminal."""
    say(folded(text, columns()), err)


def paragraph(text: str) -> None:
    """Print one paragraph, no wider than the terminal and without an indent."""
    width = columns()
    say(text if width is None else textwrap.fill(text, width))


def status(text: str = "") -> None:
    """In a terminal, what is going on now, in place of what was said so before; nothing: that it is over."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{escapes.plain(text)}", nl=False, err=True)
