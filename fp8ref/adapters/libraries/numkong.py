"""NumKong (formerly SimSIMD): casts of its tensors between float32 and narrow types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation, carrier_dtype
from ..base import Codes
from ..library import Library

NARROW = {"e4m3fn": "e4m3", "e5m2": "e5m2", "e3m2fn": "e3m2", "e2m3fn": "e2m3", "f16": "float16", "bf16": "bfloat16"}


class NumKong(Library):
    """``numkong.astype`` of float32 arrays and back."""

    module = "numkong"
    said = 'numkong.astype: "Narrower floating formats round ties to even"; nothing of overflow'

    def operations(self) -> Iterator[Operation]:
        for name in NARROW:
            yield Operation.convert("f32", name, ANY_MODE)
            yield Operation.decode(name, "f32")

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        if not x.size:
            return np.empty(x.shape, carrier_dtype(op.result))
        if op.family == "decode":
            given = self.lib.from_pointer(x.ctypes.data, x.shape, NARROW[op.operands[0]], owner=x)
            return np.array(self.lib.astype(given, "float32"), np.float32)
        found = np.array(self.lib.astype(x.view(np.float32), NARROW[op.result]))
        return found if found.dtype.itemsize == carrier_dtype(op.result).itemsize else found.astype(np.uint8)
