"""Which clause of which specification decides a case, and how it is cited."""

from __future__ import annotations

from dataclasses import dataclass

from ...cases.operation import Operation
from ...cases.scaling.questions import quantiser
from ...spec import catalog
from ...spec.datum import Datum
from ...spec.formats import Format
from ...spec.overflow import get_overflow
from ...spec.profiles.constants import get_constant
from ...spec.projection import NaN, Negative, project
from ...spec.rounding import RandomBits, Rounding
from ...spec.status import Status

CLAUSES = {
    "ieee754-2019/4.3.1/rne": "IEEE 754-2019 4.3.1 roundTiesToEven",
    "ieee754-2019/4.3.1/rna": "IEEE 754-2019 4.3.1 roundTiesToAway",
    "ieee754-2019/4.3.2/rtz": "IEEE 754-2019 4.3.2 roundTowardZero",
    "ieee754-2019/4.3.2/rtp": "IEEE 754-2019 4.3.2 roundTowardPositive",
    "ieee754-2019/4.3.2/rtn": "IEEE 754-2019 4.3.2 roundTowardNegative",
    "ieee754-2019/3.4": "IEEE 754-2019 3.4: the datum of an encoding",
    "ieee754-2019/5.4.2": "IEEE 754-2019 5.4.2: a value that the format has is converted exactly",
    "ieee754-2019/6.1": "IEEE 754-2019 6.1: infinities are kept exactly",
    "ieee754-2019/6.2": "IEEE 754-2019 6.2: a NaN becomes a quiet NaN",
    "ieee754-2019/7.4": "IEEE 754-2019 7.4: overflow, judged on the rounded value",
    "ieee754-2019/5.3.1": "IEEE 754-2019 5.3.1: the integral value, the remainder, the next value",
    "ieee754-2019/5.3.3": "IEEE 754-2019 5.3.3: logB and scaleB",
    "ieee754-2019/5.4.1": "IEEE 754-2019 5.1, 5.4.1: the exact result, rounded once",
    "ieee754-2019/5.5.1": "IEEE 754-2019 5.5.1: sign-bit operations",
    "ieee754-2019/5.7.2": "IEEE 754-2019 5.7.2: the classes of data",
    "ieee754-2019/5.8": "IEEE 754-2019 5.8, 7.2 j: conversion to integers",
    "ieee754-2019/5.10": "IEEE 754-2019 5.10: totalOrder",
    "ieee754-2019/5.11": "IEEE 754-2019 5.11: comparison; a NaN is unordered, the zeros are equal",
    "ieee754-2019/6.3": "IEEE 754-2019 6.3: the sign of a zero",
    "ieee754-2019/7.2": "IEEE 754-2019 7.2: an invalid operation delivers a quiet NaN",
    "ieee754-2019/7.3": "IEEE 754-2019 7.3: an exact infinity of finite operands",
    "ieee754-2019/9.6": "IEEE 754-2019 9.6: minimum and maximum",
    "p3109/operations": "P3109 v4.0: the operation's own table of special values",
    "c23/nextafter": "C23 F.10.4.3: nextafter",
    "ofp8/table1": "OCP OFP8 1.0 table 1: the value of a code",
    "ofp8/5.2.1": "OCP OFP8 1.0 5.2.1: a value in range keeps its sign; subnormals are kept",
    "ofp8/overflow": "OCP OFP8 1.0 5.2.1 and table 3: rounded first, then compared with the largest value",
    "ofp8/infinity": "OCP OFP8 1.0 table 3: what an infinity becomes, saturating and non-saturating",
    "ofp8/nan": "OCP OFP8 1.0 table 3: NaN to NaN; which NaN code is left open",
    "mx/5.3": "OCP MX 1.0 5.3: the element formats and their values",
    "mx/5.3/overflow": "OCP MX 1.0 5.3: a rounded value out of range, an infinity too, saturates with its sign",
    "mx/5.3/nan": "OCP MX 1.0 5.3: what a NaN becomes is left to the implementation",
    "mx/5.4.1": "OCP MX 1.0 5.4.1: the value of an E8M0 code",
    "mx/6.3": "OCP MX 1.0 6.3: how a block's scale is chosen",
    "p3109/decode": "P3109 v4.0 Decode",
    "p3109/round": "P3109 v4.0 RoundToPrecision",
    "p3109/saturate": "P3109 v4.0 Saturate",
    "p3109/project": "P3109 v4.0 Project: NaN to NaN",
    "fp8ref/to-odd": "roundToOdd (P3109 v4.0 RoundToPrecision; not in IEEE 754)",
    "fp8ref/rounding": "the definition of the rounding mode (not in IEEE 754)",
    "fp8ref/stochastic": "stochastic rounding (P3109 v4.0 RoundToPrecision, StochasticA to C)",
    "fp8ref/e8m0": "fp8ref's choice: no standard defines conversion to E8M0",
    "fp8ref/negative": "fp8ref's choice: no standard says what a negative value becomes in an unsigned format",
    "fp8ref/rectified": "the option negative=zero: every negative value, -0 too, becomes +0 (PTX ISA cvt, .relu)",
    "fp8ref/nan": "fp8ref's choice: no standard names this format's NaN for a NaN",
    "fp8ref/nan-option": "the option nan=, which differs from NaN to NaN",
    "fp8ref/infinity": "the overflow rule's second half: what an infinity becomes",
    "fp8ref/overflow": "the overflow rule's first half: what a rounded value beyond the largest becomes",
    "format/value": "the format's own definition gives the value of a code",
}

