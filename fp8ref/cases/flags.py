"""What each case tests: names for the boundaries that it sits on, from the law's own classes and status."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fast.encode import convert_codes, convert_integers
from ..fast.kernel import Fields, floor_log2_u64, jam, unpack_fields
from ..spec.formats import Format
from .operation import Operation

FLAGS = {
    "exact": "the value has a code of its own",
    "tie": "exactly half an ulp is discarded",
    "near-tie": "within a quarter ulp of a tie, but not on it",
    "overflow": "the rounded value lies beyond the largest finite one",
    "underflow": "tiny and inexact",
    "subnormal": "the result is subnormal",
    "zero": "the input is a zero",
    "neg-zero": "the input is -0",
    "to-zero": "a nonzero value becomes zero",
    "inf": "the input is an infinity",
    "nan": "the input is a NaN",
    "source-subnormal": "the input is subnormal in its own format",
    "negative": "the input has its sign bit set",
}


def flags_of(op: Operation, codes: NDArray[np.generic]) -> dict[str, NDArray[np.bool_]]:
    """For each flag name, which of the cases carry it; for conversions and decodes of one operand.

    ``codes``: one-dimensional operand codes.  A free mode ``*`` is judged as rne.sat.
    """
    f = op.result_format
    source = op.source_format
    rho = (op if op.family == "convert" and op.mode != "*" else Operation.convert(op.operands[0], op.result)).projection
    if source is None:
        out, status = convert_integers(codes, f, rho, True)
        negative = codes < 0  # type: ignore[operator]
        never = np.zeros(codes.shape, bool)
        magnitude = codes.astype(np.uint64)
        np.negative(magnitude, out=magnitude, where=negative)
        fields = Fields(negative, magnitude, np.zeros(codes.shape, np.int64), never, never)
        small = never
    else:
        out, status = convert_codes(codes, source, f, rho, True)
        fields = unpack_fields(codes, source)  # type: ignore[arg-type]
        small = (fields.sig != 0) & (fields.sig < np.uint64(1 << source.t)) & source.zero & (not source.fixed_point)
    assert status is not None
    finite = ~(fields.infinite | fields.nan)
    eta = quarter_class(fields, f)
    magnitude_code = out.astype(np.uint64) & np.uint64(f.magnitude_mask)
    zero = finite & (fields.sig == 0)
    return {
        "exact": finite & (status & 1 == 0),
        "tie": finite & (eta == 2),
        "near-tie": finite & ((eta == 1) | (eta == 3)),
        "overflow": status & 4 != 0,
        "underflow": status & 2 != 0,
        "subnormal": finite & (magnitude_code > 0) & (magnitude_code < np.uint64(1 << f.t)) & f.has_subnormals,
        "zero": zero,
        "neg-zero": zero & fields.negative,
        "to-zero": finite & ~zero & (magnitude_code == 0) & f.zero,
        "inf": fields.infinite,
        "nan": fields.nan,
        "source-subnormal": small & finite,
        "negative": fields.negative,
    }


def quarter_class(fields: Fields, f: Format) -> NDArray[np.uint8]:
    """What rounding to a format discards: 0 nothing, 1 less than half an ulp, 2 half, 3 more than half."""
    e = floor_log2_u64(fields.sig) + fields.exp
    binade = np.full_like(e, f.emin) if f.fixed_point else np.maximum(e, f.emin)
    shift = np.where(fields.sig == 0, 0, binade - f.t - 2 - fields.exp)
    return (jam(fields.sig, shift) & np.uint64(3)).astype(np.uint8)
