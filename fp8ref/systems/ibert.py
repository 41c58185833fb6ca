"""I-BERT: GELU, softmax and LayerNorm in integers [Kim, Gholami, Yao, Mahoney, Keutzer 2021, arXiv 2101.01321].

A tensor is integers q times a scale S.  Polynomials of second degree replace erf and exp; their coefficients become
integers in units of S, by floor.  All shifts are floors too.

=========  ==========================================================================================================
erf        a = -0.2888, b = -1.769, c = 1: q_b = floor(b / S), q_c = floor(c / (a S**2));
           sgn(q) ((min(|q|, -q_b) + q_b)**2 + q_c) >> 14, of scale a S**2 2**14
GELU       e = erf of q at scale S / 1.4142, of scale S_e; q (e + floor(1 / S_e)), of scale S S_e / 2
exp        q <= 0, q_l = floor(-0.6931 / S); q = max(q, 30 q_l); z = floor(q / q_l), r = q - q_l z;
           ((r + floor(b / S)) r + floor(c / S**2)) << 30 - z, of scale a S**2 / 2**30, for the polynomial
           a (x**2 + b x + c), a = 0.35815147, a b = 0.96963238, a c = 1
softmax    exp(q - max q), requantised to 16 bits where exp(0) is 32767; floor(2**32 / sum) times each, >> 32 - k
LayerNorm  y = q - rne(mean q); s = floor(sqrt(sum((y >> h)**2))) << h; floor(y floor(2**31 / s) / 2), of scale
           sqrt(n) / 2**30.  The sum must stay below 2**32: h, fixed beforehand, is for that
=========  ==========================================================================================================

GELU's shift by 14 throws away what erf is made of unless S is small: at S = 0.001 the largest error on [-5, 5] is
0.022, at 0.01 it is 0.9.  Scales above 0.001 are refused.  A row of equal numbers has s = 0 and LayerNorm 0, our
choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fast.matrix.expansion import condense, grow, to_odd, two_product
from . import Table
from .golden import Sets, integers
from .primitives import Array, dyadic_exact, requantise_exact, round_exact

Int64 = NDArray[np.int64]
Scale = Fraction | float

ERF = (Fraction("-0.2888"), Fraction("-1.769"), Fraction(1))
ROOT2 = Fraction("1.4142")
EXP = (Fraction("0.35815147"), Fraction("0.96963238"), Fraction(1))
LN2 = Fraction("0.6931")
ERF_SHIFT, EXP_SHIFT = 14, 30
LARGEST_GELU_SCALE = Fraction("0.001")
LIMIT = 1 << 62
CHUNK = 1 << 14


# -- the constants of a scale -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gelu:
    """The integers that a scale makes of GELU's polynomial: q (erf(q) + one), of scale ``result`` (negative)."""

    b: int
    c: int
    one: int
    result: Fraction

    @classmethod
    def of(cls, scale: Scale) -> Gelu:
        """Raises ValueError for scales outside (0, 0.001]."""
        if not 0 < scale <= LARGEST_GELU_SCALE:
            raise ValueError(f"GELU needs a scale in (0, 0.001], not {float(scale):g}: its shift by 14 loses the rest")
        return cls.at(scale)

    @classmethod
    def at(cls, scale: Scale) -> Gelu:
        """The same at any scale, whatever it is worth."""
        a, b, c = ERF
        s = Fraction(scale)
        inner = s / ROOT2
        erf = a * inner**2 * 2**ERF_SHIFT
        return cls(math.floor(b / inner), math.floor(c / (a * inner**2)), math.floor(1 / erf), s * erf / 2)

    def exact(self, q: int) -> int:
        sign = (q > 0) - (q < 0)
        erf = sign * ((min(abs(q), -self.b) + self.b) ** 2 + self.c) >> ERF_SHIFT
        return q * (erf + self.one)


