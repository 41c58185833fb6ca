"""SGLang: the MXFP4 reference in Python that its wheel ships."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from ...arrays.scaling import unpack
from ..base import Unavailable
from ..block_library import BlockLibrary, Quantises

FILE = "srt/layers/quantization/mxfp4_tensor.py"


class SGLang(BlockLibrary):
    """``MXFP4QuantizeUtil.quantize``; its file alone is loaded, as the package itself needs a GPU's libraries."""

    package = "sglang"
    quantisers = (Quantises("scale/f32/e2m1fn/*;k=32", "mxfp4", "SGLang MXFP4QuantizeUtil.quantize"),)

    def __init__(self) -> None:
        super().__init__()
        found = importlib.util.find_spec("sglang")
        if found is None or found.origin is None:
            raise Unavailable("sglang is not installed: pip install --no-deps sglang")
        spec = importlib.util.spec_from_file_location("mxfp4_tensor", Path(found.origin).parent / FILE)
        if spec is None or spec.loader is None:
            raise Unavailable(f"this sglang has no {FILE}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.MXFP4QuantizeUtil.__init__ = lambda own, shape, dtype, data: setattr(own, "data", data)
        self.quantiser = module.MXFP4QuantizeUtil

    def mxfp4(self, x: Any) -> tuple[Any, Any]:
        found, scale = self.quantiser.quantize(x, x.shape[1])
        codes = unpack(np.ascontiguousarray(found.data.numpy()), "e2m1fn")
        return scale.reshape(len(x), 1), self.torch.from_numpy(codes)
