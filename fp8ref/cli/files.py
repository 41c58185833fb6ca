"""Files that commands write: never over an existing one without ``--force``, whole or not at all."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import outputs
from ..check import expected
from ..extras import install
from ..report.runs import cases
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


def require_free(*paths: Path | None, force: bool) -> None:
    """Refuse to replace what was not said to be replaced, and to write a file twice; BadInput."""
    try:
        outputs.require_free([path for path in paths if path is not None], force)
    except OSError as error:
        raise BadInput(why(error, "cannot write")) from None


def require_form(name: str) -> None:
    """Refuse a form whose package is not here; BadInput."""
    needs = RENDERERS[name].needs
    if needs and importlib.util.find_spec(needs) is None:
        raise BadInput(f"{name} needs {needs}: {install('report')}")


def require_cases(path: Path) -> None:
    """Refuse a file of cases of another form, or one whose package is not here; BadInput."""
    if path.suffix not in cases.FORMS:
        raise BadInput(f"--cases {str(path)!r:.80}: a table is a file {' or '.join(cases.FORMS)}")
    if path.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise BadInput(f"--cases: parquet needs pyarrow: {install('parquet')}")


def write(texts: Mapping[Path, str | bytes], force: bool) -> None:
    """Write files that belong together: all of them, or none.  BadInput where that is not possible."""
    try:
        with outputs.together(force) as files:
            for path, text in texts.items():
                with files.file(path) as file:
                    file.write(text if isinstance(text, bytes) else text.encode())
    except OSError as error:
        raise BadInput(why(error, f"cannot write {' and '.join(map(str, texts))}")) from None


def why(error: OSError, what: str) -> str:
    """What a refusal says itself, else ``what`` could not be done and the system's reason."""
    return str(error) if error.errno is None else f"{what}: {error.strerror or error}"


def expectations(path: Path | None, strict: bool) -> expected.Expectations | None:
    """The known failures of a file; BadInput where it is none."""
    if path is None:
        if strict:
            raise BadInput("--strict judges expected failures: give them with --expect FILE")
        return None
    try:
        found = expected.load(path)
        for entry in found.entries:
            if strict and entry.excuses_everything:
                raise BadInput(f"{entry.place}: an entry that excuses everything is no expectation; leave --strict out")
        return found
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from None
