"""Arithmetic at the edges of what 62-bit integers carry, against Fractions, Python's integers and numbers by hand."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from second_oracles.matrix_units import to_nearest

import fp8ref
from fp8ref import spec
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.fast.exact import serves
from fp8ref.spec import get_format, get_projection
from fp8ref.spec.status import Status


def codes(x: NDArray[Any]) -> list[int]:
    return [int(code) for code in x.view(f"u{x.itemsize}")]


def rounded(exact: list[Fraction], name: str) -> list[int]:
    return [to_nearest(value, name) for value in exact]


def fractions(*arrays: NDArray[Any]) -> list[tuple[Fraction, ...]]:
    return [tuple(Fraction(float(x)) for x in row) for row in zip(*arrays)]


def doubles(rng: np.random.Generator, n: int, low: int, high: int) -> NDArray[np.float64]:
    """All 53 bits at random, both signs, exponents from low to high."""
    whole = rng.integers(1 << 52, 1 << 53, n).astype(np.float64)
    return np.ldexp(whole * rng.choice([-1, 1], n), rng.integers(low, high, n) - 52)


def test_roots_of_doubles() -> None:
    """Just below, at and just above the square of a float32; float64 alone takes the first for the square."""
    y = (1 + np.random.default_rng(1).integers(0, 1 << 23, 200) / 2**23).astype(np.float32)  # sqrt 2 is in the midst
    square = y.astype(np.float64) ** 2
    below, above = np.nextafter(square, 0), np.nextafter(square, 8)
    next_down, next_up = np.nextafter(y, np.float32(0)), np.nextafter(y, np.float32(8))
    for x, down, up in ((below, next_down, y), (square, y, y), (above, y, next_up)):
        assert codes(fp8ref.sqrt(x, result="f32", rounding="rtz")) == codes(down)
        assert codes(fp8ref.sqrt(x, result="f32", rounding="rtp")) == codes(up)
        assert codes(fp8ref.sqrt(x, result="f32")) == codes(y)


def test_roots_with_53_bits() -> None:
    x = np.random.default_rng(2).integers(1, 0x7F800000, 200).astype(np.uint32).view(np.float32)
    assert codes(fp8ref.sqrt(x, result="f64")) == codes(np.array([math.sqrt(v) for v in x.tolist()]))


@pytest.mark.parametrize(("first", "second"), [("f64", "f64"), ("f32", "f64"), ("f64", "f32")])
def test_products_longer_than_a_word_with_an_addend(first: str, second: str) -> None:
    """1 + 2**-24 is a tie of float32; the product's last bits decide, whichever addend."""
    rng = np.random.default_rng(3)
    x, y = (doubles(rng, 200, -30, -20).astype(f"f{get_format(f).k // 8}") for f in (first, second))
    z = rng.choice([0x38, 0xB8, 0x01, 0x7E, 0x00], 200).astype(np.uint8)
    values = np.array([fp8ref.decode(c, "e4m3fn") for c in z], np.float64)
    got = fp8ref.fma(x, y, z, format_c="e4m3fn", result="f32")
    assert codes(got) == rounded([a * b + c for a, b, c in fractions(x, y, values)], "f32")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_smallest_of_three_addends_is_not_jammed_first(order: tuple[int, ...]) -> None:
    """2**100 - 2**-50 + 2**-60 lies just below 2**100, as -(2**-50) + 2**-60 is negative."""
    terms = np.array([2.0**100, -(2.0**-50), 2.0**-60], np.float32)[list(order)]
    x, y, z = (np.array([term]).view(np.uint32) >> np.uint32(16) for term in terms)
    f = get_format("bf16")
    for rounding, want in (("rtz", 2.0**100 * (1 - 2.0**-8)), ("rne", 2.0**100)):
        task = Task("faa", (f, f, f), f, get_projection(f, rounding))
        got, status = compute_arrays(task, [v.astype(np.uint16) for v in (x, y, z)], True)
        assert got.tolist() == [int(np.array([want], np.float32).view(np.uint32)[0]) >> 16]
        assert status is not None
        assert status.tolist() == [Status.INEXACT]


