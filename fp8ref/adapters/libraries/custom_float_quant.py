"""custom-float-quant: a simulator of IEEE-like floats; arrays of values in, values out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ..base import Codes
from ..library import Library, codes_of_values
from .ml_dtypes import numpy_dtype

# its presets that are what their description calls them: IEEE-like, with infinities and NaNs
PRESETS = {"e4m3": "mxfp8_e4m3", "e5m2": "mxfp8_e5m2", "e3m4": "fp8_e3m4", "f16": "fp16", "bf16": "bf16"}


class CustomFloatQuant(Library):
    """``CustomFloat.quantize_array``."""

    module = "custom_float_quant"
    package = "custom-float-quant"
    said = 'custom-float-quant, CustomFloat: "IEEE-754-style", rounding "rne"'

    def operations(self) -> Iterator[Operation]:
        for name in PRESETS:
            for source in ("f32", "f64"):
                yield Operation.convert(source, name, "rne.nonsat")

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        values = x.view(numpy_dtype(op.operands[0])).astype(np.float64)
        form = self.lib.CustomFloat.from_preset(PRESETS[op.result])
        with np.errstate(all="ignore"):
            return codes_of_values(form.quantize_array(values), op.result)
