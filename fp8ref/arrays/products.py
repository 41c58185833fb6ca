"""Dot products and matrix products of codes: exact, block-scaled, or as a named matrix unit computes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..fast.decode import decode_codes
from ..fast.kernel import code_dtype
from ..fast.matrix.dot import solve
from ..fast.matrix.expansion import F64
from ..fast.matrix.problem import Problem
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.matrix.accumulate import Model, Scales
from ..spec.matrix.epilogue import exact_words, output_projection
from ..spec.matrix.models import check_operands, get_model
from ..spec.rounding import Rounding
from .conversion import _OWN_FORMAT, FLOAT_DTYPES, Array, FormatLike, OverflowLike, as_codes, decode, encode
from .scaling import ScaledArray


@dataclass(frozen=True)
class _Sides:
    """The operands as (rows, K) and (columns, K); how outputs are shaped."""

    a: Array
    b: Array
    outer: bool  # matmul: every row with every column; else the i-th with the i-th
    shape: tuple[int, ...]

    @property
    def k(self) -> int:
        return int(self.a.shape[1])


def dot(
    a: ArrayLike | ScaledArray,
    b: ArrayLike | ScaledArray,
    format_a: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    c: ArrayLike | None = None,
    accumulator: str | Model = "exact",
    result: FormatLike | None = None,
    rounding: Rounding | str = "rne",
    overflow: OverflowLike = "sat",
    scale_a: ArrayLike | None = None,
    scale_b: ArrayLike | None = None,
    scale_format: FormatLike | None = None,
    block: int | None = None,
    tensor_scale: float | None = None,
    scale_result: ArrayLike | None = None,
) -> Array:
    """Scaled dot products over the last axis: ``sum(a * scale_a * b * scale_b) * tensor_scale + c``.

    ``a``, ``b``: codes of shapes (..., K), broadcast against each other; ``c``: of the outputs' shape or broadcast to
    it, a float array of the result's dtype (exact: of any float dtype).  ``scale_a``, ``scale_b``: decode multipliers,
    a number or an array of shape (..., 1) or (..., ceil(K / block)) with the leading axes of its operand; floats, or
    codes where ``scale_format`` is named.  A :class:`ScaledArray` scaled along K brings its format, scales, block and
    tensor scale.  Returns the outputs' shape: float16, bfloat16, float32 or float64 for these
    results, codes for narrow ones.

    ``accumulator="exact"``: the infinitely precise value rounded once into ``result`` (f32 by default) by ``rounding``
    and ``overflow``, as in :func:`encode` (``sat`` turns an infinity into the largest number: take ``nonsat`` to keep
    it).  A product is NaN where an operand or scale is, or where an infinity meets a zero; infinities of both signs
    make NaN; a zero sum is +0; a nonzero sum that rounds to zero keeps its sign.  [P3109 BlockDotProduct; OCP MX 6.1]

    Any other accumulator is a model of ``fp8ref.spec.matrix.models``: K is padded with zeros to its instruction's
    length, NaNs have the model's code, its result format is the default, and another ``result`` converts its answer.
    Scales enter where the model has them; for the others a pair of scales for all of K enters in an epilogue,
    fma(sum, scale_a * scale_b, c) in the result format; an absent ``c`` is +0.  The name may say another epilogue
    (``+out.…``, see :mod:`fp8ref.spec.matrix.epilogue`), with the rounding and overflow of its own conversion.
    ``scale_result``, a number or of the outputs' shape, multiplies the answer before it is converted.

    >>> dot([0x38, 0x30], [0x38, 0x30], "e4m3fn").item()
    1.25

    Raises ValueError for unknown names, shapes that do not fit, block scales that the model has no place for, and codes
    outside the format; TypeError for dtypes that are neither codes nor floats.
    """
    if isinstance(a, ScaledArray) or isinstance(b, ScaledArray):
        (a, format_a, scale_a, block_a, tensor_a), (b, format_b, scale_b, block_b, tensor_b) = (
            _scaled(x, f, s, -1, w) for x, f, s, w in ((a, format_a, scale_a, "a"), (b, format_b, scale_b, "b"))
        )
        block, tensor_scale = _joined(block, block_a, block_b), _times(tensor_scale, tensor_a, tensor_b)
    ca, fa, cb, fb = _operands(a, b, format_a, format_b)
    if ca.ndim < 1 or cb.ndim < 1 or ca.shape[-1] != cb.shape[-1]:
        raise ValueError(f"dot: the last axes of a {ca.shape} and b {cb.shape} differ")
    try:
        lead = np.broadcast_shapes(ca.shape[:-1], cb.shape[:-1])
    except ValueError:
        raise ValueError(f"dot: the leading axes of a {ca.shape} and b {cb.shape} do not broadcast") from None
    k = ca.shape[-1]
    n = int(np.prod(lead, dtype=np.int64))
    flat_a, flat_b = (np.broadcast_to(x, (*lead, k)).reshape(n, k) for x in (ca, cb))
    sides = _Sides(flat_a, flat_b, outer=False, shape=lead)
    rows = [_dot_scale(s, x, scale_format, lead, w) for s, x, w in ((scale_a, ca, "scale_a"), (scale_b, cb, "scale_b"))]
    said = _Said(c, accumulator, result, rounding, overflow, scale_format, block, tensor_scale, scale_result)
    return _solve(sides, fa, fb, rows, said)


def matmul(
    a: ArrayLike | ScaledArray,
    b: ArrayLike | ScaledArray,
    format_a: FormatLike | None = None,
    format_b: FormatLike | None = None,
    *,
    c: ArrayLike | None = None,
    accumulator: str | Model = "exact",
    result: FormatLike | None = None,
    rounding: Rounding | str = "rne",
    overflow: OverflowLike = "sat",
    scale_a: ArrayLike | None = None,
    scale_b: ArrayLike | None = None,
    scale_format: FormatLike | None = None,
    block: int | None = None,
    tensor_scale: float | None = None,
    scale_result: ArrayLike | None = None,
) -> Array:
    """The matrix product of a (M, K) and b (K, N), element by element the :func:`dot` of a row and a column.

    ``c`` broadcasts to (M, N).  ``scale_a``: a number, (M, 1) or (M, ceil(K / block)); ``scale_b``: a number, (1, N) or
    (ceil(K / block), N); with ``block`` also one for every square of block x block elements.  Everything else, errors
    included, is as in :func:`dot`.

    >>> matmul([[0x38, 0x40]], [[0x38], [0x38]], "e4m3fn").tolist()
    [[3.0]]
    """
    if isinstance(a, ScaledArray) or isinstance(b, ScaledArray):
        (a, format_a, scale_a, block_a, tensor_a), (b, format_b, scale_b, block_b, tensor_b) = (
            _scaled(x, f, s, k, w) for x, f, s, k, w in ((a, format_a, scale_a, 1, "a"), (b, format_b, scale_b, 0, "b"))
        )
        block, tensor_scale = _joined(block, block_a, block_b), _times(tensor_scale, tensor_a, tensor_b)
    ca, fa, cb, fb = _operands(a, b, format_a, format_b)
    if ca.ndim != 2 or cb.ndim != 2 or ca.shape[1] != cb.shape[0]:
        raise ValueError(f"matmul: a {ca.shape} and b {cb.shape} must be (M, K) and (K, N)")
    sides = _Sides(ca, cb.T, outer=True, shape=(ca.shape[0], cb.shape[1]))
    side_a = _scale(scale_a, scale_format, "scale_a")
    side_b = _scale(scale_b, scale_format, "scale_b")
    rows = [
        _matrix_scale(side_a, ca.shape[0], block, "scale_a", "(M, 1) or (M, ceil(K / block))"),
        _matrix_scale(
            None if side_b is None else side_b.T, cb.shape[1], block, "scale_b", "(1, N) or (ceil(K / block), N)"
        ),
    ]
    said = _Said(c, accumulator, result, rounding, overflow, scale_format, block, tensor_scale, scale_result)
    return _solve(sides, fa, fb, rows, said)


_Side = tuple[ArrayLike, FormatLike | None, ArrayLike | None, int | None, float | None]


def _scaled(x: ArrayLike | ScaledArray, f: FormatLike | None, scale: ArrayLike | None, axis: int, what: str) -> _Side:
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


def _joined(block: int | None, *own: int | None) -> int | None:
    """The one block of both operands."""
    found = sorted({n for n in (block, *own) if n is not None})
    if len(found) > 1:
        raise ValueError(f"blocks of {' and '.join(map(str, found))} elements: both operands need one block along K")
    return found[0] if found else None


def _times(given: float | None, *own: float | None) -> float | None:
    """The exact product of the tensors' scales."""
    found = [x for x in own if x is not None]
    if found and given is not None:
        raise ValueError("tensor_scale is given, but a ScaledArray operand has one of its own")
    return math.prod(found) if found else given


