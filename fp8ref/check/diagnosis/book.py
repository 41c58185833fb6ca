"""All wrong rules that could explain answers to an operation, whatever its family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...cases.answers import Codes
from ...cases.operation import Operation
from ...cases.scaling.questions import is_recipe
from ..stochastic.random_bits import stochastic_rules
from .arithmetic import arithmetic_rules, asked_arithmetic
from .codes import code_rules, comparison_rules, integer_rules, test_rules
from .constants import constant_rules
from .conversions import asked_conversion, conversion_rules, decode_rules
from .recipes import recipe_rules
from .rule import Asked, Rule
from .scaling import scale_rules
from .status import status_rules
from .steps.detours import detour_rules, rules_after_rounding

RULES: dict[str, Callable[[Operation, Sequence[Codes]], Iterator[Rule]]] = {
    "convert": lambda op, operands: conversion_rules(op, operands[0]),
    "decode": lambda op, operands: decode_rules(op, operands[0]),
    "arithmetic": arithmetic_rules,
    "int": integer_rules,
    "compare": comparison_rules,
    "test": test_rules,
    "codes": code_rules,
    "scale": lambda op, operands: (recipe_rules if is_recipe(op) else scale_rules)(op, operands),
    "constant": constant_rules,
}


def rules_for(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """The wrong rules that could explain answers to an operation on these operand codes."""
    yield from (stochastic_rules if op.random_width else RULES[op.asked.kind])(op, operands)
    if op.flags:
        yield from status_rules(op, operands)


def composed_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Wrong rules of several steps, for answers that no rule of one step explains."""
    if op.asked.kind in ("convert", "arithmetic") and not op.random_width:
        yield from detour_rules(asked(op, operands))


def paired_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Another rounding, and one more mistake after it."""
    if op.asked.kind in ("convert", "arithmetic") and not op.random_width:
        yield from rules_after_rounding(op, lambda other: asked(other, operands))


def asked(op: Operation, operands: Sequence[Codes]) -> Asked:
    """The question that a conversion or an arithmetic operation is."""
    return asked_conversion(op, operands[0]) if op.asked.kind == "convert" else asked_arithmetic(op, operands)
