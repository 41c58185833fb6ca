"""Operands of accumulator models, laid out for a loop over K: one tile of outputs at a time.

Arrays have K first and then the outputs: for a matrix product (K, rows, 1) and (K, 1, columns), which broadcast, for
single dot products (K, n) both.  Values are exact, scales of unit-scaled products included; infinities and NaNs are
taken out and kept aside in ``special``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...spec.formats import Format
from ..chunks import Array
from ..decode import decode_codes
from ..kernel import code_dtype
from .aligned.powers import Exponents, lowest_bits
from .exact_dot import judge, special_products
from .expansion import F64, Floats, to_odd, two_product

TABLE = 19  # bits of operands whose exponents are looked up: a table has an entry for every code
ABSENT8, ABSENT16 = -60, -8000  # exponent that a zero operand shows where zero products take no part
PRESENT8, PRESENT16 = -33, -4000  # sums below: at least one operand was absent


@lru_cache(maxsize=64)
def exponent_table(f: Format, zero: int) -> NDArray[np.int16]:
    """The exponent field of every code, unbiased: emin for subnormals, ``zero`` for zeros and what is no number."""
    return exponents_of(decode_codes(np.arange(1 << f.k, dtype=code_dtype(f)), f, F64).view(np.float64), f, zero)


def exponents_of(values: Floats, f: Format, zero: int) -> NDArray[np.int16]:
    """The same of values."""
    e = np.maximum(np.frexp(values)[1] - 1, f.emin)
    return np.where(np.isfinite(values) & (values != 0), e, zero).astype(np.int16)


def shown_exponents(codes: Array, f: Format, zero: int) -> NDArray[np.int16]:
    """The same of codes of any format."""
    if f.k <= TABLE:
        return exponent_table(f, zero)[codes]
    return exponents_of(decode_codes(codes, f, F64).view(np.float64), f, zero)


@dataclass(frozen=True)
class Side:
    """One operand of a tile: values, alignment exponents, and the values as they were where some are special.

    ``zero``: the exponent that zeros show.  ``scales``: one entry for every ``unit`` elements, or one for all: factors
    of promoted chunks, or the significands of group scales, whose exponents then are ``scale_exponents``.
    """

    values: Array
    exponents: Array
    special: Array | None
    zero: int
    scales: Floats | None = None
    scale_exponents: Array | None = None
    unit: int = 1

    @cached_property
    def shown(self) -> Exponents:
        """The exponents of operands that are not zero, (K, outputs)."""
        return Exponents(self.exponents.reshape(len(self.values), -1), self.flat != 0)

    @cached_property
    def lowest(self) -> Exponents:
        """The exponents of their lowest bits, negated."""
        return Exponents(-lowest_bits(self.flat.astype(np.float64, copy=False)), self.shown.present)

    @cached_property
    def narrow(self) -> NDArray[np.float32]:
        """The values in float32."""
        return self.values.astype(np.float32, copy=False)

    @property
    def flat(self) -> Array:
        """The values, (K, outputs)."""
        return self.values.reshape(len(self.values), -1)

    def pick(self, order: NDArray[np.intp]) -> Side:
        """The elements in another order, of a unit that has no scales of its own."""
        special = None if self.special is None else self.special[order]
        return replace(self, values=self.values[order], exponents=self.exponents[order], special=special)

    def part(self, start: int, stop: int, pad: int) -> Side:
        """Elements start .. stop-1 and ``pad`` zeros."""
        cut = slice(start, stop)
        units = slice(start // self.unit, None)
        return Side(
            _padded(self.values[cut], pad, 0),
            _padded(self.exponents[cut], pad, self.zero),
            None if self.special is None else _padded(self.special[cut], pad, 0),
            self.zero,
            self.scales if self.scales is None or len(self.scales) == 1 else self.scales[units],
            None if self.scale_exponents is None else self.scale_exponents[units],
            self.unit,
        )

    def gather(self, runs: Sequence[tuple[int, int]]) -> Side:
        """The elements of some runs (start, stop), one after another; each begins a scale's unit."""
        places = np.concatenate([np.arange(start, stop) for start, stop in runs])
        units = np.concatenate([np.arange(start // self.unit, -(-stop // self.unit)) for start, stop in runs])
        return Side(
            self.values[places],
            self.exponents[places],
            None if self.special is None else self.special[places],
            self.zero,
            self.scales if self.scales is None or len(self.scales) == 1 else self.scales[units],
            None if self.scale_exponents is None else self.scale_exponents[units],
            self.unit,
        )

    def stacked(self, places: NDArray[np.intp]) -> Side:
        """The elements at places (products, pieces) of every output, pieces before outputs."""
        values, exponents = (x[places].reshape(len(places), -1) for x in (self.values, self.exponents))
        special = None if self.special is None else self.special[places].reshape(len(places), -1)
        return Side(values, exponents, special, self.zero)


def _padded(x: Array, pad: int, fill: int) -> Array:
    return x if pad == 0 else np.concatenate([x, np.full((pad, *x.shape[1:]), fill, x.dtype)])


@dataclass(frozen=True)
class Tile:
    """Two sides; ``present``: sums of exponents below it belong to products with a zero that takes no part.

    ``lowest``: no other product shows a lower exponent.  ``bits``: of the significand of a product, at most.
    """

    a: Side
    b: Side
    k: int
    outer: bool
    present: int | None
    lowest: int
    bits: int = 1 << 10

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(self.a.values.shape[1:], self.b.values.shape[1:])

    def part(self, start: int, stop: int) -> Tile:
        """Products start .. stop-1, zeros beyond the end; start begins a scale's unit."""
        end = min(stop, self.k)
        a, b = (side.part(start, end, stop - end) for side in (self.a, self.b))
        return replace(self, a=a, b=b, k=stop - start)

    def gather(self, runs: Sequence[tuple[int, int]]) -> Tile:
        """The products of some runs (start, stop), one after another; each begins a scale's unit."""
        if len(runs) == 1:
            return self.part(*runs[0])
        a, b = (side.gather(runs) for side in (self.a, self.b))
        return replace(self, a=a, b=b, k=sum(stop - start for start, stop in runs))

    def stacked(self, pieces: Sequence[Sequence[tuple[int, int]]]) -> Tile | None:
        """Pieces of equally many products side by side, as if they were outputs of their own, piece after piece.

        None where outputs share operands, or scales come along.
        """
        if self.outer or any(s.scales is not None or s.scale_exponents is not None for s in (self.a, self.b)):
            return None
        places = np.stack([np.concatenate([np.arange(*run) for run in piece]) for piece in pieces], axis=1)
        a, b = (side.stacked(places) for side in (self.a, self.b))
        return replace(self, a=a, b=b, k=len(places))

    def pair(self, i: int) -> tuple[Floats, Floats] | None:
        """The i-th pair of scales; None where there are none."""
        if self.a.scales is None or self.b.scales is None:
            return None
        x, y = (s[i if len(s) > 1 else 0] for s in (self.a.scales, self.b.scales))
        return x, y

    def special_sum(self, places: slice) -> Floats | None:
        """0, or the infinity or NaN that special products at these places make of every output; None: none there."""
        if self.a.special is None and self.b.special is None:
            return None
        sides = [(s.values if s.special is None else s.special)[places] for s in (self.a, self.b)]
        if all(np.isfinite(s).all() for s in sides):
            return None
        if not self.outer:
            return self._special_rows(*sides)
        va, vb = (np.moveaxis(s, 0, -1).astype(np.float64) for s in sides)
        return judge(*special_products(va[:, 0], vb[0], lambda x, y: np.asarray(np.matmul(x, y.T))))

    def _special_rows(self, a: Array, b: Array) -> Floats:
        """The same of outputs with operands of their own: most have nothing special."""
        found = np.zeros(self.shape)
        which = np.flatnonzero(~(np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)))
        va, vb = (x[:, which].T.astype(np.float64) for x in (a, b))
        found[which] = judge(*special_products(va, vb, lambda x, y: np.asarray(np.einsum("ik,ik->i", x, y))))
        return found


def contract(a: Array, b: Array, outer: bool) -> Floats:
    """The sums of the products of some places, (places, outputs), where float64 adds them without error."""
    if outer:
        return np.asarray(np.matmul(a[:, :, 0].T, b[:, 0, :]))
    return np.asarray(np.einsum("ki,ki->i", a, b))


def power(e: NDArray[Any]) -> Floats:
    """2**e for integers of float64's normal range."""
    return ((e.astype(np.int64) + 1023) << 52).view(np.float64)


def to_binary32(x: Floats) -> Floats:
    """float64 values rounded to binary32, in float64."""
    with np.errstate(over="ignore"):
        return x.astype(np.float32).astype(np.float64)


def product32(x: Floats, y: Floats) -> Floats:
    """x * y rounded once to binary32, in float64."""
    with np.errstate(all="ignore"):
        head, rest = two_product(*np.broadcast_arrays(x, y))
        return to_odd(head, np.where(np.isfinite(rest), rest, 0.0)).astype(np.float32).astype(np.float64)


def make_side(
    codes: Array,
    f: Format,
    dtype: DTypeLike,
    zero: int,
    exponent_dtype: DTypeLike,
    axis: int | None,
    *,
    inside: Floats | None,
    least: float = 0.0,
    signed: bool = False,
) -> Side:
    """A side of codes (outputs, K), times powers of two ``inside`` (outputs, K); ``axis``: where outputs broadcast.

    Operands below ``least`` become +0, or (``signed``) zeros of their sign.
    """
    codes = np.ascontiguousarray(codes)
    values = decode_codes(codes, f, F64).view(np.float64)
    exponents = exponents_of(values, f, zero) if f.k > TABLE else exponent_table(f, zero)[codes]
    if least:
        values = np.where(np.abs(values) < least, np.copysign(0.0, values) if signed else 0.0, values)
    if inside is not None:
        with np.errstate(invalid="ignore"):
            values = values * inside
        exponents = exponents + (np.frexp(inside)[1] - 1)
    special = None
    finite = np.isfinite(values)
    if not finite.all():
        special = lay(values, np.float64, axis)
        values = np.where(finite, values, 0.0)
    return Side(lay(values, dtype, axis), lay(exponents, exponent_dtype, axis), special, zero)


def lay(x: Array, dtype: DTypeLike, axis: int | None) -> Array:
    """(outputs, K) to (K, outputs), (K, rows, 1) or (K, 1, columns)."""
    turned: NDArray[Any] = np.ascontiguousarray(x.T, dtype)
    return turned if axis is None else np.expand_dims(turned, axis)
