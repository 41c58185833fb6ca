"""nvidia-modelopt: the quantised tensors of its exports, FP8, MXFP8, MXFP4, NVFP4."""

from __future__ import annotations

from typing import Any

from ...arrays.scaling import unpack
from ..block_library import BlockLibrary, Quantises

SAID = "ModelOpt qtensor, {}.quantize"


class ModelOpt(BlockLibrary):
    """The classes of ``modelopt.torch.quantization.qtensor`` in eager mode on the CPU."""

    package = "nvidia-modelopt"
    modules = tuple(f"modelopt.torch.quantization.qtensor.{name}_tensor" for name in ("fp8", "mxfp8", "mxfp4", "nvfp4"))
    quantisers = (
        Quantises("scale/f32/e4m3fn/modelopt-fp8;k=128", "fp8", SAID.format("FP8QTensor")),
        Quantises("scale/bf16/e4m3fn/modelopt-fp8;k=128", "fp8", SAID.format("FP8QTensor")),
        Quantises("scale/f32/e4m3fn/modelopt-mxfp8;k=32;scale=e8m0fnu", "mxfp8", SAID.format("MXFP8QTensor")),
        Quantises("scale/bf16/e4m3fn/modelopt-mxfp8;k=32;scale=e8m0fnu", "mxfp8", SAID.format("MXFP8QTensor")),
        Quantises("scale/f32/e2m1fn/modelopt-mxfp4;k=32", "mxfp4", SAID.format("MXFP4QTensor")),
        Quantises("scale/f32.f32/e2m1fn/modelopt-nvfp4;k=16", "nvfp4", SAID.format("NVFP4QTensor")),
    )

    def fp8(self, x: Any) -> tuple[Any, Any]:
        tensor, scale = self.lib["fp8_tensor"].FP8QTensor.quantize(x, axis=0)
        return scale.float().reshape(len(x), 1), tensor._quantized_data

    def mxfp8(self, x: Any) -> tuple[Any, Any]:
        tensor, scale = self.lib["mxfp8_tensor"].MXFP8QTensor.quantize(x)
        return scale, tensor._quantized_data

    def mxfp4(self, x: Any) -> tuple[Any, Any]:
        tensor, scale = self.lib["mxfp4_tensor"].MXFP4QTensor.quantize(x, 32)
        return scale, self._codes(tensor)

    def nvfp4(self, x: Any, whole: Any) -> tuple[Any, Any]:
        factor = (whole / (6.0 * 448.0))[:, None]
        tensor, scale, _ = self.lib["nvfp4_tensor"].NVFP4QTensor.quantize(x, 16, weights_scaling_factor_2=factor)
        return scale, self._codes(tensor)

    def _codes(self, tensor: Any) -> Any:
        return self.torch.from_numpy(unpack(tensor._quantized_data.numpy(), "e2m1fn"))
