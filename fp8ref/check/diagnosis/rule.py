"""Wrong rules: what an implementation would answer if it made one well-known mistake.

Each rule predicts an answer for every case.  The diagnosis names a rule only if it predicts *all* answers, right and
wrong, so a rule here costs nothing but its own line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected
from ...cases.operation import Operation
from ...fast.kernel import Fields
from ...spec.formats import Format
from ...spec.projection import Projection
from ...spec.rounding import DIRECTIONS, Rounding

Codes = NDArray[Any]


@dataclass(frozen=True)
class Rule:
    """A mistake by name, in one sentence, and its prediction (NotImplementedError where it cannot apply).

    A prediction without a status leaves the flags of the answers that it changes open.  ``throughout``: nobody makes
    this mistake in some places only, so it is named where it explains every answer, or not at all.
    """

    name: str
    sentence: str
    predict: Callable[[], Codes | Expected]
    throughout: bool = False

    def predicted(self) -> Expected:
        found = self.predict()
        return found if isinstance(found, Expected) else Expected(found)


@dataclass(frozen=True)
class Asked:
    """Cases whose exact results are rounded: ``parts`` of these, the right codes, and answers to other questions."""

    op: Operation
    parts: Fields
    right: Codes
    project: Callable[[Projection, Format], Expected]
    precision: float  # of what is rounded: bits of a conversion's source

    @property
    def f(self) -> Format:
        return self.op.result_format

    @property
    def rho(self) -> Projection:
        return self.op.projection

    @property
    def sign(self) -> Codes:
        """The sign bit of the result format where the exact result is negative."""
        return np.where(self.parts.negative & self.f.signed, self.f.sign_bit, 0).astype(self.right.dtype)

    @property
    def zero(self) -> Codes:
        """A zero of the result's sign."""
        return self.sign if self.f.has_negative_zero else np.zeros_like(self.right)

    def answer(self, rho: Projection, f: Format | None = None) -> Codes:
        return self.project(rho, f or self.f).codes

    def instead(self, **changed: Any) -> Callable[[], Expected]:
        """The prediction of an answer under another projection, for later."""
        return lambda: self.project(replace(self.rho, **changed), self.f)


WORDS = 4  # in which alternatives differ at most that are said as one
TOGETHER, READABLE = 3, 100  # alternatives that are named; characters beyond which two of them are enough

ROUNDING_SENTENCES = {mode: f"rounds {direction}" for mode, direction in DIRECTIONS.items()} | {
    Rounding.TIES_TO_EVEN: "ties go to the even code",
    Rounding.TIES_TO_AWAY: "ties go away from zero",
    Rounding.TOWARD_ZERO: "truncates: rounds toward zero",
}


def where(condition: Codes, then: Any, otherwise: Codes) -> Callable[[], Codes]:
    """``np.where`` for later, with its arguments bound now."""
    return lambda: np.where(condition, then, otherwise).astype(otherwise.dtype, copy=False)


def some_of(sentences: Sequence[str]) -> str:
    """Alternatives as one sentence, as many as can be read, and how many more there are."""
    named = sentences[:TOGETHER]
    if len(either(named)) > READABLE:
        named = named[:2]
    more = len(sentences) - len(named)
    return either(named) + (f" ({more} more rule{'s fit' if more > 1 else ' fits'} as well)" if more else "")


def either(sentences: Sequence[str]) -> str:
    """Alternatives as one sentence; what they begin with is said once.

    >>> either(["ties go away; and NaN becomes 0", "ties go away; and NaN becomes the largest"])
    'ties go away; and NaN becomes 0 or the largest'
    >>> either(["goes via f16, rounded toward zero", "goes via f16, rounded toward zero, saturated"])
    'goes via f16, rounded toward zero (saturated or not)'
    """
    clauses = [sentence.split("; and ") for sentence in sentences]
    together = zip(*(c[:-1] for c in clauses))
    shared = [first for first, *_ in takewhile(lambda column: len(set(column)) == 1, together)]
    rest = _folded(["; and ".join(c[len(shared) :]) for c in clauses])
    return "; and ".join([*shared, ", or ".join(rest)])


def _folded(sentences: Sequence[str]) -> list[str]:
    """Alternatives of which those with one beginning are one: the word or two in which they differ joined by "or"."""
    found: list[tuple[list[str], list[str]]] = []  # what is said once, and the words that differ
    for sentence in sentences:
        words = sentence.split()
        for begun, ends in found:
            if len(ends) == 1 and sentence == f"{(first := ' '.join([*begun, *ends]))}, saturated":
                ends[:] = [first.removeprefix(" ".join(begun)).strip() + " (saturated or not)"]
                break
            same = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(words, [*begun, *ends[0].split()]))))
            if len(ends) == 1:
                own = [*begun, *ends[0].split()]
                if 2 <= same < min(len(words), len(own)) and max(len(words), len(own)) - same <= WORDS:
                    begun[:], ends[:] = own[:same], [" ".join(own[same:]), " ".join(words[same:])]
                    break
            elif same == len(begun) and len(words) - same <= WORDS:
                ends.append(" ".join(words[same:]))
                break
        else:
            found.append(([], [sentence]))
    return [" ".join([*begun, " or ".join(ends)]).strip() for begun, ends in found]


def prediction(rule: Rule, dtype: np.dtype[Any]) -> Expected | None:
    """A rule's prediction; None where it has none, or none of the right type."""
    try:
        found = rule.predicted()
    except (NotImplementedError, ValueError, OverflowError):
        return None
    return found if found.codes.dtype == dtype else None
