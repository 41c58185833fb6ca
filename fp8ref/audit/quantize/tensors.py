"""One weight as a convention stores it: codes, scales, and the tensor's scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.layouts import relayout, swap_nibbles
from ...arrays.scaling import pack, scale_blocks
from ...fast.recipes import Vectors
from ...spec.scaling.recipe import Recipe
from ...spec.scaling.steps import tensor_factor, tensor_stored
from ..conventions import Convention
from ..files.stored import KINDS
from .places import scale_kind

Array = NDArray[Any]


def stored(name: str, x: Array, recipe: Recipe, row: Convention, amax: float | None) -> dict[str, tuple[str, Array]]:
    """The tensors of a weight by name, each with its kind (e4m3fn, u8, f32, …) and its array, bytes as uint8.

    ``name``: the weight's own, which ends as it likes.  ``x``: (N, K), float32, float16 or bfloat16.  ``amax``: the
    largest magnitude that the tensor's scale is made of, where the recipe has one.
    """
    scaled = scale_blocks(x, recipe, tensor_amax=amax)
    stem = _stem(name, row)
    codes = scaled.codes
    if recipe.format.k < 8:
        codes = pack(codes, recipe.element)
        codes = swap_nibbles(codes) if row.pack == "high" else codes
    kind = recipe.element if recipe.format.k == 8 else "u8"
    text = scale_kind(row, recipe)
    scale_as = text.partition("=")[0]
    scales = scaled.multipliers.astype(KINDS[scale_as]) if recipe.stored == "f32" else scaled.scales
    scales = _laid(scales, row, recipe)
    found = {stem + row.weight: (kind, codes), stem + row.scale[0]: (scale_as, scales)}
    if row.whole:
        assert amax is not None
        with np.errstate(all="ignore"):
            made = (tensor_factor if row.divides and recipe.tensor != "p" else tensor_stored)(
                recipe, Vectors(), np.float32(amax)
            )
            whole = np.float32(1) / np.float32(made) if row.divides and recipe.tensor == "p" else np.float32(made)
        found[stem + row.whole] = ("f32", np.asarray(whole, np.float32).reshape((1,) if row.divides else ()))
    return found


def _stem(name: str, row: Convention) -> str:
    """What a convention's ends are put behind: a weight's name, or that of its module."""
    module = name.removesuffix(".weight")
    if row.weight == "_qdata":  # torchao: X._weight_qdata
        return f"{module}._weight"
    return module if row.weight == ".weight" else name


def _laid(scales: Array, row: Convention, recipe: Recipe) -> Array:
    """Scales in the shape and the layout of a convention: a scalar, a column, or a grid, in rows or in tiles."""
    if recipe.group == "tensor":
        return scales.reshape(())
    if row.layouts[0] != "rows":
        tiles = relayout(scales, "rows", row.layouts[0])
        return np.asarray(tiles).reshape(scales.shape) if tiles.size == scales.size else np.asarray(tiles).reshape(-1)
    return scales