@pytest.mark.parametrize("result", ["f16", "f32", "f64"])
def test_three_addends_that_nearly_cancel(result: str) -> None:
    """Two that leave a few of their last bits, or nothing, and a third from as large to far below these."""
    f32, rng = get_format("f32"), np.random.default_rng(4)
    n = 600
    x = np.ldexp(rng.integers(1 << 23, 1 << 24, n) * rng.choice([-1.0, 1.0], n), -23).astype(np.float32)
    y = -(x.view(np.uint32) + rng.integers(0, 3, n).astype(np.uint32)).view(np.float32)
    z = np.ldexp(rng.integers(1 << 23, 1 << 24, n) * rng.choice([-1.0, 1.0], n), rng.integers(-100, 1, n) - 23)
    terms = np.stack([x, y, z.astype(np.float32)])
    terms = np.take_along_axis(terms, np.array([rng.permutation(3) for _ in range(n)]).T, axis=0)
    assert serves("faa", (f32,) * 3, f32)
    got = fp8ref.faa(*terms, result=result, overflow="nonsat")
    assert codes(got) == rounded([a + b + c for a, b, c in fractions(*terms)], result)


def test_random_bits_of_a_double_below_a_power_of_two() -> None:
    """1 - 1.5 * 2**-61 lies 127.25 128ths of an ulp above 1 - 2**-53: 0.25 and a half do not carry."""
    x, y = np.array([1.0, 1.0]), np.array([1.5 * 2.0**-61] * 2)
    words = {"random_bits": np.array([0, 1], np.uint8), "random_width": 7}
    assert codes(fp8ref.subtract(x, y, rounding="sr-b", **words)) == codes(np.array([1 - 2.0**-53, 1.0]))


def test_remainders_of_any_gap() -> None:
    """Python's are exact, and a remainder of two float32 numbers is one; from alike to 250 binades apart."""
    rng = np.random.default_rng(6)
    x, y = (doubles(rng, 400, -120, 120).astype(np.float32) for _ in range(2))
    y[:150] = (x[:150].astype(np.float64) * rng.uniform(0.3, 3, 150)).astype(np.float32)
    want = [math.remainder(a, b) for a, b in zip(x.tolist(), y.tolist())]
    assert codes(fp8ref.remainder(x, y)) == codes(np.array(want, np.float32))
    alone = [
        fp8ref.remainder(x[i : i + 1], y[i : i + 1]) for i in range(100)
    ]  # of one exponent some, with no gap beside
    assert codes(np.concatenate(alone)) == codes(np.array(want[:100], np.float32))


def test_doubles_scaled_far_beyond_their_range() -> None:
    """By C's ldexp, which rounds once, to even."""
    rng = np.random.default_rng(7)
    x = np.concatenate([doubles(rng, 300, -1, 1), np.ones(300)])
    n = np.concatenate([np.arange(-1100, -1000, 2), np.arange(-5000, 5000, 40)] * 2)
    with np.errstate(over="ignore", under="ignore"):
        want = np.ldexp(x, n)
    assert codes(fp8ref.scale_b(x, n, overflow="nonsat")) == codes(want)


def test_zero_divisors_raise_flags_and_nothing_else() -> None:
    x, y = np.array([0, 1, -1, np.inf], np.float32), np.zeros(4, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, status = fp8ref.divide(x, y, flags=True)
        assert status.tolist() == [Status.INVALID, Status.DIVIDE_BY_ZERO, Status.DIVIDE_BY_ZERO, 0]
        _, status = fp8ref.remainder(x, y, flags=True)
        assert status.tolist() == [Status.INVALID] * 4


def test_infinities_of_formats_below_one() -> None:
    """The largest value is below one half, and what an infinity's code would be as a number is below 1."""
    f = spec.Format("low", 8, 3, 34, infinities=True, nans=spec.NaNs.IEEE)
    x = np.array([f.infinity_code, f.infinity_code | f.sign_bit, f.max_code, 0], np.uint8)
    logs = np.array([math.inf, math.inf, -4, -math.inf], np.float32)  # the largest value is 7/4 * 2**-4
    assert codes(fp8ref.log_b(x, f, result="f32", overflow="nonsat")) == codes(logs)
    got, status = fp8ref.round_to_integral(x, f, exact=True, overflow="nonsat", flags=True)
    assert got.tolist() == [int(x[0]), int(x[1]), 0, 0]
    assert status.tolist() == [0, 0, Status.INEXACT, 0]
