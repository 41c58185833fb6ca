"""Arithmetic of whole arrays: tables for one and two narrow operands, float64 or integers for the rest.

* operands of 16 bits together: one gather from a table that holds every answer;
* sums, products and fma of wider operands: the product of two is exact in float64, and the sum is exact or rounded to
  odd from its TwoSum error, so that the conversion from float64 rounds the exact number;
* elementary functions: the stand-ins of ``functions/``;
* everything else: the integers of ``exact.py``, and where these lack bits, the reference itself, element by element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.catalog import CATALOG
from ..spec.formats import Format, NaNs
from ..spec.functions.catalog import FUNCTIONS
from ..spec.operations.arithmetic import DEFINITIONS, compute_codes, require_defined
from ..spec.operations.definition import Semantics
from ..spec.projection import NaN, Projection, SNaN
from ..spec.rounding import OF_CONVERSIONS, RandomBits
from ..spec.status import Status
from .chunks import Array, BodyOfMany, Scratch, for_each_chunk_of
from .encode import KERNEL_CHUNK, converter
from .environment import exact_floats
from .exact import EXACT, Context, choose, is_zero, scale, serves
from .functions import outcomes as functions
from .kernel import Codes, Fields, Random, code_dtype, operand_fields, project_codes
from .linear import Linear, pair_index, plan
from .tables import nan_answer, nan_key

Flags = NDArray[np.uint8]
F64 = CATALOG["f64"]
TABLE_BITS = 16
UNSETTLED = np.uint8(0x80)  # a status that no operation raises


@dataclass(frozen=True)
class Task:
    """One operation with everything that decides its answers."""

    op: str
    operands: tuple[Format, ...]
    result: Format
    rho: Projection
    semantics: Semantics = Semantics.IEEE


@exact_floats
def compute_arrays(
    task: Task, arrays: Sequence[Array], flags: bool, random: tuple[Array, int] | None = None
) -> tuple[Array, Flags | None]:
    """Codes (of one shape; last an array of integers where the operation has one) to codes, and status where asked.

    ``random``: an array of random bits of that shape and their width, for the stochastic modes.
    """
    require_defined(task.op, task.result, task.semantics)
    if task.rho.rounding in OF_CONVERSIONS:
        raise ValueError(f"rounding {task.rho.rounding.value!r} adds to the bits of a source: it is for conversions")
    out = np.empty(arrays[0].size, code_dtype(task.result))
    status: Flags | None = np.empty(arrays[0].size, np.uint8) if flags else None
    linear = None if random is not None or _has_table(task, arrays[0].size) else _linear(task)
    if linear is not None and status is None and task.rho.nan is not NaN.CANONICAL:
        status = np.empty(arrays[0].size, np.uint8)
    sources, body = _body(task, arrays, linear, random)
    for_each_chunk_of(sources, [out] if status is None else [out, status], body)
    if linear is not None and status is not None:
        _settle(task, arrays, out, status)
    shape = arrays[0].shape
    return out.reshape(shape), status.reshape(shape) if flags and status is not None else None


def _has_table(task: Task, size: int) -> bool:
    narrow = len(task.operands) <= 2 and sum(f.k for f in task.operands) <= TABLE_BITS
    if task.op in FUNCTIONS and not functions.has_table(task.operands, size):
        return False
    return narrow and not DEFINITIONS[task.op].integer and task.rho.nan is not NaN.ERROR


def _linear(task: Task) -> Linear | None:
    if task.rho.nan is NaN.ERROR:
        return None
    return plan(task.op, task.operands, task.result, task.rho, task.semantics)


def _body(
    task: Task, arrays: Sequence[Array], linear: Linear | None, random: tuple[Array, int] | None
) -> tuple[Sequence[Array], BodyOfMany]:
    """The cheapest way that the formats allow, and the arrays that it reads."""
    if random is not None:
        return [*arrays, random[0]], partial(_in_pieces, partial(_with_random, task, random[1]))
    if linear is not None:
        return arrays, partial(_through_float64, linear, task)
    if _has_table(task, arrays[0].size):
        operation_table(task)  # made once, before threads ask for it
        return arrays, partial(_by_table, task)
    return arrays, partial(_in_pieces, partial(evaluate, task))


# -- tables -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def operation_table(task: Task) -> tuple[Codes, Flags]:
    """Every answer and status of an operation whose operands have 16 bits together; the first operand leads."""
    index = np.arange(1 << sum(f.k for f in task.operands))
    last = task.operands[-1]
    codes = [index] if len(task.operands) == 1 else [index >> last.k, index & last.code_mask]
    return evaluate(task, [c.astype(code_dtype(f)) for c, f in zip(codes, task.operands)])


def _by_table(task: Task, chunks: Sequence[Array], outs: Sequence[Array], scratch: Scratch) -> None:
    if len(chunks) == 1:
        index = scratch.get("index", np.intp, chunks[0].size)
        np.copyto(index, chunks[0], casting="unsafe")
    else:
        index = pair_index(chunks[0], chunks[1], task.operands[1].k, scratch)
    for answers, out in zip(operation_table(task), outs):
        answers.take(index, out=out, mode="clip")


# -- float64 ------------------------------------------------------------------------------------------------------


def _through_float64(
    linear: Linear, task: Task, chunks: Sequence[Array], outs: Sequence[Array], scratch: Scratch
) -> None:
    exact = linear.value(chunks, scratch)
    nan = np.isnan(exact, out=scratch.get("nan", np.bool_, exact.size)) if len(outs) > 1 else None
    converter(F64, task.result, task.rho, exact.size)(exact.view(np.uint64), outs, scratch)
    if nan is not None:
        np.copyto(outs[1], UNSETTLED, where=nan)


def _settle(task: Task, sources: Sequence[Array], out: Array, status: Flags) -> None:
    """float64 forgets whose NaN it was, and whether it signalled: these elements are answered the general way."""
    nan = np.flatnonzero(status == UNSETTLED)
    if nan.size:
        among = [np.take(source, nan) for source in sources]
        for a in range(0, nan.size, KERNEL_CHUNK):
            part = slice(a, a + KERNEL_CHUNK)
            out[nan[part]], status[nan[part]] = evaluate(task, [operand[part] for operand in among])


# -- the general way ----------------------------------------------------------------------------------------------


def _in_pieces(answer: Any, chunks: Sequence[Array], outs: Sequence[Array], scratch: Scratch) -> None:
    for a in range(0, chunks[0].size, KERNEL_CHUNK):
        part = slice(a, a + KERNEL_CHUNK)
        for out, found in zip(outs, answer([chunk[part] for chunk in chunks])):
            out[part] = found


def _with_random(task: Task, width: int, arrays: Sequence[Array]) -> tuple[Codes, Flags]:
    return evaluate(task, arrays[:-1], Random(arrays[-1].astype(np.uint64), width))


@dataclass(frozen=True)
class Found:
    """Exact results before their projection: NaN where one is made or an operand's is ``lost`` to."""

    exact: Fields
    status: Flags
    operands: list[Fields]
    signalling: Array
    lost: Array


