"""Dynamic fixed point: formulas written here against the definition, that against arrays, and the absence of bias."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fp8ref.spec.rounding import RandomBits
from fp8ref.systems import dynamic_fixed_point as system

RNG = np.random.default_rng(4)
TENSORS = {
    "normal": RNG.standard_normal((6, 20)),
    "wide": RNG.standard_normal((5, 20)) * 10.0 ** RNG.integers(-30, 30, (5, 20)),
    "subnormal": RNG.standard_normal((3, 7)) * 1e-42,
    "power of two": np.array([[4.0, -4.0, 3.999, 1e-9, 2.0**-7]]),
    "near the top": np.array([[0.9999, -0.9999, -0.99, 0.5]]),
    "huge": RNG.standard_normal((3, 7)) * 1e38,
    "zeros": np.zeros((2, 2)),
}


def tensor(name: str) -> Any:
    return TENSORS[name].astype(np.float32)


def by_hand(x: float, largest: float, bits: int, random: tuple[int, int] | None) -> int:
    """The formula: integers and one power of two."""
    e = math.frexp(largest)[1]  # largest < 2**e
    units = abs(Fraction(x)) / Fraction(2) ** (e - bits + 1)
    if random is None:
        q = round(units)
    else:
        word, width = random
        q = math.floor(Fraction(math.floor(units * 2**width) + word, 2**width))
    return int(math.copysign(min(q, 2 ** (bits - 1) - 1), x))


@pytest.mark.parametrize("bits", [2, 4, 8, 11, 16])
@pytest.mark.parametrize("name", TENSORS)
def test_definition_and_arrays_are_the_formula(name: str, bits: int) -> None:
    x = tensor(name)
    largest = float(np.abs(x).max())
    exact = [Fraction(v) for v in x.reshape(-1).tolist()]
    exponent = system.exponent_exact(exact, bits)
    for width in (None, 1, 8, 24):
        words = None if width is None else RNG.integers(0, 1 << width, x.shape, np.uint32)
        found = system.to_fixed(x, bits, words, width or 8)
        drawn = [None] * x.size if words is None or width is None else [(w, width) for w in words.reshape(-1).tolist()]
        want = [by_hand(v, largest, bits, r) for v, r in zip(x.reshape(-1).tolist(), drawn)]
        assert found.codes.reshape(-1).tolist() == want
        assert found.exponent == exponent
        assert want == [
            system.code_exact(v, exponent, bits, None if r is None else RandomBits(*r)) for v, r in zip(exact, drawn)
        ]
        assert found.codes.dtype == (np.int8 if bits <= 8 else np.int16)


def test_over_all_random_words_there_is_no_bias_at_all() -> None:
    """Eight bits below the step, 256 words: their mean is the number itself, exactly."""
    step = 2.0**-7  # of 8 bits where the largest is just below 1
    x = (np.arange(-127 * 256, 127 * 256 + 1, 37) / 256 * step).astype(np.float32)
    x = np.append(x, np.float32(0.999))
    total = sum(system.to_fixed(x, 8, np.uint8(word), 8).codes.astype(np.int64) for word in range(256))
    np.testing.assert_array_equal(total[:-1] * step / 256, x[:-1].astype(np.float64))


def test_over_drawn_words_the_mean_is_within_four_and_a_half_sigma() -> None:
    """4000 words of 16 bits for 500 numbers: a mean of Bernoulli draws, and the chance of one false alarm is 0.4 %."""
    rng, repeats = np.random.default_rng(12), 4000
    x = np.append(rng.uniform(-0.99, 0.99, 500), 1 - 2.0**-9).astype(np.float32)
    total = np.zeros(x.size)
    for _ in range(repeats):
        total += system.to_fixed(x, 8, rng.integers(0, 1 << 16, x.size, np.uint16), 16).codes
    eta = np.abs(x.astype(np.float64)) * 128 % 1
    sigma = np.sqrt(eta * (1 - eta) / repeats)
    off = np.abs(total / repeats - x.astype(np.float64) * 128)[:-1]
    assert (off <= 4.5 * sigma[:-1] + 2.0**-16).all()
    assert off.max() < 0.036
    assert total[-1] == 127 * repeats  # above the largest code there is a limit, and so a bias: documented


def test_errors_are_below_a_step_and_half_a_step() -> None:
    x = tensor("normal")
    words = RNG.integers(0, 256, x.shape, np.uint8)
    for found, most in ((system.to_fixed(x, 8, words, 8), 1.0), (system.to_fixed(x, 8), 0.5)):
        step = 2.0**found.exponent
        inside = np.abs(x) <= 127 * step
        assert (np.abs(found.inverse() - x.astype(np.float64))[inside] <= most * step).all()


@pytest.mark.parametrize("exponent", [-200, -165, -160, -149, -20, 0, 90, 120])
def test_the_way_back_is_rounded_once(exponent: int) -> None:
    codes = np.concatenate([RNG.integers(-(2**31), 2**31, 900), [0, 1, -1, 2**24 + 1, 2**24 + 3, 2**31 - 1]])
    found = system.inverse(codes, exponent)
    for q, y in zip(codes.tolist(), found.tolist()):
        value = q * Fraction(2) ** exponent
        e = max(abs(q).bit_length() - 1 + exponent, -126)
        ulp = Fraction(2) ** (e - 23)
        nearest = round(value / ulp) * ulp
        if abs(nearest) >= 2**128:
            assert math.isinf(y)
            assert system.inverse_exact(q, exponent) is None
        else:
            assert Fraction(y) == nearest == system.inverse_exact(q, exponent)


@pytest.mark.parametrize("bits", [8, 16])
def test_products_are_exact(bits: int) -> None:
    a, b = (system.to_fixed(RNG.standard_normal(s).astype(np.float32), bits) for s in ((5, 300), (300, 4)))
    found = system.matmul(a, b)
    want = [[sum(x * y for x, y in zip(row, col)) for col in b.codes.T.tolist()] for row in a.codes.tolist()]
    assert found.codes.tolist() == want
    assert found.exponent == a.exponent + b.exponent


def test_what_does_not_fit_is_refused() -> None:
    x = np.ones(3, np.float32)
    for bad, message in (
        (lambda: system.to_fixed(np.full(2, np.inf, np.float32)), "finite"),
        (lambda: system.to_fixed(x, 17), "2 to 16"),
        (lambda: system.to_fixed(x, 8, np.full(3, 256), 8), "256 is not an integer of 8 bits"),
        (lambda: system.to_fixed(x, 8, np.zeros(3, np.uint8), 25), "1 to 24"),
    ):
        with pytest.raises(ValueError, match=message):
            bad()
    with pytest.raises(TypeError, match="float64"):
        system.to_fixed(np.ones(3))


def test_averages_of_stochastic_roundings_approach_the_number() -> None:
    found = system.averages([1, 16, 256], n=1 << 10)
    once, some, many = found["stochastic"]
    assert 0.4 < once < 0.42  # a Bernoulli draw of uniform chance: 1 / sqrt(6)
    assert 3.5 < once / some < 4.5
    assert 3.5 < some / many < 4.5
    assert found["nearest"][0] == found["nearest"][2] == pytest.approx(1 / math.sqrt(12), rel=0.05)
