"""What a person typed wrongly: one line that says what, where, and what would be right; exit code 4."""

from __future__ import annotations

import re
from typing import IO, Any

import click

from ..errors import Unreadable
from ..escapes import one_line


class BadInput(click.ClickException):
    """A usage error in one line: what is long is shortened in its middle, what is not printable is escaped."""

    exit_code = 4

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.format_message()}", file=file, err=file is None)


class OneLine(click.Command):
    """A command whose usage errors, too, take one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if re.match(r"-[\d.]", error.option_name):
                raise BadInput(
                    f"{error.option_name}... looks like a value: a code is a bit pattern without sign, and values are "
                    "given as --from VALUE"
                ) from None
            raise self._in_one_line(error, ctx) from None
        except click.UsageError as error:
            raise self._in_one_line(error, ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Unreadable as error:
            raise BadInput(str(error)) from None

    def _in_one_line(self, error: click.UsageError, ctx: click.Context) -> BadInput:
        return BadInput(f"{error.format_message().rstrip('.')}; see `{ctx.command_path} --help`")
