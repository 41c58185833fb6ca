"""ExMy grids: their values, the quantiser against its definition written again, and its gradients."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fp8ref
from fp8ref.systems.power_of_exponent import Grid, gradients
from fp8ref.systems.power_of_exponent.gradients import Binade, bias_slope

SPLITS = [(e, 7 - e) for e in range(8)]
LARGEST = [
    Fraction(240),
    Fraction(1, 3),
    *(pytest.param(c, marks=pytest.mark.full) for c in (3.9205, 1e-5, Fraction(22, 7))),
]


def fields(E: int, M: int, bias: Fraction) -> list[Fraction]:
    """Magnitudes as the standard's tables give them: 2**(e - bias) * 1.m, and 2**(1 - bias) * 0.m for e = 0."""
    found = []
    for e in range(2**E):
        for m in range(2**M):
            significand, exponent = (1 + Fraction(m, 2**M), e) if e else (Fraction(m, 2**M), 1)
            found.append(significand * Fraction(2) ** (exponent - int(bias)))
    return found


@pytest.mark.parametrize(("E", "M"), SPLITS)
def test_the_magnitudes_are_those_of_the_fields_scaled_to_c(E: int, M: int) -> None:
    plain = fields(E, M, Fraction(0))
    grid = Grid(E, M, Fraction(22, 7))
    assert list(grid.magnitudes) == [v * Fraction(22, 7) / plain[-1] for v in plain]
    assert len(grid.values) == len(set(grid.values)) == 255
    assert grid.values[0] == -grid.values[-1] == -Fraction(22, 7)
    assert len(Grid(E, M, 1, signed=False).values) == 128


@pytest.mark.parametrize(("E", "M", "name", "largest"), [(4, 3, "e4m3fnuz", 240), (5, 2, "e5m2fnuz", 57344)])
def test_the_default_bias_gives_the_fnuz_formats(E: int, M: int, name: str, largest: int) -> None:
    grid = Grid.with_bias(E, M, 2 ** (E - 1))
    codes = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, f"float8_{name}")).astype(float)
    assert grid.c == largest
    assert sorted(map(float, grid.values)) == sorted(codes[~np.isnan(codes)])
    assert grid.bias == 2 ** (E - 1)
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [rng.standard_normal(20000) * largest / 3, np.float64([v + w for v in codes for w in codes[1:9]])]
    )
    x = x[~np.isnan(x)]
    assert np.array_equal(grid.codes(x), fp8ref.encode(x, name))


def test_one_exponent_bit_is_none() -> None:
    assert Grid(1, 6, Fraction(9, 7)).values == Grid(0, 7, Fraction(9, 7)).values
    assert [int(v) for v in Grid(0, 7, 127).magnitudes] == list(range(128))
    assert (Grid(0, 7, 1).name, Grid(0, 8, 1, signed=False).name, Grid(4, 3, 1).name) == ("INT8", "UINT8", "E4M3")


@given(E=st.integers(1, 6), bias=st.floats(-20, 80))
def test_bias_and_largest_value(E: int, bias: float) -> None:
    """c = 2**(2**E - 1 - b) * (2 - 2**-M)"""
    M = 7 - E
    c = 2 ** (2**E - 1 - bias) * (2 - 2**-M)
    assert Grid(E, M, c).bias == pytest.approx(bias, abs=1e-12)


# -- the quantiser ----------------------------------------------------------------------------------------------------


@lru_cache
def codes_of(grid: Grid) -> list[tuple[Fraction, int, int]]:
    """(value, parity of the code, code) of every code: magnitudes by their integers, the sign bit on top."""
    unit, sign = Fraction(grid.c) / grid.steps[-1], 2 ** (grid.bits - 1)
    found = [(unit * g, m % 2, m) for m, g in enumerate(grid.steps)]
    return found + [(-v, odd, m + sign) for v, odd, m in found[1:] if grid.signed]


def nearest(grid: Grid, x: Fraction) -> int:
    """By looking at every code: the least distance, and of two the even code."""
    return min(codes_of(grid), key=lambda found: (abs(x - found[0]), found[1]))[2]


