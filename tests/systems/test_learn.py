"""The layer that learns c and M: its gradients are the reference's, and it finds the format that fits the data."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fp8ref.learn needs torch")

from fp8ref.learn import LearnedFormat, Quantise, grid_of, learn  # noqa: E402
from fp8ref.systems.power_of_exponent import Grid, gradients  # noqa: E402

RNG = np.random.default_rng(0)
GAUSS = RNG.standard_normal(1024)
OUTLIERS = GAUSS.copy()
OUTLIERS[:10] *= np.exp(RNG.uniform(1, 5, 10))  # 1 % of the values, up to 100 times as large
UNIFORM = RNG.uniform(-1, 1, 1024)


def error(x: np.ndarray, grid: Grid) -> float:
    return float(((grid.quantise(x) - x) ** 2).mean())


def best_by_trying(x: np.ndarray) -> tuple[float, int]:
    """(error, M) of the best of every M with c on a mesh."""
    mesh = np.abs(x).max() * np.linspace(0.4, 1.2, 9)
    return min((error(x, Grid(7 - M, M, c)), M) for M in range(1, 7) for c in mesh)


@pytest.mark.parametrize(("x", "M"), [(UNIFORM, 6), (GAUSS, 5), (OUTLIERS, 4)], ids=["uniform", "normal", "outliers"])
def test_it_learns_the_right_format(x: np.ndarray, M: int) -> None:
    """INT8 (E1M6 has its values) for uniform data, E2M5 for normal data, E3M4 where there are outliers."""
    least, right = best_by_trying(x)
    assert right == M
    grid, way = learn(torch.from_numpy(x), significand_bits=4.0, steps=90)
    assert way[0].significand_bits == 4
    assert grid.significand_bits == M or (M == 6 and grid.significand_bits == 7)
    assert error(x, grid) < 1.1 * least


def test_with_the_binade_detached_the_error_only_ever_takes_bits_away() -> None:
    """dQ/dM is then a positive multiple of Q - x, so that the gradient of the squared error is never negative."""
    for x in (UNIFORM,):
        _, way = learn(torch.from_numpy(x), significand_bits=4.0, binade="detached", steps=60)
        M = [grid.significand_bits for grid in way]
        assert all(a >= b for a, b in pairwise(M))
        assert (M[0], M[-1]) == (4, 1)


@pytest.mark.parametrize("binade", ["detached", "followed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_reach_the_parameters(dtype: torch.dtype, binade: str) -> None:
    layer = LearnedFormat(2.0, 3.2, binade=binade)  # type: ignore[arg-type]
    x = torch.from_numpy(GAUSS).to(dtype).requires_grad_(True)
    weights = torch.from_numpy(UNIFORM).to(dtype)
    y = layer(x)
    (y * weights).sum().backward()
    grid = Grid(4, 3, 2.0)
    assert layer.grid == grid
    assert y.dtype == dtype
    assert np.array_equal(y.detach().numpy(), grid.quantise(x.detach().numpy()))
    found = gradients(x.detach().numpy(), grid, binade)  # type: ignore[arg-type]
    w = weights.numpy()
    assert np.array_equal(x.grad.numpy(), w * found.x)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-3
    assert float(layer.c.grad) == pytest.approx(float((w * found.c).sum()), rel=tolerance)
    assert float(layer.significand_bits.grad) == pytest.approx(float((w * found.significand_bits).sum()), rel=tolerance)


def test_parameters_of_one_element() -> None:
    c, m = torch.tensor([2.0], requires_grad=True), torch.tensor([4.0], requires_grad=True)
    Quantise.apply(torch.tensor([0.3, 5.0, -7.0]), c, m, 8, "detached").sum().backward()
    assert c.grad.shape == m.grad.shape == (1,)


def test_significand_bits_are_rounded_and_kept_within_the_format() -> None:
    assert [grid_of(1.0, m).significand_bits for m in (-3, 0.4, 2.5, 3.5, 6.6, 9)] == [1, 1, 2, 4, 7, 7]
    assert grid_of(1.0, 9, bits=6) == Grid(0, 5, 1.0)


def test_without_torch() -> None:
    script = "import sys; sys.modules['torch'] = None; import fp8ref.learn"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert (
        run.stderr.splitlines()[-1]
        == "ImportError: fp8ref.learn needs torch: pip install '.[torch]' in a checkout of fp8ref"
    )
