"""The pieces of the accumulator models on arrays: roundings, orders, exponents, odd operands, by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pytest
from second_oracles import matrix_units as second

import fp8ref
from fp8ref.fast.matrix import narrow
from fp8ref.spec import Rounding, get_format
from fp8ref.spec.matrix.accumulate import Fused, FusedLate
from fp8ref.spec.matrix.models import get_model

Array = np.ndarray[Any, Any]
INF, NAN = np.inf, np.nan
TWO = Fraction(2)
ONE, MINUS_ONE, TWICE = 0x38, 0xB8, 0x40  # e4m3fn


def code_of(x: Array, name: str) -> list[int]:
    """Codes of values that float32 holds, without rounding."""
    if name == "bf16":
        assert not (x.view(np.uint32) & 0xFFFF).any()
        return (x.view(np.uint32) >> 16).tolist()
    own = x.astype({"f16": np.float16, "f32": np.float32}[name])
    assert np.array_equal(own.astype(np.float32), x, equal_nan=True)
    return own.view({"f16": np.uint16, "f32": np.uint32}[name]).tolist()


def addends(name: str, bits: int) -> list[tuple[float, float]]:
    """(product, value of the format): near ties, of all sizes, products of few bits and of up to ``bits``."""
    w, t, bias = second.FIELDS[name]
    rng = random.Random(name)
    found = [
        (1.0 + 2.0 ** (-t - 1), 2.0**-bias),  # a tie that a tiny addend breaks, and one that it does not
        (1.0 + 2.0 ** (-t - 1), -(2.0**-bias)),
        (-1.0 - 3 * 2.0 ** (-t - 1), 2.0**-bias),
        (-1.0 - 3 * 2.0 ** (-t - 1), -(2.0**-bias)),
        (1.0 + 2.0 ** (-t - 1), 0.0),
        (1.0 + 3 * 2.0 ** (-t - 1), 0.0),
        (2.0 ** (-t - 1) + 3 * 2.0**-25, 1.0),  # a tie and three quarters of the ulp of binary32
        (-(2.0 ** (-t - 1)) - 3 * 2.0**-25, -1.0),
        (2.0 ** (-t - 1) - 3 * 2.0**-25, 1.0),
        (2.0 ** (bias + 1), -(2.0**bias)),  # beyond the largest number, and back
        (-(2.0**-bias), 2.0**-bias),
    ]
    largest = (2**w - 1) << t
    for _ in range(300):
        c = rng.randrange(largest) | rng.getrandbits(1) << (w + t)
        value = second.real(c, name)
        e = value.numerator.bit_length() - value.denominator.bit_length() if value else -bias
        few = rng.choice([1, 2, 3, bits])
        lowest = max(e + rng.randint(-t - 4, t + 4) - few, -149)
        p = (2 * rng.getrandbits(few) + 1) * TWO**lowest * rng.choice([1, -1])
        if abs(p) < TWO**bias:
            found.append((float(p), float(value)))
    return found


@pytest.mark.parametrize("name", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("function", [narrow.fma, narrow.fma32], ids=["float64", "float32"])
def test_products_are_added_with_one_rounding(function: Callable[..., Array], name: str) -> None:
    """fma(); in float32 for the formats that are shorter."""
    short = function is narrow.fma32
    if short and name == "f32":
        return
    pairs = [(p, c) for p, c in addends(name, 12 if short else 30) if not short or abs(p) < 2.0**128]
    products, values = (np.array(x) for x in zip(*pairs))
    with np.errstate(all="ignore"):
        got = function(
            products.astype(np.float32 if short else np.float64), values.astype(np.float32), get_format(name)
        )
    for code, (p, c) in zip(code_of(got, name), pairs):
        assert code == second.to_nearest(Fraction(p) + Fraction(c), name), (p, c)


@pytest.mark.parametrize("name", ["f32", "f16", "bf16"])
def test_sums_and_products_are_rounded_once(name: str) -> None:
    """add() of two values; to_format() of a product that float64 holds."""
    f, pairs = get_format(name), addends(name, 30)
    products, values = (np.array(x) for x in zip(*pairs))
    with np.errstate(all="ignore"):
        rounded = narrow.to_format(products, f)
        total = narrow.add(rounded, values.astype(np.float32), f)
    for p, code in zip(products.tolist(), code_of(rounded, name)):
        want = second.to_nearest(Fraction(p), name)
        assert code & ~(code >> (f.k - 1) << (f.k - 1) if want == 0 else 0) == want, p
    for x, y, code in zip(rounded.tolist(), values.tolist(), code_of(total, name)):
        if abs(x) != INF:
            assert code == second.to_nearest(Fraction(x) + Fraction(y), name), (x, y)


@pytest.mark.parametrize("name", ["f32", "f16", "bf16"])
def test_sums_that_are_no_numbers(name: str) -> None:
    f = get_format(name)
    products, values = np.array([INF, INF, -INF, NAN, 1.0, 2.0**127]), np.array([1.0, -INF, 2.0, 1.0, INF, NAN])
    want = [INF, NAN, -INF, NAN, INF, NAN]
    for function, dtype in ((narrow.fma, np.float64), (narrow.fma32, np.float32), (narrow.add, np.float32)):
        with np.errstate(all="ignore"):
            got = function(products.astype(dtype), values.astype(np.float32), f)  # type: ignore[operator]
        assert np.array_equal(got, want, equal_nan=True), function


def test_the_sign_of_a_zero_sum_is_that_of_ieee_754() -> None:
    """[IEEE 754-2019 6.3]: +0 to nearest, unless both addends are -0."""
    x, y = np.array([0.0, 0.0, -0.0, -0.0, 1.0]), np.array([0.0, -0.0, 0.0, -0.0, -1.0], np.float32)
    for name in ("f32", "f16", "bf16"):
        for got in (narrow.fma(x, y, get_format(name)), narrow.add(x.astype(np.float32), y, get_format(name))):
            assert np.signbit(got).tolist() == [False, False, False, True, False]


# -- chains and trees -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("unit", "a", "want"),
    [
        # binary16 has no 2049: 2048 + 1 is 2048, a tie to even, and 1 + 1 + 2048 is 2050
        ("f16.fma", [2048, 1, 1], 2048),
        ("f16.fma@order=down", [2048, 1, 1], 2050),
        ("f16.fma@order=down", [1, 1, 2048], 2048),
        ("f16.mul-add@order=stride2", [1, 2048, 1], 2050),
        ("f16.mul-add@order=stride2", [2048, 1, 1, 1], 2048),
        ("f16.mul-add@order=stride3", [1, 2048, 1, 1, 1], 2052),  # 1, 1; 2048, 1; 1: 2051 and 2053 are ties
        ("f16.fma@order=stride7", [1, 1, 2048], 2050),
        # pairwise: the split is at the largest power of two below the count
        ("f16.pairwise", [2048, 0, 1, 0, 1], 2048),  # ((2048 + 0) + (1 + 0)) + 1
        ("f16.pairwise", [2048, 0, 0, 1, 1, 0], 2048),  # ((2048 + 0) + (0 + 1)) + (1 + 0)
        ("f16.pairwise", [1, 1, 1, 1, 2048], 2052),
        ("f16.pairwise", [1, 1, 2048, 1, 1, 1], 2052),  # ((1 + 1) + (2048 + 1)) + (1 + 1)
        ("f16.fma+splitk2", [1, 1, 2048, 1], 2050),
        ("f16.fma+splitk2", [1, 1, 1, 2048, 1], 2052),  # (1 + 1 + 1) + (2048 + 1): 2051, a tie to even
        ("f16.fma+splitk3", [2048, 1], 2048),  # fewer products than parts
    ],
)
def test_order_of_a_sum(unit: str, a: list[float], want: float) -> None:
    ones = np.ones(len(a), np.float16).view(np.uint16)
    assert fp8ref.dot(np.array(a, np.float16).view(np.uint16), ones, "f16", accumulator=unit) == want


def test_c_is_the_first_addend_of_a_chain_and_the_last_of_a_tree() -> None:
    ones = np.array([0x3C00, 0x3C00], np.uint16)
    got = [
        fp8ref.dot(ones, ones, "f16", c=np.float16(2048), accumulator=unit).item()
        for unit in ("f16.fma", "f16.mul-add", "f16.pairwise", "f16.fma+splitk2", "f16.fma+splitk1")
    ]
    assert got == [2048, 2048, 2050, 2050, 2050]


@pytest.mark.parametrize(
    ("fa", "a", "fb", "b", "c", "want"),
    [
        ("e8m0fnu", 254, "e5m2", 0x40, -(2.0**127), 2.0**127),  # 2**128 - 2**127
        ("f16", 0x0080, "bf16", 0x0001, 2.0**-149, 2.0**-148),  # 2**-17 * 2**-133 is half of c: a tie
        ("binary16p14se", None, "binary16p14se", None, -1.0 - 2.0**-12, 2.0**-26),  # (1 + 2**-13)**2 has 27 bits
    ],
)
def test_a_product_that_float32_does_not_hold(
    fa: str, a: int | None, fb: str, b: int | None, c: float, want: float
) -> None:
    one = int(fp8ref.encode(1.0 + 2.0**-13, "binary16p14se"))
    codes = [np.array([one if x is None else x]) for x in (a, b)]
    assert fp8ref.dot(*codes, fa, fb, c=np.float32(c), accumulator="f32.fma") == np.float32(want)


def test_subnormals_of_a_unit_that_flushes_them() -> None:
    """CDNA2: operands become +0, sums a zero of their sign, C before all; CDNA1 keeps them."""
    tiny, least, one, half = 0x0040, 0x0080, 0x3F80, 0x3F00  # bf16: 2**-127, 2**-126, 1, 1/2
    rows = [(tiny, one), (least, one), (least, half | 0x8000), (0, 0), (0, 0), (least, one)]
    a, b = (np.array([[row[i], 0] for row in rows], np.uint16) for i in (0, 1))
    c = np.array([0, 0, 0, 2.0**-127, 2.0**-126, 2.0**-127], np.float32)
    for unit, want in (
        ("cdna2.mfma.bf16.k2.f32", [0.0, 2.0**-126, 0.0, 0.0, 2.0**-126, 2.0**-126]),
        ("cdna1.mfma.bf16.f32", [2.0**-127, 2.0**-126, -(2.0**-127), 2.0**-127, 2.0**-126, 3 * 2.0**-127]),
    ):
        assert fp8ref.dot(a, b, "bf16", c=c, accumulator=unit).tolist() == want
    minus = fp8ref.dot(a[2], b[2], "bf16", c=np.float32(-0.0), accumulator="cdna2.mfma.bf16.k2.f32")
    assert not np.signbit(minus)  # C becomes +0, and -0 + +0 is +0


# -- single units -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("unit", "element"),
    [
        ("hopper.wgmma.fp8.f32", "e5m2"),
        ("hopper.mma.fp8.f16", "e5m2"),
        ("ampere.mma.bf16.f32", "bf16"),
        ("cdna3.mfma.f16.f32", "f16"),
        ("cdna2.mfma.bf16.f32", "bf16"),
        ("f32.mul-add", "e5m2"),
        ("f16.pairwise", "f16"),
    ],
)
def test_infinities_and_nans(unit: str, element: str) -> None:
    """An infinity with one of the other sign, or with a zero factor, makes NaN, C among them."""
    f = get_format(element)
    zero, one, infinity, minus, nan = (int(fp8ref.encode(x, f, overflow="nonsat")) for x in (0.0, 1.0, INF, -INF, NAN))
    result = np.float16 if "f16" in (unit[:3], unit[-3:]) else np.float32
    rows = [
        ([one, one], [one, one], INF, INF),
        ([infinity, one], [one, one], 1.0, INF),
        ([one, infinity], [one, one], INF, INF),
        ([one, infinity], [one, minus], -INF, -INF),
        ([one, infinity], [one, one], -INF, NAN),
        ([infinity, infinity], [one, minus], 1.0, NAN),
        ([infinity, one], [zero, one], 1.0, NAN),
        ([infinity, minus], [infinity, minus], 1.0, INF),
        ([nan, one], [zero, one], INF, NAN),
        ([one, one], [one, one], NAN, NAN),
        ([one, one], [one, one], 1.0, 3.0),
    ]
    a, b = (np.array([row[i] for row in rows]) for i in (0, 1))
    c, want = (np.array([row[i] for row in rows], result) for i in (2, 3))
    assert np.array_equal(fp8ref.dot(a, b, f, c=c, accumulator=unit), want, equal_nan=True)
    square = fp8ref.matmul(a, b.T, f, c=c[:, None], accumulator=unit)
    assert np.array_equal(np.diagonal(square), want, equal_nan=True)


def on_cdna3(a: list[float], b: list[float], c: float, unit: str = "fp8.f32") -> float:
    element = "e4m3fnuz" if unit.startswith("fp8") else "bf16"
    x, y = fp8ref.encode(a, element), fp8ref.encode(b, element)
    return float(fp8ref.dot(x, y, element, c=np.float32(c), accumulator=f"cdna3.mfma.{unit}"))


def test_products_and_c_of_a_late_unit_are_cut_at_the_larger_exponent() -> None:
    """31 bits below C, where it is the larger, are kept of the products: of a tie and a bit below nothing is left."""
    c = 2.0**20
    assert on_cdna3([2.0**-2, 2.0**-6], [2.0**-2, 2.0**-5], c) == c + 2.0**-3  # 2**-4 + 2**-11
    assert on_cdna3([2.0**-2, 2.0**-6], [2.0**-2, 2.0**-6], c) == c  # 2**-4 + 2**-12: a tie to even
    small, tie = 2.0**-148, 2.0**-75  # the exponent of a subnormal C is -126
    assert on_cdna3([tie, 2.0**-78], [tie, 2.0**-79], small, "bf16.f32") == small + 2.0**-149
    assert on_cdna3([tie, 2.0**-79], [tie, 2.0**-79], small, "bf16.f32") == small
    # the odd places' exponent cuts the even ones' sum, downward
    assert on_cdna3([-(2.0**-5), 2.0**7], [2.0**-6, 2.0**7], 0.0) == 2.0**14 - 2.0**-10
    assert on_cdna3([2.0**7, -(2.0**-5)], [2.0**7, 2.0**-6], 0.0) == 2.0**14 - 2.0**-10


@pytest.mark.parametrize("count", [4, 6], ids=["finite operands", "an infinity among them"])
def test_products_of_2_to_the_128_count_as_infinite(count: int) -> None:
    big = 2.0**64
    rows = [[big, 0.0], [-big, 0.0], [big, -big], [big / 2, big / 4], [big, -INF], [INF, big]][:count]
    a, b, ones = (fp8ref.encode(x, "bf16", overflow="nonsat") for x in (rows, [big, big], [1.0, 1.0]))
    for other, c, want in (
        (b, -(2.0**126), [INF, -INF, NAN, 2.0**127, NAN, INF]),
        (ones, -INF, [-INF, -INF, -INF, -INF, -INF, NAN]),
    ):
        got = fp8ref.dot(a, other, "bf16", c=np.float32(c), accumulator="cdna3.mfma.bf16.f32")
        assert np.array_equal(got, want[:count], equal_nan=True)


def test_a_late_unit_without_a_limit_of_products() -> None:
    base = get_model("cdna3.mfma.bf16.f32")
    assert isinstance(base, FusedLate)
    a, b = fp8ref.encode([2.0**64, -(2.0**64)], "bf16"), fp8ref.encode([2.0**64, 2.0**63], "bf16")
    assert np.isinf(fp8ref.dot(a, b, "bf16", accumulator=base))
    assert fp8ref.dot(a, b, "bf16", accumulator=replace(base, product_limit=None)) == 2.0**127


UP, DOWN, ZERO, EVEN = Rounding.TOWARD_POSITIVE, Rounding.TOWARD_NEGATIVE, Rounding.TOWARD_ZERO, Rounding.TIES_TO_EVEN


@pytest.mark.parametrize(
    ("precision", "terms", "rounding", "want"),
    [
        # 14 bits: a sum of 3/2 ulps above 1, and one of less than half an ulp
        *(
            (14, [(1, 1), (3, 2.0**-14)], mode, 1 + ulps * 2.0**-13)
            for mode, ulps in ((UP, 2), (DOWN, 1), (ZERO, 1), (EVEN, 2))
        ),
        *(
            (14, [(-1, 1), (3, -(2.0**-14))], mode, -1 - ulps * 2.0**-13)
            for mode, ulps in ((UP, 1), (DOWN, 2), (ZERO, 1), (EVEN, 2))
        ),
        *(
            (14, [(1, 1), (2.0**-9, 2.0**-9)], mode, want)
            for mode, want in ((UP, 1 + 2.0**-13), (ZERO, 1.0), (EVEN, 1.0))
        ),
        # 24 bits, and 25 below the exponent
        *(
            (0, [(1, 1), (2.0**-12, 2.0**-12)], mode, want)
            for mode, want in ((UP, 1 + 2.0**-23), (ZERO, 1.0), (EVEN, 1.0))
        ),
    ],
)
def test_registers_of_a_fused_unit(
    precision: int, terms: list[tuple[float, float]], rounding: Rounding, want: float
) -> None:
    base = get_model("hopper.wgmma.fp8.f32")
    assert isinstance(base, Fused)
    unit = replace(base, fraction_bits=25, precision=precision, rounding=rounding)
    a, b = (fp8ref.encode([term[i] for term in terms], "e5m2") for i in (0, 1))
    assert fp8ref.dot(a, b, "e5m2", accumulator=unit) == want


def test_a_sum_beyond_binary16_is_infinite_toward_zero_too() -> None:
    """The catalogue's rule of overflow; the next instruction cannot bring it back."""
    base = get_model("hopper.wgmma.fp8.f16")
    assert isinstance(base, Fused)
    a, b = np.zeros((2, 64))
    a[[0, 32]], b[[0, 32]] = (2.0**9, -(2.0**9)), 2.0**8
    got = fp8ref.dot(
        fp8ref.encode(a, "e5m2"), fp8ref.encode(b, "e5m2"), "e5m2", accumulator=replace(base, rounding=ZERO)
    )
    assert got == INF


