"""Every code of every format of at most 8 bits, and the wide formats, against their specifications' tables."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction

import numpy as np
import pytest
from second_oracles.exact import TABLES, Table
from short import over

from fp8ref import spec

TWO = Fraction(2)

# name: k, p, bias, emin, emax, {code: value} of the extreme values, as the specifications print them
PRINTED = {
    # OCP OFP8 1.0 table 1: max normal, min normal, max subnormal, min subnormal
    "e4m3fn": (8, 4, 7, -6, 8, {0x7E: 448, 0x08: TWO**-6, 0x07: Fraction(7, 8) * TWO**-6, 0x01: TWO**-9}),
    "e5m2": (8, 3, 15, -14, 15, {0x7B: 57344, 0x04: TWO**-14, 0x03: Fraction(3, 4) * TWO**-14, 0x01: TWO**-16}),
    # LLVM APFloat: maxExponent, minExponent, precision, width
    "e4m3": (8, 4, 7, -6, 7, {0x77: 240, 0x01: TWO**-9}),
    "e3m4": (8, 5, 3, -2, 3, {0x6F: Fraction(31, 2), 0x01: TWO**-6}),
    "e4m3fnuz": (8, 4, 8, -7, 7, {0x7F: 240, 0x01: TWO**-10}),
    "e5m2fnuz": (8, 3, 16, -15, 15, {0x7F: 57344, 0x01: TWO**-17}),
    "e4m3b11fnuz": (8, 4, 11, -10, 4, {0x7F: 30, 0x01: TWO**-13}),
    # OCP MX 1.0, 5.3 and 5.4: max, min normal, min subnormal
    "e8m0fnu": (8, 1, 127, -127, 127, {0x00: TWO**-127, 0x7F: 1, 0xFE: TWO**127}),
    "e3m2fn": (6, 3, 3, -2, 4, {0x1F: 28, 0x04: Fraction(1, 4), 0x01: Fraction(1, 16)}),
    "e2m3fn": (6, 4, 1, 0, 2, {0x1F: Fraction(15, 2), 0x08: 1, 0x01: Fraction(1, 8)}),
    "e2m1fn": (4, 2, 1, 0, 2, dict(enumerate([Fraction(n, 2) for n in (0, 1, 2, 3, 4, 6, 8, 12)]))),
    "mxint8": (8, 7, 1, 0, 0, {0x7F: Fraction(127, 64), 0x80: -2, 0x81: Fraction(-127, 64), 0x01: Fraction(1, 64)}),
    # CUDA 13.5 UE5M3; E4M3 without its sign
    "ue4m3": (7, 4, 7, -6, 8, {0x7E: 448, 0x08: TWO**-6, 0x01: TWO**-9}),
    "ue5m3": (8, 4, 15, -14, 16, {0xFE: 114688, 0x08: TWO**-14, 0x01: TWO**-17}),
    # P3109 v4.0
    "binary8p4se": (8, 4, 8, -7, 7, {0x7E: 224, 0x40: 1}),
    "binary8p4sf": (8, 4, 8, -7, 7, {0x7F: 240, 0x40: 1}),
    "binary8p3se": (8, 3, 16, -15, 15, {0x7E: 49152, 0x40: 1}),
    "binary8p1uf": (8, 1, 128, -127, 126, {0x00: 0, 0x80: 1, 0xFE: TWO**126}),
}


@over("table", TABLES.values())
def test_every_code(table: Table) -> None:
    for code in range(2**table.k):
        kind, sign, value = table.meaning(code)
        datum = spec.decode(code, table.name)
        assert datum.kind.value == kind, hex(code)
        if kind == "finite":
            assert (datum.value, datum.sign) == (value, sign), hex(code)
        if kind == "infinite":
            assert datum.sign == sign, hex(code)
        if kind == "nan" and table.negative_zero and table.signed:
            assert datum.sign == sign, hex(code)


def test_the_tables_cover_the_catalogue() -> None:
    assert set(TABLES) == {f.name for f in spec.formats() if f.k <= 8}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_parameters_and_extreme_values(name: str) -> None:
    k, p, bias, emin, emax, extremes = PRINTED[name]
    f = spec.get_format(name)
    assert (f.k, f.p, f.bias, f.emin, f.emax) == (k, p, bias, emin, emax)
    assert f.t == p - 1
    for code, value in extremes.items():
        assert spec.decode(code, name).value == value, hex(code)


@over("table", TABLES.values())
def test_derived_properties(table: Table) -> None:
    """max, lowest, the smallest values and values() say what the list of values says."""
    f = spec.get_format(table.name)
    values = sorted({v for c in range(2**table.k) if (v := table.meaning(c)[2]) is not None})
    assert f.values() == tuple(values)
    assert (f.max, f.lowest) == (values[-1], values[0])
    assert f.min_subnormal == min(v for v in values if v > 0)
    assert f.nan_canonical == table.canonical
    assert f.has_nan == bool(table.nans)
    assert f.has_negative_zero == (table.signed and table.negative_zero)
    assert [c for c in range(2**f.k) if f.is_nan_code(c)] == sorted(table.nans)


@over("table", TABLES.values())
def test_pack_inverts_unpack(table: Table) -> None:
    f = spec.get_format(table.name)
    for code in range(2**f.k):
        assert spec.pack(spec.unpack(code, f), f) == code


def test_half_precision_as_numpy_reads_it() -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    for code, x in zip(codes.tolist(), codes.view(np.float16).astype(np.float64).tolist()):
        same_datum(code, "f16", x)


@pytest.mark.parametrize(
    ("name", "letters", "shift"), [("f32", "If", 0), ("f64", "Qd", 0), ("bf16", "If", 16), ("tf32", "If", 13)]
)
def test_wide_formats_as_struct_reads_them(name: str, letters: str, shift: int) -> None:
    f = spec.get_format(name)
    draw = random.Random(name)
    edges = [0, 1, (1 << f.t) - 1, 1 << f.t, f.infinity_code - 1, f.infinity_code, f.infinity_code + 1]
    codes = edges + [c | f.sign_bit for c in edges] + [draw.getrandbits(f.k) for _ in range(2000)]
    for code in codes:
        (x,) = struct.unpack(letters[1], struct.pack(letters[0], code << shift))
        same_datum(code, name, x)


def same_datum(code: int, name: str, x: float) -> None:
    datum = spec.decode(code, name)
    assert datum.is_nan == math.isnan(x)
    assert datum.is_infinite == math.isinf(x)
    if not datum.is_nan:
        assert datum.sign == (math.copysign(1, x) < 0)
    if datum.is_finite:
        assert datum.value == Fraction(x)


def test_quiet_and_signalling_payloads() -> None:
    assert spec.decode(0x7FC00000, "f32").payload == Fraction(1, 2)
    assert spec.decode(0xFFA00000, "f32").payload == Fraction(1, 4)
    assert spec.decode(0x7D, "e5m2").payload == Fraction(1, 4)


@pytest.mark.parametrize(("code", "name"), [(0x7F, "e4m3fn"), (0xFF, "e8m0fnu"), (0x80, "e5m2fnuz"), (0xFF, "ue5m3")])
def test_a_format_without_payloads_has_no_signalling_nan(code: int, name: str) -> None:
    # IEEE 754-2019 7.2 a: invalid is for signalling NaNs; these formats have one NaN and do not say that it signals
    nan = spec.decode(code, name).with_sign(0)
    assert spec.encode(nan, "e5m2") == (0x7F, 0)
    assert spec.encode(nan, "f32", nan="payload") == (0x7FC00000, 0)  # the quiet bit alone


@pytest.mark.parametrize(("code", "name"), [(256, "e4m3fn"), (-1, "e4m3fn"), (128, "ue4m3"), (16, "e2m1fn")])
def test_a_code_outside_the_format(code: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"is not a code of {name}, which has {spec.get_format(name).k} bits"):
        spec.decode(code, name)


@pytest.mark.parametrize(
    ("datum", "name", "message"),
    [
        (spec.Datum.finite(Fraction(1, 3)), "e4m3fn", "no code for the magnitude 1/3"),
        (spec.Datum.finite(480), "e4m3fn", "no code for the magnitude 480"),
        (spec.Datum.finite(-1), "ue5m3", "ue5m3 is unsigned"),
        (spec.Datum.finite(2), "mxint8", "mxint8 has no code for"),
        (spec.Datum.finite(Fraction(1, 128)), "mxint8", "mxint8 has no code for"),
        (spec.Datum.infinity(), "e4m3fn", "e4m3fn has no infinity"),
        (spec.Datum.nan(), "e2m1fn", "e2m1fn has no NaN"),
        (spec.Datum.finite(0), "e8m0fnu", "no code for the magnitude 0"),
    ],
)
def test_pack_rounds_nothing(datum: spec.Datum, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec.pack(datum, spec.get_format(name))


def test_fixed_point_has_no_exponent_field() -> None:
    f = spec.get_format("mxint8")  # OCP MX 1.0 5.3.4: two's complement in units of 2**-6
    assert (f.w, f.t, f.emin, f.emax) == (0, 6, 0, 0)


def test_values_of_a_wide_format() -> None:
    with pytest.raises(ValueError, match="at most 16 bits"):
        spec.get_format("f32").values()
