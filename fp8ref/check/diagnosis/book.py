"""All wrong rules that could explain answers to an operation, whatever its family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...cases.answers import Codes
from ...cases.operation import Operation
from ...cases.scaling.questions import is_recipe
from .arithmetic import arithmetic_rules
from .codes import code_rules, comparison_rules, integer_rules, test_rules
from .constants import constant_rules
from .conversions import conversion_rules, decode_rules
from .recipes import recipe_rules
from .rule import Rule
from .scaling import scale_rules
from .status import status_rules

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
    yield from RULES[op.asked.kind](op, operands)
    if op.flags:
        yield from status_rules(op, operands)
