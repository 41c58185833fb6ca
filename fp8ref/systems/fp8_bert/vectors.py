"""Golden vectors of quantised linear layers: codes by the reference, exact scaled sums, one rounding to float32."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ...spec.catalog import get_format
from ...spec.codec import unpack
from ...spec.projection import encode
from ..golden import Sets, gaussian
from .recipes import INT8, F32s, code_exact, step

PAIRS = (("e4m3fn", "e4m3fn"), ("e5m2", "e5m2"), ("e4m3fn", "e5m2"), (INT8, INT8))
SEEN = 3.0  # largest activation of the calibration: some of the inputs saturate


def golden() -> Sets:
    """Layers of 3 tokens, 16 inputs and 4 outputs, by formats of weights and activations."""
    x, w, bias = gaussian(61, (3, 16), 1.5), gaussian(62, (4, 16), 0.125), gaussian(63, (4,))
    sets = {}
    for weights, activations in PAIRS:
        steps = step(SEEN, activations), step(np.abs(w).max(axis=1, keepdims=True), weights)
        codes_x, codes_w = _codes(x, steps[0], activations), _codes(w, steps[1], weights)
        scale_x, scales_w = Fraction(float(steps[0][0, 0])), [Fraction(v) for v in steps[1][:, 0].tolist()]
        outputs = [
            [
                sum((_value(a, activations) * _value(b, weights) for a, b in zip(row, column)), Fraction(0))
                * scale_x
                * scale
                + Fraction(offset)
                for column, scale, offset in zip(codes_w, scales_w, bias.tolist())
            ]
            for row in codes_x
        ]
        dtypes = [np.int8 if f == INT8 else np.uint8 for f in (activations, weights)]
        sets[f"weights {weights}, activations {activations}"] = {
            "x": x,
            "w": w,
            "bias": bias,
            "amax of x": np.array([SEEN], np.float32),
            "step of x": steps[0],
            "steps of w": steps[1],
            "codes of x": np.array(codes_x, dtypes[0]),
            "codes of w": np.array(codes_w, dtypes[1]),
            "y": np.array([[encode(v, "f32")[0] for v in row] for row in outputs], np.uint32).view(np.float32),
        }
    return sets


def _codes(x: F32s, steps: F32s, format: str) -> list[list[int]]:
    rows = np.broadcast_to(steps, (len(x), 1))[:, 0].tolist()
    return [[code_exact(Fraction(v), Fraction(s), format) for v in row] for row, s in zip(x.tolist(), rows)]


def _value(code: int, format: str) -> Fraction:
    return Fraction(code) if format == INT8 else unpack(code, get_format(format)).value
