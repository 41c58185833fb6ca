"""The sweep of level 3: every input, in blocks that any process may ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import expect
from ..cases.operation import Operation
from ..cases.products.questions import is_product
from ..cases.selection import BLOCK, sweep_blocks, sweep_size
from ..engines import pulse
from .compare import Options, compared, digest
from .finding import findings_of, reading_order
from .harness.capturing import captured
from .harness.observe import Observations
from .harness.outcomes import Mishap
from .harness.transport import Declined, Session
from .verdict import Report, Verdict, misbehaviour

Codes = NDArray[Any]
SHARD = 4  # blocks of a sweep asked together: 2^22 cases
KEPT = 64  # wrong answers kept of each shard of a sweep, for the diagnosis; all are counted


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
    digest: int = 0
    allowed: dict[str, int] = field(default_factory=dict)
    kept: Kept | None = None  # some of the wrong answers, where the plan's cases found none
    declines: str = ""
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
            (answer,) = session.receive_each()
            if isinstance(answer, Declined):
                swept.declines = f"declines blocks of the sweep: {answer}"
                continue
            got, status = answer
            found = compared(op, block, got, status, want, options.nan, report.chosen)
            swept.cases += got.size
            pulse.report(got.size, swept.cases, count * BLOCK)
            for name, mask in found.allowed.items():
                if n := int((mask & ~found.wrong).sum()):
                    swept.allowed[name] = swept.allowed.get(name, 0) + n
            bad = np.flatnonzero(found.wrong)
            swept.failed += bad.size
            swept.digest = (swept.digest + digest([codes[bad] for codes in block], got[bad])) % (1 << 64)
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
    plain = reading_order(op, operands)[: KEPT // 4]
    return np.unique(np.concatenate([plain, np.linspace(0, count - 1, KEPT - plain.size).astype(np.intp)]))


def add(report: Report, swept: Swept) -> None:
    """Add a shard's counts to the report: the same sums in any order, and the first shard's misbehaviour."""
    report.cases += swept.cases
    report.failed += swept.failed
    report.digest = (report.digest + swept.digest) % (1 << 64)
    for name, count in swept.allowed.items():
        report.allowed[name] = report.allowed.get(name, 0) + count
    report.mishaps += swept.mishaps
    report.declines = report.declines or swept.declines
    if swept.misbehaved is not None and report.verdict not in (Verdict.CRASH, Verdict.TIMEOUT):
        report.verdict, report.reason = swept.misbehaved


def diagnose_sweep(session: Session, report: Report, options: Options, parts: Sequence[Kept]) -> None:
    """The finding of a fault that only the sweep met."""
    claim, op, kept = Operation.parse(report.claim), Operation.parse(report.op), Kept.joined(parts)
    seen = Observations.of_one_call(kept.inputs, kept.got, kept.status)
    want = expect(op, seen.inputs())
    found = compared(op, seen.inputs(), seen.got, seen.status, want, options.nan, report.chosen)
    report.findings += findings_of(session, claim, op, seen, found, options.nan, report)
