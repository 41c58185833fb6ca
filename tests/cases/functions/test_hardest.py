"""Hardest operands, as measured with MPFR at 200 bits by others (codes and bits), and the file of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fp8ref import get_format
from fp8ref.cases.families import FUNCTIONS
from fp8ref.cases.functions.hardest import hardest

HARDEST = json.loads((Path(__file__).parents[3] / "docs" / "data" / "hardest.json").read_text())
MEASURED = [
    ("exp", "e4m3fn", 12.1, 0x23), ("exp", "e5m2", 9.2, 0xB6), ("exp2", "e4m3fn", 6.8, None),
    ("expm1", "e5m2", 5.6, None), ("log", "e4m3fn", 6.1, None), ("log1p", "e5m2", 10.3, None),
    ("sin", "e4m3fn", 6.5, None), ("cos", "e4m3fn", 9.2, None), ("tan", "e5m2", 9.1, None),
    ("atan", "e4m3fn", 11.7, 0x6F), ("sinh", "e4m3fn", 7.1, None), ("tanh", "e4m3fn", 5.8, None),
    ("cbrt", "e5m2", 3.8, None), ("rsqrt", "e5m2", 5.0, None), ("erf", "e4m3fn", 10.0, None),
    ("sigmoid", "e4m3fn", 12.6, 0x98), ("silu", "e5m2", 18.0, 0x01), ("gelu", "e5m2", 17.3, None),
    ("softplus", "e5m2", 9.3, None), ("silu", "e5m2fnuz", 19.0, None), ("sigmoid", "e3m4", 14.6, None),
]  # fmt: skip


@pytest.mark.parametrize(("op", "name", "bits", "code"), MEASURED)
def test_as_measured(op: str, name: str, bits: float, code: int | None) -> None:
    said = HARDEST[name][op]
    assert abs(said[0][1] - bits) < 0.11
    assert code is None or f"{code:02X}" in [one for one, _ in said]


def test_the_file_is_what_is_found() -> None:
    assert all(rows.keys() == FUNCTIONS.keys() for rows in HARDEST.values())
    for op in ("exp", "atan"):
        found = hardest(op, get_format("e4m3fn"))
        assert [[f"{hard.code:02X}", round(hard.bits, 1)] for hard in found] == HARDEST["e4m3fn"][op]


def test_what_has_none() -> None:
    assert hardest("square", get_format("e2m1fn")) == []
    for op, name in (("pow", "e4m3fn"), ("sinc", "e4m3fn"), ("exp", "f32")):
        with pytest.raises(ValueError, match=r"no elementary function|more than 16"):
            hardest(op, get_format(name))
