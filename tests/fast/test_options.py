"""Random bits, flushed subnormals and quieted signalling NaNs: arrays give the reference's answers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fp8ref
from fp8ref import spec
from fp8ref.spec.projection import get_projection, operand, project

P3109_MODES = ("sr-a", "sr-b", "sr-c", "sr-ptx")
FORMATS = ("e4m3fn", "e5m2", "e4m3fnuz", "e8m0fnu", "ue5m3", "e2m1fn", "mxint8", "binary8p1uf", "bf16", "e8m7b200")


def some_values(name: str, count: int) -> NDArray[Any]:
    """Values over the format's range and beyond, half of them with few bits, zeros, infinities and NaN."""
    f = spec.get_format(name)
    rng = np.random.default_rng(len(name))
    exponent = rng.uniform(f.emin - f.t - 4, f.emax + 3, count)
    x = 2.0**exponent * rng.choice([1, -1], count)
    x[::2] = np.round(x[::2] / 2.0 ** np.floor(exponent[::2] - 4)) * 2.0 ** np.floor(exponent[::2] - 4)
    return np.concatenate([x, [0.0, -0.0, np.inf, -np.inf, np.nan, 1e300, 5e-324]])


@pytest.mark.parametrize("width", [1, 3, 8, 32, 64])
@pytest.mark.parametrize("mode", P3109_MODES)
def test_the_reference(mode: str, width: int) -> None:
    for name, tininess in zip(FORMATS, ("after", "before", "delivered") * 4):
        x = some_values(name, 60)
        rng = np.random.default_rng(width)
        bits = rng.integers(0, (1 << width) - 1, x.size, np.uint64, endpoint=True)
        bits[:6] = [0, (1 << width) - 1] * 3
        options = {"rounding": mode, "overflow": "nonsat", "tininess": tininess}
        codes, status = fp8ref.encode(x, name, flags=True, random_bits=bits, random_width=width, **options)
        for value, R, code, flags in zip(x.tolist(), bits.tolist(), codes.tolist(), status.tolist()):
            want = spec.encode(value, name, random=spec.RandomBits(R, width), **options)
            assert (code, flags) == want, (value, name, R, width)


@pytest.mark.parametrize("mode", P3109_MODES)
def test_integers_and_codes(mode: str) -> None:
    n = np.array([*range(400, 520), 2**63 - 1, -(2**63), 0, 2**40 + 2**35 + 1])
    bits = np.arange(n.size, dtype=np.uint8)
    got = fp8ref.encode(n, "e5m2", rounding=mode, random_bits=bits)
    want = [spec.encode(v, "e5m2", mode, random=spec.RandomBits(R, 8))[0] for v, R in zip(n.tolist(), bits.tolist())]
    assert got.tolist() == want
    # nearly a power of two: a logarithm through float64 would take it for one
    for whole, R in product((2**63 - 1, 2**64 - 2), (255, 256, 511, 512, 1023, 1024)):
        got = fp8ref.encode(np.uint64(whole), "bf16", rounding=mode, random_bits=np.uint64(R), random_width=64)
        assert got == spec.encode(whole, "bf16", mode, random=spec.RandomBits(R, 64))[0], (whole, R)
    codes = np.arange(256, dtype=np.uint8)
    got = fp8ref.convert(codes, "e4m3fn", "e5m2", rounding=mode, random_bits=codes)
    for code in codes.tolist():
        value = spec.decode(code, "e4m3fn")
        assert got[code] == spec.encode(value, "e5m2", mode, random=spec.RandomBits(code, 8))[0]


@pytest.mark.parametrize("subnormal", ["keep", "daz", "ftz", "both"])
@pytest.mark.parametrize("source", ["f16", "f32", "e5m2"])
def test_flushed_subnormals(source: str, subnormal: str) -> None:
    """Operands and results around both smallest normals, under every convention of tininess."""
    f = spec.get_format(source)
    codes = [c | s for c in (0, 1, 2, (1 << f.t) - 1, 1 << f.t, (1 << f.t) + 1, f.max_code) for s in (0, f.sign_bit)]
    narrow = [spec.encode(v, source)[0] for name in ("e4m3fn", "e5m2") for v in spec.get_format(name).values()[110:150]]
    codes += narrow + [min(c + 1, f.max_code) for c in narrow]
    x = np.array(codes, f"u{f.k // 8}")
    for name, tininess in product(("e4m3fn", "e5m2", "e4m3fnuz", "f16", "e8m0fnu", "mxint8"), spec.Tininess):
        options = {"rounding": "rne", "overflow": "nonsat", "tininess": tininess, "subnormal": subnormal}
        got, status = fp8ref.convert(x, source, name, flags=True, **options)
        result = spec.get_format(name)
        rho = get_projection(result, **options)
        for code, z, flags in zip(codes, got.tolist(), status.tolist()):
            datum, raised = project(operand(code, f, rho), result, rho)
            assert (z, flags) == (spec.pack(datum, result), raised), (hex(code), name, tininess)


def test_what_flushing_means() -> None:
    """Operand and result flushing, by hand: e5m2's smallest normal is 2**-14, e4m3fn's 2**-6."""
    tiny = np.float16([2.0**-15, -(2.0**-15)])  # subnormal in float16
    assert fp8ref.encode(tiny, "e5m2", subnormal="daz").tolist() == [0x00, 0x80]
    assert fp8ref.encode(tiny, "e5m2", subnormal="keep").tolist() == [0x02, 0x82]
    small = np.float32([2.0**-7, -(2.0**-7), 2.0**-6])
    codes, status = fp8ref.encode(small, "e4m3fn", subnormal="ftz", flags=True)
    assert codes.tolist() == [0x00, 0x80, 0x08]
    assert status.tolist() == [3, 3, 0]
    assert fp8ref.encode(small, "e4m3fn", subnormal="daz").tolist() == [0x04, 0x84, 0x08]


def test_signalling_nan_taken_for_quiet() -> None:
    x = np.array([0x7C01, 0x7E00], np.uint16).view(np.float16)
    assert fp8ref.encode(x, "e5m2", flags=True)[1].tolist() == [16, 0]
    assert fp8ref.encode(x, "e5m2", flags=True, snan="quiet")[1].tolist() == [0, 0]
