"""pychop: the P3109 formats, ``p3109_encode`` and ``p3109_decode`` on NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ...spec.catalog import get_format
from ..base import Codes
from ..library import Library
from .ml_dtypes import numpy_dtype

FORMATS = [f"binary{k}p{p}{letters}" for k, p in ((8, 3), (8, 4), (6, 3), (4, 2)) for letters in ("se", "sf", "ue")]
SOURCES = ("f64", "f32")
ROUNDINGS = {
    "rne": "nearest_even", "rna": "nearest_away", "rtz": "toward_zero", "rtp": "toward_positive",
    "rtn": "toward_negative", "rto": "to_odd",
}  # fmt: skip
SATURATIONS = {"sat": "finite", "satprop": "propagate", "nonsat": "none"}


class Pychop(Library):
    """Every deterministic rounding of the draft with each of its three saturations."""

    module = "pychop"
    said = "pychop, p3109_quantize: the draft's roundings and saturations, as its docstring spells them out"

    def operations(self) -> Iterator[Operation]:
        self._formats = {name: self._format(name) for name in FORMATS}
        for name in FORMATS:
            modes = product(SOURCES, ROUNDINGS, SATURATIONS)
            yield from (Operation.convert(x, name, f"{rounding}.{overflow}") for x, rounding, overflow in modes)
            yield Operation.decode(name, "f64")

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        if op.family == "decode":
            return np.asarray(self.lib.p3109_decode(x, self._formats[op.operands[0]]), np.float64)
        rounding, _, overflow = (op.mode or "").partition(".")
        values = x.view(numpy_dtype(op.operands[0]))
        return self.lib.p3109_encode(
            values, self._formats[op.result], rounding=ROUNDINGS[rounding], saturate=SATURATIONS[overflow]
        )

    def _format(self, name: str) -> Any:
        f = get_format(name)
        return self.lib.P3109Format(f.k, f.p, f.signed, "extended" if f.infinities else "finite")
