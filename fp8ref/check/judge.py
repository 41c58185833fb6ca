"""Judging one operation: ask, find the behaviour where it is free, compare, excuse, shrink, diagnose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected, default_mode, differs, expect, modes
from ..cases.dots import is_product
from ..cases.flags import flags_of, operand_parts
from ..cases.operation import ANY_MODE, Operation
from ..cases.scales import is_scale
from ..cases.selection import cases, sweep
from ..spec.profiles import profiles_meeting
from .diagnose import diagnose
from .observe import LAYOUT_NAMES, Observations, observe
from .products import judge_products
from .replayed import captured, captured_cases
from .scale_rules import plainest
from .transport import Crashed, Declined, Session, TimedOut
from .variations import excused, excused_status
from .verdict import Finding, Report, Verdict

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
SAMPLE = 1 << 13  # cases on which behaviours are sorted out first
FEW_TUPLES = 1021  # the same for several operands; a prime, so that neighbours differ in every operand
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
    capture = captured(sessions[0].connectable)
    if capture is not None and not capture.count:
        raise Declined("the capture holds no cases")
    if is_product(claim):
        plan = None if capture is None else captured_cases(capture)
        judge_products(sessions[0], claim, options.level, options.seed, options.nan, report, plan, advance)
        return
    definite = default_mode(claim)
    asked = cases(definite, options.level, options.seed) if capture is None else list(capture.operands)
    if options.flag:
        kept = flags_of(definite, asked)[options.flag]
        asked = [codes[kept] for codes in asked]
    seen = observe(sessions[0], claim, asked, options.level, options.seed, advance)
    op = claim if claim.mode != ANY_MODE else _find_mode(claim, seen, options.nan)
    report.op = op.id
    want, wrong = _compare(op, seen, options.nan, report)
    sweep_seen = None
    if not options.flag and capture is None:
        sweep_seen = _sweep(sessions, claim, op, options, report, advance)
    if report.failed:
        report.verdict = Verdict.FAIL
        if not wrong.any():  # only the sweep found it
            assert sweep_seen is not None
            seen = sweep_seen
            want = expect(op, seen.inputs())
            wrong = _wrong(op, seen.inputs(), seen.got, seen.status, want, options.nan)[0]
        report.findings.append(_finding(sessions[0], claim, op, seen, want, wrong, options.nan, report))
        return
    if report.allowed:
        report.verdict = Verdict.ALLOWED
    if op.asked.kind == "convert":
        report.profiles = profiles_meeting(op.operands[0], op.result, op.projection)


def _find_mode(claim: Operation, seen: Observations, nan: str) -> Operation:
    """The behaviour that all first answers equal; failing that, the one with the fewest departures."""
    count = len(seen.operands[0])
    got = seen.got[:count]  # the first calls ask every case once, in order
    told = _telling(claim, seen.operands)

    def departures(op: Operation, some: Any) -> int:
        operands = [codes[some] for codes in seen.operands]
        want = expect(replace(op, keys=quiet), operands)
        return int(_wrong(op, operands, got[some], None, want, nan)[0].sum())

    quiet = tuple(pair for pair in claim.keys if pair[0] != "flags")
    scored: list[tuple[int, Operation]] = []
    for mode in modes(claim):
        op = claim.with_mode(mode)
        first = departures(op, told)
        if first == 0 and departures(op, slice(None)) == 0:
            return op
        scored.append((first, op))
    least = min(first for first, _ in scored)
    return min((op for first, op in scored if first == least), key=lambda op: departures(op, slice(None)))


def _telling(op: Operation, operands: Sequence[Codes]) -> NDArray[np.intp]:
    """Cases that tell the mode.

    Of one operand: infinities, NaNs, and values so short that no detour through another format changes them.  Of
    several: some, far apart.
    """
    if len(operands) > 1 or op.asked.kind != "convert":
        return np.unique(np.linspace(0, len(operands[0]) - 1, FEW_TUPLES).astype(np.intp))
    (x,) = operand_parts(op, operands)
    lowest = x.sig & (~x.sig + np.uint64(1))
    short = x.sig < lowest << np.uint64(op.result_format.p + 2)
    simple = np.flatnonzero(short | (x.sig == 0) | x.nan | x.infinite)
    return simple[:: max(1, simple.size // SAMPLE)]


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
        off = status != want.status
        if off.any():
            bad = np.flatnonzero(off)
            pardoned, names = excused_status(op, [codes[bad] for codes in operands], status[bad] ^ want.status[bad])
            off[bad[pardoned]] = False
            allowed = {**allowed, **names}
        wrong |= off
    return wrong, allowed


def _compare(op: Operation, seen: Observations, nan: str, report: Report) -> tuple[Expected, Mask]:
    """Compare all observations; counts go into the report, each case once (the first calls ask each once)."""
    expected = expect(op, seen.operands)
    want = expected.taken(seen.case)
    wrong, _ = _wrong(op, seen.inputs(), seen.got, seen.status, want, nan)
    first = slice(0, len(seen.operands[0]))
    first_status = None if seen.status is None else seen.status[first]
    _, report.allowed = _wrong(op, seen.operands, seen.got[first], first_status, expected, nan)
    report.cases = len(seen.operands[0])
    report.failed = np.unique(seen.case[wrong]).size
    for name in list(report.allowed):  # a case wrong elsewhere counts as wrong
        report.allowed[name] = min(report.allowed[name], report.cases - report.failed)
    return want, wrong


# -- the sweep of level 3 -------------------------------------------------------------------------------------------
@dataclass
class _Swept:
    """One session's share of a sweep; of the wrong answers the first of each block are kept."""

    cases: int = 0
    failed: int = 0
    allowed: Counter[str] = field(default_factory=Counter)
    inputs: list[list[Codes]] = field(default_factory=list)
    got: list[Codes] = field(default_factory=list)
    status: list[Codes] = field(default_factory=list)


