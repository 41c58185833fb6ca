"""FP8 attention as FlashAttention-3 computes it, with all that decides a bit  [Shah and others 2024, arXiv 2407.08608].

A row of scores is never whole: keys come in tiles, and a tile is scaled by the largest score seen so far.  So the codes
of P, and with them the result, depend on the width and the order of the tiles.  The order here is that of the public
code (flash-attention, ``hopper/``: mainloop_fwd_sm90_tma_gmma_ws.hpp, softmax.h, utils.h, tile_size.h, August 2026):

================  ===================================================================================================
scores            S = Q K^T by the matrix unit, a tile of keys at a time, from the last tile to the first
factor            c = fl(fl(q_scale k_scale) fl(softmax_scale log2(e))): the scales enter the exponent, not S
running maximum   m = max(m', max S); what was summed before is scaled by r = exp2(fl(fl(m' - m) c))
probabilities     p = exp2(fma(S, c, -fma(m, c, -8))): times 2**8, so that E4M3 holds more of them
row sum           l = fl(l r), then the unrounded p one by one, in each of the four threads that share a row (thread t
                  has the keys 8 j + 2 t and 8 j + 2 t + 1); at the end (t0 + t2) + (t1 + t3)
output            O = fl(O r), then O = fl(O + P V): P as E4M3 codes, P V by the matrix unit from zero ("two levels");
                  with one level the unit's own accumulator takes O as C
end               O fl(fl(1 / l) v_scale), and ln of the sum for who combines
================  ===================================================================================================

Every operation is one of binary32, rounded once; ``exp2`` is the infinitely precise one, rounded to nearest, subnormal
results flushed.  Hardware approximates it: :attr:`Result.open` counts the probabilities that an error of
:data:`EXP2_ERROR` could bring to another code; where it is 0, the codes of P are those of the hardware.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.arithmetic import fma
from ..arrays.conversion import Array, FormatLike, as_codes, encode
from ..arrays.functions import exp2 as exact_exp2
from ..arrays.products import matmul
from ..fast.environment import exact_floats
from ..spec.formats import Format

F32s = NDArray[np.float32]
THREADS = 4  # that share a row of a wgmma accumulator
EXP2_ERROR = 2.0**-22  # of exp2f, relative: at most 2 ulp  [CUDA C++ Programming Guide, mathematical functions]
LIBRARY_ERROR = 2.0**-40  # of numpy's binary64 exp2, relative; assumed, a thousand times what is promised
LOG2E, LN2, FLUSHED = np.float32(math.log2(math.e)), np.float32(math.log(2)), np.float32(2.0**-126)


@dataclass(frozen=True)
class Kernel:
    """What a kernel fixes that the formula leaves open.

    ``tile``: keys in a tile; ``accumulator``: the matrix unit's model; ``two_levels``: P V is added to O by binary32
    additions; ``shift``: P is multiplied by 2**shift; ``last_first``: the order of the tiles; ``p``: the format of P.
    """

    tile: int
    accumulator: str = "hopper.wgmma.fp8.f32"
    two_levels: bool = True
    shift: int = 8
    last_first: bool = True
    p: str = "e4m3fn"

    def __post_init__(self) -> None:
        if self.tile < 1 or self.tile % 32:
            raise ValueError(f"a tile has a multiple of 32 keys, one step of the matrix unit, not {self.tile}")


@dataclass(frozen=True)
class Result:
    """``o``: binary32, (queries, value dimensions); ``lse``: ln of the sum of exponentials, (queries,);
    ``open``: how many probabilities a relative error of :data:`EXP2_ERROR` could bring to another code."""

    o: F32s
    lse: F32s
    open: int


def flash3(head: int, queries: int, *, two_levels: bool = True) -> Kernel:
    """FlashAttention-3's FP8 kernel for a head dimension and so many rows of queries (times heads that share a key).

    Up to 64 rows of head dimension 64 or 128 go to one warp group, a decode; more are a prefill.  Not for local
    attention, paged keys without TMA, or soft-capped scores.  [hopper/heuristics.h, hopper/tile_size.h]
    """
    if not 1 <= head <= 256:
        raise ValueError(f"FlashAttention-3 has kernels for head dimensions up to 256, not {head}")
    if queries <= 64 and head in (64, 128):
        return Kernel(128 if head <= 96 else 96, two_levels=two_levels)
    widths = ((64, 128, 160), (96, 128, 128), (128, 192, 224), (192, 96, 160), (256, 128, 128))
    return next(Kernel(w if two_levels else v, two_levels=two_levels) for top, w, v in widths if head <= top)


@exact_floats
def attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    kernel: Kernel,
    *,
    format: FormatLike = "e4m3fn",
    softmax_scale: float | None = None,
    q_scale: float = 1.0,
    k_scale: float = 1.0,
    v_scale: float = 1.0,
    causal: bool = False,
) -> Result:
    """softmax(Q K^T softmax_scale) V of one head, bit for bit as a kernel orders it.

    ``q``, ``k``, ``v``: codes of ``format``, of shapes (queries, d), (keys, d), (keys, dv); ``q_scale``, ``k_scale``,
    ``v_scale``: decode multipliers of the head, binary32 (a scale for each token or channel has no place in this
    kernel); ``softmax_scale``: binary32, 1/sqrt(d) by default; ``causal``: the last query sees all keys, each one
    before it a key fewer.

    Raises ValueError for shapes that do not fit, codes outside the format, and scales that are not positive and finite.
    """
    (cq, f), (ck, _), (cv, _) = (as_codes(x, format, what) for x, what in ((q, "q"), (k, "k"), (v, "v")))
    if not cq.ndim == ck.ndim == cv.ndim == 2 or cq.shape[1] != ck.shape[1] or len(ck) != len(cv) or not len(ck):
        raise ValueError(
            f"q {cq.shape}, k {ck.shape}, v {cv.shape} must be (queries, d), (keys, d), (keys, dv), with a key at least"
        )
    if causal and len(cq) > len(ck):
        raise ValueError(f"causal: {len(cq)} queries have only {len(ck)} keys, so that the first would see none")
    scale = 1 / math.sqrt(cq.shape[1]) if softmax_scale is None else softmax_scale
    with np.errstate(all="ignore"):
        for name, x in (("softmax_scale", scale), ("q_scale", q_scale), ("k_scale", k_scale), ("v_scale", v_scale)):
            if not (math.isfinite(np.float32(x)) and np.float32(x) > 0):
                raise ValueError(f"{name} is {x}: a scale is a positive, finite binary32 number")
        factor = np.float32(scale * math.log2(math.e)) * (np.float32(q_scale) * np.float32(k_scale))
        return _Rows(cq, ck, cv, f, kernel, factor, np.float32(v_scale), causal).run()


class _Rows:
    """All queries of a head, going over the tiles of its keys."""

    def __init__(
        self, q: Array, k: Array, v: Array, f: Format, kernel: Kernel, factor: np.float32, v_scale: np.float32,
        causal: bool,
    ) -> None:  # fmt: skip
        self.q, self.k, self.v, self.f, self.kernel, self.factor, self.v_scale = q, k, v, f, kernel, factor, v_scale
        n = len(q)
        self.seen = len(k) - np.arange(n)[::-1] if causal else np.full(n, len(k))
        self.most = np.full(n, -np.inf, np.float32)
        self.sums = np.zeros((n, THREADS), np.float32)
        self.o = np.zeros((n, v.shape[1]), np.float32)
        self.open = 0

    def run(self) -> Result:
        width = self.kernel.tile
        tiles = range(0, len(self.k), width)
        for first in reversed(tiles) if self.kernel.last_first else tiles:
            self._tile(first, self.k[first : first + width], self.v[first : first + width])
        by_pairs = self.sums[:, :2] + self.sums[:, 2:]
        total = by_pairs[:, 0] + by_pairs[:, 1]
        none = (total == 0) | np.isnan(total)
        inverse = np.where(none, np.float32(0), np.float32(1) / total)
        real = np.where(none, np.float32(0), total * np.float32(2.0**-self.kernel.shift))
        lse = self.most * (self.factor * LN2) + np.log(real.astype(np.float64)).astype(np.float32)
        return Result(self.o * (inverse * self.v_scale)[:, None], lse, self.open)

    def _tile(self, first: int, k: Array, v: Array) -> None:
        scores = matmul(self.q, k.T, self.f, self.f, accumulator=self.kernel.accumulator)
        scores[np.arange(first, first + len(k)) >= self.seen[:, None]] = -np.inf
        before, self.most = self.most, np.fmax(self.most, np.fmax.reduce(scores, axis=1))  # fmaxf leaves NaNs out
        current = np.where(np.isinf(self.most), np.float32(0), self.most)  # nothing seen yet
        rest = exp2((before - current) * self.factor)
        p = exp2(_fma(scores, self.factor, -_fma(current, self.factor, np.float32(-self.kernel.shift))[:, None]))
        self.sums *= rest[:, None]
        for j, column in enumerate(p.T):
            self.sums[:, j % 8 // 2] += column
        self.open += unsettled(p, self.kernel.p)
        codes = encode(p, self.kernel.p, rounding="rne", overflow="sat")
        self.o *= rest[:, None]
        c = np.zeros_like(self.o) if self.kernel.two_levels else self.o
        product = matmul(codes, v, self.kernel.p, self.f, c=c, accumulator=self.kernel.accumulator)
        self.o = self.o + product if self.kernel.two_levels else product


def _fma(a: F32s, b: np.float32, c: F32s | np.float32) -> F32s:
    """Binary32 fused multiply-add: a b + c, rounded once."""
    x, y, z = (np.asarray(x, np.float32).view(np.uint32) for x in (a, b, c))
    return np.asarray(fma(x, y, z, "f32", "f32", "f32", result="f32"), np.uint32).view(np.float32)


def exp2(x: F32s) -> F32s:
    """2**x, infinitely precise, rounded to binary32 to nearest; subnormal results are +0, as ex2.approx.ftz has them.

    binary64 decides where it is far enough from the middle of two numbers, the specification elsewhere.
    """
    with np.errstate(all="ignore"):
        wide = np.exp2(np.asarray(x, np.float32).astype(np.float64))
        low, high, out = ((wide * (1 + e)).astype(np.float32) for e in (-LIBRARY_ERROR, LIBRARY_ERROR, 0.0))
    near = (low != high) & (wide > 0) & (wide < math.inf)
    if near.any():
        out[near] = np.asarray(exact_exp2(np.asarray(x)[near].view(np.uint32), "f32"), np.uint32).view(np.float32)
    out[out < FLUSHED] = 0
    return out


def unsettled(p: F32s, format: FormatLike) -> int:
    """How many numbers a relative error of :data:`EXP2_ERROR` could bring to another code."""
    wide = p.astype(np.float64)
    low, high = (encode(wide * (1 + e), format, rounding="rne", overflow="sat") for e in (-EXP2_ERROR, EXP2_ERROR))
    return int((low != high).sum())


def decode_and_prefill(lengths: list[int], head: int = 128, seed: int = 0) -> list[dict[str, float]]:
    """One query, the last of so many keys, by the kernel of a decode and by that of a prefill, over the same codes."""
    rng = np.random.default_rng(seed)
    n = max(lengths)
    q, k, v = (encode(rng.standard_normal((n, head), np.float32), "e4m3fn") for _ in range(3))
    decode_kernel, prefill_kernel = flash3(head, 1), flash3(head, n)
    found = []
    for length in lengths:
        one, other = (
            attention(q[length - 1 : length], k[:length], v[:length], kernel)
            for kernel in (decode_kernel, prefill_kernel)
        )
        gap = np.abs(one.o.astype(np.float64) - other.o)
        found.append(
            {
                "keys": length,
                "differ": int((one.o.view(np.uint32) != other.o.view(np.uint32)).sum()),
                "bf16": int((encode(one.o, "bf16") != encode(other.o, "bf16")).sum()),
                "largest": float(gap.max()),
                "open": one.open + other.open,
            }
        )
    return found
