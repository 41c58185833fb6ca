"""Wrong rules of exact sums as units deliver them: modes, addends, lanes, and the status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...cases.answers import Codes, Expected, expect, is_nan
from ...cases.operation import Operation
from ...cases.products.probes import codes_of, values_of
from ...cases.products.questions import (
    FLOATS,
    addend_type,
    exact_projection,
    fixed_overflow,
    has_addend,
    is_fixed,
    length,
    operand_types,
    scale_type,
)
from ...spec.catalog import get_format
from ...spec.projection import SNaN
from ...spec.rounding import DIRECTIONS, Rounding
from ...spec.status import Status, Tininess
from ..diagnosis.rule import Rule
from ..diagnosis.status import NAMES, WHEN

ROUNDINGS = tuple(Rounding(name) for name in ("rne", "rtz", "rtp", "rtn", "rna", "rto"))


def sum_rules(op: Operation, operands: Sequence[Codes], right: Expected) -> Iterator[Rule]:
    """Mistakes of a unit that adds exactly; ``right``: the answers once open questions are settled."""
    yield from _modes(op, operands)
    yield from _addends(op, operands)
    if op.flags and right.status is not None:
        yield from _status(op, operands, right)


def _modes(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Another rounding, overflow, sign of zero, tininess."""
    own = exact_projection(op).rounding
    word = fixed_overflow(op) if is_fixed(op) else (op.mode or "").rpartition(".")[2]
    overflows = ("sat", "wrap") if is_fixed(op) else ("sat", "nonsat")
    word = word if word in overflows else overflows[0] if is_fixed(op) else "nonsat"
    for rounding in ROUNDINGS:
        if rounding is not own:
            mode = f"exact.{rounding.value}.{word}"
            yield Rule(
                f"rounds-{rounding.value}", f"sums are rounded {DIRECTIONS[rounding]}", _under(op, operands, mode)
            )
    for other in overflows:
        if other != word:
            sentence = {"sat": "what is too large becomes the largest number", "wrap": "what is too large wraps around",
                        "nonsat": "what is too large becomes an infinity or a NaN"}[other]  # fmt: skip
            yield Rule(f"overflow-{other}", sentence, _under(op, operands, f"exact.{own.value}.{other}"))
    said = op.key("zero", "plus")
    if not is_fixed(op):
        other = "ieee" if said == "plus" else "plus"
        sentence = {"ieee": "sums that are zero have IEEE 754's sign", "plus": "every sum that is zero is +0"}[other]
        yield Rule(f"zero-{other}", sentence, _with(op, operands, zero=other))
    for tininess in Tininess:
        if op.flags and op.key("tininess", "after") != tininess:
            sentence = f"tininess is judged {WHEN[tininess]}"
            yield Rule(f"tininess-{tininess.value}", sentence, _with(op, operands, tininess=tininess.value))
    if op.flags and op.key("snan", "ieee") != SNaN.QUIET:
        yield Rule("signalling-nan-quiet", "a signalling NaN does not raise invalid", _with(op, operands, snan="quiet"))


