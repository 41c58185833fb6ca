"""k-bit symmetric matrix products with saturated operands, after the integer Transformer for machine translation.

After "Learning Accurate Integer Transformer Machine-Translation Models" [Wu 2020, arXiv 2001.00926], which runs every
matrix product in INT8, and some in INT6, and learns how much range to give up for precision.  Its formulas are not
published where we could read them; what follows is our definition:

    s = f32(T / (2**(k-1) - 1))     q = rne(x / s), saturated at +-(2**(k-1) - 1)     C = f32(s_a s_b sum qa qb)

with the threshold T, in binary32, in place of the largest magnitude; the sum is exact in int32 and the product
with the scales is rounded once.  T is the one of least mean squared error: in closed form for a distribution, among
a hundred parts of the largest magnitude for given data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..fast.matrix.expansion import round_sum, two_product
from ..spec.catalog import get_format
from ..spec.projection import encode, get_projection
from . import Table
from .golden import Sets, gaussian
from .power_of_exponent.distributions import GAUSSIAN, UNIFORM, Distribution, Floats, student_t
from .power_of_exponent.expected import moments
from .power_of_exponent.search import best_c
from .primitives import Array, absmax, integer_dot_exact, integer_matmul, symmetric, symmetric_exact, top_of

F32 = get_format("f32")
NONSAT = get_projection(F32, "rne", "nonsat")
PARTS = 100


@dataclass(frozen=True, eq=False)
class Operand:
    """Codes of a saturated matrix, int8, and the step between them, binary32."""

    codes: NDArray[np.int8]
    step: np.float32


# -- the definition, one number at a time -----------------------------------------------------------------------------


def step_exact(threshold: Fraction, bits: int = 8) -> Fraction:
    """f32(T / (2**(bits-1) - 1)).  Raises ValueError for a threshold that is not positive."""
    if threshold <= 0:
        raise ValueError(f"a threshold is positive, not {float(threshold)}")
    code, _ = encode(Fraction(threshold) / top_of(bits), F32, "rne", "nonsat")
    return F32.magnitude(code)


def matmul_exact(
    a: Sequence[Sequence[Fraction]], b: Sequence[Sequence[Fraction]], T: tuple[Fraction, Fraction], bits: int = 8
) -> list[list[tuple[int, int]]]:
    """(integer sum, code of the binary32 result) of rows times columns; ``b`` is given by its columns."""
    steps = [step_exact(threshold, bits) for threshold in T]
    qa, qb = ([[symmetric_exact(x, step, bits) for x in row] for row in rows] for rows, step in zip((a, b), steps))
    sums = [[integer_dot_exact(row, column) for column in qb] for row in qa]
    return [[(n, encode(n * steps[0] * steps[1], F32, "rne", "nonsat")[0]) for n in row] for row in sums]


# -- arrays -----------------------------------------------------------------------------------------------------------


def quantise(x: Array, threshold: float | np.float32, bits: int = 8) -> Operand:
    """Symmetric codes of a float32 array saturated at a threshold, of 2 to 8 bits.

    Raises ValueError for a threshold that is not positive and for NaN or infinity, TypeError for other dtypes.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"operands have 2 to 8 bits, not {bits}")
    if not threshold > 0:
        raise ValueError(f"a threshold is positive, not {threshold}")
    absmax(x)  # refuses infinities and NaNs
    step = np.float32(np.float32(threshold) / np.float32(top_of(bits)))
    return Operand(symmetric(x, np.asarray(step), bits), step)


def matmul(a: Operand, b: Operand) -> NDArray[np.float32]:
    """The product of quantised matrices (M, K) and (K, N), float32, rounded once.

    Raises OverflowError where a sum leaves int32.
    """
    sums = integer_matmul(a.codes, b.codes).astype(np.float64)
    scale = np.float64(a.step) * np.float64(b.step)  # exact: 48 bits
    high, low = two_product(sums, np.full_like(sums, scale))
    return round_sum([low, high], None, F32, NONSAT).view(np.float32)


def threshold(x: Array, bits: int = 8, parts: int = PARTS) -> np.float32:
    """Of amax * i / parts, i from 1 to parts, the threshold of least squared error on x, the largest of equals.

    Errors are summed in float64.  Raises ValueError where x is empty, all 0, or has NaN or infinity.
    """
    largest = np.float32(absmax(x).max()) if x.size else np.float32(0)
    if not largest > 0:
        raise ValueError("a threshold needs a value other than 0")
    found = []
    for i in range(parts, 0, -1):
        T = np.float32(float(largest) * i / parts)
        q = quantise(x, T, bits)
        found.append((float(np.square(q.codes * np.float64(q.step) - x).sum()), -i, T))
    return min(found)[2]


# -- the trade of range against precision -----------------------------------------------------------------------------


def curve(bits: int, thresholds: Floats | Sequence[float], distribution: Distribution = GAUSSIAN) -> Floats:
    """SQNR in dB of k-bit codes saturated at each threshold, exact."""
    top = top_of(bits)
    magnitudes = np.arange(top + 1) / top
    return np.asarray(moments(np.multiply.outer(np.asarray(thresholds, np.float64), magnitudes), distribution).sqnr)


BITS = (8, 7, 6, 5, 4)


def table() -> Table:
    rows = []
    for bits in BITS:
        cells = [str(bits)]
        for distribution in (GAUSSIAN, student_t(8), UNIFORM):
            best = best_c(0, bits - 1, distribution)
            sigma = np.sqrt(distribution.second_moment)
            cells += [f"{float(best.grid.c) / sigma:.4f}", f"{best.sqnr:.3f}"]
        rows.append((*cells, f"{float(curve(bits, [6.0])[0]):.3f}"))
    return Table(
        "Thresholds of least mean squared error, over the standard deviation, and the SQNR in dB there",
        ("bits", "T, N(0,1)", "dB", "T, t(8)", "dB", "T, U(-1,1)", "dB", "dB at T = 6, N(0,1)"),
        tuple(rows),
        ("A threshold of 6 standard deviations saturates almost no value and costs precision.",),
    )


def golden() -> Sets:
    """Products of two small matrices for 8 and 6 bits, clipped and not, by the definition."""
    x, w = gaussian(101, (4, 24)), gaussian(102, (24, 3), 0.2)
    sets = {}
    for bits in (8, 6):
        for T in ((2.0, 0.5), (float(np.abs(x).max()), float(np.abs(w).max()))):
            rows = [[Fraction(float(v)) for v in row] for row in x]
            columns = [[Fraction(float(v)) for v in column] for column in w.T]
            found = matmul_exact(rows, columns, (Fraction(T[0]), Fraction(T[1])), bits)
            codes = np.array([[code for _, code in row] for row in found], np.uint32)
            sets[f"{bits} bits, {'clipped' if T[0] == 2 else 'not clipped'}"] = {
                "bits": bits, "x": x, "w": w, "thresholds": np.array(T, np.float32),
                "sums": np.array([[n for n, _ in row] for row in found], np.int32), "result": codes.view(np.float32),
            }  # fmt: skip
    return sets
