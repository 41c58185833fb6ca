"""Block scaling of float32 arrays: the recipes of ``spec.scaling``, vectorised with numpy's binary32 arithmetic.

Arrays come as (groups, elements): each group shares one scale.  Largest magnitudes are taken on the bits, where a NaN
is larger than infinity and infinity larger than every number.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..spec.datum import Datum
from ..spec.formats import Format
from ..spec.matrix.accumulate import F32
from ..spec.projection import Projection, get_projection
from ..spec.scaling.binary32 import ONE, over
from ..spec.scaling.schemes import E8M0_NAN, Scheme
from .chunks import Array
from .encode import convert_codes

F32s = NDArray[np.float32]
U32s = NDArray[np.uint32]
INFINITY = np.uint32(0x7F800000)
FLT_MAX = np.float32(np.finfo(np.float32).max)
NVFP4_TOP = np.float32(448 * 6)
RUN = 1 << 16  # elements of a chunk


@lru_cache(maxsize=64)
def _saturating(f: Format) -> Projection:
    return get_projection(f, "rne", "sat")


def amax_bits(x: F32s) -> U32s:
    """Bits of the largest magnitude of every row."""
    bits = x.view(np.uint32) & np.uint32(0x7FFFFFFF)
    groups, n = bits.shape
    if n == 0 or groups == 0:
        return np.zeros(groups, np.uint32)
    largest: U32s = np.maximum.reduceat(bits.reshape(-1), np.arange(0, bits.size, n))
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


def elements(x: F32s, up: F32s, f: Format, rho: Projection | None = None) -> Array:
    """Codes of x (groups, elements) times the multiplier of its group, in binary32; MXINT8 leaves -2 unused."""
    groups, n = x.shape
    codes = np.empty((groups, n), np.uint8)
    step = max(1, RUN // max(n, 1))
    scaled = np.empty((min(step, groups), n), np.float32)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        for i in range(0, groups, step):
            out = scaled[: min(step, groups - i)]
            np.multiply(x[i : i + step], up[i : i + step, None], out=out)
            codes[i : i + step] = _codes(out, f, rho)
    if f.fixed_point:
        codes[codes == f.sign_bit] += 1
    return codes


def _mx_scales(amax: U32s, scheme: Scheme, rule: str, tensor_amax: F32s | None) -> tuple[Array, F32s]:
    scales = e8m0_codes(amax, scheme.element, rule)
    field = (np.uint32(254) - scales) << np.uint32(23)  # 2**(127 - code)
    field[scales == 254] = 0x400000
    field[scales == E8M0_NAN] = 0x7FC00000
    return scales, field.view(np.float32)


def tensor_multiplier(tensor_amax: F32s, rule: str) -> F32s:
    """NVFP4's decode multiplier of a tensor."""
    with np.errstate(all="ignore"):
        if rule == "torchao":
            return np.asarray(tensor_amax / NVFP4_TOP, np.float32)
        return np.asarray(np.float32(1) / _encode_scale(tensor_amax), np.float32)


def _encode_scale(tensor_amax: F32s) -> F32s:
    s = np.minimum(NVFP4_TOP / tensor_amax, FLT_MAX)
    return np.where((s == 0) | (tensor_amax == 0), np.float32(1), s)


def _nvfp4_scales(amax: U32s, scheme: Scheme, rule: str, tensor_amax: F32s | None) -> tuple[Array, F32s]:
    one, six = np.float32(1), np.float32(6)
    whole = amax.max(initial=0).view(np.float32) if tensor_amax is None else tensor_amax
    tensor = tensor_multiplier(whole, rule)
    with np.errstate(all="ignore"):
        if rule == "te":
            wish = amax.view(np.float32) * (_encode_scale(whole) * (one / six))
        else:
            wish = np.maximum((amax.view(np.float32) / six) / tensor, np.float32(2**-6))
        scale, scales = _round_to(wish, scheme.scale)
        up = np.minimum(one / (scale * tensor), FLT_MAX) if rule == "te" else (one / tensor) / scale
    return scales, up.astype(np.float32)


def _fp8_scales(amax: U32s, scheme: Scheme, rule: str, tensor_amax: F32s | None) -> tuple[Array, F32s]:
    up = multipliers(amax.view(np.float32), scheme.element, rule)
    with np.errstate(all="ignore"):
        return np.float32(1) / up, up


SCALES = {"mx": _mx_scales, "nvfp4": _nvfp4_scales, "fp8": _fp8_scales}


def scales(amax: U32s, scheme: Scheme, rule: str, tensor_amax: F32s | None = None) -> tuple[Array, F32s]:
    """Scales as they are stored, and what the elements are multiplied by, from bits of largest magnitudes.

    Stored: uint8 codes of ``scheme.scale``, or float32 decode multipliers.  ``tensor_amax`` (NVFP4): the largest
    magnitude of the whole tensor, one or one for each group; by default that of these groups.
    """
    return SCALES[scheme.recipe](amax, scheme, rule, tensor_amax)


def _codes(x: F32s, f: Format, rho: Projection | None = None) -> Array:
    return convert_codes(np.ascontiguousarray(x).view(np.uint32), F32, f, rho or _saturating(f), False)[0]


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


def quantize(x: F32s, scheme: Scheme, rule: str) -> tuple[Array, Array, np.float32 | None]:
    """Scales, codes, and the tensor's multiplier where the scheme has one, of groups (groups, elements)."""
    x = np.ascontiguousarray(x)
    groups, n = x.shape
    amax = np.empty(groups, np.uint32)
    step = max(1, RUN // max(n, 1))
    for i in range(0, groups, step):
        amax[i : i + step] = amax_bits(x[i : i + step])
    stored, up = scales(amax, scheme, rule)
    whole = amax.max(initial=0).view(np.float32)
    tensor = np.float32(tensor_multiplier(whole, rule)) if scheme.tensor else None
    return stored, elements(x, up, scheme.element), tensor
