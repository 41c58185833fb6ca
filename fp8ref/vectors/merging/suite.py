"""The suite's own coverage: in which bins the cases of vectors are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..coverage.bins import bins_of, points_of
from ..coverage.points import Point
from ..generate import answered
from ..section import NONE, Block, Section
from ..source import Found
from .database import SUITE, Counter, Database


class Suite:
    """Counts cases by section."""

    def __init__(self, name: str, form: str = "vectors", kind: str = SUITE) -> None:
        self.database = Database.of(Counter(name, kind, form))
        self._points: dict[str, tuple[Point, ...]] = {}

    def add(self, section: Section, block: Block) -> None:
        """Count cases, whose answers may be anybody's: bins are those of the reference's answers."""
        scope = section.operation.id
        if scope not in self._points:
            self._points[scope] = points_of(section.operation)
            for point in self._points[scope]:
                for value in point.coverpoint.values:
                    self.database.hit(scope, point.coverpoint.name, value, 0)
                    if value in point.missing:
                        self.database.why[scope, point.coverpoint.name, value] = point.missing[value]
        if not block.size:
            return
        points = self._points[scope]
        right = answered(Section(section.operation), block.operands)
        self.count(scope, points, bins_of(section.operation, points, right))

    def count(
        self, scope: str, points: tuple[Point, ...], bins: np.ndarray[tuple[int, int], np.dtype[np.int16]]
    ) -> None:
        for point, column in zip(points, bins.T):
            hits = np.bincount(column[column != NONE], minlength=len(point.coverpoint.values))
            for value, n in zip(point.coverpoint.values, hits.tolist()):
                self.database.hit(scope, point.coverpoint.name, value, n)


def of_vectors(found: Iterable[Found], name: str) -> Database:
    """The coverage of everything that a source of vectors holds.  Raises Unreadable where the source does."""
    suite = Suite(name)
    for piece in found:
        suite.add(piece.section, piece.block)
    return suite.database
