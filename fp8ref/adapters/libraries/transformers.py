"""Hugging Face transformers: the quantiser of its fine-grained FP8, as it stores weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..block_library import BlockLibrary, Quantises

SAID = "transformers finegrained_fp8, Fp8Quantize"


class Transformers(BlockLibrary):
    """``Fp8Quantize`` with blocks of one row by 128; exponent bytes are given as the numbers they stand for."""

    package = "transformers"
    modules = ("transformers.integrations.finegrained_fp8",)
    quantisers = (
        Quantises("scale/f32/e4m3fn/hf-fp8;k=128", "fp8", SAID, ("float",)),
        Quantises("scale/bf16/e4m3fn/hf-fp8;k=128", "fp8", SAID, ("float",)),
        Quantises("scale/f32/e4m3fn/hf-fp8-ue8m0;k=128", "fp8", f"{SAID}, scale_fmt ue8m0", ("ue8m0",)),
        Quantises("scale/bf16/e4m3fn/hf-fp8-ue8m0;k=128", "fp8", f"{SAID}, scale_fmt ue8m0", ("ue8m0",)),
    )

    def fp8(self, x: Any, scale_format: str) -> tuple[Any, Any]:
        config = SimpleNamespace(weight_block_size=(1, x.shape[1]), scale_fmt=scale_format)
        quantise = self.lib["finegrained_fp8"].Fp8Quantize(SimpleNamespace(quantization_config=config))
        found = quantise.convert({"x.weight": x})
        return found["x.weight_scale_inv"].float(), found["x.weight"]
