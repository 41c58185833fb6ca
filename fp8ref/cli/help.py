"""``fp8ref help``: what one has to know to work, one page per topic."""

from __future__ import annotations

import difflib
from importlib.resources import files

import click

from ..check.advice.pages import pages
from . import complete
from .errors import BadInput, OneLine
from .say import prose, say

TOPICS = {
    "adapters": "the whole contract of an adapter",
    "operations": "operation ids, modes, keys, selecting",
    "levels": "how many cases --level 1, 2 and 3 have",
    "exit-codes": "what 0 to 6 mean, and what to do in CI",
    "connectables": "what --impl takes",
    "recipes": "block scaling: names and texts of recipes",
    "completion": "the tab key in bash, zsh and fish",
    "mistakes": "wrong rules: their signs, sources and repairs",
}


def topic_text(topic: str) -> str:
    """The page of a topic."""
    if topic == "mistakes":
        return "\n".join(f"fp8ref help {page.name:<25} {page.title}" for page in pages().values()) + "\n"
    return (files(__package__) / "topics" / f"{topic}.txt").read_text(encoding="utf-8")


@click.command("help", cls=OneLine)
@click.argument("topic", required=False, shell_complete=complete.among(lambda: (*TOPICS, *pages())))
@click.pass_context
def help_(ctx: click.Context, topic: str | None) -> None:
    """A page about a topic, or about a command.

    TOPIC is adapters, operations, levels, exit-codes, connectables, recipes, completion, mistakes, one of these
    mistakes, or a command.
    """
    group = ctx.parent.command if ctx.parent is not None else None
    if topic is None:
        say("\n".join(f"fp8ref help {name:<14} {about}" for name, about in TOPICS.items()))
        say("fp8ref COMMAND --help      the options of a command")
        return
    if topic in pages():
        prose(pages()[topic].text())
        return
    if topic in TOPICS:
        say(topic_text(topic).rstrip("\n"))
        return
    commands = group.list_commands(ctx) if isinstance(group, click.Group) else []
    if topic not in commands or not isinstance(group, click.Group):
        near = difflib.get_close_matches(topic, [*TOPICS, *pages(), *commands], n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(TOPICS)}, or a command"
        raise BadInput(f"no help on {topic!r:.80}; {hint}")
    command = group.get_command(ctx, topic)
    assert command is not None
    say(command.get_help(click.Context(command, parent=ctx.parent, info_name=topic)))
