"""The scales of products: read from arrays, laid out for the engines, checked against blocks and models."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..fast.decode import decode_codes
from ..fast.matrix.expansion import F64
from ..spec.catalog import get_format
from ..spec.matrix.accumulate import Model, Scales
from ..spec.matrix.models import scales_taken
from .conversion import FLOAT_DTYPES, OWN_FORMAT, Array, FormatLike, as_codes, decode, encode
from .dense import dense
from .scaling import ScaledArray

_Side = tuple[ArrayLike, FormatLike | None, ArrayLike | None, int | None, float | None]


def side_of(x: ArrayLike | ScaledArray, f: FormatLike | None, scale: ArrayLike | None, axis: int, what: str) -> _Side:
    """Codes, format, scale, block and tensor scale of an operand; None for the block where one scale serves all of K.

    Raises ValueError where a scaled array is scaled along another axis, or is given with another format or scale.
    """
    if not isinstance(x, ScaledArray):
        return x, f, scale, None, None
    k_axis = axis % max(x.codes.ndim, 1)
    if scale is not None:
        raise ValueError(f"scale_{what} is given, but {what} is a ScaledArray and has scales of its own")
    if f is not None and get_format(f) != x.scheme.element:
        raise ValueError(f"format_{what} is {get_format(f).name}, but {what} is scaled in {x.scheme.element.name}")
    whole = x.scheme.across == 0
    if x.axis != k_axis and not whole:
        raise ValueError(f"{what} is scaled along axis {x.axis}; products need scales along K, axis {k_axis}")
    if x.scheme.across > 1 and (axis < 0 or x.codes.ndim != 2):
        raise ValueError(f"{what} is scaled in squares ({x.scheme.name}), which matmul takes, as a matrix")
    tensor = None if x.tensor_scale is None else float(x.tensor_scale)
    several = x.scales.shape[k_axis] > 1 or x.scheme.across > 1
    scales = x.scales if x.scheme.scale.name == "f32" else decode(x.scales, x.scheme.scale)
    return x.codes, x.scheme.element, scales, x.block if several and not whole else None, tensor


def joined_block(block: int | None, *own: int | None) -> int | None:
    """The one block of both operands."""
    found = sorted({n for n in (block, *own) if n is not None})
    if len(found) > 1:
        raise ValueError(f"blocks of {' and '.join(map(str, found))} elements: both operands need one block along K")
    return found[0] if found else None


def product_of(given: float | None, *own: float | None) -> float | None:
    """The exact product of the tensors' scales."""
    found = [x for x in own if x is not None]
    if found and given is not None:
        raise ValueError("tensor_scale is given, but a ScaledArray operand has one of its own")
    return math.prod(found) if found else given


def scale_of(x: ArrayLike | None, scale_format: FormatLike | None, what: str) -> Array | None:
    """A scale as float64."""
    if x is None:
        return None
    array = dense(x, what)
    if array.dtype in OWN_FORMAT or (scale_format is not None and array.dtype.kind in "iu"):
        codes, f = as_codes(array, scale_format, what)
        return decode_codes(codes, f, F64).view(np.float64)
    if array.dtype.newbyteorder("=") not in (*FLOAT_DTYPES.values(),) and not is_number(x):
        raise TypeError(f"{what} must be a float array, or codes with scale_format named, not {array.dtype}")
    return array.astype(np.float64)


def is_number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def dot_scale(
    x: ArrayLike | None, operand: Array, scale_format: FormatLike | None, lead: tuple[int, ...], what: str
) -> Array | None:
    """Scales of a dot's operand as (1 or n, blocks)."""
    scale = scale_of(x, scale_format, what)
    if scale is None or scale.ndim == 0:
        return None if scale is None else scale.reshape(1, 1)
    if scale.ndim != operand.ndim or any(s not in (1, n) for s, n in zip(scale.shape, operand.shape[:-1])):
        raise ValueError(
            f"{what} has shape {scale.shape}; its operand {operand.shape} needs (), {(*operand.shape[:-1], 1)} or "
            f"{(*operand.shape[:-1], 'ceil(K / block)')}"
        )
    if scale.size == scale.shape[-1]:
        return scale.reshape(1, -1)
    blocks = scale.shape[-1]
    return np.broadcast_to(scale, (*lead, blocks)).reshape(-1, blocks)


