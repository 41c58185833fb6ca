"""What is wrong with a unit that adds products exactly: mistakes of such units, each with what it would answer.

A mistake is named only where it gives every answer, the right ones too, result and status alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import Expected, differs, expect
from ...cases.operation import Operation
from ...cases.products.cases import Cases
from ...cases.products.questions import (
    addend_type,
    exact_projection,
    has_addend,
    has_output_scale,
    is_exact,
    is_fixed,
    is_product,
    length,
)
from ...spec.catalog import get_format
from ...spec.formats import Format
from ...spec.rounding import Rounding
from ...spec.status import LETTERS, Tininess
from .faults import change_of, of_c, of_k, of_operands

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
Operands = Sequence[Codes]  # as the columns of the operation: a (n, K), b (n, K), c (n)
FEW = 64  # wrong answers to which a mistake is put first
MODES = (Rounding.TIES_TO_EVEN, Rounding.TOWARD_ZERO, Rounding.TOWARD_NEGATIVE, Rounding.TOWARD_POSITIVE,
         Rounding.TIES_TO_AWAY, Rounding.TO_ODD)  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """A mistake by name, in words, and what a unit that makes it answers."""

    name: str
    sentence: str
    answers: Callable[[Operation, Operands], Expected]


def is_judged(op: Operation) -> bool:
    """Has this module anything to say about an operation: an exact sum of unscaled products in a float format?"""
    return (
        is_product(op) and is_exact(op.mode or "exact") and not is_fixed(op)
        and op.key("scale") == "" and not has_output_scale(op)
    )  # fmt: skip


def wrong_answers(op: Operation, got: Expected, want: Expected, nan: str = "class") -> Mask:
    """Which answers differ, in the result or in the status where both have one."""
    off = np.asarray(differs(op, got.codes, want.codes, nan), bool)
    if got.status is not None and want.status is not None:
        off = off | (got.status != want.status)
    return off


def mistakes_in(op: Operation, operands: Operands, got: Expected) -> list[Mistake]:
    """The mistakes that give exactly these answers; several where the cases do not tell them apart, and none where
    the answers are right or no mistake of the table gives them."""
    right = expect(op, operands)
    bad = np.flatnonzero(wrong_answers(op, got, right))
    if not bad.size or not is_judged(op):
        return []
    some = bad[:: -(-bad.size // FEW)]
    few, given = [x[some] for x in operands], got.taken(some)
    found = []
    for mistake in mistakes(op):
        if _gives(mistake, op, few, given) and _gives(mistake, op, operands, got):
            found.append(mistake)
    return found


def _gives(mistake: Mistake, op: Operation, operands: Operands, got: Expected) -> bool:
    try:
        answers = mistake.answers(op, operands)
    except (NotImplementedError, ValueError):
        return False
    return not wrong_answers(op, got, answers).any()


def mistakes(op: Operation) -> Iterator[Mistake]:
    """Every mistake that a unit of this operation can make."""
    yield Mistake("zero-gates-lane", "a zero operand gates its lane: the NaN or infinity beside it is lost", _gated)
    if has_addend(op):
        yield Mistake("products-rounded-first", "the sum of the products is rounded before C is added", _twice)
    yield Mistake("no-sticky", "bits below the guard bit are lost: rounding sees no sticky bit", _without_sticky)
    yield from _lanes(op)
    yield from _flags(op)
    yield from _modes(op)
    yield from _operands(op)


# -- operands ---------------------------------------------------------------------------------------------------------
def _magnitude(codes: Codes, f: Format) -> Codes:
    return np.asarray(codes & codes.dtype.type(f.magnitude_mask))


def _is_zero(codes: Codes, type_: str) -> Mask:
    f = get_format(type_)
    return np.asarray(_magnitude(codes, f) == 0) if f.zero else np.zeros(codes.shape, bool)


def _gated(op: Operation, operands: Operands) -> Expected:
    """A lane with a zero counts as a zero of the product's sign, whatever stands beside."""
    a, b, *rest = operands
    gates = _is_zero(a, op.operands[0]) | _is_zero(b, op.operands[1])
    signs = [x & x.dtype.type(get_format(name).sign_bit) for x, name in zip((a, b), op.operands)]
    return expect(op, [*(np.where(gates, sign, x).astype(x.dtype) for x, sign in zip((a, b), signs)), *rest])


