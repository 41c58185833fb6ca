"""A tiny kernel library, as another project may have one: float32 to E4M3 by integer arithmetic, and a sum of codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]


def to_e4m3(x: NDArray[np.float32]) -> Codes:
    """float32 to E4M3 codes: to nearest, ties to even; what is too large becomes 448."""
    bits = x.view(np.uint32)
    magnitude = bits & np.uint32(0x7FFFFFFF)
    normal = magnitude + np.uint32(0x7FFFF) + (magnitude >> np.uint32(20) & np.uint32(1))
    normal = (np.maximum(normal, np.uint32(120 << 23)) >> np.uint32(20)) - np.uint32(120 << 3)
    # below 2**-6: adding 2**14 leaves the multiple of 2**-9 in the last bits, rounded to nearest even
    small = (np.fmin(np.abs(x), np.float32(1)) + np.float32(2.0**14)).view(np.uint32) - np.uint32(0x46800000)
    code = np.where(magnitude < np.uint32(121 << 23), small, np.minimum(normal, np.uint32(0x7E)))
    code = np.where(magnitude > np.uint32(0x7F800000), np.uint32(0x7F), code)
    found: Codes = (code | (bits >> np.uint32(24) & np.uint32(0x80))).astype(np.uint8)
    return found


def from_e4m3(codes: Codes) -> NDArray[np.float32]:
    """The values of E4M3 codes."""
    magnitude = (codes & np.uint8(0x7F)).astype(np.int32)
    exponent, trailing = magnitude >> 3, magnitude & 7
    value = np.where(exponent == 0, trailing, 8 + trailing) * np.exp2(np.maximum(exponent, 1) - 10.0)
    value = np.where(magnitude == 0x7F, np.nan, value)
    return np.where(codes & 0x80, -value, value).astype(np.float32)


def add_e4m3(a: Codes, b: Codes) -> Codes:
    """The sum of codes, rounded once: float32 holds every sum of two of them."""
    return to_e4m3(from_e4m3(a) + from_e4m3(b))


class Kernel:
    """The same as an adapter: ``fp8ref check --impl py:kernel:Kernel``."""

    def identify(self) -> dict[str, str]:
        return {"name": "tiny-kernel", "version": "1.0", "device": "cpu"}

    def capabilities(self) -> list[str]:
        return ["convert/f32/e4m3fn/rne.sat", "decode/e4m3fn/f32", "add/e4m3fn.e4m3fn/e4m3fn/rne.sat"]

    def run(self, op: Any, *operands: Any) -> Any:
        if op.family == "convert":
            return to_e4m3(operands[0].view(np.float32))
        if op.family == "decode":
            return from_e4m3(operands[0]).view(np.uint32)
        return add_e4m3(*operands)