def test_c_that_is_subnormal_has_the_least_exponent() -> None:
    """2**-126: 25 bits below it are kept, of a product of -(2**-152) nothing."""
    for option, low, want in (("-133", -152, 2.0**-149), ("-133", -151, 0.0), ("none", -152, 2.0**-149)):
        a, b = fp8ref.encode([-(2.0**-75)], "bf16"), fp8ref.encode([2.0 ** (low + 75)], "bf16")
        unit = f"hopper.mma.bf16.f32@min_exponent={option}"
        assert fp8ref.dot(a, b, "bf16", c=np.float32(2.0**-149), accumulator=unit) == want


def test_c_of_a_group_unit_shows_its_exponent() -> None:
    """35 fraction bits below it are kept of a group."""
    a, b = np.full(64, 0x0A, np.uint8), np.zeros(64, np.uint8)  # -1
    b[0] = 0x02
    for low, want in ((-35, 1 - 2.0**-24), (-36, 1.0)):
        scales = {"scale_a": np.full(2, 2.0**low), "block": 32}
        assert fp8ref.dot(a, b, "e2m1fn", c=np.float32(1), accumulator="blackwell.mxf4", **scales) == want


def test_c_of_a_late_unit_vanishes_below_its_window() -> None:
    """C more than 25 below the exponent, which zeros show, too: -126 each, or the format's least, -7."""
    unit = "fp8.f32@zero_exponent=none"
    assert on_cdna3([0.0], [0.0], 2.0**-60) == 2.0**-60
    assert on_cdna3([0.0], [0.0], 2.0**-60, unit) == 0
    assert on_cdna3([0.0], [0.0], 2.0**-38, unit) == 2.0**-38
    assert on_cdna3([0.0], [0.0], -(2.0**-39), unit) == -(2.0**-38)  # cut downward
    assert on_cdna3([0.0], [0.0], -(2.0**-40), unit) == 0
    assert on_cdna3([1.0], [1.0], -(2.0**-25)) == 1.0 - 2.0**-24
    assert on_cdna3([1.0], [1.0], -(2.0**-26)) == 1.0


