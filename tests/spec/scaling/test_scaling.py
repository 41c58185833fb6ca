"""The specification of scales: published values, the recipes' own bit tricks rewritten here, and their edges."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction

import pytest

from fp8ref.spec import Datum, get_format
from fp8ref.spec.scaling.exact import quantize_group
from fp8ref.spec.scaling.named import get_recipe
from fp8ref.spec.scaling.schemes import (
    delayed_scale,
    e8m0_scale,
    fp8_block,
    fp8_multiplier,
    get_rule,
    get_scheme,
    mx_block,
    nvfp4_block,
    nvfp4_tensor_scale,
)

E4M3, E2M1 = get_format("e4m3fn"), get_format("e2m1fn")


def f32(x: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", x))[0])


def bits(x: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", x))[0])


def of_bits(b: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", b))[0])


@pytest.mark.parametrize(
    ("amax", "element", "floor", "ceil", "even", "rceil"),
    [
        (448.0, E4M3, 127, 128, 127, 127),
        (448.0, E2M1, 133, 134, 134, 134),
        (150.0, E4M3, 126, 127, 126, 126),
        (449.0, E4M3, 127, 128, 127, 128),
        (496.0, E4M3, 127, 128, 128, 128),
        (6.5, E2M1, 127, 128, 127, 128),
        (7.0, E2M1, 127, 128, 128, 128),
        (0.0, E4M3, 0, 0, 0, 0),
    ],
)
def test_published_scales(amax: float, element: object, floor: int, ceil: int, even: int, rceil: int) -> None:
    want = {"floor": floor, "ceil": ceil, "even": even, "rceil": rceil, "te": rceil}
    for rule, byte in want.items():
        assert e8m0_scale(Datum.of(amax), element, rule) == byte  # type: ignore[arg-type]


def torchao(amax: int, mbits: int, emax: int, largest: float, rule: str) -> int:
    """torchao's way, on the bits of a float32."""
    if rule in ("rceil", "te"):
        x = of_bits(amax)
        if math.isnan(x):
            return 255
        if math.isinf(x):
            return 254 if rule == "te" else 255
        ratio = bits(f32(x * f32(1 / largest)))
        e, m = ratio >> 23, ratio & 0x7FFFFF
        return e + 1 if (m if e else m > 0x400000) and e < 254 else e
    if rule == "even" and amax < 0x7F800000:
        amax = (amax + (1 << (23 - mbits - 1))) & 0xFF800000
    if amax >= 0x7F800000:
        return 255
    e = (amax >> 23) - 127
    if rule == "ceil" and amax & 0x7FFFFF:
        e += 1
    return min(max(e - emax, -127), 128) + 127


EDGES = [0, 1, 0x3FFFFF, 0x400000, 0x400001, 0x7FFFFF, 0x800000, 0x800001, 0x7F7FFFFF, 0x7F800000, 0x7FC00000]
EDGES += [
    e << 23 | m for e in (1, 2, 5, 9, 17, 100, 127, 135, 200, 253, 254) for m in (0, 1, 0x5FFFFF, 0x600000, 0x780000)
]
EDGES += [
    e << 23 | m for e in (120, 254) for m in (0x700000, 0x77FFFF, 0x7BFFFF, 0x7C0000, 0x7FFFFF, 0x400000, 0x3FFFFF)
]


@pytest.mark.parametrize("name", ["mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4"])
@pytest.mark.parametrize("rule", ["floor", "ceil", "even", "rceil", "te"])
def test_e8m0_equals_the_bit_recipe(name: str, rule: str) -> None:
    f = get_scheme(name).element
    for b in EDGES:
        want = torchao(b, f.t, f.emax, float(f.max), rule)
        assert e8m0_scale(Datum.of(of_bits(b)), f, rule) == want, hex(b)


MX_RECIPES = {
    "floor": "scale=emax power=floor",
    "ceil": "scale=emax power=up",
    "even": "scale=emax power=even",
    "rceil": "scale=mul power=rp limits=0-254",
    "te": "scale=mul power=rp limits=0-254",
}


@pytest.mark.parametrize("rule", MX_RECIPES)
@pytest.mark.parametrize("name", ["mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4"])
def test_mx_rules_and_recipes_are_one_function(name: str, rule: str) -> None:
    """But for blocks with an infinity, or that even rounds to one: MX says NaN, a recipe takes the bits."""
    scheme = get_scheme(name)
    r = get_recipe(f"{scheme.element.name} 1x32 amax=keep {MX_RECIPES[rule]} stored=e8m0fnu elements=mul")
    rng = random.Random(f"{name} {rule}")
    for b in EDGES + [rng.randrange(0x7F800000) for _ in range(12)]:
        x = [Datum.of(v) for v in (0.0, of_bits(b), -of_bits(b >> 1), of_bits(max(b, 1 << 23) - (1 << 23)))]
        found, want = quantize_group(r, x), mx_block(x, scheme, rule)
        raised = b + (1 << (22 - scheme.element.t)) if rule == "even" else b
        if b <= 0x7F800000 <= raised and rule != "te":
            assert want[0] == 255 != found[0]
        elif b > 0x7F800000:
            assert found[0] == want[0] == 255
        else:
            assert found == want, hex(b)


