"""Where the reference's answers to a conversion change over the codes of a float format, found by asking it alone.

The magnitude codes 0 .. infinity of a source are in the order of their values.  A *run* is a stretch of them with one
answer.  Conversions are monotone, which ``tests/fast/test_monotone.py`` shows for every mode, so a whole run is known
once the reference has been asked at both of its ends.  Guesses may say where to look first, for instance the ends under
another overflow rule; an end is still accepted only where the reference answers differently on its two sides, and a
wrong guess costs a bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise

from ...spec.catalog import get_format
from ...spec.codec import pack
from ...spec.formats import Format
from ...spec.projection import Projection, encode, operand, project

TO_NEAREST = ("rne", "rna")


@dataclass(frozen=True)
class Run:
    """Magnitude codes ``first`` .. ``last`` of the source all get ``code``."""

    first: int
    last: int
    code: int


def find_runs(reference: Callable[[int], int], last: int, guesses: Sequence[int] = ()) -> list[Run]:
    """The runs over 0 .. last; ``guesses`` are ascending positions at which a run may end."""
    runs: list[Run] = []
    first = 0
    while first <= last:
        answer = reference(first)
        if reference(last) == answer:
            same, different = last, last + 1
        else:
            same, different = _narrowed(reference, answer, first, last, guesses)
        while different - same > 1:
            middle = (same + different) // 2
            if reference(middle) == answer:
                same = middle
            else:
                different = middle
        runs.append(Run(first, same, answer))
        first = same + 1
    return runs


def _narrowed(
    reference: Callable[[int], int], answer: int, first: int, last: int, guesses: Sequence[int]
) -> tuple[int, int]:
    """A position with the answer of the run that begins at ``first``, and one beyond the run."""
    same = first
    for at in range(bisect_left(guesses, first), len(guesses)):
        for position in (guesses[at], min(guesses[at] + 1, last)):
            if reference(position) != answer:
                return same, position
            same = position
    return same, last


@cache
def _position(x: Fraction, source: Format) -> int:
    """The magnitude code of the largest value of the source that does not exceed x."""
    return encode(x, source, "rtz")[0]


def guesses(source: Format, f: Format, rounding: str) -> list[int]:
    """Just below and at every value or, to nearest, every midpoint of a format of at most 10 bits."""
    rungs = [abs(f.lowest) if f.fixed_point else f.max, *sorted({abs(v) for v in f.values()})]
    rungs = sorted({*rungs, rungs[-1] + (rungs[-1] - rungs[-2])})
    points = [(low + high) / 2 for low, high in pairwise(rungs)] if rounding in TO_NEAREST else rungs
    at = [_position(x, source) for x in points if x <= source.max]
    return sorted({p + d for p in at for d in (-1, 0) if p + d >= 0})


class Reference:
    """The reference's answers to the codes of one source under one projection, remembered and counted."""

    def __init__(self, source: Format | str, f: Format | str, rho: Projection) -> None:
        self.source, self.format, self.rho = get_format(source), get_format(f), rho
        self.calls = 0

    def answer(self, code: int) -> int:
        """The reference's code for one code of the source."""
        self.calls += 1
        return pack(project(operand(code, self.source, self.rho), self.format, self.rho)[0], self.format)

    def runs(self, negative: bool, at: Sequence[int]) -> list[Run]:
        """The runs of one sign; ``at``: guesses."""
        answers: dict[int, int] = {}
        sign = self.source.sign_bit if negative else 0

        def reference(magnitude: int) -> int:
            if magnitude not in answers:
                answers[magnitude] = self.answer(sign | magnitude)
            return answers[magnitude]

        return find_runs(reference, self.source.infinity_code, at)
