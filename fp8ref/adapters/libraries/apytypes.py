"""APyTypes: IEEE-like floats of any exponent and significand widths; casts and arithmetic under a rounding mode."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import Operation, carrier_dtype
from ...spec.catalog import get_format
from ..base import Codes
from ..claims import claims_of
from ..library import Library

NARROW = ("e4m3", "e3m4", "e5m2", "f16", "bf16")  # the formats with infinities and NaNs as IEEE 754 has them
WIDE = ("f16", "bf16", "f32", "f64")
QUANTIZATIONS = {
    "rne": "TIES_EVEN", "rna": "TIES_AWAY", "rtz": "TO_ZERO", "rtp": "TO_POS", "rtn": "TO_NEG", "rto": "JAM_UNBIASED",
}  # fmt: skip
ARITHMETIC: dict[str, Any] = {"add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv}
RELATIONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
# IEEE 754 has no overflow rule for rounding to odd; observed: finite values stay finite
MODES = tuple(f"{mode}.{'satprop' if mode == 'rto' else 'nonsat'}" for mode in QUANTIZATIONS)
SIGNS: dict[str, Any] = {"neg": operator.neg, "abs": operator.abs}


class ApyTypes(Library):
    """``APyFloatArray``: ``cast`` under a quantization mode, operators under that mode's context."""

    module = "apytypes"
    said = "APyTypes documentation, QuantizationMode: the named rounding; formats as in IEEE 754"

    def operations(self) -> Iterator[Operation]:
        for name in NARROW:
            for source in dict.fromkeys((*WIDE, *NARROW)):
                if source != name:
                    yield from (Operation.convert(source, name, mode) for mode in MODES)
            if name not in WIDE:
                yield from (Operation.decode(name, wide) for wide in WIDE)
                for mode in MODES:
                    yield from claims_of(dict.fromkeys(ARITHMETIC, mode), name)
                yield from claims_of(dict.fromkeys((*RELATIONS, *SIGNS)), name)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        arrays = [self._array(x, name) for x, name in zip(operands, op.operands)]
        if op.family in RELATIONS:
            return np.asarray(RELATIONS[op.family](*arrays), np.uint8)
        if op.family in SIGNS:
            return self._codes(SIGNS[op.family](*arrays), op.result)
        rounding = (op.mode or "rne").partition(".")[0]
        mode = getattr(self.lib.QuantizationMode, QUANTIZATIONS[rounding])
        if op.family in ARITHMETIC:
            with self.lib.APyFloatQuantizationContext(mode):
                return self._codes(ARITHMETIC[op.family](*arrays), op.result)
        f = get_format(op.result)
        return self._codes(arrays[0].cast(f.w, f.t, quantization=mode), op.result)

    def _array(self, codes: Codes, name: str) -> Any:
        f = get_format(name)
        return self.lib.APyFloatArray.from_bits(codes, f.w, f.t)

    def _codes(self, array: Any, name: str) -> Codes:
        return np.asarray(array.to_bits(numpy=True)).astype(carrier_dtype(name))