def _lanes(op: Operation) -> Iterator[Mistake]:
    k = length(op)

    def ordered(order: list[int]) -> Callable[[Operation, Operands], Expected]:
        return lambda op, x: expect(op, [x[0], x[1][:, order], *x[2:]])

    if k > 1:
        yield Mistake("lanes-reversed", "the lanes of b are in reverse order", ordered([*range(k)][::-1]))
    if k > 2:
        turned = [*range(1, k), 0]
        yield Mistake("lanes-turned", "the lanes of b are one place further down", ordered(turned))
        yield Mistake("lanes-turned", "the lanes of b are one place further up", ordered([k - 1, *range(k - 1)]))
    if k > 2 and k % 2 == 0:
        yield Mistake("lanes-exchanged", "neighbouring lanes of b are exchanged", ordered([i ^ 1 for i in range(k)]))


def _operands(op: Operation) -> Iterator[Mistake]:
    """Mistakes that change the operands of a product of any kind."""
    families = [*(of_c(op) if has_addend(op) else []), *of_k(op), *of_operands(op)]
    if has_addend(op):
        mask = get_format(addend_type(op)).magnitude_mask
        families.append(
            change_of("c-sign", "the sign of C is lost", lambda op, x: replace(x, c=x.c & x.c.dtype.type(mask)))
        )
    for fault in families:
        change = fault.cases
        if change is None:
            continue

        def answers(op: Operation, x: Operands, change: Any = change) -> Expected:
            c = x[2] if has_addend(op) else np.zeros(len(x[0]), np.uint32)
            other, changed = change(op, Cases(x[0], x[1], c, ("",) * len(x[0])), None)
            return expect(other, changed.operands[: len(x)])

        yield Mistake(fault.name, fault.sentence, answers)


# -- rounding ---------------------------------------------------------------------------------------------------------
def _rounded(op: Operation, rounding: Rounding, **keys: str) -> Operation:
    """The operation under another rounding mode, and other keys."""
    words = (op.mode or "exact").split(".")
    mode = ".".join([words[0], rounding.value, *words[2:]])
    return Operation.parse(replace(op, mode=mode, keys=tuple(sorted({**dict(op.keys), **keys}.items()))).id)


def _twice(op: Operation, operands: Operands) -> Expected:
    """The products rounded to the result, which is added to C and rounded again; flags of both.

    Infinities and NaNs among the operands are answered before any rounding.
    """
    a, b, c = operands
    alone = replace(op, keys=tuple(sorted({**dict(op.keys), "c": "none"}.items())))
    first = expect(alone, [a, b])
    if addend_type(op) != op.result:
        raise NotImplementedError
    words = (op.mode or "").split(".")[1:]
    keys = tuple(pair for pair in op.keys if pair[0] in ("flags", "tininess", "snan"))
    add = Operation("add", (op.result, op.result), op.result, ".".join(words) if len(words) == 2 else "rne", keys)
    second = expect(Operation.parse(add.id), [first.codes, c])
    right = expect(op, operands)
    f = get_format(op.result)
    nothing = _magnitude(first.codes, f) == 0  # products that cancel, or are zeros, leave nothing to round
    if first.status is not None:
        nothing &= (first.status & 1) == 0
    nothing |= _magnitude(c, f) > f.max_code
    codes = np.where(nothing, right.codes, second.codes).astype(second.codes.dtype)
    if first.status is None or second.status is None or right.status is None:
        return Expected(codes)
    return Expected(codes, np.where(nothing, right.status, first.status | second.status).astype(np.uint8))


