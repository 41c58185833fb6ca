"""Reference pages: one for each package from its docstrings, one for the command line from its help texts."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import click
import md

from fp8ref.cli.main import COMMANDS, main

PACKAGES = {
    "fp8ref.ask": "What `fp8ref.judge` gives back.",
    "fp8ref.spec": "The specification: what a number is and what becomes of it. Exact, slow, readable.",
    "fp8ref.arrays": "The public array functions.",
    "fp8ref.cases": "Questions: operations, their ids, and the cases on which they are asked.",
    "fp8ref.check": "Judging: plan, run, compare, shrink, diagnose.",
    "fp8ref.adapters": "Asking others: the protocol and the built-in implementations.",
}
ASKED = "code_table, judge, explain, identify"  # have a page of their own, reference/judge.md


def pages(docs: Path) -> dict[str, str]:
    found = {f"reference/{package}.md": package_page(package, about) for package, about in PACKAGES.items()}
    return {
        **found,
        "reference/top.md": automodule("fp8ref", imported=True, without=ASKED),
        "reference/cli.md": command_line(),
    }


def package_page(package: str, about: str) -> str:
    path = importlib.import_module(package).__path__
    names = sorted(m.name for m in pkgutil.walk_packages(path, f"{package}.") if not m.ispkg)
    sections = [f"## {name}\n\n{automodule(name)}" for name in names]
    return f"# {package}\n\n{about}\n\n" + "\n".join(sections)


def automodule(name: str, imported: bool = False, without: str = "") -> str:
    options = [":members:", ":undoc-members:", *([":imported-members:"] if imported else [])]
    options += [f":exclude-members: {without}"] if without else []
    body = "\n".join([f".. automodule:: {name}", *(f"   {option}" for option in options)])
    return md.fence(body, "{eval-rst}")


def command_line() -> str:
    """``--help`` of the group and of every command."""
    context = click.Context(main, info_name="fp8ref", max_content_width=100, terminal_width=100)
    parts = [md.fence(main.get_help(context))]
    for name in COMMANDS:
        command = main.get_command(context, name) if isinstance(main, click.Group) else None
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name, max_content_width=100, terminal_width=100)
        parts.append(f"## `fp8ref {name}`\n\n" + md.fence(command.get_help(inner)))
    return "\n".join(parts)


def tame(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are prose for people: keep reStructuredText from reading meaning into ``|x|`` and ``a * b``.

    Code between double backticks, literal blocks and doctest lines stay as they are; tables become literal blocks.
    """
    literal = table = False
    out: list[str] = []
    for line in lines:
        literal = literal and (not line or line.startswith(" "))
        border = re.fullmatch(r" *=+( +=+)+ *", line) is not None
        if border and not table:
            out += ["::", ""]
        table = border or (table and bool(line.strip()))
        if table:
            out.append(f"   {line}")
        elif literal or line.lstrip().startswith((">>>", "...")):
            out.append(line)
        else:
            parts = re.split(r"(``.*?``|:\w+:`.*?`)", line)
            out.append("".join(part if j % 2 else MEANT.sub(_escaped, part) for j, part in enumerate(parts)))
        literal = literal or line.endswith("::")
    lines[:] = out


# emphasis, or a character that means itself
MEANT = re.compile(r"(?<!\S)(\*{1,2})\w[^*]*\1(?!\w)|[|*]")


def _escaped(match: re.Match[str]) -> str:
    return match[0] if len(match[0]) > 1 else f"\\{match[0]}"


def signature(
    app: Any, what: str, name: str, obj: Any, options: Any, text: str, returns: str
) -> tuple[str, str] | None:
    """The signature as the source has it: annotations are not taken apart into what their aliases stand for."""
    if what not in ("function", "method"):
        return None
    with contextlib.suppress(TypeError, ValueError):
        found = inspect.signature(obj)
        drop = what == "method" and next(iter(found.parameters), "") == "self"
        arguments = list(found.parameters.values())[drop:]
        written = str(found.replace(parameters=arguments))
        return re.sub(r"(: |-> )'([^']*)'", r"\1\2", written), ""
    return None


def skip(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Left out: undocumented functions and data of a module (not of a class), constructors, and what is imported."""
    if what == "module":
        foreign = not getattr(obj, "__module__", "fp8ref").startswith("fp8ref")
        return True if foreign or not inspect.getdoc(obj) else None
    return True if name in ("__init__", "__new__") else None