def _addends(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """C ignored, made up, or added to a rounded sum; lanes lost or swapped; zeros that gate; subnormals flushed."""
    a, b, *rest = operands
    k, (fa, fb) = length(op), map(get_format, op.operands)

    def of(*changed: Codes) -> Callable[[], Expected]:
        return lambda: expect(op, [*changed, *operands[len(changed) :]])

    if has_addend(op):
        yield Rule("c-ignored", "C is ignored", of(a, b, np.zeros_like(rest[0])))
        if op.result in FLOATS and not is_fixed(op):
            yield Rule("c-after-rounding", "C is added to a sum that is rounded already", _c_later(op, operands))
    elif not is_fixed(op):
        yield Rule("starts-at-plus-zero", "sums start from +0, as if there were a C", _from_plus_zero(op, operands))
    dropped = [np.where(np.arange(k) == place, 0, x).astype(x.dtype) for place in (k - 1, 0) for x in (a, b)]
    yield Rule("k-last-dropped", "the last product is left out", of(*dropped[:2]))
    yield Rule("k-first-dropped", "the first product is left out", of(*dropped[2:]))
    for i in range(min(k, 8) - 1):
        order = np.arange(k)
        order[[i, i + 1]] = i + 1, i
        yield Rule(f"lanes-swapped-{i}", f"lanes {i} and {i + 1} of b are swapped", of(a, b[:, order]))
    x, y = values_of(a, fa), values_of(b, fb)
    zero = ((x == 0) & ~np.isfinite(y)) | ((y == 0) & ~np.isfinite(x))
    gated = [np.where(zero, 0, codes).astype(codes.dtype) for codes in (a, b)]
    yield Rule("zeros-gate", "a zero switches its lane off: NaN x 0 and infinity x 0 count as 0", of(*gated))
    only = zero & ~np.isnan(x) & ~np.isnan(y)
    gated = [np.where(only, 0, codes).astype(codes.dtype) for codes in (a, b)]
    yield Rule("infinity-times-zero", "infinity x 0 counts as 0", of(*gated))
    flushed = [
        np.where((np.abs(v) < float(f.min_normal)) & (v != 0), codes_of(np.copysign(0.0, v), f), codes).astype(
            codes.dtype
        )
        for codes, v, f in ((a, x, fa), (b, y, fb))
    ]
    yield Rule("operands-flushed", "subnormal operands count as zeros", of(*flushed))
    yield Rule("a-flushed", "subnormal codes of a count as zeros", of(flushed[0]))
    yield Rule("b-flushed", "subnormal codes of b count as zeros", of(a, flushed[1]))


def _status(op: Operation, operands: Sequence[Codes], right: Expected) -> Iterator[Rule]:
    """The codes are right, and a flag is missing or raised too often."""
    status = right.status
    assert status is not None

    def raising(changed: Codes) -> Callable[[], Expected]:
        return lambda: Expected(right.codes, changed.astype(np.uint8))

    nan = np.zeros(len(status), bool)
    for codes, name in zip(operands, operand_types(op)):
        of_one = is_nan(codes, name)
        nan |= of_one if of_one.ndim == 1 else of_one.any(axis=1)
    inexact, over = status & Status.INEXACT != 0, status & Status.OVERFLOW != 0
    yield Rule("no-flags", "no flag is ever raised", raising(np.zeros_like(status)))
    for bit, name in NAMES.items():
        if bit is not Status.DIVIDE_BY_ZERO:
            yield Rule(f"{name}-missing", f"{name} is never raised", raising(status & ~np.uint8(bit)))
            yield Rule(f"{name}-always", f"{name} is always raised", raising(status | np.uint8(bit)))
    for name, sentence, changed in (
        ("overflow-not-inexact", "overflow does not raise inexact", np.where(over, status & ~np.uint8(1), status)),
        ("underflow-normal", "underflow is raised for every inexact result", np.where(inexact, status | 2, status)),
        ("invalid-quiet-nan", "invalid is raised for quiet NaNs too", np.where(nan, status | 16, status)),
        ("invalid-only-nan", "invalid is raised for NaNs alone", np.where(nan, status, status & ~np.uint8(16))),
    ):
        yield Rule(name, sentence, raising(changed))


def _under(op: Operation, operands: Sequence[Codes], mode: str) -> Callable[[], Expected]:
    return lambda: expect(op.with_mode(mode), operands)


def _with(op: Operation, operands: Sequence[Codes], **keys: str) -> Callable[[], Expected]:
    return lambda: expect(_keyed(op, **keys), operands)


def _keyed(op: Operation, **keys: str) -> Operation:
    return replace(op, keys=tuple(sorted({**dict(op.keys), **keys}.items())))


def _from_plus_zero(op: Operation, operands: Sequence[Codes]) -> Callable[[], Expected]:
    """C, which is not there, as +0."""

    def predict() -> Expected:
        keys = {name: value for name, value in op.keys if name != "c"}
        other = replace(op, keys=tuple(sorted({**keys, "zero": "ieee"}.items())))
        c: Any = np.zeros(len(operands[0]), codes_of(np.zeros(1), get_format(addend_type(other))).dtype)
        return expect(other, [*operands[:2], c, *operands[2:]])

    return predict


def _c_later(op: Operation, operands: Sequence[Codes]) -> Callable[[], Expected]:
    """Two roundings: of the products' sum, then of C added to it; the status of both."""

    def predict() -> Expected:
        if scale_type(op):
            raise NotImplementedError
        keys = {name: value for name, value in op.keys if name not in ("bias", "c")}
        alone = expect(replace(op, keys=tuple(sorted({**keys, "c": "none"}.items()))), operands[:2])
        joined = {**keys, "k": "1", "bias": addend_type(op)}
        pair = replace(op, operands=(op.result, op.result), keys=tuple(sorted(joined.items())))
        one = codes_of(np.ones((len(alone.codes), 1)), get_format(op.result))
        found = expect(pair, [alone.codes[:, None], one, operands[2]])
        if found.status is None or alone.status is None:
            return found
        return Expected(found.codes, found.status | alone.status)

    return predict
