"""Named behaviours: what they say, against the tables of the documents, and which specifications a behaviour meets."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fp8ref.spec import Datum, encode, formats, get_format, get_projection
from fp8ref.spec.profiles.catalog import PROFILES, get_profile, profile_mode, profiles_meeting
from fp8ref.spec.rounding import DETERMINISTIC

INF = float("inf")
SOURCES = ("f16", "bf16", "f32", "f64", "i8", "e5m2", "e4m3fn", "e2m1fn", "binary8p4se")


def by_profile(profile: str, source: str, result: str, value: Fraction | float) -> int:
    mode, keys = profile_mode(profile, source, result)
    rounding, overflow = mode.split(".")
    return encode(Datum.of(value), result, rounding, overflow, **keys)[0]  # type: ignore[arg-type]


def test_every_rule_is_a_projection_of_every_format_it_speaks_of() -> None:
    for profile in PROFILES.values():
        used = {
            (profile.rule(s, f.name, mode), f) for s in SOURCES for f in formats() for mode in (None, *DETERMINISTIC)
        }
        # no rule is shadowed by an earlier one, and none names what does not exist
        assert {rule for rule, _ in used} == {None, *profile.rules}
        for rule, f in used:
            if rule is not None:
                for rounding in ["rne"] if rule.roundings == "*" else rule.roundings.split():
                    get_projection(f, rounding, rule.overflow, rule.nan, rule.negative, subnormal=rule.subnormal)


# value, E4M3 then E5M2 [OCP OFP8 1.0 table 3; CUDA, ml_dtypes and torch as measured]
TABLE = {
    "ocp-sat": [(465, 0x7E, 0x5F), (61440, 0x7E, 0x7B), (-INF, 0xFE, 0xFB)],
    "ocp-nonsat": [(464, 0x7E, 0x5F), (465, 0x7F, 0x5F), (61440, 0x7F, 0x7C), (INF, 0x7F, 0x7C)],
    "cuda-satfinite": [(465, 0x7E, 0x5F), (61440, 0x7E, 0x7B), (-INF, 0xFE, 0xFB), (float("nan"), 0x7F, 0x7F)],
    "cuda-nosat": [(465, 0x7F, 0x5F), (61440, 0x7F, 0x7C), (INF, 0x7F, 0x7C), (float("nan"), 0x7F, 0x7F)],
    "ml_dtypes": [(465, 0x7F, 0x5F), (-465, 0xFF, 0xDF), (-INF, 0xFF, 0xFC), (-float("nan"), 0xFF, 0xFE)],
    "torch-until-2.12": [(465, 0x7F, 0x5F), (-INF, 0xFF, 0xFC), (-float("nan"), 0xFF, 0xFF)],
    "torch-since-2.13": [(465, 0x7E, 0x5F), (-INF, 0xFE, 0xFC), (-float("nan"), 0xFF, 0xFF)],
}


@pytest.mark.parametrize("profile", TABLE)
def test_fp8(profile: str) -> None:
    for value, e4m3, e5m2 in TABLE[profile]:
        assert by_profile(profile, "f32", "e4m3fn", value) == e4m3
        assert by_profile(profile, "f32", "e5m2", value) == e5m2


@pytest.mark.parametrize(
    ("profile", "source", "result", "mode", "keys"),
    [
        ("cuda-nosat", "f64", "e5m2", "rne.nonsat", {"nan": "payload"}),
        ("cuda-nosat", "f16", "e3m2fn", "rne.sat", {"nan": "max"}),
        ("cuda-satfinite", "f32", "e8m0fnu", "rtz.sat", {"negative": "magnitude"}),
        ("cuda-nosat", "f32", "ue5m3", "rne.nonsat", {"negative": "magnitude"}),
        ("ml_dtypes", "f64", "float8_e4m3b11fnuz", "rne.nonsat", {}),
        ("ml_dtypes", "i32", "e2m1fn", "rne.sat", {}),
        ("torch-since-2.13", "f32", "e8m0fnu", "rna.nonsat", {"negative": "magnitude"}),
        ("ocp-sat", "bf16", "e2m1fn", "rne.sat", {}),
        ("riscv", "e5m2", "bf16", "rne.nonsat", {"snan": "quiet"}),  # Zvfofp8min 0.2.1: OFP8 NaNs are quiet
        ("riscv-sat", "f32", "e5m2", "rne.sat", {}),
        ("arm-fpmr-osc0", "bf16", "e4m3fn", "rne.nonsat", {"nan": "default"}),
        ("x86-ace", "f32", "e4m3fn", "rne.nonsat", {"nan": "keep-sign", "subnormal": "daz"}),
        ("x86-ace-s", "e4m3fn", "e2m3fn", "rne.sat", {"nan": "signed-max"}),
    ],
)
def test_modes(profile: str, source: str, result: str, mode: str, keys: dict[str, str]) -> None:
    assert profile_mode(profile, source, result) == (mode, keys)


@pytest.mark.parametrize(
    ("profile", "source", "result"),
    [
        ("ocp-sat", "f64", "e4m3fn"),  # OFP8 covers conversions from 32 and 16 bits only
        ("ocp-nonsat", "f32", "e2m1fn"),
        ("ocp-sat", "f32", "e8m0fnu"),
        ("cuda-satfinite", "f16", "e8m0fnu"),  # no such function
        ("cuda-satfinite", "i32", "e4m3fn"),
    ],
)
def test_silence(profile: str, source: str, result: str) -> None:
    with pytest.raises(ValueError, match=f"profile {profile} does not say how {source} becomes {result}"):
        profile_mode(profile, source, result)


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown profile 'ocp_sat'; did you mean ocp-sat"):
        get_profile("ocp_sat")


P3109_SIGNED = [  # (-inf, far below, far above, inf) of binary8p4s{e,f} under to nearest [P3109 Saturate]
    ("p3109-satfinite", "binary8p4se", [0xFE, 0xFE, 0x7E, 0x7E]),
    ("p3109-satfinite", "binary8p4sf", [0xFF, 0xFF, 0x7F, 0x7F]),
    ("p3109-satpropagate", "binary8p4se", [0xFF, 0xFE, 0x7E, 0x7F]),
    ("p3109-satpropagate", "binary8p4sf", [0xFF, 0xFF, 0x7F, 0x7F]),
    ("p3109-satnone-v4.0", "binary8p4se", [0xFF, 0xFF, 0x7F, 0x7F]),
    ("p3109-satnone-v4.0", "binary8p4sf", [0xFF, 0xFF, 0x7F, 0x7F]),
    ("p3109-satnone", "binary8p4se", [0xFF, 0xFF, 0x7F, 0x7F]),
    ("p3109-satnone", "binary8p4sf", [0x80, 0x80, 0x80, 0x80]),
    # unsigned extended: NaN FF, infinity FE, largest FD, zero 00
    ("p3109-satfinite", "binary8p4ue", [0x00, 0x00, 0xFD, 0xFD]),
    ("p3109-satpropagate", "binary8p4ue", [0x00, 0x00, 0xFD, 0xFE]),
    ("p3109-satnone-v4.0", "binary8p4ue", [0xFF, 0xFF, 0xFE, 0xFE]),
    ("p3109-satnone", "binary8p4ue", [0xFF, 0xFF, 0xFE, 0xFE]),
    ("p3109-satnone", "binary8p4uf", [0xFF, 0xFF, 0xFF, 0xFF]),
]


@pytest.mark.parametrize(("profile", "result", "codes"), P3109_SIGNED)
def test_p3109(profile: str, result: str, codes: list[int]) -> None:
    far = Fraction(2**200)
    assert [by_profile(profile, "f32", result, x) for x in (-INF, -far, far, INF)] == codes


@pytest.mark.parametrize(
    ("source", "result", "rounding", "overflow", "options", "met"),
    [
        ("f32", "e4m3fn", "rne", "sat", {}, ["ocp-sat"]),
        ("f32", "e4m3fn", "rne", "satprop", {}, ["ocp-sat"]),  # the same without infinities
        ("f16", "e4m3fn", "rne", "nonsat", {"nan": "keep-sign"}, ["ocp-nonsat"]),
        ("f16", "e4m3fn", "rne", ("nan", "nan"), {}, ["ocp-nonsat"]),
        ("f32", "e5m2", "rne", ("inf", "inf"), {"nan": "payload"}, ["ocp-nonsat"]),
        ("f32", "e5m2", "rne", "satprop", {}, []),
        ("f32", "e4m3fn", "rne", ("max", "nan"), {}, []),
        ("f32", "e4m3fn", "rtz", "sat", {}, []),
        ("f32", "e4m3fn", "rne", "sat", {"nan": "zero"}, []),
        ("f64", "e4m3fn", "rne", "sat", {}, []),
        ("f32", "e2m1fn", "rne", "nonsat", {"nan": "zero"}, ["ocp-sat"]),  # neither infinity nor NaN: it saturates
        ("f32", "e8m0fnu", "rtp", "sat", {"negative": "magnitude"}, []),
        ("f32", "binary8p4se", "rne", "satprop", {}, ["p3109-satpropagate"]),
        # toward zero a finite overflow saturates under SatNone too
        ("f32", "binary8p4se", "rtz", "satprop", {}, ["p3109-satpropagate", "p3109-satnone-v4.0", "p3109-satnone"]),
        (
            "f32",
            "binary8p4sf",
            "rne",
            "sat",
            {},
            ["p3109-satfinite", "p3109-satpropagate", "p3109-satnone-v4.0"],
        ),
        ("f32", "e4m3fnuz", "rne", "nonsat", {}, ["p3109-satnone"]),  # binary8p4sf by another name
        ("f32", "binary8p4ue", "rne", "nonsat", {"negative": "magnitude"}, []),
        # to odd: the report's and the working group's SatNone overflow to infinity, nonsat stays finite
        ("f32", "binary8p4se", "rto", "inf-inf", {}, ["p3109-satnone-v4.0", "p3109-satnone"]),
        ("f32", "binary8p4se", "rto", "nonsat", {}, ["p3109-satpropagate"]),
        ("f32", "binary8p4ue", "rto", "inf-inf", {}, ["p3109-satnone"]),
        ("f32", "binary8p4uf", "rto", "nan-nan", {}, ["p3109-satnone"]),
        ("f32", "binary8p4sf", "rto", "nonsat", {}, []),
    ],
)
def test_specifications_met(
    source: str, result: str, rounding: str, overflow: str, options: dict[str, str], met: list[str]
) -> None:
    projection = get_projection(get_format(result), rounding, overflow, **options)  # type: ignore[arg-type]
    assert list(profiles_meeting(source, result, projection)) == met


@pytest.mark.parametrize("rounding", ["rtp", "rtn"])
def test_both_signs_count(rounding: str) -> None:
    """Saturating differs from the directed modes' overflows on one side only, which side depends on the direction."""
    f = get_format("binary8p4se")
    assert "p3109-satnone" in profiles_meeting("f32", "binary8p4se", get_projection(f, rounding, "nonsat"))
    assert "p3109-satnone" not in profiles_meeting("f32", "binary8p4se", get_projection(f, rounding, ("max", "inf")))
