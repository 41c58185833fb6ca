"""What a page draws of each audited tensor: code usage, scales, errors against the original, read part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.recipes import values_of
from ...report.audits.heat import Heat, heat
from ...report.audits.page import Pictures
from ..files.stored import chunks
from ..run import Audit, Judged

MATRICES = 16  # of a tensor with more axes that are drawn, one below the other
MOST = 2000  # tensors that are drawn; those with findings first


def pictures(audit: Audit) -> dict[str, Any]:
    """The pictures of an audit's tensors by name, at most ``MOST``: those with findings first."""
    ranked = sorted(audit.judged, key=lambda j: not j.tensor.findings)[:MOST]
    return {j.tensor.name: j.pictures or pictured(j) for j in ranked}


def pictured(judged: Judged) -> Pictures:
    """The pictures of one tensor that was judged in this process."""
    t = judged.tensor
    assert judged.scan is not None
    matrices = range(min(t.grid.matrices, MATRICES))
    scales = heat(np.concatenate([np.atleast_2d(t.factors(e)) for e in matrices])) if t.grid.m * t.grid.n else None
    return Pictures(judged.scan.histogram.tolist(), t.format.k, scales, _error(judged, matrices))


def _error(judged: Judged, matrices: range) -> Heat | None:
    """Of each group the largest error as a part of its largest magnitude."""
    original = getattr(judged.against, "original", None)
    if original is None:
        return None
    t = judged.tensor
    values = values_of(t.element)
    found = []
    for e in matrices:
        factors = t.factors(e)
        wrong, top = np.zeros((t.grid.m, t.grid.n)), np.zeros((t.grid.m, t.grid.n))
        for i, j in chunks(t.rows, t.columns):
            x = original.part(e, i, j).astype(np.float64)
            with np.errstate(all="ignore"):
                error = np.abs(x - values[t.elements(e, i, j)] * t.spread(factors, i, j))
            _raise(wrong, error, t.grid, i)
            _raise(top, np.abs(x), t.grid, i)
        with np.errstate(all="ignore"):
            found.append(np.where(wrong == 0, 0.0, wrong / np.where(top > 0, top, 1.0)))
    return heat(np.concatenate(found))


def _raise(best: NDArray[np.float64], x: NDArray[np.float64], grid: Any, i: int) -> None:
    """Raise the groups' values to the largest of rows from ``i`` on; NaNs stay."""
    wide = np.maximum.reduceat(x, np.arange(0, x.shape[1], grid.c), axis=1) if grid.n > 1 else x.max(1, keepdims=True)
    index = np.arange(i, i + x.shape[0]) // grid.r
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    best[index[starts]] = np.maximum(best[index[starts]], np.maximum.reduceat(wide, starts, axis=0))
