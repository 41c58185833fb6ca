"""torchao's quantisers of blocks: MX with every scale mode it has, NVFP4 with two levels of scale, FP8 by rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays.quantisers import join
from ...arrays.scaling import unpack
from ...cases.operation import Operation
from ..base import Codes, Unsupported
from ..claims import require

MX = {  # scheme: torchao's name of the element format, an attribute of torch where it is one
    "mxfp8_e4m3": "float8_e4m3fn",
    "mxfp8_e5m2": "float8_e5m2",
    "mxfp6_e3m2": "fp6_e3m2",
    "mxfp6_e2m3": "fp6_e2m3",
    "mxfp4": "float4_e2m1fn_x2",
}
MODES = ("floor", "ceil", "even", "rceil")
RECIPES = {  # what the documentation of torchao 0.18 calls the modes, as recipes: element format, scheme, mode
    f"torchao-mxfp{bits}-{mode}": (element, scheme, mode)
    for bits, element, scheme in ((8, "e4m3fn", "mxfp8_e4m3"), (4, "e2m1fn", "mxfp4"))
    for mode in MODES
}
SOURCES = {"f32": "float32", "bf16": "bfloat16"}


class TorchAO:
    """``to_mx``, ``nvfp4_quantize`` and float8 scaling in eager mode on the CPU.

    Raises Unavailable without torchao.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.torch = require("torch", "pip install torch")
            self.version = require("torchao", "pip install torchao").__version__
            self.mx = require("torchao.prototype.mx_formats.mx_tensor", "pip install torchao>=0.10")
            self.nvfp4 = require("torchao.prototype.mx_formats.nvfp4_tensor", "pip install torchao>=0.12")
            self.float8 = require("torchao.float8.float8_utils", "pip install torchao")

    def identify(self) -> Mapping[str, str]:
        return {"name": "torchao", "version": self.version, "torch": self.torch.__version__, "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return list(self._claims())

    def _claims(self) -> Iterator[str]:
        modes = {mode.value for mode in self.mx.ScaleCalculationMode}
        for source in SOURCES:
            for scheme in MX:
                yield from (f"scale/{source}/{scheme}/{mode}" for mode in MODES if mode in modes)
            yield f"scale/{source}.f32/nvfp4/torchao"
            yield f"scale/{source}.f32/e2m1fn/torchao-nvfp4;k=16"
            yield f"scale/{source}/e4m3fn/torchao-row;k=128"
            yield from (f"scale/{source}/{e}/{name};k=32" for name, (e, _, mode) in RECIPES.items() if mode in modes)
            yield from (f"scale/{source}/row_{name}/torchao;k=32" for name in ("e4m3fn", "e5m2"))

    def source(self, op: Operation) -> str:
        if op.mode in RECIPES:
            return f"torchao mx_formats, to_mx with ScaleCalculationMode.{RECIPES[op.mode][2].upper()}"
        if op.result in MX:
            return f"torchao mx_formats, to_mx with ScaleCalculationMode.{(op.mode or '').upper()}"
        return (
            "torchao nvfp4_quantize, two levels"
            if op.result in ("nvfp4", "e2m1fn")
            else "torchao float8, tensor_to_scale by rows"
        )

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.id not in self._claims():
            raise Unsupported(f"it has no {op.id}")
        x = self._tensor(operands[0], SOURCES[op.operands[0]])
        if not len(x):
            size = 4 if op.result.startswith("row_") or op.mode == "torchao-row" else 1
            return np.zeros((0, x.shape[1] + size), np.uint8)
        if op.mode in RECIPES:
            return self._mx(x, *RECIPES[op.mode][1:])
        if op.mode == "torchao-row":
            return self._rows(x, op.result, multipliers=True)
        if op.result in MX:
            return self._mx(x, op.result, op.mode or "")
        if op.result in ("nvfp4", "e2m1fn"):
            return self._nvfp4(x, self._tensor(operands[1], "float32"))
        return self._rows(x, op.result.removeprefix("row_"))

    def _mx(self, x: Any, scheme: str, mode: str) -> Codes:
        name = MX[scheme]
        scale, codes = self.mx.to_mx(
            x, getattr(self.torch, name, name), x.shape[1], self.mx.ScaleCalculationMode(mode)
        )  # fmt: skip
        found = self._bytes(codes)
        return join(self._bytes(scale)[:, 0], unpack(found, "e2m1fn") if scheme == "mxfp4" else found)

    def _nvfp4(self, x: Any, amax: Any) -> Codes:
        tensor = self.nvfp4.per_tensor_amax_to_scale(amax)[:, None]  # one a row, broadcast
        scale, codes = self.nvfp4.nvfp4_quantize(x, x.shape[1], tensor)
        return join(self._bytes(scale)[:, 0], unpack(self._bytes(codes), "e2m1fn"))

    def _rows(self, x: Any, name: str, multipliers: bool = False) -> Codes:
        dtype = getattr(self.torch, f"float8_{name}")
        by_rows = self.float8.ScalingGranularity.AXISWISE
        scale = self.float8.tensor_to_scale(x, dtype, scaling_granularity=by_rows, axiswise_dim=-1)
        codes = self.float8.to_fp8_saturated(x.to(self.torch.float32) * scale, dtype)
        stored = scale if multipliers else scale.reciprocal()
        return join(stored.numpy()[:, 0], self._bytes(codes))

    def _tensor(self, x: Codes, dtype: str) -> Any:
        bits = self.torch.from_numpy(np.array(x, order="C").view(f"i{x.itemsize}"))
        return bits.view(getattr(self.torch, dtype))

    def _bytes(self, x: Any) -> Codes:
        found: Codes = x.reshape(len(x), -1).view(self.torch.uint8).numpy()
        return found