def test_mx_elements() -> None:
    """OCP 6.3 with amax in (448, 512): the known loss; a NaN scale; the element that keeps its ties."""
    scheme = get_scheme("mxfp8_e4m3")
    code, codes = mx_block([Datum.of(x) for x in (500.0, 1.0, -17.0, 2.0**-10, 2.0**-10 * 1.5)], scheme, "floor")
    assert (code, codes) == (127, [0x7E, 0x38, 0xD8, 0x00, 0x01])
    code, codes = mx_block([Datum.of(math.nan), Datum.of(1.0)], scheme, "floor")
    assert (code, codes) == (255, [0x7F, 0x7F])
    code, codes = mx_block([Datum.of(math.inf), Datum.of(1.0)], scheme, "te")
    assert (code, codes) == (254, [0x7E, 0x00])
    int8 = get_scheme("mxint8")
    code, codes = mx_block([Datum.of(-1.999), Datum.of(1.999), Datum.of(-1.0), Datum.of(1 / 64)], int8, "floor")
    assert (code, codes) == (127, [0x81, 0x7F, 0xC0, 0x01])


def test_nvfp4_by_hand() -> None:
    """Both orders of operations, every one rounded to float32, written out."""
    x = [0.1 * i - 0.83 for i in range(16)]
    x = [f32(v) for v in x]
    amax, tensor = max(map(abs, x)), f32(3.7)
    s_enc = f32(2688 / tensor)
    wish = f32(amax * f32(s_enc * f32(1 / 6)))
    scale, codes = nvfp4_block([Datum.of(v) for v in x], Datum.of(tensor), "te")
    s = float(E4M3.magnitude(scale))
    assert abs(s - wish) <= wish / 16
    enc = f32(1 / f32(s * f32(1 / s_enc)))
    values = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    for v, c in zip(x, codes):
        y = abs(f32(v * enc))
        assert abs(values[c & 7] - y) == min(abs(u - y) for u in values)
        assert bool(c & 8) == (v < 0)
    pts = f32(tensor / 2688)
    scale, _ = nvfp4_block([Datum.of(v) for v in x], Datum.of(tensor), "torchao")
    wish = f32(f32(amax / 6) / pts)
    assert abs(float(E4M3.magnitude(scale)) - wish) <= wish / 16
    assert nvfp4_block([Datum.of(0.0)], Datum.of(1.0), "te")[0] == 0
    assert nvfp4_block([Datum.of(0.0)], Datum.of(1.0), "torchao")[0] == 0x08  # 2**-6
    assert nvfp4_tensor_scale(Datum.of(0.0), "te") == Datum.finite(1)


def test_fp8_multipliers() -> None:
    inf, nan = Datum.infinity(), Datum.nan()
    for rule in ("te", "te-pow2"):
        for amax in (Datum.finite(0), inf, nan):
            assert fp8_multiplier(amax, E4M3, rule) == Datum.finite(1)
    assert float(fp8_multiplier(Datum.of(f32(0.3)), E4M3, "te").value) == f32(448 / f32(0.3))
    assert fp8_multiplier(Datum.of(f32(0.3)), E4M3, "te-pow2").value == 1024
    assert fp8_multiplier(Datum.of(2.0**-140), E4M3, "te").value == Fraction(of_bits(0x7F7FFFFF))
    assert fp8_multiplier(Datum.of(2.0**-140), E4M3, "te-pow2").value == 2**127
    assert float(fp8_multiplier(Datum.finite(0), E4M3, "torchao").value) == f32(448 / 1e-12)
    decode, codes = fp8_block([Datum.of(3.0), Datum.of(-1.5)], E4M3, "te")
    assert codes == [0x7E, 0xF6]
    assert float(decode.value) == f32(1 / f32(448 / 3))


def test_delayed_scaling() -> None:
    history = [Datum.of(2.0), Datum.of(8.0), Datum.of(4.0)]
    one = Datum.finite(1)
    assert delayed_scale(history, one, E4M3).value == 56
    assert delayed_scale(history, one, E4M3, most_recent=True).value == 224
    assert delayed_scale(history, one, E4M3, 3).value == 7
    for bad in ([], [Datum.finite(0)], [Datum.infinity()], [Datum.nan()]):
        assert delayed_scale(bad, Datum.finite(5), E4M3).value == 5
    assert delayed_scale([Datum.of(2.0**-149)], one, E4M3).value == Fraction(of_bits(0x7F7FFFFF))


def test_names() -> None:
    layouts = {"tensor": (0, 0), "row": (0, 1), "block1": (1, 1), "block128": (128, 1), "block64x64": (64, 64)}
    for layout, (block, across) in layouts.items():
        scheme = get_scheme(f"{layout}_e5m2")
        assert (scheme.block, scheme.across, scheme.tensor, scheme.scale.name) == (block, across, False, "f32")
    assert [get_scheme(name).block for name in ("mxfp4", "mxint8", "nvfp4")] == [32, 32, 16]
    assert get_scheme("nvfp4").tensor
    for bad in ("mxfp9", "block0_e4m3fn", "block128x64_e4m3fn", "row_f32", "row_mxint8", "tensor_nothing"):
        with pytest.raises(ValueError):
            get_scheme(bad)
    with pytest.raises(ValueError, match="floor, ceil"):
        get_rule(get_scheme("mxfp4"), "torchao")
