"""Mistakes against a recipe: another recipe in use, or one factor changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...cases.operation import Operation
from ...cases.scaling.questions import quantiser, values
from ...cases.scaling.recipes import FakeQuantiser, RecipeQuantiser, mode_text, with_element
from ...fast.blocks import F32s
from ...fast.values import fake_quantize
from ...spec.scaling.recipe import Recipe, sentence
from ..identify.recipes import unseen, variants
from .rule import Rule

Codes = NDArray[Any]


def recipe_rules(op: Operation, operands: Sequence[Codes]) -> Iterator[Rule]:
    """Every change of one factor, then every other recipe in use; of fake quantisers values off the grid, too."""
    q = quantiser(op)
    assert isinstance(q, RecipeQuantiser)
    r = with_element(op.mode or "", q.grid)
    x, whole = values(op, operands)
    for other in variants(r, unseen(op)):
        ((factor, (_, theirs)),) = r.differences(other).items()
        name, told = f"recipe-{factor}-{theirs}", f"{mode_text(r)}, but {sentence(factor, theirs)}"
        yield Rule(name, told, partial(q.answer, other, x, whole))
    for mode in q.rules[1:]:
        told = f"the answers are those of {mode}"
        yield Rule(f"recipe-{mode}", told, partial(q.answer, with_element(mode, q.grid), x, whole))
    if isinstance(q, FakeQuantiser):
        yield from _value_rules(q, r, x, whole)


def _value_rules(q: FakeQuantiser, r: Recipe, x: F32s, whole: Codes | None) -> Iterator[Rule]:
    """Mistakes of values, after which they are no longer an element times the scale."""
    right = fake_quantize(r, x, q.source, whole)
    for between in ("bf16", "f16"):
        if between != q.source:
            with np.errstate(all="ignore"):
                short = right.astype(FLOAT_DTYPES[between]).astype(np.float32)
            yield Rule(f"values-via-{between}", f"values are rounded to {between}", partial(q.bytes_of, short))
    edge = np.nanmax(np.abs(right), axis=1, initial=0, keepdims=True)
    kept = np.where(np.isnan(right) | np.isnan(x), right, np.minimum(np.maximum(x, -edge), edge))
    sentence = "elements are limited to the largest value, not rounded"
    yield Rule("values-not-rounded", sentence, partial(q.bytes_of, kept.astype(np.float32)))
    plain = right + np.float32(0)
    yield Rule("values-zero-sign-lost", "zero values are positive", partial(q.bytes_of, plain))
    flushed = np.where(np.abs(right) < np.float32(2.0**-126), np.copysign(np.float32(0), right), right)
    yield Rule("values-flushed", "subnormal values become zeros", partial(q.bytes_of, flushed))
    still = np.where(np.isnan(x), np.float32(0), right)
    yield Rule("values-nan-zero", "a NaN element has the value 0", partial(q.bytes_of, still))
    yield Rule("values-nan-kept", "a NaN element stays NaN", partial(q.bytes_of, np.where(np.isnan(x), x, right)))
