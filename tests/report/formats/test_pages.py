"""The page of a format, the number lines and the table of values."""

from __future__ import annotations

import math
import re
from collections import Counter
from fractions import Fraction

import pytest
from short import of_each_kind, over

from fp8ref.report.findings.neighbours import neighbours
from fp8ref.report.formats.code_page import beside_code, code_page, formula
from fp8ref.report.formats.format_page import bit_picture, extremes, format_page, names, value_table
from fp8ref.report.formats.scale import MARGIN, SPAN, LogScale, log_scale, value_line
from fp8ref.spec import Datum, Format, formats, get_format, unpack

F = Fraction
EVERY = [*formats(), *map(get_format, ["e0m3fn", "e3m4b2fn", "e8m7fnu", "e1m1", "binary16p5ue", "e5m10"])]


@over("f", EVERY)
def test_every_format_fits_its_page(f: Format) -> None:
    for unicode in (True, False):
        page = format_page(f, unicode)
        assert max(map(len, page.splitlines())) <= 100
        assert page.isascii() or unicode
        assert not any(line.endswith(" ") for line in page.splitlines())
        assert "\n\n\n" not in page


def test_the_page_of_e4m3() -> None:
    lines = format_page(get_format("e4m3fn")).splitlines()
    assert lines[:8] == [
        "e4m3fn   8 bits: sign 1, exponent 4, trailing significand 3",
        "  OCP 8-bit Floating Point Specification (OFP8) rev 1.0",
        "  k 8   p 4   t 3   w 4   bias 7   emin -6   emax 8",
        "",
        "  ┌─┬───────┬─────┐",
        "  │S│E E E E│T T T│    E = 1 to 15   (-1)^S x 2^(E - 7) x (1 + T/8)",
        "  └─┴───────┴─────┘    E = 0         (-1)^S x 2^-6 x T/8",
        "   7 6     3 2   0",
    ]
    assert "  0x78  0 1111 ___       256       288       320       352       384       416       448       NaN" in lines
    assert "  0x80 to 0xFF: the same with the sign bit set, negative; 0x80 is -0" in lines


def test_the_extremes_of_e5m2() -> None:
    assert extremes(get_format("e5m2")).splitlines() == [
        "  max            0x7B  0 11110 11   +57344 = +1.75 x 2^15",
        "  min normal     0x04  0 00001 00   +6.103515625e-5 = +1 x 2^-14",
        "  max subnormal  0x03  0 00000 11   +4.57763671875e-5 = +0.75 x 2^-14",
        "  min subnormal  0x01  0 00000 01   +1.52587890625e-5 = +0.25 x 2^-14",
        "  one            0x3C  0 01111 00   +1 = +1 x 2^0",
        "  zeros          0x00 +0, 0x80 -0",
        "  infinities     0x7C, 0xFC",
        "  NaN            0x7D to 0x7F, 0xFD to 0xFF; canonical 0x7F",
        "  codes          256: 240 normal, 6 subnormal, 2 zeros, 2 infinities, 6 NaN",
    ]


def test_names_of_other_libraries() -> None:
    assert names(get_format("e4m3fn")).splitlines() == [
        "  OCP               ocp.e4m3",
        "  ml_dtypes, numpy  float8_e4m3fn",
        "  torch             torch.float8_e4m3fn",
        "  LLVM, ONNX        float8e4m3fn",
        "  MLIR              f8e4m3fn",
        "  CUDA              __nv_fp8_e4m3",
        "  PTX               ptx.e4m3",
        "  other names       hf8",
    ]
    assert names(get_format("binary8p3se")) == ""


def test_bits_are_numbered() -> None:
    assert bit_picture(get_format("e2m1fn"), unicode=False).splitlines()[-1].rstrip() == "   3 2 1 0"
    assert bit_picture(get_format("f16"), unicode=False).splitlines()[-1].split() == ["15", "14", "10", "9", "0"]


def test_the_whole_table_of_fp4() -> None:
    """OCP MX 1.0: the magnitudes of E2M1 are 0, 0.5, 1, 1.5, 2, 3, 4, 6."""
    found = value_table(get_format("e2m1fn")).splitlines()
    assert len(found) == 8
    for code, (line, value) in enumerate(zip(found, ["0", "0.5", "1", "1.5", "2", "3", "4", "6"])):
        words = line.split()
        assert words[:5] == [f"0x{code:X}", "0", f"{code >> 1:02b}", f"{code & 1}", f"+{value}"]
        assert f"0x{code + 8:X}  1 {code >> 1:02b} {code & 1}   -{value}" in line


