"""Judging the amax beside a product: D is judged as ever, and with every call that it takes comes an amax.

What makes amax one number is said by the operation (:mod:`fp8ref.cases.products.beside`).  What no documentation
decides, whether NaNs are left out, is settled as other open questions: one of the answers in use holds throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import ANY_MODE, Operation
from ...cases.products.beside import NAN, amax_codes, keyed, without_amax
from ...cases.products.cases import Cases, random_cases, special_cases
from ...cases.products.questions import WITHIN, length, with_columns, with_length
from ...fast.environment import exact_floats
from ..compare import digest
from ..diagnosis.diagnose import UNEXPLAINED, Diagnosis
from ..harness.transport import Answer, Call, Declined, Session
from ..product_calls import Answers, ask_matrix
from ..products import expected, judge_products, plainest_of
from ..verdict import Finding, Place, Report, Verdict
from .amax_rules import Block, amax_rules, promised_nan

Codes = NDArray[Any]
OPEN = "amax-of-nan"  # the variation
NUMBER, SPREADS = "NaNs left out", "NaN"
MATRICES = ((1, 1), (1, 8), (5, 3), (8, 16), (17, 16), (3, 33))  # rows and columns of small products
TIMES = 4


class Listening(Session):
    """A session whose products are asked with their amax, which is kept; the caller hears D alone."""

    def __init__(self, session: Session, claim: Operation) -> None:
        self.session, self.claim = session, claim
        self.connectable, self.limits, self.hello, self.mishaps = (
            session.connectable, session.limits, session.hello, session.mishaps,
        )  # fmt: skip
        self.blocks: list[Block] = []

    def ask(self, op: Operation, calls: Sequence[Call]) -> list[Answer]:
        answers = self.session.ask(self._with_amax(op), calls)
        return [self._heard(op, call, answer) for call, answer in zip(calls, answers)]

    def ask_each(self, op: Operation, calls: Sequence[Call]) -> list[Answer | Declined]:
        answers = self.session.ask_each(self._with_amax(op), calls)
        return [
            answer if isinstance(answer, Declined) else self._heard(op, call, answer)
            for call, answer in zip(calls, answers)
        ]

    def _with_amax(self, op: Operation) -> Operation:
        """The question with its amax, its keys in the order of the claim."""
        keys = {**dict(op.keys), "amax": self.claim.key("amax")}
        order = [name for name, _ in self.claim.keys if name in keys]
        return replace(op, keys=tuple((name, keys[name]) for name in dict.fromkeys([*order, *sorted(keys)])))

    def _heard(self, op: Operation, call: Call, answer: Answer) -> Answer:
        codes, amax = answer
        assert amax is not None
        if codes.size:
            given = tuple(np.array(x) for x in call[0])
            self.blocks.append(Block(self._with_amax(op), given, codes.copy(), amax.copy()))
        return codes, None


def judge_amax(
    session: Session,
    claim: Operation,
    level: int,
    seed: int,
    nan: str,
    report: Report,
    plan: Cases | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> None:
    """Ask a product with its amax and write the verdict on both into the report."""
    asked = claim.key("amax")
    heard = Listening(session, claim)
    judge_products(heard, without_amax(claim), level, seed, nan, report, plan, advance)
    found = Operation.parse(report.op)
    if report.verdict is Verdict.UNDECIDED:
        report.op = keyed(found, amax=asked).id
        return
    if found.mode == ANY_MODE or (found.mode or "").startswith(WITHIN):
        if report.verdict is not Verdict.FAIL:
            raise Declined("D is inside an error bound and equals no catalogued unit: its amax has no right bits")
        return
    if claim.family == "matmul" and plan is None:
        _ask_small(heard, without_amax(claim), level, seed)
    op = keyed(found, amax=asked)
    report.op = op.id
    report.findings = [replace(finding, op=op.id) for finding in report.findings]
    blocks = [replace(block, op=replace(block.op, mode=op.mode, keys=_keys(op, block.op))) for block in heard.blocks]
    _judge(op, blocks, nan, report)


def _keys(op: Operation, asked: Operation) -> tuple[tuple[str, str], ...]:
    """The keys of the operation judged, with the columns of the call."""
    return keyed(op, n=asked.key("n")).keys


def _ask_small(session: Listening, claim: Operation, level: int, seed: int) -> None:
    """Products so small that no infinity hides the other elements of D, and some with a NaN among them."""
    op = with_length(claim)
    rng = np.random.default_rng([seed, length(op), 77])
    finite = random_cases(op, 256 * level, rng, ("normal", "one sign", "C"))
    mixed = Cases.joined([finite, special_cases(op, 64, rng)])
    for _ in range(TIMES * level):
        for m, n in MATRICES:
            for cases in (finite, mixed):
                rows = finite.taken(rng.integers(0, finite.size, m))
                ask_matrix(session, with_columns(op, n), rows, cases, rng, "plain", "small", Answers())


@exact_floats
def _judge(op: Operation, blocks: list[Block], nan: str, report: Report) -> None:
    """Compare every amax, settle what is open, and find the cause of those that are wrong."""
    wants = {spread: [amax_codes(b.op, b.x, spread) for b in blocks] for spread in (False, True)}
    wrong = {spread: [amax_off(b.amax, w, nan) for b, w in zip(blocks, want)] for spread, want in wants.items()}
    promised = promised_nan(op)
    spread = promised if promised is not None else _count(wrong[True]) < _count(wrong[False])
    off = wrong[spread]
    number = sum(block.amax.size for block in blocks)
    report.cases += number
    failed = _count(off)
    if promised is None and spread:
        report.chosen[OPEN] = SPREADS
        excused = sum(int((a & ~b).sum()) for a, b in zip(wrong[False], wrong[True]))
        report.allowed[OPEN] = report.allowed.get(OPEN, 0) + excused
        if report.verdict is Verdict.PASS:
            report.verdict = Verdict.ALLOWED
    if not failed:
        return
    report.failed += failed
    report.verdict = Verdict.FAIL
    report.findings.append(_finding(op, blocks, wants[spread], off, nan, failed, report))


def amax_off(got: Codes, want: Codes, nan: str) -> Codes:
    off = got != want
    if nan == "class":
        off &= ~((got & 0x7FFFFFFF > 0x7F800000) & (want == NAN))
    return np.asarray(off)


def _count(masks: Sequence[Codes]) -> int:
    return sum(int(mask.sum()) for mask in masks)


def _cells(block: Block) -> tuple[Operation, Cases, Codes]:
    """A call's sums one after another."""
    op = without_amax(block.op)
    if op.family == "dot":
        a, b, c, *scales = block.operands
        return op, Cases(a, b, c, ("",) * len(a), tuple(scales)), block.got
    a, b, c, *scales = block.operands
    m, n = c.shape
    sides = (np.repeat(scales[0], n, axis=0), np.tile(scales[1].T, (m, 1))) if scales else ()
    outputs = tuple(x.reshape(-1) for x in scales[2:])
    cases = Cases(np.repeat(a, n, axis=0), np.tile(b.T, (m, 1)), c.reshape(-1), ("",) * (m * n), (*sides, *outputs))
    return op, cases, block.got.reshape(-1)


