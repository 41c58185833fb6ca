"""Functions whose results no document gives: which arguments are asked, and what their results are told from.

A result is kept as one byte, its code less that of a base that everyone can compute: the nearest float32 of 1/x, 2^x,
log2 x or x/y, found with tables of exact decimals and single additions, multiplications and divisions of float64, which
are the same on every machine.  A block with a result 128 codes or more away is kept whole.  The digest of a block is
that of the results, so that a wrong base is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np
from draws import Words, below, words
from numpy.typing import NDArray

SEED = 20261130
BLOCK = 1 << 20  # arguments of a record
PAIRS = 1 << 18  # quotients of a record
ONE, SIGN = 0x3F800000, 0x80000000  # codes of float32
U32s = NDArray[np.uint32]
F64s = NDArray[np.float64]


# -- bases ------------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _tables() -> tuple[F64s, F64s, F64s]:
    """2^(i/2^11), 2^(i/2^23) for i < 2^12, and log2(1 + i/2^11), nearest float64 numbers."""
    with localcontext() as context:
        context.prec = 30
        ln2 = Decimal(2).ln()
        coarse = [float((ln2 * i / 2048).exp()) for i in range(2048)]
        fine = [float((ln2 * i / (1 << 23)).exp()) for i in range(4096)]
        logs = [float((1 + Decimal(i) / 2048).ln() / ln2) for i in range(2048)]
    return np.array(coarse), np.array(fine), np.array(logs)


def _floats(codes: U32s) -> NDArray[np.float32]:
    return codes.view(np.float32)


def _codes(x: F64s) -> U32s:
    with np.errstate(over="ignore"):
        return x.astype(np.float32).view(np.uint32)


def reciprocal(x: U32s) -> U32s:
    """Nearest float32 of 1/x."""
    return np.divide(np.float32(1), _floats(x), dtype=np.float32).view(np.uint32)


def power(x: U32s) -> U32s:
    """Of 2^x for 1 <= abs(x) < 2."""
    coarse, fine, _ = _tables()
    fraction = x & np.uint32(0x7FFFFF)
    found = 2 * (coarse[fraction >> np.uint32(12)] * fine[fraction & np.uint32(4095)])
    return _codes(np.where(x >= SIGN, 1 / found, found))


def logarithm(x: U32s) -> U32s:
    """Of log2 x for 1 <= x < 2, by log2 of the leading 11 fraction bits and a short series of the rest."""
    fraction = x & np.uint32(0x7FFFFF)
    lead, rest = fraction >> np.uint32(12), fraction & np.uint32(4095)
    t = rest / (8388608.0 + lead * 4096.0)
    series = t * (1 - t * (1 / 2 - t * (1 / 3 - t * (1 / 4 - t / 5))))
    return _codes(_tables()[2][lead] + series * 1.4426950408889634)


def quotient(x: U32s, y: U32s) -> U32s:
    """Of x/y."""
    with np.errstate(all="ignore"):
        return np.divide(_floats(x), _floats(y), dtype=np.float32).view(np.uint32)


# -- what is asked ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Function:
    """One function: its kernel, the first codes of its stretches of 2^23 arguments, and the base of its results.

    ``firsts`` is empty for quotients, whose arguments are drawn.
    """

    name: str
    kernel: str
    firsts: tuple[int, ...]
    base: Callable[..., U32s]

    @property
    def blocks(self) -> list[str]:
        """Names of the blocks: ``0``, ``1``, ... in order, and ``spots`` all over the range."""
        count = len(self.firsts) * ((1 << 23) // BLOCK) if self.firsts else 4
        return ["spots", *map(str, range(count))]

    def arguments(self, block: str) -> tuple[U32s, ...]:
        """The codes of a block's arguments."""
        if not self.firsts:
            return _pairs(None if block == "spots" else int(block))
        if block == "spots":
            return (_spots(),)
        stretch, part = divmod(int(block), (1 << 23) // BLOCK)
        start = self.firsts[stretch] + part * BLOCK
        return (np.arange(start, start + BLOCK, dtype=np.uint32),)


def _spots() -> U32s:
    """Every sign, exponent and seven leading bits, the others zeros, ones or drawn."""
    upper = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    w = words(SEED, 0, np.arange(1 << 16, dtype=np.uint64), 2)
    kinds = np.array([0, 0xFFFF, 1, 0x8000], np.uint32)
    drawn = (w[:, 1] & np.uint64(0xFFFF)).astype(np.uint32)
    chosen = below(w[:, 0], 8).astype(np.intp)
    chosen[np.isin(upper & np.uint32(0x7FFFFFFF), (0, 0x7F800000))] = 0  # zeros and infinities themselves
    return upper | np.where(chosen < 4, kinds[chosen % 4], drawn)


def _pairs(block: int | None) -> tuple[U32s, U32s]:
    """Numerators and denominators of either sign, within 16 binades of 1, or anything at all."""
    stream = 1 if block is None else 2
    start = 0 if block is None else block * PAIRS
    w: Words = words(SEED, stream, np.arange(start, start + PAIRS, dtype=np.uint64), 4)
    bits = (w[:, :2] >> np.uint64(32)).astype(np.uint32)
    if block is not None:
        exponents = (np.uint64(127 - 16) + below(w[:, 2:], 32)).astype(np.uint32)
        bits = bits & np.uint32(0x807FFFFF) | exponents << np.uint32(23)
    return np.ascontiguousarray(bits[:, 0]), np.ascontiguousarray(bits[:, 1])


BOTH = (ONE, SIGN | ONE)
FUNCTIONS = (
    Function("rcp.approx.ftz.f32", "rcp_approx_ftz_f32", (ONE,), reciprocal),
    Function("ex2.approx.f32", "ex2_approx_f32", BOTH, power),
    Function("log2f", "log2f_cuda", (ONE,), logarithm),
    Function("div.full.f32", "div_full_f32", (), quotient),
    Function("div.rn.f32", "div_rn_f32", (), quotient),
    Function("lg2.approx.f32", "lg2_approx_f32", (ONE,), logarithm),
    Function("div.approx.ftz.f32", "div_approx_ftz_f32", (), quotient),
    Function("triton /", "triton_div", (), quotient),
    Function("tl.div_rn", "triton_div_rn", (), quotient),
)
BY_NAME = {f.name: f for f in FUNCTIONS}


# -- results as bytes -------------------------------------------------------------------------------------------------
def packed(got: U32s, base: U32s | None) -> tuple[str, bytes]:
    """The form and the bytes of results: ``bytes``, differences of codes from the base, or ``whole``."""
    if base is not None:
        off = (got - base).view(np.int32)
        if (np.abs(off.astype(np.int64)) < 128).all():
            return "bytes", off.astype(np.int8).tobytes()
    return "whole", got.astype("<u4").tobytes()


def unpacked(form: str, content: bytes, base: U32s | None) -> U32s:
    """The results again.  Raises ValueError for another form or length."""
    if form == "whole" and len(content) % 4 == 0:
        return np.frombuffer(content, "<u4").astype(np.uint32)
    if form != "bytes" or base is None or len(content) != base.size:
        raise ValueError(f"results in the form {form!r:.20}, {len(content)} bytes")
    return base + np.frombuffer(content, np.int8).astype(np.int32).view(np.uint32)


def every(names: tuple[str, ...]) -> Iterator[tuple[Function, str]]:
    """Functions and blocks, the spots of all of them first."""
    for spots in (True, False):
        for name in names:
            f = BY_NAME[name]
            yield from ((f, block) for block in f.blocks if (block == "spots") is spots)


__all__ = ["BLOCK", "BY_NAME", "FUNCTIONS", "Function", "every", "packed", "unpacked"]
