"""Division in a kernel of Triton: apart, because importing it needs Triton."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

THREADS = 1024


@triton.jit  # type: ignore[untyped-decorator]
def _divide(x, y, z, n, nearest: tl.constexpr, size: tl.constexpr):  # type: ignore[no-untyped-def]
    at = tl.program_id(0) * size + tl.arange(0, size)
    a = tl.load(x + at, mask=at < n, other=1.0)
    b = tl.load(y + at, mask=at < n, other=1.0)
    if nearest:
        d = tl.div_rn(a, b)
    else:
        d = a / b
    tl.store(z + at, d, mask=at < n)


def divided(x: Any, y: Any, nearest: bool) -> Any:
    """x / y, float32 tensors on a device; ``nearest``: by ``tl.div_rn``."""
    z = torch.empty_like(x)
    _divide[(triton.cdiv(x.numel(), THREADS),)](x, y, z, x.numel(), nearest, THREADS)
    return z
