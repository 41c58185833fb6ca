"""optimum-quanto: FP8 weights by rows."""

from __future__ import annotations

from typing import Any

from ..block_library import BlockLibrary, Quantises

SAID = "optimum-quanto AbsmaxOptimizer and quantize_weight"


class Quanto(BlockLibrary):
    """``AbsmaxOptimizer`` for the scale, ``quantize_weight`` for the codes, and the values they give back."""

    package = "optimum-quanto"
    modules = ("optimum.quanto",)
    quantisers = (
        Quantises("scale/f32/e4m3fn/quanto;k=128", "codes", SAID),
        Quantises("scale/bf16/e4m3fn/quanto;k=128", "codes", SAID),
        Quantises("scale/f32/e5m2/quanto;k=128", "codes", SAID, ("qfloat8_e5m2",)),
        Quantises("fake/f32/e4m3fn/quanto;k=128", "values", SAID),
        Quantises("fake/bf16/e4m3fn/quanto;k=128", "values", SAID),
    )

    def _weight(self, x: Any, name: str) -> Any:
        quanto = self.lib["quanto"]
        kind = getattr(quanto, name)
        rows = self.torch.cat([x, x[-1:]])  # one row alone would be one tensor
        scale = quanto.AbsmaxOptimizer()(rows, kind, axis=0)
        return quanto.quantize_weight(rows, kind, 0, scale, optimized=False)

    def codes(self, x: Any, name: str = "qfloat8_e4m3fn") -> tuple[Any, Any]:
        found = self._weight(x, name)
        return found._scale[:-1].float(), found._data[:-1]

    def values(self, x: Any) -> Any:
        return self._weight(x, "qfloat8_e4m3fn").dequantize()[:-1]
