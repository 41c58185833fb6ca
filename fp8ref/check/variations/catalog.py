"""The open questions, as data: each with the clause that leaves it open and the answers in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...cases.answers import is_nan
from ...cases.operation import Operation
from ...cases.scaling.questions import is_fake, is_scale, quantiser
from ...fast.exact import is_zero
from ...spec.catalog import get_format
from ...spec.formats import NaNs
from ...spec.status import Status
from .asked import (
    WITHOUT,
    Answer,
    Asked,
    Codes,
    Mask,
    Variation,
    beyond,
    downward_sum,
    element_signs,
    exact_sum,
    exact_zero,
    from_zero,
    has_minus_zero,
    infinite,
    largest,
    magnitude,
    minimum,
    minus_two,
    minus_zero,
    minus_zeros_alone,
    mx,
    nan_code,
    nan_elements,
    nan_scale,
    nan_unless_zero,
    no_zero,
    of_scale,
    of_scales,
    open_nan,
    open_overflow,
    rounded_up,
    signalling,
    signed,
    two_zeros,
    undefined_plus_nan,
    under_binary32,
    under_new_scale,
    unsigned,
    zeros_of_both_signs,
)  # fmt: skip
from .bias import all_ones, below_normal, by_bias, saturates_by_bias
from .functions import OF_FUNCTIONS


def _code(name: str, code: int, who: str) -> Answer:
    return Answer(name, who, lambda d: d.filled(code))


def _element_max(d: Asked) -> int:
    return get_format(quantiser(d.op).element).max_code


def _of_nan_sign(d: Asked) -> Mask:
    """Where the sign of a NaN decides; zero has one sign in these formats."""
    decided = d.parts[-1].nan & ~is_nan(d.want, d.op.result)
    return np.asarray(decided if d.op.result == "bool" else decided & (d.want != 0))


def _other_sign(d: Asked) -> Codes:
    """The other truth value; of a number the other sign."""
    if d.op.result == "bool":
        return np.asarray(d.want ^ d.want.dtype.type(1))
    return np.asarray(d.want ^ d.want.dtype.type(d.op.result_format.sign_bit))


VARIATIONS = (
    Variation(
        "nan-without-nan",
        "what a NaN becomes in a format that has none",
        "OCP MX 1.0 5.3: a NaN source is implementation-defined",
        lambda op: op.asked.kind in ("convert", "arithmetic") and not op.result_format.has_nan and not op.key("nan"),
        lambda d: d.no_result,
        WITHOUT,
    ),
    Variation(
        "infinity-without-infinity",
        "what an infinity becomes in a format with neither infinity nor NaN, where saturation is not promised",
        "OCP MX 1.0 5.3: saturation must be offered, other methods of overflow may be, and are not defined",
        open_overflow,
        lambda d: d.x.infinite,
        WITHOUT,
    ),
    Variation(
        "e8m0-zero",
        "what zero becomes in a format without zero",
        "OCP MX 1.0 5.4.1 has no zero; no standard defines the conversion",
        no_zero,
        lambda d: is_zero(d.x),
        (_code("smallest", 0, "conversions that take the exponent field"), Answer("NaN", "ml_dtypes, jax", nan_code)),
    ),
    Variation(
        "e8m0-infinity",
        "what +infinity becomes in a format of scales",
        "OCP MX 1.0 5.4.1 has no infinity; no standard defines the conversion",
        no_zero,
        lambda d: d.x.infinite & ~d.x.negative,
        (Answer("largest", "saturating conversions", largest), Answer("NaN", "ml_dtypes, torch", nan_code)),
    ),
    Variation(
        "bias-below-normal",
        "what numbers below E4M3's normal range become when a bias is added to binary32",
        "x86 ACE 1, 16.1: its printed pseudo-code has no branch for them",
        by_bias,
        below_normal,
        (
            Answer("cut", "Bochs, after Intel's SDE; this reference", lambda d: d.want),
            Answer("0", "ace-rs, after the printed pseudo-code", lambda d: signed(d, 0, d.x.negative)),
        ),
    ),
    Variation(
        "bias-all-ones",
        "what becomes of 480, the code of E4M3's NaN, in a saturating conversion that adds a bias to binary32",
        "x86 ACE 1, 16.1: values from 512 on saturate; of 480 to 511 two restatements have the NaN's code",
        saturates_by_bias,
        all_ones,
        (
            Answer("7E", "saturation; Bochs from binary16; this reference", lambda d: signed(d, 0x7E, d.x.negative)),
            Answer("7F", "Bochs and ace-rs from binary32", lambda d: signed(d, 0x7F, d.x.negative)),
        ),
    ),
    *OF_FUNCTIONS,
    Variation(
        "scales-zero",
        "what a result of zero becomes in a format of scales",
        "no standard defines arithmetic there",
        of_scales,
        exact_zero,
        (_code("smallest", 0, "this reference"), Answer("NaN", "ml_dtypes", nan_code)),
    ),
    Variation(
        "scales-too-small",
        "what a positive result becomes that binary32 rounds to zero, in a format of scales",
        "no standard defines arithmetic there",
        of_scales,
        under_binary32,
        (_code("smallest", 0, "this reference"), Answer("NaN", "ml_dtypes, by way of binary32", nan_code)),
    ),
    Variation(
        "unsigned-negative",
        "what a negative number becomes in an unsigned format",
        "no standard defines the conversion",
        unsigned,
        lambda d: d.x.negative & ~d.x.nan & ~d.x.infinite & (d.x.sig != 0),
        (
            Answer("NaN", "ml_dtypes", nan_code),
            _code("smallest or 0", 0, "saturating conversions; IEEE P3109"),
            Answer("magnitude", "torch, which drops the sign", magnitude, ("negative", "magnitude")),
            Answer("NaN, or 0 where it rounds to 0", "this reference without saturation", nan_unless_zero),
        ),
    ),
    Variation(
        "unsigned-negative-infinity",
        "what -infinity becomes in an unsigned format",
        "no standard defines the conversion",
        unsigned,
        lambda d: d.x.infinite & d.x.negative,
        (
            Answer("NaN", "ml_dtypes, torch", nan_code),
            _code("smallest or 0", 0, "saturating conversions; IEEE P3109"),
            Answer("magnitude", "conversions that drop the sign", magnitude),
            Answer("largest", "the same, where they saturate", largest),
        ),
    ),
    Variation(
        "minus-zero",
        "whether a format of 4 or 6 bits, or an element of an MX block, keeps the sign of zero",
        "OCP MX 1.0 5.3 has both zeros and demands neither of a conversion",
        has_minus_zero,
        minus_zero,
        (
            Answer("+0 for -0", "quantisers that test for zero first",
                   lambda d: np.where(minus_zero(d) & from_zero(d), 0, d.want)),
            Answer("+0 always", "quantisers by a table of magnitudes, or by way of integers", lambda d: d.filled(0)),
        ),
    ),
    Variation(
        "zero-block-scale",
        "the scale of an MX block of zeros",
        "OCP MX 1.0 6.3 takes a logarithm of 0",
        mx,
        lambda d: of_scale(d, (d.rows[0] == 0).all(axis=1)),
        (
            _code("00", 0x00, "the least scale; this reference"),
            _code("01", 0x01, "microxcaling"),
            _code("7F", 0x7F, "quantisers that take 1 for the largest magnitude 0"),
        ),
    ),
    Variation(
        "infinite-block-scale",
        "the E8M0 scale of a block with an infinity",
        "OCP MX 1.0 6.3 takes a logarithm of it",
        mx,
        infinite,
        (
            _code("NaN", 0xFF, "this reference by the rules floor, rceil, ceil, even"),
            _code("FE", 0xFE, "TransformerEngine: 2^127"),
            Answer("2^(128 - emax)", "torchao 0.18", beyond),
        ),
        then=under_new_scale,
    ),
    Variation(
        "block-scale-rounded-up",
        "the E8M0 scale of a block whose largest magnitude rounds up to 2^128",
        "torchao's rule even is no specification's",
        lambda op: mx(op) and op.mode == "even",
        rounded_up,
        (_code("NaN", 0xFF, "as an infinity"), _code("FE", 0xFE, "2^127"), Answer("2^(128 - emax)", "torchao", beyond)),
        then=under_new_scale,
    ),
    Variation(
        "elements-under-nan-scale",
        "the elements of a block whose scale is NaN",
        "OCP MX 1.0 5.1: every value of a block with a NaN scale is NaN, whatever its elements",
        lambda op: is_scale(op) and not is_fake(op),
        nan_scale,
        (Answer("any", "they have no value of their own", lambda d: d.got),),
    ),
    Variation(
        "nan-without-nan",
        "what a NaN becomes in a format that has none",
        "OCP MX 1.0 5.3: a NaN source is implementation-defined",
        open_nan,
        nan_elements,
        (
            Answer("max", "this reference", lambda d: d.filled(_element_max(d))),
            Answer("sign·max", "casts that saturate a NaN's magnitude",
                   lambda d: np.where(element_signs(d), 8 | _element_max(d), _element_max(d))),
            _code("+0", 0, "casts by way of an integer"),
            _code("-0", 8, "zero of the other sign"),
            Answer("sign·0", "sign kept", lambda d: np.where(element_signs(d), 8, 0)),
            Answer("-sign·0", "ml_dtypes", lambda d: np.where(element_signs(d), 0, 8)),
        ),
    ),
    Variation(
        "mxint8-minus-two",
        "the code of -2 is used",
        "OCP MX 1.0 5.3.4: it may be left unused for symmetry",
        lambda op: op.result == "mxint8" and is_scale(op),
        minus_two,
        (_code("80", 0x80, "microxcaling"),),
    ),
    Variation(
        "mxint8-symmetric",
        "the code -128 is left unused",
        "OCP MX 1.0 5.3.4: the code of -2 may be left unused for symmetry",
        lambda op: op.result == "mxint8" and not is_scale(op),
        lambda d: d.want == 0x80,
        (_code("81", 0x81, "quantisers to the symmetric range"),),
    ),
    Variation(
        "storage-width",
        "the bits of a type that is narrower than the bytes in which it is stored",
        "numpy.finfo reference: bits are those that the type occupies",
        lambda op: op.family == "finfo" and op.mode == "bits",
        lambda d: np.ones(d.want.shape, bool),
        (Answer("whole bytes", "libraries that report the width of storage", lambda d: -(-d.want // 8) * 8),),
    ),
    Variation(
        "min-max-zeros",
        "which zero the minimum or maximum of +0 and -0 is",
        "IEEE 754-2008 5.3.1 minNum, maxNum: either one; IEEE 754-2019 9.6 orders them, as a recommendation",
        lambda op: minimum(op) and op.result_format.has_negative_zero,
        two_zeros,
        (
            Answer("the first operand", "comparisons a <= b ? a : b", lambda d: d.operands[0].astype(d.want.dtype)),
            Answer("the second operand", "x86's MINPS", lambda d: d.operands[1].astype(d.want.dtype)),
            _code("+0", 0, "sums of zeros"),
            Answer("-0", "bit tricks", lambda d: d.filled(d.op.result_format.sign_bit)),
        ),
    ),
    Variation(
        "min-max-signalling",
        "whether the minimum of a number and a signalling NaN is the number",
        "IEEE 754-2008 6.2: minNum gives a NaN; IEEE 754-2019 9.6: minimumNumber gives the number",
        lambda op: op.family in ("minnum", "maxnum") and get_format(op.operands[0]).nans is NaNs.IEEE,
        signalling,
        (Answer("NaN", "IEEE 754-2008's minNum", nan_code),),
    ),
    Variation(
        "nan-sign",
        "whether the NaN of a FNUZ format, at the code of -0, is negative",
        "IEEE 754-2019 6.3 does not interpret the sign of a NaN; arXiv 2206.02915 gives FNUZ one NaN",
        lambda op: op.family in ("issignminus", "copysign") and get_format(op.operands[0]).nans is NaNs.NEGATIVE_ZERO,
        _of_nan_sign,
        (
            Answer("the other sign", "numpy.signbit of the widened value", _other_sign),
        ),
    ),
    Variation(
        "sum-of-minus-zeros",
        "the sign of a sum of products that are all -0, with C -0",
        "IEEE 754-2019 6.3 gives -0 for a sum of two of them; 9.4 leaves open from what a sum of products starts",
        exact_sum,
        minus_zeros_alone,
        (
            _code("+0", 0, "this reference; accumulators that start from +0"),
            Answer("-0", "sums that start from C", lambda d: d.filled(d.op.result_format.sign_bit)),
        ),
    ),
    Variation(
        "cancelled-sum",
        "the sign of an exact zero that products of both signs sum to, rounded toward negative",
        "IEEE 754-2019 6.3 gives -0 for a sum of two; 9.4 leaves open from what a sum of products starts",
        downward_sum,
        zeros_of_both_signs,
        (
            _code("+0", 0, "this reference"),
            Answer("-0", "IEEE 754 additions", lambda d: d.filled(d.op.result_format.sign_bit)),
        ),
    ),
    Variation(
        "fma-invalid-nan",
        "whether 0 times infinity plus a quiet NaN raises invalid",
        "IEEE 754-2019 7.2 c: implementation-defined",
        lambda op: op.family == "fma" and op.flags,
        undefined_plus_nan,
        (Answer("the other", "Arm raises it, x86 does not", lambda d: d.want ^ np.uint8(int(Status.INVALID))),),
        status=True,
    ),
    Variation(  # settled where an amax is judged, of which a call has one
        "amax-of-nan",
        "whether a NaN among the results makes their amax a NaN",
        "cuBLASLt's AMAX_D_POINTER does not say; IEEE 754-2019 9.6 has both, maximum and maximumNumber",
        lambda op: False,
        lambda d: np.zeros(len(d.got), bool),
        (
            _code("NaNs left out", 0, "C's fmaxf and maximumNumber; this reference"),
            Answer("NaN", "PyTorch's amax; atomicMax on the bits of a magnitude", lambda d: d.want),
        ),
    ),
)  # fmt: skip


def open_to(op: Operation, status: bool) -> tuple[Variation, ...]:
    """The variations of an operation's codes, or of its status."""
    return tuple(v for v in VARIATIONS if v.status is status and v.open_to(op))


def promised(op: Operation, chosen: Mapping[str, str]) -> Operation:
    """The operation that says by its keys how open questions were answered, as far as keys can."""
    keys = {a.key[0]: a.key[1] for v in VARIATIONS for a in v.answers if a.key and chosen.get(v.name) == a.name}
    return replace(op, keys=tuple(sorted({**keys, **dict(op.keys)}.items()))) if keys else op
