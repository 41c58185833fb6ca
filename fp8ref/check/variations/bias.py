"""Where sources of x86 ACE's BIAS conversions from binary32 to E4M3 disagree: a bias is added, the rest is cut off."""

from __future__ import annotations

import numpy as np

from ...cases.operation import Operation
from ...cases.stochastic import field_of
from ...spec.overflow import To
from ...spec.rounding import Rounding
from .asked import Asked, Codes, Mask

BIAS = 127 - 7  # from an exponent field of binary32 to E4M3's


def by_bias(op: Operation) -> bool:
    if op.family != "convert" or op.operands[0] != "f32" or op.result != "e4m3fn" or len(op.operands) < 2:
        return False
    return op.projection.rounding is Rounding.STOCHASTIC_BIAS


def saturates_by_bias(op: Operation) -> bool:
    return by_bias(op) and op.projection.overflow.finite is To.MAX


def _added(d: Asked) -> tuple[Codes, Codes, Mask]:
    """Exponent field and fraction of binary32 with the bias in its lower bits; where the value is a normal number."""
    low, width = field_of(d.op)
    bits, words = (x.astype(np.uint64).astype(np.int64) for x in d.operands)
    field = bits >> 23 & 0xFF
    fraction = (bits & 0x7FFFFF) + (words >> low & (1 << width) - 1)
    return field + (fraction >> 23) - BIAS, fraction & 0x7FFFFF, (field > 0) & (field < 0xFF)


def below_normal(d: Asked) -> Mask:
    field, _, normal = _added(d)
    return np.asarray(normal & (field <= 0))


def all_ones(d: Asked) -> Mask:
    field, fraction, normal = _added(d)
    return np.asarray(normal & (field == 15) & (fraction >> 20 == 7))