@dataclass(frozen=True)
class Exp:
    """The integers that a scale makes of exp: ``ln2`` (negative), ``b`` and ``c``, and the scale of the result."""

    ln2: int
    b: int
    c: int
    result: Fraction

    @classmethod
    def of(cls, scale: Scale) -> Exp:
        """Raises ValueError for scales outside (0, ln 2], where no step is left below ln 2."""
        s = Fraction(scale)
        if not 0 < s <= LN2:
            raise ValueError(f"exp needs a scale in (0, 0.6931], not {float(s):g}")
        a, b, c = EXP
        return cls(math.floor(-LN2 / s), math.floor(b / a / s), math.floor(c / a / s**2), a * s**2 / 2**EXP_SHIFT)

    def exact(self, q: int) -> int:
        if q > 0:
            raise ValueError(f"exp takes q <= 0, not {q}: subtract the largest first")
        q = max(q, EXP_SHIFT * self.ln2)
        z = q // self.ln2
        r = q - self.ln2 * z
        return max(0, ((r + self.b) * r + self.c) << (EXP_SHIFT - z))

    @property
    def act(self) -> tuple[int, int]:
        """The dyadic factor that makes 32767 of exp(0); its scale is kept in binary32."""
        return dyadic_exact(1 / Fraction(float(np.float32(self.c * 2.0**EXP_SHIFT / 32767))))


# -- one number or row at a time --------------------------------------------------------------------------------------


def softmax_exact(q: Sequence[int], scale: Scale, bits: int = 8) -> list[int]:
    """Softmax of a row, in units of 2**-bits."""
    e = Exp.of(scale)
    factor = e.act
    high = [min(32767, requantise_exact(e.exact(x - max(q)), *factor)) for x in q]
    share = (1 << 32) // sum(high)
    return [(x * share) >> (32 - bits) for x in high]


def layernorm_exact(q: Sequence[int], shift: int = 0) -> list[int]:
    """The normalised row, in units of sqrt(n) / 2**30.  Raises OverflowError where the sum of squares reaches 2**32."""
    mean = round_exact(Fraction(sum(q), len(q)))
    y = [x - mean for x in q]
    var = sum((x >> shift) ** 2 for x in y)
    if var >= 1 << 32:
        raise OverflowError(f"the sum of squares {var} is not below 2**32 at a shift of {shift}: shift more")
    std = square_root(var) << shift
    if std == 0:
        return [0] * len(q)
    factor = (1 << 31) // std
    return [(x * factor) >> 1 for x in y]


