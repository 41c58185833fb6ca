"""A run: which claims, in which pieces, on which engine; the same reports however it is done."""

from __future__ import annotations

import difflib
import fnmatch
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..cases.operation import ANY_MODE, Operation, canonical
from ..cases.products.questions import is_product, with_length
from ..engines import Journal, Result, Task, open_engine
from ..engines import run as done
from . import shards
from .compare import Options
from .harness.transport import Hello, NotStarted
from .judge import conclude
from .sweep import Kept, Swept, add, sweep_shards
from .verdict import Report, Verdict

Tick = Callable[[int, int], None]  # so many pieces are done, of so many


class NothingSelected(Exception):
    """No claimed operation matches the selection."""


@dataclass(frozen=True)
class Request:
    """What a person asked for.  ``engine``, ``jobs`` and ``scheduler`` change nothing of what is found."""

    connectable: str
    select: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)
    jobs: int = 1
    timeout: float = 60.0
    fail_fast: bool = False
    engine: str = "processes"
    scheduler: str = ""
    declared: tuple[str, ...] = ()  # operations that a declaration claims, asked instead of the implementation's own


class Run:
    """One run over the claims of an implementation; a context manager that ends its processes.

    Raises NotStarted, NothingSelected, and EngineError where the engine does not start.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.engine = open_engine(request.engine, request.jobs, request.scheduler)
        try:
            hello = shards.task("hello", impl=request.connectable, timeout=request.timeout)
            ((_, result),) = done(self.engine, [hello])
            self.hello: Hello = shards.said(result)
            asked = [Operation.parse(claim) for claim in request.declared] or self.parsed_claims()
            self.claims = select(asked, request.select, request.skip)
        except BaseException:
            self.close()
            raise

    def parsed_claims(self) -> list[Operation]:
        found = []
        for claim in self.hello.claims:
            try:
                found.append(Operation.parse_claim(claim))
            except ValueError as error:
                raise NotStarted(f"capabilities() of {self.request.connectable}: {error}") from None
        return found

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.engine.close()
        shards.close_sessions(self.request.connectable, self.request.timeout)

    def reports(self, tick: Tick = lambda done, of: None, journal: Journal | None = None) -> Iterator[Report]:
        """The reports in the order of the claims, each as soon as those before it are there.

        ``journal``: what is done already, and where more is noted.  Raises EngineError, and NoRoom of the journal.
        """
        for report in self._swept(tick, journal) if self.request.options.level >= 3 else self._judged(tick, journal):
            yield conclude(report)
            if self.request.fail_fast and report.verdict in (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT):
                return

    def _judged(self, tick: Tick, journal: Journal | None, more: int = 0) -> Iterator[Report]:
        """Every claim's cases.  ``more``: pieces that follow."""
        tasks = [self._task("judge", claim=claim.id) for claim in self.claims]
        place = {task.address: i for i, task in enumerate(tasks)}
        early: dict[int, Report] = {}
        reported = 0
        again: list[int] = []
        for count, (task, result) in enumerate(done(self.engine, tasks, journal, shards.report_of), 1):
            if self._answers_late(result):
                again.append(place[task.address])
                continue
            early[place[task.address]] = self._report(result)
            tick(count - len(again), len(tasks) + more)
            while reported in early:
                yield early.pop(reported)
                reported += 1
        for i in again:  # one after the other, while nothing else runs
            alone = self._task("judge", claim=self.claims[i].id, alone=True)
            ((_, result),) = done(self.engine, [alone], journal, shards.report_of)
            early[i] = self._report(result)
        for i in sorted(early):
            yield early[i]
        if again:
            tick(len(tasks), len(tasks) + more)

    def _answers_late(self, result: Result) -> bool:
        """Did it not answer in time while others were asked beside it?  That is no verdict yet."""
        report = shards.report_of(result)
        late = report.verdict is Verdict.TIMEOUT or any(mishap.kind == "timeout" for mishap in report.mishaps)
        return self.request.jobs > 1 and late and not report.failed

    def _report(self, result: Result) -> Report:
        report = shards.report_of(result)
        report.source = self.hello.sources.get(report.claim, "")
        return report

    def _swept(self, tick: Tick, journal: Journal | None) -> Iterator[Report]:
        """The same, then the sweep of each; a fault that only a sweep met is diagnosed at the end."""
        expected = [
            len(sweep_shards(Report(claim.id, claim.id, Verdict.PASS), self.request.options, self.request.connectable))
            for claim in self.claims
        ]
        reports = list(self._judged(tick, journal, sum(expected)))
        tasks: list[Task] = []
        owner: dict[str, tuple[int, int]] = {}  # address: which report, which of its shards
        left = []
        for i, report in enumerate(reports):
            found = sweep_shards(report, self.request.options, self.request.connectable)
            left.append(len(found))
            for first, count in found:
                task = self._task("sweep_shard", report=_bare(report), first=first, count=count)
                owner[task.address] = i, first
                tasks.append(task)
        swept: defaultdict[int, dict[int, Swept]] = defaultdict(dict)
        reported = 0

        def ready() -> Iterator[Report]:
            nonlocal reported
            while reported < len(reports) and not left[reported]:
                in_order = [shard for _, shard in sorted(swept.pop(reported, {}).items(), key=lambda item: item[0])]
                yield self._joined(reports[reported], in_order, journal)
                reported += 1

        yield from ready()
        for count, (task, result) in enumerate(done(self.engine, tasks, journal, shards.swept_of), 1):
            i, first = owner[task.address]
            swept[i][first] = shards.swept_of(result)
            left[i] -= 1
            tick(len(reports) + count, len(reports) + len(tasks))
            yield from ready()

    def _joined(self, report: Report, found: Sequence[Swept], journal: Journal | None) -> Report:
        for swept in found:
            add(report, swept)
        kept: list[Kept] = [swept.kept for swept in found if swept.kept is not None]
        if not kept:
            return report
        given = [shards.kept_json(some) for some in kept]
        task = self._task("diagnose", report=shards.report_json(report), kept=given)
        ((_, result),) = done(self.engine, [task], journal, shards.report_of)
        return shards.report_of(result)

    def _task(self, name: str, **argument: Any) -> Task:
        request = self.request
        who = shards.digest(dict(self.hello.identity))
        given = {"impl": request.connectable, "timeout": request.timeout, "options": asdict(request.options)}
        return shards.task(name, identity=who, **given, **argument)


