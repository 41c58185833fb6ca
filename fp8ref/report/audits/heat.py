"""What a heat map shows: numbers of a grid brought to at most a few dozen cells, on a logarithmic scale."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .png import Colour, data_uri

CELLS = 48  # along an axis
STEPS = 64
NONE, WRONG = STEPS, STEPS + 1  # cells of zeros, and of what is no number or negative
# from dark blue through green to yellow, even in lightness for colour-blind eyes too
_ANCHORS = ((0.0, (46, 24, 96)), (0.25, (40, 84, 140)), (0.5, (32, 145, 130)), (0.75, (122, 196, 84)),
            (1.0, (250, 226, 60)))  # fmt: skip


def _colour(x: float) -> Colour:
    for (x0, low), (x1, high) in pairwise(_ANCHORS):
        if x <= x1:
            part = (x - x0) / (x1 - x0)
            r, g, b = (round(p + (q - p) * part) for p, q in zip(low, high))
            return r, g, b
    return _ANCHORS[-1][1]


PALETTE: tuple[Colour, ...] = (*(_colour(i / (STEPS - 1)) for i in range(STEPS)), (150, 150, 150), (214, 40, 140))


@dataclass(frozen=True)
class Heat:
    """A heat map: ``image``, an address of data, and what its colours mean.

    ``least``, ``most``: the values of the darkest and the brightest cell.  ``rows``, ``columns``: of the grid that it
    stands for.  ``zeros``, ``wrong``: cells of zeros alone, and cells with what is no number or negative.
    """

    image: str
    least: float
    most: float
    rows: int
    columns: int
    zeros: int
    wrong: int


def heat(grid: NDArray[Any]) -> Heat:
    """The map of a matrix of magnitudes: of every cell the largest value."""
    x = np.atleast_2d(np.asarray(grid, np.float64))
    rows, columns = x.shape
    broken = _least(~(np.isfinite(x) & (x >= 0)))
    with np.errstate(all="ignore"):
        small = _least(np.where(np.isfinite(x) & (x >= 0), x, 0.0))
    usual = small > 0
    logs = np.log2(np.where(usual, small, 1.0))
    least, most = (float(logs[usual].min()), float(logs[usual].max())) if usual.any() else (0.0, 0.0)
    span = most - least
    cells = np.rint((logs - least) / span * (STEPS - 1)) if span > 1e-9 else np.full(small.shape, STEPS // 2)
    cells = np.where(usual, cells, NONE)
    cells = np.where(broken > 0, WRONG, cells).astype(np.uint8)
    return Heat(
        data_uri(cells, PALETTE), 2.0**least if usual.any() else 0.0, 2.0**most if usual.any() else 0.0, rows, columns,
        int((cells == NONE).sum()), int((cells == WRONG).sum()),
    )  # fmt: skip


def _least(x: NDArray[Any]) -> NDArray[Any]:
    """At most ``CELLS`` a side, each the largest of its part."""
    for axis in (0, 1):
        if x.shape[axis] > CELLS:
            starts = np.linspace(0, x.shape[axis], CELLS, endpoint=False).astype(np.intp)
            x = np.maximum.reduceat(x, starts, axis=axis)
    return x.astype(np.float64)
