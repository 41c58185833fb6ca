"""Scaled arrays: blocks of codes that share scales, made by a recipe; packed storage of formats below 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import display
from ..fast import blocks
from ..fast import recipes as by_recipe
from ..fast.environment import exact_floats
from ..spec.catalog import get_format
from ..spec.formats import Format
from ..spec.scaling.named import get_recipe, short_text
from ..spec.scaling.recipe import Recipe
from ..spec.scaling.schemes import Scheme, get_rule, get_scheme
from .conversion import Array, FormatLike, as_codes, decode
from .dense import dense
from .layouts import pack_gguf, relayout, swap_nibbles

SOURCES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}


@dataclass(frozen=True, eq=False)
class ScaledArray:
    """Codes with their scales.

    ``codes``: uint8, of the source's shape.  ``scales``: along ``axis`` one for every ``block`` elements (the last may
    be shorter), codes of ``scheme.scale`` (uint8) or float32 decode multipliers.  ``tensor_scale``: a float32 decode
    multiplier of everything, or None.  ``recipe``: what made them, where it was a recipe; one that keeps multipliers
    has these in ``scales``.
    """

    codes: Array
    scales: Array
    scheme: Scheme
    rule: str
    block: int
    axis: int
    tensor_scale: np.float32 | None = None
    recipe: Recipe | None = None

    def _repr_html_(self) -> str | None:
        return display.html("scaled", self)

    @property
    @exact_floats
    def multipliers(self) -> Array:
        """The scales as float32 decode multipliers, without the tensor's: ``scale_a`` and ``scale_b`` of ``dot``."""
        if self.recipe is not None:
            return by_recipe.decode_scales(self.recipe, self.scales)
        return self.scales if self.scales.dtype == np.float32 else decode(self.scales, self.scheme.scale)

    @exact_floats
    def dequantize(self, dtype: DTypeLike = np.float32) -> Array:
        """The values: (element * scale) * tensor scale, each product rounded to binary32 [OCP MX 1.0 5.1].

        An infinite or NaN element stays what it is; a NaN scale makes NaN of its whole block.
        """
        values = decode(self.codes, self.scheme.element)
        scale = self.multipliers
        with np.errstate(invalid="ignore", over="ignore"):
            out = values * _spread(scale, self, values.shape)
            if self.tensor_scale is not None:
                out = out * self.tensor_scale
        return out.astype(dtype, copy=False)

    @exact_floats
    def pack(self, layout: str | None = None) -> Array:
        """The codes in storage along the last axis, by default dense: see :func:`unpack`, which names the layouts.

        ``layout="gguf"``: llama.cpp's blocks, scales and codes together (see :func:`fp8ref.unpack_gguf`).  Raises
        ValueError for other layouts and for blocks that are not whole.
        """
        if layout != "gguf":
            return pack(self.codes, self.scheme.element, layout or "dense")
        return pack_gguf(self.scales, self.codes, "mxfp4" if self.block == 32 else "nvfp4")

    @exact_floats
    def pack_scales(self, layout: str | None = None) -> Array:
        """The scales of a matrix in a layout of :func:`fp8ref.relayout`; by default the recipe's own."""
        own = "rows" if self.recipe is None or self.recipe.layout == "gguf" else self.recipe.layout
        return relayout(self.scales, "rows", layout or own)


