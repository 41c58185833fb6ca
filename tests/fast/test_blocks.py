"""Block scaling on arrays equals the reference bit for bit; layouts, short blocks, packing, dots of scaled arrays."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import fp8ref
from fp8ref.arrays.scaling import pack
from fp8ref.fast.blocks import e8m0_codes
from fp8ref.spec import Datum, get_format
from fp8ref.spec.scaling.schemes import (
    E8M0_NAN,
    e8m0_scale,
    fp8_block,
    get_scheme,
    largest,
    mx_block,
    nvfp4_block,
    nvfp4_tensor_scale,
)

MX = ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8")


def data(rng: np.random.Generator, n: int, block: int) -> np.ndarray:
    """Blocks of every magnitude; zeros, subnormals, infinities and NaNs; amax at the edges of the rules."""
    x = (rng.standard_normal((n, block)) * 2.0 ** rng.integers(-20, 20, (n, 1))).astype(np.float32)
    x[: n // 4] = rng.integers(0, 1 << 32, (n // 4, block), dtype=np.uint64).astype(np.uint32).view(np.float32)
    x[0], x[1, :] = 0, np.float32(1e-40)
    x[2, 0], x[3, 0], x[4, 1], x[5, 0] = np.inf, np.nan, -np.inf, np.float32(3.4e38)
    for i, top in enumerate((448, 449, 464, 496, 511, 6, 6.5, 7, 1.9375, 1.96875, 28, 30, 7.5, 1.99)):
        x[6 + i] = np.clip(x[6 + i], -1, 1) * np.float32(0.3)
        x[6 + i, 3] = -top
    x[20] = 2.0**-127
    x[21] = np.uint32(0x007FFFFF).view(np.float32)
    return x


def datums(row: np.ndarray) -> list[Datum]:
    return [Datum.of(float(v)) for v in row]


def same(x: float, y: Datum) -> bool:
    if y.is_nan:
        return math.isnan(x)
    return math.isinf(x) == y.is_infinite and (math.isinf(x) or Fraction(x) == y.value)


@pytest.mark.parametrize("scheme", MX)
@pytest.mark.parametrize("rule", ["floor", "ceil", "even", "rceil", "te"])
def test_mx_equals_the_reference(scheme: str, rule: str) -> None:
    with np.errstate(all="ignore"):
        x = data(np.random.default_rng(1), 60, 32)
    got = fp8ref.scale_blocks(x, scheme, rule=rule)
    for i, row in enumerate(x):
        scale, codes = mx_block(datums(row), get_scheme(scheme), rule)
        assert (int(got.scales[i, 0]), got.codes[i].tolist()) == (scale, codes), (i, row)
    values = got.dequantize()
    nan = got.scales[:, 0] == E8M0_NAN
    assert np.isnan(values[nan]).all()
    assert not np.isnan(values[~nan]).any()  # infinite where a rounded-up element times its scale passes binary32


@pytest.mark.parametrize("scheme", MX)
@pytest.mark.parametrize("rule", ["floor", "ceil", "even", "rceil", "te"])
def test_e8m0_at_every_edge(scheme: str, rule: str) -> None:
    """Every exponent with the significands at which a rule changes its mind, and the bits around a subnormal ratio."""
    f = get_scheme(scheme).element
    trailing = [
        0,
        1,
        0x3FFFFF,
        0x400000,
        0x5FFFFF,
        0x600000,
        0x700000,
        0x780000,
        0x7C0000,
        0x7E0000,
        0x7F0000,
        0x7FFFFF,
    ]
    amax = [e << 23 | m for e in (*range(24), 126, 127, 140, *range(248, 255)) for m in trailing]
    amax += [0x7F800000, 0x7F800001, 0x7FC00000]
    near = np.float32(2.0**-127) * np.float32(float(f.max))
    amax += list(range(int(near.view(np.uint32)) - 40, int(near.view(np.uint32)) + 40))
    got = e8m0_codes(np.array(amax, np.uint32), f, rule)
    for bits, code in zip(np.array(amax, np.uint32), got):
        assert int(code) == e8m0_scale(Datum.of(float(bits.view(np.float32))), f, rule), hex(int(bits))


def test_nvfp4_orders_of_operations_differ() -> None:
    """Block scales whose E4M3 code hangs on the order of operations in binary32."""
    rng = np.random.default_rng(12)
    e4m3 = [float(get_format("e4m3fn").magnitude(c)) for c in range(0x30, 0x7E)]
    ties = np.array([(x + y) / 2 for x, y in pairwise(e4m3)], np.float32)
    tensor = rng.uniform(1, 2, 4000).astype(np.float32)
    amax = (rng.choice(ties, 4000) * tensor / np.float32(448)).astype(np.float32)
    one, six = np.float32(1), np.float32(6)
    s = np.float32(2688) / tensor
    te, other = amax * (s * (one / six)), (amax / six) * s
    differ = np.flatnonzero(fp8ref.encode(te, "e4m3fn") != fp8ref.encode(other, "e4m3fn"))[:40]
    assert differ.size == 40
    for i in differ:
        x = np.zeros((2, 16), np.float32)
        x[0, 0], x[1, 0] = tensor[i], amax[i]
        got = fp8ref.scale_blocks(x, "nvfp4")
        assert int(got.scales[1, 0]) == int(fp8ref.encode(te[i], "e4m3fn"))
        assert nvfp4_block(datums(x[1]), Datum.of(float(tensor[i])), "te")[0] == int(got.scales[1, 0])


@pytest.mark.parametrize("rule", ["te", "torchao"])
def test_nvfp4_equals_the_reference(rule: str) -> None:
    with np.errstate(all="ignore"):
        x = data(np.random.default_rng(2), 60, 16)
    keep = np.isfinite(x).all(axis=1) & (np.abs(x).max(axis=1) < 1e6)
    for part in (x[keep], x, x[:1], x[6:7], x[1:2], x[2:3]):
        amax = largest(datums(part.reshape(-1)))
        got = fp8ref.scale_blocks(part, "nvfp4", rule=rule)
        assert got.tensor_scale is not None
        assert same(float(got.tensor_scale), nvfp4_tensor_scale(amax, rule))
        for i, row in enumerate(part):
            scale, codes = nvfp4_block(datums(row), amax, rule)
            assert (int(got.scales[i, 0]), got.codes[i].tolist()) == (scale, codes), (i, row)


@pytest.mark.parametrize("rule", ["te", "te-pow2", "torchao"])
@pytest.mark.parametrize("element", ["e4m3fn", "e5m2"])
def test_fp8_equals_the_reference(rule: str, element: str) -> None:
    with np.errstate(all="ignore"):
        x = data(np.random.default_rng(3), 40, 24)
    got = fp8ref.scale_blocks(x, f"row_{element}", rule=rule)
    for i, row in enumerate(x):
        scale, codes = fp8_block(datums(row), get_format(element), rule)
        assert same(float(got.scales[i, 0]), scale)
        assert got.codes[i].tolist() == codes


def test_blocks_along_an_axis_short_blocks_and_squares() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((3, 70, 50)).astype(np.float32)
    s = fp8ref.scale_blocks(x, "mxfp8_e4m3", axis=1)
    assert s.scales.shape == (3, 3, 50)
    one = fp8ref.scale_blocks(np.ascontiguousarray(x[1, 64:, 7]), "mxfp8_e4m3")
    assert s.codes[1, 64:, 7].tolist() == one.codes.tolist()
    assert s.scales[1, 2, 7] == one.scales[0]
    assert np.abs(s.dequantize() - x).max() < 0.5
    square = fp8ref.scale_blocks(x[0], "block32x32_e4m3fn")
    assert square.scales.shape == (3, 2)
    corner = fp8ref.scale_blocks(x[0, 64:, 32:], "tensor_e4m3fn")
    assert np.array_equal(square.codes[64:, 32:], corner.codes)
    assert square.scales[2, 1] == corner.scales[0, 0]
    assert np.array_equal(square.dequantize()[64:, 32:], corner.dequantize())


@pytest.mark.parametrize("name", ["e2m1fn", "e3m2fn", "e2m3fn", "e4m3fn"])
def test_packing_is_two_way(name: str) -> None:
    f = get_format(name)
    codes = np.random.default_rng(5).integers(0, 1 << f.k, (5, 13)).astype(np.uint8)
    packed = pack(codes, f)
    assert packed.shape[-1] * 8 >= 13 * f.k
    assert np.array_equal(fp8ref.unpack(packed, f, 13), codes)
    whole = int.from_bytes(packed[0].tobytes(), "little")
    assert [whole >> (f.k * i) & f.code_mask for i in range(13)] == codes[0].tolist()


def test_the_first_element_lies_in_the_low_bits() -> None:
    """As in PyTorch's float4_e2m1fn_x2."""
    assert pack([1, 2], "e2m1fn").tolist() == [0x21]


