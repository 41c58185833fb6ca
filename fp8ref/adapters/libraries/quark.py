"""amd-quark: the exponent of MX blocks by its rule ``even_round``, and FP8 with a scale for each group."""

from __future__ import annotations

from typing import Any

from ..block_library import BlockLibrary, Quantises


class Quark(BlockLibrary):
    """``even_round`` with the fake quantiser of elements that the CPU path uses."""

    package = "amd-quark"
    modules = ("quark.torch.quantization.utils", "quark.torch.kernel.hw_emulation.hw_emulation_interface")
    quantisers = (
        Quantises("fake/f32/e2m1fn/quark-mxfp4;k=32", "mx", "Quark even_round and fake_quantize_fp4_fp6", ("fp4",)),
        Quantises(
            "fake/f32/e3m2fn/quark-mxfp6-e3m2;k=32", "mx", "Quark even_round and fake_quantize_fp4_fp6", ("fp6_e3m2",)
        ),
        Quantises(
            "fake/f32/e2m3fn/quark-mxfp6-e2m3;k=32", "mx", "Quark even_round and fake_quantize_fp4_fp6", ("fp6_e2m3",)
        ),
    )

    def mx(self, x: Any, kind: str) -> Any:
        scale = self.lib["utils"].even_round(x.abs().amax(dim=-1, keepdim=True), kind)
        emulation = self.lib["hw_emulation_interface"]
        return emulation.fake_quantize_fp4_fp6_per_group_with_scale(x, scale, -1, 32, kind)
