"""Conversions explained: answers typed from OCP OFP8 table 3 and CUDA's measured conversions, clauses, reasons."""

from __future__ import annotations

import pytest
from short import of_each_kind, over

from fp8ref.cases.operation import Operation
from fp8ref.report.findings.clauses import CLAUSES, citation, clause_for
from fp8ref.report.findings.draw import datum_of
from fp8ref.report.findings.explain import (
    Conversion,
    alternatives,
    draw_alternatives,
    explanation,
    reason,
    stochastic_text,
)
from fp8ref.spec import DETERMINISTIC, Datum, formats, get_format


def conversion(case: str) -> Conversion:
    id_, _, code = case.partition("#")
    return Conversion.of_case(Operation.parse(id_), int(code, 16))


# 464, the next float32, 465 and infinity; 61440 is the tie of E5M2  [OCP OFP8 1.0 5.2.1, table 3]
@pytest.mark.parametrize(
    ("case", "rows"),
    [
        (
            "convert/f32/e4m3fn/rne.sat#43E80000",
            ["rne rtz rtn|7E 7E 7E|NX", "rna rtp|7E 7E 7F|OF NX", "rto|7E 7E 7E|OF NX"],
        ),
        (
            "convert/f32/e4m3fn/rne.sat#43E80001",
            ["rne rna rtp|7E 7E 7F|OF NX", "rtz rtn|7E 7E 7E|NX", "rto|7E 7E 7E|OF NX"],
        ),
        ("convert/f32/e4m3fn/rne.sat#7F800000", ["rne rna rtz rtp rtn rto|7E 7E 7F|-"]),
        ("convert/f32/e4m3fn/rne.sat#C6000000", ["rne rna rtn|FE FE 7F|OF NX", "rtz rtp rto|FE FE FE|OF NX"]),
        ("convert/f32/e5m2/rne.sat#47700000", ["rne rna rtp|7B 7B 7C|OF NX", "rtz rtn rto|7B 7B 7B|NX"]),
        ("convert/f32/e5m2/rne.sat#FF800000", ["rne rna rtz rtp rtn rto|FB FC FC|-"]),
        ("convert/f32/e4m3fn/rne.sat#3A800000", ["rne rtz rtn|00 00 00|UF NX", "rna rtp rto|01 01 01|UF NX"]),
        ("convert/f32/e2m1fn/rne.sat#40A00000", ["rne rtz rtn|6 6 6|NX", "rna rtp rto|7 7 7|NX"]),
        ("convert/f32/e8m0fnu/rne.sat#3FC00000", ["rne rna rtp|80 80 80|NX", "rtz rtn rto|7F 7F 7F|NX"]),
    ],
)
def test_alternatives(case: str, rows: list[str]) -> None:
    c = conversion(case)
    width = -(-c.f.k // 4)
    grouped: dict[str, list[str]] = {}
    for a in (a for a in alternatives(c) if a.setting in ("rne", "rna", "rtz", "rtp", "rtn", "rto")):
        assert list(a.codes) == ["sat", "satprop", "nonsat"]
        key = f"|{' '.join(f'{code:0{width}X}' for code in a.codes.values())}|{a.status.letters}"
        grouped.setdefault(key, []).append(a.setting)
    assert [" ".join(settings) + key for key, settings in grouped.items()] == rows


def test_alternatives_of_a_nan() -> None:
    found = {a.setting: a.codes["sat"] for a in alternatives(conversion("convert/f32/e5m2/rne.sat#FF800001"))}
    assert found == {
        "nan=canonical": 0x7F,
        "nan=keep-sign": 0xFF,
        "nan=quiet": 0xFE,
        "nan=payload": 0xFE,
        "nan=default": 0x7E,  # Arm's default NaN has no sign and is quiet
        "nan=max": 0x7B,
        "nan=signed-max": 0xFB,
        "nan=zero": 0x00,
    }


def test_alternatives_of_a_negative_value_into_an_unsigned_format() -> None:
    found = {a.setting: a.codes["nonsat"] for a in alternatives(conversion("convert/f32/ue5m3/rne.sat#BF800000"))}
    assert found == {"negative=lowest": 0xFF, "negative=magnitude": 0x78, "negative=zero": 0x00}


def test_an_overflow_pair_gets_its_own_column() -> None:
    c = conversion("convert/f32/e4m3fn/rne.max-nan#7F800000")
    assert alternatives(c)[0].codes == {"sat": 0x7E, "satprop": 0x7E, "nonsat": 0x7F, "max-nan": 0x7F}
    heads, row = draw_alternatives(alternatives(c), c.f).splitlines()
    assert heads.split() == ["sat", "satprop", "nonsat", "max-nan", "raised"]
    assert row.split() == [*(mode.value for mode in DETERMINISTIC), "448", "[0x7E]", "+NaN", "[0x7F]", "-"]


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("convert/f32/e4m3fn/rne.sat#43E80000", "a tie, to the even code: 448 [0x7E]"),
        ("convert/f32/e4m3fn/rna.sat#43E80000", "a tie, away from zero: 480, beyond 448; under sat 448 [0x7E]"),
        ("convert/f32/e4m3fn/rne.nonsat#C3E80001", "nearest: -480, beyond -448; under nonsat +NaN [0x7F]"),
        ("convert/f32/e4m3fn/rtp.sat#BE99999A", "toward positive: -0.28125 [0xA9]"),
        ("convert/f32/e4m3fn/rto.sat#3E99999A", "to the odd code: 0.28125 [0x29]"),
        ("convert/f32/e4m3fn/rne.sat#44000000", "no rounding: 512, beyond 448; under sat 448 [0x7E]"),
        ("convert/f32/e4m3fn/rne.sat#80000000", "zero: -0 [0x80]"),
        ("convert/f32/e5m2/rne.sat#7F800000", "an infinity under sat: 57344 [0x7B]"),
        ("convert/f32/e8m0fnu/rne.sat#00000001", "below the smallest value: 2^-127 [0x00]"),
        ("convert/f32/e2m1fn/rne.sat#7FC00000", "a NaN under nan=canonical, and e2m1fn has no NaN: 6 [0x7]"),
        (
            "convert/f32/ue4m3/rne.sat#BF800000",
            "a negative value into an unsigned format under negative=lowest: +0 [0x00]",
        ),
        ("convert/f32/ue4m3/rne.sat;negative=magnitude#BF880000", "a tie, to the even code: 1 [0x38]"),
        ("convert/f32/e4m3fn/rne.sat;subnormal=ftz#3B800000", "no rounding: a tiny result, flushed: +0 [0x00]"),
        ("decode/e4m3fn/f32#01", "a code stands for one value; nothing is rounded"),
        ("decode/e4m3fn/f32#FF", "a NaN keeps its sign"),
    ],
)  # fmt: skip
def test_reasons(case: str, why: str) -> None:
    assert reason(conversion(case)) == why


