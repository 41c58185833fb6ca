"""numpy: matrix products of decoded operands in float32, whatever BLAS numpy was built with.

numpy documents no order of summation, so the claims are free: ``*``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation
from ...fast.decode import decode_codes
from ...spec.catalog import get_format
from ..base import Codes, Unsupported

F32 = get_format("f32")
OPERANDS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")
LENGTHS = (32, 256)
CLAIMS = tuple(
    f"{family}/{a}.{b}/f32/{ANY_MODE};k={k}"
    for family in ("dot", "matmul")
    for a, b in (*((f, f) for f in OPERANDS), ("e4m3fn", "e5m2"))
    for k in LENGTHS
)


class NumpyMatmul:
    """``decode(A) @ decode(B) + C`` in float32; a dot is a matrix product of one row and one column."""

    def identify(self) -> Mapping[str, str]:
        config: Any = np.show_config(mode="dicts")
        blas = config.get("Build Dependencies", {}).get("blas", {})
        return {
            "name": "numpy",
            "version": np.__version__,
            "device": "cpu",
            "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        }

    def capabilities(self) -> Sequence[str]:
        return CLAIMS

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.asked.kind != "dot" or op.result != "f32":
            raise Unsupported(f"it has no {op.id}")
        a, b = (
            decode_codes(np.ascontiguousarray(x), get_format(f), F32).view(np.float32)
            for x, f in zip(operands, op.operands)
        )
        c = np.ascontiguousarray(operands[2]).view(np.float32)
        with np.errstate(all="ignore"):
            d = a @ b + c if op.family == "matmul" else np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0] + c
        return np.ascontiguousarray(d, np.float32).view(np.uint32)
