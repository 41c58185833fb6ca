"""``fp8ref vectors verify``: answers in files and pipes against the reference, with the causes of those that differ."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..check.outcome import Outcome
from ..check.verified.heard import Heard
from ..escapes import plain
from ..report.runs import cases
from ..report.runs.renderers import RENDERERS
from ..report.terminal import counted
from ..report.verified import Verified
from ..vectors import manifest
from ..vectors.files import found_in
from ..vectors.forms.registry import Form
from ..vectors.section import Section
from ..vectors.source import Source, Unreadable, open_source, standard_input
from ..vectors.verify import ALL, SHOWN, Tally
from ..vectors.verify import verify as compare
from .errors import BadInput, OneLine
from .files import expectations, require_cases, require_free, write
from .say import prose, say
from .vector_files import Progress, form_named, operation_of

DOES_NOT_CONFORM, NOTHING_RAN = 1, 5
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("verify", cls=OneLine)
@click.argument("path", metavar="PATH|-")
@click.option("--op", default=None, help="The operation of cases without a header: an id or a TestFloat name.")
@click.option("--rounding", default=None, help="Replaces the id's rounding.")
@click.option("--overflow", default=None, help="Replaces the id's overflow rule.")
@click.option(
    "--tininess",
    type=click.Choice(["after", "before", "delivered"]),
    default=None,
    help="When underflow (UF) is raised.",
)
@click.option("--profile", default=None, help="Rounding and overflow of a named profile.")
@click.option(
    "--as", "form", default=None, help="The form of the file. Default: by its suffix, else by its first bytes."
)
@click.option(
    "--nan",
    type=click.Choice(["class", "bits"]),
    default="class",
    show_default=True,
    help="Compare NaN results as one class, or bit by bit.",
)
@click.option("--count", type=click.IntRange(1), default=None, help="Fail unless there are exactly so many cases.")
@click.option("--all", "everything", is_flag=True, help="List every answer that differs, not the first ten.")
@click.option("--expect", type=FILE, help="Known failures: a TOML or JSON file, as fp8ref check takes it.")
@click.option("--strict", is_flag=True, help="Exit 1 where an expected failure passed or is stale.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--junit", type=FILE, metavar="FILE", help="Write JUnit XML, one test case per operation.")
@click.option("--cases", "cases_file", type=FILE, metavar="FILE", help="Write every wrong answer: .csv or .parquet.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what is wrong.")
def verify(
    path: str, op: str | None, rounding: str | None, overflow: str | None, tininess: str | None, profile: str | None,
    form: str | None, nan: str, count: int | None, everything: bool, expect: Path | None, strict: bool, as_json: bool,
    junit: Path | None, cases_file: Path | None, force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Verify vectors against the reference: a file, what comes through a pipe (-), or a directory with MANIFEST.json.

    Cases that come through a pipe are compared with the recipe in their header, so a missing case is noticed.  Where
    there is no header, give --count, and set -o pipefail in the shell.

    Differences are explained as fp8ref check explains them, with the id under which the answers would pass.

    Exit codes: 0 all answers are right or expected to differ, 1 some are not, 4 unreadable, 5 nothing was verified.
    """
    asked = Section.of(operation_of(op, rounding, overflow, tininess, profile)) if op else None
    if (rounding or overflow or tininess or profile) and not op:
        raise BadInput("--rounding, --overflow, --tininess and --profile change what --op says")
    if path != "-" and os.path.isdir(path):
        if everything or expect or as_json or junit or cases_file:
            raise BadInput(f"{path} is made again bit for bit; name one of its files for a report")
        _verify_directory(Path(path), quiet)
        return
    try:
        source = standard_input(asked) if path == "-" else open_source(path, asked)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None
    chosen = form_named(form, None) if form else None
    known = expectations(expect, strict)
    if cases_file is not None:
        require_cases(cases_file)
    require_free(junit, cases_file, force=force)
    tally, progress, heard = Tally(), Progress("verified"), Heard()
    try:
        compare(_counted(source, chosen, progress), source.at, tally, nan, heard, ALL if everything else SHOWN)
    except Unreadable as error:
        _show_wrong(tally)
        raise BadInput(str(error)) from None
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from None
    progress.done()
    verified = Verified.of(tally, heard, nan, known)
    document = verified.document(path)
    if junit is not None:
        write({junit: RENDERERS["junit"].render([document])}, force)
    if cases_file is not None:
        write({cases_file: cases.rendered(verified.reports, cases_file.suffix)}, force)
    lost = count is not None and tally.cases not in (0, count)
    if as_json:
        say(json.dumps(verified.as_json(path, lost), indent=1))
        sys.exit(NOTHING_RAN if not tally.cases else DOES_NOT_CONFORM if lost else verified.outcome(strict))
    _report(verified, path, quiet, count, strict)


def _counted(source: Source, form: Form | None, progress: Progress) -> Iterator[Any]:
    for piece in found_in(source, form):
        yield piece
        progress(piece.block.size)


def _show_wrong(tally: Tally) -> None:
    for mismatch in tally.first:
        prose(str(mismatch))


def _report(verified: Verified, path: str, quiet: bool, count: int | None, strict: bool) -> None:
    tally = verified.tally
    _show_wrong(tally)
    if not tally.cases:
        say(f"nothing was verified: {path} holds no cases", err=True)
        sys.exit(NOTHING_RAN)
    for line in verified.lines():
        prose(plain(line))  # reasons are somebody's words
    ends = verified.outcome(strict)
    if tally.wrong:
        more = f" ({tally.wrong - len(tally.first)} not shown)" if tally.wrong > len(tally.first) else ""
        said = "fails as expected" if ends is Outcome.CONFORMS else "does not conform"
        say(f"{said}: {tally.wrong} of {tally.cases} cases differ{more}")
    lost = count is not None and tally.cases != count
    if lost:
        say(f"does not conform: {tally.cases} cases came, not {count}: lines were lost or repeated")
    if lost or tally.wrong or ends is not Outcome.CONFORMS:
        sys.exit(DOES_NOT_CONFORM if lost else ends)
    if not quiet:
        for name, number in sorted(tally.operations.items()):
            say(f"  {number:>10}  {name}")
        unknown = tally.unknown and count is None
        of = "; how many were sent, the stream does not say: give --count" if unknown else ""
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
