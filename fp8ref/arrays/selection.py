"""Minimum and maximum, comparisons, classes, sign bits and neighbours of arrays of codes.

Operands are as in :mod:`fp8ref.arrays.arithmetic`.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from ..fast import compare as fast
from ..fast.environment import exact_floats
from ..fast.kernel import Random
from ..spec.formats import Format
from ..spec.operations.compare import CLASS_PREDICATES, predicate_relations
from ..spec.operations.definition import Semantics, get_semantics
from ..spec.operations.integers import OutOfRange, get_integer
from ..spec.projection import get_projection
from ..spec.rounding import Rounding
from .arithmetic import Options, compute_arrays_of, operand, operands
from .conversion import Array, FormatLike
from .randomness import random_words


def _native(a: ArrayLike, format: FormatLike | None) -> tuple[Array, Format]:
    codes, f = operand(a, format, "a")
    return codes.astype(codes.dtype.newbyteorder("="), copy=False), f


@exact_floats
def minimum(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    number: bool = False,
    magnitude: bool = False,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """The smaller; -0 is smaller than +0.  [IEEE 754-2019 9.6; P3109 Minimum]

    A NaN gives a NaN, or with ``number`` the other operand (minimumNumber); a signalling one is NV in either form.
    ``magnitude`` compares magnitudes first (minimumMagnitude, minimumMagnitudeNumber).  Raises as :func:`fp8ref.add`.
    """
    return compute_arrays_of(_extreme("minimum", number, magnitude), (a, b), (format, format_b), result, options)


@exact_floats
def maximum(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    number: bool = False,
    magnitude: bool = False,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """The larger; +0 is larger than -0.  Options as in :func:`minimum`.  [IEEE 754-2019 9.6; P3109 Maximum]"""
    return compute_arrays_of(_extreme("maximum", number, magnitude), (a, b), (format, format_b), result, options)


def _extreme(name: str, number: bool, magnitude: bool) -> str:
    return name + "_magnitude" * magnitude + "_number" * number


@exact_floats
def compare(
    a: ArrayLike,
    b: ArrayLike,
    predicate: str,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    signalling: bool | None = None,
    snan: str = "ieee",
    flags: bool = False,
) -> Any:
    """Does a predicate hold?  A bool array; with ``flags`` also the status.  [IEEE 754-2019 5.11]

    ``predicate``: eq ne lt le gt ge, lg (less or greater), un, ord, and the negations nlt nle ngt nge nlg, true where a
    NaN is compared.  ``signalling`` makes every NaN NV; None does so for all but eq, ne, un, ord, as programming
    languages do.  Values are compared, whatever their formats; the two zeros are equal.

    >>> compare([0x38, 0x7F], [0x40, 0x38], "lt", "e4m3fn", flags=True)
    (array([ True, False]), array([ 0, 16], dtype=uint8))

    Raises ValueError for unknown predicates, and what :func:`fp8ref.add` raises for operands.
    """
    predicate_relations(predicate)
    if snan not in ("ieee", "quiet"):
        raise ValueError(f"unknown snan {snan!r}; choose from ieee, quiet")
    arrays, found = operands((a, b), (format, format_b))
    formats = (found[0], found[1])
    holds, status = fast.compare_arrays(predicate, arrays, formats, signalling, snan == "ieee", flags)
    return holds if status is None else (holds, status)


@exact_floats
def total_order(
    a: ArrayLike, b: ArrayLike, format: FormatLike | None = None, *, semantics: Semantics | str = "ieee"
) -> Array:
    """Is a at or before b in the total order of one format?  [IEEE 754-2019 5.10; P3109 TotalOrder]

    -NaN, -Inf, ..., -0, +0, ..., +Inf, +NaN, NaNs by payload; under P3109 its one NaN comes first.

    Raises ValueError for operands of different formats.
    """
    arrays, found = operands((a, b), (format, None))
    if found[0] != found[1]:
        raise ValueError(f"the total order is of one format, not of {found[0].name} and {found[1].name}")
    return fast.total_order_arrays(arrays, found[0], get_semantics(semantics))


@exact_floats
def classify(a: ArrayLike, format: FormatLike | None = None) -> Array:
    """The class of every code as a number of :class:`fp8ref.spec.operations.compare.Class`.  [IEEE 754-2019 5.7.2]

    0 to 9: -Inf, -normal, -subnormal, -0, +0, +subnormal, +normal, +Inf, signalling NaN, quiet NaN (RISC-V fclass).
    """
    codes, f = _native(a, format)
    return fast.classes(codes, f)


@exact_floats
def is_class(a: ArrayLike, predicate: str, format: FormatLike | None = None) -> Array:
    """Which codes are in a class?  A bool array.  [IEEE 754-2019 5.7.2]

    ``predicate``: isnan issignalling isinf isfinite isnormal issubnormal iszero issignminus, and P3109's isone.

    >>> is_class([0x7F, 0x01, 0x38], "issubnormal", "e4m3fn").tolist()
    [False, True, False]

    Raises ValueError with the choices for another predicate.
    """
    codes, f = _native(a, format)
    if predicate == "issignminus":
        return fast.has_sign(codes, f)
    if predicate == "isone":
        return fast.is_one(codes, f)
    if predicate not in CLASS_PREDICATES:
        choices = ", ".join([*CLASS_PREDICATES, "issignminus", "isone"])
        raise ValueError(f"unknown predicate {predicate!r}; choose from {choices}")
    member = np.isin(np.arange(10), [int(c) for c in CLASS_PREDICATES[predicate]])
    return np.asarray(member[fast.classes(codes, f)])


@exact_floats
def abs_(a: ArrayLike, format: FormatLike | None = None) -> Array:
    """The sign bit cleared; NaNs too, no flags.  The lowest two's-complement value becomes the largest.

    [IEEE 754-2019 5.5.1]
    """
    codes, f = _native(a, format)
    return fast.with_sign(codes, f, np.zeros(codes.shape, bool))


@exact_floats
def negate(a: ArrayLike, format: FormatLike | None = None) -> Array:
    """The sign bit inverted; NaNs too, no flags.  Zero stays where there is no -0.  [IEEE 754-2019 5.5.1]

    Raises ValueError for unsigned formats.
    """
    codes, f = _native(a, format)
    if not f.signed:
        raise ValueError(f"negate is undefined in {f.name}: an unsigned format has no negative of any value but 0")
    return fast.with_sign(codes, f, codes & codes.dtype.type(f.sign_bit) == 0)


@exact_floats
def copysign(a: ArrayLike, b: ArrayLike, format: FormatLike | None = None) -> Array:
    """The magnitude of a with the sign of b; no flags.  A NaN at the code of -0 counts as +.  [IEEE 754-2019 5.5.1]

    Raises ValueError for operands of different formats.
    """
    (x, y), found = operands((a, b), (format, None))
    if found[0] != found[1]:
        raise ValueError(f"copysign is an operation of one format, not of {found[0].name} and {found[1].name}")
    return fast.with_sign(x, found[0], fast.has_sign(y, found[0]))


@exact_floats
def next_up(
    a: ArrayLike, format: FormatLike | None = None, *, semantics: Semantics | str = "ieee", flags: bool = False
) -> Any:
    """The least value above; NV for a signalling NaN.  [IEEE 754-2019 5.3.1 nextUp; P3109 NextGreaterThan]

    Beyond the largest finite value: infinity, else NaN, else the value itself.  Infinity stays, under P3109 it becomes
    NaN.
    """
    return _next(a, format, 1, semantics, flags)


@exact_floats
def next_down(
    a: ArrayLike, format: FormatLike | None = None, *, semantics: Semantics | str = "ieee", flags: bool = False
) -> Any:
    """The greatest value below; see :func:`next_up`.  [IEEE 754-2019 5.3.1 nextDown; P3109 NextLessThan]"""
    return _next(a, format, -1, semantics, flags)


def _next(a: ArrayLike, format: FormatLike | None, step: int, semantics: Semantics | str, flags: bool) -> Any:
    codes, f = _native(a, format)
    moved, status = fast.neighbours(codes, f, step, get_semantics(semantics))
    return (moved, status) if flags else moved


@exact_floats
def to_integer(
    a: ArrayLike,
    integer: str,
    format: FormatLike | None = None,
    *,
    rounding: Rounding | str = "rtz",
    exact: bool = True,
    out_of_range: OutOfRange | str = "riscv",
    subnormal: str = "keep",
    random_bits: ArrayLike | None = None,
    random_width: int | None = None,
    rng: np.random.Generator | None = None,
    flags: bool = False,
) -> Any:
    """Values rounded to an integer type, i8 to u64.  [IEEE 754-2019 5.8]  From integers it is :func:`fp8ref.encode`.

    NaN, infinities and rounded values outside the type are NV and become what ``out_of_range`` says: ``riscv`` (the
    nearest end; NaN the largest), ``arm`` (the nearest end; NaN 0) or ``x86`` (the integer indefinite).  ``exact``
    raises NX (convertToIntegerExact).

    >>> to_integer([0x7F, 0xB8, 0x3C], "i8", "e4m3fn", flags=True)
    (array([127,  -1,   1], dtype=int8), array([16,  0,  1], dtype=uint8))

    Raises ValueError for unknown names, with the choices.
    """
    codes, f = _native(a, format)
    to = get_integer(integer)
    rho = get_projection(f, rounding, subnormal=subnormal)
    try:
        rule = OutOfRange(out_of_range)
    except ValueError:
        choices = ", ".join(OutOfRange)
        raise ValueError(f"unknown out_of_range {out_of_range!r}; choose from {choices}") from None
    words = random_words(rho.rounding, codes.shape, random_bits, random_width, rng)
    random = None if words is None else Random(words[0].astype(np.uint64), words[1])
    answer, status = fast.to_integers(codes, f, to, rho, exact, rule, random)
    return (answer, status) if flags else answer
