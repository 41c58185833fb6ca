"""Where a lookup is not enough: wide results, extreme exponents, odd formats, integers, and double rounding."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from second_oracles.exact import ROUNDINGS
from short import over

import fp8ref
from fp8ref import spec
from fp8ref.fast.kernel import floor_log2_u64, jam
from fp8ref.fast.tables import conversion_table

GENERIC = ("e8m7b200", "e0m3fn", "e3m4b20fnuz", "e5m0", "e8m2fn", "e8m3fnuz", "e1m3", "e2m10fn", "binary12p9ue")
WIDE = ("f16", "bf16", "tf32", "f32", "f64")
NAMED = ("e4m3fn", "e5m2", "e5m2fnuz", "e8m0fnu", "ue5m3", "e2m1fn", "mxint8")


def assert_as_specified(x: NDArray[Any], name: str, rounding: str, overflow: str = "nonsat") -> None:
    codes, status = fp8ref.encode(x, name, rounding=rounding, overflow=overflow, flags=True)
    for n, value in enumerate(x.tolist()):
        want = spec.encode(value, name, rounding, overflow)
        assert (int(codes.flat[n]), int(status.flat[n])) == want, (x.dtype, value, name, rounding)


# Values that float32 on the way, or a float32 that loses its subnormals or its overflow, rounds wrongly
WITNESSES = [
    2.0**-127 * (1 + 2.0**-40),
    2.0**-127 * (1 + 2.0**-52),
    2.0**-128 * (1 + 2.0**-52),
    2.0**-149 * (0.5 + 2.0**-40),
    2.0**-150,
    2.0**-133 * (1 + 2.0**-45),
    1.0625 * (1 + 2.0**-40),
    464 * (1 + 2.0**-50),
    61440 * (1 - 2.0**-53),
    2.0**127 * 1.5 * (1 + 2.0**-52),
    2.0**128 * (1 - 2.0**-25),
    2.0**128 * (1 - 2.0**-26),
    2.0**128,
    1e300,
    5e-324,
    2.0**-1022,
    1.7976931348623157e308,
]


@over("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", [*NAMED, *GENERIC, *WIDE])
def test_double_rounding_witnesses(name: str, rounding: str) -> None:
    x = np.array(WITNESSES)
    assert_as_specified(np.concatenate([x, -x]), name, rounding)


@pytest.mark.parametrize(
    ("x", "name", "rounding", "code"),
    [
        (1.0625 * (1 + 2.0**-40), "e4m3fn", "rne", 0x39),  # via float32 or bfloat16: 0x38
        (1.0625 + 2.0**-12, "e4m3fn", "rne", 0x39),
        (464 * (1 + 2.0**-50), "e4m3fn", "rne", 0x7F),
        (2.0**-127 * (1 + 2.0**-52), "e8m0fnu", "rtp", 0x01),
        (2.0**-127 * (1 + 2.0**-52), "bf16", "rtp", 0x0041),
        (2.0**-150 * (1 + 2.0**-52), "f32", "rne", 0x00000001),
        (2.0**-150, "f32", "rne", 0x00000000),
        (2.0**128 * (1 - 2.0**-25), "f32", "rne", 0x7F800000),
        (2.0**128 * (1 - 2.0**-25) * (1 - 2.0**-53), "f32", "rne", 0x7F7FFFFF),
        (1e300, "e8m0fnu", "rtz", 0xFE),
        (1 + 2.0**-11 + 2.0**-40, "f16", "rne", 0x3C01),
    ],
)
def test_known_answers(x: float, name: str, rounding: str, code: int) -> None:
    assert fp8ref.encode(x, name, rounding=rounding, overflow="nonsat") == code


def odd_values(name: str, count: int) -> list[float]:
    """Doubles over the format's range and beyond; half of them short, so that ties and exact values are frequent."""
    f = spec.get_format(name)
    draw = random.Random(name)
    found = [0.0, -0.0, float("inf"), float("-inf")]
    for n in range(count):
        bits = draw.randint(1, f.p + 2) if n % 2 and f.p < 50 else 52
        exponent = draw.randint(max(f.emin - f.t - 3, -1000), min(f.emax + 2, 1000))
        found.append(draw.choice((1, -1)) * (1 + draw.getrandbits(bits) / 2.0**bits) * 2.0**exponent)
    return found


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", [*GENERIC, *WIDE])
def test_random_values(name: str, rounding: str) -> None:
    assert_as_specified(np.array(odd_values(name, 100)), name, rounding)


