"""Names mean the same wherever they are written: claims, selections, TestFloat names, aliases."""

from __future__ import annotations

import pytest

from fp8ref.cases.operation import Operation
from fp8ref.check.run import NothingSelected, select

CLAIMS = [
    Operation.parse_claim(text)
    for text in (
        "convert/f32/e4m3fn/rne.nonsat", "convert/f32/e4m3/*", "convert/f16/e5m2/*;nan=quiet", "int/f32/u32/rtz.riscv",
        "add/f16.f16/f16/rne.nonsat", "dot/e4m3fn.e4m3fn/f32/*;k=32", "decode/e4m3fn/f32", "rint/f32/f32/rne.nonsat",
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "asked"),
    [  # an alias never changes the question, and a mode that is not said is the claim's
        ("convert/f32/e4m3fn", "convert/f32/e4m3fn/rne.nonsat"),
        ("convert/float32/e4m3fn", "convert/f32/e4m3fn/rne.nonsat"),
        ("convert/single/E4M3", "convert/f32/e4m3fn/rne.nonsat"),
        ("convert/float32/float8_e4m3fn/rne.nonsat", "convert/f32/e4m3fn/rne.nonsat"),
        ("f32_to_e4m3fn", "convert/f32/e4m3fn/rne.nonsat"),
        ("float32_to_F8_E4M3", "convert/f32/e4m3fn/rne.nonsat"),
        ("convert/float32/float8_e4m3", "convert/f32/e4m3/*"),
        ("convert/float32/float8_e4m3/rtz.sat", "convert/f32/e4m3/rtz.sat"),
        ("convert/half/e5m2;nan=quiet", "convert/f16/e5m2/*;nan=quiet"),
        ("convert/half/*", "convert/f16/e5m2/*;nan=quiet"),
        ("f32_to_ui32", "int/f32/u32/rtz.riscv"),
        ("int/float32/uint32", "int/f32/u32/rtz.riscv"),
        ("float16_add", "add/f16.f16/f16/rne.nonsat"),
        ("f32_roundToInt", "rint/f32/f32/rne.nonsat"),
        ("e4m3fn_dot32_f32", "dot/e4m3fn.e4m3fn/f32/*;k=32"),
        ("decode/float8_e4m3fn/float32", "decode/e4m3fn/f32"),
    ],
)
def test_a_selection_picks_the_claim_as_it_is_claimed(written: str, asked: str) -> None:
    assert [op.id for op in select(CLAIMS, [written])] == [asked]


@pytest.mark.parametrize("written", ["convert/float32/e5m2", "convert/f32/e4m3fn/rtz.sat", "e4m3fn_dot64_f32"])
def test_what_is_not_claimed_is_not_picked(written: str) -> None:
    with pytest.raises(NothingSelected, match="nothing claimed matches"):
        select(CLAIMS, [written])


@pytest.mark.parametrize(
    ("claim", "id_"),
    [
        ("convert/float32/E4M3", "convert/f32/e4m3fn/*"), ("e5m2_mulAdd", "fma/e5m2.e5m2.e5m2/e5m2/*"),
        ("dot/e4m3fn.e4m3fn/f32;k=32", "dot/e4m3fn.e4m3fn/f32/*;k=32"), ("decode/e5m2/half", "decode/e5m2/f16"),
        ("finfo/e5m2/f64/max", "finfo/e5m2/f64/max"), ("neg/E5M2/E5M2", "neg/e5m2/e5m2"),
        ("scale/f32/mxfp8_e4m3", "scale/f32/mxfp8_e4m3/*"), ("convert/f32/e5m2/rtz.sat", "convert/f32/e5m2/rtz.sat"),
    ],
)  # fmt: skip
def test_a_claim_without_a_mode_claims_none(claim: str, id_: str) -> None:
    assert Operation.parse_claim(claim).id == id_


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("f32_roundToInt", "rint/f32/f32/rne.nonsat"),  # TestFloat's -notexact, its default
        ("f32_to_i32", "int/f32/i32/rtz.riscv;exact=0"), ("ui32_to_f16", "convert/u32/f16/rne.nonsat"),
        ("f64_to_ui64", "int/f64/u64/rtz.riscv;exact=0"), ("e4m3fn.e5m2_dot16_f32", "dot/e4m3fn.e5m2/f32/exact;k=16"),
        ("e5m2_mulAdd_f32", "fma/e5m2.e5m2.f32/f32/rne.nonsat"),
    ],
)  # fmt: skip
def test_testfloat_names(name: str, id_: str) -> None:
    assert Operation.parse(name).id == id_
    if "dot" not in name and "mulAdd_" not in name:
        assert Operation.parse(id_).testfloat == name