def inputs(grid: Grid, dtype: type, n: int = 40) -> np.ndarray:
    """Values, midpoints, their neighbours in the dtype, and random numbers."""
    rng = np.random.default_rng(3)
    values = [float(v) for v in grid.magnitudes]
    middles = [float((a + b) / 2) for a, b in zip(grid.magnitudes, grid.magnitudes[1:])]
    near = np.array(rng.choice(middles, n).tolist() + middles[-3:] + middles[:3] + values[-2:], dtype)
    around = np.concatenate([np.nextafter(near, dtype(0)), near, np.nextafter(near, dtype(np.inf))])
    c = float(grid.c)
    spread = c * np.exp2(rng.uniform(-12, 1.5, n))
    ends = np.array([0.0, -0.0, np.finfo(dtype).tiny, np.finfo(dtype).max])
    x = np.concatenate([around, spread.astype(dtype), ends.astype(dtype)])
    return np.concatenate([x, -x])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("c", LARGEST, ids=str)
@pytest.mark.parametrize(("E", "M"), [*SPLITS, (2, 3), (0, 5)])
def test_codes_and_values_are_the_definition_s(E: int, M: int, c: Fraction | float, dtype: type) -> None:
    grid = Grid(E, M, c)
    x = inputs(grid, dtype, 6)
    exact = [Fraction(float(v)) for v in x]
    want = [nearest(grid, v) for v in exact]
    assert [grid.code_exact(v) for v in exact] == want
    assert grid.codes(x).tolist() == want
    half = len(grid.steps)
    values = [(-1 if code >= half else 1) * Fraction(c) * grid.steps[code % half] / grid.steps[-1] for code in want]
    got = grid.quantise(x)
    assert got.dtype == dtype
    if dtype is np.float64:
        assert got.tolist() == [float(v) for v in values]  # Fraction -> float is correctly rounded
    else:
        spacing = np.spacing(np.abs(got)).astype(float)
        worst = [abs(Fraction(float(g)) - v) - Fraction(float(s)) / 2 for g, v, s in zip(got, values, spacing)]
        assert max(worst) <= 0
    assert np.array_equal(grid.decode(grid.codes(x), dtype), got)


@pytest.mark.parametrize(("E", "M"), [(4, 4), (0, 8), (5, 3)])
def test_unsigned_grids(E: int, M: int) -> None:
    grid = Grid(E, M, 6.3, signed=False)
    assert len(grid.values) == 256
    assert grid.values[0] == 0
    for dtype in (np.float32, np.float64):
        x = inputs(grid, dtype, 4)
        assert grid.codes(x).tolist() == [nearest(grid, Fraction(float(v))) for v in x]
        assert not grid.quantise(-np.abs(x)).any()


@pytest.mark.parametrize("c", [240.0, 3.14159, 0.001])
@pytest.mark.parametrize(("E", "M"), [(1, 6), (2, 5), (3, 4), (4, 3), (5, 2)])
def test_codes_are_those_of_the_paper_s_formula(E: int, M: int, c: float) -> None:
    """p = max(floor(log2|x| + b), 1), s = 2**(p - M - b), Q = s rne(x / s), in float64 on 100,000 numbers."""
    grid, x = Grid(E, M, c), np.random.default_rng(0).standard_normal(100_000) * c / 4
    b = 2.0**E - math.log2(c) + math.log2(2 - 2.0**-M) - 1
    clipped = np.clip(x, -c, c)
    p = np.maximum(np.floor(np.log2(np.abs(clipped)) + b), 1)
    s = 2.0 ** (p - M - b)
    q = s * np.rint(clipped / s)
    assert np.array_equal(grid.codes(q), grid.codes(x))
    np.testing.assert_allclose(grid.quantise(x), q, rtol=1e-13)


def test_shapes_strides_and_other_types() -> None:
    grid = Grid(3, 4, 5)
    x = np.random.default_rng(2).standard_normal((6, 50, 4))
    assert np.array_equal(grid.codes(x[::2, ::-1, 1:]), grid.codes(np.ascontiguousarray(x[::2, ::-1, 1:])))
    assert np.array_equal(grid.quantise(x.astype(">f4")), grid.quantise(x.astype("f4")))
    assert grid.quantise([1, 2]).dtype == np.float64
    assert grid.quantise(np.float16(1.5)).shape == ()
    assert grid.codes(np.zeros((0, 3))).shape == (0, 3)
    assert grid.quantise([np.inf, -np.inf]).tolist() == [5.0, -5.0]
    assert grid.code_exact(-math.inf) == 255
    assert not np.signbit(grid.quantise(np.array([-0.0, -1e-9]))).any()  # one zero
    assert Grid(7, 0, 1e30).codes(np.array([1e30, 1e38], np.float32)).tolist() == [127, 127]


