"""Mistakes against a recipe: another recipe in use, or one factor changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.scaling.questions import quantiser, values
from ...cases.scaling.recipes import mode_text, rows_of, with_element
from ...spec.scaling.recipe import sentence
from ..identify.recipes import variants
from .rule import Rule

Codes = NDArray[Any]


def recipe_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Every change of one factor, then every other recipe in use."""
    q = quantiser(op)
    r = with_element(op.mode or "", q.element)
    x, whole = values(op, operands)
    for other in variants(r):
        ((factor, (_, theirs)),) = r.differences(other).items()
        name, told = f"recipe-{factor}-{theirs}", f"{mode_text(r)}, but {sentence(factor, theirs)}"
        yield Rule(name, told, partial(rows_of, other, x, op.operands[0], whole))
    for mode in q.rules[1:]:
        told = f"the answers are those of {mode}"
        yield Rule(f"recipe-{mode}", told, partial(rows_of, with_element(mode, q.element), x, op.operands[0], whole))