@over("f", [f for f in formats() if 7 <= f.k <= 8], of_each_kind([f for f in formats() if 7 <= f.k <= 8]))
def test_the_grid_holds_every_magnitude_in_order(f: Format) -> None:
    cells: list[str] = []
    for line in value_table(f).splitlines()[1:]:
        if line.startswith("  0x") and " to " not in line:
            label_end = 6 + 2 + len(f"{0:0{f.k}b}") + (2 if f.signed and f.w and f.t else bool(f.w and f.t) + f.signed)
            cells += line[label_end:].split()
    cells = [cell for cell in cells if set(cell) != {"_"}]
    assert len(cells) == 2 ** (f.k - f.signed)
    for code, cell in enumerate(cells):
        x = unpack(code, f)
        if not x.is_finite:
            assert cell == ("NaN" if x.is_nan else "Inf")
        elif cell.startswith("2^"):
            assert x.value == F(2) ** int(cell[2:])
        elif cell.startswith("~"):
            assert abs(F(cell[1:]) / x.value - 1) < F(1, 200 if re.search(r"e.\d\d", cell) else 1500)
        else:
            assert F(cell) == x.value


@over("f", [f for f in formats() if f.k <= 16], of_each_kind([f for f in formats() if f.k <= 16]))
def test_the_logarithmic_axis_counts_every_value(f: Format) -> None:
    scale = LogScale(f, 96)
    assert scale.columns <= 96
    values = [v for v in f.values() if v > 0]
    assert Counter(map(scale.column, values)) == Counter({c: n for c, n in enumerate(scale.counts()) if n})


def test_the_logarithmic_axis_of_wide_formats() -> None:
    for name, count in (("f32", 0x7F7FFFFF), ("f64", 0x7FEFFFFFFFFFFFFF), ("tf32", 0x3FBFF)):
        assert sum(LogScale(get_format(name), 96).counts()) == count


def test_the_axis_marks_the_values_that_matter() -> None:
    bars, axis, labels = log_scale(get_format("e4m3fn"), 96).splitlines()
    places = {match[0]: match.start() for match in re.finditer(r"\S+", labels)}
    assert list(places) == ["0.001953125", "1", "448"]
    assert [i for i, c in enumerate(axis) if c == "┴"] == list(places.values())
    # four columns a binade, from 2^-9
    assert places["1"] - places["0.001953125"] == 36
    assert places["448"] == 2 + math.floor(4 * (math.log2(448) + 9))
    assert len(bars) == len(axis) == places["448"] + 1


def _line(value: Fraction, format: str, unicode: bool = True) -> list[str]:
    n = neighbours(Datum.finite(value), get_format(format))
    assert n is not None
    return value_line(n, unicode).splitlines()


def test_a_tie_stands_in_the_middle() -> None:
    above, axis, below, label = _line(F(3, 1024), "e4m3fn")
    assert axis.index("├") == 2 + MARGIN
    assert axis.index("┤") - axis.index("├") == SPAN - 1
    assert axis.index("●") - axis.index("├") == SPAN // 2
    assert above.split() == ["0x01", "0x02"]
    assert below.split() == ["0.001953125", "0.00390625"]
    assert label.strip() == "0.0029296875, a tie"


