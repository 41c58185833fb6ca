"""Quantisers of the papers' systems whose codes are a function of x times a multiplier, as rows of bytes.

``llm_int8``: a row's largest magnitude c in binary32, and int8 codes of x * (127 * (1 / c)).  ``tree8``: that of a
block, N, and codes of x * (1 / N) in the signed dynamic tree.  Both as bitsandbytes computes them, in binary32.  What
the papers leave open: a product that is NaN, as 0 * infinity is, gets the code 0; tree8 passes over NaNs when it looks
for N, llm_int8 does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays.quantisers import Quantiser, Scales, join
from ...fast.blocks import F32s, U32s
from ...fast.chunks import Array
from ...spec.rounding import Rounding
from ...systems.adam8 import tree
from ...systems.primitives import round_to_integer

ONE = np.float32(1)


@dataclass(frozen=True)
class PassesOverNaNs(Quantiser):
    """A quantiser whose largest magnitude is that of the numbers among its elements."""

    def rows(self, x: F32s, rule: str, tensor_amax: F32s | None = None) -> NDArray[np.uint8]:
        largest = np.fmax.reduce(np.abs(x), axis=1, initial=0).astype(np.float32)
        stored, up = self.scales(largest.view(np.uint32), rule, tensor_amax)
        return join(stored, self.elements(x, up, Rounding.TIES_TO_EVEN))


def _reciprocal(top: float) -> Scales:
    def scales(amax: U32s, rule: str, tensor: F32s | None) -> tuple[Array, F32s]:
        largest = np.ascontiguousarray(amax).view(np.float32)
        with np.errstate(all="ignore"):
            return largest, np.float32(top) * (ONE / largest)

    return scales


def _integers(x: F32s, up: F32s, rounding: Rounding) -> Array:
    with np.errstate(all="ignore"):
        scaled = np.nan_to_num(round_to_integer(x * up[:, None], rounding.value), nan=0, posinf=127, neginf=-127)
    codes: Array = np.minimum(np.maximum(scaled, -127), 127).astype(np.int8)
    return codes.view(np.uint8)


def _steps(x: F32s, up: F32s, rounding: Rounding) -> Array:
    """The step of [-1, 1] that x times its multiplier falls into, and the code of that step."""
    steps = tree(True, "bitsandbytes-cpu").steps
    assert steps is not None
    with np.errstate(all="ignore"):
        v = np.minimum(np.maximum(x * up[:, None], -ONE), ONE)
    half = np.float32(0.5)
    found: Array = steps[np.nan_to_num((v + ONE) * half * np.float32(65535) + half, nan=0).astype(np.uint16)]
    return found


SYSTEM_QUANTISERS: dict[str, Quantiser] = {
    q.name: q
    for q in (
        Quantiser(
            "llm_int8", ("bitsandbytes",), "f32", "i8", 0, _reciprocal(127), _integers,
            {"bitsandbytes": "arXiv 2208.07339 2.1; bitsandbytes 0.50.2 int8_vectorwise_quant"},
        ),
        PassesOverNaNs(
            "tree8", ("bitsandbytes-cpu",), "f32", "u8", 256, _reciprocal(1), _steps,
            {"bitsandbytes-cpu": "arXiv 2110.02861 2; bitsandbytes 0.50.2 quantize_blockwise of the CPU library"},
        ),
    )
}  # fmt: skip
