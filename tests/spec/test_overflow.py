"""Overflow: names, the table of modes, signs and rules, and each specification's own cases."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from second_oracles.exact import OVERFLOWS, ROUNDINGS, TABLES
from short import over

import fp8ref
from fp8ref import spec
from fp8ref.cases.operation import Operation
from fp8ref.spec.overflow import Overflow, To, get_overflow

INF = float("inf")

# what the three names stand for [the contract]: sat, satprop, nonsat
NAMES = {
    "e4m3fn": ("max-max", "max-max", "ieee-nan"),
    "e5m2": ("max-max", "max-inf", "ieee-inf"),
    "e4m3fnuz": ("max-max", "max-max", "ieee-nan"),
    "e8m0fnu": ("max-max", "max-max", "ieee-nan"),
    "e2m1fn": ("max-max", "max-max", "ieee-max"),
    "mxint8": ("max-max", "max-max", "ieee-max"),
    "e5m0": ("max-max", "max-inf", "ieee-inf"),
    "binary8p4ue": ("max-max", "max-inf", "ieee-inf"),
    "binary8p4sf": ("max-max", "max-max", "ieee-nan"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    f = spec.get_format(name)
    assert tuple(str(get_overflow(rule, f)) for rule in OVERFLOWS) == NAMES[name]


@pytest.mark.parametrize("rule", ["max-inf", ("max", "inf"), Overflow(To.MAX, To.INF)])
def test_three_ways_to_write_a_rule(rule: Overflow | tuple[str, str] | str) -> None:
    assert get_overflow(rule, spec.get_format("e5m2")) == Overflow(To.MAX, To.INF)


def test_the_default_is_sat_to_8_bits_and_ieee_beyond() -> None:
    """sat is a storage rule of narrow formats; nobody expects 1e10 to be finite in binary16."""
    for f in spec.formats():
        assert get_overflow(None, f) == get_overflow("sat" if f.k <= 8 else "nonsat", f), f.name
        if f.k > 8:
            assert spec.encode(Fraction(10) ** 400, f.name)[0] == f.infinity_code
            assert spec.encode(Fraction(10) ** 400, f.name, overflow="sat")[0] == f.max_code
    assert spec.encode(10**9, "e4m3fn")[0] == 0x7E
    assert spec.encode(10**9, "e4m4fn")[0] == 0xFF  # 9 bits: NaN, as it has no infinity
    assert fp8ref.encode(1e10, "f16") == 0x7C00
    assert fp8ref.quantize(np.float64(1e39), "bf16") == INF
    assert fp8ref.convert([0x7F7FFFFF], "f32", "f16").tolist() == [0x7C00]
    assert fp8ref.add([0x7BFF], [0x7BFF], "f16").tolist() == [0x7C00]
    assert fp8ref.divide([0x38], [0x00], "e4m3fn", result="f16").tolist() == [0x7C00]
    assert fp8ref.dot([0x7C], [0x3C], "e5m2").item() == INF
    assert fp8ref.dot([0x7C], [0x3C], "e5m2", overflow="sat").item() == np.finfo(np.float32).max
    assert fp8ref.matmul([[0x7B]], [[0x7B]], "e5m2", result="f16").item() == INF
    assert fp8ref.dot([0x7E], [0x7E], "e4m3fn", result="e4m3fn").item() == 0x7E


@pytest.mark.parametrize(
    ("id_", "mode"),
    [
        ("convert/f32/e4m3fn", "rne.sat"), ("convert/f64/f16", "rne.nonsat"), ("add/f32.f32/f32", "rne.nonsat"),
        ("fma/e5m2.e5m2.f16/f16", "rne.nonsat"), ("mul/e5m2.e5m2/e5m2", "rne.sat"), ("f64_to_bf16", "rne.nonsat"),
    ],
)  # fmt: skip
def test_the_mode_of_an_id_that_names_none(id_: str, mode: str) -> None:
    assert Operation.parse(id_).mode == mode


def test_round_to_odd_stays_finite_in_every_format() -> None:
    """SoftFloat, Arm and RISC-V .rod deliver the largest finite value, which is odd in IEEE-like formats."""
    for f in spec.formats():
        code, status = spec.encode(Fraction(10) ** 400, f.name, "rto", "nonsat")
        assert (code, status) == (f.max_code, spec.Status.OVERFLOW | spec.Status.INEXACT), f.name
        assert spec.encode(INF, f.name, "rto", "nonsat")[0] != f.max_code or not (f.infinities or f.has_nan)


@pytest.mark.parametrize("rule", ["clamp", "max", "max-inf-nan", ("max",), ("max", "up"), "", 3, ("sat", "sat")])
def test_unknown_rules(rule: object) -> None:
    message = r"unknown overflow rule .*; choose sat, satprop, nonsat, or a pair \(finite, infinite\) of max, ieee, inf"
    with pytest.raises(ValueError, match=message):
        get_overflow(rule, spec.get_format("e5m2"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "name", "message"),
    [
        ("inf-max", "e4m3fn", "e4m3fn has no infinity for finite overflows"),
        ("max-inf", "e2m1fn", "e2m1fn has no infinity for infinite overflows"),
        ("nan-max", "e3m2fn", "e3m2fn has no NaN for finite overflows"),
        ("max-nan", "mxint8", "mxint8 has no NaN for infinite overflows"),
        ("max-nan", "e5m0", "e5m0 has no NaN for infinite overflows"),
    ],
)
def test_rules_that_a_format_cannot_follow(rule: str, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_overflow(rule, spec.get_format(name))


# The contract's table: what a finite overflow becomes under 'ieee', positive and negative; "out" is infinity, else NaN,
# else the extreme value.
IEEE = {
    "rne": ("out", "out"),
    "rna": ("out", "out"),
    "rtz": ("max", "max"),
    "rtp": ("out", "max"),
    "rtn": ("max", "out"),
    "rto": ("max", "max"),
    "sr-a": ("out", "out"),
    "sr-b": ("out", "out"),
    "sr-c": ("out", "out"),
}
# name: (max, lowest, +out, -out)
ENDS = {
    "e5m2": (0x7B, 0xFB, 0x7C, 0xFC),
    "e4m3fn": (0x7E, 0xFE, 0x7F, 0x7F),
    "e4m3fnuz": (0x7F, 0xFF, 0x80, 0x80),
    "e2m1fn": (0x7, 0xF, 0x7, 0xF),
    "mxint8": (0x7F, 0x80, 0x7F, 0x80),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("mode", IEEE)
def test_every_rule_under_every_mode_and_sign(name: str, mode: str) -> None:
    """Far beyond the range every mode overflows; an infinity was not rounded, so no mode turns it back."""
    top, bottom, plus, minus = ENDS[name]
    random = spec.RandomBits(0, 4)
    for negative, extreme, out in ((False, top, plus), (True, bottom, minus)):
        finite = Fraction(-(10**9) if negative else 10**9)
        infinite = -INF if negative else INF
        ieee = extreme if IEEE[mode][negative] == "max" else out

        def code(x: Fraction | float, rule: str) -> int:
            return spec.encode(x, name, mode, rule, random=random)[0]

        assert (code(finite, "sat"), code(infinite, "sat")) == (extreme, extreme)
        assert code(finite, "satprop") == extreme
        assert code(infinite, "satprop") == (out if name == "e5m2" else extreme)
        assert (code(finite, "nonsat"), code(infinite, "nonsat")) == (ieee, out)
        assert code(infinite, "max-ieee") == out
        if name == "e5m2":
            assert (code(finite, "inf-max"), code(infinite, "inf-max")) == (out, extreme)
            assert (code(finite, "nan-inf"), code(infinite, "inf-nan")) == (0x7F, 0x7F)
        if name == "e4m3fn":
            assert (code(finite, "nan-max"), code(infinite, "max-nan")) == (0x7F, 0x7F)


@pytest.mark.parametrize(
    ("x", "rule", "code"),
    [
        # OFP8 5.2.1: rounding first, then the comparison with the largest value; table 3
        (464, "sat", 0x7E),
        (464, "nonsat", 0x7E),
        (Fraction(464) + Fraction(1, 10**30), "sat", 0x7E),
        (Fraction(464) + Fraction(1, 10**30), "nonsat", 0x7F),
        (480, "nonsat", 0x7F),
        (-480, "sat", 0xFE),
        (-480, "nonsat", 0x7F),
        (INF, "sat", 0x7E),
        (-INF, "sat", 0xFE),
        (INF, "nonsat", 0x7F),
    ],
)
def test_ofp8_e4m3(x: Fraction | float, rule: str, code: int) -> None:
    assert spec.encode(x, "e4m3fn", "rne", rule)[0] == code


@pytest.mark.parametrize(
    ("x", "rule", "code"),
    [
        (Fraction(61440) - Fraction(1, 10**30), "nonsat", 0x7B),
        (61440, "nonsat", 0x7C),
        (61440, "sat", 0x7B),
        (-61440, "nonsat", 0xFC),
        (-61440, "sat", 0xFB),
        (INF, "sat", 0x7B),
        (INF, "satprop", 0x7C),
        (-INF, "nonsat", 0xFC),
    ],
)
def test_ofp8_e5m2(x: Fraction | float, rule: str, code: int) -> None:
    assert spec.encode(x, "e5m2", "rne", rule)[0] == code


# P3109 Saturate on Binary8p4..; columns: signed extended, signed finite, unsigned extended, unsigned finite.
# SatNone follows the working group's formal text of July 2026.
HI, LO, NAN, PINF, NINF = "hi", "lo", "nan", "+inf", "-inf"
P3109_KINDS = ("se", "sf", "ue", "uf")
P3109_CODES = {
    "se": {HI: 0x7E, LO: 0xFE, NAN: 0x80, PINF: 0x7F, NINF: 0xFF},
    "sf": {HI: 0x7F, LO: 0xFF, NAN: 0x80},
    "ue": {HI: 0xFD, LO: 0x00, NAN: 0xFF, PINF: 0xFE},
    "uf": {HI: 0xFE, LO: 0x00, NAN: 0xFF},
}
BIG = Fraction(10**9)
SATURATE: list[tuple[str, float | Fraction, str, tuple[str, str, str, str]]] = [
    # rule, X, roundings, what it becomes
    ("sat", INF, "rne rna rtz rtp rtn rto", (HI, HI, HI, HI)),
    ("sat", -INF, "rne rna rtz rtp rtn rto", (LO, LO, LO, LO)),
    ("sat", BIG, "rne rna rtz rtp rtn rto", (HI, HI, HI, HI)),
    ("sat", -BIG, "rne rna rtz rtp rtn rto", (LO, LO, LO, LO)),
    ("satprop", INF, "rne rna rtz rtp rtn rto", (PINF, HI, PINF, HI)),
    ("satprop", -INF, "rne rna rtz rtp rtn rto", (NINF, LO, LO, LO)),
    ("satprop", BIG, "rne rna rtz rtp rtn rto", (HI, HI, HI, HI)),
    ("satprop", -BIG, "rne rna rtz rtp rtn rto", (LO, LO, LO, LO)),
    ("nonsat", INF, "rne rna rtz rtp rtn rto", (PINF, NAN, PINF, NAN)),
    ("nonsat", -INF, "rne rna rtz rtp rtn rto", (NINF, NAN, NAN, NAN)),
    ("nonsat", BIG, "rtz rtn rto", (HI, HI, HI, HI)),
    ("nonsat", BIG, "rne rna rtp", (PINF, NAN, PINF, NAN)),
    ("nonsat", -BIG, "rtz rtp rto", (LO, LO, LO, LO)),
    ("nonsat", -BIG, "rne rna rtn", (NINF, NAN, NAN, NAN)),
]


@over("kind", P3109_KINDS)
@over("row", SATURATE)
def test_p3109_saturate(kind: str, row: tuple[str, float | Fraction, str, tuple[str, str, str, str]]) -> None:
    rule, x, modes, becomes = row
    want = P3109_CODES[kind][becomes[P3109_KINDS.index(kind)]]
    for mode in modes.split():
        assert spec.encode(x, f"binary8p4{kind}", mode, rule)[0] == want, mode


@pytest.mark.parametrize("kind", ["sf", "uf"])
def test_p3109_report_v4_0_clamps_in_finite_formats(kind: str) -> None:
    """The report's own SatNone on finite formats is reached by naming what overflows become."""
    for x, becomes in ((INF, HI), (BIG, HI), (-BIG, LO)):
        assert spec.encode(x, f"binary8p4{kind}", "rne", "max-max")[0] == P3109_CODES[kind][becomes]


