"""Intel's neural-compressor: its fake quantiser of MX blocks, which goes back to microxcaling's."""

from __future__ import annotations

from typing import Any

from ..block_library import BlockLibrary, Quantises

SAID = 'neural-compressor mx_quant, _quantize_mx with round="even"'
FORMATS = {"e4m3fn": "fp8_e4m3", "e5m2": "fp8_e5m2", "e3m2fn": "fp6_e3m2", "e2m3fn": "fp6_e2m3", "e2m1fn": "fp4"}


class NeuralCompressor(BlockLibrary):
    """``_quantize_mx`` of float32 blocks of 32."""

    package = "neural-compressor"
    modules = ("neural_compressor.torch.algorithms.mx_quant.utils",)
    quantisers = tuple(
        Quantises(
            f"fake/f32/{element}/*;k=32" + ";scale=e8m0fnu" * (element in ("e4m3fn", "e5m2")), "mx", SAID, (name,)
        )
        for element, name in FORMATS.items()
    )

    def mx(self, x: Any, name: str) -> Any:
        return self.lib["utils"]._quantize_mx(x.clone(), 8, name, axes=[-1], block_size=32, round="even")
