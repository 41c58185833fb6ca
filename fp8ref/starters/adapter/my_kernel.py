"""An implementation under test, as an adapter: fp8ref check --impl py:my_kernel:MyKernel"""

from typing import Any

import ml_dtypes
import numpy as np

import fp8ref


class MyKernel:
    """Put your own in the place of ml_dtypes."""

    def identify(self) -> dict[str, str]:
        return {"name": "my-kernel", "version": "0", "device": "cpu"}

    def capabilities(self) -> list[str]:
        """The operations that it has: `fp8ref list operations` shows the families and how their ids are written."""
        return ["convert/f32/e5m2/rne.nonsat", "decode/e5m2/f32"]

    def run(self, op: Any, *operands: Any) -> Any:
        """Codes in, codes out: arrays of unsigned integers that hold bit patterns."""
        (codes,) = operands
        if op.family == "decode":
            return codes.view(ml_dtypes.float8_e5m2).astype(np.float32).view(np.uint32)
        if op.family == "convert":
            return codes.view(np.float32).astype(ml_dtypes.float8_e5m2).view(np.uint8)
        raise fp8ref.Unsupported(f"no {op.family} here")