def _bare(report: Report) -> dict[str, Any]:
    """What a shard of a sweep must know of a report: the operation, and whether its fault is known already."""
    known = Report(report.claim, report.op, Verdict.PASS, cases=report.cases, failed=report.failed)
    known.chosen = report.chosen
    return shards.report_json(known)


def select(claims: Sequence[Operation], wanted: Sequence[str], skip: Sequence[str] = ()) -> list[Operation]:
    """The claims that a selection of ids, prefixes or globs names; all of them for an empty selection.

    Names may be aliases.  An id without a mode keeps the claim's; one with a definite mode also picks a claim of a free
    mode, which is then judged under that mode.  Raises NothingSelected, with the claims there are, where a pattern
    matches none.
    """
    chosen: dict[str, Operation] = {}
    for pattern in wanted or ("*",):
        matching = [found for claim in claims if (found := _match(claim, pattern)) is not None]
        if not matching:
            families = sorted({f"{c.family}/{'.'.join(c.operands)}/{c.result}" for c in claims})
            shown = ", ".join(families[:8]) + (", ..." if len(families) > 8 else "")
            names = [*families, *(claim.id for claim in claims)]
            near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.8)
            hint = f"did you mean {near[0]}? " if near else ""
            raise NothingSelected(
                f"nothing claimed matches {pattern!r}; {hint}claimed are {shown or 'no operations at all'}"
            )
        chosen.update((claim.id, claim) for claim in matching)
    kept = [claim for claim in chosen.values() if not any(_match(claim, pattern) for pattern in skip)]
    if not kept:
        raise NothingSelected("everything selected is skipped")
    return kept


def unmatched(claims: Sequence[Operation], patterns: Sequence[str]) -> list[str]:
    """The patterns that name none of the claims."""
    return [pattern for pattern in patterns if not any(_match(claim, pattern) for claim in claims)]


def _match(claim: Operation, pattern: str) -> Operation | None:
    pattern = canonical(pattern)
    # a prefix ends where a part of the id ends: e4m3fn is not a prefix of e4m3fnuz
    if any(fnmatch.fnmatchcase(claim.id, pattern.rstrip("/") + rest) for rest in ("", "/*", ";*")):
        return claim
    if any(c in pattern for c in "*?["):
        return None
    try:
        wish = Operation.parse_claim(pattern)
    except ValueError:
        return None
    if (wish.family, wish.operands, wish.result) != (claim.family, claim.operands, claim.result):
        return None
    if is_product(claim) and with_length(wish) == with_length(claim):  # as findings write it, K and block said
        return claim
    if wish.mode == ANY_MODE:  # nothing is said of the mode, and of the keys something
        return claim if set(wish.keys) <= set(claim.keys) else None
    return claim.with_mode(wish.mode or "") if claim.mode == ANY_MODE else None
