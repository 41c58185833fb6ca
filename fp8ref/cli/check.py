"""``fp8ref check``: judge an implementation."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from ..cases.flags import FLAGS
from ..check import expected
from ..check.compare import Options
from ..check.harness.transport import NotStarted
from ..check.outcome import SEVERITIES, Outcome, outcome
from ..check.run import Request, Run
from ..check.verdict import Report, Severity
from ..engines import EngineError, Journal, NoRoom
from ..escapes import plain, plain_data
from ..fast.chunks import set_threads
from ..report.runs import cases, record, text
from ..report.runs.renderers import RENDERERS
from . import complete, resuming, several
from . import engine as engines
from .console import PIPE, color_option, console
from .declared import TEXTS, declared
from .errors import BadInput, OneLine
from .files import expectations, report_files, require_cases, require_form, require_free, write
from .inputs import Seconds
from .meter import metered
from .say import say
from .starting import open_run


@click.command(cls=OneLine)
@click.argument("select", nargs=-1, shell_complete=complete.operations)
@click.option(
    "--impl", "impls", multiple=True, shell_complete=complete.implementations, default=["ml_dtypes"], show_default=True,
    help="The implementation: [kind:]id[,key=value...]. Several: a table with one column each.",
)  # fmt: skip
@click.option(
    "--level", type=click.IntRange(1, 3), default=1, show_default=True,
    help="1: seconds, every threshold and edge. 2: a minute or two, many more random cases. 3: all 2^32 float32.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the random cases.")
@click.option(
    "--flag", type=click.Choice(list(FLAGS)), default=None, metavar="FLAG",
    help=f"Take only cases with this flag: {', '.join(FLAGS)}.",
)  # fmt: skip
@click.option(
    "--declaration", type=click.Path(path_type=Path), metavar="PATH",
    help="Judge only what a P3109 declaration claims: a folder of its YAML files, or one of them.",
)  # fmt: skip
@click.option(
    "--p3109-text", type=click.Choice(list(TEXTS)), default="report", show_default=True,
    help="Which P3109 text decides where the two differ: the interim report or the formal text.",
)  # fmt: skip
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave these operations out.")
@click.option(
    "--nan", type=click.Choice(["class", "bits"]), default="class", show_default=True,
    help="Compare NaN results as one class, or bit by bit.",
)  # fmt: skip
@click.option(
    "--timeout",
    type=Seconds(),
    default=60.0,
    show_default=True,
    help="Seconds for one call on an idle processor; a slow or loaded one gets more.",
)
@engines.engine_options
@click.option("--fail-fast", is_flag=True, help="Stop at the first operation that does not conform.")
@click.option("--dry-run", is_flag=True, help="List the selected operations and stop.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the run record here.")
@click.option(
    "--resume", type=click.Path(dir_okay=False, path_type=Path), metavar="RUN",
    help="Continue the unfinished run that was to write this record.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an existing record.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as one JSON document.")
@click.option("--expect", type=click.Path(dir_okay=False, path_type=Path), help="Known failures: a TOML or JSON file.")
@click.option("--strict", is_flag=True, help="Exit 1 where an expected failure passed or is stale.")
@click.option(
    "--fail-on", type=click.Choice([one.value for one in SEVERITIES]),
    help="Exit 1 for expected failures of this severity or above, too.",
)  # fmt: skip
@click.option(
    "--write-expect",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the failures found as known failures.",
)
@click.option(
    "--cases", "cases_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write every wrong answer to a .csv or .parquet file.",
)  # fmt: skip
@report_files
@click.option("-v", "--verbose", is_flag=True, help="List the operations that pass, too.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the last line.")
@color_option
def check(
    select: tuple[str, ...],
    impls: tuple[str, ...],
    level: int,
    seed: int,
    flag: str | None,
    declaration: Path | None,
    p3109_text: str,
    skip: tuple[str, ...],
    nan: str,
    timeout: float,
    jobs: int | None,
    engine: str,
    scheduler: str,
    fail_fast: bool,
    dry_run: bool,
    output: Path | None,
    resume: Path | None,
    force: bool,
    as_json: bool,
    expect: Path | None,
    strict: bool,
    fail_on: str | None,
    write_expect: Path | None,
    cases_file: Path | None,
    verbose: bool,
    quiet: bool,
    **files: Path | None,
) -> None:
    """Judge an implementation against the reference.

    SELECT is an operation id, a prefix or a glob, such as convert/f32/e4m3fn or 'decode/*'; all that the implementation
    claims is judged without one.

    \b
    fp8ref check --impl torch
    fp8ref check --impl torch --impl ml_dtypes 'convert/f32/*'
    fp8ref check 'convert/f32/*' --impl py:my_module:MyKernel -o run.jsonl
    fp8ref check --impl torch --expect known.toml --strict --junit report.xml
    fp8ref check --impl py:my_module:MyUnit --declaration folder/
    fp8ref check --level 3 'convert/f32/*' -o run.jsonl
    fp8ref check --resume run.jsonl
    """
    set_threads(1)  # the implementation gets the other core
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside: in good order, too
    workers, engine = engines.chosen(jobs, engine, scheduler)
    impl = impls[0]
    asked: dict[str, Any] = {
        "connectable": impl, "select": select, "skip": skip, "timeout": timeout, "fail_fast": fail_fast,
        "options": {"level": level, "seed": seed, "nan": nan, "flag": flag or "", "cases": cases_file is not None},
        "expect": None if expect is None else str(expect), "strict": strict, "fail_on": fail_on or "",
        "declared": [] if declaration is None or resume is not None else declared(declaration, p3109_text),
    }  # fmt: skip
    if len(impls) > 1:
        several.refuse_beside(output, resume, expect, write_expect, cases_file)

        def judge(run: Run, header: dict[str, Any]) -> tuple[list[Report], bool]:
            return _judge(run, header, None, None, None, False)[:2]

        requests = [_request({**asked, "connectable": one}, workers, engine, scheduler) for one in impls]
        several.check(requests, judge, (as_json, verbose, quiet, dry_run), files, force)
    journal, own = None, False
    if resume is not None:
        engines.refuse_beside_resume()
        journal = engines.resume(resume, "check")
        asked, output = resuming.begun(journal, "check"), resume
        resuming.require_named("check", "resume", resume, asked["connectable"], impl)
        resuming.require_expected(resume, asked, None if expect is None else str(expect))
        own = record.begins(resume, journal.head["header"])
    meta = None if output is None else record.meta_path(output)
    if cases_file is not None:
        require_cases(cases_file)
    others = (write_expect, cases_file, *files.values())
    require_free(output, meta, *others, force=force or own)
    require_free(*others, force=force)
    for name, path in files.items():
        if path is not None:
            require_form(name)
    known = expectations(None if asked["expect"] is None else Path(asked["expect"]), asked["strict"])
    if known is not None:
        known.now = _asking(asked)
    request = _request(asked, workers, engine, scheduler)
    with open_run(request) as run:
        if dry_run:
            for claim in run.claims:
                say(claim.id)
            return
        header = record.header(run, None if known is None else len(known.entries))
        if journal is not None:
            _require_the_same(header, journal.head["header"])
        elif output is not None:
            journal = engines.begin(output, {"kind": "check", "asked": asked, "header": header}, force)
        reports, finished, stale = _judge(run, header, output, journal, known, force or own)
    fail_fast, strict = request.fail_fast, asked["strict"]
    fail_on = Severity(asked["fail_on"]) if asked.get("fail_on") else None
    end = record.footer(reports, finished, [f"{entry.text}: {why}" for entry, why in stale])
    document = record.document(header, reports, end)
    if as_json:
        click.echo(RENDERERS["json"].render([document]), nl=False)
    else:
        out = console(PIPE)
        shown = plain_data(document)
        notes = [f"stale: {entry.place}: {entry.text}: {why}" for entry, why in stale]
        if known is not None and not known.same_cases:
            notes.append(f"expected failures: counted at {known.asked}; by rule and circumstance alone at {known.now}")
        ends = _outcome(reports, finished or fail_fast, strict, stale, fail_on)
        plainly = record.reports_of(shown)
        if quiet:
            text.conclude(out, plainly, finished, ends)
        else:
            text.render(out, shown["header"], plainly, finished, verbose, plain_data(notes), ends)
    write({path: RENDERERS[name].render([document]) for name, path in files.items() if path is not None}, force)
    if cases_file is not None:
        write({cases_file: cases.rendered(reports, cases_file.suffix)}, force)
        if more := cases.left_out(reports):
            say(f"note: {plain(str(cases_file))} has not all: {more} wrong answers more", err=True)
    if write_expect is not None:
        make = expected.as_json if write_expect.suffix == ".json" else expected.written
        who = " ".join(header["implementation"].get(key, "") for key in ("name", "version")).strip()
        write({write_expect: make(expected.entries_of(reports, known), who, _asking(asked))}, force)
    sys.exit(_outcome(reports, finished or fail_fast, strict, stale, fail_on))


def _asking(asked: dict[str, Any]) -> expected.Asking:
    return expected.Asking(**{name: asked["options"][name] for name in ("level", "seed", "flag")})


Stale = list[tuple[expected.Entry, str]]


def _judge(
    run: Run,
    header: dict[str, Any],
    output: Path | None,
    journal: Journal | None,
    known: expected.Expectations | None,
    force: bool,
) -> tuple[list[Report], bool, Stale]:
    """Judge every claim and write the record; an interruption ends it in good order and keeps the journal."""
    started = time.time()
    reports: list[Report] = []
    stale: Stale = []
    finished = over = False
    try:
        with metered("judging", "operation" if run.request.options.level < 3 else "piece", len(run.claims)) as tick:
            for report in run.reports(tick, journal):
                reports.append(report if known is None else known.judge(report))
        over = True
        finished = len(reports) == len(run.claims)
        if known is not None and finished:
            stale = known.stale(run.hello.claims)
    except KeyboardInterrupt:
        pass
    except (EngineError, NotStarted) as error:
        alone = "; --jobs 1 asks it in one process" if isinstance(error, NotStarted) and run.request.jobs > 1 else ""
        say(f"not finished: {plain(str(error))}{alone}", err=True)
    except NoRoom as error:
        assert output is not None
        engines.no_room(output, error)
    if output is not None:
        end = record.footer(reports, finished, [f"{entry.text}: {why}" for entry, why in stale])
        meta = json.dumps(record.meta(started, run.request), indent=1, sort_keys=True) + "\n"
        write({output: record.text(header, reports, end), record.meta_path(output): meta}, force)
    if journal is not None:
        journal.remove() if over else journal.close()
        if not over:
            assert output is not None
            expect = journal.head["asked"]["expect"]
            say(f"{resuming.command('check', 'resume', output, run.request.connectable, expect)} goes on", err=True)
    return reports, finished, stale


def _outcome(reports: list[Report], finished: bool, strict: bool, stale: Stale, fail_on: Severity | None) -> Outcome:
    return outcome(reports, finished, stale=bool(stale), strict=strict, fail_on=fail_on)


def _request(asked: dict[str, Any], workers: int, engine: str, scheduler: str) -> Request:
    own = ("connectable", "timeout", "fail_fast")
    return Request(
        **{name: asked[name] for name in own},
        select=tuple(asked["select"]),
        declared=tuple(asked.get("declared") or ()),
        skip=tuple(asked["skip"]),
        options=Options(**asked["options"]),
        jobs=workers,
        engine=engine,
        scheduler=scheduler,
    )


def _require_the_same(header: dict[str, Any], begun: dict[str, Any]) -> None:
    """The same implementation, operations and fp8ref as when the run began; BadInput otherwise."""
    for key in header:
        if header[key] != begun.get(key):
            now, then = (json.dumps(one)[:200] for one in (header[key], begun.get(key)))
            raise BadInput(f"the run began with another {key}: {then}, now {now}; start it again with -o and --force")
