"""JAX: ``array.astype`` and functions of ``jax.numpy`` on its CPU backend, eager or compiled, and its host's casts."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ...cases.operation import INTEGERS, WIDE, Operation, carrier_dtype
from ...spec.profiles.constants import CONSTANTS
from ..base import Codes
from ..claims import Claims, cast_claim, claims_of, constant_claims, published, require
from .ml_dtypes import NARROW as NUMPY_NARROW
from .ml_dtypes import numpy_dtype, unregistered

# XLA's CPU runtime refuses the FP6 types that jax.numpy names (jaxlib 0.10: "Invalid XLA PrimitiveType")
NARROW = tuple(name for name in NUMPY_NARROW if name not in ("e2m3fn", "e3m2fn"))
MODES = ("eager", "jit", "host")
# family -> jax.numpy's function of one narrow type into itself or into bool, and the mode
FUNCTIONS = {
    "add": ("add", "*"), "sub": ("subtract", "*"), "mul": ("multiply", "*"), "div": ("divide", "*"),
    "sqrt": ("sqrt", "*"), "min": ("minimum", "rne.nonsat"), "max": ("maximum", "rne.nonsat"),
    "neg": ("negative", None), "abs": ("abs", None), "eq": ("equal", None), "ne": ("not_equal", None),
    "lt": ("less", None), "le": ("less_equal", None), "gt": ("greater", None), "ge": ("greater_equal", None),
    "isnan": ("isnan", None), "isfinite": ("isfinite", None),
}  # fmt: skip
# XLA compiles every function anew for every length.  Short arrays of other lengths are filled up to the next of these,
# which have whole vectors of up to 16 lanes and every kind of remainder; longer ones stay as they are.
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 65, 257, 1025, 4099)


class Jax:
    """JAX's casts and functions, by one of its ways.  Raises Unavailable without jax.

    ``mode``: ``eager``; ``jit``, compiled by XLA in one piece; or ``host``, where an array takes its type as it is made
    of one of NumPy's, ``jnp.asarray(x, dtype)``, which is casts alone.

    Every function here is element-wise, so that arrays are filled up to one of few lengths (``LENGTHS``), and the
    answers to what was filled in are dropped: the functions called and the way through them are the same.

    Nothing is promised of any cast: StableHLO leaves the conversion of values that the result lacks "TBD"
    (openxla/stablehlo issue 180), so every mode is "find out".
    """

    def __init__(self, mode: str = "eager") -> None:
        if mode not in MODES:
            raise ValueError(f"jax has no mode {mode!r}; choose from {', '.join(MODES)}")
        self.mode = mode
        self.jax = require("jax", "pip install jax")
        self.jnp = require("jax.numpy", "pip install jax")
        self.cpu = self.jax.devices("cpu")[0]
        narrow = [name for name in NARROW if hasattr(self.jnp, numpy_dtype(name).name)]
        casts = (
            cast_claim(source, result)
            for source in (*WIDE, *INTEGERS, *narrow)
            for result in (*narrow, *(WIDE if source in narrow else ()))
            if source != result and not (mode == "host" and unregistered(source, result))
        )
        modes = {family: mode for family, (_, mode) in FUNCTIONS.items()}
        with_functions = [name for name in narrow if name != "e8m0fnu" and mode != "host"]
        functions = (op for name in with_functions for op in claims_of(modes, name))
        constants = constant_claims(CONSTANTS, narrow if mode == "eager" else ())  # the same object in every mode
        self._compiled: dict[Operation, Any] = {}
        self._claims = Claims([*casts, *functions, *constants])

    def identify(self) -> Mapping[str, str]:
        jaxlib = require("jaxlib", "pip install jax")
        return {
            "name": "jax",
            "version": self.jax.__version__,
            "jaxlib": jaxlib.__version__,
            "device": "cpu",
            "mode": self.mode,
        }

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        if op.family in FUNCTIONS:
            said = ": says nothing of rounding" if op.mode else ""
            return f"JAX reference, jax.numpy.{FUNCTIONS[op.family][0]}{said}"
        if op.family == "finfo":
            return f"NumPy reference, numpy.finfo.{op.mode}, whose attributes jax.numpy.finfo has"
        return "StableHLO convert: exact where representable, otherwise to be determined (openxla/stablehlo issue 180)"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        if op.family == "finfo":
            return published(op, operands[0], self.jnp.finfo(numpy_dtype(op.operands[0])))
        shape = operands[0].shape
        native = [x.astype(x.dtype.newbyteorder("="), copy=False) for x in operands]  # jax knows one byte order
        native = [_filled_up(x) for x in native]
        with self.jax.default_device(self.cpu), self._64_bits():
            arrays = [x.view(numpy_dtype(name)) for x, name in zip(native, op.operands)]
            if self.mode == "host":
                z = np.asarray(self.jnp.asarray(*arrays, dtype=numpy_dtype(op.result)))
            else:
                z = np.asarray(self._function(op)(*map(self.jnp.asarray, arrays)))
        answer: Codes = z.view(carrier_dtype(op.result))
        return answer[: shape[0]] if len(shape) == 1 else answer

    def _function(self, op: Operation) -> Callable[..., Any]:
        """What answers an operation on arrays of jax."""
        if op not in self._compiled:
            result = numpy_dtype(op.result) if op.family not in FUNCTIONS else None
            found = getattr(self.jnp, FUNCTIONS[op.family][0]) if result is None else lambda x: x.astype(result)
            self._compiled[op] = self.jax.jit(found) if self.mode == "jit" else found
        return self._compiled[op]  # type: ignore[no-any-return]

    def _64_bits(self) -> AbstractContextManager[None]:
        """Keeps f64 and 64-bit integers what they are, in this thread and for this call."""
        home = self.jax if hasattr(self.jax, "enable_x64") else require("jax.experimental", "pip install jax")
        return home.enable_x64(True)  # type: ignore[no-any-return]


def _filled_up(x: Codes) -> Codes:
    """A one-dimensional array with its last element repeated up to the next of LENGTHS."""
    place = bisect.bisect_left(LENGTHS, x.size)
    if x.ndim != 1 or not x.size or place == len(LENGTHS):
        return x
    return np.pad(x, (0, LENGTHS[place] - x.size), mode="edge")