def test_both_ways_are_walked() -> None:
    """The formats above are served by tables and by the kernel, as their shapes demand."""

    def table(source: str, name: str) -> bool:
        f = spec.get_format(name)
        return conversion_table(spec.get_format(source), f, spec.get_projection(f)) is not None

    assert table("f32", "e4m3fn")
    assert table("f64", "e4m3fn")
    assert not table("f64", "f32")
    assert not table("f32", "e8m7b200")
    assert not table("f32", "f32")


@pytest.mark.parametrize("name", ["f16", "bf16", "f32"])
def test_to_nearest_even_as_numpy_and_ml_dtypes(name: str) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 1 << 32, 1 << 16, np.uint32).view(np.float32)
    if name == "f32":
        x = np.array([*odd_values("f32", 20_000), *WITNESSES])
    with np.errstate(all="ignore"):
        if name == "bf16":
            want = x.astype(ml_dtypes.bfloat16).view(np.uint16)
        else:
            want = x.astype(np.dtype(f"f{spec.get_format(name).k // 8}")).view(f"u{spec.get_format(name).k // 8}")
    got = fp8ref.encode(x, name, overflow="nonsat", nan="keep-sign")
    number = ~np.isnan(x)
    assert np.array_equal(got[number], want[number])


def test_to_float64_exactly() -> None:
    """A wider result takes every value of a narrower source, zero and subnormals included."""
    for source, dtype in (("f16", np.float16), ("bf16", ml_dtypes.bfloat16)):
        x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
        with np.errstate(all="ignore"):
            want = x.astype(np.float64).view(np.uint64)
        number = ~np.isnan(x.astype(np.float32))
        for name, wider in (("f64", want), ("f32", x.astype(np.float32).view(np.uint32))):
            got = fp8ref.encode(x, name, overflow="nonsat")
            assert np.array_equal(got[number], wider[number]), source
    x32 = np.random.default_rng(5).integers(0, 1 << 31, 1 << 14, np.uint32).view(np.float32)
    number = ~np.isnan(x32)
    with np.errstate(invalid="ignore"):
        want = x32.astype(np.float64).view(np.uint64)
    assert np.array_equal(fp8ref.encode(x32, "f64", overflow="nonsat")[number], want[number])


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