def _operands(
    a: ArrayLike, b: ArrayLike, format_a: FormatLike | None, format_b: FormatLike | None
) -> tuple[Array, Format, Array, Format]:
    ca, fa = as_codes(a, format_a, "a")
    own = np.asarray(b).dtype in _OWN_FORMAT
    cb, fb = as_codes(b, format_b if format_b is not None or own else fa, "b")
    return ca, fa, cb, fb


def _scale(x: ArrayLike | None, scale_format: FormatLike | None, what: str) -> Array | None:
    """A scale as float64."""
    if x is None:
        return None
    array = np.asarray(x)
    if array.dtype in _OWN_FORMAT or (scale_format is not None and array.dtype.kind in "iu"):
        codes, f = as_codes(array, scale_format, what)
        return decode_codes(codes, f, F64).view(np.float64)
    if array.dtype.newbyteorder("=") not in (*FLOAT_DTYPES.values(),) and not _is_number(x):
        raise TypeError(f"{what} must be a float array, or codes with scale_format named, not {array.dtype}")
    return array.astype(np.float64)


def _is_number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _dot_scale(
    x: ArrayLike | None, operand: Array, scale_format: FormatLike | None, lead: tuple[int, ...], what: str
) -> Array | None:
    """Scales of a dot's operand as (1 or n, blocks)."""
    scale = _scale(x, scale_format, what)
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


