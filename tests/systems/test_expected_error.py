"""Expected errors against independent quadrature and sampling; the search; the crossovers; the layer that learns."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from short import some

from fp8ref.spec import get_format
from fp8ref.systems.power_of_exponent import (
    GAUSSIAN,
    UNIFORM,
    Distribution,
    Grid,
    best_c,
    best_split,
    crossover,
    dot_error,
    dot_sqnr,
    moments,
    student_t,
    two_sided,
)
from fp8ref.systems.power_of_exponent.distributions import incomplete_beta
from fp8ref.systems.power_of_exponent.expected import scaled
from fp8ref.systems.power_of_exponent.tables import degrees_of_freedom, outliers, table

T8, T4, T3 = student_t(8), student_t(4), student_t(3)
SPLITS = [(0, 7), (2, 5), (3, 4), (4, 3), (5, 2), (6, 1)]


def density(distribution: Distribution):  # type: ignore[no-untyped-def]
    """The textbook density, and where it ends."""
    if distribution is UNIFORM:
        return (lambda x: mpmath.mpf(1) / 2), mpmath.mpf(1)
    if distribution is GAUSSIAN:
        return mpmath.npdf, mpmath.inf
    nu = mpmath.mpf(distribution.name[2:-1])
    c = mpmath.gamma((nu + 1) / 2) / mpmath.sqrt(nu * mpmath.pi) / mpmath.gamma(nu / 2)
    return (lambda x: c * (1 + x * x / nu) ** (-(nu + 1) / 2)), mpmath.inf


def quadrature(magnitudes: list[float], distribution: Distribution) -> tuple[float, float]:
    """(D, A) by mpmath's quadrature, cell by cell."""
    p, end = density(distribution)
    q = [mpmath.mpf(v) for v in magnitudes]
    edges = [mpmath.mpf(0), *((a + b) / 2 for a, b in pairwise(q)), end]
    D = A = mpmath.mpf(0)
    for value, a, b in zip(q, edges, edges[1:]):
        b = min(b, end)
        if a < b:
            for low, high in [(a, b)] if b < mpmath.inf else [(a, 2 * a + 1), (2 * a + 1, mpmath.inf)]:
                D += mpmath.quad(lambda x: (value - x) ** 2 * p(x), [low, high])  # noqa: B023
                A += mpmath.quad(lambda x: x * (value - x) * p(x), [low, high])  # noqa: B023
    return 2 * float(D), 2 * float(A)


@pytest.mark.parametrize(
    ("E", "M", "distribution"),
    some([(0, 7, UNIFORM), (4, 3, GAUSSIAN), (4, 3, T8), (5, 2, T3)], [(0, 7, UNIFORM), (4, 3, T8)]),
    ids=lambda x: getattr(x, "name", str(x)),
)
def test_the_table_is_that_of_quadrature(E: int, M: int, distribution: Distribution) -> None:
    best = best_c(E, M, distribution)
    D, A = quadrature([float(v) for v in best.grid.magnitudes], distribution)
    assert best.sqnr == pytest.approx(10 * math.log10(distribution.second_moment / D), abs=1e-4)
    assert best.moments.A == pytest.approx(A, rel=1e-4)  # noqa: SIM300
    assert abs(best.moments.D + best.moments.A) < 1e-12 * distribution.second_moment  # E[Q (Q - x)] = 0


def test_second_moments() -> None:
    for distribution in (UNIFORM, GAUSSIAN, T8, T3):
        p, end = density(distribution)
        with mpmath.workdps(25):
            want = mpmath.quad(lambda x: x * x * p(x), [0, 1, 10, 1000, end] if end > 1 else [0, 1])  # noqa: B023
            rest = 0 if distribution is not T3 else 1e-9
        assert distribution.second_moment == pytest.approx(2 * float(want), rel=1e-9 + rest)


@pytest.mark.full
@pytest.mark.parametrize("distribution", [UNIFORM, GAUSSIAN, T8, T4, T3], ids=lambda d: d.name)
@pytest.mark.parametrize(("E", "M"), SPLITS)
def test_the_whole_table_is_that_of_quadrature(E: int, M: int, distribution: Distribution) -> None:
    test_the_table_is_that_of_quadrature(E, M, distribution)


