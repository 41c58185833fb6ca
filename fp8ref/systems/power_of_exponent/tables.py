"""What ``fp8ref system power-of-exponent`` shows, and the golden vectors."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ...spec import get_format
from .. import Table
from .distributions import GAUSSIAN, UNIFORM, student_t
from .expected import dot_sqnr, moments, scaled
from .gradients import gradients
from .grid import Grid
from .search import best_c, crossover

SPLITS = ((0, 7), (2, 5), (3, 4), (4, 3), (5, 2), (6, 1))  # (E, M) of 8 bits; E1M6 has the values of E0M7
SHOWN = (UNIFORM, GAUSSIAN, student_t(8), student_t(4), student_t(3))
OVERTAKING = (  # of two splits, and the degrees of freedom of Student's t between which it lies
    ((2, 5), (3, 4), 5.0, 10.0),
    ((3, 4), (4, 3), 3.0, 5.0),
    ((0, 7), (3, 4), 10.0, 20.0),
    ((0, 7), (4, 3), 4.0, 9.0),
)


def table() -> Table:
    """The SQNR of every split of 8 bits at its best c, by distribution, and where one overtakes another."""
    best = {split: [best_c(*split, distribution) for distribution in SHOWN] for split in SPLITS}
    rows = []
    for found in best.values():
        normal = found[SHOWN.index(GAUSSIAN)].moments
        rows.append((found[0].grid.name, *(f"{one.sqnr:.3f}" for one in found), f"{dot_sqnr(normal, normal):.3f}"))
    columns = ("format", *(d.name for d in SHOWN), "dot, N(0,1)")
    winners = [max((found[i] for found in best.values()), key=lambda one: one.sqnr) for i in range(len(SHOWN))]
    ranking = "Best: " + ", ".join(f"{one.grid.name} on {d.name}" for d, one in zip(SHOWN, winners)) + "."
    title = "SQNR in dB at the best largest value c, by format and distribution"
    return Table(title, columns, tuple(rows), (ranking, *crossovers()))


def crossovers() -> tuple[str, ...]:
    """The crossovers, found by root search, as sentences."""
    e2m5, e3m4, int8_e3m4, int8_e4m3 = (f"{nu:.3f}" for nu in degrees_of_freedom())
    e4m3, e5m2 = (f"{outliers(name):.2f}" for name in ("e4m3fn", "e5m2"))
    return (
        f"Student's t: E2M5 is best above {e2m5} degrees of freedom, E3M4 from there down to {e3m4}, E4M3 below.",
        f"INT8 falls below E3M4 at {int8_e3m4} degrees of freedom and below E4M3 at {int8_e4m3}.",
        f"A normal body with amax = k sigma: INT8 falls below OCP E4M3 at k = {e4m3}, below E5M2 at {e5m2}.",
    )


def degrees_of_freedom() -> list[float]:
    """The degrees of freedom at which the pairs of ``OVERTAKING`` have the same SQNR."""

    def difference(f: tuple[int, int], g: tuple[int, int]) -> Callable[[float], float]:
        return lambda nu: best_c(*f, student_t(nu)).sqnr - best_c(*g, student_t(nu)).sqnr

    return [crossover(difference(f, g), low, high) for f, g, low, high in OVERTAKING]


def outliers(format: str) -> float:
    """amax / sigma at which INT8 with c = amax falls below an FP8 format on N(0,1) data.

    The rare value that makes amax is not counted in the error; the FP8 format rounds the data as they are.
    """
    floor = moments([float(v) for v in get_format(format).values() if v >= 0], GAUSSIAN).sqnr
    steps = Grid(0, 7, 1).steps
    return crossover(lambda k: float(moments(scaled(steps, k), GAUSSIAN).sqnr - floor), 6.0, 60.0)


# -- golden vectors ---------------------------------------------------------------------------------------------------

GOLDEN = (  # E, M, c as (numerator, denominator)
    (4, 3, (240, 1)), (5, 2, (57344, 1)), (0, 7, (127, 1)), (1, 6, (127, 1)), (2, 5, (27, 7)), (3, 4, (1, 3)),
    (6, 1, (22, 7)), (7, 0, (1, 1)),
)  # fmt: skip


def golden() -> dict[str, dict[str, Any]]:
    """For each grid: inputs on, around and between its values, their codes by the definition, values and gradients."""
    sets = {}
    for E, M, (over, under) in GOLDEN:
        grid = Grid(E, M, Fraction(over, under))
        some = [*range(0, len(grid.steps) - 1, max(1, len(grid.steps) // 8)), len(grid.steps) - 2]
        points = [v for i in some for v in (grid.magnitudes[i], sum(grid.magnitudes[i : i + 2]) / 2)]
        around = [y for v in map(float, points) for y in (np.nextafter(v, 0), v, np.nextafter(v, np.inf))]
        beyond = [float(grid.c), 2 * float(grid.c), np.inf]
        x = np.array([*around, *beyond, *(-y for y in around + beyond)])
        codes = np.array([grid.code_exact(float(v)) for v in x], np.uint8)
        inside = x[np.isfinite(x)][::4]
        found = gradients(inside, grid)
        sets[f"{grid.name} c={over}/{under}"] = {
            "exponent_bits": E, "significand_bits": M, "c_numerator": over, "c_denominator": under,
            "x": x, "codes": codes, "values": grid.decode(codes),
            "gradient_x": inside, "by_x": found.x, "by_c": found.c, "by_significand_bits": found.significand_bits,
        }  # fmt: skip
    return sets