def _sweep(
    sessions: Sequence[Session], claim: Operation, op: Operation, options: Options, report: Report, advance: Advance
) -> Observations | None:
    shares = len(sessions)
    with ThreadPoolExecutor(shares) as pool:
        jobs = [pool.submit(_sweep_share, s, i, shares, claim, op, options, advance) for i, s in enumerate(sessions)]
        done = [job.result() for job in jobs]
    for share in done:
        report.cases += share.cases
        report.failed += share.failed
        for name, count in share.allowed.items():
            report.allowed[name] = report.allowed.get(name, 0) + count
    inputs = [block for share in done for block in share.inputs]
    if not inputs:
        return None
    operands = [np.concatenate(parts) for parts in zip(*inputs)]
    order = np.lexsort(operands[::-1])
    zeros = np.zeros(order.size, np.int32)
    return Observations(
        operands=[codes[order] for codes in operands],
        case=np.arange(order.size),
        got=np.concatenate([block for share in done for block in share.got])[order],
        status=np.concatenate([block for share in done for block in share.status])[order] if op.flags else None,
        call=zeros,
        length=zeros + order.size,
        position=zeros,
        layout=zeros.astype(np.int8),
        again=np.zeros(order.size, bool),
    )


def _sweep_share(
    session: Session, share: int, shares: int, claim: Operation, op: Operation, options: Options, advance: Advance
) -> _Swept:
    swept = _Swept()
    for number, block in enumerate(sweep(op, options.level, options.seed)):
        if number % shares != share:
            continue
        session.send(claim, [(block, "plain")])
        want = expect(op, block)  # while the implementation works
        ((got, status),) = session.receive()
        wrong, allowed = _wrong(op, block, got, status, want, options.nan)
        bad = np.flatnonzero(wrong)
        swept.cases += got.size
        swept.failed += bad.size
        swept.allowed.update(allowed)
        if bad.size:
            kept = bad[:KEPT_FROM_SWEEP]
            swept.inputs.append([codes[kept] for codes in block])
            swept.got.append(got[kept].copy())
            if status is not None:
                swept.status.append(status[kept].copy())
        advance(got.size)
    return swept


# -- the finding ----------------------------------------------------------------------------------------------------
def _finding(
    session: Session,
    claim: Operation,
    op: Operation,
    seen: Observations,
    want: Expected,
    wrong: Mask,
    nan: str,
    report: Report,
) -> Finding:
    diagnosis = diagnose(op, seen, want, wrong)
    chosen = _smallest(op, seen, wrong)
    x = [codes[seen.case[chosen]] for codes in seen.operands]
    alone = _alone(session, claim, op, x, nan)
    one = [np.array([code]) for code in x]
    carried = sorted(name for name, there in flags_of(op, one).items() if there[0])
    expected = expect(op, one)
    return Finding(
        op=op.id,
        inputs=tuple(_bits(code) for codes in x for code in np.atleast_1d(codes)),
        want=_bits(want.codes[chosen]),
        got=_bits(seen.got[chosen]),
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


def _bits(code: Any) -> int:
    """A code as an unsigned number; an integer as its two's complement; a row of bytes as the number they write."""
    if code.ndim:
        return int.from_bytes(code.tobytes(), "big")
    return int(code.view(f"u{code.dtype.itemsize}"))


def _smallest(op: Operation, seen: Observations, wrong: Mask) -> int:
    """The wrong answer that a person reads most easily: finite, few significand bits, near 1, positive."""
    bad = np.flatnonzero(wrong)
    if is_scale(op):
        return int(bad[plainest(op, [codes[seen.case[bad]] for codes in seen.operands])])
    parts = operand_parts(op, [codes[seen.case[bad]] for codes in seen.operands])
    special = np.add.reduce([x.nan.astype(int) + x.infinite for x in parts])
    bits = np.add.reduce([np.bitwise_count(x.sig).astype(int) for x in parts])
    exponent = np.add.reduce([np.abs(x.exp) for x in parts])
    negative = np.add.reduce([x.negative.astype(int) for x in parts])
    order = np.lexsort((seen.case[bad], seen.length[bad], negative, exponent, bits, seen.layout[bad], special))
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
