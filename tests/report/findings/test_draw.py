"""Codes and cases drawn; expected lines are typed from the OCP tables and from IEEE 754."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import pytest
from short import of_each_kind, over

from fp8ref.cases.operation import Operation
from fp8ref.report.findings.draw import bit_fields, case_id, class_name, draw_case, draw_code, drawn, repro_command
from fp8ref.report.findings.neighbours import neighbours
from fp8ref.report.formats.format_page import census
from fp8ref.spec import Datum, Format, formats, get_format

F = Fraction
NARROW = [f for f in formats() if f.k <= 8]


@pytest.mark.parametrize(
    ("format", "code", "line"),
    [
        ("e4m3fn", 0x00, "0x00  0 0000 000   +0"),
        ("e4m3fn", 0x80, "0x80  1 0000 000   -0"),
        ("e4m3fn", 0x01, "0x01  0 0000 001   +0.001953125 = +0.125 x 2^-6  subnormal"),
        ("e4m3fn", 0x02, "0x02  0 0000 010   +0.00390625 = +0.25 x 2^-6  subnormal"),
        ("e4m3fn", 0x07, "0x07  0 0000 111   +0.013671875 = +0.875 x 2^-6  subnormal"),
        ("e4m3fn", 0x08, "0x08  0 0001 000   +0.015625 = +1 x 2^-6"),
        ("e4m3fn", 0xFE, "0xFE  1 1111 110   -448 = -1.75 x 2^8"),
        ("e4m3fn", 0x7F, "0x7F  0 1111 111   +NaN"),
        ("e4m3fn", 0xFF, "0xFF  1 1111 111   -NaN"),
        ("e5m2", 0x03, "0x03  0 00000 11   +4.57763671875e-5 = +0.75 x 2^-14  subnormal"),
        ("e5m2", 0x7B, "0x7B  0 11110 11   +57344 = +1.75 x 2^15"),
        ("e5m2", 0xFC, "0xFC  1 11111 00   -Inf"),
        ("e5m2", 0x7D, "0x7D  0 11111 01   +NaN  signalling"),
        ("e5m2", 0xFE, "0xFE  1 11111 10   -NaN  quiet"),
        ("e4m3fnuz", 0x80, "0x80  1 0000 000   NaN"),
        ("e3m2fn", 0x1F, "0x1F  0 111 11   +28 = +1.75 x 2^4"),
        ("e2m3fn", 0x1F, "0x1F  0 11 111   +7.5 = +1.875 x 2^2"),
        ("e2m1fn", 0x7, "0x7  0 11 1   +6 = +1.5 x 2^2"),
        ("e2m1fn", 0x1, "0x1  0 00 1   +0.5 = +0.5 x 2^0  subnormal"),
        ("mxint8", 0x7F, "0x7F  01.111111   +1.984375 = +127 x 2^-6"),
        ("mxint8", 0x80, "0x80  10.000000   -2 = -128 x 2^-6"),
        ("mxint8", 0xFF, "0xFF  11.111111   -0.015625 = -1 x 2^-6"),
        ("e8m0fnu", 0x00, "0x00  00000000   ~+5.87747e-39 = +2^-127"),
        ("e8m0fnu", 0x7F, "0x7F  01111111   +1 = +2^0"),
        ("e8m0fnu", 0xFF, "0xFF  11111111   NaN"),
        ("ue5m3", 0xFE, "0xFE  11111 110   +114688 = +1.75 x 2^16"),
        ("binary8p4se", 0x7F, "0x7F  0 1111 111   +Inf"),
        ("f16", 0x1A00, "0x1A00  0 00110 1000000000   +0.0029296875 = +1.5 x 2^-9"),
        ("bf16", 0x3F8D, "0x3F8D  0 01111111 0001101   +1.1015625 = +1.1015625 x 2^0"),
        ("f32", 0x3E99999A, "0x3E99999A  0 01111101 00110011001100110011010   ~+0.300000012 = +0x1.333334p-2"),
        ("f32", 0x80000001, "0x80000001  1 00000000 00000000000000000000001   -0x1p-149  subnormal"),
        ("f64", 0x3FD3333333333333, "0x3FD3333333333333  0 01111111101 ..   ~+0.3 = +0x1.3333333333333p-2"),
    ],
)
def test_codes(format: str, code: int, line: str) -> None:
    assert draw_code(code, format) == line


def test_a_code_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="0x100 is not a code of e4m3fn"):
        draw_code(0x100, "e4m3fn")


@pytest.mark.parametrize(
    ("type_", "code", "columns"),
    [
        ("i8", 0xFD, ("0xFD", "11111101", "-3")),
        ("i8", -3, ("0xFD", "11111101", "-3")),
        ("u8", 0xFD, ("0xFD", "11111101", "+253")),
        ("i64", 0x8000000000000000, ("0x8000000000000000", "", "-9223372036854775808")),
    ],
)
def test_integers(type_: str, code: int, columns: tuple[str, str, str]) -> None:
    row = drawn(code, type_)
    assert (row.code, row.fields, row.value) == columns


@pytest.mark.parametrize(("type_", "code"), [("i8", 256), ("u8", -1), ("i8", -129)])
def test_integers_out_of_range(type_: str, code: int) -> None:
    with pytest.raises(ValueError, match=f"is not a code of {type_}"):
        drawn(code, type_)


def _value(code: int, f: Format) -> Fraction:
    """The value formula of the standards, from the parameters alone."""
    if f.fixed_point:
        return F(code - 2**f.k if code >> (f.k - 1) else code, 2**f.t)
    magnitude = code % 2 ** (f.k - f.signed)
    exponent, trailing = divmod(magnitude, 2**f.t)
    if exponent == 0 and f.zero:
        value = F(trailing, 2**f.t) * F(2) ** (1 - f.bias)
    else:
        value = (1 + F(trailing, 2**f.t)) * F(2) ** (exponent - f.bias)
    return -value if f.signed and code >> (f.k - 1) else value


@over("f", NARROW)
def test_every_drawn_value_is_the_value_of_the_code(f: Format) -> None:
    for code in range(2**f.k):
        row = drawn(code, f)
        assert row.fields.replace(" ", "").replace(".", "") == f"{code:0{f.k}b}"
        if "NaN" in row.value or "Inf" in row.value:
            continue
        decimal, _, scaled = row.value.partition(" = ")
        if scaled:
            significand, power = re.fullmatch(r"([+-])(?:([\d.]+) x )?2\^-?\d+", scaled), scaled.rpartition("^")[2]
            assert significand is not None, scaled
            value = F(significand[1] + (significand[2] or "1")) * F(2) ** int(power)
            assert value == _value(code, f)
        if not decimal.startswith("~"):
            assert F(decimal) == _value(code, f)


def test_classes_of_e4m3_and_e5m2() -> None:
    for code in range(256):
        magnitude = code & 0x7F
        e4m3 = "zero" if not magnitude else "subnormal" if magnitude < 8 else "NaN" if magnitude == 127 else "normal"
        assert class_name(code, get_format("e4m3fn")) == e4m3
        e5m2 = "zero" if not magnitude else "subnormal" if magnitude < 4 else "normal"
        e5m2 = {0x7C: "infinity", 0x7D: "NaN signalling", 0x7E: "NaN quiet", 0x7F: "NaN quiet"}.get(magnitude, e5m2)
        assert class_name(code, get_format("e5m2")) == e5m2


@over("f", NARROW)
def test_census_counts_classes(f: Format) -> None:
    found = Counter(class_name(code, f).partition(" ")[0] for code in range(2**f.k))
    assert found == Counter(census(f))


def test_census_of_wide_formats_is_whole() -> None:
    for f in formats():
        assert sum(census(f).values()) == 2**f.k
    assert census(get_format("f16")) == {"normal": 61440, "subnormal": 2046, "zero": 2, "infinity": 2, "NaN": 2046}


def test_fields() -> None:
    assert bit_fields(0b101_01, get_format("e2m2fn")) == "1 01 01"
    assert bit_fields(0x5, get_format("e0m3fn")) == "0 101"
    assert bit_fields(0x85, get_format("binary8p1se")) == "1 0000101"


STYLE_BLOCK = """\
  input  f16    0x1A00  0 00110 1000000000   +0.0029296875 = +1.5 x 2^-9
  exact  0.001953125 [0x01] + 1/2 ulp, next up 0.00390625 [0x02]
  want   e4m3fn 0x02    0 0000 010           +0.00390625 = +0.25 x 2^-6  subnormal
  got    e4m3fn 0x01    0 0000 001           +0.001953125 = +0.125 x 2^-6  subnormal
  why    tie resolved to the odd code
  spec   IEEE 754-2019 4.3.1 roundTiesToEven
  repro  fp8ref show e4m3fn --from f16:1A00 --overflow nonsat"""


def test_a_case() -> None:
    op = Operation.parse("convert/f16/e4m3fn/rne.nonsat")
    assert draw_case(op, [0x1A00], 0x02, 0x01, "tie resolved to the odd code") == STYLE_BLOCK
    assert case_id(op, [0x1A00]) == "convert/f16/e4m3fn/rne.nonsat#1A00"


def test_a_case_with_everything_given() -> None:
    op = Operation.parse("decode/e4m3fn/f32")
    block = draw_case(op, [0x01], 0x3B000000, clause="mx/6.3", repro="run me")
    assert block.splitlines() == [
        "  input  e4m3fn 0x01        0 0000 001   +0.001953125 = +0.125 x 2^-6  subnormal",
        "  want   f32    0x3B000000  0 01110110 00000000000000000000000   +0.001953125 = +1 x 2^-9",
        "  spec   OCP MX 1.0 6.3: how a block's scale is chosen",
        "  repro  run me",
    ]


def test_a_case_with_an_answer_that_is_no_code() -> None:
    block = draw_case(Operation.parse("convert/f32/e2m1fn/rne.sat"), [0x3F800000], 0x2, 0x42)
    assert "  got    e2m1fn 0x42 " in block
    assert block.splitlines()[3].endswith("not a code of e2m1fn")


@pytest.mark.parametrize(
    ("id_", "code", "command"),
    [
        ("convert/f32/e4m3fn/rne.sat", 0x3F8CCCCD, "fp8ref show e4m3fn --from f32:3F8CCCCD"),
        ("convert/i8/e5m2/rtz.max-inf", -3, "fp8ref show e5m2 --from i8:FD --rounding rtz --overflow max-inf"),
        ("convert/f32/e4m3fn/rne.sat;nan=zero", 1, "fp8ref explain 'convert/f32/e4m3fn/rne.sat;nan=zero#00000001'"),
        ("decode/e4m3fn/f32", 1, "fp8ref explain 'decode/e4m3fn/f32#01'"),
    ],
)
def test_repro_commands(id_: str, code: int, command: str) -> None:
    assert repro_command(Operation.parse(id_), [code]) == command


@over("f", NARROW, of_each_kind(NARROW))
def test_neighbours_by_brute_force(f: Format) -> None:
    """Against all values of the format, sorted; between neighbours at several places, both signs."""
    special = {code for code in range(2**f.k) if "NaN" in class_name(code, f) or "infinity" in class_name(code, f)}
    magnitudes = sorted({abs(_value(code, f)) for code in range(2 ** (f.k - f.signed)) if code not in special})
    for sign in (0, 1) if f.signed else (0,):
        for a, b in pairwise(magnitudes):
            for part in (F(0), F(1, 1000), F(1, 2), F(999, 1000)):
                n = neighbours(Datum.finite(a + part * (b - a)).with_sign(sign), f)
                assert n is not None
                inner, outer = (-a, -b) if sign else (a, b)
                assert (n.inner, n.outer, n.eta) == (inner, outer, part)
                assert n.outer_code is not None
                assert _value(n.outer_code, f) == outer
                assert n.inner_code is not None
                assert _value(n.inner_code, f) == inner


@pytest.mark.parametrize(
    ("value", "format", "text"),
    [
        (F(464), "e4m3fn", "448 [0x7E] + 1/2 ulp, next up 480 [no code]"),
        (F(-464), "e4m3fn", "-448 [0xFE] - 1/2 ulp, next down -480 [no code]"),
        (F(480), "e4m3fn", "beyond 448 [0x7E], the largest value"),
        (F(-1), "e4m3fn", "-1 [0xB8] exactly"),
        (F(-3), "mxint8", "beyond -2 [0x80], the most negative value"),
        (F(2) ** -130, "e8m0fnu", "below 2^-127 [0x00], the smallest value: e8m0fnu has no zero"),
        (F(0), "e8m0fnu", "below 2^-127 [0x00], the smallest value: e8m0fnu has no zero"),
    ],
)
def test_neighbours_in_words(value: Fraction, format: str, text: str) -> None:
    n = neighbours(Datum.finite(value), get_format(format))
    assert n is not None
    assert n.text == text


def test_no_neighbours() -> None:
    assert neighbours(Datum.nan(), get_format("e5m2")) is None
    assert neighbours(Datum.infinity(), get_format("e5m2")) is None
    assert neighbours(Datum.finite(-1), get_format("ue4m3")) is None
