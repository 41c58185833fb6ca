"""Dot products on arrays: which engine serves, tile by tile."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from ...fast.environment import exact_floats
from ...spec.catalog import get_format
from ...spec.datum import Datum
from ...spec.formats import Format
from ...spec.matrix.accumulate import Chain, Composed, FusedLate, GroupDot, Tree, TwoChains
from ...spec.matrix.products import dot as spec_dot
from ...spec.matrix.units import read_by
from ..chunks import Array
from ..decode import decode_codes
from ..kernel import code_dtype
from ..tables import exactly_holds
from .doubles import of_doubles
from .exact_dot import TABLE, Epilogue, Operand, data_range, exact_dots, exact_matmul, flagged_dots, format_range
from .expansion import F64, Floats
from .model_dot import by_model
from .problem import Problem, converted

F32 = get_format("f32")
REACH, SCALED = 300, 235  # exponents of operands alone, and of those that three factors of 53 bits leave above 2**-1074
LARGEST, SMALLEST = 2.0**128, 2.0**-149  # magnitudes of factors that float64 multiplies without loss


@exact_floats
def solve(p: Problem) -> Array:
    """Codes of the outputs."""
    p = converted(p)
    doubles = of_doubles(p)
    if doubles is not None:
        return doubles
    if not _float64_serves(p):
        return _by_specification(p)
    if p.model is None:
        return _exact(p)
    fa, fb = (read_by(p.model, f) for f in (p.fa, p.fb))
    return by_model(replace(p, fa=fa, fb=fb), p.model)


def _exact(p: Problem) -> Array:
    a, b, epilogue = _parts(p)
    return (exact_matmul if p.outer else exact_dots)(a, b, epilogue)


@exact_floats
def solve_flagged(p: Problem) -> tuple[Array, NDArray[np.uint8]] | None:
    """Codes of exact dot products, and the status of rounding and overflow; None where float64 does not serve."""
    return flagged_dots(*_parts(p)) if _float64_serves(p) else None


def _parts(p: Problem) -> tuple[Operand, Operand, Epilogue]:
    """Operands with what belongs inside, and what joins their sums."""
    factors: list[Floats] = []
    operands = []
    for codes, f, scale, row in ((p.a, p.fa, p.scale_a, True), (p.b, p.fb, p.scale_b, False)):
        inside = scale if scale is not None and _belongs_inside(scale) else None
        if scale is not None and inside is None:
            factors.append(_as_factor(scale, row, p.outer))
        operands.append(Operand(codes, f, inside, p.block))
    if p.tensor_scale is not None:
        factors.append(np.full((1,) * len(p.shape), p.tensor_scale))
    if p.scale_result is not None:
        r = p.scale_result
        factors.append(r if r.size != 1 else np.full((1,) * len(p.shape), r[0]))
    c = p.c
    if c is not None and p.scale_result is not None:
        with np.errstate(invalid="ignore"):
            c = c * p.scale_result  # exact: _multiplies_c
    return operands[0], operands[1], Epilogue(p.result, p.rho, tuple(factors), c)


def _belongs_inside(scale: Floats) -> bool:
    """Is a scale to be multiplied into the operand, for it differs along K or is not finite?"""
    return scale.shape[1] > 1 or not np.isfinite(scale).all()


def _as_factor(scale: Floats, row: bool, outer: bool) -> Floats:
    """Scales (1 or rows, 1) laid out to broadcast with the outputs."""
    if not outer:
        return np.ascontiguousarray(scale[:, 0])
    return np.ascontiguousarray(scale if row else scale.T)


def _float64_serves(p: Problem) -> bool:
    """Do float64's range and precision carry every intermediate of the fast engines without loss?"""
    leaf = p.model
    while isinstance(leaf, Composed):
        leaf = leaf.inner
    if p.model is None and p.scale_result is not None and p.c is not None and not _multiplies_c(p.c, p.scale_result):
        return False
    if p.model is not None and (p.fa.p + p.fb.p > F64.p or p.model.result == "f64"):
        return False  # a product, or an answer, that the engines of units do not hold
    reach = REACH if all(x is None for x in (p.scale_a, p.scale_b, p.tensor_scale)) else SCALED
    for codes, f in ((p.a, p.fa), (p.b, p.fb)):
        if isinstance(leaf, Chain | Tree | TwoChains) and not exactly_holds(F32, f):
            return False
        if isinstance(leaf, FusedLate | GroupDot) and f.k > TABLE:
            return False
        if not exactly_holds(F64, f):
            return False
        if not _within(reach, format_range(f)) and not _within(reach, _range_of(codes, f)):
            return False
    tensor = None if p.tensor_scale is None else np.array(p.tensor_scale)
    if tensor is not None and not np.isfinite(tensor):
        return False
    for f, scale in ((p.fa, p.scale_a), (p.fb, p.scale_b)):
        if p.model is None and scale is not None and _belongs_inside(scale):
            units = np.ldexp(np.frexp(scale[np.isfinite(scale)])[0], F64.p - f.p)
            if (units != np.rint(units)).any():  # scaled values would be longer than 53 bits
                return False
    for x in (p.scale_a, p.scale_b, tensor, p.scale_result):
        if x is not None:
            size = np.abs(x[np.isfinite(x)])
            if ((size >= LARGEST) | ((size > 0) & (size < SMALLEST))).any():
                return False
    return True


