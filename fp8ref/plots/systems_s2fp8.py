"""S2FP8 and raw E5M2 over the scale of a tensor."""

from __future__ import annotations

from ..systems.s2fp8 import compare
from .style import COLOURS, Figure, figure, styled

SCALES = tuple(10.0**e for e in range(-10, 8))
TENSORS = ("N(0, 1)", "Student-t, 3")


@styled
def s2fp8() -> Figure:
    """SQNR, and the share of numbers that become zero, of tensors times 1e-10 to 1e7: raw dashed, S2FP8 full."""
    rows = compare(SCALES, log2_n=14)
    fig = figure()
    axes = fig.subplots(1, 2)
    for name, colour in zip(TENSORS, COLOURS):
        own = [r for r in rows if r["tensor"] == name]
        for kind, line in (("e5m2", "--"), ("s2fp8", "-")):
            for ax, what, unit in zip(axes, ("dB", "lost"), (1, 100)):
                ax.plot(
                    [r["scale"] for r in own],
                    [r[f"{kind} {what}"] * unit for r in own],
                    line,
                    color=colour,
                    label=f"{name}, {'S2FP8' if kind == 's2fp8' else 'E5M2'}",
                )
    for ax, title in zip(axes, ("SQNR, dB", "numbers lost to zero, %")):
        ax.set_xscale("log")
        ax.set_xlabel("scale of the tensor")
        ax.set_title(title, loc="left")
    axes[1].legend(frameon=False)
    return fig
