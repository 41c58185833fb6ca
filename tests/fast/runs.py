"""Where the law's answers change over the codes of a float format, found from the law alone.

The magnitude codes 0 .. infinity of a source are in the order of their values.  A *run* is a stretch of them with one
answer.  Conversions are monotone (``test_monotone.py``), so the law has spoken about a whole run once it has been asked
at both of its ends.  Guesses may say where to look first, for instance the ends under another overflow rule; an end is
still accepted only where the law answers differently on its two sides, and a wrong guess costs a bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import fp8ref
from fp8ref import spec
from fp8ref.spec import Format

DTYPES: dict[str, Any] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
Mode = tuple[str, str]  # rounding, overflow


@dataclass(frozen=True)
class Run:
    """Magnitude codes ``first`` .. ``last`` of the source all get ``code``."""

    first: int
    last: int
    code: int


def find_runs(law: Callable[[int], int], last: int, guesses: Sequence[int]) -> list[Run]:
    """The runs over 0 .. last; ``guesses`` are ascending positions at which a run may end."""
    runs: list[Run] = []
    first = 0
    while first <= last:
        answer = law(first)
        if law(last) == answer:
            same, different = last, last + 1
        else:
            same, different = _narrowed(law, answer, first, last, guesses)
        while different - same > 1:
            middle = (same + different) // 2
            if law(middle) == answer:
                same = middle
            else:
                different = middle
        runs.append(Run(first, same, answer))
        first = same + 1
    return runs


def _narrowed(law: Callable[[int], int], answer: int, first: int, last: int, guesses: Sequence[int]) -> tuple[int, int]:
    """A position with the answer of the run that begins at ``first``, and one beyond the run."""
    same = first
    for at in range(bisect_left(guesses, first), len(guesses)):
        for position in (guesses[at], min(guesses[at] + 1, last)):
            if law(position) != answer:
                return same, position
            same = position
    return same, last


@cache
def _position(x: Fraction, source: str) -> int:
    """The magnitude code of the largest value of the source that does not exceed x."""
    return spec.encode(x, source, "rtz")[0]


def _guesses(source: str, f: Format, rounding: str) -> list[int]:
    """Just below and at every value or, to nearest, every midpoint of the format."""
    rungs = [abs(f.lowest) if f.fixed_point else f.max, *sorted({abs(v) for v in f.values()})]
    rungs = sorted({*rungs, rungs[-1] + (rungs[-1] - rungs[-2])})
    points = rungs
    if rounding in ("rne", "rna"):
        points = [(low + high) / 2 for low, high in pairwise(rungs)]
    at = [_position(x, source) for x in points if x <= spec.get_format(source).max]
    return sorted({p + d for p in at for d in (-1, 0) if p + d >= 0})


class Law:
    """The law's answers to one source and format, remembered."""

    def __init__(self, source: str, name: str) -> None:
        self.source, self.format = spec.get_format(source), spec.get_format(name)
        self.calls = 0

    def runs(self, rounding: str, overflow: str, negative: bool, guesses: Sequence[int]) -> list[Run]:
        answers: dict[int, int] = {}
        sign = self.source.sign_bit if negative else 0

        def law(magnitude: int) -> int:
            if magnitude not in answers:
                self.calls += 1
                datum = spec.unpack(sign | magnitude, self.source)
                answers[magnitude] = spec.encode(datum, self.format, rounding, overflow)[0]
            return answers[magnitude]

        return find_runs(law, self.source.infinity_code, guesses)

    def every_run(self, modes: Sequence[Mode]) -> dict[tuple[Mode, bool], list[Run]]:
        """The runs of each mode and sign; the ends found first are guesses for the modes that differ in overflow."""
        found: dict[tuple[Mode, bool], list[Run]] = {}
        ends: dict[str, list[int]] = {}
        for rounding, overflow in modes:
            directed = rounding in ("rtp", "rtn")
            for negative in (False, True):
                key = f"{rounding}{negative}" if directed else rounding
                if key not in ends:
                    ends[key] = _guesses(self.source.name, self.format, rounding)
                runs = self.runs(rounding, overflow, negative, ends[key])
                found[(rounding, overflow), negative] = runs
                if directed or not negative:
                    ends[key] = [run.last for run in runs]
        return found


def nan_answer(f: Format) -> int:
    """What a NaN becomes by default."""
    return f.max_code if f.nan_canonical is None else f.nan_canonical


def samples(runs: Sequence[Run], per_run: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both ends of every run, their neighbours within it and random codes of it; and the answer to each."""
    first = np.array([run.first for run in runs], np.int64)
    last = np.array([run.last for run in runs], np.int64)
    columns = [first, last, np.minimum(first + 1, last), np.maximum(last - 1, first), first + (last - first) // 2]
    columns += [rng.integers(first, last + 1) for _ in range(per_run)]
    return np.concatenate(columns), np.tile([run.code for run in runs], len(columns))


def every_code(runs: Sequence[Run]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every magnitude code from 0 to the last run's last, and the answer to each."""
    lengths = [run.last - run.first + 1 for run in runs]
    return np.arange(sum(lengths)), np.repeat([run.code for run in runs], lengths)


def disagreement(
    source: str, f: Format, mode: Mode, negative: bool, magnitudes: NDArray[Any], want: NDArray[Any]
) -> str:
    """'' where the arrays' answers to these magnitude codes are the wanted ones, else the first that is not."""
    dtype = np.dtype(f"u{np.dtype(DTYPES[source]).itemsize}")
    bits = magnitudes.astype(dtype)
    bits |= dtype.type(spec.get_format(source).sign_bit if negative else 0)
    x = bits.view(DTYPES[source])
    got = fp8ref.encode(x, f, rounding=mode[0], overflow=mode[1])
    wrong = np.flatnonzero(got != want)
    if wrong.size == 0:
        return ""
    at = wrong[0]
    return (
        f"{source}:{int(bits[at]):#x} to {f.name} {'.'.join(mode)}: {int(got[at]):#x}, the law says {int(want[at]):#x}"
    )
