"""Figures of formats: where their values lie, how they round, what they lose.

Every function returns a ``matplotlib.figure.Figure``, so that a caller may add to it and save it; nothing is shown and
no global state of matplotlib is touched.  Needs the extra ``plots``.

>>> from fp8ref.plots import density
>>> [line.get_label() for line in density(["e4m3fn", "e5m2"]).axes[0].lines]
['e4m3fn', 'e5m2']
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import wraps
from itertools import pairwise
from typing import Any

import numpy as np

from .arrays.conversion import encode
from .arrays.products import dot
from .spec.catalog import get_format
from .spec.datum import Datum, floor_log2, power_of_two
from .spec.formats import Format
from .spec.projection import get_projection, project
from .spec.rounding import Rounding, get_rounding

# Okabe and Ito's palette, which colour-blind readers can tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
SIZE = (8.4, 3.9)  # inches
SUBSTEPS = 16  # inputs tried in one ulp of a staircase; even, so that ties are among them

STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
}

Figure = Any  # matplotlib.figure.Figure: matplotlib is optional
Axes = Any


class MissingMatplotlib(ImportError):
    """matplotlib is not installed."""


def _styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw under one style, and leave matplotlib's own settings as they were."""

    @wraps(draw)
    def drawn(*args: Any, **options: Any) -> Figure:
        with _matplotlib().rc_context(STYLE):
            return draw(*args, **options)

    return drawn


@_styled
def number_line(format: Format | str) -> Figure:
    """Every finite value of a format as a tick: on a linear axis, and the positive ones on a logarithmic one.

    Raises ValueError for formats of more than 8 bits, whose ticks would run together.
    """
    f = _narrow(format, 8)
    fig = _figure()
    linear, logarithmic = fig.subplots(2, 1)
    for axes, values in ((linear, f.values()), (logarithmic, [v for v in f.values() if v > 0])):
        normal = [v for v in values if abs(v) >= f.min_normal or f.fixed_point]
        subnormal = [v for v in values if v not in set(normal)]
        axes.vlines(list(map(float, normal)), 0, 1, colors=COLOURS[0], linewidth=0.9, label="normal")
        if subnormal:
            axes.vlines(list(map(float, subnormal)), 0, 1, colors=COLOURS[1], linewidth=0.9, label="zero and subnormal")
        axes.set_ylim(0, 1.05)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    linear.set_title(f"{f.name}: all {len(f.values())} finite values", loc="left")
    if len(linear.collections) > 1:
        linear.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, handlelength=1, borderaxespad=0.2
        )
    _log2_axis(logarithmic, f.min_subnormal, f.max)
    logarithmic.set_title("the positive ones, logarithmic", loc="left")
    return fig


@dataclass(frozen=True)
class Step:
    """Inputs from ``start`` to ``end`` become ``value`` (None: nothing finite); ``closed``: which ends belong to it."""

    start: Fraction
    end: Fraction
    value: Fraction | None
    closed: tuple[bool, bool]