def exact_results(task: Task, arrays: Sequence[Array], random: Random | None = None) -> Found:
    """The exact results of arrays of codes, everything below some 60 bits jammed into the last."""
    op, rho = task.op, task.rho
    ieee = not task.semantics.of_p3109
    codes = arrays[: len(task.operands)]
    operands = [operand_fields(c, f, rho) for c, f in zip(codes, task.operands)]
    if not ieee:
        operands = [_without_negative_zero(x) for x in operands]
    signalling = np.zeros(operands[0].nan.shape, bool)
    if ieee and rho.snan is SNaN.IEEE:
        for c, f, x in zip(codes, task.operands, operands):
            if f.nans is NaNs.IEEE and x.nan.any():
                signalling |= x.nan & ((c >> c.dtype.type(f.t - 1)) & c.dtype.type(1) == 0)
    lost = np.logical_or.reduce([x.nan for x in operands])
    if op in FUNCTIONS:
        given = [
            _flushed(c, f, x) if rho.subnormal.of_operands else c for c, f, x in zip(codes, task.operands, operands)
        ]
        found = functions.outcomes(op, task.operands, task.semantics, [*given, *arrays[len(codes) :]])
        lost &= signalling | ~found.known
        exact, status = found.parts(), found.status.copy()
    elif DEFINITIONS[op].drops_nan(task.semantics):
        (x, y), lost = operands, operands[0].nan & operands[1].nan
        exact, status = EXACT[op](
            choose(x.nan, y, x), choose(y.nan, x, y), Context(rho.rounding, task.semantics, random)
        )
    elif op == "scale_b":
        exact, status = scale(operands[0], arrays[1].astype(np.int64)), np.zeros(lost.shape, np.uint8)
    else:
        exact, status = EXACT[op](*operands, Context(rho.rounding, task.semantics, random))
    exact = Fields(exact.negative, exact.sig, exact.exp, exact.infinite & ~lost, exact.nan | lost)
    return Found(exact if ieee else _without_negative_zero(exact), status, operands, signalling, lost)


