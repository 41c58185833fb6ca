"""SQNR by format and distribution: which split of 8 bits is best as the tails grow heavier."""

from __future__ import annotations

from ..systems.power_of_exponent import GAUSSIAN, best_c, student_t
from ..systems.power_of_exponent.tables import OVERTAKING, SPLITS, degrees_of_freedom
from .style import COLOURS, GREY, Figure, figure, styled

FREEDOM = (2.5, 2.75, 3, 3.5, 4, 5, 6, 7.5, 10, 15, 25, 50, 100)


def curves() -> dict[tuple[int, int], list[float]]:
    """For each split (E, M) the SQNR in dB at the best c, for Student's t of ``FREEDOM`` and last for N(0,1)."""
    distributions = [*map(student_t, FREEDOM), GAUSSIAN]
    return {split: [best_c(*split, distribution).sqnr for distribution in distributions] for split in SPLITS}


@styled
def sqnr() -> Figure:
    """SQNR of every split of 8 bits at its best largest value, against the degrees of freedom of Student's t."""
    fig = figure()
    axes = fig.subplots()
    normal = 220  # where N(0,1), infinitely many degrees of freedom, is drawn
    for (split, found), colour in zip(curves().items(), COLOURS):
        E, M = split
        name = f"E{E}M{M}" if E else "INT8"
        axes.plot(FREEDOM, found[:-1], color=colour, linewidth=1.6, label=name)
        axes.plot([normal], found[-1:], "o", color=colour, markersize=5)
    for nu, (f, _, _, _) in zip(degrees_of_freedom(), OVERTAKING):
        if f[0]:  # where one FP8 split overtakes another
            axes.axvline(nu, color=GREY, linewidth=0.8, dashes=(4, 3), zorder=0)
            axes.annotate(f"{nu:.3f}", (nu, 46), (3, 0), textcoords="offset points", color=GREY, va="top")
    axes.set_xscale("log")
    ticks = (2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, normal)
    axes.set_xticks(ticks, [*(f"{t:g}" for t in ticks[:-1]), "N(0,1)"])
    axes.minorticks_off()
    axes.set_ylim(5, 46)
    axes.set_xlabel("degrees of freedom of Student's t")
    axes.set_ylabel("SQNR in dB")
    axes.set_title("8-bit splits at their best largest value", loc="left")
    axes.grid(True, axis="y", linewidth=0.4, color="#DDDDDD")
    axes.legend(frameon=False, loc="lower right", ncols=2)
    return fig
