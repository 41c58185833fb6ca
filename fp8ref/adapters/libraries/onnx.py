"""ONNX: the operator Cast in the reference evaluator of the package ``onnx``, and the models that ask it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...cases.operation import INTEGERS, WIDE, Operation
from ..base import Codes
from ..claims import cast_claim
from ..library import Library
from .ml_dtypes import numpy_dtype

OPSET, IR_VERSION = 24, 12
# our names -> onnx.TensorProto's
TYPES = {
    "e4m3fn": "FLOAT8E4M3FN", "e5m2": "FLOAT8E5M2", "e4m3fnuz": "FLOAT8E4M3FNUZ", "e5m2fnuz": "FLOAT8E5M2FNUZ",
    "e8m0fnu": "FLOAT8E8M0", "e2m1fn": "FLOAT4E2M1", "e2m3fn": "FLOAT6E2M3", "e3m2fn": "FLOAT6E3M2",
    "f16": "FLOAT16", "bf16": "BFLOAT16", "f32": "FLOAT", "f64": "DOUBLE",
    **{name: f"{'U' if name[0] == 'u' else ''}INT{name[1:]}" for name in INTEGERS},
}  # fmt: skip
FLOAT8 = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")
# E8M0: the attribute round_mode; `up` is away from zero and the operands are positive
ROUND_MODES = {"rtp": "up", "rtz": "down", "rna": "nearest"}


def cast_operations(narrow: tuple[str, ...], sources: tuple[str, ...]) -> Iterator[Operation]:
    """Cast's operations: both values of ``saturate`` for float8, every ``round_mode`` for E8M0, decodings."""
    for name in narrow:
        for source in sources:
            if name in FLOAT8:
                yield from (Operation.convert(source, name, mode) for mode in ("rne.sat", "rne.nonsat"))
            elif name == "e8m0fnu":
                yield from (Operation.convert(source, name, f"{mode}.sat") for mode in ROUND_MODES)
            else:
                yield Operation.convert(source, name, "*")
        yield from (cast_claim(name, wide) for wide in WIDE if wide in sources)


def cast_model(onnx: Any, op: Operation, opset: int = OPSET, ir_version: int = IR_VERSION) -> Any:
    """A model of one Cast, from an operation's operand type to its result type, for vectors of any length."""
    source, result = (getattr(onnx.TensorProto, TYPES[name]) for name in (op.operands[0], op.result))
    rounding, _, overflow = (op.mode or "").partition(".")
    options: dict[str, Any] = {"saturate": int(overflow != "nonsat")} if op.family == "convert" else {}
    if op.result == "e8m0fnu":
        options["round_mode"] = ROUND_MODES[rounding]
    h = onnx.helper
    graph = h.make_graph(
        [h.make_node("Cast", ["x"], ["z"], to=result, **options)],
        "cast",
        [h.make_tensor_value_info("x", source, ["n"])],
        [h.make_tensor_value_info("z", result, ["n"])],
    )
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=ir_version)


class OnnxReference(Library):
    """``onnx.reference.ReferenceEvaluator`` on a model of one Cast.

    Its arrays of narrow types are those of ml_dtypes.
    """

    module = "onnx"
    said = "ONNX operator Cast: the tables of saturate; float8.md: nearest even; E8M0: round_mode"

    def operations(self) -> Iterator[Operation]:
        from onnx.reference import ReferenceEvaluator

        self._evaluator, self._ready = ReferenceEvaluator, dict[str, Any]()
        narrow = tuple(name for name in TYPES if name[0] == "e" and hasattr(self.lib.TensorProto, TYPES[name]))
        yield from cast_operations(narrow, WIDE)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        if op.id not in self._ready:
            self._ready[op.id] = self._evaluator(cast_model(self.lib, op))
        (x,) = operands
        return self._ready[op.id].run(None, {"x": x.view(numpy_dtype(op.operands[0]))})[0]