_ROUNDING = {
    Rounding.TIES_TO_EVEN: "ieee754-2019/4.3.1/rne",
    Rounding.TIES_TO_AWAY: "ieee754-2019/4.3.1/rna",
    Rounding.TOWARD_ZERO: "ieee754-2019/4.3.2/rtz",
    Rounding.TOWARD_POSITIVE: "ieee754-2019/4.3.2/rtp",
    Rounding.TOWARD_NEGATIVE: "ieee754-2019/4.3.2/rtn",
    Rounding.TO_ODD: "fp8ref/to-odd",
}


@dataclass(frozen=True)
class _Document:
    """What a document says of its formats; ``rules`` are the overflow rules that it defines."""

    value: str
    nan: str
    infinity: str
    overflow: str
    exact: str
    rules: tuple[str, ...] = ()


_SILENT = _Document("format/value", "fp8ref/nan", "fp8ref/infinity", "fp8ref/overflow", "ieee754-2019/5.4.2")
_DOCUMENTS = {
    catalog.OFP8: _Document(
        "ofp8/table1", "ofp8/nan", "ofp8/infinity", "ofp8/overflow", "ofp8/5.2.1", ("sat", "nonsat")
    ),
    catalog.MX: _Document("mx/5.3", "mx/5.3/nan", "mx/5.3/overflow", "mx/5.3/overflow", "mx/5.3", ("sat",)),
    catalog.P3109: _Document(
        "p3109/decode",
        "p3109/project",
        "p3109/saturate",
        "p3109/saturate",
        "p3109/round",
        ("sat", "satprop", "nonsat"),
    ),
    catalog.IEEE754: _Document(
        "ieee754-2019/3.4",
        "ieee754-2019/6.2",
        "ieee754-2019/6.1",
        "ieee754-2019/7.4",
        "ieee754-2019/5.4.2",
        ("nonsat",),
    ),
}


# families, or kinds of them, whose answers one clause decides
_OPERATIONS = {
    "min": "ieee754-2019/9.6", "max": "ieee754-2019/9.6", "minnum": "ieee754-2019/9.6", "maxnum": "ieee754-2019/9.6",
    "minmag": "ieee754-2019/9.6", "maxmag": "ieee754-2019/9.6", "minmagnum": "ieee754-2019/9.6",
    "maxmagnum": "ieee754-2019/9.6", "rem": "ieee754-2019/5.3.1", "rint": "ieee754-2019/5.3.1",
    "rintx": "ieee754-2019/5.3.1", "neg": "ieee754-2019/5.5.1", "abs": "ieee754-2019/5.5.1",
    "copysign": "ieee754-2019/5.5.1", "nextup": "ieee754-2019/5.3.1", "nextdown": "ieee754-2019/5.3.1",
    "nextafter": "c23/nextafter", "totalorder": "ieee754-2019/5.10", "classify": "ieee754-2019/5.7.2",
    "test": "ieee754-2019/5.7.2", "compare": "ieee754-2019/5.11", "int": "ieee754-2019/5.8",
}  # fmt: skip


def citation(clause: str) -> str:
    """The citation of a clause id; any other text is a citation already."""
    return CLAUSES.get(clause, clause)


def clause_for(op: Operation, datum: Datum | None) -> str:
    """The id of the clause that decides what ``datum``, the exact value before rounding, becomes under an operation.

    ``datum``: None for operations that round nothing.  Raises ValueError where the operation's mode is not
    ``rounding.overflow``.
    """
    if op.asked.kind == "constant":
        return f"numpy.finfo reference: {op.mode} is {get_constant(op.mode or '').says}"
    ruling = _OPERATIONS.get(op.family) or _OPERATIONS.get(op.asked.kind)
    if ruling:
        return ruling
    if op.asked.kind == "scale":
        return quantiser(op).sources.get(op.mode or "", "fp8ref: any of the rules")
    assert datum is not None
    if op.asked.kind == "arithmetic" and (datum.is_nan or datum.is_infinite or datum.is_zero):
        if op.key("semantics", "ieee") != "ieee":
            return "p3109/operations"
        if datum.is_nan:
            return "ieee754-2019/7.2"
        if datum.is_zero:
            return "ieee754-2019/6.3"
        if op.family in ("div", "logb"):
            return "ieee754-2019/7.3"
    if op.family == "decode":
        source = op.source_format
        return _SILENT.value if source is None else value_clause(source)
    f, rho = op.result_format, op.projection
    if not f.zero:  # E8M0
        return "fp8ref/e8m0"
    document = _DOCUMENTS.get(f.source, _SILENT)
    ruled = document if rho.overflow in [get_overflow(rule, f) for rule in document.rules] else _SILENT
    if datum.is_nan:
        return (
            document.nan if rho.nan not in (NaN.ZERO, NaN.MAX, NaN.SIGNED_MAX) or not f.has_nan else "fp8ref/nan-option"
        )
    if datum.sign and rho.negative is Negative.ZERO:
        return "fp8ref/rectified"
    if datum.sign and not f.signed and not datum.is_zero:
        return "fp8ref/negative"
    if datum.is_infinite:
        return ruled.infinity
    _, status = project(datum, f, rho, RandomBits(0, 1) if rho.rounding.is_stochastic else None)
    if status & Status.OVERFLOW:
        return ruled.overflow
    if not status & Status.INEXACT:
        return document.exact
    if f.source == catalog.P3109:
        return "p3109/round"
    if rho.rounding.is_stochastic:
        return "fp8ref/stochastic"
    return _ROUNDING.get(rho.rounding, "fp8ref/rounding")


def value_clause(f: Format) -> str:
    """The id of the clause that gives the value of a code."""
    return _DOCUMENTS.get(f.source, _SILENT).value if f.zero else "mx/5.4.1"
