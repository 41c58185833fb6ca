"""OpenVINO: the operation Convert on its CPU device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...cases.operation import WIDE, Operation, carrier_dtype
from ..base import Codes
from ..claims import cast_claim
from ..library import Library

NARROW = {"e4m3fn": "f8e4m3", "e5m2": "f8e5m2", "e8m0fnu": "f8e8m0"}

FLOAT8 = ("e4m3fn", "e5m2")


class OpenVino(Library):
    """A compiled model of one Convert for vectors of any length.

    FP4 is left out: its tensors are packed, two codes a byte.
    """

    module = "openvino"
    said = "OpenVINO Convert-1: says nothing of rounding or overflow of float8"

    def operations(self) -> Iterator[Operation]:
        self._core, self._models = self.lib.Core(), dict[tuple[str, str], Any]()
        for narrow in NARROW:
            for wide in WIDE:
                for source, result in ((wide, narrow), (narrow, wide)):
                    try:
                        self._model(source, result)
                    except RuntimeError:  # the device has no such conversion
                        continue
                    claim = cast_claim(source, result)
                    # documented, so its mismatches are counted and no findings [openvinotoolkit/openvino pull 28501]
                    yield replace(claim, keys=(("via", "f16"),)) if source == "f32" and result in FLOAT8 else claim

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        carrier = carrier_dtype(op.result)
        if x.size == 0:
            return np.empty(0, carrier)
        model = self._model(op.operands[0], op.result)
        tensor = self.lib.Tensor(self._type(op.operands[0]), self.lib.Shape([x.size]))
        tensor.data.view(x.dtype)[...] = x
        return model([tensor])[0].view(carrier).copy()

    def _model(self, source: str, result: str) -> Any:
        if (source, result) not in self._models:
            from openvino import opset15

            x = opset15.parameter([-1], self._type(source))
            model = self.lib.Model([opset15.convert(x, self._type(result))], [x])
            self._models[source, result] = self._core.compile_model(model, "CPU")
        return self._models[source, result]

    def _type(self, name: str) -> Any:
        return getattr(self.lib.Type, NARROW.get(name, name))
