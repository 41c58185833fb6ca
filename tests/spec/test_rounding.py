"""The rounding table, mode by mode, as the standards' sentences say it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from second_oracles.exact import ABOVE_HALF, BELOW_HALF, EXACT, ROUNDINGS, TIE, Place, goes_up

from fp8ref import spec
from fp8ref.spec.rounding import RandomBits, Rounding, get_rounding, rounds_away

LONG = {
    "rne": "roundTiesToEven",
    "rna": "roundTiesToAway",
    "rtz": "roundTowardZero",
    "rtp": "roundTowardPositive",
    "rtn": "roundTowardNegative",
    "rto": "roundToOdd",
    "sr-a": "StochasticA",
    "sr-b": "StochasticB",
    "sr-c": "StochasticC",
}
PARTS = [Fraction(n, 64) for n in range(64)] + [Fraction(1, 2) + d * Fraction(2) ** -200 for d in (-1, 1)]
PARTS += [Fraction(2) ** -200, 1 - Fraction(2) ** -200]


def part_of(eta: Fraction) -> int:
    if eta == 0:
        return EXACT
    return BELOW_HALF if eta < Fraction(1, 2) else TIE if eta == Fraction(1, 2) else ABOVE_HALF


def test_the_deterministic_modes_are_these_six() -> None:
    assert tuple(m.value for m in spec.DETERMINISTIC) == ROUNDINGS


@pytest.mark.parametrize("mode", ROUNDINGS)
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("odd", [False, True])
def test_rounding_table(mode: str, negative: bool, odd: bool) -> None:
    for eta in PARTS:
        want = goes_up(Place(int(odd), part_of(eta)), mode, negative)
        assert rounds_away(Rounding(mode), eta, odd, negative) is want, eta


@pytest.mark.parametrize(("short", "long"), LONG.items())
def test_names(short: str, long: str) -> None:
    assert get_rounding(short) is get_rounding(long) is Rounding(short)
    assert Rounding(short).long_name == long
    assert Rounding(short).is_stochastic == short.startswith("sr")


@pytest.mark.parametrize("name", ["RNE", "nearest", "", None, 0])
def test_unknown_names(name: object) -> None:
    with pytest.raises(ValueError, match=r"unknown rounding .*choose from rne, rna, rtz, rtp, rtn, rto"):
        get_rounding(name)  # type: ignore[arg-type]


def p3109_stochastic(mode: str, v: Fraction, R: int, N: int) -> bool:
    """[P3109 v4.0 RoundToPrecision], with floor and RNITE in Python's own words."""
    if mode == "sr-a":
        return v * 2**N // 1 + R >= 2**N
    if mode == "sr-b":
        return v * 2 ** (N + 1) // 1 + 2 * R + 1 >= 2 ** (N + 1)
    return round(v * 2**N) + R >= 2**N  # Python's round is to nearest, ties to even


@pytest.mark.parametrize("mode", ["sr-a", "sr-b", "sr-c"])
@pytest.mark.parametrize("N", [1, 2, 3, 8])
def test_stochastic_modes(mode: str, N: int) -> None:
    for eta in PARTS:
        for R in range(2**N):
            got = rounds_away(Rounding(mode), eta, False, False, RandomBits(R, N))
            assert got == p3109_stochastic(mode, eta, R, N), (eta, R)


@pytest.mark.parametrize("mode", ["sr-a", "sr-b", "sr-c"])
def test_stochastic_modes_are_unbiased_to_their_resolution(mode: str) -> None:
    """Over all R, a part that N bits can hold goes up exactly that part of the time."""
    for n in range(16):
        ups = sum(rounds_away(Rounding(mode), Fraction(n, 16), False, True, RandomBits(R, 4)) for R in range(16))
        assert ups == n


def test_stochastic_modes_need_random_bits() -> None:
    with pytest.raises(ValueError, match="rounding 'sr-a' needs random bits"):
        spec.encode(1.1, "e4m3fn", "sr-a")
    assert spec.encode(1.1, "e4m3fn", "sr-a", random=RandomBits(255, 8))[0] == 0x39


@pytest.mark.parametrize(("value", "width"), [(2, 1), (-1, 8), (0, 0), (256, 8), (0, 65)])
def test_random_bits_fit_their_width(value: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"random bits: {value} is not an integer of {width} bits"):
        RandomBits(value, width)


def test_random_bits_have_1_to_64() -> None:
    assert RandomBits(1, 1).width == 1
    assert RandomBits((1 << 64) - 1, 64).width == 64
