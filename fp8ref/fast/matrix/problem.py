"""A dot-product problem on arrays: what the engines are handed."""

from __future__ import annotations

from dataclasses import dataclass

from ...spec.formats import Format
from ...spec.matrix.accumulate import Model
from ...spec.projection import Projection
from ..chunks import Array
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
