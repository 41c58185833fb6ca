"""A group of commands: summaries are printed whole, and a mistyped command is answered with the nearest one."""

from __future__ import annotations

import difflib

import click

from .errors import BadInput

SUMMARY = 200  # characters: no first sentence is longer, and none is cut


class Commands(click.Group):
    """A group whose help cuts no summary, and whose usage errors take one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(SUMMARY)) for name, command in found if command])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0].lower(), names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
            raise BadInput(f"no command {args[0]!r:.80}; {hint}")
        return super().resolve_command(ctx, args)
