"""``fp8ref vectors``: golden answers for simulators and devices, made, exported and verified."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..cases.operation import Operation
from ..escapes import plain
from ..report.terminal import counted
from ..spec.profiles.catalog import profile_mode
from ..vectors import manifest
from ..vectors.coverage.bins import Coverage, points_of
from ..vectors.files import found_in, sections_of, write_file
from ..vectors.forms.registry import FORMS, Form, Sections, form_of, get_form
from ..vectors.generate import Recipe, generate
from ..vectors.patterns import is_pattern, with_modes
from ..vectors.section import Block, Section
from ..vectors.source import Source, Unreadable, open_source, standard_input
from ..vectors.verify import Tally
from ..vectors.verify import verify as compare
from .c_model import c_model
from .coverage import coverage
from .errors import BadInput, OneLine
from .files import require_free
from .say import prose, say, status

DOES_NOT_CONFORM, INTERRUPTED, NOTHING_RAN = 1, 2, 5
TININESS = click.Choice(["after", "before", "delivered"])
PATIENCE = 2.0  # seconds without a word


class Progress:
    """Cases done, on stderr, for work that takes longer than two seconds in a terminal."""

    def __init__(self, what: str) -> None:
        self.what, self.cases, self.shown = what, 0, False
        self.start = self.last = time.monotonic()

    def __call__(self, n: int) -> None:
        self.cases += n
        now = time.monotonic()
        if now - self.start > PATIENCE and now - self.last > 0.5:
            self.last, self.shown = now, True
            rate = self.cases / (now - self.start)
            status(f"{self.what} {self.cases:,} cases, {rate:,.0f} a second ")

    def done(self) -> None:
        if self.shown:
            status()


@click.group()
def vectors() -> None:
    """Golden answers as files: make them, export them, verify them."""


vectors.add_command(c_model)
vectors.add_command(coverage)


def _operation(
    text: str, rounding: str | None, overflow: str | None, tininess: str | None, profile: str | None
) -> Operation:
    """The operation of an id with the options that replace parts of its mode."""
    try:
        op = Operation.parse(text)
        if profile:
            mode, keys = profile_mode(profile, op.operands[0], op.result)
            family = "convert" if op.family == "decode" else op.family  # which has a mode to say
            op = replace(op, family=family, mode=mode, keys=tuple(sorted({**dict(op.keys), **keys}.items())))
        if (rounding or overflow) and op.asked.kind in ("convert", "arithmetic"):
            have = (op.mode or "").split(".")
            op = op.with_mode(f"{rounding or have[0]}.{overflow or have[1]}")
        elif rounding or overflow:
            raise BadInput(f"--rounding, --overflow and --profile do not fit {op.family}: say its mode in the id")
        if tininess:
            op = replace(op, keys=tuple(sorted({**dict(op.keys), "tininess": tininess}.items())))
        return Section.of(Operation.parse(op.id)).operation
    except ValueError as error:
        raise BadInput(str(error)) from None


def _form(name: str | None, output: Path | None) -> Form:
    try:
        if name is not None:
            return get_form(name)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return (form_of(output) if output is not None else None) or FORMS["jsonl"]


@vectors.command("generate", cls=OneLine)
@click.argument("operations", nargs=-1, required=True, metavar="OP...")
@click.option("--as", "form", default=None, help=f"The form: {', '.join(FORMS)}; by the file's suffix, else jsonl.")
@click.option("-n", "n", type=click.IntRange(0), default=None, help="How many cases; default: as the selection takes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random cases.")
@click.option("--forever", is_flag=True, help="Go on until the reader has enough.")
@click.option("--select", type=click.Choice(["every", "bins"]), default=None, help="Every case, or by coverage bins.")
@click.option("--each", type=click.IntRange(1, 99999), default=8, show_default=True, help="Cases that a bin wants.")
@click.option("--bins", "table", is_flag=True, help="Print the coverage table in place of the cases.")
@click.option("--tagged", is_flag=True, help="Write in which bins each case is, in every form; JSON lines always do.")
@click.option("--rounding", default=None, help="In place of the id's: rne, rna, rtz, rtp, rtn, rto.")
@click.option("--overflow", default=None, help="In place of the id's: sat, satprop, nonsat, or finite-infinite.")
@click.option(
    "--tininess", type=click.Choice(["after", "before", "delivered"]), default=None, help="When UF is raised."
)
@click.option("--profile", default=None, help="Rounding and overflow of a named profile (fp8ref list profiles).")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write this file; .gz packs it.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def generate_(
    operations: tuple[str, ...], form: str | None, n: int | None, seed: int, forever: bool, select: str | None,
    each: int, table: bool, tagged: bool, rounding: str | None, overflow: str | None, tininess: str | None,
    profile: str | None, output: Path | None, force: bool,
) -> None:  # fmt: skip
    """Make cases with the reference's answers.

    OP is an operation id, such as fma/e4m3fn.e4m3fn.e4m3fn/e4m3fn/rne.sat, or a TestFloat name, such as f32_to_e4m3fn.
    A glob in the mode, r*.sat, is every mode that it matches.

    \b
    fp8ref vectors generate f32_to_e4m3fn --as testfloat | ./dut | fp8ref vectors verify - --op f32_to_e4m3fn
    fp8ref vectors generate 'dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32' -n 10000 -o dot.jsonl.gz
    """
    chosen = _form(form, output)
    try:
        named = (
            [one.id for op in operations for one in with_modes(op)] if any(map(is_pattern, operations)) else operations
        )
        recipes = [
            Recipe.of(_operation(op, rounding, overflow, tininess, profile), select or "", each, n, seed, forever)
            for op in named
        ]
    except ValueError as error:
        raise BadInput(str(error)) from None
    if table:
        _show_bins(recipes)
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
@click.option("--tagged", is_flag=True, help="Write in which bins each case is, in every form; JSON lines always do.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
def export(file: Path, form: str, output: Path | None, tagged: bool, force: bool) -> None:
    """Write vectors of one form in another."""
    chosen = _form(form, output)
    try:
        with one_line():
            made = sections_of(found_in(open_source(file)), tagged or None if chosen.name == "jsonl" else tagged)
            if output is not None:
                _write(output, chosen, made, force)
            elif chosen.stream:
                _pipe(chosen, made)
            else:
                raise BadInput(f"{chosen.name} is written into files: say -o FILE")
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror or error}") from None


class one_line:
    """Unreadable files, and forms that are not read, as usage errors of one line."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ValueError):
            raise BadInput(str(error)) from None


