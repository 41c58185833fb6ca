"""Judging one operation: ask, find the behaviour where it is free, compare, excuse, shrink, diagnose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.flags import flags_of
from ..cases.operation import ANY_MODE, Operation
from ..cases.selection import cases, sweep
from ..spec.profiles import profiles_meeting
from .diagnose import diagnose
from .expect import Expected, behaviours, differs, expect
from .observe import LAYOUT_NAMES, Observations, observe
from .rules import fields_of
from .transport import Crashed, Declined, Session, TimedOut
from .variations import excused
from .verdict import Finding, Report, Verdict

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
SAMPLE = 1 << 13  # cases on which behaviours are sorted out first
KEPT_FROM_SWEEP = 1 << 12  # wrong answers of a sweep kept for the diagnosis, per block; all are counted


@dataclass(frozen=True)
class Options:
    """How thoroughly to ask and how strictly to compare."""

    level: int = 1
    seed: int = 0
    nan: str = "class"
    flag: str = ""  # ask only cases that carry this flag


Advance = Callable[[int], None]


def judge(sessions: Sequence[Session], claim: Operation, options: Options, advance: Advance = lambda n: None) -> Report:
    """The report on one claimed operation.  The first session asks the plan; all of them share a sweep."""
    report = Report(claim.id, claim.id, Verdict.PASS)
    try:
        _judge(sessions, claim, options, advance, report)
    except Declined as error:
        report.verdict, report.reason = Verdict.UNSUPPORTED, str(error)
    except Crashed as error:
        report.verdict, report.reason = Verdict.CRASH, str(error)
    except TimedOut as error:
        report.verdict, report.reason = Verdict.TIMEOUT, str(error)
    return report


def _judge(sessions: Sequence[Session], claim: Operation, options: Options, advance: Advance, report: Report) -> None:
    definite = claim if claim.mode != ANY_MODE else claim.with_mode("rne.sat")
    asked = [cases(definite, options.level, options.seed)]
    if options.flag:
        kept = flags_of(definite, asked[0])[options.flag]
        asked = [codes[kept] for codes in asked]
    seen = observe(sessions[0], claim, asked, options.level, options.seed, advance)
    op = claim if claim.mode != ANY_MODE else _find_mode(claim, seen, options.nan)
    report.op = op.id
    want, wrong = _compare(op, seen, options.nan, report)
    sweep_seen = None
    if not options.flag:
        sweep_seen = _sweep(sessions, claim, op, options, report, advance)
    if report.failed:
        report.verdict = Verdict.FAIL
        if not wrong.any():  # only the sweep found it
            assert sweep_seen is not None
            seen = sweep_seen
            want = expect(op, seen.inputs()).codes
            wrong = differs(op, seen.got, want, options.nan)
        report.findings.append(_finding(sessions[0], claim, op, seen, want, wrong, options.nan, report))
        return
    if report.allowed:
        report.verdict = Verdict.ALLOWED
    if op.family == "convert":
        report.profiles = profiles_meeting(op.operands[0], op.result, op.projection)


def _find_mode(claim: Operation, seen: Observations, nan: str) -> Operation:
    """The behaviour that all first answers equal; failing that, the one with the fewest departures."""
    count = seen.operands[0].size
    got = seen.got[:count]  # the first calls ask every case once, in order
    simple = np.flatnonzero(_few_bits(claim, seen.operands[0]))
    simple = simple[:: max(1, simple.size // SAMPLE)]

    def departures(op: Operation, some: Any) -> int:
        operands = [codes[some] for codes in seen.operands]
        return int(_wrong(op, operands, got[some], None, expect(op, operands), nan)[0].sum())

    best: tuple[tuple[int, int], Operation] | None = None
    for mode in behaviours(claim.result_format):
        op = claim.with_mode(mode)
        first = departures(op, simple)
        if best is not None and first > best[0][0]:
            continue
        found = first, departures(op, slice(None))
        if best is None or found < best[0]:
            best = found, op
        if not any(found):
            break
    assert best is not None
    return best[1]


def _few_bits(op: Operation, x: Codes) -> Mask:
    """Infinities, NaNs, and values so short that no detour through another format changes them: they tell the mode."""
    fields = fields_of(op, x)
    lowest = fields.sig & (~fields.sig + np.uint64(1))
    short = fields.sig < lowest << np.uint64(op.result_format.p + 2)
    told: Mask = short | (fields.sig == 0) | fields.nan | fields.infinite
    return told


def _wrong(
    op: Operation, operands: Sequence[Codes], got: Codes, status: Codes | None, want: Expected, nan: str
) -> tuple[Mask, dict[str, int]]:
    """Which answers are wrong, and how many departures each variation allows."""
    wrong = differs(op, got, want.codes, nan)
    if not wrong.any():
        allowed: dict[str, int] = {}
    else:
        bad = np.flatnonzero(wrong)
        pardoned, allowed = excused(op, [codes[bad] for codes in operands], got[bad], want.codes[bad])
        wrong[bad[pardoned]] = False
    if status is not None and want.status is not None:
        wrong |= status != want.status
    return wrong, allowed


def _compare(op: Operation, seen: Observations, nan: str, report: Report) -> tuple[Codes, Mask]:
    """Compare all observations; counts go into the report, each case once (the first calls ask each once)."""
    expected = expect(op, seen.operands)
    want = expected.codes[seen.case]
    status = None if expected.status is None else expected.status[seen.case]
    wrong, _ = _wrong(op, seen.inputs(), seen.got, seen.status, Expected(want, status), nan)
    first = slice(0, seen.operands[0].size)
    first_status = None if seen.status is None else seen.status[first]
    _, report.allowed = _wrong(op, seen.operands, seen.got[first], first_status, expected, nan)
    report.cases = seen.operands[0].size
    report.failed = np.unique(seen.case[wrong]).size
    for name in list(report.allowed):  # a case wrong elsewhere counts as wrong
        report.allowed[name] = min(report.allowed[name], report.cases - report.failed)
    return want, wrong


# -- the sweep of level 3 -------------------------------------------------------------------------------------------
@dataclass
class _Swept:
    """One session's share of a sweep."""

    cases: int = 0
    failed: int = 0
    inputs: list[Codes] | None = None
    got: list[Codes] | None = None
    allowed: dict[str, int] | None = None


