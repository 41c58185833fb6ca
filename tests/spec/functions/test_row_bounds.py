"""The bounds against kernels in NumPy's binary32 and binary16, and against kernels that break an assumption."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref.cases.kappa import distance
from fp8ref.spec import get_format
from fp8ref.spec.functions.row_bounds import kappa, relative_error


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1)[:, None])
    total = e[:, 0]
    for i in range(1, x.shape[1]):
        total = total + e[:, i]
    return e / total[:, None]


def rmsnorm(x: Any) -> Any:
    return x / np.sqrt((x * x).mean(axis=1, dtype=x.dtype)[:, None] + x.dtype.type(1e-5))


def rows(n: int, k: int) -> Any:
    rng = np.random.default_rng(k)
    return (rng.normal(0, 1, (n, k)) * 2.0 ** rng.integers(-3, 4, (n, 1))).astype(ml_dtypes.bfloat16)


@pytest.mark.parametrize(("between", "k"), [(np.float32, 12), (np.float16, 6)])
def test_kernels_keep_the_bounds(between: Any, k: int) -> None:
    x = rows(6, k)
    name = "f32" if between is np.float32 else "f16"
    wide = get_format(name)
    near = (x.astype(np.float64) * 2.0 ** (0 if name == "f32" else -2)).astype(ml_dtypes.float8_e5m2)
    families = {"softmax": softmax, "rmsnorm": rmsnorm} if name == "f32" else {"softmax": softmax}
    for family, kernel in families.items():
        for result, dtype in (("e5m2", ml_dtypes.float8_e5m2), ("bf16", ml_dtypes.bfloat16))[: 1 + (name == "f32")]:
            got = kernel(near.astype(between)).astype(dtype)
            got = got.view(np.uint8 if result == "e5m2" else np.uint16)
            want = getattr(fp8ref, family)(near.view(np.uint8), "e5m2", result=result)
            f = get_format(result)
            assert distance(got, want, f).max() <= kappa(family, k, wide, f) == 1


def test_figures_by_hand() -> None:
    f32, f16, e4m3, bf16 = map(get_format, ("f32", "f16", "e4m3fn", "bf16"))
    # u = 2^-24; 126 + 0.368 * 16 + 8 + 15 + 1 = 155.888 roundings
    assert float(relative_error("softmax", 16, f32)) == pytest.approx(155.888 * 2**-24, rel=1e-4)
    assert float(relative_error("rmsnorm", 64, f32)) == pytest.approx((66 / 2 + 2) * 2**-24, rel=1e-4)
    assert kappa("softmax", 4096, f32, bf16) == 1
    assert kappa("softmax", 4, f16, e4m3) == 1
    # 14 + 0.368 * 1000 + 8 + 999 + 1 = 1390 roundings of 2^-11 are more than a half
    for args, message in (
        (("softmax", 1000, f16), "too long"),
        (("softmax", 0, f32), "at least one"),
        (("layernorm", 4, f32), "no bound"),
        (("rmsnorm", 4, f16), "underflow"),
    ):
        with pytest.raises(ValueError, match=message):
            relative_error(*args)
    with pytest.raises(ValueError, match="too small"):
        kappa("softmax", 4, f16, bf16)


def test_a_kernel_in_bfloat16_is_beyond_the_bound_of_binary32() -> None:
    x = rows(16, 12)
    got = softmax(x).view(np.uint16)
    want = fp8ref.softmax(x.view(np.uint16), "bf16")
    assert distance(got, want, get_format("bf16")).max() > kappa("softmax", 12, get_format("f32"), get_format("bf16"))
