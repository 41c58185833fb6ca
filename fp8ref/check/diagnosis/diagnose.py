"""Why answers are wrong: the wrong rules, each with its circumstance, that together predict every wrong answer.

A rule is named only if it predicts every answer that it changes, wherever its circumstance holds.  One that explains
every wrong answer comes first; else causes are found one after another, the one that explains most first, and what an
earlier one explains counts no more.  Rules that predict the same for all that was asked are named together.  What
nothing explains is *unexplained* and shows its pattern instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, differs, expect
from ...cases.operation import Operation
from ..harness.observe import Observations
from .book import composed_rules, paired_rules, rules_for
from .rule import Rule, prediction, some_of
from .traits.pattern import pattern
from .traits.places import Place, circumstances
from .traits.severity import SEVERITIES, severity

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
UNEXPLAINED = "unexplained"
NO_RULE, ONLY = "unexplained: no single wrong rule predicts every answer; ", ", but only "
WIDE = 3  # rules that are tried after what contradicts them
MOST = 8  # causes found one after another
SHARE, SAMPLE = 0.1, 512  # of the wrong answers of one kind a rule of several steps explains so many; of a sample
EVIDENCE = 4  # cases without which a narrow circumstance is no finding beside others


@dataclass(frozen=True)
class Diagnosis:
    """``rule`` is a rule's name or ``unexplained``; ``where`` its circumstance, empty for everywhere.

    ``fits``: names of the other rules that predict the same for all that was asked.
    """

    rule: str
    sentence: str
    where: str = ""
    pattern: str = ""
    fits: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.rule == UNEXPLAINED:
            return f"{NO_RULE}{self.pattern}"
        return self.sentence + (f"{ONLY}{self.where}" if self.where else "")

    @classmethod
    def from_text(cls, rule: str, where: str, text: str, fits: Iterable[str] = ()) -> Diagnosis:
        """The diagnosis that a run record gives as a rule, a circumstance and a text."""
        if rule == UNEXPLAINED:
            return cls(rule, "", where, text.removeprefix(NO_RULE))
        return cls(rule, text.removesuffix(f"{ONLY}{where}") if where else text, where, fits=tuple(fits))


@dataclass(frozen=True)
class Cause:
    """A diagnosis and the wrong answers that it explains."""

    diagnosis: Diagnosis
    wrong: Mask


@dataclass(frozen=True)
class Candidate:
    """A rule, the answers that it changes, and those that it misses."""

    rule: Rule
    claims: Mask
    misses: Mask
    composed: bool


def diagnose(op: Operation, seen: Observations, want: Expected, wrong: Mask, nan: str = "class") -> list[Cause]:
    """The causes of the wrong answers among the observed ones, the severest first; at least one must be wrong."""
    return Search(op, seen, want, wrong, nan).causes()


class Peel:
    """The search for causes among candidates: one for everything, or one after another.

    A search says what it asked: ``seen``, which answers are ``wrong``, which mismatches are ``pardoned``, and the
    ``places`` where a mistake may be confined, everywhere first.
    """

    seen: Observations
    wrong: Mask
    pardoned: Mask
    places: list[Place]

    @cached_property
    def bits(self) -> NDArray[np.uint64]:
        """The places packed."""
        return np.stack([_bits(place.there) for place in self.places])

    def _left(self, found: Sequence[Cause]) -> Mask:
        """The wrong answers that no cause explains."""
        left = self.wrong.copy()
        for cause in found:
            left &= ~cause.wrong
        return left

    def _sound(self, found: list[Cause]) -> list[Cause]:
        """The causes without those in whose circumstance other answers stay unexplained: a fault of another kind."""
        while True:
            left = self._left(found)
            there = {place.text: place.there for place in self.places}
            kept = [c for c in found if not c.diagnosis.where or not (left & there[c.diagnosis.where]).any()]
            if len(kept) == len(found):
                return found
            found = kept

    def _single(self, candidates: Sequence[Candidate]) -> Cause | None:
        """The rule, and the widest circumstance, that explain every answer, right and wrong."""
        holding = [place for place in self.places if not (self.wrong & ~place.there).any()]
        whole = [c for c in candidates if not (c.misses & self.wrong).any()]
        for place in holding:
            fitting = [
                c for c in whole if not (c.misses & place.there).any() and (not place.text or not c.rule.throughout)
            ]
            if fitting:
                return Cause(_named(fitting, place), self.wrong)
        return None

    def _peel(self, candidates: Sequence[Candidate]) -> list[Cause]:
        """Causes that predict every answer that they change, unless an earlier one explains it.

        Those that hold everywhere come first, then those that hold under a circumstance; where that leaves something,
        or takes many, rules that explain most answers are tried after others that explain what contradicts them.
        """
        found = _needed(self._greedy(candidates, []))
        score = int(self._left(found).sum()), len(found)
        if score <= (0, 2):
            return found
        half = int(self.wrong.sum()) // 2
        wide = [(int((c.claims & ~c.misses & self.wrong).sum()), i) for i, c in enumerate(candidates)]
        for _, i in sorted((item for item in wide if item[0] > half), reverse=True)[:WIDE]:
            if seed := self._seed(candidates, candidates[i]):
                other = _needed(self._greedy(candidates, seed))
                if (rest := (int(self._left(other).sum()), len(other))) < score:
                    found, score = other, rest
        return found

    def _seed(self, candidates: Sequence[Candidate], c: Candidate) -> list[tuple[Diagnosis, Mask]]:
        """A rule that holds everywhere but where others explain what contradicts it; nothing where none do."""
        rest = c.claims & c.misses & ~self.pardoned
        if not rest.any() or (rest & ~self.wrong).any():
            return []
        found = self._greedy([o for o in candidates if o is not c], [], rest)
        if (rest & ~np.logical_or.reduce([hits for _, hits in found] or [~rest])).any():
            return []
        alike = [o for o in candidates if o is c or not ((o.claims ^ c.claims) | (o.misses ^ c.misses)).any()]
        return [*found, (_named(alike, self.places[0]), c.claims & ~c.misses & self.wrong)]

    def _greedy(
        self, candidates: Sequence[Candidate], seed: Sequence[tuple[Diagnosis, Mask]], among: Mask | None = None
    ) -> list[tuple[Diagnosis, Mask]]:
        """Causes one after another, after those of a seed; ``among``: until these answers are explained."""
        found = list(seed)
        explained = self.pardoned.copy()
        left = (self.wrong if among is None else among).copy()
        for _, hits in found:
            left &= ~hits
            explained |= hits
        while left.any() and len(found) < MOST:
            fitting, rank = self._best(candidates, left, explained)
            if not fitting:
                break
            place, first = self.places[rank], fitting[0]
            fresh = place.there & ~explained
            alike = [c for c in fitting if not ((c.claims ^ first.claims) & fresh).any()]
            hits = first.claims & ~first.misses & self.wrong & place.there
            found.append((_named(alike, place), hits))
            left &= ~hits
            explained |= hits
        return found

    def _best(self, candidates: Sequence[Candidate], left: Mask, explained: Mask) -> tuple[list[Candidate], int]:
        """The rules, and the circumstance, that explain most of what is left."""
        best: tuple[bool, int, int, list[Candidate]] = (False, 0, 0, [])
        for c in candidates:
            hits = c.claims & ~c.misses & left
            count = int(hits.sum())
            if not count or (best[0] and count < best[1]):
                continue
            reach, rank = self._widest(c, hits, explained, best[1] if not best[0] else len(left))
            score = (rank == 0, reach, -rank)
            if reach and score > (best[0], best[1], -best[2]):
                best = (rank == 0, reach, rank, [c])
            elif reach and score == (best[0], best[1], -best[2]):
                best[3].append(c)
        return best[3], best[2]

    def _widest(self, c: Candidate, hits: Mask, explained: Mask, least: int) -> tuple[int, int]:
        """How many wrong answers a rule explains in the circumstance where it explains most, and which one that is.

        Circumstances under which it explains fewer than ``least`` need no look.
        """
        bad = c.claims & c.misses & ~explained
        if not bad.any():
            return int(hits.sum()), 0
        if c.rule.throughout or int(hits.sum()) < least:
            return 0, 0
        # the first circumstance, everywhere, is never free: something is bad
        free = ~(self.bits & _bits(bad)).any(axis=1)
        counts = np.bitwise_count(self.bits & _bits(hits)).sum(axis=1, dtype=np.intp)
        best = 0, 0
        for rank in np.flatnonzero(free & (counts > 0)).tolist():
            count, place = int(counts[rank]), self.places[rank]
            if count <= best[0]:
                continue
            if place.narrow and np.unique(self.seen.case[hits & place.there]).size < EVIDENCE:
                continue
            best = count, rank
        return best


class Search(Peel):
    """The search for the causes of one operation's wrong answers."""

    def __init__(self, op: Operation, seen: Observations, want: Expected, wrong: Mask, nan: str) -> None:
        self.op, self.seen, self.want, self.wrong, self.nan = op, seen, want, wrong, nan
        # mismatches that a variation allows need no explanation
        self.pardoned = self._misses(seen.got, seen.status, want, want) & ~wrong
        self.places = list(circumstances(op, seen, want))
        self.cases = np.unique(seen.case[wrong])
        first = np.full(len(seen.operands[0]), -1, np.intp)
        first[seen.case[wrong][::-1]] = np.flatnonzero(wrong)[::-1]
        self.shown = first[self.cases]  # a wrong answer of each wrong case
        there = np.zeros_like(wrong)
        there[self.shown] = True
        graded = np.zeros(wrong.size, np.intp)
        graded[there] = severity(op, seen, want, there)
        self.grades = graded[self.shown]

    def causes(self) -> list[Cause]:
        hopeful = self._hopeful(rules_for)  # those that miss no wrong answer first: one of them is the rule most often
        whole = self._evaluated(rules_for, {key for key, every in hopeful.items() if every})
        if single := self._single(whole):
            return [single]
        simple = self._evaluated(rules_for, set(hopeful))
        shuffled = _shuffled(self.op, self.seen, self.want.codes, self.wrong)
        if shuffled is not None:
            return [Cause(shuffled, self.wrong)]
        composed = self._candidates(composed_rules, SHARE)
        if single := self._single(composed):
            return [single]
        found = self._peel([*simple, *composed])
        if len(plain := self._peel(simple)) <= len(found) and not self._left(plain).any():
            found = plain  # no detour is named where as few simple rules do
        if composed_rest := self._rest(composed_rules, found, composed):
            found = self._peel([*simple, *composed, *composed_rest])
        if self._left(found).any():
            paired = self._candidates(paired_rules, SHARE)
            if single := self._single(paired):
                return [single]
            more = self._peel([*simple, *composed, *paired]) if paired else found
            if self._left(more).sum() < self._left(found).sum():
                found = more
        found = self._sound(found)
        found += self._clusters(self._left(found), simple)
        grades = [severity(self.op, self.seen, self.want, cause.wrong).min() for cause in found]
        order = sorted(range(len(found)), key=lambda i: (grades[i], -int(found[i].wrong.sum())))
        return [found[i] for i in order]

    def _rest(self, book: Any, found: Sequence[Cause], known: Sequence[Candidate]) -> list[Candidate]:
        """More rules of a book, that explain a share of what is left."""
        left = self._left(found)
        if not left.any():
            return []
        names = {c.rule.name for c in known}
        return [c for c in self._candidates(book, SHARE, left) if c.rule.name not in names]

    def _candidates(self, book: Any, share: float = 0.0, among: Mask | None = None) -> list[Candidate]:
        """The rules of a book that predict a wrong answer; more than a share of those of one degree of severity."""
        return self._evaluated(book, set(self._hopeful(book, share, among)), share > 0)

    def _hopeful(self, book: Any, share: float = 0.0, among: Mask | None = None) -> dict[tuple[str, str], bool]:
        """Such rules, as those wrong answers say that are looked at, and whether they predict all of these."""
        seen, want = self.seen, self.want
        shown, cases = (self.shown, self.cases) if not share else self._sample(self.wrong if among is None else among)
        got = seen.got[shown]
        status = None if seen.status is None else seen.status[shown]
        grades = np.zeros(len(got), np.intp) if not share else self.grades[np.searchsorted(self.cases, cases)]
        sizes = np.bincount(grades, minlength=len(SEVERITIES))
        hopeful: dict[tuple[str, str], bool] = {}
        for rule in book(self.op, [codes[cases] for codes in seen.operands]):
            predicted = prediction(rule, got.dtype)
            if predicted is not None:
                hit = ~self._misses(got, status, want.taken(shown), predicted)
                if (np.bincount(grades[hit], minlength=len(SEVERITIES)) > share * sizes).any():
                    key = rule.name, rule.sentence
                    hopeful[key] = bool(hit.all()) or hopeful.get(key, False)
        return hopeful

    def _evaluated(self, book: Any, hopeful: set[tuple[str, str]], composed: bool = False) -> list[Candidate]:
        """Rules of a book with what they change and miss among all answers."""
        seen, want = self.seen, self.want
        found, every = [], expect(self.op, seen.operands)
        for rule in book(self.op, seen.operands) if hopeful else ():
            if (rule.name, rule.sentence) not in hopeful:
                continue
            predicted = prediction(rule, seen.got.dtype)
            if predicted is None:
                continue
            claims = differs(self.op, predicted.codes, every.codes, self.nan)
            if predicted.status is not None and every.status is not None:
                claims |= predicted.status != every.status
            if claims.any():
                misses = self._misses(seen.got, seen.status, want, predicted.taken(seen.case)) & ~self.pardoned
                found.append(Candidate(rule, claims[seen.case], misses, composed))
        return found

    def _sample(self, among: Mask) -> tuple[Codes, Codes]:
        """Some wrong answers of each degree of severity, and their cases."""
        there = among[self.shown] if among[self.shown].any() else np.ones(self.shown.size, bool)
        some = [np.flatnonzero((self.grades == grade) & there) for grade in range(len(SEVERITIES))]
        chosen = np.sort(np.concatenate([x[:: -(-x.size // SAMPLE)] for x in some if x.size]))
        return self.shown[chosen], self.cases[chosen]

    def _misses(self, got: Codes, status: Codes | None, want: Expected, predicted: Expected) -> Mask:
        """Which answers a prediction misses; where it gives no status, that of answers that it changes may be any."""
        off = differs(self.op, got, predicted.codes, self.nan)
        if status is not None and predicted.status is not None:
            off |= status != predicted.status
        elif status is not None and want.status is not None:
            off |= (status != want.status) & ~differs(self.op, predicted.codes, want.codes, self.nan)
        return off

    def _clusters(self, left: Mask, candidates: Sequence[Candidate]) -> list[Cause]:
        """What nothing explains: one cause for each degree of severity."""
        if not left.any():
            return []
        grades = severity(self.op, self.seen, self.want, left)
        found = []
        for grade in range(len(SEVERITIES)):
            mine = left.copy()
            mine[left] = grades == grade
            if mine.any():
                near = [(int((c.claims & ~c.misses & mine).sum()), c.rule) for c in candidates if not c.rule.throughout]
                said = pattern(self.op, self.seen, self.want, mine, near)
                found.append(Cause(Diagnosis(UNEXPLAINED, "", pattern=said), mine))
        return found


def _bits(mask: Mask) -> NDArray[np.uint64]:
    """A mask, 64 places a word: what circumstances and rules have in common is counted some fifty times as fast."""
    return np.packbits(np.pad(mask, (0, -mask.size % 64))).view(np.uint64)


def _needed(found: Sequence[tuple[Diagnosis, Mask]]) -> list[Cause]:
    """The causes without those whose every answer others explain; an answer belongs to the first that explains it."""
    kept = list(found)
    for one in sorted(found, key=lambda item: int(item[1].sum())):
        others = [hits for other in kept if other is not one for hits in other[1:]]
        if others and not (one[1] & ~np.logical_or.reduce(others)).any():
            kept = [other for other in kept if other is not one]
    causes, explained = [], np.zeros(0, bool)
    for diagnosis, hits in kept:
        mine = hits & ~explained if explained.size else hits
        causes.append(Cause(diagnosis, mine))
        explained = hits | explained if explained.size else hits
    return causes


def _named(fitting: Sequence[Candidate], place: Place) -> Diagnosis:
    """The diagnosis of rules that predict the same."""
    fitting = [c for c in fitting if c.composed == fitting[0].composed]  # the simpler ones alone
    rules = list({c.rule.sentence: c.rule for c in fitting}.values())
    fits = tuple(dict.fromkeys(rule.name for rule in rules[1:]))
    return Diagnosis(rules[0].name, some_of([rule.sentence for rule in rules]), place.text, fits=fits)


def _shuffled(op: Operation, seen: Observations, want: Codes, wrong: Mask) -> Diagnosis | None:
    """Answers that are right but stand in the wrong place of their call."""
    starts = np.flatnonzero(np.diff(seen.call, prepend=-1))
    partly = np.bincount(seen.call)[seen.call] != seen.length  # the long call: what differs
    first = np.unique(seen.case, return_index=True)[1]
    for name, sentence, source in (
        ("reversed", "answers come in reverse order", seen.length - 1 - seen.position),
        ("rotated", "answers are shifted by one place", (seen.position - 1) % np.maximum(seen.length, 1)),
        ("rotated", "answers are shifted by one place", (seen.position + 1) % np.maximum(seen.length, 1)),
    ):
        base = starts[np.cumsum(np.isin(np.arange(seen.size), starts)) - 1]
        place = np.where(partly, first[source % first.size], np.minimum(base + source, seen.size - 1))
        if not differs(op, seen.got, want[place]).any():
            return Diagnosis(name, sentence)
    return None
