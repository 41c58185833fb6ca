"""PyTorch's products of FP8 matrices: ``torch._scaled_mm`` with both scales 1, and float32 matmul of decoded operands.

``_scaled_mm`` takes no addend: C is added to its result by torch.  PyTorch documents no order of summation, so every
claim is free: ``*``.  A dot product is an entry on the diagonal of a product of 16 rows and 16 columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases.dots import COLUMNS
from ..cases.operation import ANY_MODE, Operation
from .base import Codes

DTYPES = {"e4m3fn": "float8_e4m3fn", "e5m2": "float8_e5m2"}
RESULTS = {"f32": "float32"}  # C would be rounded twice into a narrower result
LENGTHS = {"dot": 32, "matmul": 256}


def claims(torch: Any, device: Any) -> list[str]:
    """The products that run here: every pair of FP8 operands, the results that ``_scaled_mm`` gives."""
    if not hasattr(torch, "_scaled_mm"):
        return []
    found = []
    for a in DTYPES:
        for b in DTYPES:
            for result in RESULTS:
                try:
                    ones = [np.full(s, 0x38, np.uint8) for s in ((COLUMNS, 32), (32, COLUMNS))]
                    _scaled(torch, device, a, b, result, *ones)
                except (RuntimeError, ValueError, NotImplementedError):
                    continue
                found += [f"{family}/{a}.{b}/{result}/{ANY_MODE};k={k}" for family, k in LENGTHS.items()]
    return found


def run(torch: Any, device: Any, op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
    """The result codes of a dot or matrix product."""
    fa, fb = op.operands
    if op.family == "matmul":
        d = _with_addend(torch, device, op.result, _scaled(torch, device, fa, fb, op.result, a, b), c)
        return _codes(torch, d, c)
    n = len(a)
    found = np.empty(n, c.dtype)
    for start in range(0, n, COLUMNS):
        here = slice(start, min(start + COLUMNS, n))
        size = here.stop - start
        x, y = (np.zeros((COLUMNS, a.shape[1]), np.uint8) for _ in "ab")
        x[:size], y[:size] = a[here], b[here]
        diagonal = _scaled(torch, device, fa, fb, op.result, x, y.T).diagonal()[:size]
        found[here] = _codes(torch, _with_addend(torch, device, op.result, diagonal, c[here]), c)
    return found


def _scaled(torch: Any, device: Any, fa: str, fb: str, result: str, a: Codes, b: Codes) -> Any:
    """A (M, K) row by row times B (K, N) column by column, as ``_scaled_mm`` wants them."""
    one = torch.ones((), device=device)
    x = torch.from_numpy(np.array(a, order="C")).view(getattr(torch, DTYPES[fa])).to(device)
    y = torch.from_numpy(np.array(b.T, order="C")).view(getattr(torch, DTYPES[fb])).to(device).t()
    return torch._scaled_mm(x, y, scale_a=one, scale_b=one, out_dtype=getattr(torch, RESULTS[result]))


def _with_addend(torch: Any, device: Any, result: str, d: Any, c: Codes) -> Any:
    bits = torch.from_numpy(np.array(c, order="C").view(f"i{c.dtype.itemsize}"))
    return d + bits.view(getattr(torch, RESULTS[result])).to(device)


def _codes(torch: Any, d: Any, c: Codes) -> Codes:
    bits = d.contiguous().view(getattr(torch, f"int{8 * c.dtype.itemsize}")).cpu().numpy()
    return bits.view(c.dtype)  # type: ignore[no-any-return]
