"""Arithmetic on arrays of codes: one correct rounding of the exact result, with status flags.

Every function takes codes of any shape, broadcast against each other, in formats that may differ: ``format`` for the
first operand, ``format_b`` and ``format_c`` for the others (default: the first's), ``result`` for the answer (default:
the operands' own where they share one).  Arrays of float16, bfloat16, float32 and float64 are taken as codes of their
own formats, as are ml_dtypes' narrow floats.  The answer is an array of codes; with ``flags=True`` the status of every
element comes second, uint8: NX 1, UF 2, OF 4, DZ 8, NV 16.

Options, all keywords: ``rounding``, ``overflow``, ``nan``, ``negative``, ``tininess``, ``snan``, ``subnormal``,
``random_bits``, ``random_width``, ``rng`` as in :func:`fp8ref.encode`, and ``semantics``: ``"ieee"`` (signed zeros, x/0
is an infinity and DZ, which then follows the overflow rule), ``"p3109"`` (one zero, x/0 is NaN), ``"p3109-formal"``
(its formal text), or ``"scales"``: a result in E8M0, for which no standard defines arithmetic, is what conversion
of the exact result gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from ..fast.arithmetic import Task, compute_arrays
from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.operations.arithmetic import require_defined
from ..spec.operations.definition import Semantics, get_semantics
from ..spec.overflow import OverflowLike
from ..spec.projection import NaN, Negative, SNaN, Subnormal, get_projection
from ..spec.rounding import Rounding
from ..spec.status import Tininess
from .conversion import _BY_DTYPE, Array, FormatLike, _as_bits, as_codes
from .dense import dense
from .randomness import random_words


class Options(TypedDict, total=False):
    """The keywords that every rounding operation takes."""

    rounding: Rounding | str
    overflow: OverflowLike | None
    nan: NaN | str
    negative: Negative | str
    tininess: Tininess | str
    snan: SNaN | str
    subnormal: Subnormal | str
    semantics: Semantics | str
    random_bits: ArrayLike | None
    random_width: int | None
    rng: np.random.Generator | None
    flags: bool


def operand(x: ArrayLike, format: FormatLike | None, what: str) -> tuple[Array, Format]:
    """Codes and format of an operand; a float array is read as codes of its own format.

    Raises what :func:`as_codes` raises, and TypeError for a float array that is said to be of another format.
    """
    array = dense(x, what)
    own = _BY_DTYPE.get(array.dtype.newbyteorder("=")) if isinstance(x, (np.ndarray, np.generic)) else None
    if own is None:  # Python floats are values, which a place for codes refuses
        return as_codes(x, format, what)
    if format is not None and get_format(format) != own:
        raise TypeError(f"{what} has dtype {array.dtype} and cannot be codes of {get_format(format).name}")
    return _as_bits(array, own), own


def operands(xs: Sequence[ArrayLike], formats: Sequence[FormatLike | None]) -> tuple[list[Array], list[Format]]:
    """Broadcast codes of several operands, and their formats; those not named are the first's, or their dtype's own."""
    arrays: list[Array] = []
    found: list[Format] = []
    names = "abc" if len(xs) <= 3 else [f"operand {n}" for n in range(1, len(xs) + 1)]
    for name, x, format in zip(names, xs, formats):
        knows = isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind not in "iu"
        wanted = format if format is not None or knows or not found else found[0]
        array, f = operand(x, wanted, name)
        arrays.append(array)
        found.append(f)
    return list(np.broadcast_arrays(*arrays)), found


def common(formats: Sequence[Format], result: FormatLike | None) -> Format:
    """The result's format.  Raises ValueError where it is not named and the operands do not share one."""
    if result is not None:
        return get_format(result)
    if any(f != formats[0] for f in formats):
        names = ", ".join(f.name for f in formats)
        raise ValueError(f"operands of different formats ({names}): name the format of the result")
    return formats[0]


def compute_arrays_of(
    op: str,
    xs: Sequence[ArrayLike],
    formats: Sequence[FormatLike | None],
    result: FormatLike | None,
    options: Options,
    integers: ArrayLike | None = None,
) -> Any:
    """An operation of the specification on arrays; ``integers``: its last operand, where that is one."""
    arrays, found = operands(xs, formats)
    to = common(found, result)
    given = dict(options)
    flags = bool(given.pop("flags", False))
    semantics = get_semantics(given.pop("semantics", Semantics.IEEE))  # type: ignore[arg-type]
    require_defined(op, to, semantics)
    bits, width, rng = (given.pop(name, None) for name in ("random_bits", "random_width", "rng"))
    rho = get_projection(to, **given)  # type: ignore[arg-type]
    if integers is not None:
        n = dense(integers, "n")
        if n.dtype.kind not in "iu":
            raise TypeError(f"the exponents n must be integers, not {n.dtype}")
        arrays = list(np.broadcast_arrays(*arrays, n.astype(np.int64)))
    random = random_words(rho.rounding, arrays[0].shape, bits, width, rng)  # type: ignore[arg-type]
    codes, status = compute_arrays(Task(op, tuple(found), to, rho, semantics), arrays, flags, random)
    return codes if status is None else (codes, status)


