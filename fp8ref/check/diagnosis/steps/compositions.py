"""Wrong rules of functions: a formula whose every step is rounded to the format, or to binary16 and then to it.

XLA answers functions of 8 bits so, unless they are one instruction; a formula is a line below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from ....cases.answers import Codes, computed, project_into
from ....cases.flags import task_of
from ....fast.arithmetic import Task
from ....fast.encode import convert_codes
from ....spec.catalog import get_format
from ....spec.formats import Format
from ....spec.overflow import get_overflow
from ....spec.projection import get_projection
from ....spec.rounding import Rounding
from ..rule import Asked, Rule

F64, F16 = get_format("f64"), get_format("f16")


class Steps:
    """Operations on codes of one format, each rounded to nearest in it at once or by way of another."""

    def __init__(self, a: Asked, way: Format | None, overflow: str) -> None:
        self.f, self.way = a.f, way
        rho = replace(a.rho, rounding=Rounding.TIES_TO_EVEN, overflow=get_overflow(overflow, a.f))
        self.task = replace(task_of(a.op), rho=rho)

    def __call__(self, op: str, *operands: Codes) -> Codes:
        task = replace(self.task, op=op, operands=(self.f,) * len(operands))
        if self.way is None:
            return computed(task, operands).codes
        between = computed(self._to_way(task), operands).codes
        return project_into(self.way, between, self.task.rho, self.f)

    def _to_way(self, task: Task) -> Task:
        assert self.way is not None
        return replace(task, result=self.way, rho=get_projection(self.way, "rne", "nonsat"))

    def number(self, x: float, like: Codes) -> Codes:
        """A constant, rounded to the format."""
        value = np.full(like.shape, float(x)).view(np.uint64)
        return convert_codes(value, F64, self.f, get_projection(self.f, "rne", "sat"), False)[0].astype(like.dtype)


Formula = Callable[[Steps, Codes], Codes]


def _sigmoid(do: Steps, x: Codes) -> Codes:
    one = do.number(1, x)
    return do("divide", one, do("add", one, do("exp", do("negative", x))))


def _softplus(do: Steps, x: Codes) -> Codes:
    larger = do("maximum", x, do.number(0, x))
    return do("add", larger, do("log1p", do("exp", do("negative", do("absolute", x)))))


def _gelu_tanh(do: Steps, x: Codes) -> Codes:
    one, half = do.number(1, x), do.number(0.5, x)
    cubic = do("multiply", do.number(0.044715, x), do("multiply", do("multiply", x, x), x))
    inner = do("multiply", do.number(math.sqrt(2 / math.pi), x), do("add", x, cubic))
    return do("multiply", x, do("multiply", half, do("add", one, do("tanh", inner))))


def _over(base: float) -> Formula:
    return lambda do, x: do("divide", do("log", x), do.number(math.log(base), x))


def _times(factor: float) -> Formula:
    return lambda do, x: do("multiply", x, do.number(factor, x))


def _halves(op: str) -> Formula:
    def halves(do: Steps, x: Codes) -> Codes:
        both = do(op, do("exp", x), do("exp", do("negative", x)))
        return do("multiply", do.number(0.5, x), both)

    return halves


# family -> formulas and what is computed
FORMULAS: dict[str, Sequence[tuple[str, Formula]]] = {
    "sigmoid": [("1 / (1 + exp(-x))", _sigmoid)],
    "silu": [("x sigmoid(x)", lambda do, x: do("multiply", x, _sigmoid(do, x)))],
    "softplus": [
        ("max(x, 0) + log1p(exp(-|x|))", _softplus),
        ("log1p(exp(x))", lambda do, x: do("log1p", do("exp", x))),
    ],
    "log_sigmoid": [
        ("-(max(-x, 0) + log1p(exp(-|x|)))", lambda do, x: do("negative", _softplus(do, do("negative", x)))),
    ],
    "mish": [("x tanh(softplus(x))", lambda do, x: do("multiply", x, do("tanh", _softplus(do, x))))],
    "gelu_tanh": [("x (1/2 (1 + tanh(c (x + 0.044715 x x x))))", _gelu_tanh)],
    "erfc": [("1 - erf(x)", lambda do, x: do("subtract", do.number(1, x), do("erf", x)))],
    "rsqrt": [("1 / sqrt(x)", lambda do, x: do("divide", do.number(1, x), do("sqrt", x)))],
    "log1p": [("log(1 + x)", lambda do, x: do("log", do("add", do.number(1, x), x)))],
    "expm1": [("exp(x) - 1", lambda do, x: do("subtract", do("exp", x), do.number(1, x)))],
    "log2": [("log(x) / log(2)", _over(2))],
    "log10": [
        ("log(x) / log(10)", _over(10)),
        ("log(x) times 1/log(10)", lambda do, x: do("multiply", do("log", x), do.number(1 / math.log(10), x))),
    ],
    "exp2": [("exp(x log(2))", lambda do, x: do("exp", _times(math.log(2))(do, x)))],
    "tan": [("sin(x) / cos(x)", lambda do, x: do("divide", do("sin", x), do("cos", x)))],
    "sinh": [("(exp(x) - exp(-x)) / 2", _halves("subtract"))],
    "cosh": [("(exp(x) + exp(-x)) / 2", _halves("add"))],
    "deg2rad": [("x times pi/180", _times(math.pi / 180))],
    "rad2deg": [("x times 180/pi", _times(180 / math.pi))],
}


def composed_functions(a: Asked, operands: Sequence[Codes]) -> Iterator[Rule]:
    """The formulas of an operation's function on one narrow format."""
    if task_of(a.op).operands != (a.f,) or a.f.k > 16:
        return
    ways = (None, F16) if a.f.k < 16 else (None,)
    for (text, formula), way, overflow in product(FORMULAS.get(a.op.family, ()), ways, ("nonsat", "sat")):
        by = f" by way of {way.name}" if way else ""
        by += ", saturated" if overflow == "sat" else ""
        name = f"steps{'-' + way.name if way else ''}-{overflow}-{a.op.family}"
        yield Rule(name, f"computes {text}, every step rounded to {a.f.name}{by}",
                   partial(_answers, a, operands[0], formula, way, overflow), throughout=True)  # fmt: skip


def _answers(a: Asked, x: Codes, formula: Formula, way: Format | None, overflow: str) -> Codes:
    return formula(Steps(a, way, overflow), x)
