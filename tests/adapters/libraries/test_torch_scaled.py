"""``torch._scaled_mm`` under the conditions of a GPU, which takes no bias with a float32 result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fp8ref.adapters.libraries.torch import Torch  # noqa: E402
from fp8ref.cases.operation import Operation  # noqa: E402


def test_c_is_added_late_where_no_bias_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = torch._scaled_mm, []

    def without_bias(*arguments: Any, bias: Any = None, out_dtype: Any = None, **rest: Any) -> Any:
        if bias is not None and out_dtype == torch.float32:
            raise RuntimeError("no bias with a float32 result")
        seen.append(rest["use_fast_accum"])
        return real(*arguments, bias=bias, out_dtype=out_dtype, **rest)

    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/*;k=32")
    usual = Torch()
    claims = sorted(usual.capabilities())
    assert "C its bias" in usual.source(op)
    monkeypatch.setattr(torch, "_scaled_mm", without_bias)
    adapter = Torch(product="scaled_mm_fast")
    assert sorted(adapter.capabilities()) == claims
    assert "use_fast_accum, C is added to its result" in adapter.source(op)
    assert "C its bias" in adapter.source(Operation.parse("dot/e4m3fn.e4m3fn/bf16/*;k=32"))
    ones, c = np.full((3, 32), 0x38, np.uint8), np.array([1, -32, 0.5], np.float32).view(np.uint32)
    assert adapter.run(op, ones, ones, c).view(np.float32).tolist() == [33, 0, 32.5]
    assert set(seen) == {True}
