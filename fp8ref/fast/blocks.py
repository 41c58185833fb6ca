"""Block scaling of float32 arrays: the recipes of ``spec.scaling``, vectorised with numpy's binary32 arithmetic.

Arrays come as (groups, elements): each group shares one scale.  Largest magnitudes are taken on the bits, where a NaN
is larger than infinity and infinity larger than every number.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..spec.accumulate import F32
from ..spec.datum import Datum
from ..spec.formats import Format
from ..spec.projection import Projection, get_projection
from ..spec.scaling import E8M0_NAN, E8M0_RULES, ONE, Scheme, over
from .chunks import Array
from .encode import convert_codes

F32s = NDArray[np.float32]
U32s = NDArray[np.uint32]
INFINITY = np.uint32(0x7F800000)
FLT_MAX = np.float32(np.finfo(np.float32).max)
RUN = 1 << 16  # elements of a chunk


@lru_cache(maxsize=64)
def _saturating(f: Format) -> Projection:
    return get_projection(f, "rne", "sat")


def amax_bits(x: F32s) -> U32s:
    """Bits of the largest magnitude of every row."""
    bits = x.view(np.uint32) & np.uint32(0x7FFFFFFF)
    n = bits.shape[1]
    while n > 1 and n % 2 == 0:  # halves: whole rows at a time, not one row's 32 elements
        n //= 2
        bits = np.maximum(bits[:, :n], bits[:, n:])
    largest: U32s = bits[:, 0] if n == 1 else bits.max(axis=1) if n else np.zeros(bits.shape[0], np.uint32)
    return largest


def e8m0_codes(amax: U32s, element: Format, rule: str) -> NDArray[np.uint8]:
    """E8M0 codes of scales from bits of largest magnitudes."""
    if rule in ("rceil", "te"):
        with np.errstate(invalid="ignore", under="ignore"):
            ratio = (amax.view(np.float32) * _reciprocal(element)).view(np.uint32)
        exponent, trailing = ratio >> 23, ratio & np.uint32(0x7FFFFF)
        up = np.where(exponent == 0, trailing > 0x400000, trailing != 0)
        e = np.minimum(exponent + up, 254).astype(np.int64)
        unusual = amax > INFINITY if rule == "te" else amax >= INFINITY
    else:
        top = element.emax
        unusual = amax >= INFINITY
        if rule == "even":
            amax = amax + np.uint32(1 << (23 - element.t - 1))
            unusual |= amax >= INFINITY
        e = (amax >> 23).astype(np.int64) + ((amax & np.uint32(0x7FFFFF)) != 0 if rule == "ceil" else 0)
        if rule == "ceil":  # subnormals have exponents of their own
            small = (amax < 0x800000) & (amax <= 0x400000)
            e[small] = 0
        e = np.clip(e - top, 0, 255)
    e[unusual] = E8M0_NAN
    codes: NDArray[np.uint8] = e.astype(np.uint8)
    return codes


@lru_cache(maxsize=64)
def _reciprocal(f: Format) -> np.float32:
    return np.float32(float(over(ONE, Datum.finite(f.max)).value))


def mx(x: F32s, scheme: Scheme, rule: str) -> tuple[Array, Array]:
    """Scale codes (groups) and element codes (groups, elements) of MX blocks."""
    groups, n = x.shape
    codes = np.empty((groups, n), np.uint8)
    amax = np.empty(groups, np.uint32)
    step = max(1, RUN // max(n, 1))
    for i in range(0, groups, step):
        amax[i : i + step] = amax_bits(x[i : i + step])
    scales = e8m0_codes(amax, scheme.element, rule)
    field = (np.uint32(254) - scales) << np.uint32(23)  # 2**(127 - code)
    field[scales == 254] = 0x400000
    field[scales == E8M0_NAN] = 0x7FC00000
    up = field.view(np.float32)[:, None]
    scaled = np.empty((step, n), np.float32)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for i in range(0, groups, step):
            out = scaled[: min(step, groups - i)]
            np.multiply(x[i : i + step], up[i : i + step], out=out)
            codes[i : i + step] = _codes(out, scheme.element)
    if scheme.element.fixed_point:
        codes[codes == scheme.element.sign_bit] += 1
    return scales, codes


def nvfp4(x: F32s, tensor_amax: np.float32, scheme: Scheme, rule: str) -> tuple[Array, Array, np.float32]:
    """Scale codes, element codes and the tensor's decode multiplier."""
    one, six, top = np.float32(1), np.float32(6), np.float32(448 * 6)
    amax = amax_bits(x).view(np.float32)
    with np.errstate(all="ignore"):
        if rule == "te":
            s = np.minimum(top / tensor_amax, FLT_MAX)
            s = one if s == 0 or tensor_amax == 0 else s
            tensor = one / s
            wish = amax * (s * (one / six))
        else:
            tensor = tensor_amax / top
            wish = np.maximum((amax / six) / tensor, np.float32(2**-6))
        scale, scales = _round_to(wish, scheme.scale)
        up = np.minimum(one / (scale * tensor), FLT_MAX) if rule == "te" else (one / tensor) / scale
        codes = _codes(x * up[:, None].astype(np.float32), scheme.element)
    return scales, codes, np.float32(tensor)


def _codes(x: F32s, f: Format) -> Array:
    return convert_codes(np.ascontiguousarray(x).view(np.uint32), F32, f, _saturating(f), False)[0]


def _round_to(x: F32s, f: Format) -> tuple[F32s, Array]:
    codes = _codes(x.astype(np.float32), f)
    back = convert_codes(codes, f, F32, get_projection(F32, "rne", "nonsat"), False)[0].view(np.float32)
    return back, codes


def multipliers(amax: F32s, element: Format, rule: str) -> F32s:
    """FP8 encode multipliers from largest magnitudes."""
    top = float(element.max)
    with np.errstate(all="ignore"):
        if rule == "torchao":
            wide = np.maximum(amax.astype(np.float64), 1e-12)
            return (top / wide).astype(np.float32)
        scale = np.minimum(np.float32(top) / amax, FLT_MAX)
        if rule == "te-pow2":
            scale = (scale.view(np.uint32) & np.uint32(0xFF800000)).view(np.float32)
    return np.where(np.isfinite(amax) & (amax != 0), scale, np.float32(1)).astype(np.float32)


def fp8(x: F32s, scheme: Scheme, rule: str) -> tuple[Array, Array]:
    """Decode multipliers (groups) and element codes of FP8 with binary32 scales."""
    up = multipliers(amax_bits(x).view(np.float32), scheme.element, rule)
    with np.errstate(all="ignore"):
        return np.float32(1) / up, _codes(x * up[:, None], scheme.element)


def quantize(x: F32s, scheme: Scheme, rule: str) -> tuple[Array, Array, np.float32 | None]:
    """Scales, codes, and the tensor's multiplier where the scheme has one, of groups (groups, elements)."""
    x = np.ascontiguousarray(x)
    if scheme.rules == E8M0_RULES:
        return (*mx(x, scheme, rule), None)
    if scheme.name == "nvfp4":
        bits = x.view(np.uint32) & np.uint32(0x7FFFFFFF)
        return nvfp4(x, bits.max(initial=0).view(np.float32), scheme, rule)
    return (*fp8(x, scheme, rule), None)
