"""GELU in an epilogue and its bound, against mpmath; amax of the outputs, by hand."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

import fp8ref
from fp8ref.fast.matrix.gelu import gelu as fast_gelu
from fp8ref.spec import get_format
from fp8ref.spec.codec import pack, unpack
from fp8ref.spec.matrix.gelu import gelu

F32 = get_format("f32")
ADA = "ada.mma.fp8.f32"


def both(x: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """x Phi(x) and the tanh formula, to 60 digits."""
    with mpmath.workdps(60):
        t = mpmath.mpf(x)
        u = mpmath.sqrt(2 / mpmath.pi) * (t + mpmath.mpf(44715) / 10**6 * t**3)
        return t * mpmath.ncdf(t), t / (1 + mpmath.exp(-2 * u))


def numbers() -> np.ndarray:
    rng = np.random.default_rng(17)
    edges = [7, 6.9999995, -15, -14.999999, -36, -2.7, 2.7, 1e-30, -1e-30, 3e38, -3e38, 2.0**-149, -(2.0**-149)]
    return np.concatenate([rng.standard_normal(60) * 4, edges]).astype(np.float32)


def test_the_bound_holds_both_formulas_and_no_more() -> None:
    x = numbers()
    low, high = (fast_gelu(step, x, F32) for step in ("gelu_low", "gelu_high"))
    middle = fast_gelu("gelu", x, F32)
    for v, below, y, above in zip(x.tolist(), low, middle, high):
        with mpmath.workdps(60):
            reach = abs(mpmath.mpf(v)) * (mpmath.mpf(2) ** -12 + mpmath.mpf(2) ** -20)
            least, most = min(both(v)) - reach, max(both(v)) + reach
            slack = abs(mpmath.mpf(v)) * mpmath.mpf(2) ** -22 + mpmath.mpf(2) ** -148  # each is rounded outward, twice
            assert least - slack < mpmath.mpf(float(below)) <= least, v
            assert most <= mpmath.mpf(float(above)) < most + slack, v
            near = [np.nextafter(y, np.float32(s * np.inf)) for s in (-1, 1)]
            off = [abs(mpmath.mpf(float(z)) - both(v)[0]) for z in (y, *near)]
            assert off[0] == min(off), v


@pytest.mark.parametrize("name", ["f32", "f16", "bf16"])
def test_arrays_are_the_specification(name: str) -> None:
    f = get_format(name)
    x = np.concatenate([numbers()[::4], np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 8, -13.5], np.float32)])
    x = fp8ref.decode(fp8ref.convert(x.view(np.uint32), "f32", f, overflow="nonsat"), f, dtype=np.float32)
    for step in ("gelu", "gelu_low", "gelu_high"):
        got = fp8ref.convert(fast_gelu(step, x, f).view(np.uint32), "f32", f, overflow="nonsat")
        for v, code in zip(x, got.reshape(-1)):
            want = gelu(step, unpack(int(v.view(np.uint32)), F32), f)
            assert unpack(int(code), f) == want if not want.is_nan else f.is_nan_code(int(code)), (v, step)
            assert want.is_nan or pack(want, f) == int(code)


def test_the_epilogue_applies_it() -> None:
    c = np.array([-0.5, 1.0, -np.inf, 40.0], np.float32)
    a = np.full((4, 1), 0x38, np.uint8)
    more = {"c": c, "scale_a": 2.0, "scale_b": 0.5, "result": "bf16"}
    got = fp8ref.dot(a, a, "e4m3fn", accumulator=f"{ADA}+out.scale.bias.gelu.rtz", **more).astype(float)
    assert got.tolist() == [177 / 512, 1.953125, 0, 41]  # 177.02 / 512, 1.95450: Phi(0.5) = 0.69146, Phi(2) = 0.97725
    assert np.signbit(got[2])


def test_amax_comes_before_scale_result() -> None:
    a, b = np.array([[0x38, 0x38], [0xC8, 0x00]], np.uint8), np.array([[0x38, 0x30], [0x40, 0x38]], np.uint8)
    # rows 1 1 and -4 0, columns 1 2 and 0.5 1: 3 1.5 and -4 -2
    more = {"scale_a": 0.5, "scale_b": 4.0, "scale_result": 0.25, "result": "e4m3fn"}
    given = {"format_a": "e4m3fn", **more}
    assert fp8ref.output_amax(a, b, accumulator=ADA, **given) == 8.0
    assert fp8ref.output_amax(a, b, accumulator=f"{ADA}+out.scale.relu.scale_result.sat", **given) == 6.0
    assert fp8ref.output_amax(a, b, accumulator=f"{ADA}+out.scale.scale_result.amax.sat", **given) == 2.0
    assert fp8ref.matmul(a, b, accumulator=f"{ADA}+out.scale.amax.scale_result.sat", **given).tolist() == [
        [0x3C, 0x34],
        [0xC0, 0xB8],
    ]
    nan = np.array([[0x7F, 0x38], [0x38, 0x00]], np.uint8)
    assert fp8ref.output_amax(nan, b, "e4m3fn", accumulator=ADA) == float(Fraction(1))
    with pytest.raises(ValueError, match="no epilogue and so no amax"):
        fp8ref.output_amax(a, b, "e4m3fn", accumulator="exact")
