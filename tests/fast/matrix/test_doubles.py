"""binary64 chains of fused multiply-adds, against Fractions rounded by Python's division."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import fp8ref

DRAWN = (0.0, -0.0, 1.0, -1.0, 1 + 2.0**-52, 3.0, 1 - 2.0**-53, -(2.0**-53))


def fma(x: float, y: float, z: float) -> float:
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    return float(exact) if exact else x * y + z


def operands(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = 5, 9
    a, b, c = rng.standard_normal(shape), rng.standard_normal(shape), rng.standard_normal(5)
    match kind:
        case "wide":
            return a * 2.0 ** rng.integers(-200, 200, shape), b * 2.0 ** rng.integers(-200, 200, shape), c
        case "ties and zeros":
            return rng.choice(DRAWN, shape), rng.choice(DRAWN, shape), rng.choice(DRAWN, 5)
        case "cancelling":
            a[:, 1::2], b[:, 1::2] = -a[:, :-1:2], b[:, :-1:2]
            return a, b, c * 2.0**-60
        case "beyond the fast path":
            return a * 2.0**-500, b * 2.0 ** rng.integers(-600, -480, shape), c * 2.0**-1030
    return a, b, c


@pytest.mark.parametrize("kind", ["normal", "wide", "ties and zeros", "cancelling", "beyond the fast path"])
@pytest.mark.parametrize("outer", [False, True])
def test_every_step_rounds_the_exact_sum_once(kind: str, outer: bool) -> None:
    a, b, c = operands(kind, np.random.default_rng(len(kind)))
    more = {"accumulator": "hopper.mma.f64.f64"}
    if outer:
        got = fp8ref.matmul(a.view(np.uint64), b.view(np.uint64).T, "f64", c=np.tile(c, (5, 1)), **more)
        pairs = [(i, j) for i in range(5) for j in range(5)]
    else:
        got = fp8ref.dot(a.view(np.uint64), b.view(np.uint64), "f64", c=c, **more)
        pairs = [(i, i) for i in range(5)]
    for (i, j), d in zip(pairs, got.reshape(-1)):
        want = float(c[j])
        for x, y in zip(a[i], b[j]):
            want = fma(float(x), float(y), want)
        assert np.float64(want).view(np.uint64) == d.view(np.uint64)


def test_infinities_and_nans_go_by_the_specification() -> None:
    a = np.array([[np.inf, 1.0], [np.nan, 1.0], [2.0, 0.0]])
    got = fp8ref.dot(a.view(np.uint64), np.ones((3, 2)).view(np.uint64), "f64", accumulator="ampere.mma.f64.f64")
    assert [int(x) for x in got.view(np.uint64)] == [0x7FF0 << 48, 0x7FF8 << 48, 0x4000 << 48]