def test_unsigned_formats_and_negative_values() -> None:
    """Rounding comes first: a negative value that rounds to zero is zero; what stays below is judged as overflow."""
    tiny = -TABLES["ue4m3"].ladder[1] / 4
    for mode in ROUNDINGS:
        for rule in OVERFLOWS:
            want = 0x7F if mode == "rtn" and rule == "nonsat" else 0
            assert spec.encode(tiny, "ue4m3", mode, rule)[0] == want, (mode, rule)
    assert spec.encode(-1, "ue4m3", "rne", "nonsat") == (0x7F, spec.Status.OVERFLOW | spec.Status.INEXACT)
    assert spec.encode(-1, "ue4m3", "rtz", "nonsat")[0] == 0
    assert spec.encode(-0.0, "ue4m3") == (0, spec.Status.NONE)
    assert spec.encode(-1, "ue4m3", negative="magnitude") == (0x38, spec.Status.NONE)
    assert spec.encode(-INF, "ue5m3", "rne", "nonsat", negative="magnitude")[0] == 0xFF
    with pytest.raises(ValueError, match="unknown negative 'abs'; choose from lowest, magnitude"):
        spec.encode(-1, "ue4m3", negative="abs")


# x: codes under rtz sat, rtz nonsat, rtp sat, rtp nonsat: what CUDA's converters return for magnitudes
E8M0_CUDA = {
    Fraction(0): (0x00, 0x00, 0x00, 0x00),
    Fraction(2) ** -149: (0x00, 0x00, 0x00, 0x00),
    Fraction(2) ** -128: (0x00, 0x00, 0x00, 0x00),
    Fraction(2) ** -127: (0x00, 0x00, 0x00, 0x00),
    Fraction(2) ** -127 + Fraction(2) ** -149: (0x00, 0x00, 0x01, 0x01),
    Fraction(1): (0x7F, 0x7F, 0x7F, 0x7F),
    1 + Fraction(2) ** -23: (0x7F, 0x7F, 0x80, 0x80),
    Fraction(3): (0x80, 0x80, 0x81, 0x81),
    Fraction(2) ** 127: (0xFE, 0xFE, 0xFE, 0xFE),
    Fraction(2) ** 127 + Fraction(2) ** 104: (0xFE, 0xFE, 0xFE, 0xFF),
}


