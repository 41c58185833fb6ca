"""Exact dot products at the speed of float64 matrix multiplication.

Every operand is an integer in units of its smallest bit.  Where both operands' bit ranges and log2 K
fit into 53 bits, one float64 product is exact in whatever order it is summed.  Otherwise operands are cut into slices
of fewer bits, whose products are exact one by one and are then added without error (``expansion.py``).  The bit ranges
are those of the format, or, where these do not suffice, those of the data at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ...spec.formats import Format, NaNs
from ...spec.projection import Projection
from ..chunks import Array
from ..decode import decode_codes
from ..kernel import code_dtype, project_codes
from .expansion import F64, Floats, grow, round_sum, round_values, sum_fields, two_product

BITS = 53
TABLE = 19  # bits of formats whose codes have a table of their ranges
K_RUN = 1 << 17  # products that one float64 sum may take together
K_TILE = 1 << 11
ROWS = 1 << 10  # outputs of a tile: ROWS x ROWS
CHUNK = 1 << 14  # outputs finished at a time
SOME = 1 << 4  # rows that mostly show how wide a tile's data are
NEVER = 1 << 30
OPEN = 100  # where more than one output in so many is left open by a bound, slices are quicker
BOUND_FROM = 32  # products; of fewer a bound gains nothing
MANY = 12  # terms held before they are summed into as few as they need

Contract = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Operand:
    """Codes (rows, K) and, where they differ along K or are not finite, their scales (rows or 1, K // block)."""

    codes: Array
    f: Format
    scales: Floats | None = None
    block: int = 1

    def range(self, rows: slice, ks: slice, values: Floats) -> tuple[int, int]:
        """(lsb, top) of the finite values of a tile."""
        if self.scales is None and self.f.k <= TABLE:
            return codes_range(self.codes[rows, ks], self.f)
        return data_range(values)

    def is_finite(self, rows: slice, ks: slice, values: Floats) -> bool:
        """Is every value of a tile a number?  The codes show it sooner than the values."""
        f = self.f
        if self.scales is not None or f.infinities or f.nans is NaNs.NEGATIVE_ZERO:
            return bool(np.isfinite(values).all())
        part = self.codes[rows, ks]
        return not f.has_nan or int((part & f.magnitude_mask).max()) <= f.max_code

    def values(self, rows: slice, ks: slice) -> Floats:
        """Scaled values, exact; infinities and NaNs as IEEE multiplication makes them."""
        part = self.codes[rows, ks]
        source = part.T if part.strides[0] < part.strides[1] else part  # B is handed over as its transpose
        decoded = decode_codes(np.ascontiguousarray(source), self.f, F64).view(np.float64)
        decoded = decoded.T if source is not part else decoded
        if self.scales is None:
            return decoded
        first, last = ks.start // self.block, -(-ks.stop // self.block)
        own = self.scales[rows] if self.scales.shape[0] > 1 else self.scales
        wide = np.repeat(own[:, first:last], self.block, axis=1)
        offset = ks.start - first * self.block
        with np.errstate(invalid="ignore"):
            return decoded * wide[:, offset : offset + decoded.shape[1]]


@lru_cache(maxsize=256)
def format_range(f: Format) -> tuple[int, int]:
    """(lsb, top): every finite value is a multiple of 2**lsb and less than 2**top in magnitude."""
    lsb = f.quantum_exponent(f.emin)
    largest = max(abs(f.max), abs(f.lowest))
    return lsb, (largest / Fraction(2) ** lsb).numerator.bit_length() + lsb


@lru_cache(maxsize=256)
def _code_ranges(f: Format) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """lsb and top of every code; of those that are zero or no number, bounds that never count."""
    values = decode_codes(np.arange(1 << f.k, dtype=code_dtype(f)), f, F64).view(np.float64)
    usual = np.isfinite(values) & (values != 0)
    lsb, top = _ranges(np.where(usual, values, 1.0))
    return np.where(usual, lsb, NEVER), np.where(usual, top, -NEVER)


def codes_range(codes: Array, f: Format) -> tuple[int, int]:
    """(lsb, top) of the codes at hand; (NEVER, -NEVER) where all are 0, which takes no bits."""
    present = np.flatnonzero(np.bincount(codes.ravel()))
    lsb, top = _code_ranges(f)
    return int(lsb[present].min()), int(top[present].max())


def data_range(v: Floats) -> tuple[int, int]:
    """The same of finite data."""
    lsb, top = _ranges(v[v != 0])
    return int(lsb.min(initial=NEVER)), int(top.max(initial=-NEVER))


def _ranges(v: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """lsb and top of each of some finite values that are not zero."""
    fraction, e = np.frexp(v)
    units = np.ldexp(fraction, BITS).astype(np.int64)
    lowest = np.frexp((units & -units).astype(np.float64))[1] - 1
    return (e - BITS + lowest).astype(np.int64), e.astype(np.int64)


def slices(v: Floats, lsb: int, width: int, count: int) -> list[Floats]:
    """v as a sum of ``count`` arrays, the i-th a multiple of 2**(lsb + i * width) of fewer than width bits more."""
    parts = []
    for i in range(count - 1, 0, -1):
        unit = math.ldexp(1.0, lsb + i * width)
        high = v * (1.0 / unit)
        np.trunc(high, out=high)
        high *= unit
        parts.append(high)
        v = v - high
    return [v, *reversed(parts)]


def exact_products(
    a: Floats, b: Floats, range_a: tuple[int, int], range_b: tuple[int, int], contract: Contract
) -> list[Floats]:
    """Arrays whose exact sum is the contraction of finite values a (rows, K) and b (columns, K), at most K_RUN long.

    (lsb, top) of both are given.  Of the ways to cut them that are exact, the one with the fewest products is taken.
    """
    (la, ta), (lb, tb) = range_a, range_b
    wa, wb = ta - la, tb - lb
    room = BITS - (max(a.shape[-1], 1) - 1).bit_length()
    if wa + wb <= room:
        return [contract(a, b)]
    both = next(n for n in count(2) if max(wa, wb) <= n * ((room - (n - 1).bit_length()) // 2))
    cut_b = -(-wb // (room - wa)) if wa < room else NEVER
    cut_a = -(-wa // (room - wb)) if wb < room else NEVER
    if min(cut_a, cut_b) >= both * both:
        width = (room - (both - 1).bit_length()) // 2  # sums of up to `both` products of equal weight
        return _equal_slices(slices(a, la, width, both), slices(b, lb, width, both), contract)
    if cut_b <= cut_a:
        return [contract(a, part) for part in slices(b, lb, -(-wb // cut_b), cut_b) if part.any()]
    return [contract(part, b) for part in slices(a, la, -(-wa // cut_a), cut_a) if part.any()]


def _equal_slices(a: list[Floats], b: list[Floats], contract: Contract) -> list[Floats]:
    used_a = [(i, part) for i, part in enumerate(a) if part.any()]
    used_b = [(j, part) for j, part in enumerate(b) if part.any()]
    sums: dict[int, Floats] = {}
    for i, x in used_a:
        for j, y in used_b:
            product = contract(x, y)
            if i + j in sums:
                sums[i + j] += product
            else:
                sums[i + j] = product
    return [sums[weight] for weight in sorted(sums)]


def special_products(a: Floats, b: Floats, contract: Contract) -> tuple[Floats, Floats, Floats]:
    """How many products of a contraction are NaN, +infinity and -infinity."""
    sign_a, sign_b = (np.where(np.isnan(v), 0.0, np.sign(v)) for v in (a, b))
    inf_a, inf_b = np.where(np.isinf(a), sign_a, 0.0), np.where(np.isinf(b), sign_b, 0.0)
    ones_a, ones_b = np.ones_like(a), np.ones_like(b)
    nan_a, nan_b = np.isnan(a).astype(np.float64), np.isnan(b).astype(np.float64)
    nan = contract(nan_a, ones_b) + contract(ones_a, nan_b)
    nan += contract(np.abs(inf_a), (b == 0).astype(np.float64)) + contract((a == 0).astype(np.float64), np.abs(inf_b))
    net = contract(inf_a, sign_b) + contract(sign_a, inf_b)
    total = contract(np.abs(inf_a), np.abs(sign_b)) + contract(np.abs(sign_a), np.abs(inf_b))
    return nan, total + net, total - net


def judge(nan: Array, plus: Array, minus: Array) -> Floats:
    """0 where a sum is finite, else the NaN or infinity that it is."""
    mixed = (nan != 0) | ((plus != 0) & (minus != 0))
    return np.where(mixed, np.nan, np.where(plus != 0, np.inf, np.where(minus != 0, -np.inf, 0.0)))


def exact_tile(
    a: Operand, b: Operand, rows: slice, columns: slice, contract: Contract
) -> tuple[list[Floats], tuple[Array, Array, Array] | None]:
    """The bare sums of a tile as terms, and the counts of special products where there are any."""
    k = a.codes.shape[1]
    width = sum(top - lsb for lsb, top in (format_range(a.f), format_range(b.f)))
    single = a.scales is None and b.scales is None and width + (max(min(k, K_RUN), 1) - 1).bit_length() <= BITS
    length = K_TILE if single else min(K_RUN, (1 << 22) // (rows.stop - rows.start))
    terms: list[Floats] = []
    special: tuple[Array, Array, Array] | None = None
    taken = 0
    for ks in _runs(k, length):
        va, vb = a.values(rows, ks), b.values(columns, ks)
        if not (a.is_finite(rows, ks, va) and b.is_finite(columns, ks, vb)):
            found = special_products(va, vb, contract)
            special = found if special is None else tuple(x + y for x, y in zip(special, found))  # type: ignore[assignment]
            va, vb = (np.where(np.isfinite(v), v, 0.0) for v in (va, vb))
        if single:
            products = [contract(va, vb)]
        else:
            products = exact_products(va, vb, a.range(rows, ks, va), b.range(columns, ks, vb), contract)
        if single and terms and taken % K_RUN:
            terms[-1] += products[0]
        else:
            terms += products
        if len(terms) > MANY:
            terms = grow(terms)
        taken += ks.stop - ks.start
    return terms, special


def _runs(n: int, length: int) -> Iterator[slice]:
    return (slice(i, min(i + length, n)) for i in range(0, n, length))


@dataclass(frozen=True)
class Epilogue:
    """What joins the bare sums: factors (broadcast to the outputs), C, and one rounding."""

    f: Format
    rho: Projection
    factors: tuple[Floats, ...] = ()
    c: Array | None = None  # of the outputs' shape

    def finish(
        self, terms: list[Floats], special: tuple[Array, Array, Array] | None, place: tuple[slice, ...]
    ) -> Array:
        """Codes of one tile, in chunks that stay in the cache."""
        shape = terms[0].shape
        out = np.empty(terms[0].size, code_dtype(self.f))
        for s, part, other in self._pieces(terms, special, place):
            out[s] = round_sum(part, other, self.f, self.rho)
        return out.reshape(shape)

    def finish_flagged(
        self, terms: list[Floats], special: tuple[Array, Array, Array] | None, place: tuple[slice, ...]
    ) -> tuple[Array, NDArray[np.uint8]]:
        """Codes of a row of outputs, and what rounding and overflow raise."""
        out = np.empty(terms[0].size, code_dtype(self.f))
        status = np.empty(terms[0].size, np.uint8)
        for s, part, other in self._pieces(terms, special, place):
            out[s], status[s] = project_codes(sum_fields(part, other), self.f, self.rho)
        return out, status

    def _pieces(
        self, terms: list[Floats], special: tuple[Array, Array, Array] | None, place: tuple[slice, ...]
    ) -> Iterator[tuple[slice, list[Floats], Floats | None]]:
        """(where, the finite terms, NaNs and infinities) of a tile in chunks, C among the terms."""
        shape = terms[0].shape
        flat = [t.reshape(-1) for t in terms]
        counts = None if special is None else [s.reshape(-1) for s in special]
        factors = [np.broadcast_to(_at(x, place), shape).reshape(-1) for x in self.factors]
        c = None if self.c is None else self.c[place].astype(np.float64).reshape(-1)
        for i in range(0, flat[0].size, CHUNK):
            s = slice(i, i + CHUNK)
            part = [t[s] for t in flat]
            for factor in factors:
                part = [t for x in part for t in _nonzero(two_product(x, factor[s]))]
            other = None if counts is None else self._special([x[s] for x in counts], [x[s] for x in factors])
            if c is not None:
                here = c[s]
                unusual = ~np.isfinite(here)
                if unusual.any():
                    other = _with_c(np.zeros(here.shape) if other is None else other, here, unusual)
                    here = np.where(unusual, 0.0, here)
                part.append(here)
            yield s, part, other

    @staticmethod
    def _special(counts: list[Array], factors: list[Floats]) -> Floats:
        nan, plus, minus = counts
        for x in factors:  # finite: nonfinite factors are folded into the operands
            nan = nan + ((x == 0) & ((plus != 0) | (minus != 0)))
            plus, minus = np.where(x < 0, minus, plus), np.where(x < 0, plus, minus)
        return judge(nan, plus, minus)


def _at(x: Floats, place: tuple[slice, ...]) -> Floats:
    return x[tuple(s if n > 1 else slice(None) for s, n in zip(place, x.shape))]


def _nonzero(pair: tuple[Floats, Floats]) -> list[Floats]:
    return list(pair) if pair[1].any() else [pair[0]]


def _with_c(special: Floats, c: Floats, unusual: NDArray[np.bool_]) -> Floats:
    with np.errstate(invalid="ignore"):
        joined = np.where(special == 0, c, special + c)
    return np.where(unusual, joined, special)


def _are_narrow(a: tuple[Array, Format], b: tuple[Array, Format], room: int) -> bool:
    """Do the ranges of two tiles of codes fit into ``room`` bits?  A few rows show it where they do not."""
    for some in (slice(SOME), slice(None)):
        ranges = [codes_range(codes[some], f) for codes, f in (a, b)]
        if sum(top - lsb for lsb, top in ranges) > room:
            return False
    return True


def exact_matmul(a: Operand, b: Operand, epilogue: Epilogue) -> Array:
    """Codes (M, N) of the products of rows of a (M, K) and rows of b (N, K)."""
    m, n = a.codes.shape[0], b.codes.shape[0]
    out = np.empty((m, n), code_dtype(epilogue.f))
    for rows in _runs(m, ROWS):
        for columns in _runs(n, ROWS):
            bounded = _by_bound(a, b, rows, columns, epilogue)
            if bounded is not None:
                out[rows, columns] = bounded
                continue
            terms, special = exact_tile(a, b, rows, columns, lambda x, y: np.asarray(np.matmul(x, y.T)))
            terms = terms or [np.zeros((rows.stop - rows.start, columns.stop - columns.start))]
            out[rows, columns] = epilogue.finish(terms, special, (rows, columns))
    return out


def _by_bound(a: Operand, b: Operand, rows: slice, columns: slice, epilogue: Epilogue) -> Array | None:
    """Codes of a tile by one inexact product and its bound; None where one product is exact, or where many are open.

    Lemma.  A float64 sum S of K products, in any order, is off by at most K u / (1 - K u) times the sum of their
    magnitudes, u = 2**-53, nothing underflowing [Higham 2002, 3.1]; that sum is at most |a| |b| [Cauchy-Schwarz].  With
    E = (K + 8) u |a| |b| the eight more cover the errors of the norms, of E, S - E and S + E.  Rounding is monotone:
    where S - E and S + E have one code, the exact sum has it.
    """
    k = a.codes.shape[1]
    plain = a.scales is None and b.scales is None and not epilogue.factors and epilogue.c is None
    if not plain or not BOUND_FROM <= k <= K_TILE or epilogue.f.p > 40:
        return None
    ks = slice(0, k)
    room = BITS - (k - 1).bit_length()
    if sum(top - lsb for lsb, top in (format_range(a.f), format_range(b.f))) <= room:
        return None
    if a.f.k <= TABLE and b.f.k <= TABLE and _are_narrow((a.codes[rows], a.f), (b.codes[columns], b.f), room):
        return None
    va, vb = a.values(rows, ks), b.values(columns, ks)
    if not (a.is_finite(rows, ks, va) and b.is_finite(columns, ks, vb)):
        return None
    total: Floats = np.matmul(va, vb.T)
    bound = np.multiply.outer(*(np.sqrt(np.einsum("ik,ik->i", v, v)) for v in (va, vb)))
    bound *= (k + 8) * 2.0**-BITS
    low = np.subtract(total, bound).reshape(-1)
    high = np.add(total, bound, out=total).reshape(-1)
    out = np.empty(low.size, code_dtype(epilogue.f))
    undecided = []
    for i in range(0, out.size, CHUNK):
        s = slice(i, i + CHUNK)
        out[s] = round_values(low[s], epilogue.f, epilogue.rho)
        undecided.append(i + np.flatnonzero(out[s] != round_values(high[s], epilogue.f, epilogue.rho)))
    left = np.concatenate(undecided)
    if left.size * OPEN > out.size:
        return None
    row, column = np.divmod(left, total.shape[1])
    parts = Operand(a.codes[rows][row], a.f), Operand(b.codes[columns][column], b.f)
    out[left] = exact_dots(*parts, epilogue)
    return out.reshape(total.shape)


def exact_dots(a: Operand, b: Operand, epilogue: Epilogue) -> Array:
    """Codes (n) of the products of the i-th rows of a and b (n, K)."""
    out = np.empty(len(a.codes), code_dtype(epilogue.f))
    for rows, terms, special in _rows(a, b):
        out[rows] = epilogue.finish(terms, special, (rows,))
    return out


def flagged_dots(a: Operand, b: Operand, epilogue: Epilogue) -> tuple[Array, NDArray[np.uint8]]:
    """The same with the status of rounding and overflow."""
    out, status = np.empty(len(a.codes), code_dtype(epilogue.f)), np.empty(len(a.codes), np.uint8)
    for rows, terms, special in _rows(a, b):
        out[rows], status[rows] = epilogue.finish_flagged(terms, special, (rows,))
    return out, status


def _rows(a: Operand, b: Operand) -> Iterator[tuple[slice, list[Floats], tuple[Array, Array, Array] | None]]:
    """Tiles of rows with their bare sums."""
    n, k = a.codes.shape
    for rows in _runs(n, (1 << 21) // max(min(k, K_RUN), 1)):
        terms, special = exact_tile(a, b, rows, rows, lambda x, y: np.asarray(np.einsum("ik,ik->i", x, y)))
        yield rows, terms or [np.zeros(rows.stop - rows.start)], special