@pytest.mark.parametrize(
    ("eta", "column"),
    [
        (F(1, 2) - F(1, 2**40), SPAN // 2 - 1),
        (F(1, 2) + F(1, 2**40), SPAN // 2 + 1),
        (F(1, 2**40), 1),
        (1 - F(1, 2**40), SPAN - 2),
        (F(1, 4), (SPAN - 1) // 4),
    ],
)
def test_what_is_close_to_a_mark_stands_beside_it(eta: Fraction, column: int) -> None:
    axis = _line(1 + eta / 8, "e4m3fn", unicode=False)[1]
    assert axis.index("o") - axis.index("|") == column
    assert axis.index("+") - axis.index("|") == SPAN // 2


def test_negative_values_ascend_to_the_right() -> None:
    above, _, below, _ = _line(F(-3, 10), "e4m3fn")
    assert above.split() == ["0xAA", "0xA9"]
    assert below.split() == ["-0.3125", "-0.28125"]


@pytest.mark.parametrize(
    ("value", "format", "codes", "values"),
    [
        (F(1), "e4m3fn", ["0x37", "0x38", "0x39"], ["0.9375", "1", "1.125"]),
        (F(0), "e4m3fn", ["0x81", "0x00", "0x01"], ["-0.001953125", "0", "0.001953125"]),
        (F(0), "ue4m3", ["0x00", "0x01"], ["0", "0.001953125"]),
        (F(448), "e4m3fn", ["0x7D", "0x7E", "no", "code"], ["416", "448", "480"]),
        (F(2) ** -127, "e8m0fnu", ["0x00", "0x01"], ["2^-127", "2^-126"]),
        (F(-2), "mxint8", ["no", "code", "0x80", "0x81"], ["-2.015625", "-2", "-1.984375"]),
        (F(-1, 1024), "e4m3fnuz", ["0x82", "0x81", "0x00"], ["-0.001953125", "-0.0009765625", "0"]),
    ],
)
def test_a_value_with_a_code_stands_between_its_neighbours(
    value: Fraction, format: str, codes: list[str], values: list[str]
) -> None:
    above, _, below = _line(value, format)
    assert above.split() == codes
    assert below.split() == values


@pytest.mark.parametrize(
    ("code", "format", "text"),
    [
        (0x2A, "e4m3fn", "(-1)^0 x 2^(5 - 7) x (1 + 2/8)"),
        (0x83, "e5m2", "(-1)^1 x 2^-14 x 3/4"),
        (0x7F, "e8m0fnu", "2^(127 - 127)"),
        (0x81, "mxint8", "-127 x 2^-6"),
        (0x00, "binary8p1se", "(-1)^0 x 0"),
        (0x3F8CCCCD, "f32", "(-1)^0 x 2^(127 - 127) x (1 + 838861 x 2^-23)"),
    ],
)
def test_formulas(code: int, format: str, text: str) -> None:
    assert formula(code, get_format(format)) == text


@over("f", [f for f in EVERY if f.k <= 8], of_each_kind([f for f in EVERY if f.k <= 8]))
def test_codes_beside_a_code(f: Format) -> None:
    """Against the order of all data, infinities included."""
    data = {code: unpack(code, f) for code in range(2**f.k)}
    order = sorted(
        (math.copysign(math.inf, -1 if x.sign else 1) if x.is_infinite else x.value, code)
        for code, x in data.items()
        if not x.is_nan
    )
    values = sorted({value for value, _ in order})
    for value, code in order:
        if abs(value) == math.inf:
            continue
        n = neighbours(data[code], f)
        assert n is not None
        i = values.index(value)
        for up, j in ((True, i + 1), (False, i - 1)):
            beside = beside_code(n, up)
            wanted = values[j] if 0 <= j < len(values) else None
            if beside is None:
                assert wanted is None
            else:
                x = data[beside]
                assert (math.copysign(math.inf, -1 if x.sign else 1) if x.is_infinite else x.value) == wanted


@over("f", EVERY)
def test_every_code_fits_its_page(f: Format) -> None:
    codes = range(2**f.k) if f.k <= 6 else {*f_edges(f)}
    for code in codes:
        page = code_page(code, f, unicode=False)
        assert max(map(len, page.splitlines())) <= 100
        assert page.isascii()


def f_edges(f: Format) -> list[int]:
    edges = [0, 1, 2, f.max_code - 1, f.max_code, f.max_code + 1, f.magnitude_mask, 1 << f.t, (1 << f.t) - 1, 0x5A]
    return [code for edge in edges for code in (edge, edge | f.sign_bit) if 0 <= code <= f.code_mask]


def test_the_page_of_a_code() -> None:
    assert code_page(0x02, get_format("e4m3fn"), unicode=False).splitlines() == [
        "e4m3fn 0x02  0 0000 010   +0.00390625 = +0.25 x 2^-6",
        "",
        "  class      subnormal",
        "  exactly    1/256 = 0.00390625 = 0x1p-8",
        "  fields     (-1)^0 x 2^-6 x 2/8",
        "  ulp        2^-9",
        "  next up    0x03  0 0000 011   +0.005859375 = +0.375 x 2^-6  subnormal",
        "  next down  0x01  0 0000 001   +0.001953125 = +0.125 x 2^-6  subnormal",
        "  negated    0x82  1 0000 010   -0.00390625 = -0.25 x 2^-6  subnormal",
        "  spec       OCP OFP8 1.0 table 1: the value of a code",
        "",
        "        0x01                          0x02                          0x03",
        "          |-----------------------------o-----------------------------|",
        "     0.001953125                   0.00390625                    0.005859375",
    ]