@exact_floats
def scale_blocks(
    x: ArrayLike,
    scheme: str | Recipe,
    *,
    rule: str | None = None,
    axis: int = -1,
    tensor_amax: float | None = None,
    random_bits: ArrayLike | None = None,
) -> ScaledArray:
    """Quantise an array in blocks along an axis, each with a scale from its largest magnitude.

    ``x``: float32 (float16 and bfloat16 are widened exactly; other dtypes are refused, since every recipe is defined in
    binary32).  ``scheme``: mxfp8_e4m3 mxfp8_e5m2 mxfp6_e3m2 mxfp6_e2m3 mxfp4 mxint8 (blocks of 32, rules floor ceil
    even rceil te), nvfp4 (blocks of 16 and a tensor scale, rules te torchao), or tensor_F, row_F, block128_F,
    block128x128_F (binary32 scales, rules te te-pow2 torchao); or a recipe: a name of :func:`fp8ref.recipes`, its text,
    or what :func:`fp8ref.get_recipe` gives.  A last block that is shorter is taken as it is, which is the same as
    padding with zeros.  ``tensor_amax``: the largest magnitude of the tensor, for recipes with two levels and blocks of
    a larger tensor (by default that of ``x``).  ``random_bits``: unsigned words of x's shape, for recipes that round
    stochastically.  What zero, infinite, NaN and subnormal largest magnitudes do is tabulated in
    ``fp8ref.spec.scaling.schemes``.

    >>> s = scale_blocks(np.float32([3.0, -6.5]), "mxfp4")
    >>> s.scales.tolist(), s.codes.tolist(), s.dequantize().tolist()
    ([127], [5, 15], [3.0, -6.0])

    Raises ValueError for unknown schemes and rules and for arrays without the axis, TypeError for other dtypes.
    """
    source = dense(x, "x")
    if source.dtype.name not in SOURCES:
        raise TypeError(f"recipes work in binary32: x must be float32, float16 or bfloat16, not {source.dtype}")
    recipe = _recipe(scheme, rule)
    if recipe is None:
        found = get_scheme(str(scheme))
        how = get_rule(found, rule)
        if tensor_amax is not None or random_bits is not None:
            raise ValueError(f"{found.name}: tensor_amax and random_bits are for recipes")
    else:
        found, how = _scheme(recipe, source.shape, axis), short_text(recipe)
    if not -source.ndim <= axis < source.ndim:
        raise ValueError(f"axis {axis} is out of range for an array of shape {source.shape}")
    if found.across not in (0, 1) and source.ndim < 2:
        raise ValueError(f"{found.name} needs at least two axes, not the shape {source.shape}")
    moved = np.moveaxis(source, axis, -1).astype(np.float32, copy=False)
    block = found.block or max(moved.shape[-1], 1)
    words = None if random_bits is None else np.moveaxis(_words(random_bits, source.shape), axis, -1)

    def quantized(groups: Array, bits: Array | None) -> tuple[Array, Array, np.float32 | None]:
        if recipe is None:
            return blocks.quantize(groups, found, how)
        return by_recipe.quantize_tensor(recipe, groups, SOURCES[source.dtype.name], tensor_amax, bits)

    if found.across == 0:
        scales, codes, tensor = quantized(moved.reshape(1, -1), None if words is None else words.reshape(1, -1))
        codes, scales = codes.reshape(moved.shape), scales.reshape((1,) * moved.ndim)
    else:
        rows = found.across
        groups, shape = _to_groups(moved, rows, block)
        scales, codes, tensor = quantized(groups, None if words is None else _to_groups(words, rows, block)[0])
        codes, scales = _from_groups(codes, shape, rows, block, moved.shape), scales.reshape(shape)
    back = [np.ascontiguousarray(np.moveaxis(y, -1, axis)) for y in (codes, scales)]
    return ScaledArray(back[0], back[1], found, how, block, axis % source.ndim, tensor, recipe)


def _recipe(scheme: str | Recipe, rule: str | None) -> Recipe | None:
    """The recipe that is asked for; None for one of the schemes."""
    if isinstance(scheme, str):
        try:
            get_scheme(scheme)
        except ValueError as error:
            try:
                scheme = get_recipe(scheme)
            except ValueError as other:
                raise ValueError(f"{error}; or a recipe: {other}") from None
        else:
            return None
    if rule is not None:
        raise ValueError(f"rule={rule!r:.40}: a recipe has no rules; change its factors")
    return get_recipe(scheme)


def _scheme(r: Recipe, shape: tuple[int, ...], axis: int) -> Scheme:
    """Which elements of an array share a scale."""
    rows, block = r.shape
    if rows == 0 and block:  # a column: all rows
        rows = max(shape[-2 if axis in (-1, len(shape) - 1) else -1], 1) if len(shape) > 1 else 1
    return Scheme(short_text(r), r.format, block, r.stored_format, (short_text(r),), "", rows)


def _words(random_bits: ArrayLike, shape: tuple[int, ...]) -> Array:
    bits = dense(random_bits, "random_bits")
    if bits.dtype.kind != "u" or bits.shape != shape:
        raise ValueError(f"random_bits are unsigned words of the shape {shape}, not {bits.dtype} of {bits.shape}")
    return bits


