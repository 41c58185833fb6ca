"""Coverage: which bins an operation has, which of them cases are in, and which no case can be in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.exact import Sum
from ...cases.products.questions import is_product
from ...cases.scaling.questions import is_scale
from ..section import NONE, Block, Coverpoint
from .block_points import block_points
from .dot_points import dot_points
from .dot_view import DotView
from .element_points import element_points
from .points import Point, View


def points_of(op: Operation) -> tuple[Point, ...]:
    """The coverpoints of an operation, with what is known of their values."""
    return dot_points(op) if is_product(op) else block_points(op) if is_scale(op) else element_points(op)


def coverpoints_of(op: Operation) -> tuple[Coverpoint, ...]:
    return tuple(point.coverpoint for point in points_of(op))


def bins_of(op: Operation, points: Sequence[Point], block: Block, sums: Sequence[Sum] = ()) -> NDArray[np.int16]:
    """The bins (n, points) of cases with their answers: the number of a value for each point, or -1.

    ``sums``: the exact sums of dot products, where they are at hand.
    """
    view = (DotView if is_product(op) else View)(op, block.operands, block.result, block.status, sums)
    return np.stack([point.of(view) for point in points], axis=1).astype(np.int16)


class Row(NamedTuple):
    """One bin of a coverage table: how many cases are in it, how many were asked for, and why they are fewer."""

    bin: str
    hits: int
    needed: int
    why: str = ""


@dataclass
class Coverage:
    """Counts of the cases in every bin, against how many are wanted."""

    points: Sequence[Point]
    each: int
    counts: list[NDArray[np.int64]] = field(init=False)
    needed: list[NDArray[np.int64]] = field(init=False)
    tried: int = 0
    all_of_them: bool = False

    def __post_init__(self) -> None:
        self.counts = [np.zeros(len(p.coverpoint.values), np.int64) for p in self.points]
        self.needed = []
        for p in self.points:
            room = [0 if v in p.missing else min(self.each, p.room.get(v, self.each)) for v in p.coverpoint.values]
            self.needed.append(np.array(room, np.int64))

    def add(self, bins: NDArray[np.int16]) -> None:
        for counts, column in zip(self.counts, bins.T):
            counts += np.bincount(column[column != NONE], minlength=counts.size)

    @property
    def open(self) -> bool:
        """Does a bin that can have more cases want them?"""
        return bool(self.open_points)

    @property
    def open_points(self) -> list[int]:
        """The numbers of the points with a bin that wants more cases."""
        return [i for i, (counts, needed) in enumerate(zip(self.counts, self.needed)) if (counts < needed).any()]

    def short(self, bins: NDArray[np.int16], some: Sequence[int] | None = None) -> NDArray[np.bool_]:
        """Which candidates are in a bin that wants more cases; ``some``: the points whose columns are there."""
        found = np.zeros(len(bins), bool)
        for i, column in zip(range(len(self.points)) if some is None else some, bins.T):
            found |= np.append(self.counts[i] < self.needed[i], False)[column]  # NONE is the last
        return found

    def wanted(self, bins: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Which candidates, taken in order, bring a bin nearer to its number.  They are counted."""
        take = np.zeros(len(bins), bool)
        for counts, needed, column in zip(self.counts, self.needed, bins.T):
            short = np.flatnonzero(counts < needed)
            for value in short:
                rows = np.flatnonzero(column == value)
                already = int(take[rows].sum())
                missing = int(needed[value] - counts[value]) - already
                if missing > 0:
                    take[rows[~take[rows]][:missing]] = True
        self.add(bins[take])
        return take

    def rows(self) -> Iterator[Row]:
        for point, counts, needed in zip(self.points, self.counts, self.needed):
            for value, name, hits, wanted in zip(point.coverpoint.values, point.coverpoint.bins, counts, needed):
                why = point.missing.get(value, "")
                if not why and hits < self.each:
                    if self.all_of_them:
                        why = f"these are all, of {self.tried} cases" if hits else f"none of all {self.tried} cases"
                    elif hits >= wanted:
                        why = "these are all that there are"
                    else:
                        why = f"no more among {self.tried} cases tried" if hits else f"none among {self.tried} tried"
                yield Row(name, int(hits), self.each, why)

    @property
    def unexplained(self) -> list[Row]:
        """Bins with too few cases for no reason but that a search found none."""
        return [row for row in self.rows() if " tried" in row.why]