def test_an_exponent_that_zeros_show_cuts_c() -> None:
    """13 fraction bits below it are kept; zeros that take no part leave C as it is."""
    for option, c, want in (
        ("", 2.0**-100, 2.0**-100),
        ("@zero_exponent=0", 2.0**-13, 2.0**-13),
        ("@zero_exponent=0", 2.0**-14, 0.0),
    ):
        unit = f"hopper.wgmma.fp8.f32{option}"
        assert fp8ref.dot([0], [ONE], "e4m3fn", c=np.float32(c), accumulator=unit) == want


def test_scales_of_a_group_unit_show_their_exponents() -> None:
    """As MMA-Sim c785138 had it: a group of zeros shows its scales' exponents, a zero scale -126, a subnormal emin.

    As mmasim 2.1.1 has it, such a group shows nothing, and C is kept.
    """
    old = "@zero_groups=scale@min_exponent=-126"
    a = np.zeros(64, np.uint8)
    a[63] = 0x02
    ones = np.full(64, 0x02, np.uint8)
    for low in (-35, -36):
        got = fp8ref.dot(
            a, ones, "e2m1fn", scale_a=np.array([1.0, 2.0**low]), block=32, accumulator="blackwell.mxf4" + old
        )
        assert got == (2.0**low if low == -35 else 0.0)
    for scale, c, want in (
        (0.0, 2.0**-100, 2.0**-100),
        (2.0**-9, 2.0**-41, 2.0**-41),
        (2.0**-9, 2.0**-42, 0.0),
        (2.0**-6, 2.0**-42, 0.0),
        (2.0**-5, 2.0**-41, 0.0),
    ):
        scales = {"scale_a": np.full(4, scale), "block": 16}
        unit = "blackwell.mxf4nvf4"
        assert fp8ref.dot(a * 0, a, "e2m1fn", c=np.float32(c), accumulator=unit + old, **scales) == want
        assert fp8ref.dot(a * 0, a, "e2m1fn", c=np.float32(c), accumulator=unit, **scales) == c


