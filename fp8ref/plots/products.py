"""How far the sums of matrix units stray from the exact ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays.conversion import encode
from ..arrays.products import dot
from ..spec.catalog import get_format
from ..spec.formats import Format
from .style import COLOURS, Figure, figure, styled

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


@styled
def error_growth(format: Format | str) -> Figure:
    """How far each accumulator model strays from the exact sum as K grows from 32 to 16384.

    128 dot products of operands drawn from N(0,1), C = 0; the root mean square of the error over that of the sums.
    Raises ValueError for operands that NVIDIA's FP8 units do not take.
    """
    fig = figure()
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
