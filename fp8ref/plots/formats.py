"""Figures of formats: where their values lie, and how closely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ..spec.catalog import get_format
from ..spec.datum import floor_log2, power_of_two
from ..spec.formats import Format
from .style import COLOURS, Figure, figure, log2_axis, styled


@styled
def number_line(format: Format | str) -> Figure:
    """Every finite value of a format as a tick: on a linear axis, and the positive ones on a logarithmic one.

    Raises ValueError for formats of more than 8 bits, whose ticks would run together.
    """
    f = narrow(format, 8)
    fig = figure()
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
    log2_axis(logarithmic, f.min_subnormal, f.max)
    logarithmic.set_title("the positive ones, logarithmic", loc="left")
    return fig


@styled
def relative_error(formats: Sequence[Format | str]) -> Figure:
    """The largest relative error of rounding to nearest, in each gap between two neighbouring positive values.

    The worst input of a gap is its middle, with the error half a gap over the middle.  Raises ValueError for formats of
    more than 16 bits and for more formats than can be distinguished.
    """
    found = _compared(formats)
    fig = figure()
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
    log2_axis(axes, min(f.min_subnormal for f in found) / 2, max(f.max for f in found))
    axes.set_title("largest relative error of rounding to nearest", loc="left")
    axes.set_xlabel("input")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="upper right")
    return fig


@styled
def density(formats: Sequence[Format | str]) -> Figure:
    """How many positive values each format has in every binade [2**e, 2**(e+1)).

    Raises ValueError for formats of more than 16 bits and for more formats than can be distinguished.
    """
    found = _compared(formats)
    fig = figure()
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
    log2_axis(axes, min(f.min_subnormal for f in found), max(f.max for f in found))
    axes.set_title("positive values in each binade", loc="left")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="best")
    return fig


def narrow(format: Format | str, bits: int) -> Format:
    f = get_format(format)
    if f.k > bits:
        raise ValueError(f"{f.name} has {f.k} bits: this figure is for formats of at most {bits}")
    if f.emin - f.t < -1000 or f.emax > 1000:
        raise ValueError(f"{f.name} reaches from 2^{f.emin - f.t} to 2^{f.emax}: axes end at 2^-1000 and 2^1000")
    return f


def _compared(formats: Sequence[Format | str]) -> list[Format]:
    found = [narrow(f, 16) for f in ([formats] if isinstance(formats, (Format, str)) else formats)]
    if not 1 <= len(found) <= len(COLOURS):
        raise ValueError(f"this figure compares 1 to {len(COLOURS)} formats, not {len(found)}")
    return found
