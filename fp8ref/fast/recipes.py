"""Recipes on arrays: the steps of ``spec.scaling.steps`` with numpy's binary32 arithmetic, elements in chunks.

Arrays come as (groups, elements), each group under one scale.  numpy's float32 operations are IEEE's, so that the same
steps give the same bits as on exact rationals; what is not an IEEE operation (logarithms, codes) is proved equal by
tests.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.matrix.accumulate import F32
from ..spec.projection import get_projection
from ..spec.scaling.exact import RHT_SIGNS, Exact
from ..spec.scaling.recipe import Recipe
from ..spec.scaling.steps import Scaled, four_or_six, scale_of, scaled_element, tensor_stored
from .blocks import RUN, amax_bits
from .chunks import Array
from .encode import convert_codes

F32s = NDArray[np.float32]
INFINITE = np.uint32(0x7F800000)
SCALES = 1 << 13  # scales computed at a time
NAN = np.uint32(0x7FC00000).view(np.float32)
DTYPES: dict[str, Any] = {"bf16": ml_dtypes.bfloat16, "f16": np.float16}


@lru_cache(maxsize=512)
def _constant(x: Fraction | str, type_name: str) -> np.float32:
    """A rounded constant, by the specification's own rounding."""
    datum = Exact().number(x, type_name)
    return NAN if datum.is_nan else np.float32(np.inf) if datum.is_infinite else np.float32(float(datum.value))


class Vectors:
    """The arithmetic of :class:`~fp8ref.spec.scaling.operations.Arithmetic` on float32 arrays."""

    def number(self, x: Fraction | str, type_name: str = "f32") -> Any:
        return _constant(x, type_name)

    def times(self, x: Any, y: Any) -> Any:
        return x * y

    def over(self, x: Any, y: Any) -> Any:
        return x / y

    def plus(self, x: Any, y: Any) -> Any:
        return x + y

    def minus(self, x: Any, y: Any) -> Any:
        return x - y

    def over_wide(self, x: Fraction, y: Any, least: str) -> Any:
        return (float(x) / np.maximum(np.asarray(y, np.float64), float(least))).astype(np.float32)

    def magnitude(self, x: Any) -> Any:
        return np.abs(x)

    def to(self, x: Any, type_name: str) -> Any:
        return np.asarray(x, np.float32).astype(DTYPES[type_name]).astype(np.float32) if type_name != "f32" else x

    def below(self, x: Any, y: Any) -> Any:
        return x < y

    def equal(self, x: Any, y: Any) -> Any:
        return x == y

    def is_nan(self, x: Any) -> Any:
        return np.isnan(x)

    def choose(self, mask: Any, x: Any, y: Any) -> Any:
        return np.where(mask, x, y)

    def field(self, x: Any) -> Any:
        return (_bits(x) >> np.uint32(23) & np.uint32(0xFF)).astype(np.float32)

    def ragged(self, x: Any) -> Any:
        return (_bits(x) & np.uint32(0x7FFFFF) != 0).astype(np.float32)

    def more(self, x: Any, steps: int) -> Any:
        bits = _bits(x)
        more = np.minimum(bits + np.uint32(steps), INFINITE)
        return np.where(bits < INFINITE, more, bits).view(np.float32)

    def cut(self, x: Any) -> Any:
        return np.where(np.isnan(x), x, (_bits(x) & np.uint32(0xFF800000)).view(np.float32))

    def log2(self, x: Any) -> Any:
        return np.log2(np.asarray(x, np.float64)).astype(np.float32)

    def floor(self, x: Any) -> Any:
        return np.floor(x)

    def ceil(self, x: Any) -> Any:
        return np.ceil(x)

    def nearest(self, x: Any) -> Any:
        return np.rint(x)

    def exp2(self, n: Any) -> Any:
        n = np.asarray(n, np.float32)
        usual = np.clip(np.where(np.isnan(n), np.float32(0), n), -400, 400).astype(np.int32)
        return np.where(np.isnan(n), n, np.ldexp(np.float32(1), usual))

    def modulo(self, n: Any) -> Any:
        usual = np.where(np.isfinite(n), n, np.float32(0)).astype(np.int64)
        return (usual & 255).astype(np.float32)

    def code(self, x: Any, how: str) -> Any:
        x = np.asarray(x, np.float32)
        if how == "e8m0.rp":
            return _rounded_up(x)
        if how == "e4m3fn.gguf":
            return _gguf(x)
        if how.endswith(".up"):
            return encoded(x, get_format(how.removesuffix(".up")), "rtp").astype(np.float32)
        return encoded(x, get_format(how)).astype(np.float32)

    def decoded(self, code: Any, how: str) -> Any:
        return values_of(how)[np.asarray(code).astype(np.intp)]


