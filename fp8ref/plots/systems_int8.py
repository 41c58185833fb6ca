"""Figures of the integer systems: LLM.int8(), 8-bit optimizers, I-BERT, HAWQ-V3."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from ..systems import adam8, hawq, ibert, llm_int8
from .style import COLOURS, GREY, Axes, Figure, figure, styled


def _grid(axes: Axes) -> None:
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")


@styled
def outliers() -> Figure:
    """Error of an int8 product as four feature columns grow: one scale a tensor, vector-wise, outliers apart."""
    fig = figure()
    axes = fig.subplots()
    found = llm_int8.errors()
    names = {"tensor": "one scale a tensor", "vector": "vector-wise", "apart": "outliers apart"}
    for (key, label), colour in zip(names.items(), COLOURS):
        axes.plot([r["size"] for r in found], [100 * r[key] for r in found], "o-", color=colour, ms=3.5, label=label)
    axes.axvline(llm_int8.THRESHOLD, color=GREY, linewidth=0.8, dashes=(4, 3))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([r["size"] for r in found], [f"{r['size']:.3g}" for r in found])
    axes.set_yticks([1, 2, 5, 10, 20], ["1 %", "2 %", "5 %", "10 %", "20 %"])
    axes.minorticks_off()
    axes.set_xlabel("largest magnitude of the four columns")
    axes.set_title("LLM.int8(): root mean square error of X W", loc="left")
    _grid(axes)
    axes.legend(frameon=False, loc="upper left")
    return fig


@styled
def tree_error() -> Figure:
    """Relative error of dynamic tree codes half way between two values, beside that of linear 8-bit codes."""
    fig = figure()
    axes = fig.subplots()
    for label, colour, values in (
        ("dynamic tree, unsigned", COLOURS[2], adam8.tree(signed=False).values),
        ("dynamic tree, signed", COLOURS[0], adam8.tree().values),
        ("linear, 127 steps", COLOURS[1], np.arange(128) / 127),
    ):
        positive = values[values >= 0].astype(float)
        gaps = list(pairwise(positive))
        errors = [100 * (b - a) / (a + b) for a, b in gaps]
        axes.plot([(a + b) / 2 for a, b in gaps], errors, color=colour, linewidth=1.4, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_yticks([0.1, 1, 10, 100], ["0.1 %", "1 %", "10 %", "100 %"])
    axes.set_ylim(0.08, 150)
    axes.minorticks_off()
    axes.set_xlabel("magnitude, over the largest of its block")
    axes.set_title("largest relative error of 8-bit codes", loc="left")
    _grid(axes)
    axes.legend(frameon=False, loc="lower left")
    return fig


@styled
def gelu_errors() -> Figure:
    """Error of I-BERT's integer GELU: along x for two scales, and its largest by scale."""
    fig = figure()
    along, by_scale = fig.subplots(1, 2)
    x = np.linspace(-5, 5, 1001)
    right = np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
    for scale, colour in ((3e-3, COLOURS[1]), (1e-4, COLOURS[0])):
        g = ibert.Gelu.at(scale)
        y = [g.exact(round(v / scale)) * float(g.result) for v in x]
        along.plot(x, np.array(y) - right, color=colour, linewidth=1.2, label=f"S = {scale:g}")
    along.set_title("integer GELU less GELU", loc="left")
    along.set_xlabel("x")
    along.legend(frameon=False)
    scales = np.logspace(-4.5, -1.4, 40)
    by_scale.plot(scales, [ibert.gelu_error(s) for s in scales], "o-", color=COLOURS[0], ms=3)
    by_scale.axvspan(1e-3, scales[-1], color=COLOURS[1], alpha=0.13, linewidth=0)
    by_scale.text(1.2e-3, 5, "refused", color=COLOURS[1])
    by_scale.set_xscale("log")
    by_scale.set_yscale("log")
    by_scale.set_xlabel("S")
    by_scale.set_title("largest error on [-5, 5]", loc="left")
    for axes in (along, by_scale):
        _grid(axes)
    return fig


@styled
def dyadic_codes() -> Figure:
    """Share of int8 codes that a dyadic factor gets wrong, by the width of its numerator."""
    fig = figure()
    axes = fig.subplots()
    widths = range(4, 23, 2)
    shares = [100 * hawq.wrong_codes(bits)[0] for bits in widths]
    axes.plot(widths, shares, "o-", color=COLOURS[0], ms=3.5)
    axes.set_yscale("log")
    axes.set_yticks([0.001, 0.01, 0.1, 1, 10, 100], ["0.001 %", "0.01 %", "0.1 %", "1 %", "10 %", "100 %"])
    axes.set_xticks(list(widths))
    axes.minorticks_off()
    axes.set_xlabel("bits of B")
    axes.set_title("HAWQ-V3: int8 codes that B / 2^C gets wrong", loc="left")
    _grid(axes)
    return fig
