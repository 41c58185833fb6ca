"""binary16 against numpy's float16, whose detour by way of float32 rounds twice without harm: 24 >= 2 * 11 + 2."""

from __future__ import annotations

import numpy as np
import pytest

import fp8ref

OPERATIONS = {
    "add": (fp8ref.add, np.add),
    "subtract": (fp8ref.subtract, np.subtract),
    "multiply": (fp8ref.multiply, np.multiply),
    "divide": (fp8ref.divide, np.divide),
}


def codes(n: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return np.random.default_rng(seed).integers(0, 1 << 16, n, dtype=np.uint16)


def same(got: np.ndarray, want: np.ndarray) -> None:
    both_nan = np.isnan(got.view(np.float16)) & np.isnan(want)
    wrong = np.flatnonzero((got != want.view(np.uint16)) & ~both_nan)
    assert wrong.size == 0, wrong[:5]


@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("n", [60_000, pytest.param(4_000_000, marks=pytest.mark.full)])
def test_pairs(op: str, n: int) -> None:
    ours, theirs = OPERATIONS[op]
    a, b = codes(n, 1), codes(n, 2)
    near = b.copy()  # exponents close to a's, where sums cancel and quotients are near 1
    near[::2] = a[::2] ^ (near[::2] & np.uint16(0x83FF))
    with np.errstate(all="ignore"):
        for other in (b, near):
            x, y = a.view(np.float16), other.view(np.float16)
            same(ours(x, y, overflow="nonsat"), theirs(x, y))


def test_every_square_root() -> None:
    a = np.arange(1 << 16, dtype=np.uint16)
    with np.errstate(all="ignore"):
        same(fp8ref.sqrt(a, "f16", overflow="nonsat"), np.sqrt(a.view(np.float16)))


def test_every_integral_value() -> None:
    a = np.arange(1 << 16, dtype=np.uint16)
    for rounding, theirs in (("rne", np.rint), ("rtz", np.trunc), ("rtp", np.ceil), ("rtn", np.floor)):
        with np.errstate(all="ignore"):
            got = fp8ref.round_to_integral(a, "f16", rounding=rounding, overflow="nonsat")
            same(got, theirs(a.view(np.float16)))


def test_neighbours_of_every_code() -> None:
    a = np.arange(1 << 16, dtype=np.uint16)
    for ours, towards in ((fp8ref.next_up, np.inf), (fp8ref.next_down, -np.inf)):
        values = ours(a, "f16").view(np.float16)
        with np.errstate(over="ignore"):
            want = np.nextafter(a.view(np.float16), np.float16(towards))
        assert ((values == want) | (np.isnan(values) & np.isnan(want))).all()


def test_comparisons() -> None:
    a, b = codes(50_000, 3), codes(50_000, 4)
    b[::3] = a[::3]
    x, y = a.view(np.float16), b.view(np.float16)
    with np.errstate(invalid="ignore"):
        for predicate, theirs in (
            ("eq", x == y),
            ("ne", x != y),
            ("lt", x < y),
            ("le", x <= y),
            ("gt", x > y),
            ("ge", x >= y),
        ):
            assert (fp8ref.compare(x, y, predicate) == theirs).all(), predicate
