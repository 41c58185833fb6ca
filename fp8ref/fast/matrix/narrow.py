"""IEEE arithmetic on values of f32, f16 or bf16 that travel as float32 arrays, each operation rounded once."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spec.formats import Format
from ..chunks import Array
from .expansion import Floats, to_odd, two_sum

F32s = NDArray[np.float32]


def to_format(x: Array, f: Format, *, reach: float = math.inf) -> F32s:
    """float32 or float64 values (the latter exact or rounded to odd) to nearest in f32, f16 or bf16.

    ``reach``: what the caller knows no magnitude to exceed; it saves looking.
    """
    if f.name == "f32":
        return x.astype(np.float32, copy=False)
    if f.name == "f16":
        rounded = _to_f16(x, reach)
        return x.astype(np.float16).astype(np.float32) if rounded is None else rounded
    return _to_bf16(x)


def _to_f16(x: Array, reach: float) -> F32s | None:
    """To f16 by one addition: None where a value is 2**15 or more, infinite or NaN.

    Of |x| in [2**e, 2**(e + 1)), or below with e = -14, f16 holds the multiples of u = 2**(e - 10).  With t
    trailing significand bits of x, u is the ulp of m = 1.5 * 2**(e + t - 10); x + m stays among the numbers of that ulp
    and m is an even multiple of u, and so the sum rounds x to nearest, ties to even; subtracting m is exact.
    """
    kind: type[np.signedinteger[Any]]
    kind, t, bias = (np.int64, 52, 1023) if x.dtype == np.float64 else (np.int32, 23, 127)
    bits: Array = x.view(kind)
    field: Array = bits & kind((2 * bias + 1) << t)
    if not reach < 2.0**15 and int(field.max(initial=0)) >= (bias + 15) << t:
        return None
    np.maximum(field, _floor(field.shape, (bias - 14) << t, field.dtype.str), out=field)
    field += kind(((t - 10) << t) + (1 << (t - 1)))
    m: Array = field.view(x.dtype)
    rounded: Array = x + m
    rounded -= m
    signed: Array = rounded.view(kind)
    np.bitwise_and(bits, kind(np.iinfo(kind).min), out=field)
    signed |= field  # a zero keeps its sign
    return rounded.astype(np.float32, copy=False)


@lru_cache(maxsize=8)
def _floor(shape: tuple[int, ...], value: int, dtype: str) -> Array:
    """An array of one number: numpy's maximum with a scalar is four times as slow."""
    return np.full(shape, value, dtype)


def _to_bf16(x: Array) -> F32s:
    y = x.astype(np.float32)
    if x.dtype == np.float64:
        _make_odd(y, np.sign(x - y).astype(np.float32))
    u = y.view(np.uint32)
    rounded = ((u + np.uint32(0x7FFF) + ((u >> 16) & np.uint32(1))) & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(y), y, rounded)


def _make_odd(y: F32s, lost: F32s) -> None:
    """y, rounded to nearest, to odd: in place, where something was lost.  NaN: nothing was."""
    bits = y.view(np.int32)
    step = ((bits ^ lost.view(np.int32)) >> 31) | 1  # toward what was lost
    step *= (np.abs(lost) > 0) & (bits & 1 == 0)
    bits += step


def to_flushed(x: Array, f: Format) -> F32s:
    """The same; what is tiny after rounding becomes a zero of its sign.  A tiny sum of two numbers of f is exact."""
    least = 2.0**f.emin - 2.0 ** (f.emin - f.p - 1)  # from here on numbers round to the smallest normal one, or above
    rounded = to_format(x, f)
    return np.where(np.abs(x) < least, np.copysign(np.float32(0), rounded), rounded)


def flushed(x: F32s, f: Format) -> F32s:
    """Numbers of a format, those below its normal range as zeros of their sign."""
    return np.where(np.abs(x) < np.float32(2.0**f.emin), np.copysign(np.float32(0), x), x)


def add(x: F32s, y: F32s, f: Format, *, reach: float = math.inf) -> F32s:
    """x + y in a format.  float32 has bits enough that rounding its sum again is innocuous [Figueroa 1995]."""
    return to_format(x + y, f, reach=reach)


def fma(product: Floats, c: Array, f: Format, *, flush: bool = False) -> F32s:
    """An exact product in float64, plus c, rounded once; ``flush``: what is tiny becomes a zero of its sign."""
    head, rest = two_sum(product, c.astype(np.float64))
    return (to_flushed if flush else to_format)(to_odd(head, np.where(np.isfinite(head), rest, 0.0)), f)


def fma32(product: F32s, c: F32s, f: Format, *, reach: float = math.inf) -> F32s:
    """An exact product in float32, plus c, rounded once to f16 or bf16.

    A number halfway between two of the format's normal numbers is a float32, so a rounded sum that is none of these
    lies on the same side as the exact one.  Those that are, and sums below the normal range of f16, are rounded to odd
    first.
    """
    total = product + c
    rounded = to_format(total, f, reach=reach)
    bits = total.view(np.int32)
    beyond = 24 - f.p  # bits of float32 that the format has no room for
    if not beyond:
        return rounded
    doubtful = (bits & np.int32((1 << beyond) - 1)) == np.int32(1 << (beyond - 1))
    if f.emin > -126:
        doubtful |= (bits & np.int32(0x7FFFFFFF)) < np.int32((127 + f.emin) << 23)
    which = np.flatnonzero(doubtful)
    if which.size:
        head, p, q = (x.reshape(-1)[which] for x in (total, product, c))
        z = head - p
        _make_odd(head, (p - (head - z)) + (q - z))
        rounded.reshape(-1)[which] = to_format(head, f)
    return rounded
