"""Triton's casts, ``tensor.to(dtype)`` in a kernel: on a GPU, or in its interpreter on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..cases.operation import Operation, carrier_dtype
from .base import Codes, Unavailable
from .claims import cast_claim, require
from .library import Library

NARROW = {"e4m3fn": "float8e4nv", "e5m2": "float8e5", "e4m3fnuz": "float8e4b8", "e5m2fnuz": "float8e5b16"}
WIDE = {"f16": "float16", "bf16": "bfloat16", "f32": "float32"}
BLOCK = 1024


class Triton(Library):
    """``device``: ``cpu`` interprets kernels (TRITON_INTERPRET=1), ``cuda`` compiles them.

    A kernel loads a block, casts and stores it.  Tensors are torch's.
    """

    module = "triton"
    said = "triton.language.cast: fp_downcast_rounding rtne or rtz; nothing of overflow"

    def __init__(self, device: str = "cpu") -> None:
        if device not in ("cpu", "cuda"):
            raise ValueError(f"triton runs on cpu (interpreted) or cuda, not {device!r}")
        if device == "cpu":
            os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported
        self.device, self.torch = device, require("torch", "pip install torch")
        if device == "cuda" and not self.torch.cuda.is_available():
            raise Unavailable("torch finds no CUDA device here: try device=cpu")
        super().__init__()

    def identify(self) -> dict[str, str]:
        return {**super().identify(), "device": self.device + (" (interpreter)" if self.device == "cpu" else "")}

    def operations(self) -> Iterator[Operation]:
        self._kernel = _make_kernel()
        for name, attribute in NARROW.items():
            if hasattr(self.lib.language, attribute) and hasattr(self.torch, f"float8_{name}"):
                for wide in WIDE:
                    yield cast_claim(wide, name)
                    yield cast_claim(name, wide)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        n = x.size
        codes = carrier_dtype(op.result)
        if n == 0:
            return np.empty(0, codes)
        given = self._tensor(x).view(self._dtype(op.operands[0])).to(self.device)
        z = self.torch.zeros(n, dtype=self._dtype(op.result), device=self.device)
        rounding = "rtne" if op.family == "convert" else None
        self._kernel[(-(-n // BLOCK),)](given, z, n, rounding, BLOCK)
        return z.view(getattr(self.torch, f"int{8 * codes.itemsize}")).cpu().numpy().view(codes)

    def _tensor(self, x: Codes) -> Any:
        return self.torch.from_numpy(x.view(f"i{x.itemsize}"))

    def _dtype(self, name: str) -> Any:
        return getattr(self.torch, WIDE.get(name) or f"float8_{name}")


def _make_kernel() -> Any:
    """The kernel; made after TRITON_INTERPRET is set."""
    import triton
    import triton.language as tl

    @triton.jit  # type: ignore[untyped-decorator]
    def cast(x_ptr, z_ptr, n, ROUNDING: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
        offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = offsets < n
        x = tl.load(x_ptr + offsets, mask=inside)
        z = x.to(z_ptr.dtype.element_ty, fp_downcast_rounding=ROUNDING)
        tl.store(z_ptr + offsets, z, mask=inside)

    return cast
