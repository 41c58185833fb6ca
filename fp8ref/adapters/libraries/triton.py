"""Triton's casts and ``tl.dot`` in a kernel: on a GPU, or in its interpreter on the CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation, carrier_dtype
from ..base import Codes, Unavailable, Unsupported
from ..claims import cast_claim, require
from ..library import Library

NARROW = {"e4m3fn": "float8e4nv", "e5m2": "float8e5", "e4m3fnuz": "float8e4b8", "e5m2fnuz": "float8e5b16"}
WIDE = {"f16": "float16", "bf16": "bfloat16", "f32": "float32"}
BLOCK = 1024
DOTS, TILE = ("e4m3fn", "e5m2"), 64  # operands of tl.dot; rows and columns of its tiles


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
        self._kernel, self._dot = _make_kernels()
        if self.device == "cuda":  # the interpreter's is numpy's matmul
            yield from (Operation("dot", (a, b), "f32", ANY_MODE) for a in DOTS for b in DOTS)
        for name, attribute in NARROW.items():
            if hasattr(self.lib.language, attribute) and hasattr(self.torch, f"float8_{name}"):
                for wide in WIDE:
                    yield cast_claim(wide, name)
                    yield cast_claim(name, wide)

    def answer(self, op: Operation, *operands: Codes) -> Any:
        if op.asked.kind == "dot":
            return self._dots(op, *operands)
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

    def source(self, op: Operation) -> str:
        return "triton.language.dot says nothing of its sums" if op.asked.kind == "dot" else super().source(op)

    def _dots(self, op: Operation, a: Codes, b: Codes, c: Codes) -> Codes:
        """Dot products as the diagonals of products of TILE rows and columns."""
        n, k = a.shape
        if k & (k - 1) or k < 32:
            raise Unsupported(f"tl.dot takes K a power of two from 32, not {k}")
        missing = -n % TILE
        x, y, z = (
            self._tensor(np.pad(v, [(0, missing), *[(0, 0)] * (v.ndim - 1)])).view(self._dtype(name)).to(self.device)
            for v, name in zip((a, b, c), (*op.operands, op.result))
        )
        d = self.torch.zeros(n + missing, dtype=self.torch.float32, device=self.device)
        if n:
            self._dot[((n + missing) // TILE,)](x, y, z, d, k, TILE)
        return d.view(self.torch.int32).cpu().numpy().view(np.uint32)[:n]  # type: ignore[no-any-return]

    def _tensor(self, x: Codes) -> Any:
        return self.torch.from_numpy(x.view(f"i{x.itemsize}"))

    def _dtype(self, name: str) -> Any:
        return getattr(self.torch, WIDE.get(name) or f"float8_{name}")


def _make_kernels() -> tuple[Any, Any]:
    """The kernels; made after TRITON_INTERPRET is set."""
    import triton
    import triton.language as tl

    @triton.jit  # type: ignore[untyped-decorator]
    def cast(x_ptr, z_ptr, n, ROUNDING: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
        offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = offsets < n
        x = tl.load(x_ptr + offsets, mask=inside)
        z = x.to(z_ptr.dtype.element_ty, fp_downcast_rounding=ROUNDING)
        tl.store(z_ptr + offsets, z, mask=inside)

    @triton.jit  # type: ignore[untyped-decorator]
    def dot(a_ptr, b_ptr, c_ptr, d_ptr, K: tl.constexpr, TILE: tl.constexpr):  # type: ignore[no-untyped-def]
        case = tl.program_id(0) * TILE + tl.arange(0, TILE)
        k = tl.arange(0, K)
        a = tl.load(a_ptr + case[:, None] * K + k[None, :])
        b = tl.load(b_ptr + case[None, :] * K + k[:, None])
        here = case[:, None] == case[None, :]
        own = case[:, None] + tl.zeros((TILE, TILE), tl.int32)  # the case of a row; on the diagonal alone it is used
        c = tl.load(c_ptr + own, mask=here, other=0.0)
        tl.store(d_ptr + own, tl.dot(a, b, acc=c), mask=here)

    return cast, dot
