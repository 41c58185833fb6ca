"""Tables and claims of "FP8 Formats for Deep Learning" (arXiv 2209.05433), against the formats and ml_dtypes."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref.spec import NaNs, get_format
from fp8ref.systems.fp8_formats import binades, nan_codes, sqnr, table

E4M3, E5M2, E3M4 = map(get_format, ("e4m3fn", "e5m2", "e3m4fn"))


def test_the_paper_s_table() -> None:
    """Table 1: bias, largest, smallest normal and smallest subnormal values, infinities and NaNs in binary."""
    assert (E4M3.bias, E5M2.bias) == (7, 15)
    codes = {
        E4M3: {"max": 0b1111110, "min normal": 0b0001000, "max subnormal": 0b0000111, "min subnormal": 0b0000001},
        E5M2: {"max": 0b1111011, "min normal": 0b0000100, "max subnormal": 0b0000011, "min subnormal": 0b0000001},
    }
    values = {
        E4M3: {"max": 448, "min normal": 2**-6, "max subnormal": 0.875 * 2**-6, "min subnormal": 2**-9},
        E5M2: {"max": 57344, "min normal": 2**-14, "max subnormal": 0.75 * 2**-14, "min subnormal": 2**-16},
    }
    for f in (E4M3, E5M2):
        assert {name: f.magnitude(code) for name, code in codes[f].items()} == values[f]
        assert (f.max, f.min_normal, f.min_subnormal) == tuple(
            map(Fraction, (values[f]["max"], values[f]["min normal"], values[f]["min subnormal"]))
        )
    assert [c for c in range(256) if E4M3.is_nan_code(c)] == [0b0_1111_111, 0b1_1111_111]
    assert not E4M3.infinities
    assert [c & 0x7F for c in range(128) if E5M2.is_nan_code(c)] == [0b11111_01, 0b11111_10, 0b11111_11]
    assert E5M2.infinity_code == 0b11111_00
    assert E5M2.nans is NaNs.IEEE


def test_the_third_format_of_the_emulation_toolkit() -> None:
    """Bias 3, largest 30, smallest normal 2**-2, smallest subnormal 2**-6, no infinity."""
    assert (E3M4.bias, E3M4.max, E3M4.min_normal, E3M4.min_subnormal) == (3, 30, Fraction(1, 4), Fraction(1, 64))
    assert not E3M4.infinities


def test_counts() -> None:
    assert [len(f.values()) for f in (E4M3, E5M2)] == [253, 247]
    assert [nan_codes(f) for f in (E4M3, E5M2)] == [2, 6]


def test_what_e4m3_gains_over_ieee_s_rules() -> None:
    """Seven more magnitudes, up to 448 instead of 240: one binade."""
    ieee = get_format("e4m3")
    assert (E4M3.max, ieee.max) == (448, 240)
    assert (binades(E4M3), binades(ieee), binades(E5M2)) == (18, 17, 32)
    gained = set(E4M3.values()) - set(ieee.values())
    assert sorted(v for v in gained if v > 0) == [256, 288, 320, 352, 384, 416, 448]


def test_e5m2_is_the_upper_byte_of_binary16() -> None:
    codes = np.arange(256, dtype=np.uint16)
    wide = (codes << 8).view(np.float16).astype(np.float32)
    np.testing.assert_array_equal(fp8ref.decode(codes.astype(np.uint8), "e5m2"), wide)


@pytest.mark.parametrize("f", [E4M3, E5M2], ids=str)
def test_values_sort_as_their_codes(f: fp8ref.Format) -> None:
    """Sign and magnitude: non-negative codes ascend with their values, NaNs apart, and the sign bit alone negates."""
    values = fp8ref.decode(np.arange(128, dtype=np.uint8), f)
    finite = values[np.isfinite(values)]
    assert np.all(np.diff(finite) > 0)
    np.testing.assert_array_equal(fp8ref.decode(np.arange(128, 256, dtype=np.uint8), f), -values)


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_every_half_becomes_ml_dtypes_code(name: str) -> None:
    """All 2**16 binary16 and bfloat16 numbers, non-saturating; NaNs as a class."""
    dtype = np.dtype(getattr(ml_dtypes, f"float8_{name}"))
    for source in (np.float16, ml_dtypes.bfloat16):
        x = np.arange(1 << 16, dtype=np.uint16).view(source)
        with np.errstate(invalid="ignore"):
            ours, theirs = fp8ref.encode(x, name, overflow="nonsat"), x.astype(dtype)
        number = ~np.isnan(theirs.astype(np.float32))
        assert np.array_equal(ours[number], theirs.view(np.uint8)[number])
        assert np.isnan(fp8ref.decode(ours[~number], name)).all()
    codes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(fp8ref.decode(codes, name), codes.view(dtype).astype(np.float32))


def test_the_rounding_error_of_normal_data() -> None:
    """A million samples within 4 standard errors; far out of range nothing is left, far below nothing either."""
    x = np.random.default_rng(4).standard_normal(1_000_000)
    for f in (E4M3, E5M2, E3M4):
        for sigma in (1.0, 2.0**-7):
            error = (fp8ref.quantize(x * sigma, f) / sigma - x) ** 2
            expected = 10 ** (-float(sqnr(f, [sigma])[0]) / 10)
            assert abs(error.mean() - expected) < 4 * error.std() / 1000
    assert sqnr("e4m3fn", [1.0])[0] == pytest.approx(31.5211, abs=5e-5)
    assert sqnr("e5m2", [1.0])[0] == pytest.approx(25.5430, abs=5e-5)
    assert sqnr("e4m3fn", [2.0**-20])[0] == pytest.approx(0, abs=1e-9)
    assert sqnr("mxint8", [Fraction(63, 256)])[0] > 30


def test_two_s_complement_is_not_symmetric() -> None:
    """At sigma so large that everything saturates, the means of both ends: -2 and 127/64."""
    sigma = 1e6
    m1 = math.sqrt(2 / math.pi)  # E|x|
    q = (127 / 64 + 2) / 2 / sigma
    qq = ((127 / 64) ** 2 + 4) / 2 / sigma**2
    assert sqnr("mxint8", [sigma])[0] == pytest.approx(-10 * math.log10(1 - 2 * q * m1 + qq), abs=1e-10)


def test_the_shown_table() -> None:
    rows = {row[0]: row[1:] for row in table().rows}
    assert rows["e4m3fn"] == ("7", "448", "0.015625", "0.00195312", "no", "2", "253", "18", "31.521")
    assert rows["e5m2"][:2] == ("15", "57344")
    assert rows["e5m2"][4:] == ("yes", "6", "247", "32", "25.543")
