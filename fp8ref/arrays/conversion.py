"""Conversions of arrays: every shape, stride and byte order in, arrays of codes or floats out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..fast.decode import decode_codes
from ..fast.encode import convert_codes, convert_integers
from ..fast.environment import exact_floats
from ..fast.kernel import code_dtype
from ..fast.tables import exactly_holds
from ..spec.catalog import CATALOG, get_format
from ..spec.formats import Format
from ..spec.overflow import OverflowLike
from ..spec.projection import NaN, Negative, Projection, SNaN, Subnormal, get_projection
from ..spec.rounding import Rounding
from ..spec.status import Tininess
from .dense import dense
from .randomness import random_words

Array = NDArray[Any]
FormatLike = Format | str | type | np.dtype[Any]

FLOAT_DTYPES: dict[str, np.dtype[Any]] = {
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
_BY_DTYPE = {dtype: get_format(name) for name, dtype in FLOAT_DTYPES.items()}


def _own_formats() -> dict[np.dtype[Any], Format]:
    found = {}
    for name in dir(ml_dtypes):
        kind = getattr(ml_dtypes, name)
        if name.startswith("float") and isinstance(kind, type):
            with suppress(ValueError):  # a later ml_dtypes may have types that the catalogue lacks
                found[np.dtype(kind)] = get_format(name)
    return found


OWN_FORMAT = _own_formats()  # ml_dtypes' narrow floats carry their format with them


def float_format(dtype: DTypeLike) -> Format:
    """The format of a float dtype.  Raises TypeError for any other than float16, bfloat16, float32 and float64."""
    found = _BY_DTYPE.get(np.dtype(dtype).newbyteorder("="))
    if found is None:
        raise TypeError(f"dtype must be float16, bfloat16, float32 or float64, not {np.dtype(dtype)}")
    return found


def _as_bits(x: Array, f: Format) -> Array:
    """The same memory read as codes."""
    return x.view(code_dtype(f).newbyteorder(x.dtype.byteorder))


def as_codes(codes: ArrayLike, format: FormatLike | None, what: str = "codes") -> tuple[Array, Format]:
    """An array of codes and its format.

    Raises TypeError for arrays that are not integers (or of an ml_dtypes float of at most 8 bits), ValueError for codes
    outside 0 .. 2**k - 1, with the first one and where it is.
    """
    c = dense(codes, what)
    own = OWN_FORMAT.get(c.dtype)
    if own is not None:
        f = own if format is None else get_format(format)
        if f != own:
            raise TypeError(f"{what} have dtype {c.dtype} and cannot be codes of {f.name}")
        return c.view(np.uint8), f
    if format is None:
        raise TypeError(f"{what} of dtype {c.dtype} do not say their format: name it")
    f = get_format(format)
    if c.size == 0 and not isinstance(codes, np.ndarray):
        c = c.astype(np.uint8)
    if c.dtype.kind not in "iu" or c.dtype == bool:
        raise TypeError(
            f"{what} must be integers, not {c.dtype}: codes are bit patterns (encode() makes them from values)"
        )
    wanted = code_dtype(f)
    every_code_exists = c.dtype.kind == "u" and c.dtype.itemsize * 8 <= f.k
    if c.size and not every_code_exists and (int(c.min()) < 0 or int(c.max()) > f.code_mask):
        where = tuple(int(i) for i in np.argwhere((c < 0) | (c > f.code_mask))[0])
        raise ValueError(f"{what}{list(where)} = {int(c[where])} is not a code of {f.name}: 0 to {f.code_mask:#x}")
    if c.dtype.newbyteorder("=") != wanted:
        c = c.astype(wanted)
    return c, f


@exact_floats
def encode(
    x: ArrayLike,
    format: FormatLike,
    *,
    rounding: Rounding | str = "rne",
    overflow: OverflowLike | None = None,
    nan: NaN | str = "canonical",
    negative: Negative | str = "lowest",
    tininess: Tininess | str = "after",
    snan: SNaN | str = "ieee",
    subnormal: Subnormal | str = "keep",
    random_bits: ArrayLike | None = None,
    random_width: int | None = None,
    rng: np.random.Generator | None = None,
    flags: bool = False,
) -> Any:
    """Codes of values in a format: one correct rounding, then saturation.  [OCP OFP8 1.0 5.2; IEEE 754-2019 4.3, 7]

    ``x``: float16, bfloat16, float32, float64, (u)int8 to (u)int64, an ml_dtypes narrow float, or Python numbers; any
    shape, strides and byte order.  Returns codes of x's shape in the smallest unsigned dtype that holds k bits (a
    scalar gives a 0-d array); with ``flags`` also the status of each element, uint8: NX 1, UF 2, OF 4, DZ 8, NV 16.

    ``rounding``: rne rna rtz rtp rtn rto or the long IEEE names; stochastic sr-a sr-b sr-c (P3109), sr-ptx, sr-bias
    (Intel), sr-hip, sr-hip-ocp, which take ``random_bits`` (unsigned, x's shape) of ``random_width`` bits (default: all
    that the dtype has), or draw them from ``rng``.  ``overflow``: sat, satprop, nonsat, or a pair
    (finite, infinite) of max, ieee, inf, nan; by default sat for formats of at most 8 bits and IEEE 754's own rule,
    nonsat, for wider ones.  ``nan``: canonical, keep-sign, quiet, payload, default, max, signed-max,
    zero, error.
    ``negative`` (unsigned formats): lowest or magnitude; any format: zero, which makes +0 of everything below it.
    ``tininess``: after, before or delivered, for the underflow flag.  ``snan``: ieee, or quiet (a signalling NaN raises
    nothing).  ``subnormal``: keep, daz (subnormal operands are zeros), ftz (tiny results become zeros, raising UF and
    NX), both.

    >>> import numpy as np
    >>> encode(np.float32([0.3, 464, 465, np.inf]), "e4m3fn").tolist()
    [42, 126, 126, 126]
    >>> encode([465.0], "e4m3fn", overflow="nonsat", flags=True)
    (array([127], dtype=uint8), array([5], dtype=uint8))

    Raises TypeError for long double, bool, complex, object and text; ValueError for unknown names, with the choices,
    for a NaN where ``nan="error"``, and for random bits of another shape or width.
    """
    f = get_format(format)
    rho = get_projection(f, rounding, overflow, nan, negative, tininess, snan, subnormal)
    values = dense(x, "x")
    random = random_words(rho.rounding, values.shape, random_bits, random_width, rng)
    codes, status = _encode(values, f, rho, flags, random)
    return codes if status is None else (codes, status)


def _encode(
    x: Array, f: Format, rho: Projection, flags: bool, random: tuple[Array, int] | None
) -> tuple[Array, Array | None]:
    dtype = x.dtype.newbyteorder("=")
    source = _BY_DTYPE.get(dtype) or OWN_FORMAT.get(dtype)
    if source is not None:
        return convert_codes(_as_bits(x, source), source, f, rho, flags, random)
    if dtype.kind in "iu" and dtype.itemsize <= 8:
        return convert_integers(x, f, rho, flags, random)
    raise TypeError(
        f"cannot encode dtype {x.dtype}: values are float16, bfloat16, float32, float64 or (u)int8 to (u)int64"
    )


@exact_floats
def decode(
    codes: ArrayLike,
    format: FormatLike | None = None,
    *,
    dtype: DTypeLike = np.float32,
    inexact: Literal["raise", "round"] = "raise",
) -> Array:
    """Values of codes, exactly.  [OCP OFP8 1.0 5.1; OCP MX 1.0 5.3, 5.4]

    ``codes``: integers of any shape (an ml_dtypes float of at most 8 bits has its own ``format``).  Returns an array
    of that shape and of ``dtype``: float16, bfloat16, float32 or float64.  A NaN code becomes the quiet NaN of its
    sign.

    >>> decode([0x7E, 0x01, 0xFF], "e4m3fn").tolist()
    [448.0, 0.001953125, nan]

    Raises ValueError for codes outside the format, and where the dtype lacks a finite value of the format, unless
    ``inexact="round"`` asks for rounding to nearest even.
    """
    c, f = as_codes(codes, format)
    carrier = float_format(dtype)
    if inexact not in ("raise", "round"):
        raise ValueError(f"unknown inexact {inexact!r}; choose raise, round")
    if inexact == "raise" and not exactly_holds(carrier, f):
        raise ValueError(
            f"{np.dtype(dtype)} cannot hold every finite value of {f.name}; take a wider dtype or inexact='round'"
        )
    return decode_codes(c, f, carrier).view(FLOAT_DTYPES[carrier.name])


@exact_floats
def quantize(
    x: ArrayLike,
    format: FormatLike,
    *,
    inexact: Literal["raise", "round"] = "raise",
    **options: Any,
) -> Any:
    """The values that values become in a format: ``decode(encode(x))`` in x's own dtype.

    Integers give float32 where that holds every value of the format, else float64.  ``options`` are those of
    :func:`encode`; with ``flags=True`` the status comes second.

    >>> quantize(0.3, "e4m3fn").item()
    0.3125

    Raises what :func:`encode` and :func:`decode` raise.
    """
    f = get_format(format)
    values = dense(x, "x")
    answer = encode(values, f, **options)
    codes, status = answer if isinstance(answer, tuple) else (answer, None)
    if values.dtype.newbyteorder("=") in _BY_DTYPE:
        dtype: np.dtype[Any] = values.dtype.newbyteorder("=")
    else:
        dtype = np.dtype(np.float32 if exactly_holds(CATALOG["f32"], f) else np.float64)
    result = decode(codes, f, dtype=dtype, inexact=inexact)
    return result if status is None else (result, status)


@exact_floats
def convert(
    codes: ArrayLike,
    source: FormatLike | None,
    result: FormatLike,
    *,
    rounding: Rounding | str = "rne",
    overflow: OverflowLike | None = None,
    nan: NaN | str = "canonical",
    negative: Negative | str = "lowest",
    tininess: Tininess | str = "after",
    snan: SNaN | str = "ieee",
    subnormal: Subnormal | str = "keep",
    random_bits: ArrayLike | None = None,
    random_width: int | None = None,
    rng: np.random.Generator | None = None,
    flags: bool = False,
) -> Any:
    """Codes of one format to codes of another, with one rounding.

    ``codes`` as in :func:`decode`, options as in :func:`encode`; returns codes of ``result`` (with ``flags`` also the
    status), of the same shape.

    >>> convert([0x7B], "e5m2", "e4m3fn").tolist()
    [126]

    Raises what :func:`encode` raises, and ValueError for codes outside ``source``.
    """
    c, f = as_codes(codes, source)
    to = get_format(result)
    rho = get_projection(to, rounding, overflow, nan, negative, tininess, snan, subnormal)
    random = random_words(rho.rounding, c.shape, random_bits, random_width, rng)
    out, status = convert_codes(c, f, to, rho, flags, random)
    return out if status is None else (out, status)
