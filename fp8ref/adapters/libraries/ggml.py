"""ggml, llama.cpp's C library, as the package libggml-python ships it: casts of rows, MXFP4 and NVFP4 blocks."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ...arrays.layouts import unpack_gguf
from ...arrays.quantisers import join
from ...cases.operation import Operation
from ..base import Codes, Unavailable, Unsupported

MXFP4 = "scale/f32/e2m1fn/*;k=32"
ROWS = {
    "convert/f32/f16": ("ggml_fp32_to_fp16_row", np.uint16), "convert/f32/bf16": ("ggml_fp32_to_bf16_row", np.uint16),
    "decode/f16/f32": ("ggml_fp16_to_fp32_row", np.uint32), "decode/bf16/f32": ("ggml_bf16_to_fp32_row", np.uint32),
}  # fmt: skip


class Ggml:
    """``ggml_fp32_to_fp16_row`` and its like, and ``quantize_mxfp4``, called by ctypes.

    Raises Unavailable without libggml-python.
    """

    def __init__(self) -> None:
        found = importlib.util.find_spec("libggml")
        if found is None or found.origin is None:
            raise Unavailable("libggml is not installed: pip install libggml-python")
        self.lib = ctypes.CDLL(str(Path(found.origin).parent / "lib64" / "libggml-base.so"))
        self.lib.quantize_mxfp4.restype = ctypes.c_size_t

    def identify(self) -> Mapping[str, str]:
        return {"name": "ggml", "version": version("libggml-python"), "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return [*(name + "/*" * name.startswith("convert") for name in ROWS), MXFP4]

    def source(self, op: Operation) -> str:
        return "ggml.h says nothing of rounding"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        x = np.ascontiguousarray(operands[0].astype(operands[0].dtype.newbyteorder("="), copy=False))
        if op.id == MXFP4:
            return self._mxfp4(x)
        found = ROWS.get("/".join((op.family, *op.operands, op.result)))
        if found is None or op.flags:
            raise Unsupported(f"it has no {op.id}")
        name, dtype = found
        z = np.empty(x.shape, dtype)
        getattr(self.lib, name)(_pointer(x), _pointer(z), ctypes.c_int64(x.size))
        return z

    def _mxfp4(self, x: Codes) -> Codes:
        if not len(x):
            return np.zeros((0, 33), np.uint8)
        packed = np.zeros((len(x), 17), np.uint8)
        rows, length = ctypes.c_int64(len(x)), ctypes.c_int64(x.shape[1])
        self.lib.quantize_mxfp4(_pointer(x), _pointer(packed), rows, length, None)
        scales, codes = unpack_gguf(packed, "mxfp4")
        return join(np.ascontiguousarray(scales[:, 0]), codes)


def _pointer(x: Codes) -> ctypes.c_void_p:
    return ctypes.c_void_p(x.ctypes.data)
