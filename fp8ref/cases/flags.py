"""What each case tests: names for the boundaries that it sits on, from the specification's own classes and status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fast.arithmetic import Task, evaluate, exact_results
from ..fast.encode import convert_codes, convert_integers
from ..fast.kernel import Fields, floor_log2_u64, jam, unpack_fields
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.operations.definition import get_semantics
from ..spec.projection import Projection
from .operation import ANY_MODE, INTEGERS, Operation, default_mode

Codes = NDArray[np.generic]
Mask = NDArray[np.bool_]

FLAGS = {
    "exact": "the value has a code of its own",
    "tie": "exactly half an ulp is discarded",
    "near-tie": "within a quarter ulp of a tie, but not on it",
    "overflow": "the rounded value lies beyond the largest finite one",
    "underflow": "tiny and inexact",
    "subnormal": "the result is subnormal",
    "zero": "an operand is a zero",
    "neg-zero": "an operand is -0",
    "to-zero": "a nonzero value becomes zero",
    "inf": "an operand is an infinity",
    "nan": "an operand is a NaN",
    "source-subnormal": "an operand is subnormal in its own format",
    "negative": "an operand has its sign bit set",
    "cancellation": "terms of unlike sign leave less than a quarter of the larger one",
    "divide-by-zero": "an infinity of finite operands: x/0, the exponent of 0",
    "invalid": "there is no result: 0/0, infinity less infinity, the root of -1",
}


def task_of(op: Operation, rho: Projection | None = None) -> Task:
    """The operation of the specification that an arithmetic one asks for; ``rho`` in place of its own projection."""
    formats = tuple(get_format(name) for name in op.operands if name not in INTEGERS)
    semantics = get_semantics(op.key("semantics", "ieee"))
    return Task(op.definition, formats, op.result_format, rho or op.projection, semantics)


def operand_parts(op: Operation, operands: Sequence[Codes]) -> list[Fields]:
    """Operand codes of any types taken apart."""
    return [parts_of(codes, name) for codes, name in zip(operands, op.operands)]


def parts_of(codes: Codes, type_name: str) -> Fields:
    """Codes of a format, or integers, taken apart."""
    if type_name not in INTEGERS:
        return unpack_fields(codes, get_format(type_name))  # type: ignore[arg-type]
    negative = codes < 0  # type: ignore[operator]
    magnitude = codes.astype(np.uint64)
    np.negative(magnitude, out=magnitude, where=negative)
    never = np.zeros(codes.shape, bool)
    return Fields(negative, magnitude, np.zeros(codes.shape, np.int64), never, never)


def exact_parts(op: Operation, operands: Sequence[Codes]) -> Fields:
    """The exact results of an arithmetic operation taken apart, far below jammed into the last bit; NaN for none."""
    return exact_results(task_of(op), list(operands)).exact


def flags_of(op: Operation, operands: Sequence[Codes]) -> dict[str, Mask]:
    """For each flag name, which of the cases carry it.

    ``operands``: one-dimensional arrays of operand codes, one for each operand.  A free mode ``*`` is judged as its
    family's default.
    """
    kind = op.asked.kind
    if kind == "constant":  # of the format: the operand decides nothing
        return dict.fromkeys(FLAGS, np.zeros(operands[0].shape, bool))
    if kind == "scale":  # zero: every element is; the others: some element is
        never, found = np.zeros(len(operands[0]), bool), _of_operands(op, operands[:1])
        rows = {name: np.asarray((np.all if name == "zero" else np.any)(m, axis=1)) for name, m in found.items()}
        return dict.fromkeys(FLAGS, never) | rows
    found = dict.fromkeys(FLAGS, np.zeros(operands[0].shape, bool)) | _of_operands(op, operands)
    if kind == "arithmetic":
        op = default_mode(op)
        out, status = evaluate(task_of(op), operands)
        exact = exact_parts(op, operands)
        found |= _of_result(exact, out, status, op.result_format)
        found["cancellation"] = _cancels(op, operands, exact)
    elif kind in ("convert", "decode"):
        free = kind == "decode" or op.mode == ANY_MODE
        rho = (Operation.convert(op.operands[0], op.result) if free else op).projection
        f, source = op.result_format, op.source_format
        random: Any = (operands[1], op.random_width) if op.random_width else None
        if source is None:
            out, flags = convert_integers(operands[0], f, rho, True, random)
        else:
            out, flags = convert_codes(operands[0], source, f, rho, True, random)
        assert flags is not None
        found |= _of_result(parts_of(operands[0], op.operands[0]), out, flags, f)
    return found


def _of_operands(op: Operation, operands: Sequence[Codes]) -> dict[str, Mask]:
    never = np.zeros(operands[0].shape, bool)
    carried = dict.fromkeys(("zero", "neg-zero", "inf", "nan", "source-subnormal", "negative"), never)
    for x, name in zip(operand_parts(op, operands), op.operands):
        if name.startswith("rbits"):
            continue
        finite = ~(x.infinite | x.nan)
        zero = finite & (x.sig == 0)
        small = never
        if name not in INTEGERS and not get_format(name).fixed_point and get_format(name).zero:
            small = finite & (x.sig != 0) & (x.sig < np.uint64(1 << get_format(name).t))
        for flag, mask in (
            ("zero", zero), ("neg-zero", zero & x.negative), ("inf", x.infinite), ("nan", x.nan),
            ("source-subnormal", small), ("negative", x.negative),
        ):  # fmt: skip
            carried[flag] = carried[flag] | mask
    return carried


def _of_result(x: Fields, out: Codes, status: NDArray[np.uint8], f: Format) -> dict[str, Mask]:
    finite = ~(x.infinite | x.nan)
    eta = quarter_class(x, f)
    magnitude = out.astype(np.uint64) & np.uint64(f.magnitude_mask)
    return {
        "exact": finite & (status & 1 == 0),
        "tie": finite & (eta == 2),
        "near-tie": finite & ((eta == 1) | (eta == 3)),
        "overflow": status & 4 != 0,
        "underflow": status & 2 != 0,
        "subnormal": finite & (magnitude > 0) & (magnitude < np.uint64(1 << f.t)) & f.has_subnormals,
        "to-zero": finite & (x.sig != 0) & (magnitude == 0) & f.zero,
        "divide-by-zero": status & 8 != 0,
        "invalid": x.nan & (status & 16 != 0),
    }


def _cancels(op: Operation, operands: Sequence[Codes], exact: Fields) -> Mask:
    """Is the exact sum below a quarter of its largest term, which is not zero?"""
    parts = operand_parts(op, operands)
    terms = {"add": [[0], [1]], "sub": [[0], [1]], "fma": [[0, 1], [2]], "faa": [[0], [1], [2]]}.get(op.family)
    never = np.zeros(exact.nan.shape, bool)
    if terms is None:
        return never
    lowest = np.int64(-(1 << 40))
    finite = ~exact.nan & ~exact.infinite
    largest = np.full(never.shape, 2 * lowest)
    for term in terms:
        there = np.logical_and.reduce([parts[i].sig != 0 for i in term])
        e = np.add.reduce([floor_log2_u64(parts[i].sig) + parts[i].exp for i in term])
        largest = np.maximum(largest, np.where(there, e, 2 * lowest))
    result = np.where(exact.sig == 0, lowest, floor_log2_u64(exact.sig) + exact.exp)
    cancels: Mask = finite & (largest > lowest) & (result < largest - 1)
    return cancels


def quarter_class(fields: Fields, f: Format) -> NDArray[np.uint8]:
    """What rounding to a format discards: 0 nothing, 1 less than half an ulp, 2 half, 3 more than half."""
    e = floor_log2_u64(fields.sig) + fields.exp
    binade = np.full_like(e, f.emin) if f.fixed_point else np.maximum(e, f.emin)
    shift = np.where(fields.sig == 0, 0, binade - f.t - 2 - fields.exp)
    return (jam(fields.sig, shift) & np.uint64(3)).astype(np.uint8)