def one_block(a: list[int], scale_a: int, unit: str, c: float, scale_b: int = 127) -> float:
    """a . (1, 1, ...) by a unit with e8m0 scales."""
    scales = {
        "scale_a": np.array([scale_a], np.uint8),
        "scale_b": np.array([scale_b], np.uint8),
        "scale_format": "e8m0fnu",
    }
    padded = a + [0] * (32 - len(a))
    return float(fp8ref.dot(padded, [ONE] * 32, "e4m3fn", c=np.float32(c), accumulator=unit, block=32, **scales))


def test_scales_shift_the_exponents_that_are_aligned() -> None:
    """25 fraction bits below the largest exponent are kept of every addend."""
    plain = "blackwell.mxf8f6f4"
    assert one_block([ONE], 127 + 60, plain, -(2.0**35)) == 2.0**60 - 2.0**36  # cut toward zero at binary32's bits
    assert one_block([ONE], 127 + 60, plain, -(2.0**34)) == 2.0**60  # C is cut away
    assert one_block([ONE], 127 - 60, plain, -(2.0**-85)) == 2.0**-60 - 2.0**-84
    assert one_block([ONE], 127 - 60, plain, -(2.0**-86)) == 2.0**-60
    assert one_block([ONE, MINUS_ONE], 127 + 60, plain, 2.0**34) == 0.0  # the sum is 0, C was cut away
    assert one_block([], 254, plain, 2.0**-20) == 2.0**-20  # zeros take no part
    assert one_block([0x3E], 0, plain, 0.0, 105) == 2.0**-149  # 1.75 times that is cut toward zero
    assert one_block([0x3E], 0, plain, 2.0**-126, 105) == 2.0**-126 + 2.0**-149
    # zeros that show an exponent of their own: it is shifted with the others
    assert one_block([], 254, f"{plain}@zero_exponent=-126", 2.0**-20) == 2.0**-20  # at 2**1
    assert one_block([], 254, f"{plain}@zero_exponent=-100", 2.0**-20) == 0.0  # at 2**27
    exponents = f"{plain}@zero_exponent=-5"  # a number of the exponent that zeros show is shifted, too
    assert one_block([0x10], 127 + 65, exponents, -(2.0**34)) == 2.0**60