@pytest.mark.parametrize(
    ("distribution", "E", "M"),
    some(
        [(d, *split) for d in (UNIFORM, GAUSSIAN, T8) for split in ((0, 7), (2, 5), (4, 3), (5, 2))],
        [(UNIFORM, 0, 7), (UNIFORM, 5, 2), (GAUSSIAN, 2, 5), (GAUSSIAN, 4, 3), (T8, 0, 7), (T8, 4, 3)],
    ),
    ids=lambda x: getattr(x, "name", str(x)),
)
def test_no_other_largest_value_is_better(E: int, M: int, distribution: Distribution) -> None:
    """A dense scan of c by Gauss-Legendre quadrature of the density, on a mesh that knows nothing of the cells."""
    p, _ = density(distribution)
    ends = np.concatenate([[0], np.geomspace(1e-3, 1 if distribution is UNIFORM else 1e3, 3000)])
    nodes, weights = np.polynomial.legendre.leggauss(4)
    middle, half = (ends[1:] + ends[:-1]) / 2, (ends[1:] - ends[:-1]) / 2
    x = (middle[:, None] + half[:, None] * nodes).ravel()
    mass = (half[:, None] * weights).ravel() * np.array([float(p(float(v))) for v in middle]).repeat(4)
    if distribution is GAUSSIAN:
        mass = (half[:, None] * weights).ravel() * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    elif distribution is T8:
        mass = (half[:, None] * weights).ravel() * float(p(0)) * (1 + x * x / 8) ** -4.5
    best = best_c(E, M, distribution)
    sigma = math.sqrt(distribution.second_moment)
    scan = sigma * np.geomspace(0.5, 40, 120)
    found = []
    for c in scan:
        q = np.array([float(v) for v in Grid(E, M, 1).magnitudes]) * c
        nearest = q[np.searchsorted((q[1:] + q[:-1]) / 2, x)]
        found.append(2 * float((mass * (nearest - x) ** 2).sum()))
    assert 10 * math.log10(distribution.second_moment / min(found)) <= best.sqnr + 5e-3  # of the mesh
    closed = moments(scaled(Grid(E, M, 1).steps, scan), distribution)
    np.testing.assert_allclose(closed.D, found, rtol=2e-3)
    assert np.all(closed.D >= best.moments.D * (1 - 1e-9))


@pytest.mark.parametrize("distribution", [UNIFORM, GAUSSIAN, T8], ids=lambda d: d.name)
def test_the_quantiser_errs_as_expected(distribution: Distribution) -> None:
    """A million samples; the mean squared error within 4 standard errors, of single numbers and of products."""
    rng, n = np.random.default_rng(11), 1_000_000
    draw = {"U(-1,1)": lambda: rng.uniform(-1, 1, n), "N(0,1)": lambda: rng.standard_normal(n)}
    x, y = (draw.get(distribution.name, lambda: rng.standard_t(8, n))() for _ in "xy")
    fine, coarse = best_c(3, 4, distribution), best_c(4, 3, distribution)
    qx, qy = fine.grid.quantise(x), coarse.grid.quantise(y)
    for errors, expected in (
        ((qx - x) ** 2, fine.moments.D),
        (x * (qx - x), fine.moments.A),
        ((qy - y) ** 2, coarse.moments.D),
        ((x * y - qx * qy) ** 2, dot_error(fine.moments, coarse.moments)),
    ):
        assert abs(errors.mean() - expected) < 4 * errors.std() / math.sqrt(n)


def test_the_error_of_products() -> None:
    """E[x**2] E[y**2] - 2 E[x Qx] E[y Qy] + E[Qx**2] E[Qy**2], by independence; and 2 m D - D**2 at the best c."""
    x, y = moments([0, 1, 2.5], GAUSSIAN), moments([0, 0.3, 0.9], T8)
    assert dot_error(x, y) == pytest.approx(x.xx * y.xx - 2 * x.xq * y.xq + x.qq * y.qq, rel=1e-12)
    best = best_c(4, 3, T8).moments
    assert dot_error(best, best) == pytest.approx(2 * best.xx * best.D - best.D**2, rel=1e-10)
    assert dot_sqnr(best, best) == pytest.approx(10 * math.log10(best.xx**2 / dot_error(best, best)))


# -- published and derived numbers ------------------------------------------------------------------------------------


def test_uniform_data_and_integers() -> None:
    """255 cells of equal width: 20 log10(255) dB, at c = 127 steps of 2/255."""
    best = best_c(0, 7, UNIFORM)
    assert best.sqnr == pytest.approx(20 * math.log10(255), abs=1e-9)
    assert float(best.grid.c) == pytest.approx(254 / 255, abs=1e-9)


@pytest.mark.parametrize(
    ("distribution", "ranking"),
    [
        (UNIFORM, ["INT8", "E2M5", "E3M4", "E4M3", "E5M2", "E6M1"]),
        (GAUSSIAN, ["E2M5", "INT8", "E3M4", "E4M3", "E5M2", "E6M1"]),
        (T4, ["E3M4", "E4M3", "E2M5", "E5M2", "INT8", "E6M1"]),
    ],
    ids=["U", "N", "t4"],
)
def test_rankings(distribution: Distribution, ranking: list[str]) -> None:
    assert [found.grid.name for found in best_split(distribution)] == ranking


def test_normal_data() -> None:
    best = best_c(0, 7, GAUSSIAN)
    assert (round(best.sqnr, 3), round(float(best.grid.c), 4)) == (40.540, 3.9205)
    for name, sqnr in (("e4m3fn", 31.5211), ("e5m2", 25.5430)):
        positive = [float(v) for v in get_format(name).values() if v >= 0]
        assert moments(positive, GAUSSIAN).sqnr == pytest.approx(sqnr, abs=5e-5)


