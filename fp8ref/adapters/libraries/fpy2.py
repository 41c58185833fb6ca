"""fpy2: numbers rounded one by one under a context, through MPFR."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation
from ..base import Codes
from ..library import Library, codes_of_values
from .ml_dtypes import numpy_dtype

CONTEXTS = {
    "e4m3fn": "MX_E4M3", "e5m2": "MX_E5M2", "e3m2fn": "MX_E3M2", "e2m3fn": "MX_E2M3", "e2m1fn": "MX_E2M1",
    "e4m3fnuz": "S1E4M3", "e5m2fnuz": "S1E5M2",
}  # fmt: skip


class Fpy2(Library):
    """``Context.round`` of the contexts that fpy2 names."""

    module = "fpy2"
    said = "fpy2, MX_E4M3 and its like: round to nearest, ties to even; the overflow is the context's"

    def operations(self) -> Iterator[Operation]:
        for name in CONTEXTS:
            yield Operation.convert("f32", name, ANY_MODE)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        context = getattr(self.lib, CONTEXTS[op.result])
        values = x.reshape(-1).view(numpy_dtype(op.operands[0])).tolist()
        rounded = [self._value(context.round(value)) for value in values]
        return codes_of_values(np.array(rounded, np.float64).reshape(x.shape), op.result)

    def _value(self, x: Any) -> float:
        return math.copysign(math.nan, -1 if x.s else 1) if x.isnan else float(x)
