"""Names: the catalogue first, then the grammars; aliases; what is refused and what is suggested instead."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from short import over

from fp8ref import spec
from fp8ref.spec import Format, NaNs
from fp8ref.spec.catalog import note_on

ALIASES = {
    "e4m3fn": "float8_e4m3fn torch.float8_e4m3fn FLOAT8E4M3FN f8E4M3FN Float8_E4M3FN e4m3b7fn",
    "e5m2": "float8_e5m2 torch.float8_e5m2 FLOAT8E5M2 f8E5M2 e5m2b15",
    "e4m3": "float8_e4m3 f8E4M3 e4m3b7",
    "e3m4": "float8_e3m4 f8E3M4",
    "e4m3fnuz": "float8_e4m3fnuz torch.float8_e4m3fnuz FLOAT8E4M3FNUZ f8E4M3FNUZ e4m3b8fnuz",
    "e5m2fnuz": "float8_e5m2fnuz FLOAT8E5M2FNUZ f8E5M2FNUZ",
    "e4m3b11fnuz": "float8_e4m3b11fnuz f8E4M3B11FNUZ",
    "e8m0fnu": "float8_e8m0fnu torch.float8_e8m0fnu FLOAT8E8M0 f8E8M0FNU ue8m0",
    "e3m2fn": "float6_e3m2fn f6E3M2FN",
    "e2m3fn": "float6_e2m3fn f6E2M3FN",
    "e2m1fn": "float4_e2m1fn FLOAT4E2M1 f4E2M1FN",
    "f16": "float16 half binary16 fp16 torch.float16",
    "bf16": "bfloat16 torch.bfloat16",
    "f32": "float32 binary32 single",
    "f64": "float64 double binary64",
    "binary8p4se": "Binary8p4se BINARY8P4SE",
}


@over("alias, name", [(a, n) for n, many in ALIASES.items() for a in many.split()])
def test_alias(alias: str, name: str) -> None:
    assert spec.get_format(alias).name == name


UPPER_CASE = {  # as OCP's papers and safetensors mean them
    "E4M3": "e4m3fn", "F8_E4M3": "e4m3fn", "E5M2": "e5m2", "F8_E5M2": "e5m2", "E3M2": "e3m2fn", "E2M3": "e2m3fn",
    "E2M1": "e2m1fn", "F6_E3M2": "e3m2fn", "F8_E8M0": "e8m0fnu", " E4M3 ": "e4m3fn",
}  # fmt: skip
LLVM = {"e4m3": "e4m3", "Float8E4M3": "e4m3", "float8_e4m3": "e4m3", "f8E4M3": "e4m3", "e3m2": "e3m2", "e2m1": "e2m1"}


@pytest.mark.parametrize(("name", "meant"), [*UPPER_CASE.items(), *LLVM.items()])
def test_upper_case_is_ocps(name: str, meant: str) -> None:
    assert spec.get_format(name).name == meant
    read_otherwise = name in UPPER_CASE and meant not in ("e5m2", "e8m0fnu")
    assert bool(note_on(name)) is read_otherwise
    if read_otherwise:
        assert note_on(name).startswith(f"{name.strip()} is read as OCP's {meant}; the IEEE-like format is e")


@pytest.mark.parametrize("name", ["e3m4b-20", "e3m4B -20", "e4m3b-11fnuz", "e4m3b_8fnuz", "e3_m4b20", "e-3m4", "e3m-4"])
def test_a_systematic_name_has_no_separators(name: str) -> None:
    """Dropped, b-20 would become b20: another format."""
    with pytest.raises(ValueError, match=f"{re.escape(name)}.*no separators and no sign"):
        spec.get_format(name)


def test_aliases_lists_what_get_format_accepts() -> None:
    for f in spec.formats():
        for alias in spec.aliases(f):
            assert spec.get_format(alias) is f


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.float16, "f16"),
        (np.dtype(np.float64), "f64"),
        (np.dtype(">f4"), "f32"),
        (ml_dtypes.bfloat16, "bf16"),
        (ml_dtypes.float8_e4m3fn, "e4m3fn"),
        (np.dtype(ml_dtypes.float8_e8m0fnu), "e8m0fnu"),
        (ml_dtypes.float4_e2m1fn, "e2m1fn"),
    ],
)
def test_dtypes_name_their_format(dtype: Any, name: str) -> None:
    assert spec.get_format(dtype).name == name


def test_torch_dtypes_name_their_format() -> None:
    torch = pytest.importorskip("torch")
    assert spec.get_format(torch.float8_e5m2fnuz).name == "e5m2fnuz"
    assert spec.get_format(torch.bfloat16).name == "bf16"


# name: k, p, bias, has infinity, has NaN, signed  [the contract's grammar]
GRAMMAR = {
    "e2m2": (5, 3, 1, True, True, True),
    "e3m3fn": (7, 4, 3, False, True, True),
    "e3m2fnuz": (6, 3, 4, False, True, True),
    "e6m2fnu": (8, 3, 31, False, True, False),
    "e7m0fnu": (7, 1, 63, False, True, False),
    "e3m4b2fn": (8, 5, 2, False, True, True),
    "e3m4b20fnuz": (8, 5, 20, False, True, True),
    "e8m7b200": (16, 8, 200, True, True, True),
    "e5m0": (6, 1, 15, True, False, True),
    "e0m3fn": (4, 4, 1, False, True, True),
    "e0m7fnuz": (8, 8, 1, False, True, True),
    "e1m3": (5, 4, 0, True, True, True),
    "e5m10b15": (16, 11, 15, True, True, True),
    "binary9p3se": (9, 3, 32, True, True, True),
    "binary16p11uf": (16, 11, 32, False, True, False),
}


@pytest.mark.parametrize("name", GRAMMAR)
def test_grammar(name: str) -> None:
    f = spec.get_format(name)
    assert (f.k, f.p, f.bias, f.infinities, f.has_nan, f.signed) == GRAMMAR[name]
    if f.zero:
        assert f.emin == 1 - f.bias
        assert f.magnitude(0) == 0


def test_without_an_exponent_field_all_is_subnormal() -> None:
    f = spec.get_format("e0m3fn")
    assert f.emin == 0
    assert [v for v in f.values() if v >= 0] == [Fraction(n, 8) for n in range(7)]


def test_powers_of_two_without_a_zero() -> None:
    assert spec.get_format("e3m0fnu").values() == tuple(Fraction(2) ** e for e in range(-3, 4))


@pytest.mark.parametrize("name", ["e0m3", "e0m3fnu"])
def test_no_exponent_field_needs_fn(name: str) -> None:
    with pytest.raises(ValueError, match="without an exponent field write e0m3"):
        spec.get_format(name)


@pytest.mark.parametrize("name", ["e9m2fn", "e2m11fn", "e8m8fn", "e0m0fn", "e8m10"])
def test_grammar_bounds(name: str) -> None:
    with pytest.raises(ValueError, match="X from 0 to 8, Y from 0 to 10 and 2 to 16 bits in all"):
        spec.get_format(name)


@pytest.mark.parametrize("name", ["binary2p1se", "binary17p3se", "binary8p0se", "binary8p8se", "binary8p9uf"])
def test_p3109_bounds(name: str) -> None:
    with pytest.raises(ValueError, match="P3109 formats have 3 <= k <= 16 and 1 <= p <= "):
        spec.get_format(name)


@pytest.mark.parametrize("name", ["e1m0", "e0m1fn", "e1m0fn"])
def test_a_format_needs_a_number_other_than_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: no code is left for a finite value other than 0"):
        spec.get_format(name)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("e4m3nf", "e4m3"), ("float8_e4m3f", "float8e4m3fn"), ("bflot16", "bfloat16"), ("binary8p4s", "binary8p4s")],
)
def test_unknown_names_suggest_the_nearest(name: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match=f"unknown format '{name}'; did you mean .*{suggestion}"):
        spec.get_format(name)


def test_unknown_names_give_the_grammar() -> None:
    with pytest.raises(ValueError, match=r"unknown format 'zzzzzz' \(a name is one of the catalogue, or eXmY\[bB\]"):
        spec.get_format("zzzzzz")


@pytest.mark.parametrize("thing", [8, None, 4.3, [1]])
def test_things_without_a_name(thing: object) -> None:
    with pytest.raises(TypeError, match="a format is named by a string, a dtype or a Format, not"):
        spec.get_format(thing)


def test_formats_are_equal_by_parameters() -> None:
    mine = Format("mine", 8, 4, 7, nans=NaNs.ALL_ONES)
    assert mine == spec.get_format("e4m3fn")
    assert hash(mine) == hash(spec.get_format("e4m3fn"))
    assert mine != spec.get_format("e4m3")
    assert str(mine) == "mine"
    assert spec.get_format(mine) is mine


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 1, "p": 1, "bias": 0}, "the code width k must be 2 to 64 bits, not 1"),
        ({"k": -8, "p": 4, "bias": 7}, "the code width k must be 2 to 64 bits, not -8"),
        ({"k": 65, "p": 4, "bias": 7}, "the code width k must be 2 to 64 bits, not 65"),
        ({"k": 8, "p": 0, "bias": 7}, "the precision p must be 1 to 8, not 0"),
        ({"k": 8, "p": -3, "bias": 7}, "the precision p must be 1 to 8, not -3"),
        ({"k": 8, "p": 9, "bias": 7}, "the precision p must be 1 to 8, not 9"),
        ({"k": 8, "p": 10, "bias": 7, "signed": False}, "the precision p must be 1 to 9, not 10"),
        ({"k": 8, "p": 4, "bias": 7, "infinities": True}, "a format with infinities needs NaNs"),
        ({"k": 8, "p": 4, "bias": 7, "nans": NaNs.IEEE}, "IEEE NaNs need infinities and an exponent field"),
        (
            {"k": 8, "p": 4, "bias": 7, "nans": NaNs.NEGATIVE_ZERO, "signed": False},
            "a NaN at the code of -0 needs a sign bit and a zero",
        ),
        (
            {"k": 8, "p": 7, "bias": 1, "fixed_point": True, "nans": NaNs.ALL_ONES},
            "a two's-complement format is signed and has neither infinities nor NaNs",
        ),
    ],
)
def test_impossible_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"mine: {message}"):
        Format("mine", **parameters)


@pytest.mark.parametrize("value", [4.0, float("nan"), True, "4", None])
@pytest.mark.parametrize("which", ["k", "p", "bias"])
def test_parameters_are_integers(which: str, value: object) -> None:
    parameters: dict[str, Any] = {"k": 8, "p": 4, "bias": 7} | {which: value}
    with pytest.raises(TypeError, match=f"mine: {which} must be an int, not {value!r}"):
        Format("mine", **parameters)


def test_a_name_has_at_most_80_characters() -> None:
    with pytest.raises(ValueError, match=r"unknown format '#{80}'(?!\.)"):
        spec.get_format("#" * 80)
    with pytest.raises(ValueError, match="at most 80 characters"):
        spec.get_format("#" * 81)
