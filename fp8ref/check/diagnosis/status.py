"""Wrong rules of status flags: the codes are right, and a flag is missing or raised too often."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...cases.answers import Codes, Expected, Mask, expect
from ...cases.flags import flags_of, operand_parts
from ...cases.operation import Operation
from ...spec.status import Status, Tininess
from .rule import Rule

NAMES = {
    Status.INEXACT: "inexact",
    Status.UNDERFLOW: "underflow",
    Status.OVERFLOW: "overflow",
    Status.DIVIDE_BY_ZERO: "divideByZero",
    Status.INVALID: "invalid",
}
WHEN = {
    Tininess.BEFORE: "before rounding",
    Tininess.AFTER: "after rounding",
    Tininess.DELIVERED: "on the delivered result",
}


def status_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Mistakes of the status alone."""
    right = expect(op, operands)
    assert right.status is not None
    status = right.status

    def raising(changed: Callable[[], Codes]) -> Callable[[], Expected]:
        return lambda: Expected(right.codes, changed().astype(np.uint8))

    def cleared(bit: int, where: Mask | bool = True) -> Callable[[], Expected]:
        return raising(lambda: np.where(where, status & ~np.uint8(bit), status))

    def raised(bit: int, where: Mask | bool) -> Callable[[], Expected]:
        return raising(lambda: np.where(where, status | np.uint8(bit), status))

    nan = np.logical_or.reduce([x.nan for x in operand_parts(op, operands)])
    yield Rule("signalling-nan-quiet", "a signalling NaN does not raise invalid", cleared(16, nan))
    yield Rule("no-flags", "no flag is ever raised", raising(lambda: np.zeros_like(status)))
    for bit, name in NAMES.items():
        yield Rule(f"{name}-missing", f"{name} is never raised", cleared(bit))
        yield Rule(f"{name}-always", f"{name} is always raised", raised(bit, True))
    for tininess in Tininess:
        if op.asked.mode == "projection" and op.key("tininess", "after") != tininess:
            other = _with_key(op, "tininess", tininess.value)
            yield Rule(
                f"tininess-{tininess.value}",
                f"tininess is judged {WHEN[tininess]}",
                lambda other=other: expect(other, operands),  # type: ignore[misc]
            )
    marks = flags_of(op, operands)
    parts = operand_parts(op, operands)
    infinite = np.logical_or.reduce([x.infinite for x in parts])
    inexact, overflow = status & Status.INEXACT != 0, status & Status.OVERFLOW != 0
    pole, invalid = status & Status.DIVIDE_BY_ZERO != 0, status & Status.INVALID != 0
    subnormal = marks["subnormal"]
    for name, sentence, change in (
        ("underflow-exact", "underflow is raised for exact subnormal results too", raised(2, subnormal)),
        ("underflow-normal", "underflow is raised for every inexact result", raised(2, inexact)),
        ("invalid-quiet-nan", "invalid is raised for quiet NaNs too", raised(16, nan)),
        ("invalid-infinity", "invalid is raised for every infinity", raised(16, infinite)),
        ("invalid-only-nan", "invalid is raised for NaNs alone", cleared(16, ~nan)),
        ("overflow-not-inexact", "overflow does not raise inexact", cleared(1, overflow)),
        ("overflow-infinity", "overflow is raised for infinities too", raised(4, infinite & ~nan)),
        ("overflow-inexact-only", "overflow raises inexact alone", cleared(4)),
        ("overflow-pole", "an exact infinity raises overflow too", raised(5, pole)),
        ("inexact-pole", "an exact infinity raises inexact too", raised(1, pole)),
        ("inexact-invalid", "invalid operations raise inexact too", raised(1, invalid)),
        ("pole-invalid", "x/0 raises invalid instead of divideByZero",
         raising(lambda: np.where(pole, status & ~np.uint8(8) | np.uint8(16), status))),
        ("invalid-pole", "0/0 raises divideByZero too",
         raised(8, invalid & ~nan & np.logical_and.reduce([x.sig == 0 for x in parts]))),
    ):  # fmt: skip
        yield Rule(name, sentence, change)


def _with_key(op: Operation, key: str, value: str) -> Operation:
    return replace(op, keys=tuple(sorted({**dict(op.keys), key: value}.items())))
