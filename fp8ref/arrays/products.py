"""Dot products and matrix products of codes: exact, block-scaled, or as a named matrix unit computes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..fast.environment import exact_floats
from ..fast.kernel import code_dtype
from ..fast.matrix.dot import solve
from ..fast.matrix.problem import Problem
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.matrix.accumulate import Model
from ..spec.matrix.epilogue import exact_words, output_projection, steps_to_amax
from ..spec.matrix.models import get_model
from ..spec.matrix.units import Finished, check_operands
from ..spec.overflow import OverflowLike
from ..spec.rounding import Rounding
from .conversion import FLOAT_DTYPES, OWN_FORMAT, Array, FormatLike, as_codes, float_format
from .dense import dense
from .factors import (
    block_of,
    dot_scale,
    fit,
    is_number,
    joined_block,
    matrix_scale,
    one_number,
    output_scale,
    product_of,
    scale_of,
    side_of,
)
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


@exact_floats
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
    overflow: OverflowLike | None = None,
    scale_a: ArrayLike | None = None,
    scale_b: ArrayLike | None = None,
    scale_format: FormatLike | None = None,
    block: int | None = None,
    tensor_scale: float | None = None,
    scale_result: ArrayLike | None = None,
) -> Array:
    """Scaled dot products over the last axis: ``sum(a * scale_a * b * scale_b) * tensor_scale + c``.

    ``a``, ``b``: codes of shapes (..., K), broadcast against each other, or arrays of float16, bfloat16, float32 or
    float64, which are codes of their own; ``c``: of the outputs' shape or broadcast to
    it, a float array of the result's dtype (exact: of any float dtype).  ``scale_a``, ``scale_b``: decode multipliers,
    a number or an array of shape (..., 1) or (..., ceil(K / block)) with the leading axes of its operand; floats, or
    codes where ``scale_format`` is named.  A :class:`ScaledArray` scaled along K brings its format, scales, block and
    tensor scale.  Returns the outputs' shape: float16, bfloat16, float32 or float64 for these
    results, codes for narrow ones.

    ``accumulator="exact"``: the infinitely precise value rounded once into ``result`` (f32 by default) by ``rounding``
    and ``overflow``, as in :func:`encode`.  A product is NaN where an operand or scale is, or where an infinity meets a
    zero; infinities of both signs make NaN; a zero sum is +0; a nonzero sum that rounds to zero keeps its sign.
    [P3109 BlockDotProduct; OCP MX 6.1]

    Any other accumulator is a model of ``fp8ref.spec.matrix.models``: K is padded with zeros to its instruction's
    length, NaNs have the model's code, its result format is the default, and another ``result`` converts its answer.
    Scales enter where the model has them; for the others a pair of scales for all of K enters in an epilogue,
    fma(sum, scale_a * scale_b, c) in the result format; an absent ``c`` is +0.  The name may say another epilogue
    (``+out.…``, see :mod:`fp8ref.spec.matrix.epilogue`), with the rounding and overflow of its own conversion.
    ``scale_result``, a number or of the outputs' shape, multiplies the answer before it is converted; an exact
    sum and C it multiplies exactly.

    >>> dot([0x38, 0x30], [0x38, 0x30], "e4m3fn").item()
    1.25

    Raises ValueError for unknown names, shapes that do not fit, block scales that the model has no place for, and codes
    outside the format; TypeError for dtypes that are neither codes nor floats.
    """
    if isinstance(a, ScaledArray) or isinstance(b, ScaledArray):
        (a, format_a, scale_a, block_a, tensor_a), (b, format_b, scale_b, block_b, tensor_b) = (
            side_of(x, f, s, -1, w) for x, f, s, w in ((a, format_a, scale_a, "a"), (b, format_b, scale_b, "b"))
        )
        block, tensor_scale = joined_block(block, block_a, block_b), product_of(tensor_scale, tensor_a, tensor_b)
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
    rows = [dot_scale(s, x, scale_format, lead, w) for s, x, w in ((scale_a, ca, "scale_a"), (scale_b, cb, "scale_b"))]
    said = _Said(c, accumulator, result, rounding, overflow, scale_format, block, tensor_scale, scale_result)
    return _solve(sides, fa, fb, rows, said)


@exact_floats
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
    overflow: OverflowLike | None = None,
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
            side_of(x, f, s, k, w) for x, f, s, k, w in ((a, format_a, scale_a, 1, "a"), (b, format_b, scale_b, 0, "b"))
        )
        block, tensor_scale = joined_block(block, block_a, block_b), product_of(tensor_scale, tensor_a, tensor_b)
    ca, fa, cb, fb = _operands(a, b, format_a, format_b)
    if ca.ndim != 2 or cb.ndim != 2 or ca.shape[1] != cb.shape[0]:
        raise ValueError(f"matmul: a {ca.shape} and b {cb.shape} must be (M, K) and (K, N)")
    sides = _Sides(ca, cb.T, outer=True, shape=(ca.shape[0], cb.shape[1]))
    side_a = scale_of(scale_a, scale_format, "scale_a")
    side_b = scale_of(scale_b, scale_format, "scale_b")
    rows = [
        matrix_scale(side_a, ca.shape[0], block, "scale_a", "(M, 1) or (M, ceil(K / block))"),
        matrix_scale(
            None if side_b is None else side_b.T, cb.shape[1], block, "scale_b", "(1, N) or (ceil(K / block), N)"
        ),
    ]
    said = _Said(c, accumulator, result, rounding, overflow, scale_format, block, tensor_scale, scale_result)
    return _solve(sides, fa, fb, rows, said)


def output_amax(*operands: Any, accumulator: str | Model, **given: Any) -> float:
    """The largest magnitude of the outputs of a :func:`matmul`, as an epilogue delivers it beside D.

    It is taken in the unit's result format where the accumulator's epilogue says ``amax``, else before ``scale_result``
    and the output's conversion, as cuBLASLt's ``CUBLASLT_MATMUL_DESC_AMAX_D_POINTER`` does: the caller chooses the next
    scale_result by it.  Takes what matmul takes.  NaNs are left out, as by fmaxf (assumed); 0.0 where nothing is left.

    >>> output_amax([[0x38, 0xC8]], [[0x38], [0x38]], "e4m3fn", accumulator="ada.mma.fp8.f32")
    3.0

    Raises what matmul raises, and ValueError for ``exact``, which has no epilogue.
    """
    if isinstance(accumulator, str) and exact_words(accumulator) is not None:
        raise ValueError(f"{accumulator!r} has no epilogue and so no amax: name a unit")
    model = accumulator if isinstance(accumulator, Model) else get_model(accumulator)
    if isinstance(model, Finished):
        model = replace(model, steps=steps_to_amax(model.steps), rounding=None, overflow=None)
    if not (isinstance(model, Finished) and "scale_result" in model.steps):
        given.pop("scale_result", None)
    outputs = matmul(*operands, accumulator=model, **{**given, "result": model.result})
    size = np.abs(outputs.astype(np.float64))
    return float(np.fmax.reduce(size, axis=None, initial=0.0))


def _operands(
    a: ArrayLike, b: ArrayLike, format_a: FormatLike | None, format_b: FormatLike | None
) -> tuple[Array, Format, Array, Format]:
    ca, fa = _codes_of(a, format_a, "a")
    own = dense(b, "b").dtype in OWN_FORMAT
    cb, fb = _codes_of(b, format_b if format_b is not None or own else fa, "b")
    return ca, fa, cb, fb


def _codes_of(x: ArrayLike, format: FormatLike | None, what: str) -> tuple[Array, Format]:
    """Codes and their format; an array of floats holds the codes of its dtype's format."""
    if isinstance(x, np.ndarray) and x.dtype in FLOAT_DTYPES.values():
        own = float_format(x.dtype)
        if format is None or get_format(format) == own:
            return np.ascontiguousarray(x).view(code_dtype(own)), own
    return as_codes(x, format, what)


