"""JAX: ``array.astype`` and functions of ``jax.numpy`` on its CPU backend, eager or compiled, and its host's casts."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, INTEGERS, WIDE, Operation, carrier_dtype
from ...spec.profiles.constants import CONSTANTS
from ..base import Codes, Unsupported
from ..claims import Claims, cast_claim, constant_claims, published, require
from .elementwise import SIXTEEN, Elementwise, Found, by_formula, elementwise_claims, functions_of, options
from .ml_dtypes import NARROW as NUMPY_NARROW
from .ml_dtypes import numpy_dtype, unregistered

# XLA's CPU runtime refuses the FP6 types that jax.numpy names (jaxlib 0.10: "Invalid XLA PrimitiveType")
NARROW = tuple(name for name in NUMPY_NARROW if name not in ("e2m3fn", "e3m2fn"))
MODES = ("eager", "jit", "host")
# XLA compiles every function anew for every length.  Short arrays of other lengths are filled up to the next of these,
# which have whole vectors of up to 16 lanes and every kind of remainder; longer ones stay as they are.
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 65, 257, 1025, 4099)
FEW_LENGTHS = (0, 1, 7, 33, 257, 4099)  # of functions, of which there are hundreds


@cache
def known() -> tuple[Found, ...]:
    """What jax.numpy, jax.nn, jax.lax and jax.scipy.special have.  Raises Unavailable without jax."""
    names = ("jax.numpy", "jax.nn", "jax.lax", "jax.scipy.special")
    homes = {name: require(name, "pip install jax") for name in names}
    return functions_of(homes, by_formula("jax.nn.gelu", homes["jax.nn"].gelu, False, True))


class Jax:
    """JAX's casts and functions, by one of its ways.  Raises Unavailable without jax.

    ``mode``: ``eager``; ``jit``, compiled by XLA in one piece; or ``host``, where an array takes its type as it is made
    of one of NumPy's, ``jnp.asarray(x, dtype)``, which is casts alone.

    Every function here is element-wise, so that arrays are filled up to one of few lengths (``LENGTHS``), and the
    answers to what was filled in are dropped: the functions called and the way through them are the same.

    ``functions``, ``pairs``: :func:`.elementwise.options`.

    Nothing is promised of any cast: StableHLO leaves the conversion of values that the result lacks "TBD"
    (openxla/stablehlo issue 180), so every mode is "find out".
    """

    def __init__(self, mode: str = "eager", functions: str = "narrow", pairs: str = "narrow") -> None:
        sixteen, all_pairs = options(functions, pairs)
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
        self._functions = Elementwise(known())
        types = () if mode == "host" else (*narrow, *(SIXTEEN if sixteen else ()))
        asked = (op for name in types for op in elementwise_claims(self._functions.found, name, all_pairs, self._works))
        constants = constant_claims(CONSTANTS, narrow if mode == "eager" else ())  # the same object in every mode
        self._compiled: dict[Operation, Any] = {}
        self._claims = Claims([*casts, *asked, *constants])

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
        if op in self._functions:
            said = ": says nothing of rounding" if op.mode == ANY_MODE else ""
            return f"JAX reference, {self._functions[op].name}{said}"
        if op.family == "finfo":
            return f"NumPy reference, numpy.finfo.{op.mode}, whose attributes jax.numpy.finfo has"
        return "StableHLO convert: exact where representable, otherwise to be determined (openxla/stablehlo issue 180)"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        if op.family == "finfo":
            return published(op, operands[0], self.jnp.finfo(numpy_dtype(op.operands[0])))
        shape = operands[0].shape
        native = [x.astype(x.dtype.newbyteorder("="), copy=False) for x in operands]  # jax knows one byte order
        native = [_filled_up(x, FEW_LENGTHS if op in self._functions else LENGTHS) for x in native]
        with self.jax.default_device(self.cpu), self._64_bits():
            arrays = [x.view(numpy_dtype(name)) for x, name in zip(native, op.operands)]
            if self.mode == "host":
                z = np.asarray(self.jnp.asarray(*arrays, dtype=numpy_dtype(op.result)))
            else:
                z = np.asarray(self._answers(op, [self.jnp.asarray(x) for x in arrays]))
        answer: Codes = z.view(carrier_dtype(op.result))
        return answer[: shape[0]] if len(shape) == 1 else answer

    def _answers(self, op: Operation, arrays: Sequence[Any]) -> Any:
        """Raises Unsupported where jax traces a function for a type that XLA cannot compile, as erfc of 8 bits."""
        try:
            return self._function(op)(*arrays)
        except self.jax.errors.JaxRuntimeError as error:
            if "failed to legalize" not in str(error):
                raise
            raise Unsupported("XLA cannot compile it for this type") from error

    def _works(self, function: Found, op: Operation) -> bool:
        """Does it take the type and give the result's?  Asked of jax's own tracing, which compiles nothing."""
        some = [self.jax.ShapeDtypeStruct((1,), numpy_dtype(name)) for name in op.operands]
        try:
            found = self.jax.eval_shape(function.call, *some)
        except Exception:  # its many error classes: no such type, no such pair
            return False
        return bool(found.dtype == (np.dtype(bool) if op.result == "bool" else numpy_dtype(op.result)))

    def _function(self, op: Operation) -> Callable[..., Any]:
        """What answers an operation on arrays of jax."""
        if op not in self._compiled:
            function = self._functions.get(op)
            result = numpy_dtype(op.result) if function is None else None
            found = (lambda x: x.astype(result)) if function is None else function.call
            self._compiled[op] = self.jax.jit(found) if self.mode == "jit" else found
        return self._compiled[op]  # type: ignore[no-any-return]

    def _64_bits(self) -> AbstractContextManager[None]:
        """Keeps f64 and 64-bit integers what they are, in this thread and for this call."""
        home = self.jax if hasattr(self.jax, "enable_x64") else require("jax.experimental", "pip install jax")
        return home.enable_x64(True)  # type: ignore[no-any-return]


def _filled_up(x: Codes, lengths: Sequence[int]) -> Codes:
    """A one-dimensional array with its last element repeated up to the next of some lengths."""
    place = bisect.bisect_left(lengths, x.size)
    if x.ndim != 1 or not x.size or place == len(lengths):
        return x
    return np.pad(x, (0, lengths[place] - x.size), mode="edge")
