"""Mismatches that the standards leave open.  Each has a name, is counted, and is never silent.

A variation excuses an answer only where no specification decides the question and the implementation's own claim does
not decide it either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import differs, is_nan, project_into
from ..cases.flags import exact_parts, operand_parts
from ..cases.operation import Operation
from ..cases.scaling.questions import is_recipe, is_scale, quantiser, split, values
from ..fast.blocks import amax_bits
from ..fast.exact import is_zero
from ..fast.kernel import Fields
from ..spec.catalog import get_format
from ..spec.formats import NaNs
from ..spec.status import Status

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Mismatches:
    """Answers that differ, with what was asked."""

    op: Operation
    operands: Sequence[Codes]
    got: Codes
    want: Codes

    @cached_property
    def parts(self) -> list[Fields]:
        """The operands taken apart."""
        return operand_parts(self.op, self.operands)

    @property
    def x(self) -> Fields:
        return self.parts[0]

    @property
    def no_result(self) -> Mask:
        """Where the exact result is a NaN."""
        return exact_parts(self.op, self.operands).nan if self.op.asked.kind == "arithmetic" else self.x.nan


@dataclass(frozen=True)
class Variation:
    """``open_to``: whether an operation leaves the question open; ``covers``: which mismatches lie there.

    ``status``: the flags that are left open; where it is 0 the codes are.
    """

    name: str
    text: str
    clause: str
    open_to: Callable[[Operation], bool]
    covers: Callable[[Mismatches], Mask]
    status: int = 0


def _is_scheme(op: Operation) -> bool:
    """Does it scale blocks by a standard's scheme?  A recipe says everything itself."""
    return is_scale(op) and not is_recipe(op)


def nan_scales(op: Operation, rows: Codes) -> Mask:
    return is_nan(split(op, rows)[0], quantiser(op).scale)


def _infinite_scale(d: Mismatches) -> Mask:
    x = values(d.op, d.operands)[0]
    number = ~np.isnan(x).any(axis=1)
    beyond = 255 - get_format(quantiser(d.op).element).emax
    rounded_up = (d.want[:, 0] == 255) & (d.got[:, 0] == beyond)  # to an infinity, by the rule even
    return np.asarray(number & (rounded_up | (np.isinf(x).any(axis=1) & np.isin(d.got[:, 0], (254, 255, beyond)))))


def _nan_elements(d: Mismatches) -> Mask:
    """Do rows differ only where a scaled element is a NaN, 0 times infinity?"""
    x, tensor = values(d.op, d.operands)
    with np.errstate(all="ignore"):
        nan = np.isnan(x * quantiser(d.op).scales(amax_bits(x), d.op.mode or "", tensor)[1][:, None])
    scales, codes = ((a, b) for a, b in zip(split(d.op, d.got), split(d.op, d.want)))
    return np.asarray((scales[0] == scales[1]) & (nan | (codes[0] == codes[1])).all(axis=1))


def _no_zero(op: Operation) -> bool:
    return op.family == "convert" and not op.result_format.zero


def _open_overflow(op: Operation) -> bool:
    if op.family != "convert" or not (op.mode or "").endswith(".nonsat"):
        return False
    f = op.result_format
    return f.zero and not f.infinities and not f.has_nan


def _other_zero(d: Mismatches) -> Mask:
    """Is the answer the other one of two zeros of unlike sign?"""
    a, b = d.parts
    magnitude = (d.got | d.want) & d.got.dtype.type(d.op.result_format.magnitude_mask)
    other: Mask = is_zero(a) & is_zero(b) & (a.negative != b.negative) & (magnitude == 0)
    return other


def _nan_beats_number(d: Mismatches) -> Mask:
    """Is the answer a NaN where one operand is a signalling NaN and the other a number?"""
    a, b = d.parts
    quiet = np.uint64(1 << (get_format(d.op.operands[0]).t - 1))
    signals = (a.nan & (a.sig & quiet == 0)) | (b.nan & (b.sig & quiet == 0))
    beaten: Mask = signals & (a.nan != b.nan) & is_nan(d.got, d.op.result)
    return beaten


