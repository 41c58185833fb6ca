"""Operands of dot products drawn by counting, the same on every machine: integers only, no generator's state.

Word ``i`` of lane ``l`` in stream ``s`` under a seed is, in 64-bit arithmetic that wraps::

    mix(x): x ^= x >> 30; x *= BF58476D1CE4E5B9; x ^= x >> 27; x *= 94D049BB133111EB; x ^= x >> 31
    word(seed, s, i, l) = mix(mix(mix(seed * G + s) + i * G) + l * G)          G = 9E3779B97F4A7C15

CLASSES says what each class of cases makes of the words.  A case has a number; a block is BLOCK of them in order, so
that a capture need hold no operands: the operation, the seed, the class and the number of the block give them, and a
digest shows that they were the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cases.products.cases import values_of
from fp8ref.cases.products.questions import addend_type, length
from fp8ref.spec.catalog import get_format
from fp8ref.spec.formats import Format

U64 = np.uint64
Words = NDArray[np.uint64]
Codes = NDArray[Any]
GOLDEN, WRAP = 0x9E3779B97F4A7C15, (1 << 64) - 1
BLOCK = 1 << 14  # cases
STREAMS = 64  # of each class


def mix(x: Words) -> Words:
    """The finaliser of SplitMix64."""
    x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U64(27))) * U64(0x94D049BB133111EB)
    return x ^ (x >> U64(31))


def words(seed: int, stream: int, cases: Words, lanes: int) -> Words:
    """Words (cases, lanes) of a stream."""
    start = mix(np.array([(seed * GOLDEN + stream) & WRAP], U64))
    rows = mix(start + cases * U64(GOLDEN))
    return mix(rows[:, None] + np.arange(lanes, dtype=U64) * U64(GOLDEN))


def below(w: Words, n: int | Words) -> Words:
    """Numbers from 0 to n - 1 of the upper halves of words."""
    return (w >> U64(32)) * np.asarray(n, U64) >> U64(32)


@dataclass
class Draw:
    """The cases of a block: words on request, and codes of the operands' formats."""

    op: Operation
    seed: int
    first_stream: int
    cases: Words
    used: int = field(default=0)

    def __post_init__(self) -> None:
        self.k = length(self.op)
        self.fa, self.fb = map(get_format, self.op.operands)
        self.fc = get_format(addend_type(self.op))
        self.rows = np.arange(self.cases.size)

    def words(self, lanes: int) -> Words:
        """Words of the next stream."""
        self.used += 1
        assert self.used <= STREAMS
        return words(self.seed, self.first_stream + self.used - 1, self.cases, lanes)

    def one(self) -> Words:
        """A word for each case."""
        return self.words(1)[:, 0]

    def some(self, parts: int) -> NDArray[np.bool_]:
        """One case in ``parts``."""
        return np.asarray(below(self.one(), parts) == 0)

    def codes(self, f: Format, w: Words, low: int, high: int) -> Words:
        """Finite codes of either sign whose exponent field is from low to high."""
        low, high = max(low, 0), max(min(high, top(f)), 0)
        low = min(low, high)
        exponent = U64(low) + below(w, high - low + 1)
        magnitude = np.minimum(exponent << U64(f.t) | w & U64((1 << f.t) - 1), U64(f.max_code))
        signed: Words = magnitude | (w >> U64(31) & U64(1)) * U64(f.sign_bit)
        return signed

    def near_one(self, f: Format) -> Words:
        """Operands within four binades of 1."""
        return self.codes(f, self.words(self.k), f.bias - 4, f.bias + 3)

    def any_size(self, f: Format) -> Words:
        """Operands of every exponent, subnormals included."""
        return self.codes(f, self.words(self.k), 0, top(f))

    def c_any(self) -> Words:
        """C of every magnitude."""
        return self.codes(self.fc, self.one(), 0, top(self.fc))

    def c_reach(self) -> Words:
        """C of every magnitude that products can meet; zero in one case of three."""
        low = self.fa.emin - self.fa.t + self.fb.emin - self.fb.t - 4 + self.fc.bias
        c = self.codes(self.fc, self.one(), low, self.fa.emax + self.fb.emax + 6 + self.fc.bias)
        return np.where(self.some(3), U64(0), c)

    def thinned(self, a: Words) -> Words:
        """All operands, or about a half, a quarter, ... of a case's; the others are +0."""
        keep = below(self.words(self.k), U64(1) << below(self.one(), 5)[:, None]) == 0
        return np.where(keep, a, U64(0))

    def lanes(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Two different lanes of each case."""
        first = below(self.one(), self.k)
        other = (first + U64(1) + below(self.one(), max(self.k - 1, 1))) % U64(self.k)
        return first.astype(np.intp), other.astype(np.intp)

    def of(self, pool: Sequence[int], shape: int = 0) -> Words:
        """Members of a pool, one for each case or for each of its lanes."""
        return np.array(pool, U64)[below(self.words(shape) if shape else self.one(), len(pool)).astype(np.intp)]


Drawn = tuple[Words, Words, Words]


def top(f: Format) -> int:
    """The exponent field of the largest finite number."""
    return f.max_code >> f.t


def odd_codes(f: Format) -> list[int]:
    """Infinities and NaNs of both signs."""
    found = [f.infinity_code] if f.infinities else []
    if f.nan_canonical is not None:
        found.append(f.nan_canonical)
    return [code | sign for code in found for sign in (0, f.sign_bit)]


def _random(d: Draw) -> Drawn:
    """Half the cases within four binades of 1, half of every exponent."""
    wide = d.some(2)[:, None]
    a, b = (np.where(wide, d.any_size(f), d.near_one(f)) for f in (d.fa, d.fb))
    near = d.codes(d.fc, d.one(), d.fc.bias - 6, d.fc.bias + 6)
    return a, b, np.where(d.some(2), near, d.c_reach())


def _addend(d: Draw) -> Drawn:
    """C of every magnitude, beside many products, few or none."""
    return d.thinned(d.near_one(d.fa)), d.near_one(d.fb), d.c_any()


def _cancellation(d: Draw) -> Drawn:
    """Two large products that cancel, or a product and C that do but for a bit; small products beside them."""
    half_a, half_b = top(d.fa) // 2, top(d.fb) // 2
    a = d.thinned(d.codes(d.fa, d.words(d.k), 0, half_a))
    b = d.codes(d.fb, d.words(d.k), 0, half_b)
    p, q = d.lanes()
    large_a, large_b = d.codes(d.fa, d.one(), half_a, top(d.fa) - 1), d.codes(d.fb, d.one(), half_b, top(d.fb) - 1)
    with_c = d.some(3)
    a[d.rows, p], b[d.rows, p] = large_a, large_b
    a[d.rows, q] = np.where(with_c, U64(0), large_a ^ U64(d.fa.sign_bit))
    b[d.rows, q] = large_b
    product = values_of(large_a.astype(carrier_dtype(d.fa.name)), d.fa) * values_of(
        large_b.astype(carrier_dtype(d.fb.name)), d.fb
    )
    narrow, bits = (np.float32, np.uint32) if d.fc.name == "f32" else (np.float16, np.uint16)
    with np.errstate(over="ignore"):
        c = (-product).astype(narrow).view(bits).astype(U64)
    c = np.where(c & U64(d.fc.magnitude_mask) > U64(d.fc.max_code), U64(d.fc.max_code), c)
    c ^= np.where(d.some(4), U64(0), U64(1) << below(d.one(), d.fc.t))
    return a, b, np.where(with_c, c, d.c_reach())


def _spread(d: Draw) -> Drawn:
    """Every exponent beside every other, in many lanes or few."""
    return d.thinned(d.any_size(d.fa)), d.any_size(d.fb), d.c_reach()


def _subnormals(d: Draw) -> Drawn:
    """Subnormal operands alone or with the other operand normal; C subnormal, zero or near the products."""
    small_a, small_b = (d.codes(f, d.words(d.k), 0, 1) for f in (d.fa, d.fb))
    a = np.where(d.some(3)[:, None], d.near_one(d.fa), small_a)
    b = np.where(d.some(3)[:, None], d.near_one(d.fb), small_b)
    c = np.where(d.some(2), d.codes(d.fc, d.one(), 0, 0), d.c_reach())
    return d.thinned(a), b, c


def _specials(d: Draw) -> Drawn:
    """An infinity or NaN in every lane of a and of b in turn; half the time one more or a zero elsewhere, or C."""
    parts = [d.near_one(d.fa), d.near_one(d.fb)]
    again, p, q = d.some(2), d.lanes(), d.lanes()
    k = U64(d.k)
    for which, f in enumerate((d.fa, d.fb)):
        pool = odd_codes(f)
        for lanes in (p, q):
            other = d.of([*pool, 0, f.sign_bit, f.max_code, 1])
            parts[which][d.rows[again], lanes[which][again]] = other[again]
        turn = d.cases // k // U64(2) % U64(len(pool))
        here = d.cases // k % U64(2) == which
        lane = (d.cases % k).astype(np.intp)
        parts[which][d.rows[here], lane[here]] = np.array(pool, U64)[turn[here].astype(np.intp)]
    c = np.where(d.some(4), d.of([*odd_codes(d.fc), 0, d.fc.sign_bit, d.fc.max_code]), d.c_reach())
    return parts[0], parts[1], c


def _overflow(d: Draw) -> Drawn:
    """The largest operands, mostly of one sign; C zero, near the products, or next to the largest number."""
    a, b = (d.codes(f, d.words(d.k), top(f) - 1, top(f)) for f in (d.fa, d.fb))
    one_sign = ~d.some(4)[:, None]
    a = np.where(one_sign, a & U64(d.fa.magnitude_mask), a)
    b = np.where(one_sign, b & U64(d.fb.magnitude_mask), b)
    a ^= np.where(d.some(2), U64(d.fa.sign_bit), U64(0))[:, None]
    edge = U64(d.fc.max_code) - below(d.one(), 1 << min(d.fc.t, 12)) | d.of([0, d.fc.sign_bit])
    return d.thinned(a), b, np.where(d.some(2), edge, d.c_reach())


def _zeros(d: Draw) -> Drawn:
    """Zeros of both signs, sums that cancel completely; C a zero, the least subnormal, or a number."""
    parts = []
    for f in (d.fa, d.fb):
        number = below(d.words(d.k), 8) == 0
        parts.append(np.where(number, d.near_one(f), d.of([0, f.sign_bit], d.k)))
    a, b = parts
    a = np.where(d.some(2)[:, None], a & U64(d.fa.sign_bit), a)  # nothing but zeros
    p, q = d.lanes()
    cancels = d.some(4)
    for codes, flip, f in ((a, d.fa.sign_bit, d.fa), (b, 0, d.fb)):
        x = d.codes(f, d.one(), f.bias - 2, f.bias + 2)
        codes[cancels] &= U64(f.sign_bit)
        codes[d.rows[cancels], p[cancels]] = x[cancels]
        codes[d.rows[cancels], q[cancels]] = x[cancels] ^ U64(flip)
    sign = d.fc.sign_bit
    c = np.where(d.some(8), d.c_reach(), d.of([0, sign, 0, sign, 1, sign | 1]))
    minus = d.some(16) & (d.fa.has_negative_zero & d.fc.has_negative_zero)  # -0 is every addend
    a[minus], c[minus] = d.fa.sign_bit, sign
    b[minus] &= U64(d.fb.magnitude_mask)
    return a, b, c


CLASSES: dict[str, Callable[[Draw], Drawn]] = {
    "random": _random,
    "C of every magnitude": _addend,
    "cancellation": _cancellation,
    "exponent spread": _spread,
    "subnormals": _subnormals,
    "infinities and NaNs": _specials,
    "overflow": _overflow,
    "zeros of both signs": _zeros,
}


def block(op: Operation, seed: int, name: str, number: int) -> list[Codes]:
    """The operands a (BLOCK, K), b (BLOCK, K), c (BLOCK) of a block of a class."""
    cases = np.arange(number * BLOCK, (number + 1) * BLOCK, dtype=U64)
    draw = Draw(op, seed, list(CLASSES).index(name) * STREAMS, cases)
    found = zip(CLASSES[name](draw), (draw.fa, draw.fb, draw.fc))
    return [np.ascontiguousarray(codes.astype(carrier_dtype(f.name))) for codes, f in found]


def digest(arrays: Sequence[Codes]) -> str:
    """sha256 of codes, little-endian, array after array."""
    found = hashlib.sha256()
    for codes in arrays:
        found.update(np.ascontiguousarray(codes, codes.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()
