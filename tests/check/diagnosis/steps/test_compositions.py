"""Formulas whose every step is rounded: ml_dtypes computes the steps, the rule must foresee each of its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fp8ref.cases import Operation
from fp8ref.cases.families import FUNCTIONS
from fp8ref.check.diagnosis.arithmetic import asked_arithmetic
from fp8ref.check.diagnosis.book import rules_for
from fp8ref.check.diagnosis.steps.compositions import FORMULAS, composed_functions

X = np.arange(256, dtype=np.uint8)
STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "sigmoid": lambda x, c: c(1) / (c(1) + np.exp(-x)),
    "silu": lambda x, c: x * (c(1) / (c(1) + np.exp(-x))),
    "softplus": lambda x, c: np.maximum(x, c(0)) + np.log1p(np.exp(-np.abs(x))),
    "log10": lambda x, c: np.log(x) * c(1 / np.log(10)),
    "rad2deg": lambda x, c: x * c(180 / np.pi),
    "gelu_tanh": lambda x, c: x * (
        c(0.5) * (c(1) + np.tanh(c(np.sqrt(2 / np.pi)) * (x + c(0.044715) * (x * x * x))))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["e5m2", "e4m3fn"])
@pytest.mark.parametrize("family", STEPS)
def test_steps_in_the_format_are_foreseen(family: str, name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, f"float8_{name}"))
    with np.errstate(all="ignore"):
        made = STEPS[family](X.view(dtype), lambda value: dtype.type(value))
    op = Operation.parse(f"{family}/{name}/{name}/rtz.nonsat")  # whatever mode comes nearest
    asked = asked_arithmetic(op, [X])

    def same(codes: Any) -> bool:
        numbers = codes.view(dtype).astype(np.float32)
        return bool(np.array_equal(numbers, made.astype(np.float32), equal_nan=True))

    assert not same(asked.right)
    foreseen = [rule for rule in composed_functions(asked, [X]) if same(rule.predict())]
    assert foreseen
    assert all(rule.throughout and f"every step rounded to {name}" in rule.sentence for rule in foreseen)


def test_formulas_are_of_functions_and_belong_to_the_book() -> None:
    assert set(FORMULAS) <= set(FUNCTIONS)
    op = Operation.parse("sigmoid/e2m1fn/e2m1fn/rne.sat")
    assert any(rule.name == "steps-sat-sigmoid" for rule in rules_for(op, [X[:16]]))
    of_two = Operation.parse("sigmoid/e2m1fn/e4m3fn/rne.sat")
    assert not list(composed_functions(asked_arithmetic(of_two, [X[:16]]), [X[:16]]))


def test_another_function_is_named_for_every_answer_or_for_none() -> None:
    op = Operation.parse("sigmoid/e2m1fn/e2m1fn/rne.sat")
    others = [rule for rule in rules_for(op, [X[:16]]) if rule.name.startswith("wrong-operation-")]
    assert others
    assert all(rule.throughout for rule in others if rule.name.removeprefix("wrong-operation-") in FUNCTIONS)
