"""A run: which claims, in which order, on how many processes, and what is told while it goes."""

from __future__ import annotations

import fnmatch
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ..cases.answers import default_mode
from ..cases.dot_cases import dot_cases
from ..cases.dots import is_product, with_length
from ..cases.operation import ANY_MODE, Operation, from_testfloat
from ..cases.selection import cases, sweep_size
from .judge import Options, judge
from .plan import calls, repeats, room
from .transport import CAPACITY, Hello, NotStarted, Session
from .verdict import Report, Verdict


class NothingSelected(Exception):
    """No claimed operation matches the selection."""


@dataclass(frozen=True)
class Request:
    """What a person asked for."""

    connectable: str
    select: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    jobs: int = 1
    timeout: float = 60.0
    fail_fast: bool = False


class Run:
    """One run over the claims of an implementation; a context manager that ends its processes."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.sessions = [Session(request.connectable, request.timeout)]
        self.hello: Hello = self.sessions[0].hello
        try:
            self.claims = select(self.parsed_claims(), request.select, request.skip)
        except BaseException:
            self.close()
            raise

    def parsed_claims(self) -> list[Operation]:
        found = []
        for claim in self.hello.claims:
            try:
                found.append(Operation.parse(claim))
            except ValueError as error:
                raise NotStarted(f"capabilities() of {self.request.connectable}: {error}") from None
        return found

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        for session in self.sessions:
            session.close()

    def size(self, claim: Operation) -> int:
        """How many answers judging a claim will ask for."""
        options = self.request.options
        if is_product(claim):
            return dot_cases(with_length(claim), options.level, options.seed).size
        count = len(cases(default_mode(claim), options.level, options.seed)[0])
        planned = calls(count, repeats(claim, options.level), options.seed, room(claim, CAPACITY))
        return sum(c.cases.size for c in planned) + sweep_size(claim, options.level)

    def reports(self, advance: Callable[[int], None] = lambda n: None) -> Iterator[Report]:
        """The reports in the order of the claims, each as soon as those before it are there."""
        jobs = max(1, self.request.jobs)
        while len(self.sessions) < jobs:
            self.sessions.append(Session(self.request.connectable, self.request.timeout))
        if self.request.options.level >= 3 or jobs == 1:
            # a sweep is shared by all processes; one operation after the other
            for claim in self.claims:
                report = self._report(self.sessions, claim, advance)
                yield report
                if self._stops(report):
                    return
            return
        yield from self._side_by_side(advance)

    def _side_by_side(self, advance: Callable[[int], None]) -> Iterator[Report]:
        idle: queue.SimpleQueue[Session] = queue.SimpleQueue()
        for session in self.sessions:
            idle.put(session)

        def work(claim: Operation) -> Report:
            session = idle.get()
            try:
                return self._report([session], claim, advance)
            finally:
                idle.put(session)

        pool = ThreadPoolExecutor(len(self.sessions))
        try:
            waiting: list[Future[Report]] = [pool.submit(work, claim) for claim in self.claims]
            for future in waiting:
                report = future.result()
                yield report
                if self._stops(report):
                    return
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _report(self, sessions: Sequence[Session], claim: Operation, advance: Callable[[int], None]) -> Report:
        report = judge(sessions, claim, self.request.options, advance)
        report.source = self.hello.sources.get(claim.id, "")
        return report

    def _stops(self, report: Report) -> bool:
        return self.request.fail_fast and report.verdict in (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT)


def select(claims: Sequence[Operation], wanted: Sequence[str], skip: Sequence[str] = ()) -> list[Operation]:
    """The claims that a selection of ids, prefixes or globs names; all of them for an empty selection.

    An id with a definite mode also picks a claim of a free mode, which is then judged under that mode.  Raises
    NothingSelected, with the claims there are, where a pattern matches none.
    """
    chosen: dict[str, Operation] = {}
    for pattern in wanted or ("*",):
        matching = [found for claim in claims if (found := _match(claim, pattern)) is not None]
        if not matching:
            families = sorted({f"{c.family}/{'.'.join(c.operands)}/{c.result}" for c in claims})
            shown = ", ".join(families[:8]) + (", ..." if len(families) > 8 else "")
            raise NothingSelected(f"nothing claimed matches {pattern!r}; claimed are {shown or 'no operations at all'}")
        chosen.update((claim.id, claim) for claim in matching)
    kept = [claim for claim in chosen.values() if not any(_match(claim, pattern) for pattern in skip)]
    if not kept:
        raise NothingSelected("everything selected is skipped")
    return kept


def _match(claim: Operation, pattern: str) -> Operation | None:
    pattern = from_testfloat(pattern) or pattern
    # a prefix ends where a part of the id ends: e4m3fn is not a prefix of e4m3fnuz
    if any(fnmatch.fnmatchcase(claim.id, pattern.rstrip("/") + rest) for rest in ("", "/*", ";*")):
        return claim
    if claim.mode == ANY_MODE and not any(c in pattern for c in "*?["):
        try:
            wish = Operation.parse(pattern)
        except ValueError:
            return None
        if (wish.family, wish.operands, wish.result) == (claim.family, claim.operands, claim.result):
            return claim.with_mode(wish.mode or "")
    return None
