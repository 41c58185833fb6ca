"""``fp8ref vectors``: golden answers for simulators and devices, made, exported and verified."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..cases.products.beside import has_amax
from ..escapes import plain
from ..vectors import manifest
from ..vectors.constrained import Limits, weight_of
from ..vectors.coverage.bins import Coverage, points_of
from ..vectors.files import found_in, sections_of, write_file
from ..vectors.forms.registry import FORMS, Form, Sections
from ..vectors.generate import Recipe, generate
from ..vectors.interleaved import Rhythm, stream
from ..vectors.patterns import is_pattern, with_modes
from ..vectors.section import Block
from ..vectors.source import open_source
from .c_model import c_model
from .coverage import coverage
from .errors import BadInput, OneLine
from .files import require_free
from .group import Commands
from .say import say
from .vector_files import Progress, form_named, operation_of, require_fits, write_stream
from .verify import verify

DOES_NOT_CONFORM, INTERRUPTED, NOTHING_RAN = 1, 2, 5
TININESS = click.Choice(["after", "before", "delivered"])


@click.group(cls=Commands)
def vectors() -> None:
    """Golden answers as files: make them, export them, verify them."""


vectors.add_command(c_model)
vectors.add_command(coverage)
vectors.add_command(verify)


@vectors.command("generate", cls=OneLine)
@click.argument("operations", nargs=-1, required=True, metavar="OP...")
@click.option("--as", "form", default=None, help=f"The form: {', '.join(FORMS)}; by the file's suffix, else jsonl.")
@click.option("-n", "n", type=click.IntRange(0), default=None, help="How many cases. Default: all of the selection.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random cases.")
@click.option("--forever", is_flag=True, help="Write until the reader closes the pipe.")
@click.option(
    "--select",
    default=None,
    metavar="every|bins|bin=NAME",
    help="All cases, some of each coverage bin, or those of one bin.",
)
@click.option("--a", "a", default="", help="Restrict operand a: subnormal, -normal, 0x30..0x37, joined by +.")
@click.option("--b", "b", default="", help="Restrict operand b.")
@click.option("--c", "c", default="", help="Restrict operand c.")
@click.option("--sa", "sa", default="", help="Restrict the scales of a.")
@click.option("--sb", "sb", default="", help="Restrict the scales of b.")
@click.option("--weight", "weights", multiple=True, metavar="BIN=N", help="Draw cases of this bin N times as often.")
@click.option("--each", type=click.IntRange(1, 99999), default=8, show_default=True, help="Cases per bin.")
@click.option("--bins", "table", is_flag=True, help="Print the coverage table, no cases.")
@click.option("--tagged", is_flag=True, help="Write the bins of each case; JSON lines always have them.")
@click.option("--interleave", is_flag=True, help="Write one $readmemh stream of all operations, with opcodes.")
@click.option(
    "--idle", type=click.IntRange(0, 99), default=0, help="Stream: percentage of cases that follow idle cycles."
)
@click.option("--stall", type=click.IntRange(0, 99), default=0, help="Stream: percentage of cycles without ready.")
@click.option("--burst", type=click.IntRange(0), default=0, help="Stream: the most valid cycles in a row.")
@click.option("--rounding", default=None, help="Replaces the id's rounding: rne, rna, rtz, rtp, rtn, rto.")
@click.option(
    "--overflow", default=None, help="Replaces the id's overflow rule: sat, satprop, nonsat, or finite-infinite."
)
@click.option(
    "--tininess",
    type=click.Choice(["after", "before", "delivered"]),
    default=None,
    help="When underflow (UF) is raised.",
)
@click.option("--profile", default=None, help="Rounding and overflow of a named profile (fp8ref list profiles).")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write this file; .gz compresses it."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def generate_(
    operations: tuple[str, ...], form: str | None, n: int | None, seed: int, forever: bool, select: str | None,
    a: str, b: str, c: str, sa: str, sb: str,
    weights: tuple[str, ...], each: int, table: bool, tagged: bool, interleave: bool,
    idle: int, stall: int, burst: int, rounding: str | None,
    overflow: str | None, tininess: str | None, profile: str | None, output: Path | None, force: bool,
) -> None:  # fmt: skip
    """Make cases with the reference's answers.

    OP is an operation id, such as fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat, or a TestFloat name, such as f32_to_e4m3fn.
    A glob in the mode,
    r*.sat, stands for every mode that it matches.

    \b
    fp8ref vectors generate f32_to_e4m3fn --as testfloat | ./dut | fp8ref vectors verify - --op f32_to_e4m3fn
    fp8ref vectors generate 'dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32' -n 10000 -o dot.jsonl.gz
    """
    chosen = form_named(form, output)
    try:
        named = (
            [one.id for op in operations for one in with_modes(op)] if any(map(is_pattern, operations)) else operations
        )
        said = ("a", a), ("b", b), ("c", c), ("sa", sa), ("sb", sb)
        bin_ = select.removeprefix("bin=") if select and select.startswith("bin=") else ""
        bin_, weights = bin_.replace(",", "?"), tuple(one.replace(",", "?") for one in weights)  # words of a selection
        limits = Limits(tuple(one for one in said if one[1]), tuple(map(weight_of, weights)), bin_)
        how = "bins" if limits and (bin_ or not select) else select or ""
        count = 256 if limits.weights and n is None and how == "bins" else n
        recipes = [
            Recipe.of(operation_of(op, rounding, overflow, tininess, profile), how, each, count, seed, forever, limits)
            for op in named
        ]
    except ValueError as error:
        raise BadInput(str(error)) from None
    for recipe in recipes:
        require_fits(chosen, recipe.operation)
    if table:
        _show_bins(recipes)
        return
    if (idle or stall or burst) and not interleave:
        raise BadInput("--idle, --stall and --burst belong to a stream: say --interleave")
    if interleave:
        if forever or tagged or (form or "memh") != "memh":
            raise BadInput("--interleave writes a stream of its own, without --forever, --tagged and --as")
        for recipe in recipes:
            if has_amax(recipe.operation):
                raise BadInput(f"{recipe.operation.id}: a stream has no place for an amax; words have: --as memh")
        write_stream(stream(recipes, Rhythm(idle, stall, burst), seed), output, force)
        return
    if forever and output is not None:
        raise BadInput("--forever writes into a pipe; a file has an end: say -n")
    if len(recipes) > 1 and forever:
        raise BadInput("--forever takes one operation")
    progress = Progress("made")
    made = _watched(manifest.sections(recipes, chosen, tagged), progress)
    if output is None:
        if not chosen.stream:
            raise BadInput(f"{chosen.name} is written into files: say -o FILE")
        _pipe(chosen, made)
    else:
        _write(output, chosen, made, force)
    progress.done()


def _watched(made: Sections, progress: Progress) -> Sections:
    for section, blocks in made:
        yield section, _each(blocks, progress)


def _each(blocks: Iterator[Block], progress: Progress) -> Iterator[Block]:
    for block in blocks:
        yield block
        progress(block.size)


def _pipe(form: Form, made: Sections) -> None:
    """Write to standard output, each block when it is made, until the reader has enough."""
    sys.stdout.flush()
    try:
        form.pipe_writer(made, sys.stdout.buffer)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)


def _write(output: Path, form: Form, made: Sections, force: bool) -> None:
    require_free(output, force=force)
    try:
        if form.stream:
            write_file(output, form, made, force)
        else:
            for path in form.exporter(made, output, force):
                say(str(path))
    except FileExistsError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{output} cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        raise BadInput(str(error)) from None


def _show_bins(recipes: list[Recipe]) -> None:
    for recipe in recipes:
        coverage = Coverage(points_of(recipe.operation), recipe.each)
        cases = sum(block.size for block in generate(recipe, True, coverage))
        rows = list(coverage.rows())
        width = max(len(row.bin) for row in rows)
        hit = sum(row.hits > 0 for row in rows)
        say(f"{recipe.operation.id}  {recipe.selection}  seed {recipe.seed}")
        for row in rows:
            say(f"  {row.bin:<{width}}  {row.hits:>8}" + (f"  {row.why}" if row.why else ""))
        say(f"{hit} of {len(rows)} bins hit by {cases} cases; {len(rows) - hit} have none, each with its reason")


@vectors.command("export", cls=OneLine)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "form", required=True, help=f"The form: {', '.join(FORMS)}.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write this file, or files beside it.")
@click.option("--tagged", is_flag=True, help="Write the bins of each case; JSON lines always have them.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def export(file: Path, form: str, output: Path | None, tagged: bool, force: bool) -> None:
    """Convert vectors from one form to another."""
    chosen = form_named(form, output)
    try:
        with one_line():
            read = sections_of(found_in(open_source(file)), tagged or None if chosen.name == "jsonl" else tagged)
            made = _fitting(chosen, read)
            if output is not None:
                _write(output, chosen, made, force)
            elif chosen.stream:
                _pipe(chosen, made)
            else:
                raise BadInput(f"{chosen.name} is written into files: say -o FILE")
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror or error}") from None


def _fitting(form: Form, made: Sections) -> Sections:
    for section, blocks in made:
        require_fits(form, section.operation)
        yield section, blocks


class one_line:
    """Unreadable files, and forms that are not read, as usage errors of one line."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ValueError):
            raise BadInput(str(error)) from None


@vectors.command("list", cls=OneLine)
@click.argument("path", default="", required=False)
def list_(path: str) -> None:
    """List the forms, or what a file or a directory with MANIFEST.json holds."""
    if not path:
        for form in FORMS.values():
            say(f"{form.name:<10} {form.suffix:<9} {form.asks}{'' if form.reads else '; written only'}")
        return
    try:
        if os.path.isdir(path):
            found = manifest.read(Path(path))
            for entry in found["files"]:
                say(f"{entry['size']:>9}  {plain(entry['name'])}")
                for said in entry.get("sections", []):
                    say(f"{'':>9}    {plain(said['operation'])}  {plain(said['selection'])}")
            for recipe in found["recipes"]:
                say(f"{'recipe':>9}  {plain(recipe['command'])}")
            return
        for section, blocks in sections_of(found_in(open_source(path))):
            say(f"{sum(block.size for block in blocks):>9}  {section.operation.id}  {plain(section.selection)}")
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None