@pytest.mark.parametrize("x", E8M0_CUDA)
def test_e8m0_toward_zero_and_up(x: Fraction) -> None:
    modes = [(mode, rule) for mode in ("rtz", "rtp") for rule in ("sat", "nonsat")]
    for (mode, rule), code in zip(modes, E8M0_CUDA[x]):
        assert spec.encode(x, "e8m0fnu", mode, rule, negative="magnitude")[0] == code
        assert spec.encode(-x, "e8m0fnu", mode, rule, negative="magnitude")[0] == code


@pytest.mark.parametrize(
    ("x", "mode", "rule", "code"),
    [
        # a tie goes to the even code, whichever value that is; ties up is rna
        (Fraction(3, 2), "rne", "sat", 0x80),
        (Fraction(3), "rne", "sat", 0x80),
        (Fraction(6), "rne", "sat", 0x82),
        (Fraction(3, 2), "rna", "sat", 0x80),
        (Fraction(3), "rna", "sat", 0x81),
        (Fraction(3) - Fraction(1, 10**9), "rna", "sat", 0x80),
        (Fraction(3) + Fraction(1, 10**9), "rne", "sat", 0x81),
        (Fraction(3), "rto", "sat", 0x81),
        (Fraction(3, 2), "rto", "sat", 0x7F),
        # overflow and infinity: FE, FE under sat and satprop, FF under nonsat
        (Fraction(3) * 2**126, "rne", "nonsat", 0xFE),
        (Fraction(2) ** 128, "rne", "sat", 0xFE),
        (Fraction(2) ** 128, "rne", "satprop", 0xFE),
        (Fraction(2) ** 128, "rne", "nonsat", 0xFF),
        (Fraction(2) ** 128, "rtz", "nonsat", 0xFE),
        (INF, "rne", "sat", 0xFE),
        (INF, "rne", "satprop", 0xFE),
        (INF, "rne", "nonsat", 0xFF),
        (INF, "rtz", "nonsat", 0xFF),
        (float("nan"), "rne", "sat", 0xFF),
        # negative is NaN, whatever the rule; negative zero is zero
        (Fraction(-1), "rne", "sat", 0xFF),
        (Fraction(-1, 10**60), "rtp", "satprop", 0xFF),
        (-INF, "rne", "sat", 0xFF),
        (-0.0, "rne", "nonsat", 0x00),
    ],
)
def test_e8m0(x: Fraction | float, mode: str, rule: str, code: int) -> None:
    assert spec.encode(x, "e8m0fnu", mode, rule)[0] == code


