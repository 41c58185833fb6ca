"""Cases of functions of a row: what a fused kernel gets wrong is asked.

Rows of like numbers, of one that dominates, of numbers around zero, of extremes (whose exponentials overflow unless the
largest is subtracted), constant rows, rows with special values, and random codes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.projection import get_projection
from ..operation import Operation
from ..tuples import random_tuples, special_codes

Codes = NDArray[np.generic]
F64 = get_format("f64")
ROWS = {1: 1 << 11, 2: 1 << 14, 3: 1 << 16}  # a row takes a tenth of a millisecond and more


def rows(op: Operation, level: int, rng: np.random.Generator) -> list[Codes]:
    """Rows of the operands' formats, one array for each place in the row."""
    n, k = ROWS[level] // 8, len(op.operands)
    spread = 2.0 ** rng.integers(-4, 5, (n, 1))
    near = rng.normal(0, 1, (n, k)) * spread + rng.normal(0, 4, (n, 1))
    dominated = np.where(np.arange(k) == rng.integers(0, k, (n, 1)), 8.0, 0.0) + rng.normal(0, 1, (n, k))
    even = np.repeat(rng.normal(0, 16, (n, 1)), k, axis=1)
    small = rng.normal(0, 1, (n, k)) * 2.0 ** rng.integers(-20, -3, (n, 1))
    large = rng.choice([-1.0, 1.0], (n, k)) * 2.0 ** rng.integers(4, 12, (n, k))
    values = np.concatenate([near, dominated, even, small, large])
    places = [_codes(values[:, i], name) for i, name in enumerate(op.operands)]
    special = random_tuples(op, n, rng)
    which = rng.integers(0, k, n)
    for i, name in enumerate(op.operands):
        special[i] = np.where(which == i, rng.choice(special_codes(name), n), special[i]).astype(special[i].dtype)
    alike = [rng.choice(special_codes(name), n) for name in op.operands]
    found = [np.concatenate(parts) for parts in zip(places, special, alike, random_tuples(op, n, rng))]
    _, first = np.unique(np.stack([codes.astype(np.uint64) for codes in found]), axis=1, return_index=True)
    return [codes[np.sort(first)] for codes in found]


def _codes(values: NDArray[np.float64], name: str) -> Codes:
    """Values as the nearest codes of a format."""
    f = get_format(name)
    bits = np.ascontiguousarray(values).view(np.uint64)
    found: Codes = convert_codes(bits, F64, f, get_projection(f, "rne", "sat"), False)[0]
    return found
