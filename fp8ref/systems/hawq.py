"""HAWQ-V3: dyadic neural network quantisation [Yao and others 2021, arXiv 2011.10680].

An accumulator q of scale S_a S_w becomes a code of scale S_z without a division or a floating-point number: the ratio
is replaced by B / 2**C once, before anything runs.

=====================  ==============================================================================================
ratio                  r = f64(f32(S_a S_w)) / S_z, as the authors' code rounds it; :func:`dyadic_exact` takes any r
factor                 r = m 2**e with 1/2 <= m < 1; B = floor(2**31 m + 1/2), C = 31 - e.  B is within 2**-31 of r in
                       proportion, and is 2**31 itself where m rounds up: a signed 32-bit register does not hold it
requantisation         z = rne(q B / 2**C), saturated to [-2**(k-1), 2**(k-1) - 1], or [0, 2**k - 1] unsigned
residual addition      rne(q B / 2**C) + rne(p B' / 2**C'): each term is rounded, the sum is saturated only if asked
average pooling        trunc(sum / n + 1/100), the authors' guard against a mean that float32 puts just below an
                       integer; so a negative whole mean moves up by one, which behind a ReLU never happens
=====================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import Table
from . import primitives as shared
from .golden import Sets, integers
from .primitives import Array, dyadic_exact

Int64 = NDArray[np.int64]


def ratio(activation: float, weight: float, result: float) -> Fraction:
    """S_a S_w / S_z of binary32 scales as the code rounds it: the product to binary32, the quotient to binary64.

    Raises ValueError for scales that are not positive and finite, or whose product is not.
    """
    a, w, z = (np.float32(s) for s in (activation, weight, result))
    with np.errstate(over="ignore", under="ignore"):
        product = a * w
    for name, scale in (("S_a", a), ("S_w", w), ("S_z", z), ("S_a S_w", product)):
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"{name} is {scale}: scales are positive and finite")
    return Fraction(float(product) / float(z))


def limits(bits: int | None, signed: bool = True) -> tuple[int, int] | None:
    """The codes of a quantiser; None: it does not saturate.  Raises ValueError beyond 2 to 32 bits."""
    if bits is None:
        return None
    if not 2 <= bits <= 32:
        raise ValueError(f"codes have 2 to 32 bits, not {bits}")
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def requantise_exact(q: int, factor: tuple[int, int], bits: int | None = 8, signed: bool = True) -> int:
    """rne(q B / 2**C), saturated."""
    return _saturate_exact(shared.requantise_exact(q, *factor), bits, signed)


def requantise(q: Array, factor: tuple[int, int], bits: int | None = 8, signed: bool = True) -> Int64:
    """:func:`requantise_exact` on an integer array; OverflowError where |q| B reaches 2**62."""
    return _saturate(shared.requantise(q, *factor), bits, signed)


def add_exact(
    q: int, factor: tuple[int, int], p: int, other: tuple[int, int], bits: int | None = None, signed: bool = True
) -> int:
    """A residual addition: both terms brought to the scale of the result, each rounded, then added."""
    return _saturate_exact(shared.requantise_exact(q, *factor) + shared.requantise_exact(p, *other), bits, signed)


def add(
    q: Array, factor: tuple[int, int], p: Array, other: tuple[int, int], bits: int | None = None, signed: bool = True
) -> Int64:
    """:func:`add_exact` on integer arrays that broadcast."""
    return _saturate(shared.requantise(q, *factor) + shared.requantise(p, *other), bits, signed)


def average_exact(values: Sequence[int]) -> int:
    """trunc(mean + 1/100)."""
    return int(Fraction(sum(values), len(values)) + Fraction(1, 100))


def average(q: Array, axis: int | tuple[int, ...] = -1) -> Int64:
    """:func:`average_exact` of an integer array along axes."""
    total = q.sum(axis=axis, dtype=np.int64)
    n = q.size // max(total.size, 1)
    above = 100 * total + n
    return np.asarray(np.sign(above) * (np.abs(above) // (100 * n)))


def _saturate_exact(z: int, bits: int | None, signed: bool) -> int:
    ends = limits(bits, signed)
    return z if ends is None else max(ends[0], min(ends[1], z))


def _saturate(z: Int64, bits: int | None, signed: bool) -> Int64:
    ends = limits(bits, signed)
    return z if ends is None else np.minimum(np.maximum(z, ends[0], out=z), ends[1], out=z)


# -- what is shown ----------------------------------------------------------------------------------------------------

WIDTHS = (4, 6, 8, 10, 12, 16, 20, 24, 31)


def wrong_codes(bits: int, n: int = 1 << 18) -> tuple[float, float]:
    """(share of int8 codes that differ from rne(q r), largest relative error of B / 2**C) for a B of so many bits.

    Accumulators q and 16 ratios r = 127 / largest |q| are drawn at random; the codes that r itself gives are exact.
    """
    rng = np.random.default_rng(0)
    wrong, worst = 0, Fraction(0)
    for largest in rng.integers(1 << 12, 1 << 20, 16):
        r = Fraction(127, int(largest))
        q = rng.integers(-largest, largest + 1, n // 16)
        factor = dyadic_exact(r, bits)
        worst = max(worst, abs(Fraction(factor[0]) / Fraction(2) ** factor[1] / r - 1))
        # rne(127 q / largest) in integers: a tie needs an even largest
        twice, unit = 254 * np.abs(q), 2 * largest
        below, rest = twice // unit, twice % unit
        exact = np.sign(q) * (below + ((rest > largest) | ((rest == largest) & (below % 2 == 1))))
        wrong += int((requantise(q, factor) != exact).sum())
    return wrong / n, float(worst)


def table() -> Table:
    rows = []
    for bits in WIDTHS:
        share, worst = wrong_codes(bits)
        rows.append((str(bits), f"{share:.4%}", f"{worst:.2e}", f"{2.0**-bits:.2e}"))
    return Table(
        "HAWQ-V3: int8 codes that a dyadic factor B / 2^C gets wrong, by the width of B",
        ("bits of B", "wrong codes", "largest error of B / 2^C", "bound"),
        tuple(rows),
        ("262,144 random accumulators under 16 random ratios; right is the nearest code of the exact quotient.",),
    )


def golden() -> Sets:
    """Requantisation to 4 and 8 bits, signed and unsigned, a residual addition, pooled means."""
    q, p = integers(9, (40,), -(1 << 31), (1 << 31) - 1), integers(10, (40,), -200, 200)
    q[20:] >>= 12
    r, s = ratio(0.031, 0.0007, 2500.0), ratio(0.02, 1.0, 0.05)
    found: dict[str, dict[str, Any]] = {}
    for bits in (4, 8):
        for signed in (True, False):
            codes = [requantise_exact(int(v), dyadic_exact(r), bits, signed) for v in q]
            found[f"{bits} bits, {'signed' if signed else 'unsigned'}"] = {
                "q": q,
                "ratio": np.array([float(r)]),
                "factor": np.array(dyadic_exact(r)),
                "codes": np.array(codes),
            }
    sums = [add_exact(int(u), dyadic_exact(r), int(v), dyadic_exact(s)) for u, v in zip(q, p)]
    found["residual addition"] = {
        "q": q,
        "factor": np.array(dyadic_exact(r)),
        "p": p,
        "other": np.array(dyadic_exact(s)),
        "sums": np.array(sums),
    }
    windows = p.reshape(8, 5)
    found["average pooling"] = {"q": windows, "means": np.array([average_exact(row.tolist()) for row in windows])}
    return found
