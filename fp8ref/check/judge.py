"""Judging one operation: ask, find the behaviour where it is free, compare, excuse, shrink, diagnose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected, default_mode, differs, expect, modes
from ..cases.flags import flags_of, operand_parts
from ..cases.operation import ANY_MODE, Operation
from ..cases.products.questions import is_product
from ..cases.scaling.questions import is_scale
from ..cases.selection import BLOCK, cases, sweep_blocks, sweep_size
from ..spec.profiles.catalog import profiles_meeting
from .diagnosis.diagnose import diagnose
from .diagnosis.scaling import plainest
from .harness.observe import LAYOUT_NAMES, Observations, observe
from .harness.outcomes import Mishap
from .harness.replayed import captured, captured_cases
from .harness.transport import Crashed, Declined, Session, TimedOut
from .products import judge_products
from .variations import excused, excused_status
from .verdict import Finding, Report, Verdict

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
SAMPLE = 1 << 13  # cases on which behaviours are sorted out first
FEW_TUPLES = 1021  # the same for several operands; a prime, so that neighbours differ in every operand
SHARD = 4  # blocks of a sweep asked together: 2^22 cases
KEPT = 64  # wrong answers kept of each shard of a sweep, for the diagnosis; all are counted


@dataclass(frozen=True)
class Options:
    """How thoroughly to ask and how strictly to compare."""

    level: int = 1
    seed: int = 0
    nan: str = "class"
    flag: str = ""  # ask only cases that carry this flag


def judge(session: Session, claim: Operation, options: Options) -> Report:
    """The report on one claimed operation, its sweep included."""
    report = judge_cases(session, claim, options)
    found = [sweep(session, report, options, *shard) for shard in sweep_shards(report, options, session.connectable)]
    for swept in found:
        add(report, swept)
    if kept := [swept.kept for swept in found if swept.kept is not None]:
        diagnose_sweep(session, report, options, kept)
    return conclude(report)


def judge_cases(session: Session, claim: Operation, options: Options) -> Report:
    """The report on the cases of the plan, before any sweep: its verdict may yet become worse."""
    report = Report(claim.id, claim.id, Verdict.PASS)
    with misbehaviour(session, report):
        _judge(session, claim, options, report)
    return report


@contextmanager
def misbehaviour(session: Session, report: Report) -> Iterator[None]:
    """What an implementation does other than answering becomes the verdict; what it did once is kept for the end."""
    session.mishaps.clear()
    try:
        yield
    except Declined as error:
        report.verdict, report.reason = Verdict.UNSUPPORTED, str(error)
    except Crashed as error:
        report.verdict, report.reason = Verdict.CRASH, str(error)
    except TimedOut as error:
        report.verdict, report.reason = Verdict.TIMEOUT, str(error)
    report.mishaps += session.mishaps


def _judge(session: Session, claim: Operation, options: Options, report: Report) -> None:
    capture = captured(session.connectable)
    if capture is not None and not capture.count:
        raise Declined("the capture holds no cases")
    if is_product(claim):
        plan = None if capture is None else captured_cases(capture)
        judge_products(session, claim, options.level, options.seed, options.nan, report, plan)
        return
    definite = default_mode(claim)
    asked = cases(definite, options.level, options.seed) if capture is None else list(capture.operands)
    if options.flag:
        kept = flags_of(definite, asked)[options.flag]
        asked = [codes[kept] for codes in asked]
    seen = observe(session, claim, asked, options.level, options.seed)
    op = claim if claim.mode != ANY_MODE else _find_mode(claim, seen, options.nan)
    report.op = op.id
    want, wrong = _compare(op, seen, options.nan, report)
    if report.failed:
        report.findings.append(_finding(session, claim, op, seen, want, wrong, options.nan, report))


def _find_mode(claim: Operation, seen: Observations, nan: str) -> Operation:
    """The behaviour that all first answers equal; failing that, the one with the fewest mismatches."""
    count = len(seen.operands[0])
    got = seen.got[:count]  # the first calls ask every case once, in order
    deciding = _deciding(claim, seen.operands)

    def mismatches(op: Operation, some: Any) -> int:
        operands = [codes[some] for codes in seen.operands]
        want = expect(replace(op, keys=quiet), operands)
        return int(_wrong(op, operands, got[some], None, want, nan)[0].sum())

    quiet = tuple(pair for pair in claim.keys if pair[0] != "flags")
    scored: list[tuple[int, Operation]] = []
    for mode in modes(claim):
        op = claim.with_mode(mode)
        first = mismatches(op, deciding)
        if first == 0 and mismatches(op, slice(None)) == 0:
            return op
        scored.append((first, op))
    least = min(first for first, _ in scored)
    return min((op for first, op in scored if first == least), key=lambda op: mismatches(op, slice(None)))


def _deciding(op: Operation, operands: Sequence[Codes]) -> NDArray[np.intp]:
    """Cases that decide the mode.

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
    """Which answers are wrong, and how many mismatches each variation allows."""
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
class Kept:
    """Wrong answers of a sweep, kept for the diagnosis."""

    inputs: list[Codes]
    got: Codes
    status: Codes | None

    @staticmethod
    def joined(parts: Sequence[Kept]) -> Kept:
        """All of them, in the order of their inputs."""
        inputs = [np.concatenate(codes) for codes in zip(*(part.inputs for part in parts))]
        got = np.concatenate([part.got for part in parts])
        status = [part.status for part in parts if part.status is not None]
        return Kept(inputs, got, np.concatenate(status) if status else None).taken(np.lexsort(inputs[::-1]))

    def taken(self, some: NDArray[np.intp]) -> Kept:
        """Those at some places."""
        return Kept(
            [codes[some] for codes in self.inputs], self.got[some], None if self.status is None else self.status[some]
        )


