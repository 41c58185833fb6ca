"""binary32 against the machine's own, through numpy: any operands, and quotients and roots as near a tie as can be."""

from __future__ import annotations

from typing import Any

import numpy as np

import fp8ref

Floats = np.ndarray[Any, np.dtype[np.float32]]


def any_floats(n: int, seed: int) -> Floats:
    return np.random.default_rng(seed).integers(0, 1 << 32, n, dtype=np.uint32).view(np.float32)


def near_one(n: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return (rng.integers(-(1 << 24), 1 << 24, n) / 2.0 ** rng.integers(0, 24, n)).astype(np.float32)


def same(got: np.ndarray[Any, Any], want: Floats) -> None:
    both_nan = np.isnan(got.view(np.float32)) & np.isnan(want)
    wrong = np.flatnonzero((got != want.view(np.uint32)) & ~both_nan)
    assert wrong.size == 0, wrong[:5]


def hard_quotients() -> tuple[Floats, Floats]:
    """a/b about 2**-49 off an odd multiple m of half an ulp: m b = 1 modulo 2**25, with b from the inverse of m."""
    pairs = []
    for m in range((1 << 24) + 1, (1 << 25), 60_001 * 2):
        for residue in (1, -1, 3, -3):
            b = residue * pow(m, -1, 1 << 25) % (1 << 25)
            if b < 1 << 24:
                pairs.append(((m * b - residue) >> 25, b))
    a, b = np.array(pairs, np.int64).T
    assert (a < 1 << 24).all()
    return a.astype(np.float32), b.astype(np.float32)


def hard_roots() -> Floats:
    """Squares of numbers halfway between two floats, rounded: their roots lie next to a tie."""
    m = np.random.default_rng(5).integers(1 << 24, 1 << 25, 20_000) | 1
    squares = (m.astype(object) ** 2).astype(object)
    floats = [int(s) >> (int(s).bit_length() - 24) for s in squares]
    exponents = [(int(s).bit_length() - 24) for s in squares]
    values = np.ldexp(np.array(floats, np.float64), np.array(exponents))
    return np.concatenate(
        [values, np.nextafter(values.astype(np.float32), np.float32(np.inf)).astype(np.float64)]
    ).astype(np.float32)


def test_operations() -> None:
    with np.errstate(all="ignore"):
        for x, y in ((any_floats(40_000, 1), any_floats(40_000, 2)), (near_one(40_000, 3), near_one(40_000, 4))):
            same(fp8ref.add(x, y, overflow="nonsat"), x + y)
            same(fp8ref.subtract(x, y, overflow="nonsat"), x - y)
            same(fp8ref.multiply(x, y, overflow="nonsat"), x * y)
            same(fp8ref.divide(x, y, overflow="nonsat"), x / y)
            same(fp8ref.sqrt(x, overflow="nonsat"), np.sqrt(x))
            same(fp8ref.round_to_integral(x, rounding="rne", overflow="nonsat"), np.rint(x))


def test_quotients_next_to_a_tie() -> None:
    a, b = hard_quotients()
    assert a.size > 200
    same(fp8ref.divide(a, b), a / b)


def test_roots_next_to_a_tie() -> None:
    x = hard_roots()
    same(fp8ref.sqrt(x), np.sqrt(x))