def _bits(x: Any) -> NDArray[np.uint32]:
    found: NDArray[np.uint32] = np.ascontiguousarray(x, np.float32).view(np.uint32).reshape(np.shape(x))
    return found


@lru_cache(maxsize=32)
def values_of(how: str) -> F32s:
    """The value of every code of a narrow format."""
    m = Exact()
    size = 1 << get_format(how.partition(".")[0]).k
    data = [m.decoded(m.number(Fraction(code)), how) for code in range(size)]
    return np.array(
        [np.nan if d.is_nan else np.inf if d.is_infinite else float(d.magnitude) for d in data], np.float32
    ) * (np.array([-1 if d.sign else 1 for d in data], np.float32))


def _rounded_up(x: F32s) -> F32s:
    bits = _bits(x)
    exponent, trailing = bits >> np.uint32(23), bits & np.uint32(0x7FFFFF)
    up = np.where(exponent == 0, trailing > 0x400000, trailing != 0)
    code = np.minimum(exponent + up, np.uint32(254)).astype(np.float32)
    return np.where(np.isnan(x), np.float32(255), code)


def _gguf(x: F32s) -> F32s:
    bits = _bits(x)
    exponent = (bits >> np.uint32(23) & np.uint32(0xFF)).astype(np.int64) - 127
    sixteenths = (bits >> np.uint32(19) & np.uint32(15)).astype(np.int64)
    code = ((exponent + 7) << 3) + ((sixteenths + 1) >> 1)
    with np.errstate(all="ignore"):
        usual = np.where((x > 0) & (x < 1), x, np.float32(0))
        units = np.minimum((usual * np.float32(512) + np.float32(0.5)).astype(np.int64), 8)
    code = np.where(exponent < -6, units, np.minimum(code, 0x7E))
    code = np.where(x >= 256, 0x7E, code)
    return np.where(np.isnan(x) | (x <= 0), 0, code).astype(np.float32)


def encoded(x: Any, f: Format, rounding: str = "rne", overflow: str = "sat") -> Array:
    """Codes of binary32 numbers."""
    bits = _bits(np.ascontiguousarray(x, np.float32))
    return convert_codes(bits, F32, f, get_projection(f, rounding, overflow), False)[0]


# -- groups ------------------------------------------------------------------------------------------------------------


def amax_of(r: Recipe, x: F32s) -> F32s:
    """Largest magnitudes of the rows, by the recipe's rule for NaNs."""
    if r.amax == "signed":
        best = np.fmax.reduce(x, axis=1, initial=np.float32(0)) + np.float32(0)
        return np.asarray(best, np.float32)
    top = amax_bits(x)
    if r.amax == "drop":
        wrong = np.flatnonzero(top > INFINITE)
        if wrong.size:
            top = top.copy()
            top[wrong] = amax_bits(np.where(np.isnan(x[wrong]), np.float32(0), x[wrong]))
    found: F32s = np.where(top > INFINITE, NAN, top.view(np.float32))
    return found


def transformed(r: Recipe, x: F32s, source: str) -> F32s:
    """Rows after the recipe's transformation: sums in binary64, which are exact for what the test asks; see there."""
    if r.transform == "none":
        return x
    if x.shape[1] % 16:
        raise ValueError(f"transform={r.transform} takes rows of 16 elements, not {x.shape[1]}")
    signs = [[RHT_SIGNS[k] * (-1) ** (k & column).bit_count() for column in range(16)] for k in range(16)]
    wide = x.astype(np.float64).reshape(-1, 16)
    total = np.zeros_like(wide)
    for k in range(16):
        total += wide[:, k : k + 1] * np.array(signs[k], np.float64)
    kind = DTYPES.get(source, np.float32)
    return np.asarray((total / 4).astype(kind).astype(np.float32).reshape(x.shape))


