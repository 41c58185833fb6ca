"""How near functions come to midpoints: the hardest operands by MPFR, and that vectors hold them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import warm

from fp8ref.cases import Operation
from fp8ref.vectors.coverage.element_points import element_points, known_nearness, nearness

gmpy2 = pytest.importorskip("gmpy2")


def nearest(op: str, mantissa: int) -> dict[int, int]:
    """By MPFR, for every positive E4M3 code: d of 2**-d > distance to the nearest midpoint of E4M3 >= 2**-(d+1)."""
    found = {}
    with gmpy2.context(precision=400):
        for code in range(1, 0x7F):
            field, part = code >> 3, code & 7
            x = gmpy2.mpfr(part + 8 * (field > 0)) * gmpy2.mpfr(2) ** (max(field, 1) - 10)
            y = getattr(gmpy2, op)(x)
            exponent = max(gmpy2.get_exp(y) - 1, -6)
            if exponent > 8:
                continue
            ulps = abs(y) / gmpy2.mpfr(2) ** (exponent - mantissa)
            away = abs(ulps - gmpy2.floor(ulps) - gmpy2.mpfr(0.5))
            if away and ulps != gmpy2.floor(ulps):
                found[code] = -gmpy2.get_exp(away)
    return found


@pytest.mark.parametrize("function", ["exp", "tanh", "cbrt"])
def test_nearness_is_that_of_the_true_value(function: str) -> None:
    near = known_nearness(Operation.parse(f"{function}/e4m3fn/e4m3fn/rne.sat"))
    want = nearest(function, 3)
    assert {code: int(near[code]) for code in want} == want
    assert len(want) > 60


def test_the_hardest_operand_is_in_the_vectors() -> None:
    done = warm.fp8ref("vectors", "generate", "exp/e4m3fn/e4m3fn/rne.sat", "--select", "bins")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(line.get("a") == "23" and "near=2^-12" in line["bins"] for line in lines)  # e^0.34375, 12.05 bits


def test_values_that_no_operand_has_say_so() -> None:
    point = next(p for p in element_points(Operation.parse("exp/e4m3fn/e4m3fn/rne.sat")) if p.coverpoint.name == "near")
    assert point.coverpoint.values[-1] == "2^-12"
    assert set(point.missing) == {"2^-0", "2^-8", "2^-9", "2^-10", "2^-11"}
    names = [p.coverpoint.name for p in element_points(Operation.parse("sqrt/e4m3fn/e4m3fn/rne.sat"))]
    assert "near" not in names
    assert nearness.__doc__
    assert not np.any(known_nearness(Operation.parse("square/e2m1fn/f32/rne.nonsat")) >= 0)  # all exact
