"""ONNX Runtime: the operator Cast on its CPU execution provider."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import WIDE, Operation, carrier_dtype
from ..base import Codes, Unavailable
from ..claims import require
from ..library import Library
from .onnx import FLOAT8, TYPES, cast_model, cast_operations

OPSET, IR_VERSION = 23, 11  # the newest that its CPU kernels of Cast answer to


class OnnxRuntime(Library):
    """A session with a model of one Cast; results are read from the memory of the output value.

    Without the package ``onnx`` no model can be made: Unavailable.
    """

    module = "onnxruntime"
    said = "ONNX operator Cast: the tables of saturate; float8.md: nearest even"

    def operations(self) -> Iterator[Operation]:
        self.onnx = require("onnx", "pip install onnx")
        self.lib.set_default_logger_severity(4)
        self._sessions: dict[str, Any] = {}
        for op in cast_operations((*FLOAT8, "e8m0fnu", "e2m1fn"), WIDE):
            try:
                self._session(op)
            except Exception:  # its own exception classes, one for each status
                continue
            yield op
        if not self._sessions:
            raise Unavailable(f"onnxruntime {self.lib.__version__} has no Cast to a float8 type")

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        carrier = carrier_dtype(op.result)
        if x.size == 0:
            return np.empty(0, carrier)
        session, element = self._session(op), getattr(self.onnx.TensorProto, TYPES[op.operands[0]])
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", self.lib.OrtValue.ortvalue_from_numpy_with_onnx_type(x, element))
        binding.bind_output("z", "cpu")
        session.run_with_iobinding(binding)
        value = binding.get_outputs()[0]
        size = x.size * carrier.itemsize
        return np.frombuffer(ctypes.string_at(value.data_ptr(), size), carrier)

    def _session(self, op: Operation) -> Any:
        if op.id not in self._sessions:
            model = cast_model(self.onnx, op, OPSET, IR_VERSION).SerializeToString()
            self._sessions[op.id] = self.lib.InferenceSession(model, providers=["CPUExecutionProvider"])
        return self._sessions[op.id]