def square_root(n: int) -> int:
    """floor(sqrt(n)) of n < 2**32 by Newton's iteration in integers, from above [algorithm 4 of the paper]."""
    if n == 0:
        return 0
    x = 1 << ((n.bit_length() + 1) // 2)
    while (y := (x + n // x) // 2) < x:
        x = y
    return x


# -- arrays -----------------------------------------------------------------------------------------------------------


def gelu(q: Array, scale: Scale) -> tuple[Int64, Fraction]:
    """(integers, their scale) of GELU of an integer array.

    Raises ValueError for scales outside (0, 0.001], OverflowError where a result might need more than 62 bits.
    """
    g = Gelu.of(scale)
    largest = int(np.abs(q).max(initial=0))
    if max(g.b**2 + abs(g.c), largest * (2 * abs(g.one) + 2)) >= LIMIT:
        raise OverflowError(f"GELU of |q| up to {largest} at the scale {float(scale):g} needs more than 62 bits")

    def body(x: Int64) -> Int64:
        erf = np.minimum(np.abs(x), -g.b)
        erf += g.b
        erf *= erf
        erf += g.c
        erf *= np.sign(x)
        erf >>= ERF_SHIFT
        erf += g.one
        erf *= x
        return erf

    return _in_chunks(body, q), g.result


def exp(q: Array, scale: Scale) -> tuple[Int64, Fraction]:
    """(integers, their scale) of exp of an integer array that is nowhere positive.

    Raises ValueError for positive numbers and scales outside (0, 0.6931], OverflowError where exp(0) needs more than
    62 bits: below a scale of about 2.6e-5.
    """
    e = Exp.of(scale)
    if q.size and q.max() > 0:
        raise ValueError(f"exp takes q <= 0, not {q.max()}: subtract the largest first")
    if e.c << EXP_SHIFT >= LIMIT:
        raise OverflowError(f"exp at the scale {float(scale):g} needs more than 62 bits")

    def body(x: Int64) -> Int64:
        x = np.maximum(x, EXP_SHIFT * e.ln2)
        z = x // e.ln2
        r = x - e.ln2 * z
        found = (r + e.b) * r + e.c
        found <<= EXP_SHIFT - z
        return np.asarray(np.maximum(found, 0, out=found))

    return _in_chunks(body, q), e.result


def softmax(q: Array, scale: Scale, bits: int = 8) -> Int64:
    """:func:`softmax_exact` along the last axis."""
    e = Exp.of(scale)
    high: Int64 = np.minimum(_dyadic_of_wide(exp(q - q.max(axis=-1, keepdims=True), scale)[0], e.act), 32767)
    share = (1 << 32) // high.sum(axis=-1, keepdims=True)
    return np.asarray((high * share) >> (32 - bits))


def layernorm(q: Array, shift: int = 0) -> Int64:
    """:func:`layernorm_exact` along the last axis.

    Raises OverflowError where a sum of squares reaches 2**32, or where numbers beyond 2**31 come in.
    """
    x = q.astype(np.int64)
    n = x.shape[-1]
    if n * int(np.abs(x).max(initial=0)) >= LIMIT >> 24:
        raise OverflowError(f"sums of {n} numbers up to {np.abs(x).max()} are beyond the int64 form")
    total: Int64 = x.sum(axis=-1, keepdims=True)
    below, rest = total // n, total % n
    mean = below + ((2 * rest > n) | ((2 * rest == n) & (below % 2 == 1)))
    x -= mean
    part = (x >> shift).astype(np.float64)
    var = (part * part).sum(axis=-1, keepdims=True)  # exact below 2**53, and beyond 2**32 whenever it is not
    if var.size and var.max() >= 1 << 32:
        raise OverflowError(f"the sum of squares {var.max():.0f} is not below 2**32 at a shift of {shift}: shift more")
    std = np.floor(np.sqrt(var)).astype(np.int64) << shift
    return np.asarray((x * np.where(std == 0, 0, (1 << 31) // np.maximum(std, 1))) >> 1)


def _in_chunks(body: Callable[[Int64], Int64], q: Array) -> Int64:
    """A function of int64 numbers over an integer array, in pieces that stay in the cache."""
    out = np.empty(q.size, np.int64)
    flat = np.ascontiguousarray(q).reshape(-1)
    for i in range(0, flat.size, CHUNK):
        out[i : i + CHUNK] = body(flat[i : i + CHUNK].astype(np.int64))
    return out.reshape(q.shape)


def _dyadic_of_wide(q: Int64, factor: tuple[int, int]) -> Int64:
    """rne(q B / 2**C) of 0 <= q < 2**62 where the result has at most 17 bits: q B in float64, rounded to odd."""
    b = np.full(q.shape, float(factor[0]))
    high, low = (q >> 31).astype(np.float64) * 2.0**31, (q & ((1 << 31) - 1)).astype(np.float64)
    head, rest, _ = condense(grow([*two_product(low, b), *two_product(high, b)]))
    return np.rint(np.ldexp(to_odd(head, rest), -factor[1])).astype(np.int64)


# -- what is shown ----------------------------------------------------------------------------------------------------


def _erf(x: Array) -> Array:
    return np.array([math.erf(v) for v in x.reshape(-1)]).reshape(x.shape)


def errors(scale: Scale = Fraction(1, 10_000), points: int = 8001) -> dict[str, tuple[float, float]]:
    """(root mean square, largest) error on [-4, 4] of GELU's stand-ins; on [-ln 2, 0] of exp's polynomial."""
    x = np.linspace(-4, 4, points)
    right = x * (1 + _erf(x / math.sqrt(2))) / 2
    q = np.rint(x / float(scale)).astype(np.int64)
    ours, unit = gelu(q, scale)
    a, b, c = (float(v) for v in ERF)
    y = np.abs(x) / math.sqrt(2)
    polynomial = np.sign(x) * (a * (np.minimum(y, -b) + b) ** 2 + c)
    found = {
        "i-GELU, the polynomial": x * (1 + polynomial) / 2 - right,
        f"i-GELU in integers, S = {float(scale):g}": ours * float(unit) - right,
        "h-GELU, x ReLU6(1.702 x + 3) / 6": x * np.minimum(np.maximum(1.702 * x + 3, 0), 6) / 6 - right,
        "x sigmoid(1.702 x)": x / (1 + np.exp(-1.702 * x)) - right,
    }
    t = np.linspace(-math.log(2), 0, points)
    a, b, c = (float(v) for v in EXP)
    found["i-exp on [-ln 2, 0], coefficients of the code"] = a * t * t + b * t + c - np.exp(t)
    found["i-exp, rounded: 0.3585 (x + 1.353)^2 + 0.344"] = 0.3585 * (t + 1.353) ** 2 + 0.344 - np.exp(t)
    return {name: (float(np.sqrt((e**2).mean())), float(np.abs(e).max())) for name, e in found.items()}


def gelu_error(scale: Scale) -> float:
    """The largest error of the integer GELU on [-5, 5], at any scale: what the refusal is about."""
    s, g = Fraction(scale), Gelu.at(scale)
    q = [round_exact(Fraction(i, 100) / s) for i in range(-500, 501)]
    right = [float(x * s) * (1 + math.erf(float(x * s) / math.sqrt(2))) / 2 for x in q]
    return max(abs(float(g.exact(x) * g.result) - y) for x, y in zip(q, right))


def table() -> Table:
    rows = tuple((name, f"{rms:.6f}", f"{largest:.6f}") for name, (rms, largest) in errors().items())
    scales = ("0.0315", "0.01", "0.003", "0.001", "0.0001")
    by_scale = ", ".join(f"{gelu_error(Fraction(s)):.3g} at S = {s}" for s in scales)
    return Table(
        "I-BERT: errors of its functions, GELU's on [-4, 4]",
        ("function", "root mean square", "largest"),
        rows,
        (f"Largest error of the integer GELU on [-5, 5]: {by_scale}; scales above 0.001 are refused.",),
    )


def golden() -> Sets:
    """GELU at three scales, exp at two, softmax rows, LayerNorm rows with and without a shift."""
    found: dict[str, dict[str, Any]] = {}
    for i, s in enumerate(("1/1000", "1/4096", "1/20000")):
        q = integers(20 + i, (24,), -6 * Fraction(s).denominator, 6 * Fraction(s).denominator)
        found[f"GELU, S = {s}"] = {
            "scale": s,
            "q": q,
            "result": np.array([Gelu.of(Fraction(s)).exact(int(x)) for x in q]),
        }
    for i, s in enumerate(("1/32", "1/1000")):
        q = integers(30 + i, (24,), -20 * Fraction(s).denominator, 0)
        found[f"exp, S = {s}"] = {
            "scale": s,
            "q": q,
            "result": np.array([Exp.of(Fraction(s)).exact(int(x)) for x in q]),
        }
        rows = integers(40 + i, (3, 8), -3 * Fraction(s).denominator, 3 * Fraction(s).denominator)
        found[f"softmax, S = {s}"] = {
            "scale": s,
            "q": rows,
            "result": np.array([softmax_exact(row.tolist(), Fraction(s)) for row in rows]),
        }
    for shift, size in ((0, 1000), (6, 200_000)):
        rows = integers(50 + shift, (3, 16), -size, size)
        result = np.array([layernorm_exact(row.tolist(), shift) for row in rows])
        found[f"LayerNorm, shift {shift}"] = {"shift": shift, "q": rows, "result": result}
    return found
