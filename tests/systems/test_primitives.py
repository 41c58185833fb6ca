"""What the systems share: definitions against Python's own integers and rationals, arrays against definitions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fp8ref.spec.rounding import RandomBits
from fp8ref.systems import SYSTEMS, Table, get_system
from fp8ref.systems import primitives as p


def awkward(dtype: Any) -> Any:
    """Numbers at and beside ties and integers, both signs."""
    points = np.array([i / 2 for i in range(-9, 10)] + [1023.5, 4095.5, 2**20 + 0.5], dtype)
    rng = np.random.default_rng(0)
    return np.concatenate(
        [
            points,
            *(np.nextafter(points, dtype(s)) for s in (99999, -99999)),
            (9 * rng.standard_normal(500)).astype(dtype),
        ]
    )


BY_HAND = {
    "rne": round,
    "rtn": math.floor,
    "rtp": math.ceil,
    "rtz": math.trunc,
    "half-up": lambda x: math.floor(x + Fraction(1, 2)),
    "rna": lambda x: (1 if x > 0 else -1) * math.floor(abs(x) + Fraction(1, 2)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", BY_HAND)
def test_rounding(mode: str, dtype: Any) -> None:
    x = awkward(dtype)
    want = [BY_HAND[mode](Fraction(float(v))) for v in x]
    assert [p.round_exact(Fraction(float(v)), mode) for v in x] == want
    found = p.round_to_integer(x, mode)
    assert (found.dtype, [int(v) for v in found]) == (x.dtype, want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stochastic_rounding_adds_and_cuts(dtype: Any) -> None:
    x = awkward(dtype)
    bits = np.random.default_rng(1).integers(0, 256, x.size)
    want = [
        (-1 if v < 0 else 1) * math.floor(Fraction(math.floor(abs(Fraction(float(v))) * 256) + int(r), 256))
        for v, r in zip(x, bits)
    ]
    assert [p.round_exact(Fraction(float(v)), "sr-a", RandomBits(int(r), 8)) for v, r in zip(x, bits)] == want
    assert p.round_to_integer(x, "sr-a", random_bits=bits, random_width=8).tolist() == want
    with pytest.raises(ValueError, match="256 is not an integer of 8 bits"):
        p.round_to_integer(x, "sr-a", random_bits=256, random_width=8)
    with pytest.raises(ValueError, match="needs random_bits"):
        p.round_to_integer(x, "sr-a")
    with pytest.raises(ValueError, match="no array form"):
        p.round_to_integer(x, "rto")


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_symmetric_codes(bits: int) -> None:
    """At ties of steps with short and long significands, where a float32 quotient would go wrong."""
    rng = np.random.default_rng(bits)
    top = 2 ** (bits - 1) - 1
    for step in np.float32([0.5, 1 / 3, 0.1, 7e-5, *np.exp(rng.standard_normal(20))]):
        ties = (rng.integers(-2 * top - 3, 2 * top + 4, 60) / 2 * float(step)).astype(np.float32)
        x = np.concatenate([ties, np.nextafter(ties, np.float32(9e9)), rng.standard_normal(40, dtype=np.float32)])
        exact = [Fraction(float(v)) / Fraction(float(step)) for v in x]
        want = [max(-top, min(top, round(q))) for q in exact]
        assert p.symmetric(x, step, bits).tolist() == want
        assert [p.symmetric_exact(Fraction(float(v)), Fraction(float(step)), bits) for v in x] == want
    with pytest.raises(TypeError, match="float32"):
        p.symmetric(np.ones(3), 1.0)
    with pytest.raises(ValueError, match="2 to 16 bits, not 17"):
        p.top_of(17)


def test_codes_by_the_largest_magnitude() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((30, 50)).astype(np.float32)
    x[3] = 0
    x[4] = (np.arange(50) - 20) / np.float32(4)
    largest = p.absmax(x, axis=1)
    for row, c, codes in zip(x, largest[:, 0], p.absmax_codes(x, largest)):
        scale = p.absmax_scale_exact([Fraction(float(v)) for v in row])
        assert scale == (Fraction(float(c)) / 127 or 1)
        assert codes.tolist() == [round(Fraction(float(v)) / scale) for v in row]
    with pytest.raises(ValueError, match="finite"):
        p.absmax(np.float32([1, -np.inf]))
    assert p.absmax(np.zeros((2, 0), np.float32), axis=1).tolist() == [[0], [0]]


def test_the_affine_scale_holds_zero() -> None:
    assert p.affine_scale_exact([Fraction(-1), Fraction(3)]) == (Fraction(4, 255), 64)
    assert p.affine_scale_exact([Fraction(2), Fraction(3)], 4) == (Fraction(1, 5), 0)
    assert p.affine_scale_exact([Fraction(0)]) == (1, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32])
@pytest.mark.parametrize("k", [0, 1, 7, 1023, 1025, 2500])
def test_products_of_integers(k: int, dtype: Any) -> None:
    """The largest operands that fit, so that a piece one too long would show."""
    ends = np.iinfo(dtype)
    rng = np.random.default_rng(k)
    a, b = rng.integers(ends.min, ends.max + 1, (4, k), dtype), rng.integers(ends.min, ends.max + 1, (k, 3), dtype)
    a[0], b[:, 0], a[1] = ends.max, ends.max, ends.min
    exact = [[sum(int(u) * int(v) for u, v in zip(row, column)) for column in b.T] for row in a]
    limits = (-(2**63), 2**63 - 1)
    if dtype is np.int32 and k > 1:
        with pytest.raises(OverflowError, match="may not fit in int64"):
            p.integer_matmul(a, b, limits)
    else:
        assert p.integer_matmul(a, b, limits).tolist() == exact
    inside = all(-(2**31) <= v < 2**31 for row in exact for v in row)
    if inside:
        assert p.integer_matmul(a, b).tolist() == exact
        assert p.integer_dot_exact(a[2].tolist(), b[:, 1].tolist()) == exact[2][1]
    else:
        with pytest.raises(OverflowError):
            p.integer_matmul(a, b)


def test_an_int32_accumulator_ends_at_its_ends() -> None:
    a, b = np.full((1, 2), 1 << 15, np.int32), np.array([[1 << 15], [(1 << 15) - 1]], np.int32)
    assert p.integer_matmul(a, b).tolist() == [[2**31 - 2**15]]
    b[1] += 1
    for call in (lambda: p.integer_matmul(a, b), lambda: p.integer_dot_exact(a[0].tolist(), b[:, 0].tolist())):
        with pytest.raises(
            OverflowError, match="the sum 2147483648 of 2 products is outside -2147483648 to 2147483647"
        ):
            call()
    assert p.integer_matmul(-a, b).tolist() == [[-(2**31)]]
    with pytest.raises(TypeError, match="must be integers"):
        p.integer_matmul(np.ones((2, 2)), b)
    with pytest.raises(ValueError, match=r"\(M, K\) and \(K, N\)"):
        p.integer_matmul(a, a)


@pytest.mark.parametrize("mode", ["rne", "half-up", "rtn"])
@pytest.mark.parametrize("shift", [0, 1, 7, 31, 45, 61, 62, 63, 80])
def test_requantisation(shift: int, mode: str) -> None:
    rng = np.random.default_rng(shift)
    for factor in (1, 3, (1 << 30) + 1, (1 << 31) - 1, 1 << 31):
        q = np.concatenate([rng.integers(-(2**31) + 1, 2**31, 40), np.arange(-9, 10) << min(max(shift - 33, 0), 26)])
        want = [BY_HAND[mode](Fraction(int(v) * factor, 2**shift)) for v in q]
        assert p.requantise(q, factor, shift, mode).tolist() == want
        assert [p.requantise_exact(int(v), factor, shift, mode) for v in q] == want


@pytest.mark.parametrize("ties", [p.LOWER, p.EVEN])
@pytest.mark.parametrize("dense", [False, True])
def test_codebooks(dense: bool, ties: str) -> None:
    """Nearest by trying every value, at every midpoint, beside it and far outside; with and without bucket tables."""
    rng = np.random.default_rng(3)
    grid = (
        rng.integers(-(1 << 20), 1 << 20, 60)
        if dense
        else np.round(2.0 ** rng.uniform(0, 20, 60)) * rng.choice([-1, 1], 60)
    )
    values = sorted({Fraction(int(v), 1 << 10) for v in grid})
    book = p.Codebook(values, ties)
    points = np.array([float(m) for m in book.midpoints] + [0, -0.0, 1e30, -1e30])
    points = np.concatenate([points, rng.standard_normal(40) * 100])
    for dtype in (np.float32, np.float64):
        x = points.astype(dtype)
        x = np.concatenate([x, np.nextafter(x, dtype(1e38)), np.nextafter(x, dtype(-1e38))])

        def code(v: Fraction) -> int:
            near = min(abs(w - v) for w in values)
            found = [i for i, w in enumerate(values) if abs(w - v) == near]
            return found[0] if ties == p.LOWER else min(found, key=lambda i: i % 2 if len(found) > 1 else 0)

        want = [code(Fraction(float(v))) for v in x]
        assert book.nearest(x).tolist() == want
        assert [book.nearest_exact(Fraction(float(v))) for v in x] == want
    with pytest.raises(TypeError, match="float16"):
        book.nearest(np.float16([1]))
    with pytest.raises(ValueError, match="ascending"):
        p.Codebook([Fraction(1), Fraction(1)])


def test_the_catalogue() -> None:
    assert {"llm-int8", "adam8", "i-bert", "hawq-v3"} <= set(SYSTEMS)
    with pytest.raises(ValueError, match="unknown system 'bert'; choose from"):
        get_system("bert")
    with pytest.raises(ValueError, match="a row has 1 cells, the table 2 columns"):
        Table("t", ("a", "b"), (("1",),))
