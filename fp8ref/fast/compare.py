"""Comparisons, classes, sign bits, neighbours and integers of whole arrays; each equal to the one in ``spec``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.datum import Datum
from ..spec.formats import Format, NaNs
from ..spec.operations.compare import QUIET, Class, Relation, predicate_relations
from ..spec.operations.definition import Semantics
from ..spec.operations.integers import IntegerType, OutOfRange
from ..spec.projection import Projection
from ..spec.status import Status
from .chunks import Array, Scratch, for_each_chunk_of
from .encode import KERNEL_CHUNK
from .exact import EXACT, Context, is_zero, normalise
from .kernel import Codes, Fields, Random, code_dtype, nan_codes, operand_fields, unpack_fields
from .linear import pair_index

Bools = NDArray[np.bool_]
Flags = NDArray[np.uint8]
NV = np.uint8(Status.INVALID)


def signalling(codes: Codes, f: Format) -> Bools:
    """Which codes are signalling NaNs?"""
    if f.nans is not NaNs.IEEE or f.t == 0:
        return np.zeros(codes.shape, bool)
    magnitude = codes & codes.dtype.type(f.magnitude_mask)
    quiet = codes & codes.dtype.type(1 << (f.t - 1))
    found: Bools = (magnitude > codes.dtype.type(f.infinity_code)) & (quiet == 0)
    return found


def _relations(x: Fields, y: Fields) -> NDArray[np.uint8]:
    a, b = normalise(x), normalise(y)
    less = np.where(x.infinite | y.infinite, ~x.infinite, (a.exp < b.exp) | ((a.exp == b.exp) & (a.sig < b.sig)))
    equal = np.where(x.infinite | y.infinite, x.infinite & y.infinite, (a.exp == b.exp) & (a.sig == b.sig))
    xn, yn = x.negative & ~is_zero(x), y.negative & ~is_zero(y)
    less = np.where(xn == yn, np.where(xn, ~less & ~equal, less), xn)
    equal &= xn == yn
    answer = np.where(equal, Relation.EQUAL, np.where(less, Relation.LESS, Relation.GREATER))
    return np.where(x.nan | y.nan, Relation.UNORDERED, answer).astype(np.uint8)


def compare_arrays(
    predicate: str,
    arrays: Sequence[Array],
    formats: tuple[Format, Format],
    loud: bool | None,
    signals: bool,
    flags: bool,
) -> tuple[Bools, Flags | None]:
    """Does the predicate hold, and what is raised, for two arrays of codes of one shape?"""
    holds_for = np.array([r in predicate_relations(predicate) for r in Relation])
    loud = predicate not in QUIET if loud is None else loud

    def answer(a: Codes, b: Codes) -> tuple[Bools, Flags]:
        related = _relations(unpack_fields(a, formats[0]), unpack_fields(b, formats[1]))
        invalid = (related == Relation.UNORDERED) & loud
        if signals:
            invalid |= signalling(a, formats[0]) | signalling(b, formats[1])
        return holds_for[related], np.where(invalid, NV, np.uint8(0))

    return _pairwise(answer, arrays, formats, np.dtype(bool), flags)


def total_order_arrays(arrays: Sequence[Array], f: Format, semantics: Semantics) -> Bools:
    """Is a at or before b in the total order of one format?"""

    def answer(a: Codes, b: Codes) -> tuple[Bools, Flags]:
        keys = [_total_key(c, f, semantics) for c in (a, b)]
        return keys[0] <= keys[1], np.zeros(a.shape, np.uint8)

    return _pairwise(answer, arrays, (f, f), np.dtype(bool), False)[0]


def _total_key(codes: Codes, f: Format, semantics: Semantics) -> NDArray[np.int64]:
    """Magnitude codes are in the order of the values, infinity and NaNs after them; ~m puts -0 before +0."""
    magnitude = (codes & codes.dtype.type(f.magnitude_mask)).astype(np.int64)
    negative = (codes & codes.dtype.type(f.sign_bit)) != 0 if f.signed else np.zeros(codes.shape, bool)
    if f.fixed_point:
        return np.where(negative, magnitude | np.int64(-1 << (f.k - 1)), magnitude)
    if semantics.of_p3109:
        nan = nan_codes(codes, f)
        return np.where(nan, np.int64(-1 << 63), np.where(negative, -magnitude, magnitude))
    if f.nans is NaNs.NEGATIVE_ZERO:  # the NaN is at the code of -0
        return np.where(negative, np.where(magnitude == 0, np.int64((1 << 63) - 1), ~magnitude), magnitude - 1)
    return np.where(negative, ~magnitude, magnitude)


def _pairwise(
    answer: Callable[[Codes, Codes], tuple[Array, Flags]],
    arrays: Sequence[Array],
    formats: tuple[Format, Format],
    dtype: np.dtype[Any],
    flags: bool,
) -> tuple[Array, Flags | None]:
    """By a table where both operands have at most 8 bits, else in pieces."""
    n = arrays[0].size
    outs: list[Array] = [np.empty(n, dtype), *([np.empty(n, np.uint8)] if flags else [])]
    a, b = formats
    table: tuple[Array, Flags] | None = None
    if a.k + b.k <= 16 and n >= 1 << 12:
        every = np.arange(1 << (a.k + b.k))
        table = answer((every >> b.k).astype(code_dtype(a)), (every & b.code_mask).astype(code_dtype(b)))

    def body(chunks: Sequence[Array], parts: Sequence[Array], scratch: Scratch) -> None:
        if table is not None:
            index = pair_index(chunks[0], chunks[1], b.k, scratch)
            for part, answers in zip(parts, table):
                answers.take(index, out=part, mode="clip")
            return
        for start in range(0, chunks[0].size, KERNEL_CHUNK):
            piece = slice(start, start + KERNEL_CHUNK)
            for part, found in zip(parts, answer(chunks[0][piece], chunks[1][piece])):
                part[piece] = found

    for_each_chunk_of(arrays, outs, body)
    shaped = [out.reshape(arrays[0].shape) for out in outs]
    return shaped[0], shaped[1] if flags else None


def classes(codes: Codes, f: Format) -> NDArray[np.uint8]:
    """The class of every code, as ``spec.compare.Class`` numbers."""
    x = unpack_fields(codes, f)
    zero = is_zero(x)
    subnormal = (x.sig >> np.uint64(f.t) == 0) if not f.fixed_point else np.zeros(codes.shape, bool)
    rank = np.where(x.infinite, 3, np.where(zero, 0, np.where(subnormal, 1, 2)))
    signed = np.where(x.negative, Class.NEGATIVE_ZERO - rank, Class.POSITIVE_ZERO + rank)
    nan = np.where(signalling(codes, f), Class.SIGNALLING_NAN, Class.QUIET_NAN)
    return np.where(x.nan, nan, signed).astype(np.uint8)


# -- sign bits and neighbours -------------------------------------------------------------------------------------


def with_sign(codes: Codes, f: Format, negative: Bools) -> Codes:
    """Vectorised ``spec.quiet.with_sign``."""
    u = codes.dtype.type
    if not f.signed:
        if negative.any():
            raise ValueError(f"{f.name} is unsigned: its codes have no sign to set")
        return codes
    if f.fixed_point:
        magnitude = np.where(codes & u(f.sign_bit), (u(0) - codes) & u(f.code_mask), codes)
        answer = np.where(negative, (u(0) - magnitude) & u(f.code_mask), np.minimum(magnitude, u(f.max_code)))
        return answer.astype(codes.dtype)
    signed = (codes & u(f.magnitude_mask)) | np.where(negative, u(f.sign_bit), u(0))
    if f.has_negative_zero:
        return signed.astype(codes.dtype)
    # neither 0 nor a NaN at the code of -0 has a sign
    return np.where(codes & u(f.magnitude_mask), signed, codes).astype(codes.dtype)


def has_sign(codes: Codes, f: Format) -> Bools:
    """Which data are negative?  A NaN at the code of -0 is not."""
    x = unpack_fields(codes, f)
    return x.negative & ~x.nan if f.nans is NaNs.NEGATIVE_ZERO else x.negative


def is_one(codes: Codes, f: Format) -> Bools:
    """Which data are the number 1?  [P3109 IsOne]"""
    x = unpack_fields(codes, f)
    one = (x.sig == np.uint64(1) << np.clip(-x.exp, 0, 63).astype(np.uint64)) & (x.exp <= 0) & (x.exp > -64)
    return np.asarray(one & ~(x.negative | x.infinite | x.nan))


def neighbours(codes: Codes, f: Format, step: int, semantics: Semantics) -> tuple[Codes, Flags]:
    """Vectorised ``spec.quiet.next_up`` (step 1) and ``next_down`` (step -1)."""
    if f.fixed_point:
        u = codes.dtype.type
        moved = (codes + u(1) if step > 0 else codes - u(1)) & u(f.code_mask)
        last = codes == u(f.max_code if step > 0 else f.sign_bit)
        return np.where(last, codes, moved), np.zeros(codes.shape, np.uint8)
    x = unpack_fields(codes, f)
    loud = signalling(codes, f)
    c = codes.astype(np.int64)  # a 64-bit code's bits, sign included
    mask = np.int64(f.magnitude_mask)
    rung = np.where(x.negative, -(c & mask), c & mask) + step
    inside = (rung >= (-f.max_code if f.signed else 0)) & (rung <= f.max_code)
    minus = (rung < 0) | ((rung == 0) & x.negative & f.has_negative_zero)
    unsigned = np.abs(rung).astype(np.uint64)
    answer = unsigned | np.where(minus, np.uint64(f.sign_bit), np.uint64(0))
    beyond = np.uint64(f.nan_canonical) if f.nan_canonical is not None else codes.astype(np.uint64)
    if f.infinities and (step > 0 or f.signed):
        infinity = np.uint64(f.infinity_code | (f.sign_bit if step < 0 else 0))
        stays = codes.astype(np.uint64) if semantics is Semantics.IEEE else beyond
        beyond = np.where(x.infinite, stays, infinity)
    answer = np.where(inside, answer, beyond)
    quiet = codes.astype(np.uint64) | np.where(loud, np.uint64(1 << max(f.t - 1, 0)), np.uint64(0))
    answer = np.where(x.nan, quiet, answer)
    return answer.astype(codes.dtype), np.where(loud, NV, np.uint8(0))


# -- integers -----------------------------------------------------------------------------------------------------


def to_integers(
    codes: Codes,
    f: Format,
    to: IntegerType,
    rho: Projection,
    exact: bool,
    rule: OutOfRange,
    random: Random | None,
) -> tuple[Array, Flags]:
    """Vectorised ``spec.integers.to_integer``."""
    x = operand_fields(codes, f, rho)
    integral, inexact = EXACT["round_to_integral_exact"](x, Context(rho.rounding, Semantics.IEEE, random))
    shift = np.clip(integral.exp, 0, 64)
    n = normalise(integral)
    top = np.where(integral.sig == 0, -1, n.exp + 61)  # position of the leading bit
    magnitude = integral.sig << np.minimum(shift, 63).astype(np.uint64)
    limit = np.where(x.negative, np.uint64(-to.lowest), np.uint64(to.largest))
    wrong = x.nan | x.infinite | (top > 63) | (magnitude > limit)
    value = np.where(x.negative, np.uint64(0) - magnitude, magnitude)
    dtype = np.dtype(f"{'i' if to.signed else 'u'}{to.bits // 8}")
    answer = value.astype(np.uint64).view(np.int64).astype(dtype) if to.signed else value.astype(dtype)
    for where, datum in (
        (x.nan, Datum.nan()),
        (wrong & ~x.nan & x.negative, Datum.infinity(1)),
        (wrong & ~x.nan & ~x.negative, Datum.infinity()),
    ):
        answer[where] = to.replacement(datum, rule)
    status = np.where(wrong, NV, inexact & np.uint8(exact))
    return answer, status.astype(np.uint8)
