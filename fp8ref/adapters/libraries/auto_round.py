"""auto-round: its fake quantisers, FP8 by rows, MXFP4, MXFP8, NVFP4."""

from __future__ import annotations

from typing import Any

from ..block_library import BlockLibrary, Quantises


class AutoRound(BlockLibrary):
    """The functions of ``auto_round.data_type``, which give values back."""

    package = "auto-round"
    modules = ("auto_round.data_type.fp8", "auto_round.data_type.mxfp", "auto_round.data_type.nvfp")
    quantisers = (
        Quantises("fake/f32/e4m3fn/autoround-fp8;k=128", "fp8", "auto-round quant_fp8_sym"),
        Quantises("fake/bf16/e4m3fn/autoround-fp8;k=128", "fp8", "auto-round quant_fp8_sym"),
        Quantises("fake/f32/e2m1fn/autoround-mxfp4;k=32", "mx", "auto-round quant_mx, mx_fp4", ("mx_fp4",)),
        Quantises(
            "fake/f32/e4m3fn/autoround-mxfp8;k=32;scale=e8m0fnu", "mx", "auto-round quant_mx, mx_fp8", ("mx_fp8",)
        ),
        Quantises("fake/f32.f32/e2m1fn/autoround-nvfp4;k=16", "nvfp4", "auto-round ref_nvfp4_quant"),
    )

    def fp8(self, x: Any) -> Any:
        return self.lib["fp8"].quant_fp8_sym(x)[0]

    def mx(self, x: Any, kind: str) -> Any:
        return self.lib["mxfp"].quant_mx(x, group_size=32, data_type=kind)[0]

    def nvfp4(self, x: Any, whole: Any) -> Any:
        nvfp = self.lib["nvfp"]
        g = (448.0 * 6.0 * nvfp.get_reciprocal(whole))[:, None]
        return nvfp.ref_nvfp4_quant(x, g)[0]
