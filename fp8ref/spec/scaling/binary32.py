"""Single operations of binary32 on exact data, each rounded once."""

from __future__ import annotations

from ..datum import ZERO, Datum
from ..matrix.accumulate import F32, product, rounded

ONE = Datum.finite(1)
FLT_MAX = Datum.finite(F32.max)


def times(x: Datum, y: Datum) -> Datum:
    return rounded(product(x, y), F32)


def over(x: Datum, y: Datum) -> Datum:
    """x / y in binary32."""
    if x.is_nan or y.is_nan or (x.is_zero and y.is_zero) or (x.is_infinite and y.is_infinite):
        return Datum.nan()
    sign = x.sign ^ y.sign
    if x.is_infinite or y.is_zero:
        return Datum.infinity(sign)
    if y.is_infinite or x.is_zero:
        return Datum.finite(ZERO, sign)
    return rounded(Datum.finite(x.magnitude / y.magnitude).with_sign(sign), F32)


def at_most(x: Datum, y: Datum) -> Datum:
    """The lesser of x and a positive finite y; NaN stays."""
    return y if (x.is_infinite and not x.sign) or (x.is_finite and x.value > y.value) else x