@exact_floats
def add(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a + b.  [IEEE 754-2019 5.4.1, 6.3; P3109 Add]

    >>> add([0x38, 0x7E], [0x38, 0x7E], "e4m3fn", flags=True)
    (array([ 64, 126], dtype=uint8), array([0, 5], dtype=uint8))

    Raises ValueError for unknown names and codes outside their format, and where the result's format is ambiguous or
    has no zero; TypeError for operands that are not codes.
    """
    return compute_arrays_of("add", (a, b), (format, format_b), result, options)


@exact_floats
def subtract(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a - b.  [IEEE 754-2019 5.4.1, 6.3; P3109 Subtract]  Raises as :func:`add` does."""
    return compute_arrays_of("subtract", (a, b), (format, format_b), result, options)


@exact_floats
def multiply(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a times b; 0 times infinity is NV.  [IEEE 754-2019 5.4.1; P3109 Multiply]  Raises as :func:`add` does."""
    return compute_arrays_of("multiply", (a, b), (format, format_b), result, options)


@exact_floats
def divide(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a / b; x/0 is DZ and then an infinity, which the overflow rule may saturate; 0/0 is NV.

    [IEEE 754-2019 5.4.1, 7.3; with ``semantics="p3109"`` P3109 Divide: x/0 is NaN]

    >>> divide([0x38], [0x00], "e4m3fn", flags=True), divide([0x38], [0x00], "e4m3fn", overflow="nonsat", flags=True)
    ((array([126], dtype=uint8), array([8], dtype=uint8)), (array([127], dtype=uint8), array([8], dtype=uint8)))

    Raises as :func:`add` does.
    """
    return compute_arrays_of("divide", (a, b), (format, format_b), result, options)


@exact_floats
def remainder(
    a: ArrayLike,
    b: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a - n b with n the integer nearest a/b, ties to even.  [IEEE 754-2019 5.3.1]  Raises as :func:`add` does."""
    return compute_arrays_of("remainder", (a, b), (format, format_b), result, options)


@exact_floats
def sqrt(
    a: ArrayLike, format: FormatLike | None = None, *, result: FormatLike | None = None, **options: Unpack[Options]
) -> Any:
    """The square root; of a negative number NV, of -0 it is -0.  [IEEE 754-2019 5.4.1]  Raises as :func:`add` does."""
    return compute_arrays_of("sqrt", (a,), (format,), result, options)


@exact_floats
def fma(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    format_c: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a b + c with one rounding.  [IEEE 754-2019 5.4.1; P3109 FMA]

    0 times infinity is NV whatever c is, a quiet NaN included (7.2 c leaves that open).

    >>> fma([0x31], [0x31], [0xB2], "e4m3fn").tolist()  # 0.5625 squared less 0.625
    [170]

    Raises as :func:`add` does.
    """
    return compute_arrays_of("fma", (a, b, c), (format, format_b, format_c), result, options)


@exact_floats
def faa(
    a: ArrayLike,
    b: ArrayLike,
    c: ArrayLike,
    format: FormatLike | None = None,
    format_b: FormatLike | None = None,
    format_c: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a + b + c with one rounding.  [P3109 FAA]  Raises as :func:`add` does."""
    return compute_arrays_of("faa", (a, b, c), (format, format_b, format_c), result, options)


@exact_floats
def round_to_integral(
    a: ArrayLike,
    format: FormatLike | None = None,
    *,
    exact: bool = False,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """The integral value next to a in the direction of ``rounding``; ``exact`` raises NX.  [IEEE 754-2019 5.9]

    Where the integer is beyond the format (15.5 in e3m4), it overflows.  Raises as :func:`add` does.
    """
    return compute_arrays_of(
        "round_to_integral_exact" if exact else "round_to_integral", (a,), (format,), result, options
    )


@exact_floats
def scale_b(
    a: ArrayLike,
    n: ArrayLike,
    format: FormatLike | None = None,
    *,
    result: FormatLike | None = None,
    **options: Unpack[Options],
) -> Any:
    """a times 2**n for integers n (values, not codes), with one rounding.  [IEEE 754-2019 5.3.3]

    Raises as :func:`add` does, and TypeError where n is not integers.
    """
    return compute_arrays_of("scale_b", (a,), (format,), result, options, n)


@exact_floats
def log_b(
    a: ArrayLike, format: FormatLike | None = None, *, result: FormatLike | None = None, **options: Unpack[Options]
) -> Any:
    """The exponent of the leading bit, as a number of the result's format; of 0 it is -infinity and DZ.

    [IEEE 754-2019 5.3.3]  Raises as :func:`add` does.
    """
    return compute_arrays_of("log_b", (a,), (format,), result, options)