def _to_groups(x: Array, rows: int, block: int) -> tuple[Array, tuple[int, ...]]:
    """(groups, rows * block) and the shape of the scales; short blocks are padded with zeros."""
    n = -(-x.shape[-1] // block)
    pad = [(0, 0)] * (x.ndim - 1) + [(0, n * block - x.shape[-1])]
    if rows == 1:
        padded = x if pad[-1][1] == 0 else np.pad(x, pad)
        return padded.reshape(-1, block), (*x.shape[:-1], n)
    m = -(-x.shape[-2] // rows)
    pad[-2] = (0, m * rows - x.shape[-2])
    tiled = np.pad(x, pad).reshape(*x.shape[:-2], m, rows, n, block)
    return np.moveaxis(tiled, -3, -2).reshape(-1, rows * block), (*x.shape[:-2], m, n)


def _from_groups(codes: Array, shape: tuple[int, ...], rows: int, block: int, source: tuple[int, ...]) -> Array:
    if rows == 1:
        return codes.reshape(*shape[:-1], shape[-1] * block)[..., : source[-1]]
    tiled = np.moveaxis(codes.reshape(*shape, rows, block), -2, -3)
    whole = tiled.reshape(*shape[:-2], shape[-2] * rows, shape[-1] * block)
    return whole[..., : source[-2], : source[-1]]


def _spread(scale: Array, s: ScaledArray, shape: tuple[int, ...]) -> Array:
    """Scales broadcast to the elements."""
    if s.scheme.across == 0:
        return scale
    scale = np.repeat(np.moveaxis(scale, s.axis, -1), s.block, axis=-1)
    moved = tuple(np.moveaxis(np.empty(shape, np.bool_), s.axis, -1).shape)
    scale = scale[..., : moved[-1]]
    if s.scheme.across > 1:
        scale = np.repeat(scale, s.scheme.across, axis=-2)[..., : moved[-2], :]
    return np.moveaxis(scale, -1, s.axis)


def pack(codes: ArrayLike, format: FormatLike, layout: str = "dense") -> Array:
    """Codes of k = 4 or 6 bits in storage along the last axis: see :data:`CODE_LAYOUTS`.

    Dense storage is padded with zeros.  Codes of 8 bits are returned as they are.  Raises ValueError for other widths
    and layouts.
    """
    c, f = as_codes(codes, format)
    _check_layout(layout, f)
    if f.k == 8 or layout == "bytes":
        return c
    if layout == "high":
        return swap_nibbles(pack(c, f))
    per, size = _dense(f.k)
    padded = np.pad(c, [(0, 0)] * (c.ndim - 1) + [(0, -c.shape[-1] % per)]).reshape(*c.shape[:-1], -1, per)
    word = sum((padded[..., i].astype(np.uint32) << np.uint32(f.k * i) for i in range(per)), np.uint32(0))
    out = np.stack([(word >> np.uint32(8 * i)).astype(np.uint8) for i in range(size)], axis=-1)
    return out.reshape(*c.shape[:-1], -1)


CODE_LAYOUTS = {
    "dense": "element 0 in the lowest bits of byte 0; 4 bits: two a byte; 6 bits: four in three bytes",
    "bytes": "one code a byte, in its low bits (torchao's FP6)",
    "high": "4 bits: two a byte, the first in the high nibble (ComfyUI)",
}


def _check_layout(layout: str, f: Format) -> None:
    if layout not in CODE_LAYOUTS:
        raise ValueError(f"codes lie {', '.join(CODE_LAYOUTS)} or, with their scales, gguf, not {layout!r:.40}")
    if layout == "high" and f.k != 4:
        raise ValueError(f"layout high is one of codes of 4 bits, not of {f.name} with {f.k}")


@exact_floats
def unpack(packed: ArrayLike, format: FormatLike, count: int | None = None, layout: str = "dense") -> Array:
    """Codes from storage: the inverse of :meth:`ScaledArray.pack`.

    ``packed``: uint8 of shape (..., bytes); ``count``: elements along the last axis (all that fit, by default).
    ``layout``: ``dense``, element 0 in the lowest bits of byte 0 (float4_e2m1fn_x2 of PyTorch is this for 4 bits),
    ``bytes``, one code a byte, or ``high``, the first of two codes of 4 bits in the high nibble.

    Raises ValueError for widths other than 4, 6 and 8 bits and for bytes that make no whole group or too few elements.
    """
    f = get_format(format)
    p = dense(packed, "packed")
    if p.dtype != np.uint8 or p.ndim < 1:
        raise TypeError(f"packed codes are a uint8 array of at least one axis, not {p.dtype} of shape {p.shape}")
    _check_layout(layout, f)
    if layout == "high":
        p = swap_nibbles(p)
    per, size = (1, 1) if f.k == 8 or layout == "bytes" else _dense(f.k)
    if layout == "bytes" and p.size and int(p.max()) > f.code_mask:
        raise ValueError(f"a byte of 0x{int(p.max()):02X} is no code of {f.name}")
    if p.shape[-1] % size:
        raise ValueError(f"{p.shape[-1]} bytes make no whole groups of {size} bytes for {per} codes of {f.name}")
    groups = p.reshape(*p.shape[:-1], -1, size).astype(np.uint32)
    word: Any = sum((groups[..., i] << np.uint32(8 * i) for i in range(size)), np.uint32(0))
    codes = np.stack([(word >> np.uint32(f.k * i)) & np.uint32(f.code_mask) for i in range(per)], axis=-1)
    codes = codes.astype(np.uint8).reshape(*p.shape[:-1], -1)
    if count is not None and not 0 <= count <= codes.shape[-1]:
        raise ValueError(f"count = {count}, but {p.shape[-1]} bytes hold {codes.shape[-1]} codes of {f.name}")
    return codes if count is None else codes[..., :count]


def _dense(k: int) -> tuple[int, int]:
    if k not in (4, 6):
        raise ValueError(f"dense storage is defined for codes of 4, 6 and 8 bits, not {k}")
    return (2, 1) if k == 4 else (4, 3)
