"""What commands take: limits, formats, codes and cases, with notes on names that others read otherwise."""

from __future__ import annotations

import math
import re
from typing import Any

import click

from ..cases import written
from ..cases.operation import Operation
from ..spec.catalog import get_format, note_on
from ..spec.formats import Format
from .errors import BadInput
from .say import say


class Seconds(click.FloatRange):
    """A time limit on the command line: 0.1 to 1,000,000 seconds."""

    def __init__(self) -> None:
        super().__init__(0.1, 1e6)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if math.isnan(found):  # which is in every range
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return found


def read_format(text: str) -> Format:
    """The format of a name, with a note where others read the name otherwise; BadInput for any other."""
    try:
        found = get_format(text)
        note(text)
        return found
    except ValueError as error:
        raise BadInput(str(error)) from None


def read_typed_code(text: str, what: str) -> tuple[str, int]:
    """As the function of ``written``, with a note."""
    found = written.read_typed_code(text, what)
    note(text.partition(":")[0])
    return found


def read_case(text: str) -> tuple[Operation, list[int]]:
    """As the function of ``written``, with a note."""
    found = written.read_case(text)
    note(text.partition("#")[0])
    return found


def note(*texts: str) -> None:
    """Say on stderr how names in ids or TestFloat names are read that others read otherwise."""
    words = dict.fromkeys(word for text in texts for part in text.split("_to_") for word in re.split(r"[^\w]", part))
    for found in filter(None, map(note_on, words)):
        say(f"note: {found}", err=True)
