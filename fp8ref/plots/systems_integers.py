"""Integer Transformers: signal through layers of propagated scales; averages of stochastic roundings."""

from __future__ import annotations

from ..systems import dynamic_fixed_point, scale_propagation
from .style import COLOURS, Figure, figure, styled

REPEATS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


@styled
def propagation() -> Figure:
    """SQNR after every part of eight layers of int8 codes with one scale a tensor."""
    rows = scale_propagation.compare(layers=8)
    fig = figure()
    ax = fig.subplots()
    for place, colour in zip(scale_propagation.PLACES, COLOURS):
        own = [r for r in rows if r["place"] == place]
        ax.plot([r["layer"] + 1 for r in own], [r["dB"] for r in own], "o-", color=colour, label=f"after {place}")
    ax.set_xlabel("layer")
    ax.set_ylabel("SQNR, dB")
    ax.set_title("int8 codes with propagated scales against float64", loc="left")
    ax.legend(frameon=False)
    return fig


@styled
def fixed_point_averages() -> Figure:
    """Error of the mean of n quantisations of one tensor to 8 bits: stochastic rounding against nearest."""
    found = dynamic_fixed_point.averages(REPEATS)
    fig = figure()
    ax = fig.subplots()
    for (name, errors), colour in zip(found.items(), COLOURS):
        ax.plot(REPEATS, errors, "o-", color=colour, label=name)
    ax.plot(REPEATS, [found["stochastic"][0] / n**0.5 for n in REPEATS], ":", color=COLOURS[0], label="1/√n")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("quantisations averaged")
    ax.set_ylabel("rms error, steps")
    ax.set_title("8-bit dynamic fixed point of N(0, 1)", loc="left")
    ax.legend(frameon=False)
    return fig
