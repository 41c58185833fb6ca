"""Conversions that published pseudo-code or code defines, restated on the bits of the source with integers alone.

Arm: ARM DDI 0487 M.a.a J1.3.3; x86 ACE: its restatements in Bochs; HIP: amd_hip_ocp_host.hpp.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

import fp8ref
from fp8ref import spec
from fp8ref.spec.profiles.catalog import get_profile
from fp8ref.spec.projection import operand

# format: exponent bits, fraction bits, bias, code of the largest finite value
TARGETS = {
    "e4m3fn": (4, 3, 7, 0x7E),
    "e5m2": (5, 2, 15, 0x7B),
    "e2m3fn": (2, 3, 1, 0x1F),
    "e3m2fn": (3, 2, 3, 0x1F),
    "e2m1fn": (2, 1, 1, 0x7),
}
SOURCES = {"f32": (8, 23, 127), "f16": (5, 10, 15), "bf16": (8, 7, 127), "e5m2": (5, 2, 15), "e4m3fn": (4, 3, 7)}
Answer = Callable[[int, str, str], int]


def taken_apart(code: int, source: str) -> tuple[int, str, int, int]:
    """(sign, kind, integer significand, exponent of its last bit)."""
    w, t, bias = SOURCES[source]
    sign, field, fraction = code >> (w + t), code >> t & ((1 << w) - 1), code & ((1 << t) - 1)
    if source == "e4m3fn":
        if code & 0x7F == 0x7F:
            return sign, "nan", fraction, 0
    elif field == (1 << w) - 1:
        return sign, "nan" if fraction else "inf", fraction, 0
    return sign, "finite", fraction | (1 << t if field else 0), max(field, 1) - bias - t


def nearest(sig: int, exp: int, target: str, odd_mode: bool = False) -> int:
    """The magnitude code of the nearest value, as if codes went on; ``odd_mode``: rounded to odd instead."""
    _, t, bias, _ = TARGETS[target]
    if sig == 0:
        return 0
    e = max(sig.bit_length() - 1 + exp, 1 - bias)
    shift = e - t - exp
    whole, rest = (sig >> shift, sig & ((1 << shift) - 1)) if shift > 0 else (sig << -shift, 0)
    if odd_mode:
        whole |= rest != 0
    elif rest:
        half = 1 << (shift - 1)
        whole += rest > half or (rest == half and whole & 1 == 1)
    return (e + bias - 1 << t) + whole


def rounded(sign: int, sig: int, exp: int, target: str, beyond: Callable[[int], int], odd: bool = False) -> int:
    w, t, _, largest = TARGETS[target]
    code = nearest(sig, exp, target, odd)
    return beyond(sign) if code > largest else code | sign << (w + t)


def arm(saturates: bool, nscale: int = 0) -> Answer:
    def answer(code: int, source: str, target: str) -> int:
        largest = TARGETS[target][3]

        def beyond(sign: int) -> int:
            return sign << 7 | (largest if saturates else 0x7C if target == "e5m2" else 0x7F)

        sign, kind, sig, exp = taken_apart(code, source)
        if kind == "nan":
            return 0x7F if target == "e4m3fn" else 0x7E
        return beyond(sign) if kind == "inf" else rounded(sign, sig, exp + nscale, target, beyond)

    return answer


def ace(saturates: bool, odd: bool = False) -> Answer:
    def answer(code: int, source: str, target: str) -> int:
        def beyond(sign: int) -> int:
            return sign << 7 | (TARGETS[target][3] if saturates else 0x7C if target == "e5m2" else 0x7F)

        sign, kind, sig, exp = taken_apart(code, source)
        if kind == "nan":
            return sign << 7 | (0x7F if target == "e4m3fn" else 0x7E | code >> 21 & 1)
        if kind == "finite" and code & 0x7F800000 == 0:
            return sign << 7
        return beyond(sign) if kind == "inf" else rounded(sign, sig, exp, target, beyond, odd)

    return answer


def ace_narrow(code: int, source: str, target: str) -> int:
    w, t, _, largest = TARGETS[target]
    sign, kind, sig, exp = taken_apart(code, source)
    most = sign << (w + t) | largest
    return most if kind != "finite" else rounded(sign, sig, exp, target, lambda sign: most)


def hip(code: int, source: str, target: str) -> int:
    w, t, _, largest = TARGETS[target]
    sign, kind, sig, exp = taken_apart(code, source)
    nan = {"e4m3fn": 0x7F, "e5m2": 0x7E}.get(target, largest)
    infinity = {"e4m3fn": 0x7F, "e5m2": 0x7B}.get(target, largest)
    if kind != "finite":
        return sign << (w + t) | (nan if kind == "nan" else infinity)
    return rounded(sign, sig, exp, target, lambda sign: sign << (w + t) | infinity)


QUESTIONS: list[tuple[str, str, str, str, Answer]] = [
    *(
        (f"arm-fpmr-osc{int(osc)}", "rne", source, target, arm(osc))
        for osc in (False, True)
        for source in ("f32", "f16", "bf16")
        for target in ("e4m3fn", "e5m2")
    ),
    ("x86-ace", "rne", "f32", "e4m3fn", ace(False)),
    ("x86-ace", "rne", "f32", "e5m2", ace(False)),
    ("x86-ace", "rto", "f32", "e4m3fn", ace(False, odd=True)),
    ("x86-ace-s", "rne", "f32", "e4m3fn", ace(True)),
    ("x86-ace-s", "rne", "f32", "e5m2", ace(True)),
    ("x86-ace-s", "rto", "f32", "e4m3fn", ace(True, odd=True)),
    ("x86-ace-s", "rne", "e5m2", "e3m2fn", ace_narrow),
    ("x86-ace-s", "rne", "e4m3fn", "e2m3fn", ace_narrow),
    ("x86-ace-s", "rne", "e5m2", "e2m1fn", ace_narrow),
    ("x86-ace-s", "rne", "e4m3fn", "e2m1fn", ace_narrow),
    *(("amd-hip-ocp", "rne", source, target, hip) for source in ("f32", "bf16") for target in TARGETS),
]


def codes_of(source: str, target: str) -> Iterator[int]:
    """Specials, subnormals, and values around every tie of the target, with their neighbours, both signs."""
    w, t, bias = SOURCES[source]
    if w + t < 8:
        yield from range(1 << (w + t + 1))
        return
    rng = random.Random(f"{source} {target}")
    top = ((1 << w) - 1) << t
    some = [0, 1, 2, (1 << t) - 1, 1 << t, top - 1, top, top + 1, top + (1 << (t - 1)), top + (1 << t) - 1]
    some += [top | rng.getrandbits(t) | 1 for _ in range(20)] + [rng.getrandbits(w + t) for _ in range(100)]
    _, fraction_bits, target_bias, largest = TARGETS[target]
    for _ in range(150):  # 1.fff1 and its neighbours, in and around the target's range
        e = rng.randint(-target_bias - fraction_bits - 2, (largest >> fraction_bits) - target_bias + 2) + bias
        if 0 < e < (1 << w) - 1:
            tie = e << t | (2 * rng.getrandbits(fraction_bits) + 1) << (t - fraction_bits - 1)
            some += [tie - 1, tie, tie + 1]
    yield from some
    yield from (code | 1 << (w + t) for code in some)


@pytest.mark.parametrize(("profile", "rounding", "source", "target", "want"), QUESTIONS)
def test_conversion(profile: str, rounding: str, source: str, target: str, want: Answer) -> None:
    rule = get_profile(profile).rule(source, target, spec.Rounding(rounding))
    assert rule is not None
    f = spec.get_format(source)
    rho = spec.get_projection(
        spec.get_format(target), rounding, rule.overflow, rule.nan, rule.negative, subnormal=rule.subnormal
    )
    for code in codes_of(source, target):
        datum, _ = spec.project(operand(code, f, rho), spec.get_format(target), rho)
        got = spec.pack(datum, spec.get_format(target))
        assert got == want(code, source, target), f"{profile}: {source} {code:X} to {target}"


NSCALES = {"f32": (-128, -20, 1, 100, 127), "f16": (-16, -3, 7, 15), "bf16": (-128, 9, 127)}


@pytest.mark.parametrize("osc", [False, True])
@pytest.mark.parametrize("source", NSCALES)
def test_arm_multiplies_before_the_one_rounding(source: str, osc: bool) -> None:
    """FPMR.NSCALE is another bias of the source, in the reference and on arrays."""
    for nscale in NSCALES[source]:
        twin = spec.scaled_format(source, nscale)
        for target in ("e4m3fn", "e5m2"):
            rule = get_profile(f"arm-fpmr-osc{int(osc)}").rule(source, target, spec.Rounding("rne"))
            assert rule is not None
            w, t, _ = SOURCES[source]
            some = [code for code in codes_of(source, target) if not code >> (w + t)]
            near = [code - (nscale << t) for code in some if 0 < (code >> t) - nscale < (1 << w) - 1]
            codes = [code | sign << (w + t) for code in (*some[::4], *near[::3]) for sign in (0, 1)]
            want = [arm(osc, nscale)(code, source, target) for code in codes]
            dtype = np.uint32 if source == "f32" else np.uint16
            got = fp8ref.convert(np.array(codes, dtype), twin, target, overflow=rule.overflow, nan=rule.nan)
            assert got.tolist() == want, (source, nscale, target)
            rho = spec.get_projection(spec.get_format(target), "rne", rule.overflow, rule.nan)
            for code, answer in list(zip(codes, want))[::9]:
                datum, _ = spec.project(operand(code, twin, rho), spec.get_format(target), rho)
                assert spec.pack(datum, spec.get_format(target)) == answer


@pytest.mark.parametrize(("source", "target", "lscale"), [
    ("e5m2", "f16", 15), ("e4m3fn", "f16", 9), ("e4m3fn", "bf16", 63), ("e5m2", "bf16", 63), ("e4m3fn", "f16", 1)
])  # fmt: skip
def test_arm_divides_after_decoding(source: str, target: str, lscale: int) -> None:
    """FPMR.LSCALE: only subnormal results round."""
    w, t, bias = SOURCES[target]
    want = []
    for code in range(256):
        sign, kind, sig, exp = taken_apart(code, source)
        infinity = ((1 << w) - 1) << t
        if kind == "nan":
            want.append(infinity | 1 << (t - 1))
            continue
        magnitude = infinity
        if kind == "finite":
            units = Fraction(sig) * Fraction(2) ** (exp - lscale)
            e = max(1 - bias, math.floor(math.log2(units))) if sig else 1 - bias
            magnitude = (e + bias - 1 << t) + round(units / Fraction(2) ** (e - t))
        want.append(magnitude | sign << (w + t))
    rule = get_profile("arm-fpmr-osc0").rule(source, target, spec.Rounding("rne"))
    assert rule is not None
    twin = spec.scaled_format(source, -lscale)
    got = fp8ref.convert(np.arange(256, dtype=np.uint8), twin, target, overflow=rule.overflow, nan=rule.nan)
    assert got.view(np.uint16).tolist() == want


@pytest.mark.parametrize(
    ("name", "exponent"), [("f64", 1), ("mxint8", 1), ("e8m0fnu", 200), ("e4m3fn", 8), ("e2m1fn", 1)]
)
def test_scales_that_no_name_says(name: str, exponent: int) -> None:
    with pytest.raises(ValueError, match="has no name"):
        spec.scaled_format(name, exponent)


def test_the_restatement_reads_bits_as_python_does() -> None:
    for x in (1.0, -2.5, 2.0**-149, 3.0e38):
        sign, _, sig, exp = taken_apart(struct.unpack("<I", struct.pack("<f", x))[0], "f32")
        assert (-1) ** sign * sig * 2.0**exp == struct.unpack("<f", struct.pack("<f", x))[0]
