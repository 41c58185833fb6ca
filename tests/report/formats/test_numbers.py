"""Numbers as text, against Python's decimal module and its hexadecimal floats."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest

from fp8ref.report.formats.numbers import decimal_text, exact_text, hex_text, is_short, scaled_text, ulps_text

F = Fraction


def _samples() -> list[Fraction]:
    rng = random.Random(1)
    dyadic = [
        F(rng.getrandbits(rng.choice((1, 3, 10, 24, 53))), 1) * F(2) ** rng.randint(-160, 140) for _ in range(400)
    ]
    ratios = [F(rng.randint(-(10**6), 10**6), rng.randint(1, 10**5)) for _ in range(200)]
    return [*dyadic, *(-x for x in dyadic[:50]), *ratios, F(0), F(10) ** 12, F(10) ** 13, F(999999999999), F(1, 10**5)]


@pytest.mark.parametrize("short", [4, 12])
def test_decimals_are_exact_or_correctly_rounded(short: int) -> None:
    context = Context(prec=2000)
    for x in _samples():
        text = decimal_text(x, short=short)
        exact = context.divide(Decimal(x.numerator), Decimal(x.denominator))
        value = Decimal(text.removeprefix("~"))
        if text.startswith("~"):
            digits = 6 if "e" in text else 9
            assert value == Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(exact), x
            assert not is_short(x, short)
        else:
            assert F(text) == x
            assert len(text.replace("-", "").replace(".", "").partition("e")[0].strip("0")) <= short
            assert is_short(x, short)


def test_a_decimal_that_is_not_marked_reads_back() -> None:
    for x in _samples():
        if not (text := decimal_text(x)).startswith("~"):
            assert F(text) == x


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (F(0), "0"),
        (F(448), "448"),
        (F(1, 512), "0.001953125"),
        (F(1, 65536), "1.52587890625e-5"),
        (F(2) ** 40, "~1.09951e+12"),
        (F(3, 10), "0.3"),
        (F(1, 3), "~0.333333333"),
        (F(-464) - F(1, 2**15), "~-464.000031"),
    ],
)
def test_decimals_typed(x: Fraction, text: str) -> None:
    assert decimal_text(x) == text


def test_hexadecimal_floats_read_back_through_python() -> None:
    for x in _samples():
        if x.denominator & (x.denominator - 1) == 0 and abs(x.numerator) < 2**53:
            assert F(float.fromhex(hex_text(x))) == x
    assert hex_text(F(13421773, 2**25)) == "0x1.99999Ap-2"
    assert hex_text(F(1)) == "0x1p+0"


@pytest.mark.parametrize(
    ("x", "emin", "text"),
    [
        (F(1, 512), -6, "0.125 x 2^-6"),
        (F(1, 512), None, "1 x 2^-9"),
        (F(448), -6, "1.75 x 2^8"),
        (F(-57344), -14, "-1.75 x 2^15"),
        (F(13421773, 2**27), -126, "0x1.99999Ap-4"),
        (F(0), -6, "0"),
    ],
)
def test_scaled(x: Fraction, emin: int | None, text: str) -> None:
    assert scaled_text(x, emin) == text


@pytest.mark.parametrize(
    ("eta", "text"),
    [
        (F(1, 2), "1/2 ulp"),
        (F(3, 5), "3/5 ulp"),
        (F(1, 2) + F(1, 2**20), "(1/2 + 2^-20) ulp"),
        (F(1, 2) - F(3, 2**20), "(1/2 - ~2.86e-6) ulp"),
        (F(1, 2**30), "2^-30 ulp"),
        (1 - F(1, 2**30), "(1 - 2^-30) ulp"),
        (F(9830401, 2**24), "~0.585938 ulp"),
    ],
)
def test_parts_of_an_ulp(eta: Fraction, text: str) -> None:
    assert ulps_text(eta) == text


def test_exact_text() -> None:
    assert exact_text(F(5, 16)) == "0.3125"
    assert exact_text(F(2) ** -127) == "0x1p-127"
    assert exact_text(F(1, 3)) == "1/3"
