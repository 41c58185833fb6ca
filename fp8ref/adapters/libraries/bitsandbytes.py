"""bitsandbytes on a CPU: the row-wise int8 codes of LLM.int8(), and block-wise codes of the dynamic tree."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np

from ...arrays.conversion import FLOAT_DTYPES
from ...arrays.quantisers import join
from ...cases.operation import Operation
from ...extras import install
from ..base import Codes, Unavailable
from ..claims import Claims


class Bitsandbytes:
    """``int8_vectorwise_quant`` of float16 rows, and ``quantize_blockwise`` of float32 by the compiled library.

    Raises Unavailable where bitsandbytes or PyTorch is not installed.
    """

    def __init__(self) -> None:
        try:
            self.torch = importlib.import_module("torch")
            self.functional = importlib.import_module("bitsandbytes.functional")
        except ImportError as error:
            raise Unavailable(f"bitsandbytes is not here ({error}): {install('systems')}") from None
        asked = ("scale/f16/llm_int8/bitsandbytes", "scale/f32/tree8/bitsandbytes-cpu")
        self._claims = Claims(map(Operation.parse, asked))
        self.codebook = self.functional.create_dynamic_map()

    def identify(self) -> Mapping[str, str]:
        return {
            "name": "bitsandbytes",
            "version": version("bitsandbytes"),
            "device": "cpu",
            "torch": self.torch.__version__,
        }

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        return "bitsandbytes.functional, the docstrings of int8_vectorwise_quant and quantize_blockwise"

    def run(self, op: Operation, *operands: Codes) -> Codes:
        claim = self._claims.covering(op)
        x = np.array(operands[0], order="C").view(FLOAT_DTYPES[op.operands[0]])
        tensor = self.torch.from_numpy(x)
        if claim.result == "llm_int8":
            codes, largest, _ = self.functional.int8_vectorwise_quant(tensor)
        else:
            codes, state = self.functional.quantize_blockwise(tensor, code=self.codebook, blocksize=x.shape[1])
            largest = state.absmax
        return join(largest.numpy(), codes.numpy().view(np.uint8))
