"""Departures that the standards leave open.  Each has a name, is counted, and is never silent.

A variation excuses an answer only where no specification decides the question and the implementation's own claim does
not decide it either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import INTEGERS, Operation
from ..fast.kernel import Fields, unpack_fields
from ..spec.catalog import get_format
from .expect import differs, project_into

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Variation:
    """``open_to`` tells whether an operation leaves the question open, ``covers`` which cases ask it."""

    name: str
    text: str
    clause: str
    open_to: Callable[[Operation], bool]
    covers: Callable[[Fields, Codes, Codes], Mask]


def _no_zero(op: Operation) -> bool:
    return op.family == "convert" and not op.result_format.zero


VARIATIONS = (
    Variation(
        "nan-without-nan",
        "what a NaN becomes in a format that has none",
        "OCP MX 1.0 5.3: a NaN source is implementation-defined",
        lambda op: op.family == "convert" and not op.result_format.has_nan and not op.key("nan"),
        lambda x, got, want: x.nan,
    ),
    Variation(
        "e8m0-zero",
        "what zero becomes in a format without zero",
        "OCP MX 1.0 5.4.1 has no zero; no standard defines the conversion",
        _no_zero,
        lambda x, got, want: ~x.nan & ~x.infinite & (x.sig == 0),
    ),
    Variation(
        "e8m0-infinity",
        "what +infinity becomes in a format of scales",
        "OCP MX 1.0 5.4.1 has no infinity; no standard defines the conversion",
        _no_zero,
        lambda x, got, want: x.infinite & ~x.negative,
    ),
    Variation(
        "unsigned-negative",
        "what a negative value becomes in an unsigned format",
        "no standard defines the conversion",
        lambda op: op.family == "convert" and not op.result_format.signed and not op.key("negative"),
        lambda x, got, want: x.negative & ~x.nan & (x.infinite | (x.sig != 0)),
    ),
    Variation(
        "mxint8-symmetric",
        "the code -128 is left unused",
        "OCP MX 1.0 5.3.4: the code of -2 may be left unused for symmetry",
        lambda op: op.result == "mxint8",
        lambda x, got, want: (want == 0x80) & (got == 0x81),
    ),
)


def excused(op: Operation, operands: Sequence[Codes], got: Codes, want: Codes) -> tuple[Mask, dict[str, int]]:
    """Which of these departing answers a variation allows, and how many each one does."""
    allowed = np.zeros(got.shape, bool)
    counts: dict[str, int] = {}
    open_to_us = [v for v in VARIATIONS if v.open_to(op)]
    if open_to_us and op.operands[0] not in INTEGERS:
        fields = unpack_fields(operands[0], get_format(op.operands[0]))
    elif open_to_us:
        x = operands[0]
        never = np.zeros(x.shape, bool)
        fields = Fields(x < 0, (x != 0).astype(np.uint64), np.zeros(x.shape, np.int64), never, never)
    if op.key("via"):  # the implementation documents that it rounds to this format first
        documented = _through(op, operands[0], op.key("via"))
        covered = ~differs(op, got, documented)
        if covered.any():
            counts[f"documented-via-{op.key('via')}"] = int(covered.sum())
            allowed |= covered
    for variation in open_to_us:
        covered = variation.covers(fields, got, want) & ~allowed
        if covered.any():
            counts[variation.name] = int(covered.sum())
            allowed |= covered
    return allowed, counts


def _through(op: Operation, x: Codes, between: str) -> Codes:
    first = Operation.convert(op.operands[0], between, "rne.nonsat", nan="keep-sign").projection
    return project_into(between, project_into(op.operands[0], x, first, between), op.projection, op.result)
