"""Post-training quantisation of a linear layer: formats, scales from calibration, and who computes the scaled dots.

A weight matrix has a scale for every output channel, an activation one scale for the whole tensor, found beforehand on
calibration text: s = amax / max of the format, in float32; q = x / s rounded to nearest even and saturated; and

    y = s_x * s_w * sum(q_x * q_w) + bias,

exact and rounded once to float32 (``exact``), or as a model of a matrix unit has it.  INT8 takes 127 as its largest
code; asymmetric activations add a zero point.  MX formats bring their own scales, a power of two for every 32 elements
along K, and need no calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import decode, encode
from ...arrays.products import matmul
from ...arrays.scaling import scale_blocks
from ...fast.matrix.exact_dot import Epilogue
from ...spec.catalog import get_format
from ...spec.projection import encode as spec_encode
from ...spec.projection import get_projection
from ..primitives import absmax, affine_scale_exact, integer_matmul, symmetric, symmetric_exact

F32s = NDArray[np.float32]
INT8, UINT8 = "int8", "uint8"
INTEGERS = (INT8, UINT8)


@dataclass(frozen=True)
class Recipe:
    """Formats of weights and activations, and the accumulator of ``fp8ref.matmul`` that multiplies them."""

    name: str
    weights: str
    activations: str
    accumulator: str = "exact"


HOPPER, BLACKWELL = "hopper.wgmma.fp8.f32", "blackwell.mxf8f6f4"
RECIPES = (
    Recipe("E4M3", "e4m3fn", "e4m3fn"),
    Recipe("E4M3, Hopper", "e4m3fn", "e4m3fn", HOPPER),
    Recipe("E4M3, Hopper promoted", "e4m3fn", "e4m3fn", f"{HOPPER}+promote128.fadd"),
    Recipe("E5M2", "e5m2", "e5m2"),
    Recipe("E5M2, Hopper", "e5m2", "e5m2", HOPPER),
    Recipe("mixed", "e4m3fn", "e5m2"),
    Recipe("mixed, Hopper", "e4m3fn", "e5m2", HOPPER),
    Recipe("INT8 symmetric", INT8, INT8),
    Recipe("INT8 asymmetric", INT8, UINT8),
    Recipe("MXFP8 E4M3", "mxfp8_e4m3", "mxfp8_e4m3"),
    Recipe("MXFP8 E4M3, Blackwell", "mxfp8_e4m3", "mxfp8_e4m3", BLACKWELL),
    Recipe("MXFP8 E4M3, rceil", "mxfp8_e4m3/rceil", "mxfp8_e4m3/rceil"),
    Recipe("MXFP8 E5M2", "mxfp8_e5m2", "mxfp8_e5m2"),
)


@dataclass(frozen=True)
class Range:
    """The least and the largest activation seen in calibration; 0 is always inside."""

    low: float = 0.0
    high: float = 0.0

    def widened(self, x: F32s) -> Range:
        return Range(min(self.low, float(x.min(initial=0))), max(self.high, float(x.max(initial=0))))

    @property
    def amax(self) -> float:
        return max(-self.low, self.high)


@dataclass(frozen=True)
class Quantised:
    """Codes (rows, K) of a format, or integers, with decode multipliers (1, 1), (rows, 1) or (rows, K / block).

    ``zero``: the zero point, the integer that stands for 0.
    """

    codes: NDArray[Any]
    format: str
    scale: F32s
    block: int | None = None
    zero: int = 0

    @property
    def values(self) -> NDArray[np.float64]:
        """What the codes stand for."""
        if self.format in INTEGERS:
            plain = self.codes.astype(np.float64) - self.zero
        else:
            plain = decode(self.codes, self.format, dtype=np.float64)
        scale = self.scale if self.block is None else np.repeat(self.scale, self.block, axis=1)
        wide: NDArray[np.float64] = plain * scale
        return wide


def step(amax: NDArray[Any] | float, format: str) -> F32s:
    """amax / max of the format in float32: of (rows, 1) largest magnitudes or of one number; (rows, 1) or (1, 1).

    1 where amax is 0, and never below 2**-126, so that a step has 24 significant bits and is not 0.
    """
    top = 127.0 if format == INT8 else float(get_format(format).max)
    wide = np.asarray(amax, np.float64)
    found = (wide / top).astype(np.float32)
    return np.where(wide == 0, np.float32(1), np.maximum(found, np.float32(2**-126))).reshape(-1, 1)


def code_exact(x: Fraction, step: Fraction, format: str) -> int:
    """Calibrated quantisation, exactly: round(x / step), saturated; a code of the format, an integer for INT8."""
    if format == INT8:
        return symmetric_exact(x, step)
    return spec_encode(Fraction(x) / step, get_format(format))[0]


def quantise(x: F32s, format: str, step: F32s) -> Quantised:
    """:func:`code_exact` on a float32 matrix (rows, K) with steps (rows, 1) or (1, 1).

    A quotient in float64 is enough: x and the step have 24 significant bits and a tie h of the format at most p + 1,
    so that x / step is h or at least 2**-(25 + p) away from it in proportion, while the division errs by 2**-53.
    """
    if format == INT8:
        return Quantised(symmetric(x, step), INT8, step)
    return Quantised(encode(np.divide(x, step, dtype=np.float64), format), format, step)


def quantise_weights(w: F32s, format: str) -> Quantised:
    """A weight matrix (N, K), a scale for every output channel; MX: for every 32 elements along K."""
    if format.startswith("mx"):
        return _blocks(w, format)
    return quantise(w, format, step(absmax(w, axis=1), format))


def quantise_activations(x: F32s, format: str, seen: Range) -> Quantised:
    """An activation (tokens, K) with the scale that calibration found; ``uint8``: affine; MX: scales of its own."""
    if format.startswith("mx"):
        return _blocks(x, format)
    if format == UINT8:
        exact, zero = affine_scale_exact([Fraction(seen.low), Fraction(seen.high)])
        scale = np.float32(float(exact)).reshape(1, 1)
        codes = np.clip(np.rint(np.divide(x, scale, dtype=np.float64)) + zero, 0, 255).astype(np.uint8)
        return Quantised(codes, UINT8, scale, zero=zero)
    return quantise(x, format, step(seen.amax, format))


def _blocks(x: F32s, format: str) -> Quantised:
    """``scheme`` or ``scheme/rule``."""
    scheme, _, rule = format.partition("/")
    found = scale_blocks(np.ascontiguousarray(x), scheme, rule=rule or None)
    return Quantised(found.codes, found.scheme.element.name, found.multipliers, found.block)


@dataclass(frozen=True)
class QuantisedLinear:
    """A linear layer after quantisation: float32 activations in, float32 out."""

    recipe: Recipe
    weights: Quantised
    bias: F32s
    seen: Range

    @classmethod
    def make(cls, recipe: Recipe, weight: F32s, bias: F32s, seen: Range) -> QuantisedLinear:
        return cls(recipe, quantise_weights(weight, recipe.weights), bias, seen)

    def __call__(self, x: F32s) -> F32s:
        """(tokens, K) to (tokens, N)."""
        a, b = quantise_activations(x, self.recipe.activations, self.seen), self.weights
        if a.format in INTEGERS:
            return integer_linear(a, b, self.bias)
        y: F32s = matmul(
            a.codes,
            b.codes.T,
            a.format,
            b.format,
            c=self.bias,
            accumulator=self.recipe.accumulator,
            scale_a=a.scale,
            scale_b=b.scale.T,
            block=a.block,
            overflow="nonsat",
        )
        return y


def integer_linear(a: Quantised, b: Quantised, bias: F32s) -> F32s:
    """The same with integers: an int32 sum less the zero point's share, then scales and bias in one rounding.

    Raises OverflowError where the sum is beyond int32.
    """
    sums = integer_matmul(a.codes, b.codes.T).astype(np.int64)
    sums -= a.zero * b.codes.sum(axis=1, dtype=np.int64)
    shape, f32 = sums.shape, get_format("f32")
    factors = tuple(np.broadcast_to(s.astype(np.float64), shape) for s in (a.scale, b.scale.T))
    epilogue = Epilogue(f32, get_projection(f32, "rne", "nonsat"), factors, np.broadcast_to(bias, shape))
    y: F32s = epilogue.finish([sums.astype(np.float64)], None, (slice(None), slice(None))).view(np.float32)
    return y