def amax_diagnosis(
    op: Operation, blocks: list[Block], wants: Sequence[Codes], off: Sequence[Codes], nan: str, d_wrong: bool
) -> Diagnosis:
    """The one mistake that gives every amax, right ones too; else that D is wrong, or how they differ."""
    names: dict[str, str] = {}
    for rule in amax_rules(op):
        if rule.name not in names and not any(
            amax_off(b.amax, p, nan).any() for b, p in zip(blocks, rule.predicted(blocks))
        ):
            names[rule.name] = rule.sentence
    if names:
        name, sentence = next(iter(names.items()))
        return Diagnosis(name, sentence, fits=tuple(other for other in names if other != name))
    if d_wrong:
        return Diagnosis("amax-with-d", "amax is wrong, and D is: it may be that of the same wrong values")
    small = sum(int(((b.amax < w) & o).sum()) for b, w, o in zip(blocks, wants, off))
    total = _count(off)
    said = f"amax: {total} of {sum(b.amax.size for b in blocks)}; {small} too small, {total - small} too large or NaN"
    return Diagnosis(UNEXPLAINED, "", "", said)


def _finding(
    op: Operation, blocks: list[Block], wants: Sequence[Codes], off: Sequence[Codes], nan: str,
    failed: int, report: Report,
) -> Finding:  # fmt: skip
    """Shown by the smallest call, and in it by the sum whose magnitude is the largest."""
    which = min((i for i, mask in enumerate(off) if mask.any()), key=lambda i: (blocks[i].x.size, i))
    block, want = blocks[which], wants[which]
    base, cases, got = _cells(block)
    x = block.x.reshape(-1)
    place = None
    if op.family == "dot":
        here = np.flatnonzero(off[which])
        j = at = plainest_of(base, cases, here)
    else:
        j, at = int(np.nanargmax(np.where(np.isnan(x), np.float32(np.inf), np.abs(x)))), 0
        m, n = block.got.shape
        place = Place(j // n, j % n, m, n, length(op))
    bad = [np.concatenate([b.amax[mask] for b, mask in zip(blocks, off)])]
    return Finding(
        op=op.id,
        inputs=tuple(int(code) for codes in cases.operands for code in np.atleast_1d(codes[j])),
        want=int(expected(base, cases.taken(np.array([j])))[0]),
        got=int(got[j]),
        count=failed,
        of=report.cases,
        flags=(),
        diagnosis=amax_diagnosis(op, blocks, wants, off, nan, bool(report.findings)),
        digest=f"{digest(bad, bad[0]):016X}",
        place=place,
        want_amax=int(want[at]),
        got_amax=int(block.amax[at]),
    )
