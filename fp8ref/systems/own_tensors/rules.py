"""A tensor of one's own by the rules of a system: its codes, its scales, and what they lose.

``RULES`` has the systems that quantise any tensor; a rule takes float32 of any shape and gives one :class:`Quantised`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import decode, encode
from .. import Table
from ..adam8.blocks import quantise as tree_blocks
from ..dynamic_fixed_point import to_fixed
from ..integer_gemm import quantise as clipped
from ..integer_gemm import threshold
from ..llm_int8 import decompose
from ..s2fp8 import Squeeze

F32s = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Quantised:
    """``codes`` of a tensor's shape, ``scales`` (what stands beside them), and ``values``, float64: what they mean."""

    rule: str
    codes: NDArray[Any]
    scales: NDArray[Any]
    values: NDArray[np.float64]

    def sqnr(self, x: F32s) -> float:
        """Signal to quantisation noise, dB: 10 log10(sum x^2 / sum (x - values)^2); infinite where nothing is lost."""
        exact = x.astype(np.float64)
        noise = float(np.square(exact - self.values).sum())
        return 10 * math.log10(float(np.square(exact).sum()) / noise) if noise else math.inf


def _cast(name: str) -> Callable[[F32s], Quantised]:
    def rule(x: F32s) -> Quantised:
        codes = encode(x, name, overflow="sat")
        return Quantised(f"{name}, no scale", codes, np.ones(1, np.float32), decode(codes, name, dtype=np.float64))

    return rule


def _s2fp8(x: F32s) -> Quantised:
    squeeze = Squeeze.of(x)
    codes = squeeze.encode(x)
    scales = np.array([float(squeeze.alpha), float(squeeze.beta)], np.float32)
    return Quantised("alpha and beta of the tensor", codes, scales, squeeze.decode(codes).astype(np.float64))


def _tree(x: F32s) -> Quantised:
    made = tree_blocks(x)
    return Quantised(f"dynamic tree, blocks of {made.block}", made.codes, made.largest, made.dequantise().astype(float))


def _int8_rows(x: F32s) -> Quantised:
    rows = x.reshape(-1, x.shape[-1]) if x.ndim else x.reshape(1, 1)
    made = decompose(rows)
    values = made.codes * (made.largest.astype(np.float64) / 127)
    values[:, made.outliers] = rows[:, made.outliers].astype(np.float16)  # which stay binary16
    kept = f"int8 rows, {made.outliers.size} outlier columns in binary16"
    return Quantised(kept, made.codes.reshape(x.shape), made.largest, values.reshape(x.shape))


def _clipped(x: F32s) -> Quantised:
    made = clipped(x, threshold(x))
    step = np.array([made.step], np.float32)
    return Quantised("int8, saturated for least error", made.codes, step, made.codes * np.float64(made.step))


def _fixed(x: F32s) -> Quantised:
    made = to_fixed(x)
    scale = np.array([2.0**made.exponent], np.float64)
    return Quantised("int8 times a power of two, to nearest", made.codes, scale, made.inverse().astype(np.float64))


RULES: dict[str, tuple[Callable[[F32s], Quantised], ...]] = {
    "fp8-formats": (_cast("e4m3fn"), _cast("e5m2")),
    "llm-int8": (_int8_rows,),
    "adam8": (_tree,),
    "integer-gemm": (_clipped,),
    "s2fp8": (_s2fp8,),
    "integer-fine-tuning": (_fixed,),
}


def quantised(name: str, x: NDArray[Any]) -> list[Quantised]:
    """A tensor by each rule of a system.

    Raises ValueError for a system without a rule of its own, for no or too wide values, infinities and NaNs.
    """
    if name not in RULES:
        raise ValueError(f"{name} has no rule for a tensor of your own; these have: {', '.join(RULES)}")
    if x.dtype.kind not in "fiu" or not x.size:
        raise ValueError(f"the tensor should have numbers in it, not {x.dtype} {x.shape}")
    with np.errstate(over="ignore"):
        single = x.astype(np.float32)
    if not np.isfinite(single).all():
        raise ValueError("the tensor has infinities, NaNs, or values beyond binary32")
    return [rule(single) for rule in RULES[name]]


def table_of(made: list[Quantised], x: NDArray[Any]) -> Table:
    """What each rule loses of a tensor."""
    single = x.astype(np.float32)
    rows = []
    for one in made:
        error = np.abs(single.astype(np.float64) - one.values)
        vanished = int(((single != 0) & (one.values == 0)).sum())
        rows.append((one.rule, str(one.codes.dtype), str(one.scales.size), f"{one.sqnr(single):.3f}",
                     f"{float(error.max()):.4g}", str(vanished)))  # fmt: skip
    shape = " x ".join(map(str, x.shape)) or "1"
    return Table(
        f"{shape} values, {x.dtype}", ("rule", "codes", "scales", "SQNR dB", "largest error", "become 0"), tuple(rows)
    )
