"""Some rows of a tensor beside their original, on which causes are tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tensors import Quantised
from .compare import Against
from .original import Original
from .rounding import SLACK, outside, table

Array = NDArray[Any]
MOST = 1 << 18  # elements that a cause is held against


@dataclass(eq=False)
class Sample:
    """Some rows of one matrix: numbers, codes, and the decode multipliers of the whole matrix."""

    t: Quantised
    e: int
    rows: NDArray[np.intp]
    x: Array
    codes: NDArray[np.uint8]
    factors: Array  # (m, n)
    slack: float = SLACK

    def spread(self, factors: Array) -> Array:
        g = self.t.grid
        part = factors[self.rows // g.r]
        return np.repeat(part, g.c, axis=1)[:, : self.t.columns] if g.n > 1 else part

    def off(
        self, factors: Array | None = None, codes: Any = None, x: Any = None, how: str = "nearest", element: str = ""
    ) -> int:
        """Codes that are no rounding over other factors, in another order, of other numbers, or in another format."""
        s = self.spread(self.factors if factors is None else factors)
        tab = table(element or self.t.element, how, self.slack)
        return int(outside(self.x if x is None else x, self.codes if codes is None else codes, s, tab).sum())

    def numbers(self, original: Original) -> Array:
        """The same rows of another original."""
        return np.concatenate([original.part(self.e, i, j) for i, j in _runs(self.rows)])

    def quiet(self) -> Array:
        """Codes that are off, for each row."""
        tab = table(self.t.element, "nearest", self.slack)
        return np.asarray(outside(self.x, self.codes, self.spread(self.factors), tab).sum(axis=1))


def _runs(rows: NDArray[np.intp]) -> list[tuple[int, int]]:
    parts = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return [(int(r[0]), int(r[-1]) + 1) for r in parts]


def sample(a: Against) -> Sample:
    """Rows of the matrix with most codes that are off: those with such codes, and others spread between."""
    t = a.t
    e = int(np.argmax([bad.sum() for bad in a.bad]))
    n = max(1, min(t.rows, MOST // max(t.columns, 1)))
    if n == t.rows:
        rows = np.arange(t.rows)
    else:
        bad = np.flatnonzero(a.bad[e].sum(axis=1))[: n // 2]
        first = (bad * t.grid.r)[:, None] + np.arange(max(1, min(t.grid.r, n // max(2 * bad.size, 1))))
        rows = np.unique(np.concatenate([first.reshape(-1), np.linspace(0, t.rows - 1, n // 2).astype(np.intp)]))
        rows = rows[rows < t.rows]
    x = np.concatenate([a.original.part(e, i, j) for i, j in _runs(rows)])
    codes = np.concatenate([t.elements(e, i, j) for i, j in _runs(rows)])
    return Sample(t, e, rows, x, codes, t.factors(e), a.slack)
