"""Operands that a composition converts before its unit sees them (``units.Converted``), on whole arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...spec.matrix.accumulate import Composed, Model
from ...spec.matrix.units import Converted
from ...spec.projection import get_projection
from ..encode import convert_codes
from .problem import Problem


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