def integers(dtype: Any) -> list[int]:
    """Both ends, 0, 1, -1, powers of two with neighbours, and ties of narrow formats a bit beyond 2**53."""
    info = np.iinfo(dtype)
    found = {info.min, info.min + 1, info.max, info.max - 1, 0, 1, -1, 464, 465, 61440, 61439}
    for e in range(2, 64, 3):
        for d in (-1, 0, 1):
            found |= {2**e + d, -(2**e) - d, 2**e + 2 ** (e // 2) + d, 2**e + 2 ** (e - 2) + 2 ** max(e - 4, 0) + d}
    return sorted(n for n in found if info.min <= n <= info.max)


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e8m0fnu", "mxint8", "e8m3fnuz", "bf16", "tf32", "f32", "f64"])
def test_integers(name: str, dtype: Any) -> None:
    x = np.array(integers(dtype), dtype)
    for rounding in ("rne", "rtz", "rtp", "rto") if np.dtype(dtype).itemsize == 8 else ("rne", "rtn"):
        assert_as_specified(x, name, rounding)


@pytest.mark.parametrize(
    ("n", "code"),
    [
        *((2**63 + 2**39 + d, 0x5F000000 + (d > 0)) for d in (-1, 0, 1, 2, 2**10, 2**11)),
        (2**63 + 2**40 + 2**39 - 1, 0x5F000001),
        (0, 0),
    ],
)
def test_integers_round_once(n: int, code: int) -> None:
    """By way of float64 the first of these would round to the tie and then to even."""
    assert fp8ref.encode(np.uint64(n), "f32") == code


def test_jam_and_floor_log2() -> None:
    """The kernel's two integer tools, against Python's integers, over all 64 bits and shifts beyond them."""
    draw = random.Random(5)
    sigs = [draw.getrandbits(n) | 1 << (n - 1) for n in range(1, 65) for _ in range(3)]
    sigs += [1 << n for n in range(64)] + [(1 << n) - 1 for n in range(1, 65)]
    logs = floor_log2_u64(np.array(sigs, np.uint64))
    assert logs.tolist() == [sig.bit_length() - 1 for sig in sigs]
    for shift in (-3, -1, 0, 1, 2, 31, 62, 63, 64, 65, 200):
        fit = [sig for sig in sigs if shift >= 0 or sig.bit_length() - shift <= 64]
        want = [sig << -shift if shift < 0 else (sig >> shift) | (sig & ((1 << shift) - 1) != 0) for sig in fit]
        assert jam(np.array(fit, np.uint64), np.full(len(fit), shift)).tolist() == want


def test_formats_as_wide_as_a_word() -> None:
    """Integers of 64 bits are their own codes in two's complement; below 2 a code counts the smallest values."""
    whole = spec.Format("whole", 64, 1, 0, fixed_point=True)
    x = np.array([0, 5, -5, 2**63 - 1, -(2**63), 2**60 + 1])
    assert fp8ref.encode(x, whole).tolist() == x.view(np.uint64).tolist()
    assert fp8ref.encode(np.array([2**64 - 1, 2**63], np.uint64), whole).tolist() == [2**63 - 1] * 2
    large = [2**62, 2**62 + 1, 2**63, 2**64 - 1]
    for k in range(60, 65):
        whole = spec.Format("whole", k, 1, 0, fixed_point=True)
        got = fp8ref.encode(np.array(large, np.uint64), whole).tolist()
        assert got == [min(n, 2 ** (k - 1) - 1) for n in large]
    byte = spec.Format("byte", 8, 1, 0, fixed_point=True)
    x = np.array([100.5, -100.75, 127.5, -128.5, 99.5])  # ties to even
    assert fp8ref.encode(x, byte).view(np.int8).tolist() == [100, -101, 127, -128, 100]
    assert fp8ref.encode(np.array([2**40 + 1]), spec.Format("", 42, 1, 0, fixed_point=True)) == 2**40 + 1
    values = np.array([1.0, 1.5, 0.75, 1 + 2.0**-52])
    for f in (spec.Format("long", 64, 63, 1), spec.Format("unsigned", 64, 62, 1, signed=False)):
        assert fp8ref.encode(values, f).tolist() == [int(v * 2**f.t) for v in values.tolist()]
        codes, status = fp8ref.encode([2.0**9, np.nan], f, flags=True)
        assert codes.tolist() == [2**f.magnitude_bits - 1] * 2
        assert status.tolist() == [spec.Status.OVERFLOW | spec.Status.INEXACT, spec.Status.INVALID]


def test_random_bits_of_integers_far_below_the_format() -> None:
    """In units of 2**64, 2**63 is one half: with one random bit it goes away for R = 1 [P3109 RoundToPrecision]."""
    f = spec.Format("far", 8, 4, -66, nans=spec.NaNs.ALL_ONES)
    x = np.array([1 << 63, 1 << 63, (1 << 63) - 1, (1 << 64) - 1], np.uint64)
    bits = np.array([0, 1, 1, 1], np.uint8)
    assert fp8ref.encode(x, f, rounding="sr-a", random_bits=bits, random_width=1).tolist() == [0, 1, 0, 1]
    f = spec.Format("near", 8, 4, -65, nans=spec.NaNs.ALL_ONES)  # units of 2**63
    x = np.array([1 << 63, (1 << 63) + (1 << 61), (1 << 63) + (1 << 62)], np.uint64)
    bits = np.full(3, 2, np.uint8)
    assert fp8ref.encode(x, f, rounding="sr-a", random_bits=bits, random_width=2).tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("mode", "rounded"), [("sr-a", math.floor), ("sr-b", lambda x: math.floor(x + Fraction(1, 2))), ("sr-c", round)]
)
def test_random_bits_of_long_integers(mode: str, rounded: Callable[[Fraction], int]) -> None:
    """In units of 2**61 to 2**71: away from zero where the rounded eta 2**N and R reach 2**N [P3109 4.6.2]."""
    whole = [2**63, 2**63 + 1, 2**63 - 1, 2**64 - 1, 2**62, 2**62 + 2**61, 3 * 2**62, 3 * 2**62 + 1, 5 * 2**60, 1]
    for unit, width in product(range(61, 72), (1, 2, 3)):
        f = spec.Format("far", 8, 4, -2 - unit, nans=spec.NaNs.ALL_ONES)
        n, R = (v.ravel() for v in np.meshgrid(np.array(whole, np.uint64), np.arange(1 << width, dtype=np.uint8)))
        got = fp8ref.encode(n, f, rounding=mode, random_bits=R, random_width=width)
        for code, x, word in zip(got.tolist(), n.tolist(), R.tolist()):
            kept, rest = divmod(x, 2**unit)
            away = rounded(Fraction(rest, 2**unit) * 2**width) + word >= 2**width
            assert code == kept + away, (unit, width, x, word)


@pytest.mark.parametrize("source", [np.float32, np.float64])
def test_formats_beyond_their_source(source: Any) -> None:
    """All finite values are below a format's first, or above its last: no lookup goes beyond the infinities."""
    x = np.array([0, 5e-45, 1, np.finfo(source).max, np.inf], source)
    x = np.concatenate([x, -x])
    above = spec.Format("above", 8, 4, -4000, infinities=True, nans=spec.NaNs.IEEE)
    assert fp8ref.encode(x, above, overflow="nonsat").tolist() == [0, 0, 0, 0, 0x78, 0x80, 0x80, 0x80, 0x80, 0xF8]
    upward = fp8ref.encode(x, above, rounding="rtp", overflow="nonsat")
    assert upward.tolist() == [0, 1, 1, 1, 0x78, 0x80, 0x80, 0x80, 0x80, 0xF8]
    below = spec.Format("below", 8, 4, 4000, infinities=True, nans=spec.NaNs.IEEE)
    assert fp8ref.encode(x, below, overflow="sat").tolist() == [0] + [0x77] * 4 + [0x80] + [0xF7] * 4


def test_payloads() -> None:
    """A NaN's payload keeps its leading bits and is made quiet: binary32 to binary16, and to one bit of it."""
    rng = np.random.default_rng(8)
    x = rng.integers(0x7F800001, 0x80000000, 300).astype(np.uint32) | rng.integers(0, 2, 300).astype(np.uint32) << 31
    high = x >> 31
    half = fp8ref.encode(x.view(np.float32), "f16", nan="payload")
    assert half.view(np.uint16).tolist() == (high << 15 | 0x7E00 | x >> 13 & 0x3FF).tolist()
    bf16 = fp8ref.encode(x.view(np.float32), "bf16", nan="payload")
    assert bf16.view(np.uint16).tolist() == (x >> 16 | 0x7FC0).tolist()
    e5m2 = fp8ref.encode(x.view(np.float32), "e5m2", nan="payload")
    assert e5m2.tolist() == (high << 7 | 0x7E | x >> 21 & 1).tolist()
