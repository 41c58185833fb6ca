"""FP8-BERT: the predicted and the measured error of every operand, and errors on their way through the network."""

from __future__ import annotations

import numpy as np

from ..systems import fp8_bert as system
from ..systems.fp8_bert.experiment import Findings
from ..systems.fp8_bert.severity import FORMATS, crossover, predicted
from .style import COLOURS, GREY, Figure, figure, styled

SHOWN = ("E4M3", "E5M2", "mixed", "INT8 symmetric", "INT8 asymmetric", "MXFP8 E4M3", "MXFP8 E4M3, rceil")
MARKS = {"activations": "o", "weights": "x"}


@styled
def fp8_bert(found: Findings | None = None) -> Figure:
    """SQNR of operands over outlier severity with the theory's lines; SQNR of every linear layer's output by recipe.

    Without ``found`` the experiment is run, which takes minutes.
    """
    found = found or system.findings()
    fig = figure()
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.15))
    reach = np.geomspace(3, 100, 50)
    for f, colour in zip(FORMATS, COLOURS):
        name = f.removesuffix("fn").upper()
        left.plot(reach, [predicted(f, k) for k in reach], color=colour, linewidth=1, label=name)
        for operand, mark in MARKS.items():
            own = [t for t in found.tensors if t.operand == operand]
            left.plot(
                [t.severity for t in own], [t.sqnr[f] for t in own], mark, color=colour, markersize=3.5, alpha=0.8
            )
    for f in FORMATS[1:]:
        left.axvline(crossover(f), color=GREY, linewidth=0.6, linestyle=":")
        left.annotate(f"{crossover(f):.2f}", (crossover(f), 12), color=GREY, fontsize=8, rotation=90, ha="right")
    left.set_xscale("log")
    left.set_xticks([3, 5, 10, 20, 50, 100], ["3", "5", "10", "20", "50", "100"])
    left.minorticks_off()
    left.set_xlabel("amax / sigma")
    left.set_ylabel("SQNR, dB")
    left.set_title("theory, activations (dots), weights (crosses)", loc="left", fontsize=10)
    left.legend(frameon=False, loc="upper right")
    for o, colour in zip((o for o in found.outcomes if o.recipe.name in SHOWN), COLOURS):
        right.plot(range(len(o.layers)), o.layers, color=colour, linewidth=1.2, label=o.recipe.name)
    right.set_xticks(range(0, len(found.layers), 6), [str(i + 1) for i in range(len(found.layers) // 6)])
    right.set_xlabel("encoder layer, six linear layers each")
    right.set_title("outputs inside the quantised network", loc="left", fontsize=10)
    right.set_ylim(8, 48)  # room for the legend
    right.legend(frameon=False, fontsize=7.5, ncols=2, loc="upper right")
    return fig
