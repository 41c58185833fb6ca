"""What the commands of vectors share: the operation that options say, the form of a file, progress in cases."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..cases.operation import Operation
from ..cases.products.beside import has_amax
from ..outputs import atomically
from ..spec.profiles.catalog import profile_mode
from ..vectors.forms.registry import FORMS, Form, form_of, get_form
from ..vectors.section import Section
from .errors import BadInput
from .files import require_free
from .say import say, status

INTERRUPTED = 2
PATIENCE = 2.0  # seconds without a word


class Progress:
    """Cases done, on stderr, for work that takes longer than two seconds in a terminal."""

    def __init__(self, what: str) -> None:
        self.what, self.cases, self.shown = what, 0, False
        self.start = self.last = time.monotonic()

    def __call__(self, n: int) -> None:
        self.cases += n
        now = time.monotonic()
        if now - self.start > PATIENCE and now - self.last > 0.5:
            self.last, self.shown = now, True
            rate = self.cases / (now - self.start)
            status(f"{self.what} {self.cases:,} cases, {rate:,.0f} a second ")

    def done(self) -> None:
        if self.shown:
            status()


def operation_of(
    text: str, rounding: str | None, overflow: str | None, tininess: str | None, profile: str | None
) -> Operation:
    """The operation of an id with the options that replace parts of its mode."""
    try:
        op = Operation.parse(text)
        if profile:
            mode, keys = profile_mode(profile, op.operands[0], op.result)
            family = "convert" if op.family == "decode" else op.family  # which has a mode to say
            op = replace(op, family=family, mode=mode, keys=tuple(sorted({**dict(op.keys), **keys}.items())))
        if (rounding or overflow) and op.asked.kind in ("convert", "arithmetic"):
            have = (op.mode or "").split(".")
            op = op.with_mode(f"{rounding or have[0]}.{overflow or have[1]}")
        elif rounding or overflow:
            raise BadInput(f"--rounding, --overflow and --profile do not fit {op.family}: say its mode in the id")
        if tininess:
            op = replace(op, keys=tuple(sorted({**dict(op.keys), "tininess": tininess}.items())))
        return Section.of(Operation.parse(op.id)).operation
    except ValueError as error:
        raise BadInput(str(error)) from None


def form_named(name: str | None, output: Path | None) -> Form:
    try:
        if name is not None:
            return get_form(name)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return (form_of(output) if output is not None else None) or FORMS["jsonl"]


def require_fits(form: Form, op: Operation) -> None:
    """Refuse a form that has no place for what an operation answers; BadInput."""
    if has_amax(op) and form.name == "testfloat":
        raise BadInput(f"{op.id}: TestFloat's lines have no place for an amax; every other form has it")


def write_stream(lines: Iterator[str], output: Path | None, force: bool) -> None:
    """Write the lines of a stream to a file or standard output; BadInput where they cannot be made."""
    require_free(output, force=force)
    try:
        if output is None:
            for line in lines:
                say(line)
            return
        with atomically(output, force) as file:
            for line in lines:
                file.write(f"{line}\n".encode())
    except ValueError as error:
        raise BadInput(str(error)) from None
    except BrokenPipeError:  # the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)
    except OSError as error:
        raise BadInput(f"{output} cannot be written: {error.strerror or error}") from None
