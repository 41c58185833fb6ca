"""A dot-product problem on arrays: what the engines are handed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...spec.formats import Format
from ...spec.matrix.accumulate import Composed, Model
from ...spec.matrix.units import Converted
from ...spec.projection import Projection, get_projection
from ..chunks import Array
from ..encode import convert_codes
from .expansion import Floats


@dataclass(frozen=True)
class Problem:
    """Codes a (rows, K) and b (columns, K); ``outer``: every row with every column, else the i-th with the i-th.

    Scales are float64 of shape (1 or rows, 1 or blocks); ``block`` elements share one.  ``c`` has the outputs' shape;
    so has ``scale_result``, float64, where it is no single number.
    """

    a: Array
    b: Array
    fa: Format
    fb: Format
    outer: bool
    model: Model | None
    result: Format
    rho: Projection
    c: Array | None
    scale_a: Floats | None
    scale_b: Floats | None
    block: int
    tensor_scale: float | None
    scale_result: Floats | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.a.shape[0], self.b.shape[0]) if self.outer else (self.a.shape[0],)


def converted(p: Problem) -> Problem:
    """The problem with its operands converted, and the unit inside for its model; itself where nothing converts."""
    how, model = _apart(p.model)
    if how is None:
        return p
    to = how.to
    rho = get_projection(to, how.rounding)
    a, b = (convert_codes(np.ascontiguousarray(x), f, to, rho, False)[0] for x, f in ((p.a, p.fa), (p.b, p.fb)))
    return replace(p, a=a, b=b, fa=to, fb=to, model=model)


def _apart(model: Model | None) -> tuple[Converted | None, Model | None]:
    """The conversion in a composition, and the composition without it."""
    if isinstance(model, Converted):
        return model, model.inner
    if not isinstance(model, Composed):
        return None, model
    how, inner = _apart(model.inner)
    return (None, model) if how is None or inner is None else (how, replace(model, inner=inner))
