"""``fp8ref``: the command group, and the exit codes that every command keeps.

0 conforms, 1 does not conform, 2 interrupted, 3 internal error, 4 usage or unreadable file, 5 nothing ran, 6 the
implementation crashed, hung or would not start.
"""

from __future__ import annotations

import importlib
import math
import os
import sys

import click

from ..check.harness.guard import open_standard_streams
from ..escapes import one_line
from ..version import __version__
from . import surroundings
from .group import Commands

MEMORY = "FP8REF_MEMORY"

# command -> the module that has it; a module is imported only when its command runs
COMMANDS = {
    "check": "check:check",
    "smoke": "smoke:smoke",
    "report": "report:report",
    "identify": "identify:identify_",
    "audit": "audit:audit_",
    "diff": "diff:diff_",
    "quantize": "quantize:quantize_",
    "capture": "capture:capture",
    "show": "show:show",
    "explain": "explain:explain",
    "list": "listing:list_",
    "explore": "explore:explore",
    "plot": "plot:plot",
    "prove": "prove:prove_",
    "system": "system:system",
    "vectors": "vectors:vectors",
    "new": "new:new",
    "help": "help:help_",
}


class Lazy(Commands):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        target = COMMANDS.get(name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(f"{__package__}.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fp8ref")
@click.option(
    "--memory",
    type=click.FloatRange(0.01, 1e6),
    envvar=MEMORY,
    show_envvar=True,
    metavar="GIB",
    help="What an implementation under test may use. Default: 3/4 of what the machine has.",
)
def main(memory: float | None) -> None:
    """The bit-exact reference of 8-bit and narrower floating point, and the conformance suite built on it.

    Exit codes: 0 conforms, 1 does not conform, 2 interrupted, 3 internal error, 4 usage or unreadable file, 5 nothing
    ran, 6 the implementation crashed, hung or would not start.
    """
    if memory is not None:
        if math.isnan(memory):  # which is in every range
            raise click.BadParameter("nan is no amount of memory", param_hint=f"--memory (env var: {MEMORY})")
        os.environ[MEMORY] = str(memory)  # read where implementations are started, by workers too


USAGE, INTERRUPTED, INTERNAL = 4, 2, 3


def run() -> None:
    """The console script: click's exit codes mapped to ours."""
    try:
        open_standard_streams()
        _run()
    except SystemExit as end:
        refused = surroundings.written()
        sys.exit(end.code if refused is None else refused)
    except OSError:  # nor can it be said on standard error what is wrong
        if os.environ.get("FP8REF_DEBUG"):
            raise
        surroundings.silence()
        sys.exit(USAGE)


def _run() -> None:
    try:
        code = main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code if error.exit_code != 1 else USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        surroundings.silence()
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("FP8REF_DEBUG"):
            raise
        if surroundings.refused(error):
            surroundings.silence()
            sys.exit(USAGE)
        click.echo(
            f"internal error: {type(error).__name__}: {one_line(str(error))}\n"
            "This is a fault of fp8ref, not of what was judged; FP8REF_DEBUG=1 shows where.",
            err=True,
        )
        sys.exit(INTERNAL)
