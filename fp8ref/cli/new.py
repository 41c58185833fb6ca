"""``fp8ref new``: the files of a start, written into a folder of the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from ..outputs import together
from .errors import BadInput, OneLine
from .files import why
from .say import say

# kind -> files of the package that come along; those of starters/<kind> are found there
STARTERS: dict[str, tuple[str, ...]] = {
    "adapter": ("adapters/programs/fp8ref.h",),
    "kernel-test": (),
    "ci": (),
    "rtl": (),
    "declaration": (),
}


# language of an RTL start -> the ends of the names of its files
LANGUAGES: dict[str, tuple[str, ...]] = {
    "sv": (".sv",),
    "vhdl": (".vhd",),
    "cocotb": ("f32_to_e4m3fn.sv", "mul_e4m3fn.sv", "cocotb_bench.py"),
    "uvm": (".svh", "f32_to_e4m3fn.sv"),
}
ALWAYS = ("README.md", "run.py")


def sources(kind: str, language: str | None = None) -> Iterator[Traversable]:
    """The files that a start consists of, by name; in one language, where it has several."""
    package = files("fp8ref")
    own = [entry for entry in (package / "starters" / kind).iterdir() if entry.is_file()]
    if language is not None:
        own = [entry for entry in own if entry.name.endswith((*ALWAYS, *LANGUAGES[language]))]
    yield from sorted([*own, *(package.joinpath(other) for other in STARTERS[kind])], key=lambda entry: entry.name)


@click.command(cls=OneLine)
@click.argument("kind", type=click.Choice(list(STARTERS)))
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--language", type=click.Choice(list(LANGUAGES)), default=None, help="For rtl: one language. Default: all."
)
def new(kind: str, folder: Path, language: str | None) -> None:
    """Write starter files into DIR, which may exist; no file there is replaced.

    adapter: an implementation under test in Python, as a program and as a shared object in C. kernel-test: a
    test of a function for pytest. ci: a script and a workflow for continuous integration. rtl: designs and benches for
    $readmemh, DPI-C, cocotb, VHDL's textio, UVM. declaration: the files in which an implementation of P3109 declares
    what it does. README.md in DIR lists the commands to run.
    """
    if language is not None and kind != "rtl":
        raise BadInput(f"--language is of rtl; {kind} has one")
    texts = {folder / source.name: source.read_bytes() for source in sources(kind, language)}
    there = [path.name for path in texts if os.path.lexists(path)]
    if there:
        raise BadInput(f"{folder} has {', '.join(there)} already; nothing is replaced, and nothing was written")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with together() as written:
            for path, text in texts.items():
                with written.file(path) as file:
                    file.write(text)
        for path in texts:
            say(str(path))
    except OSError as error:
        raise BadInput(why(error, f"cannot write {error.filename or folder}")) from None