def quantize(
    r: Recipe, x: F32s, source: str = "f32", whole: Any = None, random_bits: Array | None = None
) -> tuple[Array, Array]:
    """Stored scales (groups), float32 or uint8 codes, and element codes of groups (groups, elements).

    ``whole``: the largest magnitude of the tensor, one or one for each group; by default that of these groups.
    """
    x = np.ascontiguousarray(x, np.float32)
    groups, n = x.shape
    codes = np.empty((groups, n), np.uint8)
    step = max(1, RUN // max(n, 1))
    m = Vectors()
    stored = np.empty(groups, np.float32 if r.stored == "f32" else np.uint8)
    with np.errstate(all="ignore"):
        x = transformed(r, x, source)
        a = np.empty(groups, np.float32)
        for i in range(0, groups, step):
            a[i : i + step] = amax_of(r, x[i : i + step])
        if r.tensor != "none":
            whole = np.asarray(largest(a) if whole is None else whole, np.float32)
        for i in range(0, groups, max(step, SCALES)):
            outer = slice(i, min(i + max(step, SCALES), groups))
            _quantize(
                r, m, x[outer], a[outer], taken_of(whole, outer), source, stored[outer], codes[outer], random_bits
            )
            random_bits = None if random_bits is None else random_bits[max(step, SCALES) :]
    return stored, codes


def _quantize(
    r: Recipe, m: Vectors, x: F32s, a: F32s, whole: Any, source: str, stored: Array, codes: Array, random: Array | None
) -> None:
    """Some groups at a time: their scales, and their elements in smaller chunks."""
    groups, n = x.shape
    step = max(1, RUN // max(n, 1))
    scaled = None
    if r.choose == "none":
        scaled = scale_of(r, m, a, source, whole)
        stored[:] = _storable(r, scaled.stored)
    for i in range(0, groups, step):
        part = slice(i, min(i + step, groups))
        if scaled is None:
            codes[part], stored[part] = _of_two(r, m, a[part], x[part], taken_of(whole, part), source)
        else:
            bits = None if random is None else random[part]
            elements_of(r, m, x[part], columns_of(scaled, part), source, codes[part], bits)


def taken_of(whole: Any, part: slice) -> Any:
    return whole[part] if np.ndim(whole) else whole


def nan_elements(r: Recipe, x: F32s, source: str, whole: Any = None) -> NDArray[np.bool_]:
    """Which scaled elements of groups (groups, elements) are NaNs, under one candidate of scale."""
    m = Vectors()
    with np.errstate(all="ignore"):
        x = transformed(r, np.ascontiguousarray(x, np.float32), source)
        scaled = scale_of(r, m, amax_of(r, x), source, None if r.tensor == "none" else whole)
        return np.asarray(np.isnan(scaled_element(r, m, x, columns_of(scaled, slice(None)), source)))


def quantize_tensor(
    r: Recipe, x: F32s, source: str, whole: float | None, random_bits: Array | None
) -> tuple[Array, Array, np.float32 | None]:
    """Stored scales, codes, and the tensor's decode multiplier where the recipe has one."""
    if r.tensor == "none":
        if whole is not None:
            raise ValueError(f"{r}: it has one level of scales, and no use for the tensor's largest magnitude")
        return *quantize(r, x, source, None, random_bits), None
    with np.errstate(all="ignore"):
        top = largest(amax_of(r, transformed(r, x, source))) if whole is None else np.float32(whole)
    return *quantize(r, x, source, top, random_bits), tensor_scale(r, top)


def decode_scales(r: Recipe, stored: Array) -> F32s:
    """Stored scales as decode multipliers in binary32."""
    if r.stored != "f32":
        return np.asarray(Vectors().decoded(stored, r.stored), np.float32)
    with np.errstate(all="ignore"):
        return np.asarray(np.float32(1) / stored if r.keeps == "multiplier" else stored, np.float32)


def largest(a: F32s) -> np.float32:
    """The largest magnitude of a tensor from those of its groups."""
    return np.float32(np.maximum.reduce(a, initial=np.float32(0)))


def tensor_scale(r: Recipe, whole: Any) -> np.float32:
    """The decode multiplier of a tensor."""
    with np.errstate(all="ignore"):
        return np.float32(tensor_stored(r, Vectors(), np.float32(whole)))


def _storable(r: Recipe, stored: Any) -> Array:
    found = np.asarray(stored, np.float32)
    return np.where(np.isnan(found), NAN, found) if r.stored == "f32" else found.astype(np.uint8)


def columns_of(s: Scaled, part: slice) -> Scaled:
    """The scale of some groups, each as a column beside its elements."""

    def taken(x: Any) -> Any:
        if x is None or not np.ndim(x):
            return x
        return x[part, None]

    return Scaled(s.stored, taken(s.factor), s.divide, taken(s.step), taken(s.first), taken(s.blank))


def _of_two(r: Recipe, m: Vectors, a: F32s, x: F32s, whole: Any, source: str) -> tuple[Array, Array]:
    """Four over six: both candidates of every group, and the better one."""
    six, four, better = four_or_six(r, m, a, list(np.ascontiguousarray(x.T)), whole, source)
    out = [np.empty(x.shape, np.uint8), np.empty(x.shape, np.uint8)]
    for s, codes in zip((six, four), out):
        elements_of(r, m, x, columns_of(s, slice(None)), source, codes, None)
    scales = [_storable(r, s.stored) for s in (six, four)]
    return np.where(better[:, None], out[1], out[0]), np.where(better, scales[1], scales[0])


def elements_of(
    r: Recipe, m: Vectors, x: F32s, s: Scaled, source: str, out: Array, random_bits: Array | None = None
) -> None:
    """Codes of elements under their scales, which broadcast to x, into ``out``."""
    f = r.format
    if r.rounding == "first":
        out[...] = _first_nearest(x, s.step, f)
    else:
        y = scaled_element(r, m, x, s, source)
        if r.zeros == "plus":
            y = y + np.float32(0)
        out[...] = _rounded(r, y, f, random_bits)
        if r.zeros == "none":
            out[(out & f.magnitude_mask) == 0] = 0
        if r.nan == "zero":
            out[np.isnan(y)] = 0
        elif r.nan in ("+max", "-max"):
            out[np.isnan(y)] = f.max_code | (f.sign_bit if r.nan == "-max" else 0)
        if r.zeros == "minus":
            exact = (y == 0) | (np.isnan(y) & (r.nan == "zero"))
            out[exact & ((out & f.magnitude_mask) == 0)] = f.sign_bit
    if s.blank is not None:
        out[np.broadcast_to(s.blank, out.shape)] = 0


def _rounded(r: Recipe, y: F32s, f: Format, random_bits: Array | None) -> Array:
    if r.rounding == "down":
        return _nearest_down(y, f)
    if r.rounding == "sr-ptx":
        if random_bits is None:
            raise ValueError("stochastic rounding needs random_bits, one word for each element")
        rho = get_projection(f, "sr-ptx", r.overflow)
        width = random_bits.dtype.itemsize * 8
        return convert_codes(_bits(y), F32, f, rho, False, (random_bits, width))[0]
    return encoded(y, f, r.rounding, r.overflow)


@lru_cache(maxsize=16)
def _middles(f: Format) -> F32s:
    """Between neighbouring magnitudes; exact in binary32."""
    return np.array([float((f.magnitude(c) + f.magnitude(c + 1)) / 2) for c in range(f.max_code)], np.float32)


def _nearest_down(y: F32s, f: Format) -> Array:
    codes = np.searchsorted(_middles(f), np.abs(y), side="left").astype(np.uint8)
    nan = np.isnan(y)
    codes |= np.where(np.signbit(y) & ~nan, np.uint8(f.sign_bit), np.uint8(0))
    if nan.any():
        codes[nan] = encoded(np.array([np.nan], np.float32), f)[0]
    return codes


def _first_nearest(x: F32s, step: F32s, f: Format) -> Array:
    values = values_of(f.name)
    codes = np.zeros(x.shape, np.uint8)
    least = np.abs(values[0] * step - x)
    for code in (*range(1, f.max_code + 1), *range(f.sign_bit + 1, f.sign_bit + f.max_code + 1)):
        error = np.abs(values[code] * step - x)
        better = error < least
        codes[better] = code
        least = np.where(better, error, least)
    return codes
