"""What no standard decides of functions that frameworks have under one name; every answer here is in use."""

from __future__ import annotations

import numpy as np

from ...fast.exact import is_zero
from .asked import Answer, Asked, Codes, Mask, Variation, nan_code


def _as_wanted(d: Asked) -> Codes:
    return d.want


def _plus_zero(d: Asked) -> Codes:
    return d.filled(0)


def _integral(d: Asked) -> Mask:
    """Where a finite operand leaves no fraction."""
    return np.asarray(((d.want & ~d.want.dtype.type(d.op.result_format.sign_bit)) == 0) & ~(d.x.infinite | d.x.nan))


OF_FUNCTIONS = (
    Variation(
        "activation-of-minus-infinity",
        "what silu, mish and gelu give for -infinity",
        "no standard defines them; the limit of their formulas is -0, and -infinity times 0 in these formulas is NaN",
        lambda op: op.family in ("silu", "mish", "gelu", "gelu_tanh"),
        lambda d: d.x.infinite & d.x.negative,
        (Answer("-0", "the limit; this reference", _as_wanted), Answer("NaN", "torch", nan_code)),
    ),
    Variation(
        "log-sigmoid-of-infinity",
        "which zero log_sigmoid gives for +infinity",
        "no standard defines it; its limit is -0, and the logarithm of sigmoid(+infinity) = 1 is +0",
        lambda op: op.family == "log_sigmoid" and op.result_format.has_negative_zero,
        lambda d: d.x.infinite & ~d.x.negative,
        (Answer("-0", "the limit; jax; this reference", _as_wanted), Answer("+0", "torch", _plus_zero)),
    ),
    Variation(
        "sign-of-minus-zero",
        "which zero the sign of -0 is",
        "NumPy reference, sign: 0; StableHLO, sign: -0; torch.sign says nothing",
        lambda op: op.family == "sign" and op.result_format.has_negative_zero,
        lambda d: is_zero(d.x) & d.x.negative,
        (Answer("-0", "ml_dtypes, jax; this reference", _as_wanted), Answer("+0", "NumPy, torch", _plus_zero)),
    ),
    Variation(
        "fraction-of-integer",
        "which zero the fraction of an integer is",
        "C23 7.12.6 modf: of the operand's sign; x - trunc(x), as torch.frac has it, is +0 by IEEE 754-2019 6.3",
        lambda op: op.family == "frac" and op.result_format.has_negative_zero,
        _integral,
        (Answer("of the operand's sign", "C; this reference", _as_wanted), Answer("+0", "torch.frac", _plus_zero)),
    ),
    Variation(
        "fraction-of-infinity",
        "the fraction of an infinity",
        "C23 F.10.3.18 modf: 0; x - trunc(x), as torch.frac has it, is NaN by IEEE 754-2019 7.2",
        lambda op: op.family == "frac",
        lambda d: d.x.infinite,
        (Answer("0", "C; this reference", _as_wanted), Answer("NaN", "torch.frac", nan_code)),
    ),
)  # fmt: skip
