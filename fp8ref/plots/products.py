"""How far the sums of matrix units stray from the exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays.conversion import decode, encode
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


UNITS = (
    "f32.fma", "ada.mma.fp8.f32", "hopper.wgmma.fp8.f32", "hopper.mma.fp8.f32", "blackwell.tcgen05.fp8.f32",
    "cdna3.mfma.fp8.f32", "ada.mma.fp8.f32+split3.t64.interleaved", "hopper.wgmma.fp8.f32+split3.t128",
    "hopper.wgmma.fp8.f32+promote128.fadd",
)  # fmt: skip
AMD = {"e4m3fn": "e4m3fnuz", "e5m2": "e5m2fnuz"}  # whose formats hold the same numbers below 2**8


def disagreements(format: Format | str, k: int = 2048, dots: int = 96) -> dict[str, np.ndarray[Any, Any]]:
    """For each accumulator the errors of the same dot products of N(0,1) operands, over the root mean square sum."""
    f = get_format(format)
    rng = np.random.default_rng(1)
    a, b = (encode(rng.standard_normal((dots, k)), f) for _ in "ab")
    exact = dot(a, b, f, result="f64").astype(float)
    size = np.sqrt((exact**2).mean())
    found = {}
    for name in UNITS:
        x, y, own = a, b, f
        if name.startswith("cdna3"):
            own = get_format(AMD.get(f.name, f.name))
            x, y = (encode(decode(codes, f), own) for codes in (a, b))
        found[name] = (dot(x, y, own, accumulator=name).astype(float) - exact) / size
    return found


@styled
def disagreement(format: Format | str) -> Figure:
    """The same operands through nine units: where each answer lies beside the exact sum.

    96 dot products of 2,048 operands drawn from N(0,1), C = 0; errors over the root mean square of the sums, on a
    logarithmic scale on either side of zero.  Raises ValueError for operands that NVIDIA's FP8 units do not take.
    """
    fig = figure()
    axes = fig.subplots()
    f = get_format(format)
    found = disagreements(f)
    spread = np.random.default_rng(2)
    for i, errors in enumerate(found.values()):
        rows = i + spread.uniform(-0.28, 0.28, errors.size)
        axes.plot(errors, rows, linestyle="none", marker="o", markersize=2.2, color=COLOURS[i % len(COLOURS)])
    axes.set_xscale("symlog", linthresh=2.0**-24)
    axes.set_xticks([-1e-2, -1e-4, -1e-6, 0, 1e-6, 1e-4, 1e-2])
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.axvline(0, linewidth=0.6, color="#888888")
    axes.set_xlabel("error")
    axes.set_title(f"the same {f.name} operands, K = 2048", loc="left")
    axes.grid(True, axis="x", linewidth=0.4, color="#DDDDDD")
    return fig