def _flushed(codes: Array, f: Format, x: Fields) -> Array:
    """Codes whose subnormals are zeros of their sign, as their fields are already."""
    zero = (x.sig == 0) & ~x.infinite & ~x.nan
    return np.where(zero, codes & codes.dtype.type(f.sign_bit if f.has_negative_zero else 0), codes)


@exact_floats
def evaluate(task: Task, arrays: Sequence[Array], random: Random | None = None) -> tuple[Codes, Flags]:
    """Codes and status of arrays of codes, element by element equal to ``spec.compute_codes``."""
    op, result, rho = task.op, task.result, task.rho
    width = random.width if random else 0
    if not (functions.serves(result, width) if op in FUNCTIONS else serves(op, task.operands, result, width)):
        return _by_specification(task, arrays, random)
    ieee = not task.semantics.of_p3109
    found = exact_results(task, arrays, random)
    fields, status, lost, exact = found.operands, found.status, found.lost, found.exact
    if ieee:  # whose NaN it is comes later
        exact = Fields(exact.negative, exact.sig, exact.exp, exact.infinite, exact.nan & ~lost)
    out, raised = project_codes(exact, result, rho, random)
    status |= raised
    if lost.any():
        if ieee:
            status[lost] = 0
            _propagate(task, arrays, [x.nan for x in fields], lost, out, status)
        else:
            status[lost] = raised[lost]
        if op == "fma":  # 0 times infinity plus a NaN is invalid too
            undefined = (fields[0].infinite & is_zero(fields[1])) | (is_zero(fields[0]) & fields[1].infinite)
            status |= np.where(undefined, np.uint8(Status.INVALID), np.uint8(0))
    status |= np.where(found.signalling, np.uint8(Status.INVALID), np.uint8(0))
    if not ieee and result.has_negative_zero:
        out = np.where(out == result.sign_bit, np.uint64(0), out)
    return out.astype(code_dtype(result)), status


def _without_negative_zero(x: Fields) -> Fields:
    return Fields(x.negative & ~is_zero(x), x.sig, x.exp, x.infinite, x.nan)


def _propagate(
    task: Task, codes: Sequence[Array], nans: Sequence[Array], lost: Array, out: NDArray[np.uint64], status: Flags
) -> None:
    """A NaN result is made, by the reference, of the first operand that is a NaN."""
    left = lost.copy()
    for c, f, nan in zip(codes, task.operands, nans):
        here = left & nan
        left &= ~nan
        if here.any():
            found, back = np.unique(nan_key(c[here], f, task.result, task.rho), return_inverse=True)
            answers = [nan_answer(int(code), f, task.result, task.rho) for code in found]
            out[here] = np.array([a[0] for a in answers], np.uint64)[back]
            status[here] |= np.array([a[1] for a in answers], np.uint8)[back]


def _by_specification(task: Task, arrays: Sequence[Array], random: Random | None) -> tuple[Codes, Flags]:
    n = arrays[0].size
    out, status = np.empty(n, code_dtype(task.result)), np.empty(n, np.uint8)
    for i in range(n):
        bits = RandomBits(int(random.value[i]), random.width) if random else None
        answer = compute_codes(
            task.op, [int(a[i]) for a in arrays[: len(task.operands) + DEFINITIONS[task.op].integer]], task.operands,
            task.result, task.rho, task.semantics, bits,
        )  # fmt: skip
        out[i], status[i] = answer
    return out, status
