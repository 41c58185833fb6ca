"""Files that commands write: never over an existing one without ``--force``, whole or not at all."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..extras import install
from ..report.runs.renderers import RENDERERS
from .errors import BadInput

Command = TypeVar("Command", bound=Callable[..., Any])


def report_files(command: Command) -> Command:
    """The options ``--junit FILE`` ... of every renderer that writes files."""
    for name, renderer in reversed(RENDERERS.items()):
        if renderer.help:
            path = click.Path(dir_okay=False, path_type=Path)
            command = click.option(f"--{name}", type=path, metavar="FILE", help=renderer.help)(command)
    return command


def require_free(path: Path | None, force: bool) -> None:
    """Refuse to replace a file that was not said to be replaced; BadInput."""
    if path is not None and path.exists() and not force:
        raise BadInput(f"{path} exists; --force replaces it")


def require_form(name: str) -> None:
    """Refuse a form whose package is not here; BadInput."""
    needs = RENDERERS[name].needs
    if needs and importlib.util.find_spec(needs) is None:
        raise BadInput(f"{name} needs {needs}: {install('report')}")


def write(path: Path, text: str) -> None:
    """Write a file as a whole.  BadInput where that is not possible."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from None
