"""Integer fine-tuning: b-bit dynamic fixed point with stochastic rounding, integer products, and the way back.

After "Integer Fine-tuning of Transformer-based Models" (2022), of which only abstracts and summaries were at hand; the
formulas are our reading.

=================  ==================================================================================================
mapping            e = floor(log2 max|x|) + 1, so that |x| < 2**e; one step for the whole tensor, 2**(e - b + 1);
                   q = sign(x) floor(|x| / step + R / 2**N) with N random bits R (``sr-a``), or to nearest (``rne``);
                   then held within 2**(b-1) - 1 on both sides
product            sum qa qb, exact in integers; exponents add
inverse mapping    q 2**exponent, rounded once to float32 where q has more than 24 bits: the leading zeros are counted
                   and the integer is normalised
=================  ==================================================================================================

A tensor of zeros has e = 0.  Infinities and NaNs are refused.  Stochastic rounding is without bias where |x| is at most
the largest code's value; above, up to 2**e, the limit pulls inwards by less than a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..spec.catalog import get_format
from ..spec.codec import unpack
from ..spec.datum import floor_log2, power_of_two
from ..spec.projection import encode
from ..spec.rounding import RandomBits
from . import Table
from .golden import Sets, gaussian, integers
from .primitives import INT32, absmax, integer_dot_exact, integer_matmul, round_exact, round_to_integer, top_of

F32 = get_format("f32")
INT64 = (-(1 << 63), (1 << 63) - 1)
CHUNK = 1 << 15
F32s = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fixed:
    """Integers of ``bits`` bits that stand for code * 2**exponent."""

    codes: NDArray[Any]
    exponent: int
    bits: int

    def inverse(self) -> F32s:
        """Back to float32, exactly for up to 24 bits."""
        return inverse(self.codes, self.exponent)


# -- the definition, one number at a time -----------------------------------------------------------------------------


def exponent_exact(values: Sequence[Fraction], bits: int) -> int:
    """log2 of the step."""
    largest = max((abs(Fraction(x)) for x in values), default=Fraction(0))
    return (floor_log2(largest) + 1 if largest else 0) - bits + 1


def code_exact(x: Fraction, exponent: int, bits: int, random: RandomBits | None = None) -> int:
    """One code: stochastic with random bits, to nearest without."""
    top = top_of(bits)
    q = round_exact(Fraction(x) / power_of_two(exponent), "rne" if random is None else "sr-a", random)
    return max(-top, min(top, q))


def inverse_exact(code: int, exponent: int) -> Fraction | None:
    """The float32 nearest to code * 2**exponent, ties to even; None where it is infinite."""
    found = unpack(encode(code * power_of_two(exponent), F32, "rne", "nonsat")[0], F32)
    return found.value if found.is_finite else None


# -- arrays -----------------------------------------------------------------------------------------------------------


def to_fixed(x: F32s, bits: int = 8, random_bits: ArrayLike | None = None, random_width: int = 8) -> Fixed:
    """The mapping of a float32 array, b from 2 to 16, with one random word of ``random_width`` (1 to 24) bits for each.

    Random words are unsigned integers that broadcast to x; None rounds to nearest.  Codes are int8 or int16.  Raises
    ValueError for infinities, NaNs, widths and words that do not fit, TypeError for other dtypes.
    """
    if x.dtype != np.float32:
        raise TypeError(f"dynamic fixed point is defined on float32, not {x.dtype}")
    top = top_of(bits)
    largest = float(absmax(x).reshape(-1)[0])
    exponent = int(np.frexp(largest)[1]) - bits + 1
    codes = np.empty(x.size, np.int8 if bits <= 8 else np.int16)
    flat = np.ascontiguousarray(x).reshape(-1)
    words = None if random_bits is None else np.broadcast_to(np.asarray(random_bits), x.shape).reshape(-1)
    for i in range(0, flat.size, CHUNK):
        part = slice(i, i + CHUNK)
        scaled = np.ldexp(flat[part], -exponent)  # what underflows here is far below half a step and any 2**-N
        if words is None:
            q = round_to_integer(scaled)
        else:
            q = round_to_integer(scaled, "sr-a", random_bits=words[part], random_width=random_width)
        np.minimum(np.maximum(q, -top, out=q), top, out=q)
        codes[part] = q
    return Fixed(codes.reshape(x.shape), exponent, bits)


def inverse(codes: NDArray[Any], exponent: int) -> F32s:
    """:func:`inverse_exact` of an integer array of at most 53 bits: infinity where that is None."""
    with np.errstate(over="ignore", under="ignore"):
        found: F32s = np.ldexp(codes.astype(np.float64), exponent).astype(np.float32)
    return found


def matmul(a: Fixed, b: Fixed) -> Fixed:
    """The integer product of (M, K) and (K, N), not yet mapped back: int32 sums up to 8 bits each, else int64.

    Raises OverflowError where a sum is outside: from K = 133145 on it may be, for 8 bits.
    """
    narrow = max(a.bits, b.bits) <= 8
    sums = integer_matmul(a.codes, b.codes, INT32 if narrow else INT64)
    return Fixed(sums, a.exponent + b.exponent, 32 if narrow else 64)


# -- what is shown ----------------------------------------------------------------------------------------------------


def averages(repeats: Sequence[int], bits: int = 8, n: int = 1 << 12, seed: int = 0) -> dict[str, list[float]]:
    """Root mean square error, in steps, of the average of so many quantisations of one N(0, 1) tensor."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n).astype(np.float32)
    found: dict[str, list[float]] = {"stochastic": [], "nearest": []}
    nearest = to_fixed(x, bits)
    step = 2.0**nearest.exponent
    inside = np.abs(x) <= top_of(bits) * step
    total, done = np.zeros(n), 0
    for repeat in repeats:
        while done < repeat:
            total += to_fixed(x, bits, rng.integers(0, 1 << 16, n, np.uint16), 16).inverse()
            done += 1
        found["stochastic"].append(_rms((total / done - x)[inside]) / step)
        found["nearest"].append(_rms((nearest.inverse() - x)[inside]) / step)
    return found


