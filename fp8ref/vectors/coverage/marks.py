"""Magnitudes at which answers in a format change."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...cases.thresholds import thresholds
from ...spec.catalog import get_format

Values = NDArray[np.float64]


@lru_cache(maxsize=16)
def marks_of(type_: str) -> Values:
    """Magnitudes at which answers change, eighths of the last place among them."""
    f = get_format(type_)
    marks = thresholds(f)
    here = [float(f.magnitude(int(code))) for code in np.unique(np.linspace(0, f.max_code, 257).astype(int))]
    after = [float(f.magnitude(int(code) + 1)) for code in np.unique(np.linspace(0, f.max_code, 257).astype(int))]
    eighths = [x + (y - x) * part / 8 for x, y in zip(here, after) for part in (1, 3, 5, 7)]
    found = np.concatenate([marks, eighths])
    return np.unique(found[np.isfinite(found)])


@lru_cache(maxsize=16)
def end_marks(type_: str) -> Values:
    """Eighths of an ulp about the smallest magnitude, the smallest normal and the largest value."""
    f = get_format(type_)
    about = [0, 1, 2, (1 << f.t) - 1, 1 << f.t, f.max_code, f.max_code + 1]
    found = [f.magnitude(c) + (f.magnitude(c + 1) - f.magnitude(c)) * i / 8 for c in about for i in range(8)]
    return np.array([float(v) for v in found if 0 < v < 2**1023])