def _matrix_scale(scale: Array | None, rows: int, block: int | None, what: str, shapes: str) -> Array | None:
    if scale is None or scale.ndim == 0:
        return None if scale is None else scale.reshape(1, 1)
    if block and scale.ndim == 2 and scale.shape[0] not in (1, rows) and scale.shape[0] == -(-rows // block):
        return np.repeat(scale, block, axis=0)[:rows]
    if scale.ndim != 2 or scale.shape[0] not in (1, rows):
        shown = scale.shape if what == "scale_a" else scale.T.shape
        raise ValueError(f"{what} has shape {shown}; it must be a number, {shapes}")
    return scale


@dataclass(frozen=True)
class _Said:
    """What a caller of dot or matmul says of the product, as :func:`dot` documents it."""

    c: ArrayLike | None
    accumulator: str | Model
    result: FormatLike | None
    rounding: Rounding | str
    overflow: OverflowLike
    scale_format: FormatLike | None
    block: int | None
    tensor_scale: float | None
    scale_result: ArrayLike | None


def _model(said: _Said) -> tuple[Model | None, Rounding | str, OverflowLike]:
    """The model (None: exact), and the rounding and overflow of the result, the accumulator's words first."""
    if isinstance(said.accumulator, Model):
        return said.accumulator, said.rounding, said.overflow
    words = exact_words(said.accumulator) if isinstance(said.accumulator, str) else None
    if words is None:
        return get_model(said.accumulator), said.rounding, said.overflow
    return None, words[0] or said.rounding, words[1] or said.overflow


def _solve(sides: _Sides, fa: Format, fb: Format, scales: list[Array | None], said: _Said) -> Array:
    model, rounding, overflow = _model(said)
    own = get_format("f32") if model is None else model.format
    f = own if said.result is None else get_format(said.result)
    if f.k > 16 and f.name not in FLOAT_DTYPES:
        raise ValueError(f"result {f.name}: results are f16, bf16, f32, f64 or formats of at most 16 bits")
    rho = output_projection(model, f, rounding, overflow)
    if rho.rounding.is_stochastic:
        raise ValueError(f"rounding {rho.rounding.value!r}: dot products are rounded by deterministic modes")
    if max(fa.k, fb.k) > 16:
        raise ValueError(f"dot products take operands of at most 16 bits, not {fa.name} and {fb.name}")
    if model is not None:
        check_operands(model, fa.name, fb.name)
    block = _block(scales, said.block, sides.k, model)
    if model is not None:
        scales = [_fit(s, model, said.scale_format, w) for s, w in zip(scales, ("scale_a", "scale_b"))]
    tensor = None if said.tensor_scale is None else float(_number(said.tensor_scale))
    problem = Problem(
        sides.a,
        sides.b,
        fa,
        fb,
        sides.outer,
        model,
        f,
        rho,
        _addend(said.c, model, sides),
        scales[0],
        scales[1],
        block,
        tensor,
        _output_scale(said.scale_result, model, sides),
    )
    codes = solve(problem)
    return _as_result(codes, f).reshape(sides.shape)


def _number(x: object) -> float:
    array = np.asarray(x)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise ValueError(f"tensor_scale must be one number, not {x!r}")
    return float(array.reshape(()).astype(np.float64))


def _output_scale(x: ArrayLike | None, model: Model | None, sides: _Sides) -> Array | None:
    """scale_result as one number or of the outputs' shape."""
    if x is None:
        return None
    if model is None:
        raise ValueError("scale_result is a step of a unit's epilogue; an exact sum is rounded once")
    scale = _scale(x, None, "scale_result")
    assert scale is not None
    if scale.size == 1:
        return scale.reshape(-1)
    try:
        return np.broadcast_to(scale, sides.shape).reshape(sides.shape if sides.outer else (-1,))
    except ValueError:
        raise ValueError(f"scale_result has shape {scale.shape}; the outputs have {sides.shape}") from None


def _block(scales: list[Array | None], block: int | None, k: int, model: Model | None) -> int:
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


def _fit(scale: Array | None, model: Model, scale_format: FormatLike | None, what: str) -> Array | None:
    """Scales of a unit that takes them inside must be values of its scale formats."""
    if scale is None or not model.scale_formats:
        return scale
    if scale_format is not None and get_format(scale_format).name not in model.scale_formats:
        raise ValueError(
            f"{model.name} takes scales in {', '.join(model.scale_formats)}; scale_format is {scale_format}"
        )
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


def _addend(c: ArrayLike | None, model: Model | None, sides: _Sides) -> Array | None:
    if c is None:
        return None
    array = np.asarray(c)
    wanted = None if model is None else FLOAT_DTYPES[model.result]
    dtype = array.dtype.newbyteorder("=")
    if _is_number(c):
        array = array.astype(np.float64)
        if wanted is not None and not (array.astype(wanted) == array or np.isnan(array)):
            raise ValueError(f"c = {c} is no value of {wanted}, in which {model.name} adds C")  # type: ignore[union-attr]
    elif wanted is not None and dtype != wanted:
        raise TypeError(f"c must have dtype {wanted}, in which the unit adds C, not {array.dtype}")
    elif dtype not in FLOAT_DTYPES.values():
        raise TypeError(f"c must be a float array, not {array.dtype}")
    array = array.astype(array.dtype.newbyteorder("=") if wanted is None else wanted, copy=False)
    try:
        return np.broadcast_to(array, sides.shape).reshape(sides.shape if sides.outer else (-1,))
    except ValueError:
        raise ValueError(f"c has shape {array.shape}; the outputs have {sides.shape}") from None


def _as_result(codes: Array, f: Format) -> Array:
    dtype: Any = FLOAT_DTYPES.get(f.name)
    return codes.astype(code_dtype(f), copy=False) if dtype is None else codes.view(dtype)
