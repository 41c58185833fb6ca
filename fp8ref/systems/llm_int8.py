"""LLM.int8() [Dettmers, Lewis, Belkada, Zettlemoyer 2022, arXiv 2208.07339].

Activations get one int8 scale a row, weights one a column; feature columns that hold an outlier, a magnitude of at
least 6, leave the integer product and are multiplied in half precision.

=================  ==================================================================================================
outliers           O = { h : some |X[i, h]| >= 6 }; the paper says "larger than" in 3.2 and "at least" in 4.1, and
                   bitsandbytes does the latter
codes              q = rne(127 x / c), c the largest magnitude of the row of X without O, of the column of W
integer product    sum over h not in O of qx qw, in int32
result             f16(sum c_x c_w / 127**2) + f16(sum over h in O of X W), added in binary16; each of the three is
                   rounded once (our reading: the paper says that both are accumulated in 16 bits)
=================  ==================================================================================================

``rule="bitsandbytes"`` is what the authors' library computes on a CPU: 1 / c, 127 times that, and x times that are each
rounded to binary32, and c still counts the small values of outlier columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fast.matrix.expansion import round_sum
from ..spec.catalog import get_format
from ..spec.datum import Datum
from ..spec.projection import encode, get_projection
from ..spec.scaling.binary32 import over, times
from . import Table
from .golden import Sets, gaussian
from .primitives import Array, absmax, absmax_codes, integer_dot_exact, integer_matmul, round_exact

THRESHOLD = 6.0
RULES = ("paper", "bitsandbytes")
F16 = get_format("f16")
NONSAT = get_projection(F16, "rne", "nonsat")
Half = NDArray[np.float16]


@dataclass(frozen=True, eq=False)
class Decomposed:
    """Rows of int8 codes, 0 in the outlier columns; largest magnitudes (M, 1), float32; which columns are outliers."""

    codes: NDArray[np.int8]
    largest: NDArray[np.float32]
    outliers: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Product:
    """The integer product, int32 (M, N), its value and that of the outlier columns, binary16, and their sum."""

    integers: NDArray[np.int32]
    regular: Half
    outlying: Half
    result: Half


# -- the definition, one number at a time -----------------------------------------------------------------------------


def decompose_exact(
    rows: Sequence[Sequence[Fraction]], threshold: Fraction | None = Fraction(6), rule: str = "paper"
) -> tuple[list[list[int]], list[Fraction], list[int]]:
    """(codes, largest magnitudes, outlier columns) of a matrix; ``threshold`` None: no column is an outlier."""
    _check(rule)
    columns = range(len(rows[0]))
    limit = threshold
    outliers = [] if limit is None else [h for h in columns if any(abs(row[h]) >= limit for row in rows)]
    codes, largest = [], []
    for row in rows:
        if rule == "paper" or limit is None:
            counted = [abs(x) for h, x in enumerate(row) if h not in outliers]
        else:
            counted = [abs(x) for x in row if abs(x) < limit]
        c = max(counted, default=Fraction(0))
        largest.append(c)
        codes.append([0 if h in outliers else code_exact(x, c, rule) for h, x in enumerate(row)])
    return codes, largest, outliers


def code_exact(x: Fraction, largest: Fraction, rule: str = "paper") -> int:
    """rne(127 x / largest), 0 where largest is 0; under ``bitsandbytes`` rne(x * (127 * (1 / largest))) in binary32."""
    if largest == 0:
        return 0
    if rule == "paper":
        return round_exact(127 * x / largest)
    scale = times(Datum.finite(127), over(Datum.finite(1), Datum.finite(largest)))
    return round_exact(times(Datum.finite(x), scale).value)


def matmul_exact(
    x: Sequence[Sequence[Fraction]],
    w: Sequence[Sequence[Fraction]],
    threshold: Fraction | None = Fraction(6),
    rule: str = "paper",
) -> list[list[tuple[int, int, int, int]]]:
    """For every element of X W (int32 sum, and the binary16 codes of regular part, outlying part and result)."""
    qx, cx, outliers = decompose_exact(x, threshold, rule)
    columns = [[row[j] for row in w] for j in range(len(w[0]))]
    qw, cw, _ = decompose_exact(columns, None, rule)
    out = []
    for i, row in enumerate(x):
        line = []
        for j, column in enumerate(columns):
            sum_ = integer_dot_exact(qx[i], qw[j])
            regular = _half(sum_ * cx[i] * cw[j] / 127**2)
            outlying = _half(sum((row[h] * column[h] for h in outliers), Fraction(0)))
            line.append((sum_, regular, outlying, _half(_value(regular) + _value(outlying))))
        out.append(line)
    return out


def _half(x: Fraction) -> int:
    return encode(x, F16, "rne", "nonsat")[0]


def _value(code: int) -> Fraction:
    value = float(np.uint16(code).view(np.float16))
    return Fraction(value)


# -- arrays -----------------------------------------------------------------------------------------------------------


def decompose(x: Array, threshold: float | None = THRESHOLD, rule: str = "paper") -> Decomposed:
    """:func:`decompose_exact` of an array (M, K), float16, or float32 under the paper's rule.

    Raises ValueError for infinities and NaNs and for unknown rules, TypeError for other dtypes.
    """
    _check(rule)
    if x.ndim != 2 or x.dtype not in ((np.float16, np.float32) if rule == "paper" else (np.float16,)):
        raise TypeError(f"X is a float16 array (M, K), or float32 under the paper's rule, not {x.dtype} {x.shape}")
    values = x.astype(np.float32)
    absmax(values)  # refuses infinities and NaNs
    outliers = np.zeros(0, np.int64)
    if threshold is not None:
        beyond = np.abs(values) >= np.float32(threshold)
        outliers = np.flatnonzero(beyond.any(axis=0))
        counted = values.copy() if outliers.size else values
        if rule == "bitsandbytes":
            counted[beyond] = 0
        values[:, outliers] = 0
        largest = absmax(counted if rule == "bitsandbytes" else values, axis=1)
    else:
        largest = absmax(values, axis=1)
    return Decomposed(_codes(values, largest, rule), largest, outliers)


def _codes(values: Array, largest: Array, rule: str) -> NDArray[np.int8]:
    if rule == "paper":
        return absmax_codes(values, largest)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = values * (np.float32(127) * (np.float32(1) / largest))
        np.rint(scaled, out=scaled)
        return np.where(largest == 0, np.float32(0), scaled).astype(np.int8)


def matmul(x: Half, w: Half, threshold: float | None = THRESHOLD, rule: str = "paper") -> Product:
    """:func:`matmul_exact` of binary16 arrays (M, K) and (K, N).

    Raises TypeError for other dtypes, ValueError for infinities and NaNs, OverflowError where a sum leaves int32.
    """
    if x.dtype != np.float16 or w.dtype != np.float16:
        raise TypeError(f"X and W are float16 arrays, not {x.dtype} and {w.dtype}")
    a, b = decompose(x, threshold, rule), decompose(np.ascontiguousarray(w.T), None, rule)
    integers = integer_matmul(a.codes, np.ascontiguousarray(b.codes.T))
    regular = dequantise(integers, a.largest, b.largest)
    outlying = half_matmul(x[:, a.outliers], w[a.outliers])
    with np.errstate(over="ignore"):
        return Product(integers, regular, outlying, regular + outlying)


def dequantise(integers: Array, rows: Array, columns: Array) -> Half:
    """f16(integers * rows * columns / 127**2), rounded once; rows (M, 1) and columns (N, 1) are binary16 values.

    float64 holds the numerator: 31 + 11 + 11 bits.  Its quotient by 127**2 is a tie of binary16 or at least 2**-53 of
    itself away from one, so that the second rounding finds the side that the exact quotient is on.
    """
    scale = rows.astype(np.float64) * columns.astype(np.float64).T
    with np.errstate(over="ignore"):
        return (integers * scale / 127.0**2).astype(np.float16)


def half_matmul(x: Half, w: Half) -> Half:
    """The exact product of binary16 matrices (M, K) and (K, N), K up to 2**13, rounded once to binary16."""
    if x.shape[1] > 1 << 13:
        raise ValueError(f"{x.shape[1]} products are more than 2**13, whose partial sums a float64 holds")
    if x.shape[1] == 0:
        return np.zeros((x.shape[0], w.shape[1]), np.float16)
    (xh, xl), (wh, wl) = _halves(x), _halves(w)  # multiples of 2**-4 and of 2**-24, of 20 bits each
    terms = [xl @ wl, xl @ wh, xh @ wl, xh @ wh]
    return round_sum(terms, None, F16, NONSAT).view(np.float16)


def _halves(x: Half) -> tuple[Array, Array]:
    wide = x.astype(np.float64)
    high = np.floor(wide * 16) / 16
    return high, wide - high


def _check(rule: str) -> None:
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; choose from {', '.join(RULES)}")


# -- what is shown ----------------------------------------------------------------------------------------------------

SIZES = (1, 5, 6, 10, 20, 40, 60, 100)


def errors(sizes: Sequence[float] = SIZES, k: int = 512) -> list[dict[str, Any]]:
    """Root mean square error of X W, where four columns of X are scaled up, over that of X W before.

    X (128, k) and W (k, 128) are N(0, 1) cut at 3 and N(0, 1/k); the four columns are scaled so that the largest value
    is ``size``, the first size being X as it is.
    """
    rng = np.random.default_rng(0)
    base = np.minimum(np.maximum(rng.standard_normal((128, k)), -3), 3)
    w = (rng.standard_normal((k, 128)) / np.sqrt(k)).astype(np.float16)
    found, power = [], 0.0
    for i, size in enumerate(sizes):
        x = base.copy()
        if i:
            x[:, :4] *= size / np.abs(x[:, :4]).max()
        x16 = x.astype(np.float16)
        exact = x16.astype(float) @ w.astype(float)
        tensor = _tensor_wise(x16, w)
        plain, apart = matmul(x16, w, None), matmul(x16, w)
        power = power or float(np.sqrt((exact**2).mean()))
        row: dict[str, Any] = {"size": float(np.abs(x16).max()), "outliers": decompose(x16).outliers.size}
        for name, y in (("tensor", tensor), ("vector", plain.result), ("apart", apart.result)):
            row[name] = float(np.sqrt(((y.astype(float) - exact) ** 2).mean()) / power)
        found.append(row)
    return found


def _tensor_wise(x: Half, w: Half) -> Half:
    """The same with one scale for each matrix, to compare."""
    u, v = x.astype(np.float32), w.astype(np.float32)
    cx, cw = absmax(u), absmax(v)
    return dequantise(integer_matmul(absmax_codes(u, cx), absmax_codes(v, cw)), cx, cw)


def table() -> Table:
    rows = tuple(
        (f"{r['size']:.3g}", str(r["outliers"]), *(f"{100 * r[key]:.3f} %" for key in ("tensor", "vector", "apart")))
        for r in errors()
    )
    return Table(
        "LLM.int8(): error of a 128 x 512 x 128 product when four feature columns of the activations grow",
        ("largest |x|", "outlier columns", "one scale a tensor", "vector-wise", "outliers apart"),
        rows,
        ("Root mean square, over that of the product before the columns grew.  Everything ends in binary16.",),
    )


def golden() -> Sets:
    """Products of 5 x 24 by 24 x 4 with and without outliers, under both rules."""
    x = gaussian(1, (5, 24)).astype(np.float16)
    x[:, 7] *= np.float16(4)
    x[2, 11] = 6
    x[4] = 0
    w = gaussian(2, (24, 4), 0.25).astype(np.float16)
    exact_x, exact_w = ([[Fraction(float(v)) for v in row] for row in m] for m in (x, w))
    sets = {}
    for rule in RULES:
        for threshold in (6, None):
            codes, largest, outliers = decompose_exact(exact_x, None if threshold is None else Fraction(6), rule)
            cells = matmul_exact(exact_x, exact_w, None if threshold is None else Fraction(6), rule)
            parts = [np.array([[cell[i] for cell in row] for row in cells]) for i in range(4)]
            sets[f"{rule}, {'outliers apart' if threshold else 'vector-wise'}"] = {
                "x": x,
                "w": w,
                "threshold": threshold or 0,
                "codes": np.array(codes, np.int8),
                "largest": np.array([float(c) for c in largest], np.float32),
                "outliers": np.array(outliers, np.int32),
                "integers": parts[0].astype(np.int32),
                **{
                    name: part.astype(np.uint16).view(np.float16)
                    for name, part in zip(("regular", "outlying", "result"), parts[1:])
                },
            }
    return sets
