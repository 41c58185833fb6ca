"""Exhaustive claims: an operation answers as the reference does for every one of its inputs.

Conversions of floats of at most 32 bits are held against the reference's runs (``runs.py``), NaNs included; operations
whose operands have at most 16 bits together against the reference called for every case.  The inputs are cut into
shards, which are independent of each other, and each leaves the digest of its answers: anyone can repeat any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import differs, expect
from ...cases.operation import INTEGERS, Operation, carrier_dtype
from ...cases.selection import BLOCK
from ...cases.tuples import EVERY, every, total_width
from ...engines import Engine, Journal, Result, Task, pulse
from ...engines import run as done
from ...fast.chunks import set_threads
from ...spec.catalog import get_format
from ..harness.transport import Crashed, Declined, NotStarted, TimedOut
from ..shards import digest, the_same
from . import cases as reference_cases
from .runs import Reference, guesses

Codes = NDArray[Any]
SHARD = 1 << 24  # inputs
WIDEST = 32  # bits of a source of conversions
TIMEOUT = 60.0  # seconds for a block


class NotProvable(ValueError):
    """The claim is about more inputs than can be asked, or about an operation without a reference for single cases."""


@dataclass(frozen=True)
class Claim:
    """``impl`` answers ``op`` as the reference does for every input; fp8ref itself where ``impl`` is empty."""

    op: Operation
    impl: str = ""

    def __post_init__(self) -> None:
        kind, bits = self.op.asked.kind, total_width(self.op)
        if self.op.flags:
            raise NotProvable(f"{self.op}: flags change at single values, which no run of answers covers")
        if kind == "convert" and self.op.operands[0] not in INTEGERS and bits <= WIDEST:
            self.op.projection  # noqa: B018 - a free or unknown mode is an error here, not later
        elif kind not in reference_cases.KINDS or bits > EVERY or self.op.operands[-1] in INTEGERS:
            raise NotProvable(
                f"{self.op}: provable are conversions of floats of at most {WIDEST} bits, and decoding, arithmetic, "
                f"comparisons and predicates of operands of at most {EVERY} bits together"
            )

    @property
    def nan(self) -> str:
        """How NaN answers are compared: fp8ref's own bit by bit, except that decoding promises no payload."""
        return "class" if self.impl or self.op.family == "decode" else "bits"

    @property
    def inputs(self) -> int:
        """How many inputs there are: every combination of operand codes."""
        return 1 << total_width(self.op)

    @property
    def shards(self) -> list[tuple[int, int]]:
        """First input and count of each shard; inputs are numbered as codes, the last operand running fastest."""
        size = min(SHARD, self.inputs)
        return [(first, size) for first in range(0, self.inputs, size)]


@dataclass(frozen=True)
class Shard:
    """What was found on one shard: the digest of the answers, and the first wrong one, if any."""

    first: int
    count: int
    digest: str
    wrong: int = 0
    counterexample: tuple[tuple[int, ...], int, int] | None = None  # inputs, got, want

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Shard:
        """The shard of its JSON."""
        found = data["counterexample"]
        return cls(**{**data, "counterexample": None if found is None else (tuple(found[0]), found[1], found[2])})


def reference_of(claim: Claim) -> Callable[[int, int], Codes]:
    """The reference's answers to inputs ``first`` .. ``first + count``."""
    return _runs(claim.op) if total_width(claim.op) > EVERY else _cases(claim.op)


@lru_cache(maxsize=2)
def _runs(op: Operation) -> Callable[[int, int], Codes]:
    f, source, rho = op.result_format, get_format(op.operands[0]), op.projection
    reference = Reference(source, f, rho)
    firsts: list[int] = []
    codes: list[int] = []
    at = guesses(source, f, rho.rounding.value) if f.k <= 10 else []
    for negative in (False, True) if source.signed else (False,):
        sign = source.sign_bit if negative else 0
        for run in reference.runs(negative, at):
            firsts.append(sign | run.first)
            codes.append(run.code)
        for nan in _nan_edges(reference, sign | (source.infinity_code + 1), sign | source.magnitude_mask):
            firsts.append(nan[0])
            codes.append(nan[1])
    starts, answers = np.array(firsts, np.int64), np.array(codes, carrier_dtype(op.result))

    def answer(first: int, count: int) -> Codes:
        edges = np.append(starts, 1 << source.k).clip(first, first + count)
        return np.repeat(answers, np.diff(edges))

    return answer


