"""The ml_dtypes adapter: its claims, its answers and the layouts it is handed."""

from __future__ import annotations

import warnings

import ml_dtypes
import numpy as np
import pytest
from adapters.asking import ask, claim, decodes_exactly, disagreements, same_in_every_layout, well_formed

from fp8ref.adapters import Unsupported
from fp8ref.adapters.libraries.ml_dtypes import MlDtypes
from fp8ref.cases import Operation

NAN = float("nan")
INF = float("inf")
OVERFLOWS = {
    **dict.fromkeys(("e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz"), "nonsat"),
    **dict.fromkeys(("e3m2fn", "e2m3fn", "e2m1fn"), "sat"),
}
VERSION = tuple(int(part) for part in ml_dtypes.__version__.split(".")[:2])
observed = pytest.mark.skipif(not (0, 6) <= VERSION <= (0, 7), reason="observed with ml_dtypes 0.6 and 0.7 only")


@pytest.fixture(scope="module")
def adapter() -> MlDtypes:
    return MlDtypes()


def test_it_keeps_the_protocol(adapter: MlDtypes) -> None:
    well_formed(adapter, "ml_dtypes")


def test_no_mode_is_promised_as_the_readme_promises_none(adapter: MlDtypes) -> None:
    modes = {Operation.parse(c).mode for c in adapter.capabilities() if c.startswith("convert/")}
    assert modes == {"*"}


@pytest.mark.parametrize("result", OVERFLOWS)
@pytest.mark.parametrize("source", ["f16", "bf16", "f32"])
def test_to_nearest_even(adapter: MlDtypes, source: str, result: str) -> None:
    assert disagreements(adapter, f"convert/{source}/{result}/", "rne", OVERFLOWS[result]) == []


@pytest.mark.parametrize(
    ("result", "values", "codes"),
    [  # facts on ml_dtypes 0.6.0 and 0.7.0: NaN and overflow codes, signs included
        ("e4m3fn", [464, 465, INF, -INF, NAN, -NAN], [0x7E, 0x7F, 0x7F, 0xFF, 0x7F, 0xFF]),
        ("e5m2", [61439, 61440, INF, -INF, NAN, -NAN], [0x7B, 0x7C, 0x7C, 0xFC, 0x7E, 0xFE]),
        ("e4m3", [247, 248, INF, NAN], [0x77, 0x78, 0x78, 0x7C]),
        ("e4m3fnuz", [247, 248, -INF, NAN, -NAN, -0.0], [0x7F, 0x80, 0x80, 0x80, 0x80, 0x00]),
        ("e5m2fnuz", [61439, 61440, -INF, NAN], [0x7F, 0x80, 0x80, 0x80]),
        ("e3m2fn", [28, 1e6, -INF], [0x1F, 0x1F, 0x3F]),
        ("e2m1fn", [6, 1e6, -INF, -0.0], [0x07, 0x07, 0x0F, 0x08]),
        ("e8m0fnu", [1, 1.25, 1.5, 3, 2**-128, 2**-149], [0x7F, 0x7F, 0x80, 0x81, 0x00, 0x00]),
        ("e8m0fnu", [0, -0.0, -1, INF, 1.75 * 2**127, NAN], [0xFF] * 6),
    ],
)
def test_special_codes(adapter: MlDtypes, result: str, values: list[float], codes: list[int]) -> None:
    assert ask(adapter, f"convert/f32/{result}/", values) == codes


@observed
def test_the_second_rounding_of_float64_is_passed_on(adapter: MlDtypes) -> None:
    """Until 0.6 through float32, where the first is a tie and the second 464 itself; since 0.7 directly."""
    codes = [0x38, 0x7E] if VERSION < (0, 7) else [0x39, 0x7F]
    assert ask(adapter, "convert/f64/e4m3fn/", [1.0625 * (1 + 2**-40), 464 * (1 + 2**-50)]) == codes


@pytest.mark.skipif(VERSION < (0, 7), reason="ml_dtypes has E5M3 and casts between E8M0 and narrow types since 0.7")
def test_what_came_with_0_7(adapter: MlDtypes) -> None:
    """Not documented; CUDA's UE5M3 has no infinity and no sign, and 2^-127 is below half of E4M3's least subnormal."""
    assert ask(adapter, "convert/f32/ue5m3/", [118784, 118785, INF, NAN, -1, -0.0]) == [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0]
    codes = np.array([0x00, 0x7F, 0x87, 0x88, 0xFF], np.uint8)  # 2^-127 1 256 512 NaN
    op = claim(adapter, "convert/e8m0fnu/e4m3fn/")
    assert adapter.run(op, codes).tolist() == [0x00, 0x38, 0x78, 0x7F, 0x7F]


