"""What the reference answers, and when an answer counts as the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.conversion import FLOAT_DTYPES
from ..arrays.products import dot, matmul
from ..arrays.selection import abs_, classify, compare, copysign, is_class, negate, next_down, next_up, to_integer
from ..arrays.selection import total_order as total_order_of
from ..fast.arithmetic import Task, compute_arrays, evaluate
from ..fast.decode import decode_codes
from ..fast.encode import convert_codes, convert_integers
from ..fast.environment import exact_floats
from ..fast.kernel import nan_codes
from ..spec.catalog import get_format
from ..spec.formats import Format, NaNs
from ..spec.matrix.accumulate import Model
from ..spec.operations.integers import OutOfRange
from ..spec.overflow import Overflow, To, get_overflow, keeps_order
from ..spec.profiles.constants import constant
from ..spec.projection import NaN, Projection
from ..spec.rounding import DETERMINISTIC
from .flags import task_of
from .operation import INTEGERS, UNITS, Operation
from .products.beside import amax_codes, has_amax, singles, to_amax, without_amax
from .products.exact import flagged, says_more
from .products.questions import (
    addend_type,
    block_of,
    exact_projection,
    has_output_scale,
    is_fixed,
    model_of,
    scale_type,
)
from .scaling.questions import is_scale, quantiser, scaled_rows, split

Codes = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Expected:
    """Result codes and, where the operation asks for it, the status, or the amax of a product."""

    codes: Codes
    status: Codes | None = None
    amax: Codes | None = None

    def taken(self, which: NDArray[np.intp]) -> Expected:
        """The answers to some of the cases."""
        status, amax = (None if x is None else x[which] for x in (self.status, self.amax))
        return Expected(self.codes[which], status, amax)

    @property
    def beside(self) -> Codes | None:
        """What is answered beside the results."""
        return self.amax if self.status is None else self.status


def _convert(op: Operation, operands: Sequence[Codes]) -> Expected:
    random = (operands[1], op.random_width) if op.random_width else None
    return Expected(*project_into_with_status(op.operands[0], operands[0], op.projection, op.result, op.flags, random))


def _decode(op: Operation, operands: Sequence[Codes]) -> Expected:
    return Expected(decode_codes(operands[0], get_format(op.operands[0]), op.result_format))


FEW = 1 << 13  # cases below which an answer for each is cheaper than a table of all


def computed(task: Task, operands: Sequence[Codes], flags: bool = False) -> Expected:
    """What the reference answers to an arithmetic task."""
    if operands[0].size < FEW:
        codes, status = evaluate(task, [x.astype(x.dtype.newbyteorder("="), copy=False) for x in operands])
        return Expected(codes, status if flags else None)
    return Expected(*compute_arrays(task, operands, flags))


def _arithmetic(op: Operation, operands: Sequence[Codes]) -> Expected:
    return computed(task_of(op), operands, op.flags)


def _int(op: Operation, operands: Sequence[Codes]) -> Expected:
    rounding, rule = op.integer_mode
    options: dict[str, Any] = {name: op.key(name) for name in ("subnormal",) if op.key(name)}
    codes, status = to_integer(
        operands[0], op.result, op.operands[0], rounding=rounding, out_of_range=rule,
        exact=op.key("exact", "1") == "1", flags=True, **options,
    )  # fmt: skip
    return Expected(codes, status if op.flags else None)


def _compare(op: Operation, operands: Sequence[Codes]) -> Expected:
    signalling = None if not op.key("signalling") else op.key("signalling") == "1"
    snan = op.key("snan", "ieee")
    (a, b), (format_a, format_b) = operands, op.operands
    holds, status = compare(a, b, op.asked.definition, format_a, format_b, signalling=signalling, snan=snan, flags=True)
    return Expected(holds.astype(np.uint8), status if op.flags else None)


def _test(op: Operation, operands: Sequence[Codes]) -> Expected:
    return _quietly(op, is_class(operands[0], op.asked.definition, op.operands[0]).astype(np.uint8))


def _next_after(a: Codes, b: Codes, f: str) -> Codes:
    """The neighbour of a on the side of b; b itself where they are equal, NaN where either is one  [C23 F.10.8.3]."""
    up, down = next_up(a, f), next_down(a, f)
    moved = np.where(compare(a, b, "lt", f), up, np.where(compare(a, b, "eq", f), b, down))
    return np.where(is_nan(b, f), b, np.where(is_nan(a, f), a, moved)).astype(a.dtype)


def _true(x: Codes, f: str) -> Mask:
    """As C converts to bool: whatever is no zero, a NaN too  [C23 6.3.1.2]."""
    return np.asarray(~is_class(x, "iszero", f))


CODES: dict[str, Callable[..., Codes]] = {
    "neg": negate,
    "abs": abs_,
    "copysign": copysign,
    "nextup": next_up,
    "nextdown": next_down,
    "nextafter": _next_after,
    "totalorder": lambda a, b, f: total_order_of(a, b, f).astype(np.uint8),
    "classify": classify,
    "and": lambda a, b, f: (_true(a, f) & _true(b, f)).astype(np.uint8),
    "or": lambda a, b, f: (_true(a, f) | _true(b, f)).astype(np.uint8),
    "xor": lambda a, b, f: (_true(a, f) ^ _true(b, f)).astype(np.uint8),
    "not": lambda x, f: (~_true(x, f)).astype(np.uint8),
}


def _codes(op: Operation, operands: Sequence[Codes]) -> Expected:
    if op.flags and op.family in ("nextup", "nextdown"):
        return Expected(*(next_up if op.family == "nextup" else next_down)(operands[0], op.operands[0], flags=True))
    return _quietly(op, CODES[op.family](*operands, op.operands[0]))


def _quietly(op: Operation, codes: Codes) -> Expected:
    """An operation that raises nothing."""
    return Expected(codes, np.zeros(codes.shape, np.uint8) if op.flags else None)


@exact_floats
def product(
    op: Operation,
    operands: Sequence[Codes],
    model: Model | None,
    rounding: str = "rne",
    overflow: Overflow | None = None,
    result: str | None = None,
) -> Codes:
    """Dot or matrix products of codes a, b, c under a model; without one the exact sum, rounded as said.

    ``operands``: also the codes of both scales, where the operation has them.  ``result``: another format of the
    answers than the operation's; C keeps the type that it has there.
    """
    result = result or op.result
    a, b, codes, *scales = operands
    overflow = overflow or exact_projection(op.with_mode("exact")).overflow
    c = codes.view(FLOAT_DTYPES[addend_type(op)])
    if model is not None:
        c = c.astype(FLOAT_DTYPES[model.result], copy=False)
    d = (dot if op.family == "dot" else matmul)(
        a, b, *op.operands, c=c, accumulator=model or "exact", result=result, rounding=rounding,
        overflow=(overflow.finite, overflow.infinite), **scaling(op, scales),
    )  # fmt: skip
    return d.view(f"u{d.dtype.itemsize}") if result in FLOAT_DTYPES else d


def scaling(op: Operation, scales: Sequence[Codes]) -> dict[str, Any]:
    """The arguments of dot and matmul for codes of scales."""
    name = scale_type(op)
    if name is None:
        return {}
    floats = FLOAT_DTYPES.get(get_format(name).name)
    a, b = scales[:2] if floats is None else (np.ascontiguousarray(s).view(floats) for s in scales[:2])
    given = {"scale_a": a, "scale_b": b, "scale_format": None if floats is not None else name, "block": block_of(op)}
    if has_output_scale(op):
        given["scale_result"] = np.ascontiguousarray(scales[2]).view(np.float32)
    return given


def _dot(op: Operation, operands: Sequence[Codes]) -> Expected:
    if has_amax(op):
        asked, given = to_amax(op, operands)
        amax = amax_codes(op, singles(_dot(asked, given).codes, asked.result))
        return replace(_dot(without_amax(op), operands), amax=amax)
    model = model_of(op)
    if model is not None:
        return Expected(product(op, operands, model))
    if says_more(op):
        codes, status = flagged(op, operands)
        return Expected(codes, status if op.flags else None)
    rho = exact_projection(op)
    return Expected(product(op, operands, None, rho.rounding.value, rho.overflow))


def _constant(op: Operation, operands: Sequence[Codes]) -> Expected:
    value = np.array(constant(op.mode or "", get_format(op.operands[0])), FLOAT_DTYPES.get(op.result, np.int64))
    codes = np.full(operands[0].shape, value)
    return _quietly(op, codes.view(np.uint64) if op.result == "f64" else codes)


ANSWERS: dict[str, Callable[[Operation, Sequence[Codes]], Expected]] = {
    "convert": _convert,
    "decode": _decode,
    "arithmetic": _arithmetic,
    "int": _int,
    "compare": _compare,
    "test": _test,
    "codes": _codes,
    "dot": _dot,
    "constant": _constant,
    "scale": lambda op, operands: Expected(scaled_rows(op, operands)),
}


@exact_floats
def expect(op: Operation, operands: Sequence[Codes]) -> Expected:
    """What the reference answers to an operation with a definite mode.

    >>> op = Operation.parse("add/e4m3fn.e4m3fn/e4m3fn/rne.sat")
    >>> expect(op, [np.array([0x38], np.uint8), np.array([0x38], np.uint8)]).codes
    array([64], dtype=uint8)
    """
    return ANSWERS[op.asked.kind](op, operands)


def project_into_with_status(
    source: str | Format,
    codes: Codes,
    rho: Projection,
    result: str | Format,
    flags: bool,
    random: tuple[Codes, int] | None = None,
) -> tuple[Codes, NDArray[np.uint8] | None]:
    """Operand codes of any type, integers included, projected onto a format; ``random``: words, and their width."""
    f = get_format(result)
    if source in INTEGERS:
        return convert_integers(codes, f, rho, flags, random)
    return convert_codes(codes, get_format(source), f, rho, flags, random)


def project_into(source: str | Format, codes: Codes, rho: Projection, result: str | Format) -> Codes:
    return project_into_with_status(source, codes, rho, result, False)[0]


def is_nan(codes: Codes, type_name: str) -> Mask:
    """Which codes of a type are NaNs."""
    if type_name in (*INTEGERS, *UNITS):
        return np.zeros(codes.shape, bool)
    return nan_codes(codes, get_format(type_name))


def differs(op: Operation, got: Codes, want: Codes, nan: str = "class") -> Mask:
    """Which answers differ; under ``nan="class"`` all NaN codes are the same answer, but for what the operation
    promises of them: their sign (``;nan=keep-sign``), or all bits (``;nan=payload``).

    An answer of a scaling is a row: its scale and all of its elements.
    """
    if is_scale(op):
        types = (quantiser(op).scale, quantiser(op).element)
        scale, codes = (_differing(g, w, name, nan) for g, w, name in zip(split(op, got), split(op, want), types))
        return np.asarray(scale | codes.any(axis=1))
    if got.ndim > 1 and is_fixed(op):  # words of a long fixed-point result
        return np.asarray((got != want).any(axis=1))
    promised = op.key("nan")
    if nan == "class" and promised == NaN.PAYLOAD.value:
        return _differing(got, want, op.result, "bits")
    found = _differing(got, want, op.result, nan)
    if nan == "class" and promised == NaN.KEEP_SIGN.value and _has_signed_nan(op.operands[0]):
        f = get_format(op.result)
        unlike = ((got ^ want) & got.dtype.type(f.sign_bit)) != 0
        where = np.flatnonzero(unlike & ~found)
        found[where] = is_nan(want[where], op.result)
    return found


def _has_signed_nan(type_name: str) -> bool:
    """Has a type NaNs with a sign to keep?  Not integers, and not the one NaN at the code of -0."""
    return type_name not in INTEGERS and get_format(type_name).nans is not NaNs.NEGATIVE_ZERO


def _differing(got: Codes, want: Codes, type_name: str, nan: str) -> Mask:
    found: Mask = got != want
    if nan == "class" and found.any():
        found &= ~(is_nan(got, type_name) & is_nan(want, type_name))
    return found


def modes(op: Operation) -> Iterator[str]:
    """Every deterministic mode that answers to an operation can follow; none where its family has no mode.

    A pair of overflow rules under which a larger input gets a smaller answer is none.
    """
    if is_scale(op):
        yield from quantiser(op).rules
    elif op.asked.kind == "int":
        yield from (f"{rounding.value}.{rule.value}" for rule in OutOfRange for rounding in DETERMINISTIC)
    elif op.asked.mode is not None and op.asked.kind != "constant":
        f = op.result_format
        yield from (mode for mode in behaviours(f) if keeps_order(get_overflow(mode.partition(".")[2], f), f))


def behaviours(f: Format) -> Iterator[str]:
    """Every deterministic mode ``rounding.overflow`` that a format can show, the named ones first."""
    overflows: dict[Overflow, str] = {}
    for name in ("sat", "nonsat", "satprop"):
        overflows.setdefault(get_overflow(name, f), name)
    for finite in To:
        for infinite in (To.MAX, To.INF, To.NAN):
            try:
                rule = get_overflow((finite, infinite), f)
            except ValueError:
                continue
            overflows.setdefault(rule, str(rule))
    for rounding in DETERMINISTIC:
        for name in overflows.values():
            yield f"{rounding.value}.{name}"
