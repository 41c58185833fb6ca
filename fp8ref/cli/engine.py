"""Which engine a command uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from ..engines import ENGINES, Journal
from ..engines.journal import JournalError
from ..escapes import plain, shell
from .errors import BadInput
from .say import say

INTERRUPTED = 2
Command = TypeVar("Command", bound=Callable[..., Any])
OPTIONS = (
    click.option("--jobs", type=click.IntRange(1, 256), default=None, help="Processes; default: one for each core."),
    click.option(
        "--engine", type=click.Choice(ENGINES), default="processes", show_default=True,
        help="Where the work runs; the results are the same.",
    ),
    click.option("--scheduler", default="", metavar="tcp://HOST:PORT", help="dask: a cluster that runs already."),
)  # fmt: skip


def engine_options(command: Command) -> Command:
    """``--jobs``, ``--engine`` and ``--scheduler``."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def chosen(jobs: int | None, engine: str, scheduler: str) -> tuple[int, str]:
    """How many workers, and the engine; BadInput where the options contradict each other."""
    if scheduler and engine != "dask":
        raise BadInput(f"--scheduler is dask's: write --engine dask, not {engine}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return jobs or cores, engine


def journal_of(path: Path) -> Path:
    """Where the finished pieces of a run stand while it goes on: beside what it will write."""
    return path.with_name(path.name + ".shards")


def begin(path: Path, head: dict[str, Any], force: bool) -> Journal:
    """The journal of a new run.  BadInput where an unfinished one stands there."""
    place = journal_of(path)
    try:
        return Journal(place, head, force)
    except FileExistsError:
        raise BadInput(
            f"{place} is of an unfinished run; --resume {path} goes on with it, --force starts again"
        ) from None
    except (OSError, JournalError) as error:
        raise BadInput(_why(error, f"cannot write {place}")) from None


def resume(path: Path, kind: str) -> Journal:
    """The journal of a run that did not end.  BadInput where there is none, or one of another command."""
    place = journal_of(path)
    try:
        journal = Journal(place)
    except FileNotFoundError:
        end = f"{path} is finished" if os.path.exists(path) else f"neither {path} nor {place} is there"
        raise BadInput(f"nothing to resume: {end}") from None
    except (OSError, JournalError) as error:
        raise BadInput(_why(error, f"cannot read {place}")) from None
    if journal.head.get("kind") != kind:
        raise BadInput(f"{place} is of fp8ref {journal.head.get('kind')}: resume it there")
    return journal


def refuse_beside_resume() -> None:
    """BadInput where options that say what to do stand beside ``--resume``, which has them from the run's beginning."""
    context = click.get_current_context()
    free = {
        "resume",
        "impl",
        "impls",
        "expect",
        "jobs",
        "engine",
        "scheduler",
        "verbose",
        "as_json",
        "force",
        "write_expect",
    }
    given = [
        parameter.opts[-1] if isinstance(parameter, click.Option) else parameter.human_readable_name
        for parameter in context.command.params
        if parameter.name not in free
        and context.params.get(parameter.name or "") != ()  # click 8.2.0 says of none given that they were
        and context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        and not (isinstance(parameter.type, click.Path) and parameter.name not in ("output", "expect", "verify"))
    ]
    if given:
        raise BadInput(f"--resume goes on as the run began: leave out {', '.join(given)}")


def no_room(path: Path, error: OSError) -> NoReturn:
    """End the command where the journal could not be written any more; what stands in it stays."""
    why = error.strerror or str(error)
    place = plain(str(journal_of(path)))
    say(f"cannot write {place}: {why}; with room there, --resume {shell(str(path))} goes on", err=True)
    sys.exit(INTERRUPTED)


def _why(error: Exception, what: str) -> str:
    return f"{what}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
