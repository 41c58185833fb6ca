"""``fp8ref check``: judge an implementation."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..cases.flags import FLAGS
from ..check import expected
from ..check.judge import Options
from ..check.run import Request, Run
from ..check.verdict import Report, Verdict
from ..fast.chunks import set_threads
from ..report import record, text
from ..report.renderers import RENDERERS
from .errors import BadInput, OneLine
from .files import report_files, require_form, require_free, write
from .starting import open_run

DOES_NOT_CONFORM, INTERRUPTED, USAGE, NOTHING_RAN, NOT_STARTED = 1, 2, 4, 5, 6


@click.command(cls=OneLine)
@click.argument("select", nargs=-1)
@click.option("--impl", default="ml_dtypes", show_default=True, help="The implementation: [kind:]id[,key=value...].")
@click.option(
    "--level", type=click.IntRange(1, 3), default=1, show_default=True,
    help="1: seconds, every threshold and edge. 2: a minute or two, many random cases more. 3: all 2^32 float32.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random cases.")
@click.option("--flag", type=click.Choice(list(FLAGS)), default=None, help="Ask only cases that carry this flag.")
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave these operations out.")
@click.option(
    "--nan", type=click.Choice(["class", "bits"]), default="class", show_default=True,
    help="Compare NaN results as one class, or bit by bit.",
)  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds for one call.")
@click.option("--jobs", type=click.IntRange(1, 64), default=None, help="Processes; default: one for each core.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first operation that does not conform.")
@click.option("--dry-run", is_flag=True, help="List the selected operations and stop.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the run record here.")
@click.option("--force", is_flag=True, help="Replace an existing record.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as one JSON document.")
@click.option("--expect", type=click.Path(dir_okay=False, path_type=Path), help="Known failures: a TOML or JSON file.")
@click.option("--strict", is_flag=True, help="Exit 1 where an expected failure passed or is stale.")
@click.option(
    "--write-expect", type=click.Path(dir_okay=False, path_type=Path), help="Write the failures found as known ones."
)
@report_files
@click.option("-v", "--verbose", is_flag=True, help="List the operations that pass, too.")
def check(
    select: tuple[str, ...],
    impl: str,
    level: int,
    seed: int,
    flag: str | None,
    skip: tuple[str, ...],
    nan: str,
    timeout: float,
    jobs: int | None,
    fail_fast: bool,
    dry_run: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
    expect: Path | None,
    strict: bool,
    write_expect: Path | None,
    verbose: bool,
    **files: Path | None,
) -> None:
    """Judge an implementation against the reference.

    SELECT is an operation id, a prefix or a glob, such as convert/f32/e4m3fn or 'decode/*'; all that the implementation
    claims is judged without one.

    \b
    fp8ref check --impl torch
    fp8ref check 'convert/f32/*' --impl py:my_module:MyKernel --level 2 -o run.jsonl
    fp8ref check --impl torch --expect known.toml --strict --junit report.xml
    """
    set_threads(1)  # the implementation gets the other core
    workers = jobs or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    request = Request(impl, select, skip, Options(level, seed, nan, flag or ""), workers, timeout, fail_fast)
    for path in (output, write_expect, *files.values()):
        require_free(path, force)
    for name, path in files.items():
        if path is not None:
            require_form(name)
    known = _expectations(expect, strict)
    with open_run(request) as run:
        if dry_run:
            for claim in run.claims:
                click.echo(claim.id)
            return
        header = record.header(run, None if known is None else len(known.entries))
        reports, finished, stale = _judge(run, header, output, force, known)
    end = record.footer(reports, finished, [f"{entry.text}: {why}" for entry, why in stale])
    document = record.document(header, reports, end)
    if as_json:
        click.echo(RENDERERS["json"].render([document]), nl=False)
    else:
        out = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
        told = [f"stale: {entry.place}: {entry.text}: {why}" for entry, why in stale]
        text.tell(out, header, reports, finished, verbose, told)
    for name, path in files.items():
        if path is not None:
            write(path, RENDERERS[name].render([document]))
    if write_expect is not None:
        make = expected.as_json if write_expect.suffix == ".json" else expected.written
        who = " ".join(header["implementation"].get(key, "") for key in ("name", "version")).strip()
        write(write_expect, make(expected.entries_of(reports, known), who))
    sys.exit(_exit_code(reports, finished or fail_fast, strict and bool(stale), strict))


def _expectations(path: Path | None, strict: bool) -> expected.Expectations | None:
    if path is None:
        if strict:
            raise BadInput("--strict judges expected failures: give them with --expect FILE")
        return None
    try:
        return expected.load(path)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror or error}") from None


Stale = list[tuple[expected.Entry, str]]


def _judge(
    run: Run, header: dict[str, Any], output: Path | None, force: bool, known: expected.Expectations | None
) -> tuple[list[Report], bool, Stale]:
    """Judge every claim, writing the record as it goes; an interruption ends it in good order."""
    started = time.time()
    reports: list[Report] = []
    stale: Stale = []
    finished = False
    with ExitStack() as stack:
        writer = record.RecordWriter(output, force) if output is not None else None
        if writer is not None:
            writer.line(header)
        advance = _progress(stack, run)
        try:
            for report in run.reports(advance):
                reports.append(report if known is None else known.judge(report))
                if writer is not None:
                    writer.report(report)
            finished = len(reports) == len(run.claims)
            if known is not None and finished:
                stale = known.stale(run.hello.claims)
        except KeyboardInterrupt:
            pass
        finally:
            if writer is not None:
                writer.line(record.footer(reports, finished, [f"{entry.text}: {why}" for entry, why in stale]))
                writer.close(record.meta(started, run.request.jobs))
    return reports, finished, stale


def _progress(stack: ExitStack, run: Run) -> Callable[[int], None]:
    """A progress bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        return lambda n: None
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    stack.enter_context(bar)
    task = bar.add_task("judging", total=sum(run.size(claim) for claim in run.claims))
    return lambda n: bar.advance(task, n)


def _exit_code(reports: list[Report], finished: bool, stale: bool, strict: bool) -> int:
    verdicts = {report.verdict for report in reports}
    if not finished:
        return INTERRUPTED
    if verdicts & {Verdict.CRASH, Verdict.TIMEOUT}:
        return NOT_STARTED
    if Verdict.FAIL in verdicts or stale or (strict and Verdict.XPASS in verdicts):
        return DOES_NOT_CONFORM
    return 0 if verdicts - {Verdict.UNSUPPORTED} else NOTHING_RAN
