"""Where answers can change: the values, midpoints and limits of a format, and codes beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fast.encode import convert_codes
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.projection import get_projection
from .operation import carrier_dtype

Codes = NDArray[np.generic]
F64 = get_format("f64")


def thresholds(f: Format) -> NDArray[np.float64]:
    """The magnitudes at which an answer in a format can change: values, midpoints, quarter points, overflow limits.

    float64, ascending, exact for formats of at most 16 bits within float64's range; a sample of wider formats.
    """
    if f.k <= 10:
        codes = np.arange(f.max_code + 1, dtype=np.uint64)
    else:
        step = max(1, f.max_code // 2048)
        codes = np.unique(np.concatenate([np.arange(0, f.max_code, step), [1, 2, f.max_code - 1, f.max_code]]))
    here = np.array([float(f.magnitude(int(c))) for c in codes])
    after = np.array([float(f.magnitude(int(c) + 1)) for c in codes])  # beyond the top: as if codes went on
    points = [here] + [here + (after - here) * part for part in (0.25, 0.5, 0.75)]
    top, ulp = here[-1], after[-1] - here[-1]
    beyond = [top + ulp * half / 2 for half in range(1, 17)] + [top * 2.0**j for j in range(1, 6)]
    below = [float(f.min_subnormal) * part for part in (2.0**-20, 0.125, 0.25, 0.375, 0.5, 0.75)]
    found: NDArray[np.float64] = np.unique(np.concatenate([*points, beyond, below]))
    finite: NDArray[np.float64] = found[np.isfinite(found)]
    return finite


def nearby(marks: NDArray[np.float64], source: Format) -> Codes:
    """Codes of the values and of their neighbours on both sides, for those that the source can come near."""
    dtype = carrier_dtype(source.name)
    marks = marks[marks <= float(source.max)]
    if source == F64:
        at = marks.view(np.uint64)
    else:
        at = convert_codes(marks.view(np.uint64), F64, source, get_projection(source, "rtz", "sat"), False)[0]
    near = [np.clip(at.astype(np.int64) + d, 0, source.max_code) for d in (-1, 0, 1)]
    return np.concatenate(near).astype(dtype)
