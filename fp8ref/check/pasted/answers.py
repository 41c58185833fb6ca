"""Who is right about some answers, everything that gives all of them, and the cases that would decide.

Each answer is right, allowed by name, or wrong, by the claimed mode; of a free mode by the behaviour that gives every
answer, or most.  Behaviours that answer alike on all cases of the operation's own plan are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, is_nan
from ...cases.flags import flags_of
from ...cases.operation import ANY_MODE, Operation
from ...cases.products.cases import dot_cases
from ...cases.products.questions import is_product
from ...cases.scaling.questions import is_recipe, is_scale
from ...cases.selection import cases
from ..compare import compared
from ..finding import reading_order
from .candidates import KINDS, Candidate, candidates, definite, expected_of, profiles_of

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
PLAN, MANY = 1 << 12, 1 << 9  # cases of the plan on which behaviours are compared; of products and blocks
MOST = 8  # deciding cases that are looked for


@dataclass(frozen=True)
class Line:
    """One answer: ``verdict`` is right, wrong or allowed, by the name ``allowed``; ``want`` the right code."""

    verdict: str
    want: Any
    got: Any
    allowed: str = ""


@dataclass(frozen=True)
class Decider:
    """A case that tells behaviours apart: its operand codes, the kind of case, and each answer with who gives it."""

    operands: list[Codes]
    kind: str
    answers: tuple[tuple[Any, tuple[str, ...]], ...]


@dataclass
class Judged:
    """What is said about answers.  ``op``: the operation they are judged by; ``free``: its mode was not claimed.

    ``behaviours``: what gives every answer, those together that are one; ``profiles``: which the modes among them meet.
    """

    claim: Operation
    op: Operation
    lines: list[Line]
    behaviours: list[list[Candidate]] = field(default_factory=list)
    profiles: tuple[str, ...] = ()
    deciders: list[Decider] = field(default_factory=list)

    @property
    def free(self) -> bool:
        return self.claim.mode == ANY_MODE

    @property
    def wrong(self) -> int:
        return sum(line.verdict == "wrong" for line in self.lines)

    @cached_property
    def open(self) -> bool:
        """Is it undecided what gave these answers?"""
        return len(self.behaviours) > 1

    @property
    def undecided(self) -> bool:
        """Nothing is wrong, and it is open which mode they follow."""
        return not self.wrong and self.free and self.open


def judge_answers(claim: Operation, operands: Sequence[Codes], got: Codes) -> Judged:
    """Judge answers, one for each case."""
    fitting = _fitting(claim, operands, got)
    op = claim if claim.mode != ANY_MODE else _best(claim, operands, got, fitting)
    judged = Judged(claim, op, _lines(op, operands, got))
    judged.behaviours, every, codes = _grouped(claim, fitting)
    modes = [c.name for group in judged.behaviours for c in group if c.kind == "mode"]
    judged.profiles = profiles_of(claim, modes)
    judged.deciders = _deciders(claim, every, codes, judged.behaviours)
    return judged


def _fitting(claim: Operation, operands: Sequence[Codes], got: Codes) -> list[Candidate]:
    """Every behaviour that gives all answers; those of several steps only where nothing simpler does."""
    found: list[Candidate] = []
    for kind in KINDS:
        if kind == "composed rule" and any(c.kind in ("model", "recipe", "rule") for c in found):
            continue
        found += [c for c in candidates(claim, operands, [kind]) if _gives(claim, operands, got, c)]
    return found


def _gives(claim: Operation, operands: Sequence[Codes], got: Codes, c: Candidate) -> bool:
    if c.kind in ("mode", "library") and not is_product(claim):
        op = claim if claim.asked.mode is None else claim.with_mode(c.mode)
        return not compared(op, operands, got, None, Expected(c.codes), "class").wrong.any()
    return not _unlike(claim, got, c.codes).any()


def _unlike(claim: Operation, got: Codes, want: Codes) -> Mask:
    if is_scale(claim):
        return np.asarray((got != want).any(axis=1))
    return np.asarray((got != want) & ~(is_nan(got, claim.result) & is_nan(want, claim.result)))


def _best(claim: Operation, operands: Sequence[Codes], got: Codes, fitting: Sequence[Candidate]) -> Operation:
    """A free mode becomes the first that gives every answer; else the one that misses fewest."""
    for c in fitting:
        if c.kind in _modes_of(claim):
            return claim.with_mode(c.name)
    scored: list[tuple[int, int, str]] = []
    for c in candidates(claim, operands, _modes_of(claim)):
        scored.append((int(_unlike(claim, got, c.codes).sum()), len(scored), c.name))
    return claim.with_mode(min(scored)[2]) if scored else claim.with_mode(definite(claim)[0])


def _modes_of(claim: Operation) -> list[str]:
    """The kinds of candidate whose names are modes of a claim."""
    return ["mode", "model", *(["recipe"] if is_recipe(claim) else [])]


def _lines(op: Operation, operands: Sequence[Codes], got: Codes) -> list[Line]:
    want = expected_of(op, operands)
    if is_product(op):
        wrong, allowed, codes = _unlike(op, got, want.codes), {}, want.codes
    else:
        found = compared(op, operands, got, None, want, "class")
        wrong, allowed, codes = found.wrong, found.allowed, found.want.codes
    lines = []
    for i in range(len(got)):
        name = next((name for name, mask in allowed.items() if mask[i]), "")
        verdict = "wrong" if wrong[i] else "allowed" if name else "right"
        lines.append(Line(verdict, codes[i], got[i], name if not wrong[i] else ""))
    return lines


# -- one behaviour or several -----------------------------------------------------------------------------------------
def plan_of(claim: Operation) -> list[Codes]:
    """Cases of the operation's own plan, spread over all of them; those that a person reads most easily first."""
    op = claim.with_mode(definite(claim)[0]) if claim.mode == ANY_MODE else claim
    if is_product(op):
        every = list(dot_cases(op, 1, 0).operands)
    else:
        every = cases(op, 1, 0)
    n = len(every[0])
    most = MANY if is_product(op) or is_scale(op) else PLAN
    every = [codes[:: max(1, -(-n // most))] for codes in every]
    if is_product(op) or is_scale(op) or op.asked.kind == "constant":
        return every
    order = reading_order(op, every)
    return [codes[order] for codes in every]


def _grouped(claim: Operation, fitting: Sequence[Candidate]) -> tuple[list[list[Candidate]], list[Codes], list[Codes]]:
    """What fits, those together that answer alike on the whole plan; the plan; and the answers of each group."""
    if not fitting:
        return [], [], []
    every = plan_of(claim)
    wanted = {c.key: c for c in fitting}
    groups: dict[bytes, list[Candidate]] = {}
    codes: dict[bytes, Codes] = {}
    for c in candidates(claim, every, list(dict.fromkeys(c.kind for c in fitting))):
        if c.key not in wanted:
            continue
        plain = c.codes if is_scale(claim) else np.where(is_nan(c.codes, claim.result), -1, c.codes.astype(np.int64))
        key = np.ascontiguousarray(plain).tobytes()
        groups.setdefault(key, []).append(c)
        codes.setdefault(key, plain)
    return list(groups.values()), every, list(codes.values())


def called(group: Sequence[Candidate]) -> str:
    """The name by which a behaviour goes: its first."""
    return group[0].name if group[0].kind != "library" else f"{group[0].name} ({group[0].text})"


def _deciders(
    claim: Operation, every: Sequence[Codes], codes: Sequence[Codes], groups: Sequence[Sequence[Candidate]]
) -> list[Decider]:
    """Few cases on which no two behaviours answer alike: at each step the one that tells most of them apart."""
    if len(groups) < 2:
        return []
    joined = np.array(codes)
    table = joined
    if joined.ndim > 2:  # rows of blocks
        ids = [np.unique(joined[:, i], axis=0, return_inverse=True)[1].ravel() for i in range(joined.shape[1])]
        table = np.stack(ids, axis=1)
    label = np.zeros(len(groups), np.int64)
    found: list[Decider] = []
    while len(np.unique(label)) < len(groups) and len(found) < MOST:
        parts = _parts(label, table)
        best = int(np.argmax(parts))
        if parts[best] <= len(np.unique(label)):
            break
        label = np.unique(np.stack([label, table[:, best]]), axis=1, return_inverse=True)[1].ravel()
        found.append(_decider(claim, every, best, codes, groups))
    return found


def _parts(label: NDArray[np.int64], table: Codes) -> NDArray[np.int64]:
    """Into how many parts each case divides what is not told apart yet."""
    pairs = np.sort(label[:, None] * np.int64(len(label) + 1) + _ranks(table), axis=0)
    found: NDArray[np.int64] = 1 + (np.diff(pairs, axis=0) != 0).sum(axis=0)
    return found


def _ranks(table: Codes) -> NDArray[np.int64]:
    """Answers to each case as small numbers, alike for alike ones."""
    order = np.argsort(table, axis=0, kind="stable")
    sorted_ = np.take_along_axis(table, order, axis=0)
    steps = np.concatenate([np.zeros((1, table.shape[1]), np.int64), (np.diff(sorted_, axis=0) != 0).cumsum(axis=0)])
    found = np.empty(table.shape, np.int64)
    np.put_along_axis(found, order, steps, axis=0)
    return found


def _decider(
    claim: Operation, every: Sequence[Codes], i: int, codes: Sequence[Codes], groups: Sequence[Sequence[Candidate]]
) -> Decider:
    one = [x[i : i + 1] for x in every]
    answers: dict[bytes, tuple[Any, list[str]]] = {}
    for x, group in zip(codes, groups):
        answers.setdefault(np.ascontiguousarray(x[i]).tobytes(), (x[i], []))[1].append(called(group))
    kind = ""
    if is_product(claim):
        names = dot_cases(claim.with_mode("exact"), 1, 0).names
        kind = names[i * max(1, -(-len(names) // MANY))]
    elif not is_scale(claim) and claim.asked.kind != "constant":
        op = claim.with_mode(definite(claim)[0]) if claim.mode == ANY_MODE else claim
        kind = ", ".join(sorted(name for name, there in flags_of(op, one).items() if there[0]))
    return Decider(one, kind, tuple((code, tuple(names)) for code, names in answers.values()))
