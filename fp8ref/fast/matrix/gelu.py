"""GELU of the epilogue on arrays: bounds in float64 where both ends round alike, else the specification.

Between -15 and 7 float64 gives both formulas to 2**-40 of their value: an error of 2**-52 in erfc's argument, below 11,
is multiplied by less than 2 * 11**2, one in 2 u, below 265, by 265.  From 7 on both are less than x 2**-38 below x;
from -15 down both are between -1e-49 and 0, where every format rounds alike.
"""

from __future__ import annotations

import math

import numpy as np

from ...spec.codec import pack, unpack
from ...spec.formats import Format
from ...spec.matrix.accumulate import TO_INFINITY
from ...spec.matrix.gelu import FORMULAS, GELU, REACH, formula
from ...spec.projection import Projection
from ...spec.rounding import Rounding
from ..decode import decode_codes
from .expansion import F64, Floats, round_values, to_odd, two_sum
from .narrow import F32s

_ERFC = np.frompyfunc(math.erfc, 1, 1)


def gelu(step: str, x: F32s, f: Format) -> F32s:
    """``spec.matrix.gelu.gelu`` of values of a format."""
    out = x.copy()
    out[np.isneginf(x)] = {"gelu": -0.0, "gelu_low": np.nan, "gelu_high": 0.0}[step]
    some = np.isfinite(x) & (x != 0)
    if some.any():
        values, where = np.unique(x[some], return_inverse=True)
        out[some] = _finite(step, values, f)[where.reshape(-1)]
    return out


def _finite(step: str, x: F32s, f: Format) -> F32s:
    wide, rounding = x.astype(np.float64), GELU[step]
    if step == "gelu":
        return _formula("gelu", wide, f, rounding)
    ends = [_formula(name, wide, f, rounding).astype(np.float64) for name in FORMULAS]
    reach = np.abs(wide) * float(REACH)  # exact: 24 and 9 bits
    low = step == "gelu_low"
    head, rest = two_sum(np.minimum(*ends) if low else np.maximum(*ends), -reach if low else reach)
    return _rounded(to_odd(head, rest), f, rounding)


def _formula(name: str, x: Floats, f: Format, rounding: Rounding) -> F32s:
    """One of the two formulas, rounded once."""
    with np.errstate(over="ignore", under="ignore"):
        if name == "gelu":
            y = x * np.asarray(_ERFC(-x / math.sqrt(2)), np.float64) / 2
        else:
            u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
            y = x / (1 + np.exp(-2 * u))
    near, far = y * (1 - 2.0**-40), y * (1 + 2.0**-40)
    near = np.where(x >= 7, x * (1 - 2.0**-38), np.where(x <= -15, -1e-300, near))
    far = np.where(x >= 7, np.nextafter(x, 0), np.where(x <= -15, -1e-49, far))
    found = _rounded(near, f, rounding)
    for i in np.flatnonzero(found != _rounded(far, f, rounding)):
        datum = formula(name, unpack(int(x[i].view(np.uint64)), F64), f, rounding)
        found[i] = _value(pack(datum, f), f)
    return found


def _rounded(x: Floats, f: Format, rounding: Rounding) -> F32s:
    codes = round_values(x, f, Projection(rounding, TO_INFINITY))
    return decode_codes(codes, f, F64).view(np.float64).astype(np.float32)


def _value(code: int, f: Format) -> np.float32:
    return np.float32(decode_codes(np.array([code], f"u{max(1, f.k // 8)}"), f, F64).view(np.float64)[0])
