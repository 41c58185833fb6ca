"""Starting an implementation for a command: what does not start ends the command with one line and its exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

from ..cases.operation import Operation
from ..check.harness.transport import NotStarted, Session
from ..check.run import NothingSelected, Request, Run, select, unmatched
from ..engines import EngineError
from ..escapes import plain
from .errors import BadInput
from .inputs import note
from .say import prose, say

NOTHING_RAN, NOT_STARTED = 5, 6


def open_session(impl: str, timeout: float = 60.0) -> Session:
    """A session with an implementation.  BadInput for a name or option that is none; exit 6 where it does not start."""
    try:
        return Session(impl, timeout)
    except NotStarted as error:
        _not_started(impl, error)


def open_run(request: Request) -> Run:
    """A run over the selected claims, with notes on names.  As :func:`open_session`; exit 5 where none is selected."""
    try:
        run = Run(request)
        note(*request.select, *run.hello.claims)
        for pattern in unmatched(run.parsed_claims(), request.skip):
            say(f"note: --skip {plain(pattern)} matches nothing that {plain(request.connectable)} claims", err=True)
        return run
    except NotStarted as error:
        _not_started(request.connectable, error)
    except NothingSelected as error:
        nothing_ran(error)
    except EngineError as error:
        raise BadInput(str(error)) from None


def selected(session: Session, wanted: tuple[str, ...], skip: tuple[str, ...] = ()) -> list[Operation]:
    """The claims of an implementation that are selected.  Exit 5 where nothing is."""
    try:
        return select([Operation.parse_claim(claim) for claim in session.hello.claims], wanted, skip)
    except NothingSelected as error:
        nothing_ran(error)
    except ValueError as error:
        raise BadInput(f"capabilities(): {error}") from None


def nothing_ran(error: NothingSelected) -> NoReturn:
    """End the command: exit 5."""
    prose(f"nothing ran: {plain(str(error))}", err=True)
    sys.exit(NOTHING_RAN)


def _not_started(impl: str, error: NotStarted) -> NoReturn:
    if error.usage:
        raise BadInput(str(error)) from None
    say(f"{plain(impl)} would not start: {plain(str(error))}", err=True)
    sys.exit(NOT_STARTED)