@pytest.mark.parametrize(
    ("case", "clause"),
    [
        ("convert/f16/e4m3fn/rne.sat#1A00", "ieee754-2019/4.3.1/rne"),
        ("convert/f16/e4m3fn/rna.sat#1A00", "ieee754-2019/4.3.1/rna"),
        ("convert/f16/e4m3fn/rtz.sat#1A00", "ieee754-2019/4.3.2/rtz"),
        ("convert/f16/e4m3fn/rto.sat#1A00", "fp8ref/to-odd"),
        ("convert/f16/e4m3fn/sr-a.sat#1A00", "fp8ref/stochastic"),
        ("convert/f16/binary8p4se/rne.sat#1A01", "p3109/round"),
        ("convert/f32/e4m3fn/rne.sat#43E80001", "ofp8/overflow"),
        ("convert/f32/e4m3fn/rne.max-nan#43E80001", "fp8ref/overflow"),
        ("convert/f32/e5m2/rne.satprop#7F800000", "fp8ref/infinity"),
        ("convert/f32/e5m2/rne.nonsat#7F800000", "ofp8/infinity"),
        ("convert/f32/e5m2/rne.nonsat#7FC00000", "ofp8/nan"),
        ("convert/f32/e5m2/rne.nonsat;nan=zero#7FC00000", "fp8ref/nan-option"),
        ("convert/f32/e5m2/rne.sat#3F800000", "ofp8/5.2.1"),
        ("convert/f32/e2m1fn/rne.sat#7F800000", "mx/5.3/overflow"),
        ("convert/f32/e2m1fn/rne.sat#7FC00000", "mx/5.3/nan"),
        ("convert/f32/f16/rne.nonsat#7F000000", "ieee754-2019/7.4"),
        ("convert/f32/f16/rne.nonsat#3F800000", "ieee754-2019/5.4.2"),
        ("convert/f32/e8m0fnu/rne.sat#3FC00000", "fp8ref/e8m0"),
        ("convert/f32/ue4m3/rne.sat#BF800000", "fp8ref/negative"),
        ("convert/f32/e4m3fnuz/rne.sat#7FC00000", "fp8ref/nan"),
        ("decode/e8m0fnu/f32#00", "mx/5.4.1"),
        ("decode/e2m1fn/f32#0", "mx/5.3"),
        ("decode/binary8p3se/f32#00", "p3109/decode"),
        ("decode/e4m3/f32#00", "format/value"),
    ],
)
def test_clauses(case: str, clause: str) -> None:
    c = conversion(case)
    assert clause_for(c.op, c.x) == clause
    assert clause in CLAUSES