def test_scaled_arrays_multiply() -> None:
    """Exactly the product of the dequantised values, and the block-scaled unit on small integers."""
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((4, 64)).astype(np.float32), rng.standard_normal((64, 3)).astype(np.float32)
    for scheme in ("mxfp8_e4m3", "mxfp6_e2m3", "mxfp4"):
        a, b = fp8ref.scale_blocks(x, scheme), fp8ref.scale_blocks(y, scheme, axis=0)
        f = a.scheme.element
        scales = {"scale_a": a.multipliers, "scale_b": b.multipliers, "block": a.block}
        got = fp8ref.matmul(a.codes, b.codes, f, result="f64", **scales)
        assert np.array_equal(got, a.dequantize(np.float64) @ b.dequantize(np.float64))
        unit = fp8ref.matmul(a.codes, b.codes, f, accumulator="blackwell.mxf8f6f4", **scales)
        assert np.abs(unit - got).max() < 1e-5
    n, m = fp8ref.scale_blocks(x, "nvfp4"), fp8ref.scale_blocks(y, "nvfp4", axis=0)
    assert n.tensor_scale is not None
    assert m.tensor_scale is not None
    tensor = float(n.tensor_scale) * float(m.tensor_scale)
    scales = {"scale_a": n.multipliers, "scale_b": m.multipliers, "block": 16, "tensor_scale": tensor}
    got = fp8ref.matmul(n.codes, m.codes, "e2m1fn", accumulator="blackwell.mxf4nvf4", **scales)
    assert np.abs(got - x @ y).max() < 3