@observed
def test_nan_of_fp6_and_fp4_is_passed_on(adapter: MlDtypes) -> None:
    assert ask(adapter, "convert/f32/e3m2fn/", [NAN, -NAN]) == [0x20, 0x00]
    assert ask(adapter, "convert/f32/e2m1fn/", [NAN, -NAN]) == [0x08, 0x00]


@pytest.mark.parametrize("source", [*OVERFLOWS, "e8m0fnu"])
def test_decoding_is_exact(adapter: MlDtypes, source: str) -> None:
    assert decodes_exactly(adapter, source, "f32")


@pytest.mark.parametrize("source", ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"])
def test_integers(adapter: MlDtypes, source: str) -> None:
    dtype = np.dtype(source.replace("u", "uint").replace("i", "int", 1) if source[0] == "i" else f"uint{source[1:]}")
    op = claim(adapter, f"convert/{source}/e4m3fn/")
    assert adapter.run(op, np.array([0, 1, 17, 18, 100, 127], dtype)).tolist() == [0, 0x38, 0x58, 0x59, 0x6C, 0x70]


def test_between_narrow_formats(adapter: MlDtypes) -> None:
    codes = np.array([0x00, 0x3C, 0x7B, 0xFC, 0x80], np.uint8)  # 0 1 57344 -inf -0
    assert adapter.run(claim(adapter, "convert/e5m2/e4m3fn/"), codes).tolist() == [0x00, 0x38, 0x7F, 0xFF, 0x80]


@pytest.mark.parametrize("prefix", ["convert/f32/e4m3fn/", "convert/bf16/e5m2/", "convert/f64/e2m1fn/"])
def test_layouts(adapter: MlDtypes, prefix: str) -> None:
    same_in_every_layout(adapter, prefix, [0.3, 1, -2, 448, 0, 6, 1e300])


def test_it_declines_what_it_does_not_have(adapter: MlDtypes) -> None:
    x = np.zeros(1, np.uint8)
    for text in ("convert/e8m0fnu/ue4m3/*", "convert/f32/ue4m3/*", "convert/f32/e4m3fn/*;flags=1", "decode/ue4m3/f32"):
        with pytest.raises(Unsupported):
            adapter.run(Operation.parse(text), x)


def test_it_leaves_numpys_settings_alone_and_warns_of_nothing(adapter: MlDtypes) -> None:
    before = np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ask(adapter, "convert/f64/e4m3fn/", [1e300]) == [0x7F]
    assert np.geterr() == before


def test_every_elementary_function_that_the_specification_has_is_claimed() -> None:
    """NumPy's names, restated: 24 of one operand for all ten types with a zero, five of two for the narrowest."""
    one = (
        "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh cbrt "
        "reciprocal square deg2rad rad2deg"
    )
    two = ("pow", "atan2", "hypot", "logaddexp", "logaddexp2")
    types = ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e2m1fn", "e2m3fn", "e3m2fn")
    claimed = set(MlDtypes().capabilities())
    wanted = {f"{family}/{name}/{name}/*" for family in one.split() for name in types}
    for family in two:
        keys = ";snan=quiet" if family in ("pow", "hypot") else ""
        wanted |= {f"{family}/{name}.{name}/{name}/*{keys}" for name in types[-3:]}
    assert wanted <= claimed


def test_elementary_functions_are_asked_of_numpy() -> None:
    x = np.array([0x38, 0xB8], np.uint8)  # 1, -1
    assert MlDtypes().run(Operation.parse("exp/e4m3fn/e4m3fn/rne.nonsat"), x).tolist() == [
        0x43,
        0x2C,
    ]  # e, 1/e: 2.75, 0.375
    y = np.array([0x08], np.uint8)  # 1 of e2m3fn
    assert MlDtypes().run(Operation.parse("atan2/e2m3fn.e2m3fn/e2m3fn/rne.sat"), y, y).tolist() == [0x06]  # 0.75
