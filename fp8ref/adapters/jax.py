"""JAX: eager ``array.astype`` on its CPU backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np

from ..cases.operation import INTEGERS, WIDE, Operation, carrier_dtype
from .base import Codes
from .claims import Claims, cast_claim, require
from .ml_dtypes import NARROW as NUMPY_NARROW
from .ml_dtypes import numpy_dtype

# XLA's CPU runtime refuses the FP6 types that jax.numpy names (jaxlib 0.10: "Invalid XLA PrimitiveType")
NARROW = tuple(name for name in NUMPY_NARROW if name not in ("e2m3fn", "e3m2fn"))


class Jax:
    """JAX's eager casts.  Raises Unavailable without jax.

    Nothing is promised of any cast: StableHLO leaves the conversion of values that the result lacks "TBD"
    (openxla/stablehlo issue 180), so every mode is "find out".
    """

    def __init__(self) -> None:
        self.jax = require("jax", "pip install jax")
        self.jnp = require("jax.numpy", "pip install jax")
        self.cpu = self.jax.devices("cpu")[0]
        narrow = [name for name in NARROW if hasattr(self.jnp, numpy_dtype(name).name)]
        self._claims = Claims(
            cast_claim(source, result)
            for source in (*WIDE, *INTEGERS, *narrow)
            for result in (*narrow, *(WIDE if source in narrow else ()))
            if source != result
        )

    def identify(self) -> Mapping[str, str]:
        jaxlib = require("jaxlib", "pip install jax")
        return {"name": "jax", "version": self.jax.__version__, "jaxlib": jaxlib.__version__, "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        return "StableHLO convert: exact where representable, otherwise to be determined (openxla/stablehlo issue 180)"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        codes = operands[0].astype(operands[0].dtype.newbyteorder("="), copy=False)  # jax knows one byte order
        x = codes.view(numpy_dtype(op.operands[0]))
        with self.jax.default_device(self.cpu), self._64_bits():
            z = np.asarray(self.jnp.asarray(x).astype(numpy_dtype(op.result)))
        return z.view(carrier_dtype(op.result))

    def _64_bits(self) -> AbstractContextManager[None]:
        """Keeps f64 and 64-bit integers what they are, in this thread and for this call."""
        home = self.jax if hasattr(self.jax, "enable_x64") else require("jax.experimental", "pip install jax")
        return home.enable_x64(True)  # type: ignore[no-any-return]
