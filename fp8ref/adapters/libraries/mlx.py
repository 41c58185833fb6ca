"""MLX on its CPU backend: ``to_fp8`` and ``from_fp8``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import Operation, carrier_dtype
from ..base import Codes
from ..claims import cast_claim
from ..library import Library

FLOATS = {"f16": "float16", "bf16": "bfloat16", "f32": "float32"}


class Mlx(Library):
    """E4M3, which MLX keeps as uint8."""

    module = "mlx.core"
    package = "mlx"
    said = "mlx.core.to_fp8: fp8 (e4m3), nothing of rounding, overflow or NaN"

    def operations(self) -> Iterator[Operation]:
        self.lib.set_default_device(self.lib.cpu)
        for name in FLOATS:
            yield cast_claim(name, "e4m3fn")
            yield cast_claim("e4m3fn", name)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        carrier = carrier_dtype(op.result)
        if x.size == 0:
            return np.empty(0, carrier)
        codes = self.lib.array(x)
        if op.family == "decode":
            z = self.lib.from_fp8(codes, getattr(self.lib, FLOATS[op.result]))
            return np.array(z.view(getattr(self.lib, f"uint{8 * carrier.itemsize}")))
        return np.array(self.lib.to_fp8(codes.view(getattr(self.lib, FLOATS[op.operands[0]]))))
