"""Exact sums of a few float64 arrays, rounded once: error-free transformations [Dekker 1971; Shewchuk 1997].

An *expansion* is a list of arrays whose exact sum is meant, element by element; after :func:`grow` its components do
not overlap and grow in magnitude.  Nothing here is exact beyond float64's range: callers keep components below 2**1000
and products of components above 2**-1000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.projection import Projection
from ...spec.rounding import Rounding
from ..encode import convert_codes
from ..kernel import U64, Fields, code_dtype, project_codes

Floats = NDArray[np.float64]
F64 = get_format("f64")
_DIRECT: dict[str, type[np.floating[Any]]] = {"f32": np.float32, "f16": np.float16}
_SPLIT = float(2**27 + 1)


def two_sum(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """x + y to nearest, and what was lost, exactly."""
    s = x + y
    z = s - x
    return s, (x - (s - z)) + (y - z)


def halves(x: Floats) -> tuple[Floats, Floats]:
    """x as a sum of numbers of 26 bits."""
    t = _SPLIT * x
    high = t - (t - x)
    return high, x - high


def two_product(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """x * y to nearest, and what was lost, exactly."""
    return two_product_of(x, halves(x), y, halves(y))


def two_product_of(
    x: Floats, of_x: tuple[Floats, Floats], y: Floats, of_y: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The same with the halves of both."""
    p, (xh, xl), (yh, yl) = x * y, of_x, of_y
    return p, ((xh * yh - p) + xh * yl + xl * yh) + xl * yl


def grow(terms: Sequence[Floats]) -> list[Floats]:
    """The sum of any terms as a nonoverlapping expansion, smallest component first [Shewchuk 1997, theorem 10]."""
    grown: list[Floats] = []
    for q in terms:
        longer = []
        for e in grown:
            q, r = two_sum(q, e)
            if r.any():
                longer.append(r)
        grown = [*longer, q]
    return grown


def condense(expansion: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """(head, rest, tail): head the sum to nearest or its neighbour's side, rest and tail what is left.

    rest is 0 only where head is the sum; |rest| is at most half an ulp of head.  tail has the sign of what rest itself
    leaves out, and is less than the lowest bit of rest.
    """
    head = expansion[-1]
    rest = np.zeros_like(head)
    tail = np.zeros_like(head)
    for e in reversed(expansion[:-1]):
        waiting = rest == 0
        tail = np.where(~waiting & (tail == 0), e, tail)
        head, lost = two_sum(head, np.where(waiting, e, 0.0))
        rest = np.where(waiting, lost, rest)
    return head, rest, tail


def to_odd(head: Floats, rest: Floats) -> Floats:
    """head + rest rounded to odd: a second rounding to 51 bits or fewer cannot distinguish it from the sum."""
    bits = head.view(np.int64)
    move = (rest != 0) & (bits & 1 == 0)
    away = np.signbit(rest) == np.signbit(head)
    return (bits + np.where(move, np.where(away, 1, -1), 0)).view(np.float64)


def round_values(x: Floats, f: Format, rho: Projection) -> NDArray[Any]:
    """Codes in ``f`` of float64 values (rounded to odd where they are not exact), infinities and NaNs among them."""
    dtype = _DIRECT.get(f.name)
    if dtype is None or rho.rounding is not Rounding.TIES_TO_EVEN:
        return convert_codes(x.view(np.uint64), F64, f, rho, False)[0]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        y = x.astype(dtype)
    codes = y.view(code_dtype(f))
    beyond = ~np.isfinite(y)
    if beyond.any():  # the rule of overflow, and NaNs, are the reference's
        codes[beyond] = convert_codes(x[beyond].view(np.uint64), F64, f, rho, False)[0]
    return codes


def round_sum(terms: Sequence[Floats], special: Floats | None, f: Format, rho: Projection) -> NDArray[Any]:
    """Codes in ``f`` of the exact sums of finite terms, rounded once; where ``special`` is not 0, of that instead.

    A zero sum is +0.  Terms are arrays of one shape; the codes have it too.
    """
    *more, head = expansion = grow(terms)
    if more:
        head, rest, tail = condense(expansion)
        if f.p > 50:
            return _by_fields(head, rest, tail, special, f, rho)
        head = to_odd(head, rest)
    head = head + 0.0
    if special is not None:
        head = np.where(special == 0, head, special)
    return round_values(head, f, rho)


def sum_fields(terms: Sequence[Floats], special: Floats | None) -> Fields:
    """The exact sums of finite terms taken apart, to 62 bits and a sticky bit; where ``special`` is not 0, that."""
    return _fields(*condense(grow(terms)), special)


def _by_fields(
    head: Floats, rest: Floats, tail: Floats, special: Floats | None, f: Format, rho: Projection
) -> NDArray[Any]:
    return project_codes(_fields(head, rest, tail, special), f, rho)[0].astype(code_dtype(f))


def _fields(head: Floats, rest: Floats, tail: Floats, special: Floats | None) -> Fields:
    """Nine bits below float64's, and a sticky bit."""
    sign = np.where(np.signbit(head), -1.0, 1.0)
    fraction, e = np.frexp(np.abs(head))
    below = np.ldexp(rest * sign, 62 - e)
    whole = np.floor(below)
    sticky = (whole != below) | (tail != 0)
    whole -= (whole == below) & (tail * sign < 0)
    sig = (np.ldexp(fraction, 53).astype(np.int64) << 9) + whole.astype(np.int64)
    sig |= sticky
    other = np.zeros(head.shape) if special is None else special
    nan, infinite = np.isnan(other), np.isinf(other)
    negative = np.where(infinite, other < 0, head < 0)
    return Fields(negative, sig.astype(U64), e.astype(np.int64) - 62, infinite, nan)