@dataclass(frozen=True)
class _Said:
    """What a caller of dot or matmul says of the product, as :func:`dot` documents it."""

    c: ArrayLike | None
    accumulator: str | Model
    result: FormatLike | None
    rounding: Rounding | str
    overflow: OverflowLike | None
    scale_format: FormatLike | None
    block: int | None
    tensor_scale: float | None
    scale_result: ArrayLike | None


def _model(said: _Said) -> tuple[Model | None, Rounding | str, OverflowLike | None]:
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
    if model is not None:
        check_operands(model, fa.name, fb.name)
    block = block_of(scales, said.block, sides.k, model)
    if model is not None:
        scales = [fit(s, model, said.scale_format, w) for s, w in zip(scales, ("scale_a", "scale_b"))]
    tensor = None if said.tensor_scale is None else float(one_number(said.tensor_scale))
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
        output_scale(said.scale_result, sides.shape, sides.outer),
    )
    codes = solve(problem)
    return _as_result(codes, f).reshape(sides.shape)


def _addend(c: ArrayLike | None, model: Model | None, sides: _Sides) -> Array | None:
    if c is None:
        return None
    array = dense(c, "c")
    wanted = None if model is None else FLOAT_DTYPES[model.result]
    dtype = array.dtype.newbyteorder("=")
    if is_number(c):
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
