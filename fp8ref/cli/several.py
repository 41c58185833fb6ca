"""``fp8ref check`` with several ``--impl``: each is judged in turn, and all are shown side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from ..adapters.connect import Connectable
from ..check.outcome import Outcome, outcome
from ..check.run import Request, Run
from ..check.verdict import Report
from ..escapes import plain_data
from ..report.runs import record, side_by_side
from ..report.runs.renderers import RENDERERS
from ..report.runs.side_by_side import Judged
from ..report.terminal import shown
from .console import PIPE, console
from .errors import BadInput
from .files import require_form, require_free, write
from .say import say
from .starting import NOT_STARTED, open_run

Judge = Callable[[Run, dict[str, Any]], tuple[list[Report], bool]]


def refuse_beside(
    output: Path | None, resume: Path | None, expect: Path | None, write_expect: Path | None, cases: Path | None
) -> None:
    """BadInput where an option is of one implementation."""
    given = {"-o": output, "--resume": resume, "--expect": expect, "--write-expect": write_expect, "--cases": cases}
    if named := [name for name, path in given.items() if path is not None]:
        raise BadInput(f"{', '.join(named)} is of one implementation: give one --impl with it, and compare records")


def check(
    requests: Sequence[Request],
    judge: Judge,
    choices: tuple[bool, bool, bool, bool],
    files: Mapping[str, Path | None],
    force: bool,
) -> NoReturn:
    """Judge all, show them, write the report files, and end with the worst of their exit codes.

    ``choices``: as JSON, verbose, quiet, only list the operations.
    """
    as_json, verbose, quiet, dry_run = choices
    for request in requests:
        try:
            Connectable.parse(request.connectable)
        except ValueError as error:
            raise BadInput(str(error)) from None
    require_free(*files.values(), force=force)
    for name, path in files.items():
        if path is not None:
            require_form(name)
    runs, documents = [], []
    for request in requests:
        run = _start(request)
        if isinstance(run, Outcome):
            runs.append(Judged(request.connectable, None, (), run))
            continue
        with run:
            if dry_run:
                for claim in run.claims:
                    say(f"{request.connectable}  {claim.id}")
                continue
            header = record.header(run)
            reports, finished = judge(run, header)
        ends = outcome(reports, finished or request.fail_fast)
        documents.append(record.document(header, reports, record.footer(reports, finished)))
        plain = plain_data(documents[-1])
        runs.append(Judged(plain["header"]["impl"], plain["header"], record.reports_of(plain), ends))
        if ends is Outcome.INTERRUPTED:
            break
    if dry_run:
        sys.exit(max((run.ends for run in runs), default=Outcome.CONFORMS))
    if as_json:
        click.echo(RENDERERS["json"].render(documents) if documents else "[]\n", nl=False)
    elif quiet:
        shown(console(PIPE), [side_by_side.last(runs)])
    else:
        side_by_side.render(console(PIPE), runs, verbose)
    write({path: RENDERERS[name].render(documents) for name, path in files.items() if path is not None}, force)
    sys.exit(side_by_side.outcome_of(runs))


def _start(request: Request) -> Run | Outcome:
    """A run, or what it comes to where there is none; why has been said by then."""
    try:
        return open_run(request)
    except SystemExit as end:
        return Outcome.ENDED if end.code == NOT_STARTED else Outcome.OPEN
