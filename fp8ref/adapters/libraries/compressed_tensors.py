"""compressed-tensors, what llm-compressor quantises with: FP8 by rows, MXFP4, MXFP8, NVFP4."""

from __future__ import annotations

from typing import Any

from ...arrays.scaling import unpack
from ..block_library import BlockLibrary, Quantises

SAID = "compressed-tensors calculate_qparams and quantize"


class CompressedTensors(BlockLibrary):
    """Scales from ``calculate_qparams``, codes from ``quantize``; binary32 scales of bfloat16 are widened exactly."""

    package = "compressed-tensors"
    modules = (
        "compressed_tensors.quantization",
        "compressed_tensors.quantization.utils.helpers",
        "compressed_tensors.quantization.lifecycle.forward",
        "compressed_tensors.compressors.nvfp4.helpers",
        "compressed_tensors.compressors.mx_utils",
    )
    quantisers = (
        Quantises("scale/f32/e4m3fn/ct-fp8;k=128", "fp8", SAID),
        Quantises("scale/bf16/e4m3fn/ct-fp8;k=128", "fp8", SAID),
        Quantises("scale/bf16/e2m1fn/ct-mxfp4;k=32", "mx", SAID, (4,)),
        Quantises("scale/bf16/e4m3fn/ct-mxfp8;k=32;scale=e8m0fnu", "mx", SAID, (8,)),
        Quantises("scale/bf16.f32/e2m1fn/ct-nvfp4;k=16", "nvfp4", SAID),
        Quantises("fake/bf16/e4m3fn/ct-fp8;k=128", "fake_fp8", "compressed-tensors fake_quantize"),
    )

    def _parameters(self, x: Any, args: Any, whole: Any = None) -> tuple[Any, Any]:
        least, most = self.torch.aminmax(x, dim=-1, keepdim=True)
        found: tuple[Any, Any] = self.lib["helpers"].calculate_qparams(least, most, args, whole)
        return found

    def _args(self, **more: Any) -> Any:
        return self.lib["quantization"].QuantizationArgs(symmetric=True, **more)

    def fp8(self, x: Any) -> tuple[Any, Any]:
        args = self._args(num_bits=8, type="float", strategy="channel")
        scale, zero = self._parameters(x, args)
        codes = self.lib["forward"].quantize(x, scale, zero, args, dtype=self.torch.float8_e4m3fn)
        return scale.float(), codes

    def fake_fp8(self, x: Any) -> Any:
        args = self._args(num_bits=8, type="float", strategy="channel")
        scale, zero = self._parameters(x, args)
        return self.lib["forward"].fake_quantize(x, scale, zero, args)

    def mx(self, x: Any, bits: int) -> tuple[Any, Any]:
        args = self._args(num_bits=bits, type="float", strategy="group", group_size=32, scale_dtype=self.torch.uint8,
                          zp_dtype=self.torch.uint8)  # fmt: skip
        scale, zero = self._parameters(x, args)
        stored = self.lib["mx_utils"].compress_mx_scale(scale, self.torch.uint8)
        dtype = self.torch.float8_e4m3fn if bits == 8 else None
        codes = self.lib["forward"].quantize(x, scale, zero, args, dtype=dtype)
        return stored, codes if bits == 8 else self._fp4(codes)

    def nvfp4(self, x: Any, whole: Any) -> tuple[Any, Any]:
        generate = self.lib["helpers"].generate_gparam
        g = self.torch.cat([generate(-a, a) for a in whole])[:, None]
        args = self._args(num_bits=4, type="float", strategy="tensor_group", group_size=16,
                          scale_dtype=self.torch.float8_e4m3fn, zp_dtype=self.torch.float8_e4m3fn)  # fmt: skip
        scale, zero = self._parameters(x, args, g)
        rows = [
            self.lib["forward"].quantize(one[None], s[None], z[None], args, global_scale=h)
            for one, s, z, h in zip(x, scale, zero, g)
        ]
        return scale.to(self.torch.float8_e4m3fn), self._fp4(self.torch.cat(rows))

    def _fp4(self, values: Any) -> Any:
        packed = self.lib["nvfp4_helpers"].pack_fp4_to_uint8(values.float())
        return self.torch.from_numpy(unpack(packed.numpy(), "e2m1fn"))