def matrix_scale(scale: Array | None, rows: int, block: int | None, what: str, shapes: str) -> Array | None:
    if scale is None or scale.ndim == 0:
        return None if scale is None else scale.reshape(1, 1)
    if block and scale.ndim == 2 and scale.shape[0] not in (1, rows) and scale.shape[0] == -(-rows // block):
        return np.repeat(scale, block, axis=0)[:rows]
    if scale.ndim != 2 or scale.shape[0] not in (1, rows):
        shown = scale.shape if what == "scale_a" else scale.T.shape
        raise ValueError(f"{what} has shape {shown}; it must be a number, {shapes}")
    return scale


def one_number(x: object) -> float:
    array = dense(x, "tensor_scale")
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise ValueError(f"tensor_scale must be one number, not {x!r}")
    return float(array.reshape(()).astype(np.float64))


def output_scale(x: ArrayLike | None, shape: tuple[int, ...], outer: bool) -> Array | None:
    """scale_result as one number or of the outputs' shape."""
    if x is None:
        return None
    scale = scale_of(x, None, "scale_result")
    assert scale is not None
    if scale.size == 1:
        return scale.reshape(-1)
    try:
        return np.broadcast_to(scale, shape).reshape(shape if outer else (-1,))
    except ValueError:
        raise ValueError(f"scale_result has shape {scale.shape}; the outputs have {shape}") from None


def block_of(scales: list[Array | None], block: int | None, k: int, model: Model | None) -> int:
    """Elements that share a scale; checked against the number of scales."""
    counts = {s.shape[1] for s in scales if s is not None and s.shape[1] > 1}
    if block is not None and (isinstance(block, bool) or not isinstance(block, int | np.integer) or block < 1):
        raise ValueError(f"block must be a positive integer, not {block!r}")
    if block is None:
        fixed = None if model is None else model.block
        if counts and (fixed is None or counts != {-(-k // fixed)}):
            raise ValueError(f"scales with {sorted(counts)} blocks along K = {k} need block=, the elements of a block")
        block = fixed if counts and fixed is not None else max(k, 1)
    if counts - {-(-k // block)}:
        raise ValueError(f"{max(counts)} scales along K = {k} do not fit block={block}: it makes {-(-k // block)}")
    if model is not None and counts:
        check_block(model, int(block))
    return int(block)


def check_block(model: Model, block: int) -> None:
    """Raise ValueError where a model has no place for a scale every so many elements."""
    if model.scales is Scales.EPILOGUE:
        raise ValueError(
            f"{model.name} takes one scale for all of K; block scales enter with +promote{block}.ffma, "
            "a block-scaled unit or exact"
        )
    if model.block is not None and block % model.block and model.scales is not Scales.GROUP:
        raise ValueError(f"{model.name} takes scales of blocks of {model.block} elements, not {block}")
    if model.scales is Scales.GROUP and block % 16:
        raise ValueError(f"{model.name} takes scales of blocks of 16 or 32 elements, not {block}")


def fit(scale: Array | None, model: Model, scale_format: FormatLike | None, what: str) -> Array | None:
    """Scales of a unit that takes them inside must be values of its scale formats."""
    if scale is None or not model.scale_formats:
        return scale
    if scale_format is not None and get_format(scale_format).name not in model.scale_formats:
        raise ValueError(f"{scales_taken(model)}; scale_format is {scale_format}")
    wrong = np.ones(scale.shape, bool)
    for name in model.scale_formats:
        f = get_format(name)
        back = decode_codes(encode(scale, f, overflow="nonsat"), f, F64).view(np.float64)
        wrong &= ~((back == scale) | (np.isnan(back) & np.isnan(scale)))
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{what}{list(where)} = {scale[where]} is no value of {', '.join(model.scale_formats)}, the scales of "
            f"{model.name}"
        )
    return np.abs(scale) if model.scales is Scales.GROUP else scale
