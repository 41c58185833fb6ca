"""tinygrad: ``Tensor.cast`` on a device that needs no compiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import Operation, carrier_dtype
from ..base import Codes
from ..claims import cast_claim
from ..library import Library
from .ml_dtypes import numpy_dtype

NARROW = {"e4m3fn": "fp8e4m3", "e5m2": "fp8e5m2", "e4m3fnuz": "fp8e4m3fnuz", "e5m2fnuz": "fp8e5m2fnuz"}
WIDE = {"f16": "float16", "f32": "float32", "f64": "float64"}


class Tinygrad(Library):
    """``device``: as tinygrad names it; PYTHON emulates a device in Python, CPU wants clang."""

    module = "tinygrad"
    said = "tinygrad's documentation says nothing of rounding or overflow of float8"

    def __init__(self, device: str = "PYTHON") -> None:
        self.device = device
        super().__init__()

    def identify(self) -> dict[str, str]:
        return {**super().identify(), "device": self.device}

    def operations(self) -> Iterator[Operation]:
        for narrow, name in NARROW.items():
            if hasattr(self.lib.dtypes, name):
                for wide in WIDE:
                    yield cast_claim(wide, narrow)
                    yield cast_claim(narrow, wide)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        carrier = carrier_dtype(op.result)
        if x.size == 0:
            return np.empty(0, carrier)
        dtypes = self.lib.dtypes
        if op.family == "decode":
            tensor = self.lib.Tensor(x, device=self.device).bitcast(getattr(dtypes, NARROW[op.operands[0]]))
            return tensor.cast(getattr(dtypes, WIDE[op.result])).numpy().view(carrier)
        tensor = self.lib.Tensor(x.view(numpy_dtype(op.operands[0])), device=self.device)
        return tensor.cast(getattr(dtypes, NARROW[op.result])).bitcast(dtypes.uint8).numpy()