def _rms(x: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def table() -> Table:
    """Error of values, of a product and of averages, by the number of bits."""
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((64, 512), (512, 64)))
    bits_x, bits_w = (rng.integers(0, 1 << 16, m.shape, np.uint16) for m in (x, w))
    exact = x.astype(np.float64) @ w
    rows = []
    for bits in (4, 6, 8, 10, 12, 16):
        cells = [str(bits)]
        for words in ((None, None), (bits_x, bits_w)):
            a, b = (to_fixed(m, bits, r, 16) for m, r in zip((x, w), words))
            cells.append(f"{20 * np.log10(_rms(x) / _rms(a.inverse() - x)):.2f}")
            cells.append(f"{20 * np.log10(_rms(exact) / _rms(matmul(a, b).inverse() - exact)):.2f}")
        cells.append(f"{averages([256], bits)['stochastic'][0]:.4f}")
        rows.append(tuple(cells))
    return Table(
        "Dynamic fixed point of N(0, 1) tensors: SQNR in dB, to nearest and stochastic",
        ("bits", "values", "product", "values, stochastic", "product, stochastic", "average of 256"),
        tuple(rows),
        ("product: 64 x 512 x 64; average of 256: error of the mean of 256 stochastic roundings, in steps.",),
    )


def golden() -> Sets:
    """Codes under given random bits, a product and its inverse, for 8 and 12 bits."""
    x, w = gaussian(31, (4, 24)), gaussian(32, (24, 3), 0.125)
    x[0, :4] = [0, -0.0, 2.0**-149, 2.0**-20]
    words = {"x": integers(33, x.shape, 0, 255).astype(np.uint8), "w": integers(34, w.shape, 0, 255).astype(np.uint8)}
    sets = {}
    for bits in (8, 12):
        codes, exponents = {}, {}
        for name, m in (("x", x), ("w", w)):
            exact = [Fraction(v) for v in m.reshape(-1).tolist()]
            exponents[name] = exponent_exact(exact, bits)
            drawn = (RandomBits(r, 8) for r in words[name].reshape(-1).tolist())
            rounded = [code_exact(v, exponents[name], bits, r) for v, r in zip(exact, drawn)]
            codes[name] = np.array(rounded, np.int16).reshape(m.shape)
        limits = INT32 if bits <= 8 else INT64
        sums = [[integer_dot_exact(row, column, limits) for column in codes["w"].T] for row in codes["x"]]
        back = [[inverse_exact(s, sum(exponents.values())) for s in row] for row in sums]
        sets[f"{bits} bits"] = {
            "x": x,
            "w": w,
            "random_x": words["x"],
            "random_w": words["w"],
            "random_width": 8,
            "codes_x": codes["x"],
            "codes_w": codes["w"],
            "exponent_x": exponents["x"],
            "exponent_w": exponents["w"],
            "sums": np.array(sums, np.int64),
            "product": np.array([[float(v) for v in row if v is not None] for row in back], np.float32),
        }
    return sets