def test_c_and_scales_that_are_no_numbers_in_a_group_unit() -> None:
    a = np.full((6, 64), 0x02, np.uint8)
    scales = np.ones((6, 4), np.float32)
    scales[3:5, 1] = NAN
    c = np.array([INF, -INF, NAN, 1.0, INF, 2.0], np.float32)
    more = {"scale_a": scales, "scale_b": np.ones((6, 4), np.float32), "block": 16}
    got = fp8ref.dot(a, a, "e2m1fn", c=c, accumulator="blackwell.mxf4nvf4", **more)
    assert np.array_equal(got, np.array([INF, -INF, NAN, NAN, NAN, 66.0]), equal_nan=True)


def test_results_of_a_group_unit_at_the_bottom_of_binary32() -> None:
    """Cut toward zero to multiples of 2**-149; a sum of zeros is +0."""
    a, b = np.full(64, 0x02, np.uint8), np.zeros(64, np.uint8)
    b[0] = 0x03  # 1.5
    scales = {"scale_a": np.array([2.0**-100] * 2), "block": 32, "accumulator": "blackwell.mxf4"}
    least = 2.0**-149
    for e, want in ((-48, 2.0**-148 + least), (-49, least), (-50, 0.0)):  # 1.5 of the half of it is cut away
        got = fp8ref.dot(a, b, "e2m1fn", scale_b=np.array([2.0**e] * 2), **scales)
        assert got == want
        assert not np.signbit(got)
    b[0] = 0x02
    c = np.float32(2.0**-127 + least)  # with half of the least: a tie, cut all the same
    assert fp8ref.dot(a, b, "e2m1fn", c=c, scale_b=np.array([2.0**-50] * 2), **scales) == c
    minus = fp8ref.dot(a, b | 8, "e2m1fn", scale_b=np.array([2.0**-50] * 2), **scales)
    assert minus == 0
    assert not np.signbit(minus)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_exact_step_is_rounded_once_where_float64_loses_the_last_product(sign: int) -> None:
    """Half an ulp of C, and a product that C in float64 has no room for: it decides on which side of a tie D lies."""
    unit = "cdna1.mfma.f16.f32"
    half, least = 0x0C00, 0x0001  # 2**-12 and 2**-24, the least of binary16
    other = least | (0x8000 if sign < 0 else 0)
    for c, want in (
        (0x44800000, 0x44800001 if sign > 0 else 0x44800000),
        (0x44800001, 0x44800002 if sign > 0 else 0x44800001),
    ):
        # 2**10 has the ulp 2**-13; the products are 2**-12 * 2**-2 = 2**-14 and +-2**-48
        a, b = np.array([half, other, 0, 0], np.uint16), np.array([0x3400, least, 0, 0], np.uint16)
        exact = Fraction(1, 2**14) + sign * Fraction(1, 2**48)
        assert exact < Fraction(1, 2**13)
        held, right = (np.uint32(x).view(np.float32) for x in (c, want))
        assert fp8ref.dot(a, b, "f16", "f16", c=held, accumulator=unit) == right
        rows, columns = np.tile(a, (3, 1)), np.tile(b[:, None], (1, 2))
        many = fp8ref.matmul(rows, columns, "f16", "f16", c=np.full((3, 2), held), accumulator=unit)
        assert (many == right).all()


