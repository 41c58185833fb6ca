"""The epilogue on tiles of outputs: the specification's steps (``spec.matrix.epilogue``), vectorised."""

from __future__ import annotations

import numpy as np

from ...spec.matrix.accumulate import Model, Scales
from ...spec.matrix.epilogue import FUSED, PRODUCTS, converts, nan_code, steps_of
from ...spec.matrix.gelu import GELU
from ...spec.matrix.units import Finished
from ..chunks import Array
from ..encode import convert_codes
from ..kernel import unpack_fields
from .expansion import Floats
from .gelu import gelu
from .narrow import F32s, add, fma, to_format
from .problem import Problem
from .tiles import Tile, product32, to_binary32
from .units import accumulate


def finish(p: Problem, model: Model, tile: Tile, place: tuple[slice, ...], c: F32s) -> F32s:
    """D of a model for every output of a tile, before it is converted."""
    inner = model.inner if isinstance(model, Finished) else model
    given = inner.scales is Scales.EPILOGUE and (p.scale_a is not None or p.scale_b is not None)
    tensor = p.tensor_scale is not None
    steps = steps_of(model, given or tensor, tensor, p.scale_result is not None)
    joins = "bias" in steps or "add" in steps
    zero = np.zeros_like(c)
    x = accumulate(inner, tile, zero if joins else c)
    f = inner.format
    for step, after in zip(steps, (*steps[1:], "")):
        if step in PRODUCTS:
            product = x.astype(np.float64) * _factor(p, step.removeprefix("f"), given, place)
            if step in FUSED:
                x = fma(product, c, f) if after == "bias" and p.c is not None else to_format(product + 0.0, f)
            else:
                x = to_format(product, f)
        elif step == "relu":
            x = np.where(np.signbit(x) & ~np.isnan(x), np.float32(0), x)
        elif step in GELU:
            x = gelu(step, x, f)
        elif step == "scale_result" and p.scale_result is not None:
            r = to_binary32(p.scale_result)
            x = to_format(x.astype(np.float64) * (r[place] if r.size > 1 else r.reshape((1,) * x.ndim)), f)
        elif step == "add":
            x = add(x, c, f)
    return x


def _factor(p: Problem, step: str, given: bool, place: tuple[slice, ...]) -> Floats:
    """The factor of a step, broadcast to the outputs of a tile."""
    one = np.ones((1,) * len(place))
    sides = []
    for scale, s, first in ((p.scale_a, place[0], True), (p.scale_b, place[-1], False)):
        if scale is None or not given:
            sides.append(one)
            continue
        x = scale[:, 0]
        x = x[s] if x.size > 1 else x
        sides.append(x if not p.outer else x[:, None] if first else x[None, :])
    if step in ("sa", "sb"):
        return to_binary32(sides[step == "sb"])
    factor = product32(sides[0], sides[1])
    return factor if p.tensor_scale is None else product32(factor, np.array(p.tensor_scale))


def converted(own: Array, p: Problem, model: Model) -> Array:
    """Codes of the model's format as codes of the output's."""
    if not converts(model, p.result):
        return own
    out = convert_codes(own, model.format, p.result, p.rho, False)[0]
    if p.result.has_nan:
        nan = unpack_fields(own, model.format).nan
        if nan.any():
            out[nan] = nan_code(model, p.result)
    return out
