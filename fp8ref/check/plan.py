"""The calls that cases are asked in: whole, in short arrays of every length, in odd layouts, and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import Operation
from ..cases.selection import BLOCK

LENGTHS = (*range(41), 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 1023, 1025, 4099)
ODD_LENGTHS = (1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 67, 1021, 8195)
REPEATS = {1: 1, 2: 12, 3: 12}
AGAIN = 4096


@dataclass(frozen=True)
class Call:
    """One call: which of the cases, by index, in which layout; ``again`` where all of them were asked before."""

    cases: NDArray[np.intp]
    layout: str = "plain"
    again: bool = False


def repeats(op: Operation, level: int) -> int:
    """How often every length is asked: an implementation has most of its code in conversions, and many operations."""
    return 1 if level == 1 and op.asked.kind in ("arithmetic", "compare", "test", "codes") else REPEATS[level]


def calls(count: int, times: int, seed: int) -> Iterator[Call]:
    """The calls for ``count`` cases, every length ``times`` times; the first ones ask every case once, in order."""
    everything = np.arange(count)
    for start in range(0, max(count, 1), BLOCK):
        yield Call(everything[start : start + BLOCK])
    if count == 0:
        return
    rng = np.random.default_rng([seed, count])
    for _ in range(times):
        for n in LENGTHS:
            yield Call(rng.integers(0, count, n))
    for layout in ("offset", "strided", "reversed"):
        for n in ODD_LENGTHS:
            yield Call(rng.integers(0, count, n), layout)
    yield Call(everything[:AGAIN], again=True)
