"""The calls that cases are asked in: whole, in short arrays of every length, in odd layouts, and again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.questions import shapes
from ...cases.selection import BLOCK

LENGTHS = (*range(41), 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 1023, 1025, 4099)
ODD_LENGTHS = (1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 67, 1021, 8195)
REPEATS = {1: 1, 2: 12, 3: 12}
AGAIN = 4096
LONG = {1: (1 << 20) + 3, 2: (1 << 22) + 3, 3: (1 << 22) + 3}


@dataclass(frozen=True)
class Call:
    """One call: which of the cases, by index, in which layout; ``again`` where all of them were asked before."""

    cases: NDArray[np.intp]
    layout: str = "plain"
    again: bool = False


def repeats(op: Operation, level: int) -> int:
    """How often every length is asked: an implementation has most of its code in conversions, and many operations.

    A constant is one case, and asked once.
    """
    if op.asked.kind == "constant":
        return 0
    return 1 if level == 1 and op.asked.kind in ("arithmetic", "compare", "test", "codes") else REPEATS[level]


def long_call(op: Operation, level: int) -> int:
    """Elements of one long call, for one operation of each kind of loop: threads share it, and counters run over."""
    there = (op.family, op.operands[0]) == ("convert", "f32") or (op.family, op.result) == ("decode", "f32")
    if op.flags or not (there or op.family == "add"):
        return 0
    return LONG[level]


def room(op: Operation, capacity: int) -> int:
    """The most cases of one call, where its largest array has ``capacity`` elements and is laid out with gaps."""
    return max(1, capacity // 2 // case_size(op))


def case_size(op: Operation) -> int:
    """Elements of the largest array of one case."""
    return max(math.prod(shape) for shape in shapes(op, 1))


def calls(count: int, times: int, seed: int, room: int = BLOCK) -> Iterator[Call]:
    """The calls for ``count`` cases, every length ``times`` times; the first ones ask every case once, in order.

    ``room``: the most cases of one call.
    """
    everything = np.arange(count)
    step = min(BLOCK, room)
    for start in range(0, max(count, 1), step):
        yield Call(everything[start : start + step])
    if count == 0 or times == 0:
        return
    rng = np.random.default_rng([seed, count])
    for _ in range(times):
        for n in (n for n in LENGTHS if n <= room):
            yield Call(rng.integers(0, count, n))
    for layout in ("offset", "strided", "reversed"):
        for n in (n for n in ODD_LENGTHS if n <= room):
            yield Call(rng.integers(0, count, n), layout)
    yield Call(everything[: min(AGAIN, room)], again=True)
