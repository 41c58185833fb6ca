"""Fake quantisers on arrays: the values that a recipe's codes and scales stand for, in the source's type."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..spec.scaling.recipe import Recipe
from ..spec.scaling.steps import scale_of, tensor_stored, value_of
from .blocks import RUN
from .chunks import Array
from .recipes import (
    F32s,
    Vectors,
    amax_of,
    columns_of,
    decode_scales,
    largest,
    quantize,
    taken_of,
    transformed,
    values_of,
)


def fake_quantize(r: Recipe, x: F32s, source: str = "f32", whole: Any = None) -> F32s:
    """Values of groups (groups, elements) after they are quantised and decoded, in the source's type, as float32.

    ``whole``: as for :func:`quantize`.
    """
    x = np.ascontiguousarray(x, np.float32)
    out = np.empty(x.shape, np.float32)
    with np.errstate(all="ignore"):
        if r.tensor != "none" and whole is None:
            whole = largest(amax_of(r, transformed(r, x, source)))
        step = max(1, RUN // max(x.shape[1], 1))
        for i in range(0, len(x), step):
            part = slice(i, i + step)
            amax = None if r.tensor == "none" else np.asarray(taken_of(whole, part), np.float32)
            out[part] = _valued(r, x[part], source, amax, *quantize(r, x[part], source, amax))
    return out


def grid(r: Recipe, x: F32s, source: str = "f32", whole: Any = None) -> F32s:
    """Every value that an element of a group can become: (groups, codes), in the order of the codes."""
    x = np.ascontiguousarray(x, np.float32)
    every = np.broadcast_to(np.arange(1 << r.format.k, dtype=np.uint8), (len(x), 1 << r.format.k))
    with np.errstate(all="ignore"):
        return _valued(r, x, source, whole, quantize(r, x, source, whole)[0], every)


def _valued(r: Recipe, x: F32s, source: str, whole: Any, stored: Array, codes: Array) -> F32s:
    """What codes stand for under the scales of groups."""
    m = Vectors()
    used = None
    if r.values in ("undo", "back"):
        used = columns_of(scale_of(r, m, amax_of(r, transformed(r, x, source)), source, whole), slice(None))
    tensor: Any = None if whole is None else tensor_stored(r, m, whole)
    tensor = tensor[:, None] if tensor is not None and np.ndim(tensor) else tensor
    d = decode_scales(r, stored)[:, None]
    return np.asarray(value_of(r, m, values_of(r.element)[codes], d, tensor, used, source), np.float32)
