"""An elementary function in a narrow format: its rounded values against the true ones, and the error."""

from __future__ import annotations

from fractions import Fraction

from ..spec.codec import unpack
from ..spec.datum import Datum, floor_log2, power_of_two
from ..spec.formats import Format
from ..spec.functions.catalog import FUNCTIONS
from ..spec.functions.decide import Grid
from ..spec.functions.rows import Function, settled
from ..spec.operations.definition import Semantics
from ..spec.projection import get_projection, project
from .formats import narrow
from .style import COLOURS, GREY, Figure, figure, styled

FINE = Grid(64, -1200, 1100)
POINTS = 240  # of the true curve


def true_value(function: Function, x: Fraction) -> Fraction | None:
    """A function's value at a rational, to 64 bits; None where it has no finite one."""
    datum, _ = settled(function.row(Datum.finite(x), Semantics.IEEE), FINE)
    return datum.value if datum.is_finite else None


@styled
def function(name: str, format: Format | str, low: float | None = None, high: float | None = None) -> Figure:
    """A function of one operand on the codes of a format between two values, and what rounding loses, in ulps.

    ``low``, ``high``: where to look; -4 and 4 without them.  Raises ValueError for another name, and for formats of
    more than 8 bits.
    """
    f, definition = narrow(format, 8), FUNCTIONS.get(name)
    if not isinstance(definition, Function) or definition.arity != 1:
        raise ValueError(f"{name!r:.40} is no elementary function of one operand")
    start, end = Fraction(-4 if low is None else low), Fraction(4 if high is None else high)
    if not start < end:
        raise ValueError(f"low {float(start):g} is not below high {float(end):g}")
    rho = get_projection(f, "rne", "sat")
    data = (unpack(code, f) for code in range(1 << f.k))
    inputs = sorted({x.value for x in data if x.is_finite and start <= x.value <= end})
    points = [(x, y) for x in inputs if (y := true_value(definition, x)) is not None]
    rounded = [project(Datum.of(y), f, rho)[0].value for _, y in points]
    fig = figure()
    stairs, errors = fig.subplots(1, 2)
    grid = [start + (end - start) * i / POINTS for i in range(POINTS + 1)]
    curve = [(x, y) for x in grid if (y := true_value(definition, x)) is not None and abs(y) <= f.max]
    stairs.plot([float(x) for x, _ in curve], [float(y) for _, y in curve], color=GREY, linewidth=1, label="true")
    xs = [float(x) for x, _ in points]
    stairs.step(xs, [float(z) for z in rounded], where="mid", color=COLOURS[0], linewidth=0.8)
    stairs.plot(xs, [float(z) for z in rounded], ".", color=COLOURS[0], markersize=3.5, label="rounded")
    stairs.set_title(f"{name} in {f.name}", loc="left")
    stairs.legend(frameon=False)
    off = [float((z - y) / _ulp(f, y)) for (_, y), z in zip(points, rounded)]
    errors.axhline(0, color=GREY, linewidth=0.8)
    errors.vlines(xs, 0, off, color=COLOURS[1], linewidth=0.8)
    errors.plot(xs, off, ".", color=COLOURS[1], markersize=3.5)
    errors.set_title("error in ulps, to nearest", loc="left")
    for axes in (stairs, errors):
        axes.set_xlabel("x")
    return fig


def _ulp(f: Format, x: Fraction) -> Fraction:
    """One ulp of the binade of x; of the lowest one for 0, of the highest one beyond."""
    e = floor_log2(abs(x)) if x else f.emin
    return power_of_two(f.quantum_exponent(min(max(e, f.emin), f.emax)))
