"""The staircase of a rounding mode: which inputs become which value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from ..spec.datum import Datum, floor_log2, power_of_two
from ..spec.formats import Format
from ..spec.projection import get_projection, project
from ..spec.rounding import Rounding, get_rounding
from .formats import narrow
from .style import COLOURS, GREY, Axes, Figure, figure, log2_axis, styled

SUBSTEPS = 16  # inputs tried in one ulp; even, so that ties are among them


@dataclass(frozen=True)
class Step:
    """Inputs from ``start`` to ``end`` become ``value`` (None: nothing finite); ``closed``: which ends belong to it."""

    start: Fraction
    end: Fraction
    value: Fraction | None
    closed: tuple[bool, bool]


def steps(f: Format, rounding: Rounding, overflow: str, start: Fraction, end: Fraction) -> list[Step]:
    """The rounding staircase between two inputs 0 <= start < end, found by asking the reference.

    It is asked at every sixteenth of the stretch's smallest ulp and between: wherever it turns, it turns there.
    """
    rho = get_projection(f, rounding, overflow)

    def answer(x: Fraction) -> Fraction | None:
        y, _ = project(Datum.finite(x), f, rho)
        return y.value if y.is_finite else None

    grain = _ulp(f, start) / SUBSTEPS
    inputs = [start + grain * i for i in range(int((end - start) / grain) + 1)]
    found = [Step(start, start, answer(start), (True, True))]
    for a, b in pairwise(inputs):
        step, at_b = found[-1], answer(b)
        if at_b == step.value:
            found[-1] = replace(step, end=b)
            continue
        after_a = answer((a + b) / 2) == at_b  # it turns just after a, which still belongs to the old step
        found[-1] = replace(step, end=a if after_a else b, closed=(step.closed[0], after_a))
        found.append(Step(a if after_a else b, b, at_b, (not after_a, True)))
    return found


@styled
def staircase(format: Format | str, rounding: Rounding | str = "rne") -> Figure:
    """How inputs around 1 and around the largest value are rounded.

    A full dot is an input that belongs to its step, a ring one that does not.  Beyond the largest value the step shows
    saturation; what the non-saturating rule gives instead is written where it differs.  Raises ValueError for formats
    of more than 16 bits and for stochastic rounding.
    """
    f, mode = narrow(format, 16), get_rounding(rounding)
    if mode.is_stochastic:
        raise ValueError(f"{mode.value} has no staircase: one input goes either way")
    fig = figure()
    near_one, near_max = fig.subplots(1, 2)

    one = max(code for code in range(f.max_code + 1) if f.magnitude(code) <= max(Fraction(1), f.min_subnormal))
    first = 1 if f.t == 0 and f.zero else 0  # powers of two are drawn on logarithmic axes, without 0
    start, end = f.magnitude(max(one - 3, first)), f.magnitude(min(one + 4, f.max_code))
    _draw_steps(near_one, steps(f, mode, "sat", start, end), start, end)
    near_one.set_title(f"{f.name}, {mode.long_name}, near {_short(f.magnitude(one))}", loc="left")

    start, end = f.magnitude(max(f.max_code - 3, first)), f.max + 2 * _ulp(f, f.max)
    _draw_steps(near_max, steps(f, mode, "sat", start, end), start, end)
    near_max.set_title(f"near the largest value, {_short(f.max)}", loc="left")
    for step in steps(f, mode, "nonsat", start, end):
        if step.value is None:
            near_max.axvspan(float(step.start), float(step.end), color=COLOURS[1], alpha=0.13, linewidth=0)
            text = f"sat: {_short(f.max)}\nnonsat: {'infinity' if f.infinities else 'NaN'}"
            near_max.annotate(
                text,
                (float(end), float(f.max)),
                (-4, -8),
                textcoords="offset points",
                ha="right",
                va="top",
                color=COLOURS[1],
            )
            face = "white" if step.closed[0] else COLOURS[1]
            near_max.plot(
                [float(step.start)], [float(f.max)], "o", color=COLOURS[1], markerfacecolor=face, markersize=4.5
            )
    near_one.legend(loc="upper left", frameon=False, handletextpad=0.1, borderaxespad=0)
    for axes in (near_one, near_max):
        axes.set_xlabel("input")
        axes.set_ylabel("result")
        if f.t == 0:
            axes.set_yscale("log", base=2)
            low, high = axes.get_xlim()
            log2_axis(axes, Fraction(low), Fraction(high))
    return fig


def _ulp(f: Format, x: Fraction) -> Fraction:
    """One ulp of the binade of x; of the lowest one for 0."""
    return power_of_two(f.quantum_exponent(floor_log2(x) if x else f.emin))


def _short(x: Fraction) -> str:
    """A value for a title: 448, 0.875, 2^127."""
    e = floor_log2(x) if x else 0
    return f"2^{e}" if x == power_of_two(e) and not -8 < e < 12 else f"{float(x):.6g}"


def _draw_steps(axes: Axes, found: Sequence[Step], start: Fraction, end: Fraction) -> None:
    """Steps with their ends: full where the input belongs to the step, a ring where it does not."""
    colour = COLOURS[0]
    shown = [step for step in found if step.value is not None]
    axes.plot(
        [float(start), float(end)], [float(start), float(end)], color=GREY, linewidth=0.8, dashes=(4, 3), zorder=1
    )
    for step in shown:
        assert step.value is not None
        axes.hlines(float(step.value), float(step.start), float(step.end), color=colour, linewidth=1.8, zorder=2)
    for closed, face in ((True, colour), (False, "white")):
        points = [
            (float(x), float(step.value))
            for step in shown
            for x, belongs in ((step.start, step.closed[0]), (step.end, step.closed[1]))
            if step.value is not None and belongs is closed and start < x < end
        ]
        label = "belongs to the step" if closed else "does not"
        axes.plot(*zip(*points), "o", color=colour, markerfacecolor=face, markersize=4.5, zorder=3, label=label)
    values = [float(step.value) for step in shown if step.value is not None]
    axes.set_yticks(values, [f"{v:.6g}" for v in values])
    axes.set_xlim(float(start), float(end))