@vectors.command("verify", cls=OneLine)
@click.argument("path", metavar="PATH|-")
@click.option("--op", default=None, help="What cases without a header are about: an id or a TestFloat name.")
@click.option("--rounding", default=None, help="In place of the id's.")
@click.option("--overflow", default=None, help="In place of the id's.")
@click.option(
    "--tininess", type=click.Choice(["after", "before", "delivered"]), default=None, help="When UF is raised."
)
@click.option("--profile", default=None, help="Rounding and overflow of a named profile.")
@click.option("--as", "form", default=None, help="The form of the file; by its suffix, else by how it begins.")
@click.option("--nan", type=click.Choice(["class", "bits"]), default="class", show_default=True, help="Compare NaNs.")
@click.option("--count", type=click.IntRange(1), default=None, help="How many cases there must be.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
def verify(
    path: str, op: str | None, rounding: str | None, overflow: str | None, tininess: str | None, profile: str | None,
    form: str | None, nan: str, count: int | None, quiet: bool,
) -> None:  # fmt: skip
    """Verify vectors against the reference: a file, what comes through a pipe (-), or a directory with MANIFEST.json.

    Cases that come through a pipe are held against the recipe in their header.  Without a header say --count, and in a
    shell set -o pipefail: what nobody announced, nobody misses.

    Exit codes: 0 every answer is the reference's, 1 some are not, 4 unreadable, 5 nothing was verified.
    """
    asked = Section.of(_operation(op, rounding, overflow, tininess, profile)) if op else None
    if (rounding or overflow or tininess or profile) and not op:
        raise BadInput("--rounding, --overflow, --tininess and --profile change what --op says")
    if path != "-" and os.path.isdir(path):
        _verify_directory(Path(path), quiet)
        return
    try:
        source = standard_input(asked) if path == "-" else open_source(path, asked)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None
    chosen = _form(form, None) if form else None
    tally, progress = Tally(), Progress("verified")
    try:
        compare(_counted(source, chosen, progress), source.at, tally, nan)
    except Unreadable as error:
        _show_wrong(tally)
        raise BadInput(str(error)) from None
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None
    progress.done()
    _report(tally, path, quiet, count)


def _counted(source: Source, form: Form | None, progress: Progress) -> Iterator[Any]:
    for piece in found_in(source, form):
        yield piece
        progress(piece.block.size)


def _show_wrong(tally: Tally) -> None:
    for mismatch in tally.first:
        prose(str(mismatch))


def _report(tally: Tally, path: str, quiet: bool, count: int | None) -> None:
    _show_wrong(tally)
    if not tally.cases:
        say(f"nothing was verified: {path} holds no cases", err=True)
        sys.exit(NOTHING_RAN)
    if tally.wrong:
        more = f" ({tally.wrong - len(tally.first)} not shown)" if tally.wrong > len(tally.first) else ""
        say(f"does not conform: {tally.wrong} of {tally.cases} cases differ{more}")
        sys.exit(DOES_NOT_CONFORM)
    if count is not None and tally.cases != count:
        say(f"does not conform: {tally.cases} cases came, not {count}: lines were lost or repeated")
        sys.exit(DOES_NOT_CONFORM)
    if not quiet:
        for name, cases in sorted(tally.operations.items()):
            say(f"  {cases:>10}  {name}")
        unknown = tally.unknown and count is None
        of = ", of an unknown number (without a header of fp8ref say --count)" if unknown else ""
        say(f"conforms: {tally.cases} cases of {counted(len(tally.operations), 'operation')}{of}")


def _verify_directory(path: Path, quiet: bool) -> None:
    progress = Progress("made again")
    try:
        cases = manifest.check(path, progress)
    except Unreadable as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"{error.filename or path} cannot be read: {error.strerror or error}") from None
    progress.done()
    if not sum(cases.values()):
        say(f"nothing was verified: {path} lists no vectors", err=True)
        sys.exit(NOTHING_RAN)
    if not quiet:
        for name, count in sorted(cases.items()):
            say(f"  {count:>10}  {name}")
    say(f"conforms: {sum(cases.values())} cases of {len(cases)} operations, made again bit for bit")


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
