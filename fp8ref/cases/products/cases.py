"""Which dot products are asked: named probes, and seeded random ones of the kinds in which units differ.

Everything is deterministic: the same operation, level and seed give the same cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.environment import exact_floats
from ...spec.catalog import get_format
from ...spec.formats import Format
from ..operation import Operation
from .probes import PROBES, Cases, Codes, Floats, Probe, codes_of, probes, values_of
from .questions import addend_type, blocks, has_addend, has_output_scale, length, scale_type

__all__ = [
    "KINDS",
    "PROBES",
    "Cases",
    "Codes",
    "Floats",
    "Probe",
    "codes_of",
    "dot_cases",
    "probes",
    "random_cases",
    "special_cases",
    "values_of",
]

PRODUCTS = {1: 1 << 16, 2: 1 << 20, 3: 1 << 23}  # of random cases together
FEWEST, MOST = 192, {1: 2048, 2: 1 << 15, 3: 1 << 18}


# -- random kinds -----------------------------------------------------------------------------------------------------
class _Draw:
    """Random operands of one operation, in float64."""

    def __init__(self, op: Operation, n: int, rng: np.random.Generator) -> None:
        self.n, self.k, self.rng = n, length(op), rng
        self.fa, self.fb = map(get_format, op.operands)
        self.fc = get_format(addend_type(op))
        self.rows = np.arange(n)[:, None]

    def exponents(self, f: Format, shape: tuple[int, ...], low: int = 0, high: int = 0) -> Floats:
        """Powers of two of a format's range, subnormals included; low and high narrow it."""
        lowest = f.emin - f.t + low
        return np.ldexp(1.0, self.rng.integers(lowest, max(f.emax - high, lowest) + 1, shape))

    def signs(self, shape: tuple[int, ...]) -> Floats:
        return np.asarray(self.rng.choice([-1.0, 1.0], shape))

    def short(self, f: Format, shape: tuple[int, ...], low: int = 0, high: int = 0) -> Floats:
        """Numbers of few bits over the whole range."""
        significands = self.rng.choice([1.0, 1.0, 1.25, 1.5, 1.75, 1.875], shape)
        return np.asarray(self.exponents(f, shape, low, high) * significands)

    def c_exponents(self) -> tuple[int, int]:
        low = max(self.fa.emin + self.fb.emin - self.fa.t - self.fb.t - 8, self.fc.emin - self.fc.t)
        return low, max(min(self.fa.emax + self.fb.emax + 4, self.fc.emax), low + 1)

    def c(self) -> Floats:
        """Every magnitude that can meet the products, all significand bits drawn; a third are zeros."""
        found = (1 + self.rng.random(self.n)) * np.ldexp(1.0, self.rng.integers(*self.c_exponents(), self.n))
        return np.asarray(found * self.rng.choice([-1.0, 0.0, 1.0], self.n))

    def places(self, count: int) -> NDArray[np.intp]:
        """Different places of each row."""
        return np.argsort(self.rng.random((self.n, self.k)), axis=1)[:, : min(count, self.k)]

    def sparse(self, count: int) -> tuple[Floats, Floats, NDArray[np.intp]]:
        """A few products of any size at random places."""
        a, b = np.zeros((self.n, self.k)), np.zeros((self.n, self.k))
        places = self.places(count)
        a[self.rows, places] = self.short(self.fa, places.shape) * self.signs(places.shape)
        b[self.rows, places] = self.short(self.fb, places.shape)
        return a, b, places


Drawn = tuple[Floats, Floats, Floats]


def _normal(d: _Draw) -> Drawn:
    a, b = (d.rng.standard_normal((d.n, d.k)) for _ in "ab")
    return a, b, d.rng.standard_normal(d.n) * d.rng.choice([0.0, 1.0, np.sqrt(d.k)], d.n)


def _wide(d: _Draw) -> Drawn:
    """Every magnitude of both operands."""
    a, b = (d.short(f, (d.n, d.k)) * d.signs((d.n, d.k)) for f in (d.fa, d.fb))
    return a, b, d.c()


