"""Where text goes: plain and 100 columns wide in a pipe, coloured in a terminal unless NO_COLOR is set."""

from __future__ import annotations

import re
import sys
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from .. import escapes
from ..report.terminal import terminal

WIDTH = 100


def console() -> Console:
    """The console of standard output."""
    found = terminal(file=sys.stdout, soft_wrap=False)
    if not found.is_terminal or found.width > WIDTH:
        found.width = WIDTH
    return found


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
    text = Text(escapes.page(page))
    text.highlight_regex(re.compile(r"\A\S+( 0x[0-9A-F]+)?"), "bold")
    text.highlight_regex(re.compile(r"^  answer .*$", re.M), "bold")
    text.highlight_regex(re.compile(r"●"), "bold")
    console().print(text, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(escapes.json_text(document))