def _without_sticky(op: Operation, operands: Operands) -> Expected:
    """Rounded by the guard bit alone: a half or more counts as a tie, less as nothing."""
    rounding = exact_projection(op).rounding
    f = get_format(op.result)
    down, up = (expect(_rounded(op, mode), operands) for mode in (Rounding.TOWARD_ZERO, Rounding.TIES_TO_AWAY))
    magnitude = _magnitude(down.codes, f)
    negative = (down.codes & down.codes.dtype.type(f.sign_bit)) != 0
    match rounding:
        case Rounding.TIES_TO_EVEN:
            goes = (magnitude & 1) != 0
        case Rounding.TOWARD_POSITIVE:
            goes = ~negative
        case Rounding.TOWARD_NEGATIVE:
            goes = negative
        case _:
            raise NotImplementedError
    right = expect(op, operands)
    codes = np.where(goes, up.codes, down.codes).astype(right.codes.dtype)
    if up.status is None or down.status is None or right.status is None:
        raise NotImplementedError
    status = np.where(goes, up.status, down.status).astype(np.uint8)
    kept = ((right.status & 1) == 0) | ((right.status & status & 4) != 0)  # exact, or beyond the range either way
    return Expected(np.where(kept, right.codes, codes).astype(codes.dtype), np.where(kept, right.status, status))


def _modes(op: Operation) -> Iterator[Mistake]:
    own = exact_projection(op)
    for mode in MODES:
        if mode is not own.rounding:
            yield Mistake(f"rounds-{mode.value}", f"rounds by {mode.value}, not {own.rounding.value}",
                          lambda op, x, mode=mode: expect(_rounded(op, mode), x))  # type: ignore[misc]  # fmt: skip
    for tininess in Tininess:
        if op.flags and tininess is not own.tininess:
            yield Mistake(f"tininess-{tininess.value}", f"underflow is found {tininess.value} rounding",
                          lambda op, x, t=tininess.value: expect(  # type: ignore[misc]
                              _rounded(op, exact_projection(op).rounding, tininess=t), x))  # fmt: skip
    other = "plus" if op.key("zero", "ieee") == "ieee" else "ieee"
    said = "+0" if other == "plus" else "of IEEE 754's sign"
    ruled = tuple(sorted({**dict(op.keys), "zero": other}.items()))
    yield Mistake(f"zero-{other}", f"sums that are zero are {said}", lambda op, x: expect(replace(op, keys=ruled), x))


# -- status -----------------------------------------------------------------------------------------------------------
def _flags(op: Operation) -> Iterator[Mistake]:
    if not op.flags:
        return

    def without(bit: int) -> Callable[[Operation, Operands], Expected]:
        def answers(op: Operation, x: Operands) -> Expected:
            right = expect(op, x)
            assert right.status is not None
            return Expected(right.codes, right.status & np.uint8(31 & ~bit))

        return answers

    for bit, letters in LETTERS:
        yield Mistake(f"no-{letters.lower()}", f"{letters} is never raised", without(bit))
    yield Mistake("of-without-nx", "an overflow raises no NX", _overflow_alone)
    yield Mistake("uf-when-exact", "tiny results raise UF when they are exact, too", _always_tiny)


def _overflow_alone(op: Operation, x: Operands) -> Expected:
    right = expect(op, x)
    assert right.status is not None
    return Expected(right.codes, np.where(right.status & 4, right.status & 30, right.status).astype(np.uint8))


def _always_tiny(op: Operation, x: Operands) -> Expected:
    right = expect(op, x)
    assert right.status is not None
    f = get_format(op.result)
    magnitude = _magnitude(right.codes, f)
    tiny = (magnitude > 0) & (magnitude < (1 << f.t)) & ((right.status & 1) == 0)
    return Expected(right.codes, np.where(tiny, right.status | 2, right.status).astype(np.uint8))
