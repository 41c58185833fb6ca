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


ROUNDING_SENTENCES = {mode: f"rounds {direction}" for mode, direction in DIRECTIONS.items()} | {
    Rounding.TIES_TO_EVEN: "ties go to the even code",
    Rounding.TIES_TO_AWAY: "ties go away from zero",
    Rounding.TOWARD_ZERO: "truncates: rounds toward zero",
}


def where(condition: Codes, then: Any, otherwise: Codes) -> Callable[[], Codes]:
    """``np.where`` for later, with its arguments bound now."""
    return lambda: np.where(condition, then, otherwise).astype(otherwise.dtype, copy=False)


def either(sentences: Sequence[str]) -> str:
    """Alternatives as one sentence; what they all begin with is said once.

    >>> either(["ties go away; and NaN becomes 0", "ties go away; and NaN becomes the largest"])
    'ties go away; and NaN becomes 0, or NaN becomes the largest'
    """
    clauses = [sentence.split("; and ") for sentence in sentences]
    together = zip(*(c[:-1] for c in clauses))
    shared = [first for first, *_ in takewhile(lambda column: len(set(column)) == 1, together)]
    rest = ["; and ".join(c[len(shared) :]) for c in clauses]
    return "; and ".join([*shared, ", or ".join(rest)])
