"""TensorFlow: ``tf.cast`` on the CPU, eager, in a graph or compiled by XLA; functions, eager."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from ...cases.operation import INTEGERS, Operation
from ..base import Codes, Unavailable
from ..claims import cast_claim, constant_claims, published, require
from ..library import Library
from .elementwise import SIXTEEN, Elementwise, Found, by_formula, elementwise_claims, functions_of, options
from .ml_dtypes import numpy_dtype

NARROW = {
    name: f"float8_{name}" for name in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz")
} | {"e2m1fn": "float4_e2m1fn"}  # fmt: skip
OTHERS = {
    "f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64",
    **{name: f"{'u' if name[0] == 'u' else ''}int{name[1:]}" for name in INTEGERS},
}  # fmt: skip
MODES = ("eager", "function", "xla")


@cache
def known() -> tuple[Found, ...]:
    """What tf.math and tf.nn have.  Raises Unavailable without tensorflow."""
    tf = require("tensorflow", "pip install tensorflow")
    return functions_of({"tf.math": tf.math, "tf.nn": tf.nn}, by_formula("tf.nn.gelu", tf.nn.gelu, False, True))


class TensorFlow(Library):
    """``mode``: ``eager``, ``function`` (a traced graph) or ``xla`` (``jit_compile=True``).

    ``functions``, ``pairs``: :func:`.elementwise.options`; its functions are of float16 and bfloat16, asked eagerly.
    """

    module = "tensorflow"
    said = "tf.cast: says nothing of rounding or overflow of float8"

    def __init__(self, mode: str = "eager", functions: str = "narrow", pairs: str = "narrow") -> None:
        self._sixteen, self._pairs = options(functions, pairs)
        if mode not in MODES:
            raise ValueError(f"tensorflow has no mode {mode!r}; choose from {', '.join(MODES)}")
        self.mode = mode
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        super().__init__()

    def identify(self) -> dict[str, str]:
        return {"name": "tensorflow", "version": self.lib.__version__, "device": "cpu", "mode": self.mode}

    def operations(self) -> Iterator[Operation]:
        self._casts: dict[str, Any] = {}
        for name in NARROW:
            for other in OTHERS:
                for source, result in ((other, name), (name, other)):
                    if result not in INTEGERS and self._works(source, result):
                        yield cast_claim(source, result)
        if self.mode == "eager":
            yield from constant_claims(("max", "min"), (name for name in NARROW if self._dtype(name) is not None))
        self._functions = Elementwise(known() if self.mode == "eager" else ())
        for name in (*NARROW, *(SIXTEEN if self._sixteen else ())):
            if self._dtype(name) is not None:
                yield from elementwise_claims(self._functions.found, name, self._pairs, self._has)
        if not self._casts:
            raise Unavailable(f"tensorflow {self.lib.__version__} casts to no float8 type")

    def source(self, op: Operation) -> str:
        function = self._functions.get(op)
        return f"TensorFlow reference, {function.name}" if function else super().source(op)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        if op in self._functions:
            given = [self.lib.constant(x.view(numpy_dtype(name))) for x, name in zip(operands, op.operands)]
            return self._functions[op].call(*given).numpy()
        (x,) = operands
        if op.family == "finfo":
            return published(op, x, self._dtype(op.operands[0]))
        return self._cast(op.result)(self.lib.constant(x.view(numpy_dtype(op.operands[0])))).numpy()

    def _has(self, function: Found, op: Operation) -> bool:
        """Has this release the function for the type, with a result of the type?"""
        try:
            found = function.call(*(self.lib.constant(np.zeros(3, numpy_dtype(name))) for name in op.operands))
        except Exception:  # its many error classes: no kernel, no such type
            return False
        return bool(found.dtype == (self.lib.bool if op.result == "bool" else self._dtype(op.result)))

    def _works(self, source: str, result: str) -> bool:
        try:
            x = np.zeros(3, numpy_dtype(source))
            return bool(self._cast(result)(self.lib.constant(x)).shape == (3,))
        except Exception:  # its many error classes: no kernel, no such type
            return False

    def _dtype(self, name: str) -> Any:
        home = self.lib.dtypes.experimental if name in NARROW else self.lib
        return getattr(home, {**NARROW, **OTHERS}[name], None)

    def _cast(self, result: str) -> Any:
        if result not in self._casts:
            tf = self.lib
            dtype = self._dtype(result)

            def cast(x: Any) -> Any:
                return tf.cast(x, dtype)

            if self.mode == "eager":
                self._casts[result] = cast
            else:
                # one trace for every length: short and long arrays take the same code
                self._casts[result] = tf.function(cast, jit_compile=self.mode == "xla", reduce_retracing=True)
        return self._casts[result]
