"""The pieces of a run as tasks: who answers, the cases of an operation, a shard of its sweep, the end of its report.

Everything that goes in and comes out is JSON.  An implementation stays open in its process from task to task.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, astuple
from typing import Any

from ..cases.operation import Operation
from ..engines import Result, Task, pulse
from ..engines.pack import pack, unpack
from ..engines.task import compact
from .compare import Options
from .failing import Failing
from .harness.outcomes import Mishap
from .harness.transport import Hello, NotStarted, Session
from .judge import judge_cases
from .sweep import Kept, Swept, diagnose_sweep, sweep
from .verdict import Finding, Report, Verdict

_idle: defaultdict[tuple[str, float], list[Session]] = defaultdict(list)  # of this process
os.register_at_fork(after_in_child=_idle.clear)  # their implementations are children of another


@contextmanager
def session(impl: str, timeout: float) -> Iterator[Session]:
    """A session of this process with an implementation, kept for the next task.  Raises NotStarted."""
    idle = _idle[impl, timeout]
    found = idle.pop() if idle else Session(impl, timeout)
    try:
        yield found
    finally:
        found.rest()
        idle.append(found)


def close_sessions(impl: str, timeout: float) -> None:
    """End this process's sessions with an implementation."""
    for found in _idle.pop((impl, timeout), ()):
        found.close()


def digest(identity: dict[str, str]) -> str:
    """What stands in tasks for the identity of an implementation, so that no other version answers them."""
    return hashlib.sha256(compact(identity).encode()).hexdigest()


@contextmanager
def the_same(impl: str, timeout: float, identity: str) -> Iterator[Session]:
    """A session with the very implementation that a run began with, known by the digest of its identity."""
    with session(impl, timeout) as found:
        if digest(dict(found.hello.identity)) != identity:
            who = ", ".join(f"{key} {value}" for key, value in found.hello.identity.items())
            raise NotStarted(f"{impl} is another one here than where the run began: {who}")
        yield found


# -- tasks ------------------------------------------------------------------------------------------------------------
def task(name: str, **argument: Any) -> Task:
    """A task of this module."""
    return Task(f"{__name__}:{name}", argument)


def hello(argument: dict[str, Any]) -> Result:
    """``impl``, ``timeout``: what the implementation says of itself, or why it does not start."""
    try:
        with session(argument["impl"], argument["timeout"]) as found:
            said = found.hello
    except NotStarted as error:
        return {"not_started": str(error), "usage": error.usage}
    return {"identity": dict(said.identity), "claims": list(said.claims), "sources": dict(said.sources)}


def said(result: Result) -> Hello:
    """What :func:`hello` found.  Raises NotStarted."""
    if "not_started" in result:
        raise NotStarted(result["not_started"], result["usage"])
    return Hello(result["identity"], tuple(result["claims"]), result["sources"])


def judge(argument: dict[str, Any]) -> Result:
    """A claim's cases: its report, before any sweep and not concluded; ``alone``: asked for while nothing else runs."""
    with _session(argument) as found, pulse.working(argument["claim"]):
        return report_json(judge_cases(found, Operation.parse(argument["claim"]), Options(**argument["options"])))


def sweep_shard(argument: dict[str, Any]) -> Result:
    """Blocks ``first`` .. ``first + count`` of the sweep of the operation that ``report`` is about."""
    report, options = report_of(argument["report"]), Options(**argument["options"])
    with _session(argument) as found, pulse.working(report.op):
        return swept_json(sweep(found, report, options, argument["first"], argument["count"]))


def diagnose(argument: dict[str, Any]) -> Result:
    """The report of an operation whose fault only the sweep met, with the finding; ``kept``: the wrong answers."""
    report = report_of(argument["report"])
    with _session(argument) as found:
        diagnose_sweep(found, report, Options(**argument["options"]), [kept_of(kept) for kept in argument["kept"]])
    return report_json(report)


def _session(argument: dict[str, Any]) -> AbstractContextManager[Session]:
    return the_same(argument["impl"], argument["timeout"], argument["identity"])


# -- reports and shards as JSON ---------------------------------------------------------------------------------------
def report_json(report: Report) -> dict[str, Any]:
    """A report with its findings, not concluded."""
    return {
        "report": report.as_json(),
        "findings": [finding.as_json() for finding in report.findings],
        "mishaps": [astuple(mishap) for mishap in report.mishaps],
        "digest": report.digest,
        **({"failing": asdict(report.failing)} if report.failing is not None else {}),
    }


def report_of(data: dict[str, Any]) -> Report:
    """The report of :func:`report_json`."""
    report = Report.from_json(data["report"], [Finding.from_json(found) for found in data["findings"]])
    report.mishaps = [_mishap(mishap) for mishap in data["mishaps"]]
    report.digest = _whole(data["digest"])
    _whole(report.cases), _whole(report.failed)
    for name in ("claim", "op", "reason", "source", "declines", "unasked", "expected", "asked"):
        _text(getattr(report, name))
    for finding in report.findings:
        _whole(finding.count), _whole(finding.of), _whole(finding.length), _whole(finding.position), _text(finding.op)
        _text(finding.layout)
    for name, count in report.allowed.items():
        _text(name), _whole(count)
    report.failing = Failing(**data["failing"]) if "failing" in data else None
    if report.failing is not None and not all(isinstance(row, list) for row in (*report.failing.rows, [])):
        raise ValueError("rows of wrong answers are lists")
    return report


def _whole(x: Any) -> int:
    if not isinstance(x, int) or isinstance(x, bool) or x < 0:
        raise ValueError(f"{x!r:.40} is no count")
    return x


def _text(x: Any) -> str:
    if not isinstance(x, str):
        raise ValueError(f"{x!r:.40} is no text")
    return x


def _mishap(said: Any) -> Mishap:
    kind, reason, times = said
    return Mishap(_text(kind), _text(reason), _whole(times))


def swept_json(swept: Swept) -> dict[str, Any]:
    """What a shard of a sweep found."""
    return {
        "cases": swept.cases,
        "failed": swept.failed,
        "digest": swept.digest,
        "allowed": swept.allowed,
        "declines": swept.declines,
        "kept": None if swept.kept is None else kept_json(swept.kept),
        "misbehaved": None if swept.misbehaved is None else list(swept.misbehaved),
        "mishaps": [astuple(mishap) for mishap in swept.mishaps],
    }


def swept_of(data: dict[str, Any]) -> Swept:
    """The shard of :func:`swept_json`."""
    kept, misbehaved = data["kept"], data["misbehaved"]
    return Swept(
        _whole(data["cases"]),
        _whole(data["failed"]),
        _whole(data["digest"]),
        {_text(name): _whole(count) for name, count in data["allowed"].items()},
        None if kept is None else kept_of(kept),
        _text(data["declines"]),
        None if misbehaved is None else (Verdict(misbehaved[0]), _text(misbehaved[1])),
        [_mishap(mishap) for mishap in data["mishaps"]],
    )


def kept_json(kept: Kept) -> dict[str, Any]:
    """Wrong answers of a sweep."""
    status = None if kept.status is None else pack(kept.status)
    return {"inputs": [pack(codes) for codes in kept.inputs], "got": pack(kept.got), "status": status}


def kept_of(data: dict[str, Any]) -> Kept:
    """The wrong answers of :func:`kept_json`."""
    status = None if data["status"] is None else unpack(data["status"])
    return Kept([unpack(codes) for codes in data["inputs"]], unpack(data["got"]), status)