def test_values_are_rounded_once() -> None:
    """To float64 first this would be a tie of float32, and go down."""
    c = 1 + Fraction(1, 2**24) + Fraction(1, 2**80)
    assert Grid(4, 3, c).quantise(np.float32([-9, 9])).tolist() == [-1 - 2**-23, 1 + 2**-23]


def test_refusals() -> None:
    for args, message in (
        ((4, 4, 1), "E4M4: E is 0 to 7 and E \\+ M 1 to 7"),
        ((8, 0, 1), "E is 0 to 7"),
        ((4, 3, 0), "the largest value c must be positive and finite, not 0"),
        ((4, 3, math.inf), "must be positive and finite"),
        ((4, 3, 1e305), "some values are no normal float64"),
        ((4, 3, 1e-305), "some values are no normal float64"),
    ):
        with pytest.raises(ValueError, match=message):
            Grid(*args)
    with pytest.raises(ValueError, match="E4M3 has no NaN"):
        Grid(4, 3, 1).codes([1.0, math.nan])
    with pytest.raises(ValueError, match="'detached' or 'followed', not 'other'"):
        gradients([1.0], Grid(4, 3, 1), "other")  # type: ignore[arg-type]


# -- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binade", ["detached", "followed"])
@pytest.mark.parametrize("c", [240.0, 2.7])
@pytest.mark.parametrize(("E", "M"), [(1, 6), (2, 5), (3, 4), (4, 3), (5, 2), (6, 1)])
def test_gradients_are_those_of_autograd(E: int, M: int, c: float, binade: Binade) -> None:
    """torch's float64 autograd of the paper's formula, rounding passed straight through.

    The formula's pieces meet where x is +-c or the smallest normal value.  Which piece's slope holds there is chosen
    here, by torch.where: what clamp, minimum and maximum give at equality is torch's choice, and it has changed.
    """
    torch = pytest.importorskip("torch", reason="autograd is torch's")

    def straight(rounded, x):  # type: ignore[no-untyped-def]
        return x + (rounded - x).detach()

    data = np.random.default_rng(5).standard_normal(3000) * c / 2.5
    x = torch.tensor(data, requires_grad=True)
    largest = torch.tensor(c, dtype=torch.float64).expand(3000).clone().requires_grad_(True)
    m = torch.full((3000,), float(M), dtype=torch.float64, requires_grad=True)
    b = 2 ** (7 - m) - torch.log2(largest) + torch.log2(2 - 2**-m) - 1
    clipped = torch.where(x.abs() <= largest, x, torch.sign(x) * largest)
    exponent = torch.log2(clipped.abs()).detach() + b
    p = torch.where(exponent >= 1, straight(torch.floor(exponent), exponent), torch.ones_like(exponent))
    s = 2 ** ((p.detach() if binade == "detached" else p) - m - b)
    q = straight(torch.round(clipped / s), clipped / s) * s
    q.sum().backward()
    found = gradients(data, Grid(E, M, c), binade)
    np.testing.assert_array_equal(found.x, x.grad.numpy())
    np.testing.assert_allclose(found.c, largest.grad.numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.significand_bits, m.grad.numpy(), rtol=0, atol=1e-12 * c * 2**E)


def test_the_slope_of_the_bias() -> None:
    def bias(M: float) -> float:
        return 2 ** (7 - M) + math.log2(2 - 2**-M)

    for E in range(7):
        M = 7 - E
        assert bias_slope(E, M) == pytest.approx((bias(M + 1e-5) - bias(M - 1e-5)) / 2e-5, rel=1e-6)


def test_gradients_beyond_the_ends() -> None:
    found = gradients(np.float32([-9, 9]), Grid(4, 3, 2.5))
    assert [g.tolist() for g in found] == [[0, 0], [-1, 1], [0, 0]]
    assert all(g.dtype == np.float32 for g in found)
    found = gradients([-1.0, 9.0], Grid(4, 4, 2.5, signed=False))
    assert [g.tolist() for g in found] == [[0, 0], [0, 1], [0, 0]]
