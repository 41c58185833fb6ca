"""The lemma under every claim by runs: for one sign, a larger magnitude never gets a smaller answer.

Between two values of a format the answer is decided by the discarded part alone, and only by which of four parts it
lies in (``spec/test_rounding.py`` tests that on 68 parts, the extreme ones among them).  So one representative of each
part of every gap, in ascending order, stands for all magnitudes.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from fast.runs import Run, find_runs
from second_oracles.exact import ROUNDINGS

from fp8ref import spec
from fp8ref.spec import Format

EVERY = tuple(f.name for f in spec.formats() if f.k <= 8)
CHOSEN = ("e4m3fn", "e5m2", "e3m4", "e4m3fnuz", "e8m0fnu", "ue5m3", "e2m3fn", "mxint8", "binary8p4se", "binary6p1ue")


def rank(code: int, f: Format) -> tuple[int, Fraction]:
    """Finite answers by magnitude, then infinity, then NaN."""
    datum = spec.unpack(code, f)
    return 2 * datum.is_nan + datum.is_infinite, datum.magnitude


def representatives(f: Format) -> list[Fraction]:
    rungs = sorted({abs(v) for v in f.values()})
    gap = rungs[-1] - rungs[-2]
    rungs = [Fraction(0), *(r for r in rungs if r), *(rungs[-1] + gap * n for n in (1, 2, 3, 50))]
    return [low + (high - low) * n / 4 for low, high in pairwise(rungs) for n in range(4)]


def assert_monotone(name: str, rounding: str, overflow: str) -> None:
    f = spec.get_format(name)
    for sign in (0, 1):
        data = [spec.Datum.finite(-x if sign else x, sign) for x in representatives(f)]
        codes = [spec.encode(x, f, rounding, overflow)[0] for x in (*data, spec.Datum.infinity(sign))]
        ranks = [rank(code, f) for code in codes]
        assert ranks == sorted(ranks), (name, rounding, overflow, sign)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_chosen_formats(rounding: str) -> None:
    """Each with the rule that has the most cases."""
    for name in CHOSEN:
        assert_monotone(name, rounding, "nonsat")


@pytest.mark.full
@pytest.mark.parametrize("overflow", ["sat", "satprop", "nonsat"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_format(rounding: str, overflow: str) -> None:
    for name in EVERY:
        assert_monotone(name, rounding, overflow)


@pytest.mark.parametrize("guesses", [[], [3], [2, 3, 41, 42, 90], [0, 1, 50, 98, 99], list(range(100))])
def test_runs_are_found_whatever_is_guessed(guesses: list[int]) -> None:
    ends = [(0, 7), (3, 1), (42, 2), (43, 5), (98, 9), (99, 3)]

    def reference(position: int) -> int:
        return next(code for last, code in ends if position <= last)

    firsts = [0, *(last + 1 for last, _ in ends[:-1])]
    assert find_runs(reference, 99, guesses) == [Run(first, last, code) for first, (last, code) in zip(firsts, ends)]
