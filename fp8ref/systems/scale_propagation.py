"""Scale propagation: a Transformer in 8-bit integers whose tensors carry their scales from operation to operation.

After "Towards Fully 8-bit Integer Inference for the Transformer Model" (2020), of which abstract and summaries were at
hand.  What follows is our reading, not checked against the paper's equations.

A tensor is int8 codes q, |q| <= 127, and one scale s, an exact rational: it stands for q / s.

=================  ==================================================================================================
quantise           s = 127 / max|x|, q = rne(s x); s = 1 for zeros
rescale            where an operation left codes beyond 127: r = max|q| / 127, q' = rne(q / r), s' = s / r
matmul             q = sum qa qb in int32, s = sa sb, rescale
add                the one with the larger scale is brought to the smaller s: rne(q s / s'), zeros to any; then added,
                   rescale
ReLU               max(q, 0), the scale as it was
L1 norm            (x - mean) / mean|x - mean| of a row has no scale: with d = n q - sum q, rne(2**8 n d / sum|d|) at
                   s = 2**8; times gain, plus offset, each as above.  The absolute value replaces the square root
poly attention     scores rescaled; w = max(score + c, 0) by ``add`` and ReLU, raised to a power by products and
                   rescales (the polynomial replaces exp); row i is rne(sum_j w_ij v_j / sum_j w_ij) with the scale
                   of v: that of w cancels.  A row without weight is 0
=================  ==================================================================================================

Every tensor carries ``error``, a bound of |q / s - exact result| that its operation proves from its operands' bounds;
the exact result is the same expression on real numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import Table
from .golden import Sets, gaussian
from .primitives import absmax, absmax_codes, integer_matmul, round_exact

TOP = 127
UNIT = 1 << 8  # scale of a normalised row
HALF = Fraction(1, 2)
Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scaled:
    """int8 codes (rows, columns) that stand for codes / scale, each within ``error`` of what is exact."""

    codes: NDArray[np.int8]
    scale: Fraction
    error: Fraction = Fraction(0)

    @property
    def values(self) -> NDArray[np.float64]:
        wide: NDArray[np.float64] = self.codes.astype(np.float64) * float(1 / self.scale)
        return wide

    @cached_property
    def largest(self) -> Fraction:
        """Largest magnitude that the codes stand for."""
        return Fraction(_largest(self.codes)) / self.scale


def _largest(q: NDArray[Any]) -> int:
    return max(int(q.max(initial=0)), -int(q.min(initial=0)))


# -- the definition, one number at a time -----------------------------------------------------------------------------

Rows = Sequence[Sequence[int]]


def quantise_exact(x: Sequence[Sequence[Fraction]]) -> tuple[Rows, Fraction]:
    largest = max((abs(v) for row in x for v in row), default=Fraction(0))
    scale = TOP / largest if largest else Fraction(1)
    return [[round_exact(v * scale) for v in row] for row in x], scale


def rescale_exact(q: Rows, scale: Fraction) -> tuple[Rows, Fraction]:
    largest = max((abs(v) for row in q for v in row), default=0)
    if largest <= TOP:
        return q, scale
    r = Fraction(largest, TOP)
    return [[round_exact(v / r) for v in row] for row in q], scale / r


def matmul_exact(a: Rows, sa: Fraction, b: Rows, sb: Fraction) -> tuple[Rows, Fraction]:
    return rescale_exact([[sum(x * y for x, y in zip(row, col)) for col in zip(*b)] for row in a], sa * sb)


def add_exact(a: Rows, sa: Fraction, b: Rows, sb: Fraction) -> tuple[Rows, Fraction]:
    s = min((own for q, own in ((a, sa), (b, sb)) if any(map(any, q))), default=sa)
    moved = [[[round_exact(v * s / own) for v in row] for row in q] for q, own in ((a, sa), (b, sb))]
    return rescale_exact([[x + y for x, y in zip(*rows)] for rows in zip(*moved)], s)


def multiply_exact(a: Rows, sa: Fraction, b: Rows, sb: Fraction) -> tuple[Rows, Fraction]:
    return rescale_exact([[x * y for x, y in zip(*rows)] for rows in zip(a, b)], sa * sb)


def centre_exact(q: Rows) -> tuple[Rows, Fraction]:
    """Rows divided by their mean deviation, before gain and offset."""
    out = []
    for row in q:
        n, total = len(row), sum(row)
        d = [n * v - total for v in row]
        size = sum(map(abs, d))
        out.append([round_exact(Fraction(UNIT * n * v, size)) if size else 0 for v in d])
    return rescale_exact(out, Fraction(UNIT))


def average_exact(w: Rows, v: Rows) -> Rows:
    """Rows of v averaged with the weights of a row of w."""
    out = []
    for row in w:
        total = sum(row)
        sums = [sum(x * y for x, y in zip(row, col)) for col in zip(*v)]
        out.append([round_exact(Fraction(s, total)) if total else 0 for s in sums])
    return out


# -- arrays -----------------------------------------------------------------------------------------------------------


def quantise(x: NDArray[np.float32]) -> Scaled:
    """A float32 matrix.  Raises ValueError for infinities and NaNs."""
    largest = absmax(x)
    top = Fraction(float(largest.reshape(-1)[0]))
    scale = TOP / top if top else Fraction(1)
    return Scaled(absmax_codes(x, largest), scale, HALF / scale)


def rescale(q: Codes, scale: Fraction, error: Fraction = Fraction(0)) -> Scaled:
    """Codes of any size brought within 127, where they are not.

    rne(127 q / max|q|) by way of float64: the quotient is a tie or at least 1 / (2 max|q|) away from one, and float64
    errs by 2**-46 at most, so that |q| below 2**44 is enough.  Raises OverflowError beyond.
    """
    largest = _largest(q)
    if largest <= TOP:
        return Scaled(q.astype(np.int8), scale, error)
    if largest >= 1 << 44:
        raise OverflowError(f"a code of {largest} is beyond 2**44")
    codes = np.rint(q * float(TOP) / float(largest)).astype(np.int8)
    final = scale * TOP / largest
    return Scaled(codes, final, error + HALF / final)


def matmul(a: Scaled, b: Scaled) -> Scaled:
    """(M, K) by (K, N).  Raises OverflowError where a sum is beyond int32, as it may be from K = 133145 on."""
    k = a.codes.shape[1]
    error = k * _product_error(a, b)
    return rescale(integer_matmul(a.codes, b.codes).astype(np.int64), a.scale * b.scale, error)


def _product_error(a: Scaled, b: Scaled) -> Fraction:
    """Of one product: (x + dx)(y + dy) - x y, with x and y what the codes stand for."""
    return a.largest * b.error + b.largest * a.error + a.error * b.error


def add(a: Scaled, b: Scaled) -> Scaled:
    """Element by element, or a row b to every row."""
    s = min((t.scale for t in (a, b) if t.codes.any()), default=a.scale)
    total, error = np.zeros(np.broadcast_shapes(a.codes.shape, b.codes.shape), np.int64), a.error + b.error
    for t in (a, b):
        if t.scale == s:
            total += t.codes
        elif t.codes.any():
            total += _moved(t.codes, s / t.scale)
            error += HALF / s
    return rescale(total, s, error)


def _moved(codes: NDArray[np.int8], ratio: Fraction) -> NDArray[np.int8]:
    """rne(q * ratio): 255 codes, so a table."""
    answers = np.array([round_exact(q * ratio) for q in range(-TOP, TOP + 1)], np.int8)
    return answers[codes.astype(np.int16) + TOP]


def multiply(a: Scaled, b: Scaled) -> Scaled:
    """Element by element, or every row by a row b."""
    return rescale(a.codes.astype(np.int64) * b.codes, a.scale * b.scale, _product_error(a, b))


def relu(a: Scaled) -> Scaled:
    return Scaled(np.maximum(a.codes, np.int8(0)), a.scale, a.error)


def centre(a: Scaled) -> Scaled:
    """Every row less its mean, over its mean deviation; rows of one value become 0."""
    q = a.codes.astype(np.int64)
    n = q.shape[1]
    d = n * q - q.sum(axis=1, keepdims=True)
    size = np.abs(d).sum(axis=1, keepdims=True)
    ratio = _nearest_quotient(d * (UNIT * n), np.maximum(size, 1))
    return rescale(ratio, Fraction(UNIT), _centre_error(a, d, size) + HALF / UNIT)


def _centre_error(a: Scaled, d: Codes, size: Codes) -> Fraction:
    """Of y = t / m with t = x - mean, m = mean|t|: t and m err by 2 e each, so y by 2 e (1 + |y|) / (m - 2 e).

    Where that proves nothing, n does: no |y| exceeds n / 2.
    """
    n = d.shape[1]
    if a.error == 0:
        return Fraction(0)
    worst = Fraction(0)
    for largest, total in zip(np.abs(d).max(axis=1).tolist(), size[:, 0].tolist()):
        m = Fraction(total, n * n) / a.scale  # |d| = n |q - mean|, so that sum|d| / n**2 is the mean deviation
        room = m - 2 * a.error
        if room <= 0:
            return Fraction(n)
        worst = max(worst, 2 * a.error * (1 + Fraction(n * largest, total)) / room)
    return min(worst, Fraction(n))


def _nearest_quotient(q: Codes, divisors: Codes) -> Codes:
    """rne(q / d) of int64 with d > 0 and 2 |q| below 2**63, in integers."""
    floor, rest = np.divmod(q, divisors)
    twice = 2 * rest
    found: Codes = floor + ((twice > divisors) | ((twice == divisors) & (floor & 1 == 1)))
    return found


def l1_norm(a: Scaled, gain: Scaled, offset: Scaled) -> Scaled:
    """:func:`centre`, times a row of gains, plus a row of offsets."""
    return add(multiply(centre(a), gain), offset)


def attention(q: Scaled, k: Scaled, v: Scaled, constant: Scaled, power: int = 2) -> Scaled:
    """Polynomial attention of (M, D), (N, D) and (N, E); ``constant`` (1, 1) is added to the scores.

    ``power``: 1 or more.  Raises OverflowError where a sum is beyond int32.
    """
    scores = matmul(q, Scaled(np.ascontiguousarray(k.codes.T), k.scale, k.error))
    base = relu(add(scores, constant))
    w = base
    for _ in range(power - 1):
        w = multiply(w, base)
    return average(w, v)


def average(w: Scaled, v: Scaled) -> Scaled:
    """Rows of v (N, E) averaged with weights w (M, N), none negative."""
    sums = integer_matmul(w.codes, v.codes).astype(np.int64)
    total = w.codes.sum(axis=1, dtype=np.int64, keepdims=True)
    codes = _nearest_quotient(sums, np.maximum(total, 1)).astype(np.int8)
    return Scaled(codes, v.scale, _average_error(w, v, total) + HALF / v.scale)


def _average_error(w: Scaled, v: Scaled, total: Codes) -> Fraction:
    """v errs by e; weights that err by f, n of them, move a mean by n f (V + |mean|) / (W - n f), W their sum.

    Where that proves nothing, 2 (V + e) does: means lie among the values.
    """
    far = 2 * (v.largest + v.error)
    if w.error == 0:
        return v.error
    moved = w.codes.shape[1] * w.error
    room = Fraction(int(total.min(initial=1 << 40))) / w.scale - moved
    if room <= 0:
        return far
    bound: Fraction = min(far, v.error + moved * far / room)
    return bound


# -- what is shown ----------------------------------------------------------------------------------------------------


def layer(x: Scaled, weights: Sequence[Scaled], gain: Scaled, offset: Scaled, constant: Scaled) -> list[Scaled]:
    """An attention layer: queries, keys, values, attention, output, residual, norm, feed-forward, residual, norm."""
    wq, wk, wv, wo, up, down = weights
    heads = attention(matmul(x, wq), matmul(x, wk), matmul(x, wv), constant)
    middle = l1_norm(add(x, matmul(heads, wo)), gain, offset)
    inner = relu(matmul(middle, up))
    return [heads, middle, inner, l1_norm(add(middle, matmul(inner, down)), gain, offset)]


def real_layer(x: Any, weights: Sequence[Any], gain: Any, offset: Any, constant: float) -> list[Any]:
    """The same on float64 matrices."""
    wq, wk, wv, wo, up, down = weights

    def norm(t: Any) -> Any:
        d = t - t.mean(axis=1, keepdims=True)
        return d / np.abs(d).mean(axis=1, keepdims=True) * gain + offset

    w = np.maximum((x @ wq) @ (x @ wk).T + constant, 0) ** 2
    total = w.sum(axis=1, keepdims=True)
    heads = w @ (x @ wv) / np.where(total > 0, total, 1.0)
    middle = norm(x + heads @ wo)
    inner = np.maximum(middle @ up, 0)
    return [heads, middle, inner, norm(middle + inner @ down)]


CONSTANT = 16.0  # large enough for every row to have weight
PLACES = ("attention", "norm after attention", "ReLU", "norm after feed-forward")


def compare(layers: int = 4, tokens: int = 64, width: int = 64, seed: int = 0) -> list[dict[str, Any]]:
    """SQNR in dB after every part of some layers with random weights, errors of all earlier parts included."""
    rng = np.random.default_rng(seed)
    real = rng.standard_normal((tokens, width)).astype(np.float32)
    x = quantise(real)
    gain, offset = np.ones((1, width), np.float32), np.zeros((1, width), np.float32)
    rows: list[dict[str, Any]] = []
    y = real.astype(np.float64)
    for i in range(layers):
        shapes = [(width, width)] * 4 + [(width, 4 * width), (4 * width, width)]
        weights = [(rng.standard_normal(s) / np.sqrt(s[0])).astype(np.float32) for s in shapes]
        constant = np.full((1, 1), CONSTANT, np.float32)
        ours = layer(x, [quantise(w) for w in weights], quantise(gain), quantise(offset), quantise(constant))
        theirs = real_layer(y, weights, gain, offset, CONSTANT)
        for place, a, b in zip(PLACES, ours, theirs):
            noise = float(np.mean((a.values - b) ** 2))
            rows.append({"layer": i, "place": place, "dB": 10 * np.log10(float(np.mean(b**2)) / noise)})
        x, y = ours[-1], theirs[-1]
        x = Scaled(x.codes, x.scale)  # bounds are for one layer: they grow faster than errors
    return rows


def table() -> Table:
    """SQNR through a stack of layers."""
    rows = compare()
    layers = sorted({r["layer"] for r in rows})
    cells = tuple(
        (place, *(f"{r['dB']:.2f}" for i in layers for r in rows if (r["layer"], r["place"]) == (i, place)))
        for place in PLACES
    )
    return Table(
        "Scale propagation: SQNR in dB through layers of int8 codes, against the same layers in float64",
        ("after", *(f"layer {i + 1}" for i in layers)),
        cells,
        ("Random weights, 64 tokens, width 64; every tensor has one scale, and errors of all earlier parts count.",),
    )


def golden() -> Sets:
    """Operations in integers: products, sums of two scales, norms, attention; scales as numerator / denominator."""
    x, w, z = gaussian(51, (5, 8)), gaussian(52, (8, 6), 0.25), gaussian(53, (5, 6), 3.0)
    tensors = {name: quantise_exact([[Fraction(v) for v in r] for r in m.tolist()])
               for name, m in (("x", x), ("w", w), ("z", z))}  # fmt: skip
    (qx, sx), (qw, sw), (qz, sz) = tensors["x"], tensors["w"], tensors["z"]
    product = matmul_exact(qx, sx, qw, sw)
    total = add_exact(*product, qz, sz)
    weights = [[max(v, 0) for v in row] for row in qz]
    results = {
        **tensors,
        "x w": product,
        "x w + z": total,
        "centred": centre_exact(total[0]),
        "relu(z) squared": multiply_exact(weights, sz, weights, sz),
        "average of w by relu(z)": (average_exact(weights, [list(col) for col in zip(*product[0])][:6]), product[1]),
    }
    inputs = {"real x": x, "real w": w, "real z": z}
    return {
        "operations": {
            **inputs,
            **{name: np.array(q, np.int16) for name, (q, _) in results.items()},
            **{f"scale of {name}": str(s) for name, (_, s) in results.items()},
        }
    }