def _undefined_plus_nan(d: Mismatches) -> Mask:
    a, b, c = d.parts
    undefined: Mask = ((is_zero(a) & b.infinite) | (a.infinite & is_zero(b))) & c.nan
    return undefined


VARIATIONS = (
    Variation(
        "nan-without-nan",
        "what a NaN becomes in a format that has none",
        "OCP MX 1.0 5.3: a NaN source is implementation-defined",
        lambda op: op.asked.kind in ("convert", "arithmetic") and not op.result_format.has_nan and not op.key("nan"),
        lambda d: d.no_result,
    ),
    Variation(
        "infinity-without-infinity",
        "what an infinity becomes in a format with neither infinity nor NaN, where saturation is not promised",
        "OCP MX 1.0 5.3: saturation must be offered, other methods of overflow may be, and are not defined",
        _open_overflow,
        lambda d: d.x.infinite,
    ),
    Variation(
        "e8m0-zero",
        "what zero becomes in a format without zero",
        "OCP MX 1.0 5.4.1 has no zero; no standard defines the conversion",
        _no_zero,
        lambda d: is_zero(d.x),
    ),
    Variation(
        "e8m0-infinity",
        "what +infinity becomes in a format of scales",
        "OCP MX 1.0 5.4.1 has no infinity; no standard defines the conversion",
        _no_zero,
        lambda d: d.x.infinite & ~d.x.negative,
    ),
    Variation(
        "unsigned-negative",
        "what a negative value becomes in an unsigned format",
        "no standard defines the conversion",
        lambda op: op.family == "convert" and not op.result_format.signed and not op.key("negative"),
        lambda d: d.x.negative & ~d.x.nan & (d.x.infinite | (d.x.sig != 0)),
    ),
    Variation(
        "elements-under-nan-scale",
        "the elements of a block whose scale is NaN",
        "OCP MX 1.0 5.1: every value of a block with a NaN scale is NaN, whatever its elements",
        is_scale,
        lambda d: nan_scales(d.op, d.got) & nan_scales(d.op, d.want),
    ),
    Variation(
        "nan-without-nan",
        "what a NaN becomes in a format that has none",
        "OCP MX 1.0 5.3: a NaN source is implementation-defined",
        lambda op: _is_scheme(op) and quantiser(op).element == "e2m1fn" and quantiser(op).tensor,
        _nan_elements,
    ),
    Variation(
        "infinite-block-scale",
        "the E8M0 scale of a block with an infinity",
        "OCP MX 1.0 6.3 takes a logarithm of it: NaN, 2^127 (TransformerEngine), 2^(128 - emax) (torchao 0.18)",
        lambda op: _is_scheme(op) and quantiser(op).scale == "e8m0fnu",
        _infinite_scale,
    ),
    Variation(
        "zero-block-scale",
        "the scale of an MX block of zeros where the least exponent is 1 - 127",
        "OCP MX 1.0 6.3 takes a logarithm of 0; microxcaling takes 2^-126 for it",
        lambda op: op.result == "mxint8" and is_scale(op),
        lambda d: (
            (d.got[:, 0] == 1)
            & (d.want[:, 0] == 0)
            & (d.got[:, 1:] == d.want[:, 1:]).all(axis=1)
            & (d.want[:, 1:] == 0).all(axis=1)
            & (values(d.op, d.operands)[0] == 0).all(axis=1)
        ),
    ),
    Variation(
        "mxint8-minus-two",
        "the code of -2 is used",
        "OCP MX 1.0 5.3.4: it may be left unused for symmetry",
        lambda op: op.result == "mxint8" and is_scale(op),
        lambda d: (
            (np.where(d.got[:, 1:] == 0x80, 0x81, d.got[:, 1:]) == d.want[:, 1:]).all(axis=1)
            & (d.got[:, 0] == d.want[:, 0])
        ),
    ),
    Variation(
        "mxint8-symmetric",
        "the code -128 is left unused",
        "OCP MX 1.0 5.3.4: the code of -2 may be left unused for symmetry",
        lambda op: op.result == "mxint8" and not is_scale(op),
        lambda d: (d.want == 0x80) & (d.got == 0x81),
    ),
    Variation(
        "storage-width",
        "the bits of a type that is narrower than the bytes in which it is stored",
        "numpy.finfo reference: bits are those that the type occupies",
        lambda op: op.family == "finfo" and op.mode == "bits",
        lambda d: d.got == -(-d.want // 8) * 8,
    ),
    Variation(
        "min-max-zeros",
        "which zero the minimum or maximum of +0 and -0 is",
        "IEEE 754-2008 5.3.1 minNum, maxNum: either one; IEEE 754-2019 9.6 orders them, as a recommendation",
        lambda op: op.family in ("min", "max", "minnum", "maxnum") and op.result_format.has_negative_zero,
        _other_zero,
    ),
    Variation(
        "min-max-signalling",
        "whether the minimum of a number and a signalling NaN is the number",
        "IEEE 754-2008 6.2: minNum gives a NaN; IEEE 754-2019 9.6: minimumNumber gives the number",
        lambda op: op.family in ("minnum", "maxnum") and get_format(op.operands[0]).nans is NaNs.IEEE,
        _nan_beats_number,
    ),
    Variation(
        "nan-sign",
        "whether the NaN of a FNUZ format, at the code of -0, is negative",
        "IEEE 754-2019 6.3 does not interpret the sign of a NaN; arXiv 2206.02915 gives FNUZ one NaN",
        lambda op: op.family in ("issignminus", "copysign") and get_format(op.operands[0]).nans is NaNs.NEGATIVE_ZERO,
        lambda d: d.parts[-1].nan & ~is_nan(d.got, d.op.result),
    ),
    Variation(
        "fma-invalid-nan",
        "whether 0 times infinity plus a quiet NaN raises invalid",
        "IEEE 754-2019 7.2 c: implementation-defined",
        lambda op: op.family == "fma" and op.flags,
        _undefined_plus_nan,
        status=int(Status.INVALID),
    ),
)


def excused(op: Operation, operands: Sequence[Codes], got: Codes, want: Codes) -> tuple[Mask, dict[str, int]]:
    """Which of these differing answers a variation allows, and how many each one does."""
    allowed = np.zeros(len(got), bool)
    counts: dict[str, int] = {}
    mismatches = Mismatches(op, operands, got, want)
    if op.key("via"):  # the implementation documents that it rounds to this format first
        documented = _through(op, operands[0], op.key("via"))
        _count(f"documented-via-{op.key('via')}", ~differs(op, got, documented), allowed, counts)
    for v in VARIATIONS:
        if v.open_to(op) and not v.status:
            _count(v.name, v.covers(mismatches), allowed, counts)
    return allowed, counts


def excused_status(op: Operation, operands: Sequence[Codes], off: Codes) -> tuple[Mask, dict[str, int]]:
    """The same for differing flags; ``off`` holds the bits that differ."""
    allowed = np.zeros(off.shape, bool)
    counts: dict[str, int] = {}
    mismatches = Mismatches(op, operands, off, off)
    for v in VARIATIONS:
        if v.open_to(op) and v.status:
            _count(v.name, v.covers(mismatches) & (off & ~np.uint8(v.status) == 0), allowed, counts)
    return allowed, counts


def _count(name: str, covered: Mask, allowed: Mask, counts: dict[str, int]) -> None:
    fresh = covered & ~allowed
    if fresh.any():
        counts[name] = int(fresh.sum())
        allowed |= fresh


def _through(op: Operation, x: Codes, between: str) -> Codes:
    first = Operation.convert(op.operands[0], between, "rne.nonsat", nan="keep-sign").projection
    return project_into(between, project_into(op.operands[0], x, first, between), op.projection, op.result)