@pytest.mark.parametrize(("distribution", "sqnr"), [(GAUSSIAN, 40.5697), (T8, 34.4143), (UNIFORM, 48.1308)])
def test_two_s_complement_has_one_value_more(distribution: Distribution, sqnr: float) -> None:
    found = [
        two_sided(step * np.arange(128), step * np.arange(129), distribution).sqnr
        for step in best_c(0, 7, distribution).grid.magnitudes[1:2]
        for step in float(step) * np.linspace(0.99, 1.01, 401)
    ]
    assert max(found) == pytest.approx(sqnr, abs=6e-4 if distribution is UNIFORM else 1e-4)


def test_crossovers_to_three_digits() -> None:
    assert [f"{nu:.3f}" for nu in degrees_of_freedom()] == ["7.198", "3.505", "14.310", "5.990"]
    assert [f"{outliers(name):.2f}" for name in ("e4m3fn", "e5m2")] == ["11.68", "23.24"]


@pytest.mark.full
def test_a_crossover_by_quadrature() -> None:
    """E2M5 overtakes E3M4 between 7.1975 and 7.1980 degrees of freedom: there the quadratures change order."""
    order = []
    for nu in (7.1975, 7.1980):
        t = student_t(nu)
        e2m5, e3m4 = (
            quadrature([float(v) for v in best_c(*split, t).grid.magnitudes], t)[0] for split in ((2, 5), (3, 4))
        )
        order.append(e2m5 < e3m4)
    assert order == [False, True]


def test_the_shown_table() -> None:
    shown = table()
    cells = {row[0]: dict(zip(shown.columns[1:], row[1:])) for row in shown.rows}
    assert cells["INT8"]["U(-1,1)"] == "48.131"
    assert cells["INT8"]["N(0,1)"] == "40.540"
    assert cells["E4M3"]["t(3)"] == f"{best_c(4, 3, T3).sqnr:.3f}"
    assert "7.198" in shown.notes[1]
    assert "k = 11.68, below E5M2 at 23.24" in shown.notes[-1]


# -- functions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nu", [2.1, 3, 3.505, 8, 30, 400])
def test_the_tails_of_student_s_t(nu: float) -> None:
    t = np.array([0.0, 1e-8, 0.3, 1, 2.5, 10, 1e3, 1e8])
    s0, s1 = student_t(nu).tails(t)
    with mpmath.workdps(30):
        for x, found0, found1 in zip(map(mpmath.mpf, t), s0, s1):
            v = mpmath.mpf(nu)
            c = mpmath.gamma((v + 1) / 2) / mpmath.sqrt(v * mpmath.pi) / mpmath.gamma(v / 2)
            w = v / (v + x * x)
            want = mpmath.betainc(v / 2, 0.5, 0, w, regularized=True) / 2
            assert found0 == pytest.approx(float(want), rel=2e-11, abs=1e-300)
            assert found1 == pytest.approx(float(c * v / (v - 1) * w ** ((v - 1) / 2)), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("nu", [2.1e4, 1e5, 1e9])
def test_the_tails_of_many_degrees_of_freedom(nu: float) -> None:
    t = np.array([0.0, 0.5, 2, 4, 6, 40])
    s0, s1 = student_t(nu).tails(t)
    with mpmath.workdps(40):
        v = mpmath.mpf(nu)
        c = mpmath.gamma((v + 1) / 2) / mpmath.sqrt(v * mpmath.pi) / mpmath.gamma(v / 2) * v / (v - 1)
        for x, found0, found1 in zip(map(mpmath.mpf, t), s0, s1):
            want = mpmath.betainc(v / 2, 0.5, 0, v / (v + x * x), regularized=True) / 2
            assert found0 == pytest.approx(float(want), rel=2e-9, abs=1e-100)
            assert found1 == pytest.approx(float(c * (1 + x * x / v) ** ((1 - v) / 2)), rel=1e-11, abs=1e-100)


def test_the_best_c_goes_over_into_that_of_the_normal_distribution() -> None:
    found = [best_c(4, 3, student_t(nu)).sqnr for nu in (1.9e4, 2.1e4, 1e5, 1e7, 1e12)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(best_c(4, 3, GAUSSIAN).sqnr, rel=1e-9)


def test_the_incomplete_beta_function() -> None:
    x = np.linspace(0, 1, 101)
    assert incomplete_beta(1, 1, x, 1 - x) == pytest.approx(x, abs=1e-14)
    assert incomplete_beta(2, 3, x, 1 - x) == pytest.approx(x**2 * (6 - 8 * x + 3 * x**2), abs=1e-14)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="more than 2 degrees of freedom"):
        student_t(2)
    with pytest.raises(ArithmeticError, match="no largest value of E0M7 is best for N"):
        best_c(0, 7, replace(GAUSSIAN, second_moment=1e9))
    with pytest.raises(ValueError, match="no crossover between 1 and 2"):
        crossover(lambda x: x, 1, 2)
    assert crossover(lambda x: x**3 - 2, 0, 5) == pytest.approx(2 ** (1 / 3), abs=1e-5)