def _nan_edges(reference: Reference, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The NaN codes of one sign as stretches with one answer: quiet ones and signalling ones may differ."""
    quiet = first - 1 | 1 << (reference.source.t - 1)
    for low, high in ((first, quiet - 1), (quiet, last)):
        answers = {reference.answer(code) for code in (low, low + (high - low) // 2, high)}
        if len(answers) != 1:
            raise NotProvable(f"NaN codes from {low:X} on get several answers: choose nan=canonical or keep-sign")
        yield low, answers.pop()


@lru_cache(maxsize=2)
def _cases(op: Operation) -> Callable[[int, int], Codes]:
    carrier = carrier_dtype(op.result)

    def answer(first: int, count: int) -> Codes:
        columns = every(op, first, first + count)
        rows = zip(*(column.tolist() for column in columns))
        return np.fromiter((reference_cases.answer(op, row) for row in rows), carrier, count)

    return answer


def prove_shard(claim: Claim, first: int, count: int, ask: Callable[[list[Codes]], Codes]) -> Shard:
    """Hold the answers to one shard's inputs against the reference's."""
    reference, digest = reference_of(claim), hashlib.sha256()
    wrong, found = 0, None
    for start in range(first, first + count, BLOCK):
        size = min(BLOCK, first + count - start)
        operands, want = every(claim.op, start, start + size), reference(start, size)
        got = np.ascontiguousarray(ask(operands))
        digest.update(got.astype(got.dtype.newbyteorder("<"), copy=False).tobytes())
        off = np.flatnonzero(differs(claim.op, got, want, claim.nan))
        if off.size and found is None:
            i = int(off[0])
            found = tuple(int(x[i]) for x in operands), int(got[i]), int(want[i])
        wrong += off.size
        pulse.report(size, start + size - first, count)
    return Shard(first, count, digest.hexdigest(), wrong, found)


# -- as tasks ---------------------------------------------------------------------------------------------------------
def prove(
    asked: Sequence[tuple[Claim, int, int]], identity: Mapping[str, str], engine: Engine, journal: Journal | None = None
) -> Iterator[tuple[Claim, Shard]]:
    """Shards of claims, given by their first inputs and counts, each as soon as it is done.

    ``identity``: of the implementation that answers; no other one is asked.
    Raises NotStarted, Declined, Crashed, TimedOut, NotProvable, and EngineError.
    """
    who = digest(dict(identity))
    tasks = {}
    for claim, first, count in asked:
        argument = {"claim": claim.op.id, "impl": claim.impl, "identity": who, "first": first, "count": count}
        task = Task(f"{__name__}:shard", argument)
        tasks[task.address] = task, claim
    for task, result in done(engine, [task for task, _ in tasks.values()], journal, proved):
        found = proved(result)
        if isinstance(found, Exception):
            raise found
        yield tasks[task.address][1], found


def proved(result: Result) -> Shard | Exception:
    """What a task found, or why it could not.  Raises ValueError, LookupError or TypeError for what is none of it."""
    if "failed" in result:
        return FAILURES[result["failed"]](str(result["reason"]))
    found = Shard.of(result)
    if not all(isinstance(n, int) and n >= 0 for n in (found.first, found.count, found.wrong)):
        raise ValueError(f"a shard of {found.count!r:.40} inputs from {found.first!r:.40} on")
    if not isinstance(found.digest, str) or bool(found.wrong) != (found.counterexample is not None):
        raise ValueError(f"shard {found.first}: {found.wrong} wrong, counterexample {found.counterexample!r:.40}")
    if found.counterexample is not None:
        inputs, got, want = found.counterexample
        if not all(isinstance(code, int) for code in (*inputs, got, want)):
            raise ValueError(f"shard {found.first}: the counterexample is no codes")
    return found


FAILURES: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (NotStarted, Declined, Crashed, TimedOut, NotProvable)
}


def shard(argument: dict[str, Any]) -> Result:
    """One shard, as a task."""
    claim = Claim(Operation.parse(argument["claim"]), argument["impl"])
    set_threads(1)
    try:
        with _asker(claim, argument["identity"]) as ask, pulse.working(claim.op.id):
            found = prove_shard(claim, argument["first"], argument["count"], ask)
    except tuple(FAILURES.values()) as error:
        return {"failed": type(error).__name__, "reason": str(error)}
    return asdict(found)


@contextmanager
def _asker(claim: Claim, identity: str) -> Iterator[Callable[[list[Codes]], Codes]]:
    """fp8ref's own array functions, or an implementation in a process of its own."""
    if not claim.impl:
        yield lambda operands: expect(claim.op, operands).codes
        return
    with the_same(claim.impl, TIMEOUT, identity) as session:
        yield lambda operands: session.ask(claim.op, [(operands, "plain")])[0][0]