def _cancelling(d: _Draw) -> Drawn:
    """Two products that cancel, some smaller ones, sometimes C."""
    a, b, places = d.sparse(5)
    if places.shape[1] > 1:
        first, second = places[:, 0], places[:, 1]
        rows = d.rows[:, 0]
        a[rows, first] = d.exponents(d.fa, (d.n,), d.fa.t + 4) * 1.0
        b[rows, first] = d.exponents(d.fb, (d.n,), d.fb.t + 4)
        a[rows, second], b[rows, second] = -a[rows, first], b[rows, first]
    return a, b, np.where(d.rng.random(d.n) < 0.5, d.c(), 0.0)


def _cancelling_c(d: _Draw) -> Drawn:
    """C that takes away one product, but for its last bits."""
    a, b, places = d.sparse(3)
    first = np.take_along_axis(a * b, places[:, :1], 1)[:, 0]
    c = -first * (1 + d.signs((d.n,)) * np.ldexp(1.0, -d.rng.integers(5, 26, d.n)))
    return a, b, np.where(d.rng.random(d.n) < 0.2, -first, c)


def _ladder(d: _Draw) -> Drawn:
    """1, and powers of two below it of either sign: cuts and roundings at every place."""
    a, b, places = d.sparse(min(7, d.k))
    step = d.rng.integers(5, 34, places.shape)
    half = np.minimum(step // 2, -(d.fa.emin - d.fa.t))
    rest = np.minimum(step - half, -(d.fb.emin - d.fb.t))
    a[d.rows, places] = np.ldexp(d.signs(places.shape), -half)
    b[d.rows, places] = np.ldexp(1.0, -rest)
    rows = d.rows[:, 0]
    a[rows, places[:, 0]] = d.signs((d.n,))
    b[rows, places[:, 0]] = d.rng.choice([1.0, 1.0, 1.5], d.n)
    c = np.ldexp(1 + d.rng.integers(0, 8, d.n) / 8, -d.rng.integers(0, 30, d.n)) * d.rng.choice([-1.0, 0.0, 1.0], d.n)
    return a, b, c


def _one_sign(d: _Draw) -> Drawn:
    """Sums that grow: all products of one sign and of like size."""
    a, b = (d.rng.uniform(1.0, 2.0, (d.n, d.k)) * np.ldexp(1.0, d.rng.integers(-2, 3, (d.n, 1))) for _ in "ab")
    return a * d.signs((d.n, 1)), b, np.where(d.rng.random(d.n) < 0.5, d.c(), 0.0)


def _carrying(d: _Draw) -> Drawn:
    """Large products of one sign, which carry, among them powers of two far below: sums of as many bits as can be."""
    shape = (d.n, d.k)
    small = d.rng.random(shape) < 0.3
    step = d.rng.integers(5, 34, shape)
    half = np.minimum(step // 2, -(d.fa.emin - d.fa.t))
    a = np.where(small, np.ldexp(1.0, -half), d.rng.choice([1.5, 1.75, 1.875], shape))
    b = np.where(small, np.ldexp(1.0, -np.minimum(step - half, -(d.fb.emin - d.fb.t))), 1.75)
    return a * d.signs((d.n, 1)), b, np.where(d.rng.random(d.n) < 0.5, d.c(), 0.0)


def _c_alone(d: _Draw) -> Drawn:
    """C, and at most one small product."""
    a, b, _ = d.sparse(1)
    keep = d.rng.random(d.n) < 0.5
    a[keep] = 0.0
    low, high = d.c_exponents()
    bits = np.ldexp(1.0, -d.rng.integers(1, 25, d.n)) + np.ldexp(1.0, -d.rng.integers(1, 25, d.n))
    return a, b, (1 + bits) * np.ldexp(1.0, d.rng.integers(low, high, d.n)) * d.signs((d.n,))


KINDS: dict[str, Callable[[_Draw], Drawn]] = {
    "normal": _normal,
    "wide": _wide,
    "cancelling": _cancelling,
    "cancelling C": _cancelling_c,
    "ladder": _ladder,
    "one sign": _one_sign,
    "carrying": _carrying,
    "C": _c_alone,
}


def random_cases(op: Operation, n: int, rng: np.random.Generator, kinds: tuple[str, ...] = tuple(KINDS)) -> Cases:
    """Finite random cases: about ``n`` in all, of these kinds in equal numbers."""
    each = max(1, n // len(kinds))
    parts = []
    for kind in kinds:
        draw = _Draw(op, each, rng)
        with np.errstate(over="ignore"):
            a, b, c = KINDS[kind](draw)
        codes = codes_of(a, draw.fa), codes_of(b, draw.fb), codes_of(c, draw.fc)
        parts.append(Cases(*codes, (kind,) * each, _random_scales(op, each, rng)))
    return Cases.joined(parts)


def _random_scales(op: Operation, n: int, rng: np.random.Generator) -> tuple[Codes, ...]:
    """Positive scales near 1, of all significands."""
    name = scale_type(op)
    if name is None:
        return ()
    f = get_format(name)
    reach = min(8, f.emax, -f.emin)
    x = [np.ldexp(1 + rng.random((n, blocks(op))), rng.integers(-reach, reach, (n, blocks(op)))) for _ in "ab"]
    outputs = [np.ldexp(1 + rng.random(n), rng.integers(-8, 8, n))] if has_output_scale(op) else []
    return (*(codes_of(v, f) for v in x), *(codes_of(v, get_format("f32")) for v in outputs))


# -- special values ---------------------------------------------------------------------------------------------------
def special_cases(op: Operation, n: int, rng: np.random.Generator) -> Cases:
    """Infinities and NaNs in every lane and in C, signed zeros, subnormals alone, sums that overflow.

    Among random finite operands; about ``n`` cases beside those of every lane.
    """
    k, (fa, fb), fc = length(op), map(get_format, op.operands), get_format(addend_type(op))
    parts = []
    lanes = np.arange(k) if k <= 64 else np.unique(np.linspace(0, k - 1, 64).astype(int))
    for which, f in ((0, fa), (1, fb)):
        for code in _odd_codes(f):
            found = random_cases(op, lanes.size, rng, ("normal",))
            found.operands[which][np.arange(lanes.size), lanes] = code
            parts.append(_named(found, "special lane"))
    odd = _odd_codes(fc)
    if odd:
        found = random_cases(op, 8 * len(odd), rng, ("normal",))
        found.c[:] = np.repeat(np.array(odd, found.c.dtype), 8)
        parts.append(_named(found, "special C"))
    parts.append(_several_specials(op, n // 4, rng, (fa, fb, fc)))
    parts.append(_zeros(op, max(16, n // 8), rng, (fa, fb, fc)))
    parts.append(_small(op, max(16, n // 4), rng, (fa, fb, fc)))
    parts.append(_huge(op, max(16, n // 8), rng, (fa, fb, fc)))
    if scale_type(op):
        parts.append(_odd_scales(op, max(32, n // 4), rng))
    if op.operands == ("f32", "f32"):
        parts.append(_between_narrow(op, max(32, n // 8), rng))
    return Cases.joined(parts)


def _named(cases: Cases, name: str) -> Cases:
    return replace(cases, names=(name,) * cases.size)


def _odd_codes(f: Format) -> list[int]:
    """Infinities and NaNs of a format, both signs."""
    found = []
    if f.infinities:
        found += [f.infinity_code, f.infinity_code | f.sign_bit]
    if f.nan_canonical is not None:
        found += sorted({f.nan_canonical, (f.nan_canonical | f.sign_bit) if f.is_nan_code(f.nan_canonical | f.sign_bit)
                         else f.nan_canonical})  # fmt: skip
    return found


def _several_specials(op: Operation, n: int, rng: np.random.Generator, fs: tuple[Format, ...]) -> Cases:
    """Two or three lanes, and C, drawn from infinities, NaNs, zeros and the largest numbers."""
    found = random_cases(op, max(16, n), rng, ("normal",))
    rows = np.arange(found.size)
    for _ in range(3):
        place = rng.integers(0, found.a.shape[1], found.size)
        for codes, f in zip((found.a, found.b), fs):
            pool = np.array([*_odd_codes(f), 0, f.sign_bit, f.max_code, 1], codes.dtype)
            change = rng.random(found.size) < 0.5
            codes[rows, place] = np.where(change, rng.choice(pool, found.size), codes[rows, place])
    pool = np.array([*_odd_codes(fs[2])] * 1 + [0, fs[2].sign_bit, fs[2].max_code], found.c.dtype)
    found.c[:] = np.where(rng.random(found.size) < 0.4, rng.choice(pool, found.size), found.c)
    return _named(found, "specials")


def _zeros(op: Operation, n: int, rng: np.random.Generator, fs: tuple[Format, ...]) -> Cases:
    """Products that are zeros of both signs, with C a zero or tiny; sums that cancel completely."""
    found = random_cases(op, n, rng, ("normal",))
    for codes, f in zip((found.a, found.b), fs):
        zeros = np.array([0, f.sign_bit if f.has_negative_zero else 0], codes.dtype)
        codes[:] = np.where(rng.random(codes.shape) < 0.7, rng.choice(zeros, codes.shape), codes)
    found.a[rng.random(found.a.shape) < 0.5] = 0
    half = found.size // 2
    signs = rng.random((half, 1)) >= 0.5
    found.a[:half] = _minus(signs, found.a, fs[0]) if fs[0].has_negative_zero else 0
    if fs[2].has_negative_zero:
        found.c[:] = rng.choice(np.array([0, fs[2].sign_bit, 1, fs[2].sign_bit | 1], found.c.dtype), found.size)
    minus = max(1, found.size // 8)  # sums of -0 alone
    if fs[0].has_negative_zero:
        found.a[:minus] = fs[0].sign_bit
        found.b[:minus] = codes_of(np.array([1.0]), fs[1])
        found.c[:minus] = fs[2].sign_bit
    quarter = found.size // 4  # exact cancellation: a product, its opposite, nothing else
    if found.a.shape[1] > 1 and fs[0].signed:
        one = codes_of(np.array([1.0, -1.0]), fs[0])
        found.a[-quarter:] = 0
        found.a[-quarter:, 0], found.a[-quarter:, -1] = one
        found.b[-quarter:] = codes_of(np.array([1.0]), fs[1])
        found.c[-quarter:] = rng.choice(np.array([0, fs[2].sign_bit], found.c.dtype), quarter)
    return _named(found, "zeros")


def _small(op: Operation, n: int, rng: np.random.Generator, fs: tuple[Format, ...]) -> Cases:
    """Subnormal operands, alone and among small normal ones; C subnormal, too."""
    found = random_cases(op, n, rng, ("normal",))
    for codes, f in zip((found.a, found.b), fs):
        small = rng.integers(0, min(1 << (f.t + 1), f.max_code), codes.shape).astype(codes.dtype)
        small |= _minus(rng.integers(0, 2, codes.shape), codes, f)
        sparse = rng.random(codes.shape) < rng.random((found.size, 1))
        codes[:] = np.where(sparse, small, 0)
    f = fs[2]
    c = rng.integers(1, 1 << f.t, found.size) | rng.integers(0, 2, found.size) << f.t  # subnormal, or the first binade
    signed = c.astype(found.c.dtype) | _signs(found, rng, f)
    found.c[:] = np.where(rng.random(found.size) < 0.6, signed, 0)
    third = found.size // 3
    found.a[:third] = 0
    return _named(found, "subnormals")


def _signs(cases: Cases, rng: np.random.Generator, f: Format) -> Codes:
    """Sign bits for C, each drawn."""
    return _minus(rng.integers(0, 2, cases.size), cases.c, f)


def _minus(which: NDArray[Any], like: Codes, f: Format) -> Codes:
    """The sign bit where ``which`` is 1, in the dtype of some codes."""
    signs: Codes = which.astype(like.dtype) * like.dtype.type(f.sign_bit)
    return signs


def _huge(op: Operation, n: int, rng: np.random.Generator, fs: tuple[Format, ...]) -> Cases:
    """Sums about the largest finite result: C near it, the largest products, signs that cancel."""
    found = random_cases(op, n, rng, ("wide",))
    for codes, f in zip((found.a, found.b), fs):
        large = (f.max_code - rng.integers(0, 3, codes.shape)).astype(codes.dtype)
        large |= _minus(rng.integers(0, 2, codes.shape) * (rng.random((found.size, 1)) < 0.7), codes, f)
        codes[:] = np.where(rng.random(codes.shape) < 0.8, large, codes)
    f = fs[2]
    c = f.max_code - rng.integers(0, 1 << min(f.t, 12), found.size)
    signed = c.astype(found.c.dtype) | _signs(found, rng, f)
    found.c[:] = np.where(rng.random(found.size) < 0.7, signed, 0)
    return _named(found, "overflow")


def _odd_scales(op: Operation, n: int, rng: np.random.Generator) -> Cases:
    """Scales that are NaN, infinite, zero, negative, subnormal, or as large or small as can be."""
    found = random_cases(op, n, rng, ("normal",))
    f = get_format(scale_type(op) or "")
    pool = [0, 1, (1 << f.t) - 1, 1 << f.t, f.max_code, f.max_code - 1, f.sign_bit | f.max_code >> 1, f.sign_bit]
    for scales in found.scales[:2]:
        odd = rng.choice(np.array([*pool, *_odd_codes(f)], scales.dtype), scales.shape)
        scales[:] = np.where(rng.random(scales.shape) < max(0.1, 1 / scales.shape[1]) / 2, odd, scales)
    found.c[: n // 4] = 0
    return _named(found, "odd scale")


def _between_narrow(op: Operation, n: int, rng: np.random.Generator) -> Cases:
    """binary32 operands halfway between two numbers of TF32 or BF16, and next to halfway."""
    found = random_cases(op, n, rng, ("normal",))
    for codes in (found.a, found.b):
        for bits, rows in ((13, slice(0, None, 2)), (16, slice(1, None, 2))):
            here = codes[rows]
            near = rng.choice([-1, 0, 0, 0, 1], here.shape) + (1 << (bits - 1))
            codes[rows] = here >> np.uint32(bits) << np.uint32(bits) | near.astype(np.uint32)
    return _named(found, "between TF32 or BF16")


def _gated(op: Operation, rng: np.random.Generator) -> Cases:
    """NaN or infinity times zero in every lane, NaN scales over blocks of zeros: units that gate zeros lose them."""
    k, fs = length(op), [get_format(name) for name in op.operands]
    lanes = np.arange(k) if k <= 64 else np.unique(np.linspace(0, k - 1, 64).astype(int))
    parts = []
    for which, f in enumerate(fs):
        codes = _odd_codes(f)
        if codes:
            found = random_cases(op, lanes.size, rng, ("normal",))
            rows = np.arange(lanes.size)
            found.operands[which][rows, lanes] = np.array(codes * lanes.size, found.a.dtype)[: lanes.size]
            found.operands[1 - which][rows, lanes] = 0
            parts.append(_named(found, "special times zero"))
    scale = get_format(scale_type(op)) if scale_type(op) else None
    if scale is not None and scale.nan_canonical is not None:
        for which in (0, 1):
            found = random_cases(op, 16, rng, ("normal",))
            scales = found.scales[which]
            block = -(-k // scales.shape[1])
            for row in range(found.size):
                j = row % scales.shape[1]
                scales[row, j] = scale.nan_canonical
                found.operands[which][row, j * block : (j + 1) * block] = 0
            parts.append(_named(found, "NaN scale of zeros"))
    return Cases.joined(parts) if parts else random_cases(op, 0, rng, ("normal",))


def handed(op: Operation, cases: Cases) -> list[Codes]:
    """The operands of cases as they are handed over: without C, where there is none."""
    found = cases.operands
    return found if has_addend(op) else [*found[:2], *found[3:]]


@exact_floats
def dot_cases(op: Operation, level: int, seed: int) -> Cases:
    """The cases of a dot product at a level 1 to 3."""
    rng = np.random.default_rng([seed, length(op), *"/".join(op.operands).encode()])
    n = int(np.clip(PRODUCTS[level] // length(op), FEWEST, MOST[level]))
    return Cases.joined([probes(op), random_cases(op, n, rng), special_cases(op, n // 2, rng), _gated(op, rng)])