def steps(f: Format, rounding: Rounding, overflow: str, start: Fraction, end: Fraction) -> list[Step]:
    """The rounding staircase between two inputs 0 <= start < end, found by asking the law.

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


@_styled
def staircase(format: Format | str, rounding: Rounding | str = "rne") -> Figure:
    """How inputs around 1 and around the largest value are rounded.

    A full dot is an input that belongs to its step, a ring one that does not.  Beyond the largest value the step shows
    saturation; what the non-saturating rule gives instead is written where it differs.  Raises ValueError for formats
    of more than 16 bits and for stochastic rounding.
    """
    f, mode = _narrow(format, 16), get_rounding(rounding)
    if mode.is_stochastic:
        raise ValueError(f"{mode.value} has no staircase: one input goes either way")
    fig = _figure()
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
            _log2_axis(axes, Fraction(low), Fraction(high))
    return fig


@_styled
def relative_error(formats: Sequence[Format | str]) -> Figure:
    """The largest relative error of rounding to nearest, in each gap between two neighbouring positive values.

    The worst input of a gap is its middle, with the error half a gap over the middle.  Raises ValueError for formats of
    more than 16 bits and for more formats than can be told apart.
    """
    found = _compared(formats)
    fig = _figure()
    axes = fig.subplots()
    for f, colour in zip(found, COLOURS):
        gaps = list(pairwise(v for v in f.values() if v >= 0))
        middles, errors = [float((a + b) / 2) for a, b in gaps], [float((b - a) / (a + b)) for a, b in gaps]
        axes.plot(middles, errors, color=colour, linewidth=1.4, label=f.name)
    axes.set_yscale("log")
    ticks = [digit * 10.0**-e for e in range(7) for digit in (1, 0.5, 0.2)]
    axes.set_yticks(ticks, [f"{100 * tick:.4g} %" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(min(min(line.get_ydata()) for line in axes.lines) / 1.6, 1.6)
    _log2_axis(axes, min(f.min_subnormal for f in found) / 2, max(f.max for f in found))
    axes.set_title("largest relative error of rounding to nearest", loc="left")
    axes.set_xlabel("input")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="upper right")
    return fig


@_styled
def density(formats: Sequence[Format | str]) -> Figure:
    """How many positive values each format has in every binade [2**e, 2**(e+1)).

    Raises ValueError for formats of more than 16 bits and for more formats than can be told apart.
    """
    found = _compared(formats)
    fig = _figure()
    axes = fig.subplots()
    for i, (f, colour) in enumerate(zip(found, COLOURS)):
        counts = Counter(floor_log2(v) for v in f.values() if v > 0)
        first, last = min(counts), max(counts)
        edges = [float(power_of_two(e)) for e in range(first, last + 2)]
        heights = [counts[e] for e in range(first, last + 1)]
        width = 1.6 + 0.8 * (len(found) - 1 - i)  # lines that coincide show beside each other
        axes.plot(edges, [*heights, heights[-1]], drawstyle="steps-post", color=colour, linewidth=width, label=f.name)
    axes.set_yscale("log", base=2)
    top = max(max(line.get_ydata()) for line in axes.lines)
    axes.set_yticks([1 << i for i in range(int(top).bit_length())], [f"{1 << i}" for i in range(int(top).bit_length())])
    axes.set_ylim(0.8, top * 1.5)
    _log2_axis(axes, min(f.min_subnormal for f in found), max(f.max for f in found))
    axes.set_title("positive values in each binade", loc="left")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="best")
    return fig


LENGTHS = tuple(32 << i for i in range(10))  # K = 32 ... 16384
GROWING = (
    "hopper.wgmma.fp8.f32", "hopper.wgmma.fp8.f32+promote128.fadd", "ada.mma.fp8.f32", "hopper.mma.fp8.f32",
    "blackwell.tcgen05.fp8.f32", "f32.fma", "f32.pairwise",
)  # fmt: skip


def growth(format: Format | str, lengths: Sequence[int] = LENGTHS, dots: int = 128) -> dict[str, list[float]]:
    """For each accumulator the root mean square error of dot products of N(0,1) operands, over that of the sums."""
    f = get_format(format)
    rng = np.random.default_rng(0)
    a, b = (encode(rng.standard_normal((dots, max(lengths))), f) for _ in "ab")
    exact = [dot(a[:, :k], b[:, :k], f, result="f64").astype(float) for k in lengths]
    found = {}
    for name in GROWING:
        sums = [dot(a[:, :k], b[:, :k], f, accumulator=name).astype(float) for k in lengths]
        found[name] = [float(np.sqrt(((d - e) ** 2).mean() / (e**2).mean())) for d, e in zip(sums, exact)]
    return found


@_styled
def error_growth(format: Format | str) -> Figure:
    """How far each accumulator model strays from the exact sum as K grows from 32 to 16384.

    128 dot products of operands drawn from N(0,1), C = 0; the root mean square of the error over that of the sums.
    Raises ValueError for operands that NVIDIA's FP8 units do not take.
    """
    fig = _figure()
    axes = fig.subplots()
    f = get_format(format)
    for i, (name, errors) in enumerate(growth(f).items()):
        axes.plot(LENGTHS, errors, color=COLOURS[i], linewidth=1.6, marker="o", markersize=3, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=10)
    axes.set_xticks(LENGTHS, [str(k) for k in LENGTHS])
    axes.minorticks_off()
    axes.set_xlabel("K")
    axes.set_title(f"relative error of {f.name} dot products, by accumulator (root mean square)", loc="left")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, fontsize="small", loc="best")
    return fig


# name -> what draws it, and whether it takes one format or several
PLOTS: dict[str, tuple[Callable[..., Figure], bool]] = {
    "number-line": (number_line, False),
    "staircase": (staircase, False),
    "relative-error": (relative_error, True),
    "density": (density, True),
    "error-growth": (error_growth, False),
}


def save(fig: Figure, file: str) -> None:
    """Write a figure; the kind is that of the file name's ending.  The same figure gives the same bytes.

    Raises ValueError for an ending that matplotlib does not know, OSError where the file cannot be written.
    """
    kind = file.rpartition(".")[2].lower()
    known = fig.canvas.get_supported_filetypes()
    if "." not in file or kind not in known:
        raise ValueError(f"{file}: the file name should end in {', '.join('.' + k for k in ('png', 'svg', 'pdf'))}")
    no_date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with _matplotlib().rc_context({"svg.hashsalt": "fp8ref", "svg.fonttype": "none"}):
        fig.savefig(file, dpi=160, metadata=no_date.get(kind))


def _matplotlib() -> Any:
    try:
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise MissingMatplotlib("plots need matplotlib: pip install 'fp8ref[plots]'") from error


def _figure() -> Figure:
    return importlib.import_module("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")


def _narrow(format: Format | str, bits: int) -> Format:
    f = get_format(format)
    if f.k > bits:
        raise ValueError(f"{f.name} has {f.k} bits: this figure is for formats of at most {bits}")
    if f.emin - f.t < -1000 or f.emax > 1000:
        raise ValueError(f"{f.name} reaches from 2^{f.emin - f.t} to 2^{f.emax}: axes end at 2^-1000 and 2^1000")
    return f


def _compared(formats: Sequence[Format | str]) -> list[Format]:
    found = [_narrow(f, 16) for f in ([formats] if isinstance(formats, (Format, str)) else formats)]
    if not 1 <= len(found) <= len(COLOURS):
        raise ValueError(f"this figure compares 1 to {len(COLOURS)} formats, not {len(found)}")
    return found


def _ulp(f: Format, x: Fraction) -> Fraction:
    """One ulp of the binade of x; of the lowest one for 0."""
    return power_of_two(f.quantum_exponent(floor_log2(x) if x else f.emin))


def _short(x: Fraction) -> str:
    """A value for a title: 448, 0.875, 2^127."""
    e = floor_log2(x) if x else 0
    return f"2^{e}" if x == power_of_two(e) and not -8 < e < 12 else f"{float(x):.6g}"


def _log2_axis(axes: Axes, low: Fraction, high: Fraction) -> None:
    """A logarithmic x axis a little wider than [low, high], with at most ten powers of two as ticks."""
    first, last = floor_log2(low), floor_log2(high) + 1
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256) if (last - first) // n <= 10)
    exponents = range(first - first % every, last + 1, every)
    axes.set_xscale("log", base=2)
    axes.set_xticks([2.0**e for e in exponents], [f"$2^{{{e}}}$" for e in exponents])
    axes.minorticks_off()
    margin = 2.0 ** (0.02 * (last - first))
    axes.set_xlim(float(low) / margin, float(high) * margin)


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
