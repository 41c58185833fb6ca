"""comfy-kitchen, ComfyUI's quantisers: MXFP8 of its eager backend."""

from __future__ import annotations

from typing import Any

from ..block_library import BlockLibrary, Quantises

SAID = "comfy-kitchen eager backend, quantize_mxfp8"


class ComfyKitchen(BlockLibrary):
    """``quantize_mxfp8``, whose scales lie swizzled in tiles of 128 rows.

    What it claims is ModelOpt's formula: 2^ceil(log2(a / 448)), its exponent within 0 and 254.
    """

    package = "comfy-kitchen"
    modules = ("comfy_kitchen.backends.eager.quantization",)
    quantisers = (
        Quantises("scale/f32/e4m3fn/modelopt-mxfp8;k=32;scale=e8m0fnu", "mxfp8", SAID),
        Quantises("scale/bf16/e4m3fn/modelopt-mxfp8;k=32;scale=e8m0fnu", "mxfp8", SAID),
    )

    def mxfp8(self, x: Any) -> tuple[Any, Any]:
        # of a tile of 128 rows and 4 columns of scales the first column; row r lies at 16 (r mod 32) + 4 (r // 32)
        codes, scales = self.lib["quantization"].quantize_mxfp8(x)
        tiles = scales.view(self.torch.uint8).reshape(-1, 32, 4, 4)[:, :, :, 0]
        return tiles.transpose(1, 2).reshape(-1)[: len(x)].reshape(-1, 1).contiguous(), codes