@dataclass
class Swept:
    """What one shard of a sweep found."""

    cases: int = 0
    failed: int = 0
    allowed: dict[str, int] = field(default_factory=dict)
    kept: Kept | None = None  # some of the wrong answers, where the plan's cases found none
    misbehaved: tuple[Verdict, str] | None = None  # a crash or timeout, and its reason
    mishaps: list[Mishap] = field(default_factory=list)


def sweep_shards(report: Report, options: Options, connectable: str) -> list[tuple[int, int]]:
    """First block and number of blocks of each shard of the sweep that follows a report; none where none follows."""
    claim = Operation.parse(report.claim)
    if report.verdict is not Verdict.PASS and report.verdict is not Verdict.FAIL:
        return []
    if options.flag or is_product(claim) or captured(connectable) is not None:
        return []
    blocks = -(-sweep_size(claim, options.level) // BLOCK)
    return [(first, min(SHARD, blocks - first)) for first in range(0, blocks, SHARD)]


def sweep(session: Session, report: Report, options: Options, first: int, count: int) -> Swept:
    """Ask the blocks ``first`` .. ``first + count`` of the sweep of the operation that a report is about.

    A crash or timeout loses what is left of the shard, and nothing else.
    """
    claim, op = Operation.parse(report.claim), Operation.parse(report.op)
    swept, lost, kept = Swept(), Report(report.claim, report.op, Verdict.PASS), []
    with misbehaviour(session, lost):
        for block in sweep_blocks(op, options.level, options.seed, first, count):
            session.send(claim, [(block, "plain")])
            want = expect(op, block)  # while the implementation works
            ((got, status),) = session.receive()
            wrong, allowed = _wrong(op, block, got, status, want, options.nan)
            swept.cases += got.size
            for name, n in allowed.items():
                swept.allowed[name] = swept.allowed.get(name, 0) + n
            bad = np.flatnonzero(wrong)
            swept.failed += bad.size
            if bad.size and not report.failed:
                bad = bad[_chosen(op, [codes[bad] for codes in block])]
                kept.append(Kept(block, got, status).taken(bad))
    if lost.verdict is not Verdict.PASS:
        swept.misbehaved = lost.verdict, lost.reason
    swept.mishaps = lost.mishaps
    if kept:
        swept.kept = Kept.joined(kept)
        swept.kept = swept.kept.taken(_chosen(op, swept.kept.inputs))
    return swept


def _chosen(op: Operation, operands: list[Codes]) -> NDArray[np.intp]:
    """Of many wrong answers the plainest, and others spread over all of them; ascending."""
    count = len(operands[0])
    if count <= KEPT:
        return np.arange(count)
    plain = _plainest(op, operands)[: KEPT // 4]
    return np.unique(np.concatenate([plain, np.linspace(0, count - 1, KEPT - plain.size).astype(np.intp)]))


def add(report: Report, swept: Swept) -> None:
    """Add a shard's counts to the report: the same sums in any order, and the first shard's misbehaviour."""
    report.cases += swept.cases
    report.failed += swept.failed
    for name, count in swept.allowed.items():
        report.allowed[name] = report.allowed.get(name, 0) + count
    report.mishaps += swept.mishaps
    if swept.misbehaved is not None and report.verdict not in (Verdict.CRASH, Verdict.TIMEOUT):
        report.verdict, report.reason = swept.misbehaved


def diagnose_sweep(session: Session, report: Report, options: Options, parts: Sequence[Kept]) -> None:
    """The finding of a fault that only the sweep met."""
    claim, op, kept = Operation.parse(report.claim), Operation.parse(report.op), Kept.joined(parts)
    zeros = np.zeros(kept.got.shape[0], np.int32)
    seen = Observations(
        operands=kept.inputs,
        case=np.arange(zeros.size),
        got=kept.got,
        status=kept.status,
        call=zeros,
        length=zeros + zeros.size,
        position=zeros,
        layout=zeros.astype(np.int8),
        again=np.zeros(zeros.size, bool),
    )
    want = expect(op, seen.inputs())
    wrong, _ = _wrong(op, seen.inputs(), seen.got, seen.status, want, options.nan)
    report.findings.append(_finding(session, claim, op, seen, want, wrong, options.nan, report))


def conclude(report: Report) -> Report:
    """The report with its verdict, the counts of its finding, and the profiles it meets.

    One that crashed or hung now and then, and answered when it was asked again, does not pass; a fault stays a fault.
    """
    op = Operation.parse(report.op)
    if report.mishaps and not report.reason:
        report.reason = "; ".join(dict.fromkeys(str(mishap) for mishap in report.mishaps[:3]))
        if report.verdict in (Verdict.PASS, Verdict.ALLOWED) and not report.failed:
            hung = all(mishap.kind == "timeout" for mishap in report.mishaps)
            report.verdict = Verdict.TIMEOUT if hung else Verdict.CRASH
    if not is_product(op):
        report.findings = [replace(found, count=report.failed, of=report.cases) for found in report.findings]
    if report.verdict is not Verdict.PASS:
        return report
    if report.failed:
        report.verdict = Verdict.FAIL
        return report
    if report.allowed:
        report.verdict = Verdict.ALLOWED
    if op.asked.kind == "convert":
        report.profiles = profiles_meeting(op.operands[0], op.result, op.projection)
    return report


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
    """The wrong answer that a person reads most easily."""
    bad = np.flatnonzero(wrong)
    operands = [codes[seen.case[bad]] for codes in seen.operands]
    if is_scale(op):
        return int(bad[plainest(op, operands)])
    return int(bad[_plainest(op, operands, seen.case[bad], seen.length[bad], seen.layout[bad])[0]])


def _plainest(
    op: Operation, operands: list[Codes], case: Codes | None = None, length: Codes | None = None,
    layout: Codes | None = None,
) -> NDArray[np.intp]:  # fmt: skip
    """Cases in the order in which a person reads them most easily: finite, few significand bits, near 1, positive."""
    parts = operand_parts(op, operands)
    special = np.add.reduce([x.nan.astype(int) + x.infinite for x in parts])
    bits = np.add.reduce([np.bitwise_count(x.sig).astype(int) for x in parts])
    exponent = np.add.reduce([np.abs(x.exp) for x in parts])
    negative = np.add.reduce([x.negative.astype(int) for x in parts])
    keys = (case, length, negative, exponent, bits, layout, special)
    return np.lexsort([key for key in keys if key is not None])


def _alone(session: Session, claim: Operation, op: Operation, x: Sequence[Any], nan: str) -> bool:
    """Is the answer wrong in a call of this one case, too?"""
    one = [np.array([code]) for code in x]
    try:
        ((got, status),) = session.ask(claim, [(one, "plain")])
    except (Declined, Crashed, TimedOut):
        return False
    wrong, _ = _wrong(op, one, got.copy(), status, expect(op, one), nan)
    return bool(wrong[0])
