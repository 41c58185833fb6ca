"""S2FP8, shifted and squeezed FP8: E5M2 codes of a tensor whose logarithms are first centred and stretched.

After L. Cambier and others, "Shifted and Squeezed 8-bit Floating Point Format for Low-Precision Training of Deep Neural
Networks", ICLR 2020.  Over the elements that are not zero

    mu = mean log2|X|, m = max log2|X|, alpha = 15 / (m - mu), beta = -alpha mu,
    Y = sign(X) 2**beta |X|**alpha, so that log2|Y| has mean 0 and maximum 15,
    T(X) = sign(X) (2**-beta |E5M2(Y)|)**(1 / alpha).

The paper leaves open what follows, and this is our reading:

- alpha and beta are the real numbers above, each rounded once to the nearest float32; Y is taken with the rounded
  ones, without error, and rounded once to E5M2 (nearest even, saturating); T(X) is rounded once to float32.
- alpha is at most 1024.  A tensor of one magnitude, where m - mu = 0, gets 1024, and nearly constant ones too: with
  more a float32 beta could no longer place Y (149 * 1024 is below 2**18).
- zeros keep their code and sign; a tensor without other numbers has alpha = 1 and beta = 0.
- infinities and NaNs take no part in mu and m and become E5M2's.
- products of two stored tensors are exact sums of T(A) T(B), rounded once to float32.

The map from |X| to codes is monotone, so that 123 thresholds and 124 values, found exactly, are the whole of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.conversion import quantize
from ..fast.matrix.exact_dot import K_RUN, data_range, exact_products
from ..fast.matrix.expansion import round_sum
from ..spec.catalog import get_format
from ..spec.projection import get_projection
from . import Table
from .golden import Sets, gaussian
from .powers import F32, compare_power, contexts, inverse_power, ln, log2_of_product, rounded32, slack
from .primitives import absmax, bucket_table

E5M2 = get_format("e5m2")
TOP = 15  # log2 of the largest |Y|
STEEPEST = 1024
CHUNK = 1 << 15
INFINITY, NAN = np.uint8(0x7C), np.uint8(0x7F)  # E5M2's
NONSAT = get_projection(F32, "rne", "nonsat")

F32s = NDArray[np.float32]


@dataclass(frozen=True)
class Squeeze:
    """alpha and beta, both values of float32, and all that follows from them."""

    alpha: Fraction
    beta: Fraction

    # -- the definition -----------------------------------------------------------------------------------------------
    @classmethod
    def exact(cls, magnitudes: Sequence[Fraction]) -> Squeeze:
        """alpha and beta of the magnitudes that are not zero, dyadic numbers."""
        found = [abs(x) for x in magnitudes if x]
        if not found:
            return cls(Fraction(1), Fraction(0))
        n, largest = len(found), max(found)
        single = all(x == largest for x in found)
        for ctx in contexts():
            d = ctx.prec
            error = Fraction(slack(d))
            low, high = (Fraction(bound) / n for bound in log2_of_product(found, d))
            top = Fraction(ctx.divide(ln(largest, d), ln(Fraction(2), d)))
            means = (low - error, high + error)
            steepest = Fraction(STEEPEST)
            if single:
                alphas = (steepest, steepest)
            elif top - means[1] - error <= 0:
                continue
            else:
                spreads = (top - means[0] + error, top - means[1] - error)
                alphas = (min(steepest, TOP / spreads[0]), min(steepest, TOP / spreads[1]))
            betas = [-a * mu for a in alphas for mu in means]
            ends = [rounded32(a) for a in alphas], [rounded32(min(betas)), rounded32(max(betas))]
            if all(first == last or d >= 640 for first, last in ends):  # 640 digits: it is a tie
                return cls(ends[0][0], ends[1][0])
        raise AssertionError

    def encode_exact(self, x: Fraction) -> int:
        """The E5M2 code of Y, by comparison with the midpoints between E5M2's magnitudes."""
        sign = E5M2.sign_bit if x < 0 else 0
        if x == 0:
            return 0
        code = 0
        for code in range(E5M2.max_code):
            side = compare_power(abs(x), self.alpha, self.beta, _midpoint(code))
            if side < 0 or (side == 0 and code % 2 == 0):
                return sign | code
        return sign | E5M2.max_code

    def encode_any(self, x: float) -> int:
        """:meth:`encode_exact` of a float that may be an infinity, a NaN or a signed zero."""
        sign = E5M2.sign_bit if math.copysign(1, x) < 0 else 0
        if math.isfinite(x):
            return sign | self.encode_exact(abs(Fraction(x)))
        return sign | int(NAN if math.isnan(x) else INFINITY)

    def decode_exact(self, code: int) -> Fraction:
        """T: the float32 of a finite code."""
        magnitude = E5M2.magnitude(code & E5M2.magnitude_mask)
        value = inverse_power(magnitude, self.alpha, self.beta) if magnitude else Fraction(0)
        return -value if code & E5M2.sign_bit else value

    # -- on arrays ----------------------------------------------------------------------------------------------------
    @classmethod
    def of(cls, x: F32s) -> Squeeze:
        """:meth:`exact` of an array.

        Logarithms in float64, each within 16 ulp, are summed pairwise; where the interval that this leaves holds one
        float32 for alpha and one for beta, these are right, and elsewhere the definition is asked.
        """
        count, total, largest, smallest = 0, 0.0, 0.0, math.inf
        flat = x.reshape(-1)
        for i in range(0, flat.size, CHUNK):
            size = np.abs(flat[i : i + CHUNK])
            usual = (size > 0) & (size < np.inf)
            if not usual.all():
                size = size[usual]
            if size.size:
                count += size.size
                total += float(np.log2(size, dtype=np.float64).sum())
                largest, smallest = max(largest, float(size.max())), min(smallest, float(size.min()))
        if count == 0:
            return cls(Fraction(1), Fraction(0))
        mean, top = total / count, math.log2(largest)
        bound = max(abs(top), abs(math.log2(smallest)), 1.0)
        error = (64 + count / CHUNK + math.log2(count)) * 2.0**-52 * bound
        if smallest < largest and top - mean > 4 * error:
            alphas = [min(TOP / (top - mean + side * error), float(STEEPEST)) * (1 - side * 2**-50) for side in (1, -1)]
            betas = [-a * (mean + side * error) for a in alphas for side in (1, -1)]
            wide = 2.0**-50 * max(map(abs, betas))
            ends = np.array([(min(alphas), max(alphas)), (min(betas) - wide, max(betas) + wide)], np.float32)
            if (ends[:, 0] == ends[:, 1]).all():
                return cls(*map(Fraction, ends[:, 0].tolist()))
        usual = np.isfinite(flat) & (flat != 0)
        return cls.exact([Fraction(v) for v in np.abs(flat[usual]).tolist()])

    @cached_property
    def thresholds(self) -> F32s:
        """For each code below the largest, the largest float32 magnitude that still gets it or a lower one."""
        return np.array([self._threshold(code) for code in range(E5M2.max_code)], np.float32)

    def _threshold(self, code: int) -> np.float32:
        h = _midpoint(code)
        alpha, beta = float(self.alpha), float(self.beta)
        guess = min(max((math.log2(h) - beta) / alpha, -150.0), 128.0)
        bits = int(np.float32(min(2.0**guess, float(np.finfo(np.float32).max))).view(np.uint32))

        def gets(bits: int) -> bool:
            """Does the float32 of these bits get the code or a lower one?"""
            if bits == 0:
                return True
            x = Fraction(float(np.uint32(bits).view(np.float32)))
            side = compare_power(x, self.alpha, self.beta, h)
            return side < 0 or (side == 0 and code % 2 == 0)

        while not gets(bits):
            bits -= 1
        while bits < 0x7F7FFFFF and gets(bits + 1):
            bits += 1
        return np.uint32(bits).view(np.float32)

    @cached_property
    def _buckets(self) -> tuple[int, NDArray[np.uint8], F32s] | None:
        return bucket_table(self.thresholds)

    @cached_property
    def values(self) -> F32s:
        """T of all 256 codes."""
        magnitudes = [float(self.decode_exact(code)) for code in range(E5M2.max_code + 1)]
        half = np.array([*magnitudes, np.inf, np.nan, np.nan, np.nan], np.float32)
        return np.concatenate([half, -half])

    def encode(self, x: F32s) -> NDArray[np.uint8]:
        """:meth:`encode_exact` on a float32 array of any shape; infinities and NaNs become E5M2's."""
        if x.dtype != np.float32:
            raise TypeError(f"S2FP8 is defined on float32, not {x.dtype}")
        flat = np.ascontiguousarray(x).reshape(-1)
        out = np.empty(flat.size, np.uint8)
        for i in range(0, flat.size, CHUNK):
            bits = flat[i : i + CHUNK].view(np.uint32)
            size = bits & np.uint32(0x7FFFFFFF)
            magnitude = size.view(np.float32)
            if self._buckets is None:
                codes = np.searchsorted(self.thresholds, magnitude).astype(np.uint8)
            else:
                shift, base, threshold = self._buckets
                index = size >> np.uint32(shift)
                codes = base[index] + (magnitude > threshold[index])
            unusual = size >= np.uint32(0x7F800000)
            if unusual.any():
                codes[unusual] = np.where(size[unusual] == 0x7F800000, INFINITY, NAN)
            codes |= (bits >> np.uint32(24)).astype(np.uint8) & np.uint8(0x80)
            out[i : i + CHUNK] = codes
        return out.reshape(x.shape)

    def decode(self, codes: NDArray[np.uint8]) -> F32s:
        """T of codes: float32."""
        found: F32s = self.values[codes]
        return found


