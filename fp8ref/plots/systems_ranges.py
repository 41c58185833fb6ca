"""Range against precision: FP8 formats over the scale of the data, and integers over their threshold."""

from __future__ import annotations

import numpy as np

from ..systems import fp8_formats, integer_gemm
from ..systems.power_of_exponent import GAUSSIAN, best_c
from .style import COLOURS, GREY, Figure, figure, styled


@styled
def fp8_range() -> Figure:
    """SQNR of N(0, sigma**2) data rounded to FP8 without a scale, and to INT8 in steps of 1/64, as sigma goes up."""
    fig = figure()
    axes = fig.subplots()
    exponents = np.linspace(-20, 18, 191)
    for name, colour in zip(("e4m3fn", "e5m2", "e3m4fn", "mxint8"), COLOURS):
        label = "mxint8 (INT8)" if name == "mxint8" else name
        axes.plot(exponents, fp8_formats.sqnr(name, 2**exponents), color=colour, linewidth=1.6, label=label)
    axes.set_xticks(range(-20, 19, 4), [f"$2^{{{e}}}$" for e in range(-20, 19, 4)])
    axes.set_ylim(0, 45)
    axes.set_xlabel("standard deviation of normal data")
    axes.set_ylabel("SQNR in dB")
    axes.set_title("what FP8 keeps of data that no scale has brought into range", loc="left")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="upper right")
    return fig


@styled
def range_precision() -> Figure:
    """SQNR of k-bit symmetric codes on N(0,1) data against the threshold."""
    fig = figure()
    axes = fig.subplots()
    thresholds = np.linspace(0.5, 8, 301)
    for bits, colour in zip(integer_gemm.BITS, COLOURS):
        axes.plot(thresholds, integer_gemm.curve(bits, thresholds), color=colour, linewidth=1.6, label=f"{bits} bits")
        best = best_c(0, bits - 1, GAUSSIAN)
        axes.plot([float(best.grid.c)], [best.sqnr], "o", color=colour, markersize=4.5)
        text = f"{float(best.grid.c):.3f}"
        axes.annotate(
            text, (float(best.grid.c), best.sqnr), (0, 5), textcoords="offset points", color=GREY, ha="center"
        )
    axes.set_ylim(0, 45)
    axes.set_xlabel("threshold T, in standard deviations")
    axes.set_ylabel("SQNR in dB")
    axes.set_title("range against precision: k-bit integers on normal data", loc="left")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="upper left")
    return fig
