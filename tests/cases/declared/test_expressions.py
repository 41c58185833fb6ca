"""Expressions of declarations: the exemplars' own, each kind once, and hostile ones."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from fp8ref import get_format
from fp8ref.cases.declared.expressions import INFINITY, Expression, Infinite, evaluate, inside
from fp8ref.cases.declared.intervals import interval

P3, P4 = get_format("binary8p3se"), get_format("binary8p4se")
NAMES = {"fx": P3, "fr": P4}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("fx == fr", False),
        ("fx in [Binary8p3se, Binary8p4se]", True),
        ("BitwidthOf(fr) >= BitwidthOf(fx)", True),
        ("PrecisionOf(fr) > PrecisionOf(fx) and not SignednessOf(fx) == Unsigned", True),
        ("DomainOf(fx) == Finite or fx != fx", False),
        ("Minimum(PrecisionOf(fx), 16)", 3),
        ("ExponentBitwidthOf(fx)", 5),
        ("TrailingSignificandBitwidthOf(fr)", 3),
        ("ExponentBiasOf(fx)", 16),
        ("MaxFiniteOf(fr)", 224),
        ("MinFiniteOf(fr)", -224),
        ("-55/64 + 3 mod 2", Fraction(9, 64)),
        ("7 div 2 * 3", 9),
        ("Sqrt(9/4)", Fraction(3, 2)),
        ("1:3", [1, 2, 3]),
        ("4:5:20", [4, 9, 14, 19]),
        ("\"Binary4p$(i)sf\" for i in 1:3", ["Binary4p1sf", "Binary4p2sf", "Binary4p3sf"]),
        ("['Binary8p$(i)se' for i in [1,5]]", ["Binary8p1se", "Binary8p5se"]),
        ("'4p$(i)s$(j)' for i in 1:2 for j in [\"f\", \"e\"]", ["4p1sf", "4p1se", "4p2sf", "4p2se"]),
        ("-Inf", Infinite(-1)),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    assert evaluate(text, NAMES) == value


def test_numbers_that_are_not_rational() -> None:
    assert abs(float(evaluate("pi")) - math.pi) < 1e-15
    assert abs(float(evaluate("φ * e")) - (1 + math.sqrt(5)) / 2 * math.e) < 1e-14
    assert abs(float(evaluate("Sqrt(5)")) - math.sqrt(5)) < 1e-15
    assert evaluate("Sqrt(2) * Sqrt(2)") != 2  # never equal to what a format has


def test_brackets() -> None:
    assert inside("(' fx == fy ')") == "fx == fy"
    assert inside("( [ 'a$(i)' for i in 1:2 ] )") == "[ 'a$(i)' for i in 1:2 ]"
    assert inside("binary32") is None


@pytest.mark.parametrize(
    "text",
    [
        "", "fx ==", "fx == fz", "nonsense", "Binary99p3se", "Exec('x')", "BitwidthOf(3)", "1/0", "1 +", "(1",
        "[1, 2", "fx < fr", "fx and fr", "1:100000", "'$(i)'", "'x' for in 1:2", "__import__('os')", "fx.k", "a;b",
        "(" * 200 + "1" + ")" * 200, "1" * 600, "10 ^ 9", "99999999999999999999999", "Sqrt(-1)", "1:0:3",
        "[i for i in 1:999 for j in 1:999]", "\x00", "1 2",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(Expression):
        evaluate(text, NAMES)


def test_intervals() -> None:
    half = interval("[ -Inf, 0 )")
    assert Infinite(-1) in half
    assert Fraction(-1) in half
    assert Fraction(0) not in half
    assert INFINITY in interval("( 1, Inf ]")
    assert Fraction(1) not in interval("( 1, Inf ]")
    angle = interval("( [>=(\N{MINUS SIGN}π/4), <=(Inf)] )")
    assert Fraction(-25, 32) in angle
    assert Fraction(-13, 16) not in angle
    assert Fraction(2) not in interval("[1, <(2)]")
    for text in ("", "[]", "[1]", "[1,2,3]", "1, 2", "[2, 1]", "[fx, 1]", "[1, 2", "[a, b]"):
        with pytest.raises(Expression):
            interval(text)
