"""Data: numbers, infinities and NaNs, and the exact logarithm."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from fp8ref.spec import Datum
from fp8ref.spec.datum import floor_log2, power_of_two


def test_python_floats_are_the_data_that_they_are() -> None:
    assert Datum.of(0.1).value == Fraction(3602879701896397, 2**55)
    assert Datum.of(-0.0).sign == 1
    assert Datum.of(-0.0).is_zero
    assert Datum.of(-math.inf) == Datum.infinity(1)
    assert Datum.of(math.nan).is_nan
    assert Datum.of(-3).value == -3
    assert Datum.of(Datum.nan(1)) == Datum.nan(1)


@pytest.mark.parametrize("value", [True, "1", None, 1j])
def test_other_things_are_no_values(value: object) -> None:
    with pytest.raises(TypeError, match="a value must be an int, a Fraction, a float or a Datum, not"):
        Datum.of(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("datum", [Datum.nan(), Datum.infinity()])
def test_only_finite_data_have_a_value(datum: Datum) -> None:
    with pytest.raises(ValueError, match="has no finite value"):
        datum.value


def test_how_data_print() -> None:
    assert [str(d) for d in (Datum.finite(Fraction(-1, 2)), Datum.infinity(), Datum.nan(1))] == [
        "-1/2",
        "+Inf",
        "-NaN(payload 1/2)",
    ]


def test_floor_log2_is_exact() -> None:
    """It is the e with 2**e <= x < 2**(e+1), checked by that sentence."""
    draw = random.Random(1)
    cases = [Fraction(draw.getrandbits(80) + 1, draw.getrandbits(80) + 1) for _ in range(500)]
    cases += [Fraction(2) ** e + d for e in range(-70, 70) for d in (0, Fraction(2) ** -90)]
    cases += [Fraction(2) ** e - Fraction(2) ** -90 for e in range(-70, 70)]
    for x in cases:
        e = floor_log2(x)
        assert Fraction(2) ** e <= x < Fraction(2) ** (e + 1)
        assert power_of_two(e) == Fraction(2) ** e
    for x in (Fraction(0), Fraction(-1)):
        with pytest.raises(ValueError, match="log2 needs a positive number"):
            floor_log2(x)
