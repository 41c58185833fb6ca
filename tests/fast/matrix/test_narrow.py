"""Rounding to binary16 by one addition against numpy's conversion: every value, midpoint and neighbour of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fp8ref
from fp8ref.fast.matrix import narrow, units
from fp8ref.spec import get_format

Array = np.ndarray[Any, Any]
F16 = get_format("f16")
INF = np.inf


def agree(x: Array) -> bool:
    with np.errstate(all="ignore"):
        got, want = narrow.to_format(x, F16), x.astype(np.float16).astype(np.float32)
    return bool((got.view(np.uint32) == want.view(np.uint32)).all())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_value_midpoint_and_neighbour(dtype: Any) -> None:
    values = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(dtype)
    middles = (values[1:] + values[:-1]) / 2
    points = np.concatenate([values, middles])
    points = np.concatenate([points, np.nextafter(points, dtype(np.inf)), np.nextafter(points, dtype(-np.inf))])
    small = points[np.abs(points) < 2.0**15]
    with np.errstate(under="ignore"):
        small = np.concatenate([small, -small, small * dtype(2.0**-13)])
    assert narrow._to_f16(small, INF) is not None
    assert agree(small)
    assert agree(np.concatenate([points, -points]))  # overflow among them


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_the_addition_does_not_serve(dtype: Any) -> None:
    for odd in (2.0**15, -(2.0**15), 65519.0, 65520.0, 1e30, np.inf, -np.inf):
        x = np.array([1.0, odd], dtype)
        assert narrow._to_f16(x, INF) is None
        assert agree(x)
    assert np.isnan(narrow.to_format(np.array([1.0, np.nan], dtype), F16)).tolist() == [False, True]
    assert narrow._to_f16(np.array([0.0, -0.0, 2.0**-60, -(2.0**-60)], dtype), INF) is not None
    assert agree(np.array([0.0, -0.0, 2.0**-60, -(2.0**-60)], dtype))
    assert narrow.to_format(np.zeros(0, dtype), F16).shape == (0,)


def chained(a: Array, b: Array, c: Array, fused: bool) -> Array:
    """The chain by numpy's float16; of whole numbers float64 holds product and sum exactly, and rounds once."""
    with np.errstate(all="ignore"):
        for k in range(a.shape[1]):
            if fused:
                exact = np.multiply.outer(a[:, k].astype(float), b[k].astype(float)) + c.astype(float)
                c = exact.astype(np.float16)
            else:
                c = np.multiply.outer(a[:, k], b[k]) + c
    return c


@pytest.mark.parametrize("fused", [True, False], ids=["f16.fma", "f16.mul-add"])
@pytest.mark.parametrize("odd", [0.0, -65504.0, np.inf, np.nan])
def test_a_chain_looks_for_large_sums_from_where_they_may_be(
    fused: bool, odd: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of a chain grows with the largest products; sums of 2**15 and overflows come only after it."""
    looked: list[bool] = []
    to_f16 = narrow._to_f16

    def watched(x: Array, reach: float) -> Array | None:
        looked.append(not reach < 2**15)
        return to_f16(x, reach)

    monkeypatch.setattr(narrow, "_to_f16", watched)
    rng = np.random.default_rng(7)
    a, b = rng.integers(2, 40, (3, 120)).astype(np.float16), rng.integers(3, 60, (120, 4)).astype(np.float16)
    c = np.zeros((3, 4), np.float16)
    c[1, 2] = odd
    got = fp8ref.matmul(a, b, "f16", c=c, accumulator="f16.fma" if fused else "f16.mul-add", result="f16")
    want = chained(a, b, c, fused)
    assert np.isinf(want).sum() > 3
    assert np.array_equal(got.astype(np.float16), want, equal_nan=True)
    assert looked[0] is bool(odd)
    assert looked[-1] is True


def test_the_bound_of_a_rounded_magnitude() -> None:
    x = np.abs(patterns(1 << 16, 3)).astype(np.float64)
    assert (x.astype(np.float16) <= [units._rounded(v) for v in x.tolist()]).all()
    assert (x.astype(np.float16) > x).any()


def patterns(count: int, seed: int) -> Array:
    """Random float32 bits whose exponents lie about binary16's range."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 1 << 23, count, dtype=np.uint32)
    bits |= rng.integers(127 - 30, 127 + 15, count, dtype=np.uint32) << np.uint32(23)
    return (bits | rng.integers(0, 2, count, dtype=np.uint32) << np.uint32(31)).view(np.float32)


def test_random_patterns() -> None:
    x = patterns(1 << 18, 1)
    assert narrow._to_f16(x, INF) is not None
    assert agree(x)
    assert agree(x.astype(np.float64) * (1 + 2.0**-40))


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100))
def test_many_random_patterns(seed: int) -> None:
    x = patterns(1 << 20, 100 + seed)
    assert agree(x)
    assert agree(x.astype(np.float64) * (1 + 2.0**-40))
