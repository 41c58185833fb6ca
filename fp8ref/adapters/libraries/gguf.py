"""gguf, llama.cpp's Python package: its quantiser of MXFP4 blocks, the same blocks as the C library's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np

from ...arrays.layouts import unpack_gguf
from ...arrays.quantisers import join
from ...cases.operation import Operation
from ..base import Codes, Unsupported
from ..claims import require

CLAIM = "scale/f32/e2m1fn/*;k=32"  # nothing documents which recipe it follows where the C library is undefined


class Gguf:
    """``gguf.quants.quantize`` to MXFP4, blocks of 17 bytes.

    Raises Unavailable without gguf.
    """

    def __init__(self) -> None:
        self.gguf = require("gguf", "pip install gguf")

    def identify(self) -> Mapping[str, str]:
        return {"name": "gguf", "version": version("gguf"), "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return [CLAIM]

    def source(self, op: Operation) -> str:
        return "gguf.quants MXFP4.quantize_blocks"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        if op.id != CLAIM:
            raise Unsupported(f"it has no {op.id}")
        x = np.ascontiguousarray(operands[0]).view(np.float32)
        if not len(x):
            return np.zeros((0, 33), np.uint8)
        with np.errstate(all="ignore"):
            packed = self.gguf.quants.quantize(x, self.gguf.GGMLQuantizationType.MXFP4)
        scales, codes = unpack_gguf(packed.reshape(len(x), -1), "mxfp4")
        return join(np.ascontiguousarray(scales[:, 0]), codes)
