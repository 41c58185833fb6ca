"""What a NaN becomes: every choice, in formats with and without NaN."""

from __future__ import annotations

from fractions import Fraction

import pytest

from fp8ref import spec
from fp8ref.spec import Datum, Status

QUIET, SIGNALLING = Fraction(1, 2), Fraction(1, 4)
NONE, INVALID = Status.NONE, Status.INVALID

# (format, choice): codes of +quiet NaN, -quiet NaN
CHOICES = {
    ("e4m3fn", "canonical"): (0x7F, 0x7F),
    ("e4m3fn", "keep-sign"): (0x7F, 0xFF),
    ("e4m3fn", "quiet"): (0x7F, 0xFF),
    ("e4m3fn", "payload"): (0x7F, 0xFF),
    ("e4m3fn", "max"): (0x7E, 0x7E),
    ("e4m3fn", "zero"): (0x00, 0x00),
    ("e5m2", "canonical"): (0x7F, 0x7F),
    ("e5m2", "keep-sign"): (0x7F, 0xFF),
    ("e5m2", "quiet"): (0x7E, 0xFE),
    ("e5m2", "payload"): (0x7E, 0xFE),
    ("e5m2", "default"): (0x7E, 0x7E),
    ("e4m3fn", "default"): (0x7F, 0x7F),
    ("e4m3fnuz", "default"): (0x80, 0x80),
    ("f32", "default"): (0x7FC00000, 0x7FC00000),
    ("e4m3fn", "signed-max"): (0x7E, 0xFE),
    ("ue5m3", "signed-max"): (0xFE, 0xFE),
    ("e2m3fn", "signed-max"): (0x1F, 0x3F),
    ("e3m2fn", "signed-max"): (0x1F, 0x3F),
    ("e2m1fn", "signed-max"): (0x7, 0xF),
    ("e4m3", "canonical"): (0x7C, 0x7C),
    ("e3m4", "keep-sign"): (0x78, 0xF8),
    ("e4m3fnuz", "canonical"): (0x80, 0x80),
    ("e4m3fnuz", "keep-sign"): (0x80, 0x80),
    ("e4m3fnuz", "payload"): (0x80, 0x80),
    ("e8m0fnu", "canonical"): (0xFF, 0xFF),
    ("e8m0fnu", "keep-sign"): (0xFF, 0xFF),
    ("e8m0fnu", "zero"): (0x00, 0x00),
    ("ue5m3", "canonical"): (0xFF, 0xFF),
    ("binary8p4se", "canonical"): (0x80, 0x80),
    ("binary8p4uf", "keep-sign"): (0xFF, 0xFF),
    ("f16", "canonical"): (0x7E00, 0x7E00),
    ("f32", "keep-sign"): (0x7FC00000, 0xFFC00000),
    ("e2m1fn", "canonical"): (0x7, 0x7),
    ("e2m1fn", "keep-sign"): (0x7, 0x7),
    ("e2m1fn", "zero"): (0x0, 0x0),
    ("mxint8", "max"): (0x7F, 0x7F),
    ("e5m0", "canonical"): (0x1E, 0x1E),
}


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_choice(name: str, choice: str) -> None:
    refused = choice in ("max", "signed-max", "zero") or not spec.get_format(name).has_nan
    for sign in (0, 1):
        want = CHOICES[name, choice][sign]
        assert spec.encode(Datum.nan(sign, QUIET), name, nan=choice) == (want, INVALID if refused else NONE)
        code, status = spec.encode(Datum.nan(sign, SIGNALLING), name, nan=choice)
        assert status == INVALID
        if choice != "payload":
            assert code == want


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (Fraction(0b1000000001, 1024), 0x7E00 | 1),
        (Fraction(0b0000000001, 1024), 0x7E00 | 1),
        (Fraction(0b1100000000, 1024), 0x7F00),
        (Fraction(0b11000000001, 2048), 0x7F00),
    ],
)
def test_leading_payload_bits_are_kept_and_quieted(payload: Fraction, code: int) -> None:
    assert spec.encode(Datum.nan(0, payload), "f16", nan="payload")[0] == code


def test_error_refuses() -> None:
    with pytest.raises(ValueError, match="a NaN is to be converted to e4m3fn and nan='error' refuses it"):
        spec.encode(Datum.nan(), "e4m3fn", nan="error")
    assert spec.encode(1, "e4m3fn", nan="error") == (0x38, NONE)


def test_unknown_choice() -> None:
    with pytest.raises(ValueError, match="unknown nan 'quietly'; choose from canonical, keep-sign"):
        spec.encode(Datum.nan(), "e4m3fn", nan="quietly")


def test_the_sign_of_a_nan_that_an_overflow_makes() -> None:
    """CUDA keeps it (FF), fp8ref's default is the one canonical NaN; Arm keeps this one alone."""
    assert spec.encode(-465, "e4m3fn", "rne", "nonsat")[0] == 0x7F
    assert spec.encode(-465, "e4m3fn", "rne", "nonsat", nan="keep-sign")[0] == 0xFF
    assert spec.encode(float("-inf"), "e4m3fn", "rne", "nonsat", nan="keep-sign")[0] == 0xFF
    for value in (-465, float("-inf")):
        assert spec.encode(value, "e4m3fn", "rne", "nonsat", nan="default")[0] == 0xFF


def test_canonical_nan() -> None:
    assert spec.pack(spec.canonical_nan(spec.get_format("e5m2"), 1), spec.get_format("e5m2")) == 0xFF
    assert spec.pack(spec.canonical_nan(spec.get_format("ue5m3"), 1), spec.get_format("ue5m3")) == 0xFF
    with pytest.raises(ValueError, match="e2m1fn has no NaN"):
        spec.canonical_nan(spec.get_format("e2m1fn"))
