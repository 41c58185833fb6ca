"""PaddlePaddle: ``Tensor.astype`` on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import INTEGERS, Operation, carrier_dtype
from ...spec.catalog import get_format
from ..base import Codes
from ..claims import cast_claim, constant_claims, published
from ..library import Library

NARROW = ("e4m3fn", "e5m2")
FLOATS = {"f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}
FINFO = ("bits", "eps", "max", "min", "smallest_normal", "tiny")
SIGNED = ("i8", "i16", "i32", "i64")


class Paddle(Library):
    """Casts between float8, the wider floats and signed integers."""

    module = "paddle"
    package = "paddlepaddle"
    said = "paddle.cast: says nothing of rounding or overflow of float8"

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its import looks for compilers
            super().__init__()
        self.lib.set_device("cpu")

    def operations(self) -> Iterator[Operation]:
        yield from constant_claims(FINFO, NARROW)
        for name in NARROW:
            yield from (cast_claim(source, name) for source in (*FLOATS, *SIGNED, "u8"))
            yield from (cast_claim(name, wide) for wide in FLOATS)
            yield from (cast_claim(name, other) for other in NARROW if other != name)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        if op.family == "finfo":
            return published(op, x, self.lib.finfo(getattr(self.lib, _name(op.operands[0]))))
        carrier = carrier_dtype(op.result)
        if x.size == 0:
            return np.empty(0, carrier)
        tensor = self.lib.to_tensor(x.view(f"i{x.itemsize}") if op.operands[0] != "u8" else x)
        source = tensor if op.operands[0] in INTEGERS else tensor.view(_name(op.operands[0]))
        z = source.astype(_name(op.result))
        return z.view({1: "int8", 2: "int16", 4: "int32", 8: "int64"}[carrier.itemsize]).numpy()


def _name(name: str) -> str:
    return FLOATS.get(name) or f"float{get_format(name).k}_{name}"
