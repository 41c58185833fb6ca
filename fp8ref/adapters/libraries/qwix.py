"""qwix, Google's quantiser for jax: absmax scales by rows, NVFP4 without a scale of the tensor.

Its MX is not claimed: the scale is 2^ceil(log2 s), and jax's log2 is not correctly rounded, so that near powers of two
either of two scales comes.  ``fp8ref identify`` compares data with ``qwix-mxfp8`` and ``qwix-mxfp4``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import ml_dtypes
import numpy as np

from ...arrays.conversion import FLOAT_DTYPES
from ...arrays.quantisers import join
from ...cases.operation import Operation
from ...cases.products.questions import shapes
from ..base import Codes, Unsupported
from ..claims import require

SAID = "Qwix qarray, quantize with absmax calibration"
CLAIMS = {  # what qwix calls the type of the codes
    "scale/f32/e4m3fn/qwix;k=128": "float8_e4m3fn",
    "scale/f32/e5m2/qwix;k=128": "float8_e5m2",
    "scale/f32/e2m1fn/qwix-nvfp4;k=16;scale=e4m3fn": "nvfp4",
}


class Qwix:
    """``qwix._src.core.qarray.quantize``, one scale for each row, or for each group of 16.

    Raises Unavailable without qwix.
    """

    def __init__(self) -> None:
        self.numpy: Any = require("jax.numpy", "pip install jax")
        self.qarray: Any = require("qwix._src.core.qarray", "pip install qwix")

    def identify(self) -> Mapping[str, str]:
        return {"name": "qwix", "version": version("qwix"), "jax": version("jax"), "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return list(CLAIMS)

    def source(self, op: Operation) -> str:
        return SAID

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.id not in CLAIMS:
            raise Unsupported(f"it has no {op.id}")
        n = len(operands[0])
        if not n:
            return np.zeros(shapes(op, n)[-1], np.uint8)
        x = np.ascontiguousarray(operands[0]).view(FLOAT_DTYPES[op.operands[0]])
        name = CLAIMS[op.id]
        kind = getattr(self.numpy, name, name)
        tiled = {1: x.shape[1]} if isinstance(kind, str) else {}
        how = self.qarray.HowToQuantize(qtype=kind, channelwise_axes=[0], tiled_axes=tiled)
        found = self.qarray.quantize(self.numpy.asarray(x), how)
        scale = np.asarray(found.scale).reshape(n).astype(np.float32)
        codes = np.asarray(found.qvalue).reshape(x.shape).view(np.uint8)
        if not isinstance(kind, str):
            return join(scale, codes)
        # scales are kept in binary32, though they are values of E4M3
        return join(scale.astype(ml_dtypes.float8_e4m3fn).view(np.uint8), codes & np.uint8(0x0F))
