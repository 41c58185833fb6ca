"""Exact products by one inexact product and its bound: the share that it decides, and what it must leave open."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import fp8ref
from fp8ref.fast.matrix import exact_dot

Array = np.ndarray[Any, Any]
BIG, LEAST = 0x7B, 0x01  # e5m2: 57344, and 2**-16


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of every tile, whether the bound served."""
    served: list[bool] = []
    method = exact_dot._by_bound

    def watched(*args: Any) -> Any:
        found = method(*args)
        served.append(found is not None)
        return found

    monkeypatch.setattr(exact_dot, "_by_bound", watched)
    return served


def every_code(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    drawn = rng.integers(0, 256, shape).astype(np.uint8)
    return np.where(np.isfinite(fp8ref.decode(drawn, "e5m2", dtype=np.float64)), drawn, 1).astype(np.uint8)


@pytest.mark.parametrize(("result", "rounding"), [("f32", "rne"), ("f32", "rtp"), ("f16", "rne"), ("e5m2", "rtz")])
def test_products_equal_dots(result: str, rounding: str, tiles: list[bool]) -> None:
    rng = np.random.default_rng(3)
    a, b = every_code(rng, (60, 300)), every_code(rng, (300, 50))
    got = fp8ref.matmul(a, b, "e5m2", result=result, rounding=rounding, overflow="nonsat")
    assert tiles == [True]
    want = fp8ref.dot(a[:, None], b.T[None], "e5m2", result=result, rounding=rounding, overflow="nonsat")
    assert np.array_equal(got, want, equal_nan=True)


@pytest.mark.parametrize("tail", [LEAST, LEAST | 0x80, 0])
def test_what_cancels_and_ties_is_left_open(tail: int, tiles: list[bool]) -> None:
    """The largest products cancel; left are 1 + 2**-24, a tie of binary32, and 2**-32 of either sign or nothing."""
    rng = np.random.default_rng(4)
    a, b = every_code(rng, (40, 64)), every_code(rng, (64, 40))
    a[7], b[:, 9] = 0, 0
    one, small = (int(fp8ref.encode(x, "e5m2")) for x in (1.0, 2.0**-12))
    a[7, :5], b[:5, 9] = [BIG, one, small, tail, BIG | 0x80], [BIG, one, small, LEAST, BIG]
    got = fp8ref.matmul(a, b, "e5m2")
    assert tiles == [True]
    left = {LEAST: 2.0**-23, LEAST | 0x80: 0.0, 0: 0.0}[tail]
    assert got[7, 9] == 1.0 + left
    for i, j in ((7, 9), (0, 0), (7, 8), (39, 39)):
        x, y = (fp8ref.decode(v, "e5m2", dtype=np.float64).tolist() for v in (a[i], b[:, j]))
        exact = sum((Fraction(p) * Fraction(q) for p, q in zip(x, y)), Fraction(0))
        assert abs(Fraction(float(got[i, j])) - exact) * 2 <= Fraction(float(np.spacing(np.abs(got[i, j]))))


def test_sums_that_are_zero(tiles: list[bool]) -> None:
    """An exact zero is +0, a tiny sum that rounds to zero keeps its sign: both lie within the bound of zero."""
    rng = np.random.default_rng(5)
    a, b = every_code(rng, (40, 64)), every_code(rng, (64, 40))
    a[:2], b[:, :1] = 0, 0
    a[0, :2], a[1, :3], b[:3, 0] = [BIG, BIG | 0x80], [BIG, BIG | 0x80, LEAST | 0x80], [BIG, BIG, LEAST]
    got = fp8ref.matmul(a, b, "e5m2", result="e5m2")
    assert tiles == [True]
    assert got[:2, 0].tolist() == [0x00, 0x80]


def test_where_the_bound_does_not_serve(tiles: list[bool]) -> None:
    rng = np.random.default_rng(6)
    a, b = every_code(rng, (30, 64)), every_code(rng, (64, 30))
    special = a.copy()
    special[3, 3] = 0x7C
    small = np.where(rng.random((30, 64)) < 0.5, 0x3C, 0x40).astype(np.uint8)  # one product is exact
    for x, y in ((special, b), (small, small.T.copy()), (a[:, :16], b[:16])):
        got = fp8ref.matmul(x, y, "e5m2")
        assert np.array_equal(got, fp8ref.dot(x[:, None], y.T[None], "e5m2"), equal_nan=True)
    assert tiles == [False] * 3