BAD = [
    (lambda: fp8ref.scale_blocks(np.zeros(3), "mxfp4"), TypeError, "binary32"),
    (lambda: fp8ref.scale_blocks(np.zeros(3, np.float32), "mxfp5"), ValueError, "mxfp4"),
    (lambda: fp8ref.scale_blocks(np.zeros(3, np.float32), "mxfp4", rule="up"), ValueError, "floor"),
    (lambda: fp8ref.scale_blocks(np.zeros(3, np.float32), "mxfp4", axis=1), ValueError, "axis 1"),
    (lambda: fp8ref.scale_blocks(np.zeros(3, np.float32), "block8x8_e5m2"), ValueError, "two axes"),
    (lambda: fp8ref.unpack(np.zeros(4, np.uint8), "e3m2fn"), ValueError, "3 bytes"),
    (lambda: fp8ref.unpack(np.zeros(4, np.uint8), "e2m1fn", 9), ValueError, "hold 8"),
    (lambda: fp8ref.unpack(np.zeros(4, np.int8), "e2m1fn"), TypeError, "uint8"),
    (lambda: pack([1], "f16"), ValueError, "4, 6 and 8"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case: int) -> None:
    call, error, text = BAD[case]
    with pytest.raises(error, match=text):
        call()


def test_empty() -> None:
    s = fp8ref.scale_blocks(np.zeros((0, 32), np.float32), "mxfp8_e4m3")
    assert s.codes.shape == (0, 32)
    assert s.dequantize().shape == (0, 32)
    assert fp8ref.scale_blocks(np.zeros((2, 0), np.float32), "mxfp8_e4m3").scales.shape == (2, 0)