def _sweep(
    sessions: Sequence[Session], claim: Operation, op: Operation, options: Options, report: Report, advance: Advance
) -> Observations | None:
    shares = len(sessions)
    with ThreadPoolExecutor(shares) as pool:
        jobs = [pool.submit(_sweep_share, s, i, shares, claim, op, options, advance) for i, s in enumerate(sessions)]
        done = [job.result() for job in jobs]
    inputs: list[Codes] = []
    got: list[Codes] = []
    for share in done:
        report.cases += share.cases
        report.failed += share.failed
        for name, count in (share.allowed or {}).items():
            report.allowed[name] = report.allowed.get(name, 0) + count
        inputs += share.inputs or []
        got += share.got or []
    if not inputs:
        return None
    x, z = np.concatenate(inputs), np.concatenate(got)
    order = np.argsort(x, kind="stable")
    n = x.size
    zeros = np.zeros(n, np.int32)
    return Observations(
        [x[order]], np.arange(n), z[order], None, zeros, zeros + n, zeros, zeros.astype(np.int8), np.zeros(n, bool)
    )


def _sweep_share(
    session: Session, share: int, shares: int, claim: Operation, op: Operation, options: Options, advance: Advance
) -> _Swept:
    swept = _Swept(inputs=[], got=[], allowed={})
    for number, block in enumerate(sweep(op, options.level, options.seed)):
        if number % shares != share:
            continue
        session.send(claim, [([block], "plain")])
        want = expect(op, [block])  # while the implementation works
        ((got, status),) = session.receive()
        wrong, allowed = _wrong(op, [block], got, status, want, options.nan)
        bad = np.flatnonzero(wrong)
        swept.cases += block.size
        swept.failed += bad.size
        assert swept.inputs is not None
        assert swept.got is not None
        assert swept.allowed is not None
        for name, count in allowed.items():
            swept.allowed[name] = swept.allowed.get(name, 0) + count
        if bad.size:
            swept.inputs.append(block[bad[:KEPT_FROM_SWEEP]])
            swept.got.append(got[bad[:KEPT_FROM_SWEEP]].copy())
        advance(block.size)
    return swept


# -- the finding ----------------------------------------------------------------------------------------------------
def _finding(
    session: Session,
    claim: Operation,
    op: Operation,
    seen: Observations,
    want: Codes,
    wrong: Mask,
    nan: str,
    report: Report,
) -> Finding:
    diagnosis = diagnose(op, seen, want, wrong)
    chosen = _smallest(op, seen, wrong)
    x = [codes[seen.case[chosen]] for codes in seen.operands]
    alone = _alone(session, claim, op, x, nan)
    one = [np.array([code]) for code in x]
    carried = sorted(name for name, there in flags_of(op, one[0]).items() if there[0])
    expected = expect(op, one)
    return Finding(
        op=op.id,
        inputs=tuple(int(code.view(f"u{code.dtype.itemsize}")) for code in x),
        want=int(want[chosen]),
        got=int(seen.got[chosen]),
        count=report.failed,
        of=report.cases,
        flags=tuple(carried),
        diagnosis=diagnosis,
        length=1 if alone else int(seen.length[chosen]),
        position=0 if alone else int(seen.position[chosen]),
        layout="plain" if alone else LAYOUT_NAMES[seen.layout[chosen]],
        want_status=None if expected.status is None else int(expected.status[0]),
        got_status=None if seen.status is None else int(seen.status[chosen]),
    )


def _smallest(op: Operation, seen: Observations, wrong: Mask) -> int:
    """The wrong answer that a person reads most easily: finite, few significand bits, near 1, positive."""
    bad = np.flatnonzero(wrong)
    fields = fields_of(op, seen.operands[0][seen.case[bad]])
    special = fields.nan.astype(int) + fields.infinite
    bits = np.bitwise_count(fields.sig)
    exponent = np.abs(fields.exp)
    order = np.lexsort((seen.case[bad], seen.length[bad], fields.negative, exponent, bits, seen.layout[bad], special))
    return int(bad[order[0]])


def _alone(session: Session, claim: Operation, op: Operation, x: Sequence[Any], nan: str) -> bool:
    """Is the answer wrong in a call of this one case, too?"""
    one = [np.array([code]) for code in x]
    try:
        ((got, status),) = session.ask(claim, [(one, "plain")])
    except (Declined, Crashed, TimedOut):
        return False
    wrong, _ = _wrong(op, one, got.copy(), status, expect(op, one), nan)
    return bool(wrong[0])