def test_every_clause_is_cited() -> None:
    data = [Datum.finite(0), Datum.finite(1), Datum.finite(-3), Datum.finite(10**300), Datum.infinity(1), Datum.nan()]
    for f in formats():
        for mode in ("rne.sat", "rtz.nonsat", "rto.satprop"):
            for x in data:
                assert clause_for(Operation.convert("f64", f.name, mode), x) in CLAUSES
    assert citation("a sentence of one's own") == "a sentence of one's own"


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("convert/f32/e4m3fn/rne.sat#3F880000", "stochastic: 1.125 [0x39] with probability 1/2"),
        ("convert/f32/e4m3fn/rne.sat#BF840000", "stochastic: -1.125 [0xB9] with probability 1/4"),
        ("convert/f32/e4m3fn/rne.sat#3F800000", ""),
        ("convert/f32/e4m3fn/rne.sat#7F000000", ""),
    ],
)
def test_chances(case: str, text: str) -> None:
    assert stochastic_text(conversion(case)).startswith(text)
    assert bool(stochastic_text(conversion(case))) == bool(text)


EDGES = ("00000000", "80000001", "3E99999A", "C3E80001", "47700000", "7F800000", "FFC12345", "BF800000", "007FFFFF")


@over("f", formats(), [get_format("e4m3fn"), *of_each_kind(formats())])
def test_every_explanation_fits(f: object) -> None:
    for code in EDGES:
        for mode in ("rne.sat", "rtn.nonsat", "*"):
            c = conversion(f"convert/f32/{f}/{mode}#{code}")
            text = explanation(c, unicode=False)
            assert max(map(len, text.splitlines())) <= 100, text
            assert text.isascii()


def test_subnormal_operands_are_flushed_where_asked() -> None:
    assert conversion("convert/f32/bf16/rne.sat;subnormal=daz#80400000").x == Datum.finite(0, 1)
    assert conversion("convert/f32/bf16/rne.sat#80400000").x == datum_of(0x80400000, "f32")


def test_stochastic_answers_need_bits() -> None:
    with pytest.raises(ValueError, match="sr-a answers by random bits"):
        conversion("convert/f32/e4m3fn/sr-a.sat#3E99999A").answer()


def test_decode_answers() -> None:
    code, status = conversion("decode/e4m3fn/f32#FF").answer()
    assert (code, int(status)) == (0xFFC00000, 0)
    assert get_format("f32").nan_canonical == 0x7FC00000