def _midpoint(code: int) -> Fraction:
    return (E5M2.magnitude(code) + E5M2.magnitude(code + 1)) / 2


def truncate(x: F32s) -> F32s:
    """T(X): what a tensor is after storage in S2FP8."""
    squeeze = Squeeze.of(x)
    return squeeze.decode(squeeze.encode(x))


def matmul(a: F32s, b: F32s) -> F32s:
    """T(A) T(B) of (M, K) and (K, N), K up to 2**17: the exact sum, rounded once to float32.

    Raises ValueError for infinities and NaNs.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.shape[1] > K_RUN:
        raise ValueError(f"shapes must be (M, K) and (K, N) with K up to {K_RUN}, not {a.shape} and {b.shape}")
    for m in (a, b):
        absmax(m)  # refuses infinities and NaNs
    left, right = (truncate(m).astype(np.float64) for m in (a, b.T))
    terms = exact_products(left, right, data_range(left), data_range(right), lambda x, y: np.asarray(x @ y.T))
    found: F32s = round_sum(terms, None, F32, NONSAT).view(np.float32)
    return found


# -- what is shown ----------------------------------------------------------------------------------------------------

DRAWS: dict[str, Any] = {
    "N(0, 1)": lambda rng, n: rng.standard_normal(n),
    "lognormal": lambda rng, n: 2.0 ** (8 * rng.standard_normal(n)) * rng.choice([-1.0, 1.0], n),
    "half zeros": lambda rng, n: rng.standard_normal(n) * (rng.random(n) < 0.5),
    "Student-t, 3": lambda rng, n: rng.standard_t(3, n),
}
SCALES = (1.0, 1e-4, 1e-6, 1e-9, 1e6)


def compare(scales: Sequence[float] = SCALES, log2_n: int = 18, seed: int = 0) -> list[dict[str, Any]]:
    """Raw E5M2 and S2FP8 on the same tensors: alpha, beta, SQNR in dB, share of nonzero numbers that become 0."""
    found = []
    for name, draw in DRAWS.items():
        x = draw(np.random.default_rng(seed), 1 << log2_n).astype(np.float32)
        for scale in scales:
            scaled = x * np.float32(scale)
            squeeze = Squeeze.of(scaled)
            row = {"tensor": name, "scale": scale, "alpha": float(squeeze.alpha), "beta": float(squeeze.beta)}
            for kind, y in (("e5m2", quantize(scaled, E5M2)), ("s2fp8", squeeze.decode(squeeze.encode(scaled)))):
                wide = scaled.astype(np.float64)
                noise = float(np.mean((y - wide) ** 2))
                row[f"{kind} dB"] = 10 * math.log10(float(np.mean(wide**2)) / noise)
                row[f"{kind} lost"] = float(np.mean(y[scaled != 0] == 0))
            found.append(row)
    return found


def table() -> Table:
    """Raw E5M2 against S2FP8 by distribution and scale."""
    rows = tuple(
        (
            r["tensor"],
            f"{r['scale']:g}",
            f"{r['alpha']:.4f}",
            f"{r['beta']:.4f}",
            *(f"{r[f'{kind} dB']:.2f}" for kind in ("e5m2", "s2fp8")),
            *(f"{100 * r[f'{kind} lost']:.2f} %" for kind in ("e5m2", "s2fp8")),
        )
        for r in compare()
    )
    columns = ("tensor", "times", "alpha", "beta", "E5M2 dB", "S2FP8 dB", "E5M2 lost", "S2FP8 lost")
    note = (
        "dB: signal to quantisation noise.  lost: nonzero numbers that become zero.  lognormal: log2 of the magnitude "
        "has a standard deviation of 8."
    )
    return Table("Raw E5M2 and S2FP8 on tensors of many scales", columns, rows, (note,))


def golden() -> Sets:
    """Statistics, codes and values of small tensors: usual, wide, of one magnitude, with special values."""
    tensors = {
        "normal": gaussian(42, (4, 12)),
        "small": gaussian(43, (48,), 2.0**-30),
        "wide": np.ldexp(gaussian(41, (32,)), np.arange(-48, 48, 3)).astype(np.float32),
        "subnormal": gaussian(44, (16,), 2.0**-140),
        "one magnitude": np.array([0.375, -0.375, 0, -0.0], np.float32),
        "zeros": np.array([0, -0.0], np.float32),
        "special": np.array([1, -3, 10, np.inf, -np.inf, np.nan], np.float32),
    }
    sets = {}
    for name, x in tensors.items():
        values = x.reshape(-1).tolist()
        squeeze = Squeeze.exact([Fraction(v) for v in values if math.isfinite(v)])
        codes = [squeeze.encode_any(v) for v in values]
        sets[name] = {
            "x": x,
            "alpha": np.float32(squeeze.alpha),
            "beta": np.float32(squeeze.beta),
            "codes": np.array(codes, np.uint8).reshape(x.shape),
            "values": squeeze.values[codes].reshape(x.shape),
        }
    return sets
