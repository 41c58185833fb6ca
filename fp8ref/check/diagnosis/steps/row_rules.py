"""Wrong rules of functions of a row: what fused kernels get wrong in softmax, LayerNorm and their kin.

A rule computes in binary64, or in the format in which a kernel keeps what lies between, and rounds once at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ....arrays.conversion import FLOAT_DTYPES
from ....cases.answers import Codes, expect, project_into
from ....cases.families import OF_ROWS, WITH_EPSILON
from ....cases.operation import Operation
from ....fast.decode import decode_codes
from ....spec.catalog import get_format
from ....spec.functions.reductions import EPSILONS
from ....spec.projection import NaN
from ..rule import Asked, Rule

Values = Any  # an array (n, k) or (n) of the dtype that is computed in
Formula = Callable[[Values, Any], Values]
F64 = get_format("f64")
BETWEEN = ("f32", "bf16", "f16")


def _sum(x: Values) -> Values:
    """From the first to the last, each rounded to the dtype."""
    total = x[:, 0]
    for i in range(1, x.shape[1]):
        total = total + x[:, i]
    return total


def _mean(x: Values) -> Values:
    return _sum(x) / x.dtype.type(x.shape[1])


def _exponentials(x: Values, largest: bool) -> tuple[Values, Values]:
    """The exponentials and what was subtracted from the operands before."""
    m = x.max(axis=1) if largest else np.zeros_like(x[:, 0])
    return np.exp(x - m[:, None]), m


def _softmax(largest: bool, x: Values, eps: Any) -> Values:
    e, _ = _exponentials(x, largest)
    return e[:, 0] / _sum(e)


def _log_sum(largest: bool, x: Values, eps: Any) -> Values:
    e, m = _exponentials(x, largest)
    return np.log(_sum(e)) + m


def _log_softmax(largest: bool, x: Values, eps: Any) -> Values:
    return x[:, 0] - _log_sum(largest, x, eps)


def _centred(x: Values) -> tuple[Values, Values, Values]:
    """The first operand less the mean, the squares of all, the sum of which over n is the variance, and n."""
    away = x - _mean(x)[:, None]
    return away[:, 0], away * away, np.asarray(x.dtype.type(x.shape[1]))


def _norm(x: Values, eps: Any) -> Values:
    first, squares, _ = _centred(x)
    return first / np.sqrt(_mean(squares) + eps)


def _sample(x: Values, eps: Any) -> Values:
    first, squares, n = _centred(x)
    return first / np.sqrt(_sum(squares) / (n - n.dtype.type(1)) + eps)


def _norm_outside(x: Values, eps: Any) -> Values:
    first, squares, _ = _centred(x)
    return first / (np.sqrt(_mean(squares)) + eps)


def _by_squares(x: Values, eps: Any) -> Values:
    mean = _mean(x)
    return (x[:, 0] - mean) / np.sqrt(_mean(x * x) - mean * mean + eps)


def _rms(x: Values, eps: Any) -> Values:
    return x[:, 0] / np.sqrt(_mean(x * x) + eps)


def _rms_outside(x: Values, eps: Any) -> Values:
    return x[:, 0] / (np.sqrt(_mean(x * x)) + eps)


def _rms_of_sum(x: Values, eps: Any) -> Values:
    return x[:, 0] / np.sqrt(_sum(x * x) + eps)


WITHOUT = "the largest operand is not subtracted before the exponentials"
OUTSIDE = "eps is added to the root, not under it"
# family -> name, sentence, formula, and the formats between in which it is tried
MISTAKES: dict[str, Sequence[tuple[str, str, Formula, Sequence[str]]]] = {
    "softmax": [("without-maximum", WITHOUT, partial(_softmax, False), BETWEEN)],
    "logsumexp": [("without-maximum", WITHOUT, partial(_log_sum, False), BETWEEN)],
    "log_softmax": [("without-maximum", WITHOUT, partial(_log_softmax, False), BETWEEN)],
    "layernorm": [
        ("sample-variance", "the variance is divided by n - 1", _sample, ("f64", "f32")),
        ("epsilon-outside", OUTSIDE, _norm_outside, ("f64", "f32")),
        ("mean-kept", "the mean is not subtracted", _rms, ("f64", "f32")),
        (
            "variance-by-squares",
            "the variance is the mean of squares less the square of the mean",
            _by_squares,
            BETWEEN,
        ),
    ],
    "rmsnorm": [
        ("epsilon-outside", OUTSIDE, _rms_outside, ("f64", "f32")),
        ("sum-of-squares", "the squares are summed and not divided by n", _rms_of_sum, ("f64", "f32")),
        ("mean-subtracted", "the mean is subtracted, as LayerNorm has it", _norm, ("f64", "f32")),
    ],
}
STEPS: dict[str, Formula] = {
    "softmax": partial(_softmax, True), "logsumexp": partial(_log_sum, True),
    "log_softmax": partial(_log_softmax, True), "layernorm": _norm, "rmsnorm": _rms,
}  # fmt: skip


def row_rules(a: Asked, operands: Sequence[Codes]) -> Iterator[Rule]:
    """The mistakes of a function of a row; none for other operations."""
    if a.op.family not in OF_ROWS:
        return
    for name, sentence, formula, ways in MISTAKES[a.op.family]:
        for way in ways:
            between = "" if way == "f64" else f", every step rounded to {way}"
            yield _rule(a, operands, f"row-{name}-{way}", sentence + between, formula, way)
    for way in BETWEEN:
        text = f"every step between is rounded to {way}"
        yield _rule(a, operands, f"row-steps-{way}", text, STEPS[a.op.family], way)
    if a.op.family in WITH_EPSILON:
        own = a.op.key("eps", "1e-5")
        for eps in EPSILONS:
            if eps != own:
                other = replace(a.op, keys=tuple(sorted({**dict(a.op.keys), "eps": eps}.items())))
                text = f"eps is {eps}" if eps != "0" else "eps is left out"
                yield Rule(f"row-epsilon-{eps}", text, partial(_exactly, other, operands), throughout=True)


def _exactly(op: Operation, operands: Sequence[Codes]) -> Codes:
    return expect(op, operands).codes


def _rule(a: Asked, operands: Sequence[Codes], name: str, text: str, formula: Formula, way: str) -> Rule:
    return Rule(name, text, partial(_computed, a, operands, formula, way), throughout=True)


def _computed(a: Asked, operands: Sequence[Codes], formula: Formula, way: str) -> Codes:
    x = np.stack(
        [decode_codes(c, get_format(name), F64).view(np.float64) for c, name in zip(operands, a.op.operands)], axis=1
    )
    dtype = np.dtype(FLOAT_DTYPES[way])
    with np.errstate(all="ignore"):
        found = formula(x.astype(dtype), dtype.type(float(a.op.key("eps", "1e-5"))))
        bits = np.ascontiguousarray(found.astype(np.float64)).view(np.uint64)
    return project_into(F64, bits, replace(a.rho, nan=NaN.CANONICAL), a.f)
