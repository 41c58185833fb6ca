"""numpy: matrix products of decoded operands in float32, whatever BLAS numpy was built with; its functions on float16.

numpy documents no order of summation and no rounding of a function, so the claims are free: ``*``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation, carrier_dtype
from ...fast.decode import decode_codes
from ...spec.catalog import get_format
from ..base import Codes, Unsupported
from ..claims import Claims
from .elementwise import elementwise_claims, options
from .ml_dtypes import FUNCTIONS, has_loop, numpy_dtype

F32 = get_format("f32")
OPERANDS = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")
LENGTHS = (32, 256)
PRODUCTS = tuple(
    f"{family}/{a}.{b}/f32/{ANY_MODE};k={k}"
    for family in ("dot", "matmul")
    for a, b in (*((f, f) for f in OPERANDS), ("e4m3fn", "e5m2"))
    for k in LENGTHS
)


class NumpyMatmul:
    """``decode(A) @ decode(B) + C`` in float32; a dot is a matrix product of one row and one column.

    ``functions``: ``all`` asks NumPy's functions on float16, whose tables of true values take seconds each, once.
    """

    def __init__(self, functions: str = "narrow") -> None:
        sixteen, _ = options(functions, "narrow")
        self._functions = Claims(elementwise_claims(FUNCTIONS.found, "f16", False, has_loop) if sixteen else ())

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
        return [*PRODUCTS, *self._functions.ids]

    def source(self, op: Operation) -> str:
        if op.asked.kind == "dot":
            return "NumPy reference, numpy.matmul: says nothing of the order of summation"
        return f"NumPy reference, {FUNCTIONS[op].name}: says nothing of rounding"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.asked.kind != "dot":
            self._functions.covering(op)
            with np.errstate(all="ignore"):
                z = FUNCTIONS[op].call(
                    *(x.view(numpy_dtype(n, x.dtype.isnative)) for x, n in zip(operands, op.operands))
                )
            return np.ascontiguousarray(z).view(carrier_dtype(op.result))
        if op.result != "f32":
            raise Unsupported(f"it has no {op.id}")
        a, b = (
            decode_codes(np.ascontiguousarray(x), get_format(f), F32).view(np.float32)
            for x, f in zip(operands, op.operands)
        )
        c = np.ascontiguousarray(operands[2]).view(np.float32)
        with np.errstate(all="ignore"):
            d = a @ b + c if op.family == "matmul" else np.matmul(a[:, None, :], b[:, :, None])[:, 0, 0] + c
        return np.ascontiguousarray(d, np.float32).view(np.uint32)