@pytest.mark.parametrize(
    ("x", "mode", "code"),
    [
        (Fraction(127, 64), "rne", 0x7F),
        (Fraction(255, 128), "rne", 0x7F),  # a tie with 128/64, which is even and too large
        (Fraction(253, 128), "rne", 0x7E),
        (Fraction(253, 128), "rna", 0x7F),
        (-2, "rne", 0x80),
        (Fraction(-257, 128), "rne", 0x80),  # a tie with -129/64, and -128/64 is even
        (Fraction(-259, 128), "rtz", 0x7F + 1),
        (-3, "rtn", 0x80),
        (3, "rtp", 0x7F),
        (Fraction(-1, 64), "rne", 0xFF),
        (Fraction(-1, 128), "rne", 0x00),
        (Fraction(-3, 128), "rne", 0xFE),
        (Fraction(-1, 200), "rtn", 0xFF),
        (Fraction(1, 200), "rto", 0x01),
        (-0.0, "rne", 0x00),
        (INF, "rne", 0x7F),
        (-INF, "rne", 0x80),
        (float("nan"), "rne", 0x7F),
    ],
)
def test_mxint8(x: Fraction | float, mode: str, code: int) -> None:
    assert spec.encode(x, "mxint8", mode)[0] == code


def test_negative_values_become_zero_where_there_is_one() -> None:
    """PTX cvt.relu: what is below 0 becomes +0, and nothing is raised; E8M0 has no zero."""
    assert spec.encode(-3, "e4m3fn", negative="zero") == (0, spec.Status.NONE)
    assert spec.encode(-INF, "e5m2", "rtn", "nonsat", negative="zero") == (0, spec.Status.NONE)
    assert spec.encode(3.25, "e4m3fn", negative="zero") == (0x45, spec.Status.NONE)
    with pytest.raises(ValueError, match="e8m0fnu has no zero"):
        spec.encode(1, "e8m0fnu", negative="zero")
