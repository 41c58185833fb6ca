"""brevitas: fake quantisation of FP8 weights by rows."""

from __future__ import annotations

from typing import Any

from ..block_library import BlockLibrary, Quantises

SAID = "brevitas {}, weight_quant of QuantLinear"


def _row(element: str, quantiser: str) -> Quantises:
    return Quantises(f"fake/f32/{element}/brevitas-fp8;k=128", "values", SAID.format(quantiser), (quantiser,))


class Brevitas(BlockLibrary):
    """The values that the weight quantiser of a linear layer gives back, one scale for each of its rows."""

    package = "brevitas"
    modules = ("brevitas.nn", "brevitas.quant.float_quant_ocp")
    quantisers = (
        _row("e4m3fn", "Fp8e4m3OCPWeightPerChannelFloat"),
        _row("e5m2", "Fp8e5m2OCPWeightPerChannelFloat"),
    )

    def values(self, x: Any, quantiser: str) -> Any:
        kind = getattr(self.lib["float_quant_ocp"], quantiser)
        layer = self.lib["nn"].QuantLinear(x.shape[1], x.shape[0], bias=False, weight_quant=kind).eval()
        layer.weight.data = x
        return layer.weight_quant(layer.weight).value
