"""``negative=zero``, PTX's ``.relu``: the oracle's answer above +0, +0 from -0 down, NaNs as ever, nothing raised."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from second_oracles.exact import INFINITE, TABLES

import fp8ref
from fp8ref import spec

FORMATS = ("e4m3fn", "e5m2", "e4m3fnuz", "e2m1fn", "e3m2fn", "mxint8", "ue5m3", "binary8p3se")
ROUNDINGS = ("rne", "rtz", "rtp", "rtn", "rto")


def wanted(x: float, name: str, rounding: str, overflow: str) -> int:
    table = TABLES[name]
    if not x > 0:
        return 0
    place = INFINITE if x == np.inf else table.place(Fraction(x))
    return table.encode(False, place, rounding, overflow)


def some_values(name: str) -> NDArray[Any]:
    rng = np.random.default_rng(len(name))
    ladder = np.array([float(v) for v in TABLES[name].ladder if v < 2**120], np.float32)
    middles = (ladder[1:] + ladder[:-1]) / 2
    x = np.concatenate(
        [ladder, middles, middles * np.float32(1.001), 2.0 ** rng.uniform(-20, 20, 50), [0, np.inf, 3e38]]
    )
    return np.concatenate([x, -x]).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
def test_the_reference_and_the_arrays(name: str) -> None:
    x = some_values(name)
    for rounding in ROUNDINGS:
        for overflow in ("sat", "nonsat"):
            options = {"rounding": rounding, "overflow": overflow, "negative": "zero"}
            want = [wanted(v, name, rounding, overflow) for v in x.tolist()]
            codes, status = fp8ref.encode(x, name, flags=True, **options)
            assert codes.tolist() == want
            assert not status[np.signbit(x)].any()
            assert fp8ref.encode(x.astype(np.float64), name, **options).tolist() == want
            few = slice(None, None, 7)
            assert [spec.encode(v, name, **options)[0] for v in x[few].tolist()] == want[few]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e2m1fn"])
def test_nans_and_signed_zeros(name: str) -> None:
    x = np.array([np.nan, -np.nan, -0.0, 0.0, -np.inf, -1e-30], np.float32)
    for nan in ("canonical", "keep-sign", "max"):
        if nan == "keep-sign" and name == "e2m1fn":
            continue
        plain = fp8ref.encode(x, name, nan=nan)
        found = fp8ref.encode(x, name, nan=nan, negative="zero")
        assert found[:2].tolist() == plain[:2].tolist()  # as without it
        assert found[2:].tolist() == [0, 0, 0, 0]


def test_codes_and_integers() -> None:
    codes = np.arange(256, dtype=np.uint8)
    found = fp8ref.convert(codes, "e5m2", "e4m3fn", negative="zero")
    plain = fp8ref.convert(codes, "e5m2", "e4m3fn")
    assert np.array_equal(found[:128], plain[:128])
    assert found[0x80:0xFD].tolist() == [0] * 125  # -0 to -Infinity
    assert found[0xFD:].tolist() == [0x7F] * 3
    assert fp8ref.encode(np.array([-7, 0, 7]), "e4m3fn", negative="zero").tolist() == [0, 0, 0x4E]


def test_a_format_without_zero_cannot() -> None:
    with pytest.raises(ValueError, match="e8m0fnu has no zero"):
        fp8ref.encode([1.0], "e8m0fnu", negative="zero")