def _within(reach: int, bits: tuple[int, int]) -> bool:
    lsb, top = bits
    return lsb >= -reach and top <= reach


def _range_of(codes: Array, f: Format) -> tuple[int, int]:
    """(lsb, top) of the finite numbers at hand, of a format that exceeds what float64 multiplies."""
    values = decode_codes(np.ascontiguousarray(codes), f, F64).view(np.float64)
    return data_range(values[np.isfinite(values)])


def _multiplies_c(c: Floats, r: Floats) -> bool:
    """May a scale of the result be multiplied into C, (AB + C) r = AB r + C r?

    Products of two numbers of binary32 are exact in binary64.  A positive, finite r keeps the sign of a zero sum and
    makes no NaN of an infinity.
    """
    with np.errstate(all="ignore"):
        singles = (r == r.astype(np.float32)).all() and ((c == c.astype(np.float32)) | np.isnan(c)).all()
    return bool(singles and np.isfinite(r).all() and (r > 0).all())


def _by_specification(p: Problem) -> Array:
    """Every output by the reference: for scales and formats beyond float64.  Slow: microseconds an element."""
    out = np.empty(p.shape, code_dtype(p.result))
    rows = range(p.shape[0])
    pairs = [(i, j) for i in rows for j in range(p.shape[1])] if p.outer else [(i, i) for i in rows]
    for n, (i, j) in enumerate(pairs):
        blocks = max((s.shape[1] for s in (p.scale_a, p.scale_b) if s is not None), default=0)
        scales = [(x, y) for x, y, _ in zip(cycle(_data(p.scale_a, i)), cycle(_data(p.scale_b, j)), range(blocks))]
        out.reshape(-1)[n] = spec_dot(
            p.a[i].tolist(),
            p.b[j].tolist(),
            p.fa,
            p.fb,
            c=None if p.c is None else Datum.of(float(p.c.reshape(-1)[n])),
            accumulator="exact" if p.model is None else p.model,
            result=p.result,
            rounding=p.rho.rounding,
            overflow=p.rho.overflow,
            scales=scales,
            block=p.block,
            tensor_scale=None if p.tensor_scale is None else Datum.of(p.tensor_scale),
            scale_result=_datum(p.scale_result, n),
        )
    return out


def _datum(x: Floats | None, n: int) -> Datum | None:
    """The n-th of the outputs' numbers, or the one for all."""
    return None if x is None else Datum.of(float(x.reshape(-1)[n if x.size > 1 else 0]))


def _data(scale: Floats | None, row: int) -> list[Datum]:
    """A row of scales as data; 1 where there are none."""
    if scale is None:
        return [Datum.finite(1)]
    return [Datum.of(float(x)) for x in scale[row if scale.shape[0] > 1 else 0]]