@pytest.mark.parametrize(("a", "b", "c", "want"), [(1400, 1498, 1.0, 1 + 2**-10), (1399, 1499, 1 + 2**-10, 1 + 2**-10)])
def test_a_chain_of_binary16_is_rounded_once_where_float32_loses_bits(a: int, b: int, c: float, want: float) -> None:
    """a * b is 2**21 + 48 and 2**21 - 51, so the product is half an ulp of C and a little, which float32 rounds off."""
    assert (a * b - 2**21, want) in ((48, 1 + 2**-10), (-51, c))
    x, y = (np.array([v * 2.0**-16], np.float16) for v in (a, b))
    found = fp8ref.dot(x.view(np.uint16), y.view(np.uint16), "f16", "f16", c=np.float16(c), accumulator="f16.fma")
    assert float(found) == want


def test_the_routes_of_exact_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that float64 holds, products that it holds, and those that it does not: each by its own route."""
    from fp8ref.fast.matrix import exact_steps

    halfway = mock.Mock(wraps=exact_steps._halfway)
    bounded = mock.Mock(wraps=exact_steps._bounded)
    monkeypatch.setattr(exact_steps, "_halfway", halfway)
    monkeypatch.setattr(exact_steps, "_bounded", bounded)
    unit = "cdna1.mfma.f16.f32"
    for values, c, route in (
        ([1.0, 0.5, 3.0, 2.0], 0x3F800000, (0, 0)),
        ([1.0, 2.0**-23, 3.0, 2.0], 0x3F800001, (1, 0)),
        ([65504.0, 2.0**-24, 3.0, 2.0], 0x3F800000, (1, 1)),
    ):
        x = np.array(values, np.float16).view(np.uint16)
        got = float(fp8ref.dot(x, x, "f16", "f16", c=np.uint32(c).view(np.float32), accumulator=unit))
        exact = sum(Fraction(v) ** 2 for v in values) + Fraction(float(np.uint32(c).view(np.float32)))
        near = np.float32(float(exact))
        best = min((near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(INF))),
                   key=lambda y: (abs(Fraction(float(y)) - exact), int(y.view(np.uint32)) & 1))  # fmt: skip
        assert got == float(best)
        assert (halfway.call_count, bounded.call_count) == route
