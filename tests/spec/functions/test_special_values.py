"""The special values of IEEE 754-2019 clause 9.2.1 and of P3109, restated, and what is exact by theorem."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from fp8ref.spec import Datum, get_format, get_projection
from fp8ref.spec.functions.catalog import FUNCTIONS
from fp8ref.spec.operations.arithmetic import compute
from fp8ref.spec.operations.definition import Semantics

F = get_format("f16")
INF, NAN = "inf", "nan"
DZ, NV = 8, 16
HALF = Fraction(1, 2)
PI, PI_2, PI_4, PI_3_4 = (Fraction(n, 2**m) for n, m in ((1608, 9), (1608, 10), (1608, 11), (1206, 9)))  # as binary16


def datum(x: Any) -> Datum:
    """inf, -inf, nan, snan, -0 by their names; everything else is a number."""
    if x in ("nan", "snan"):
        return Datum.nan(0, HALF if x == "nan" else HALF / 2)
    if x in ("inf", "-inf"):
        return Datum.infinity(int(x == "-inf"))
    return Datum.finite(0, 1) if x == "-0" else Datum.finite(Fraction(x))


def asked(op: str, *operands: Any, semantics: Semantics = Semantics.IEEE, rounding: str = "rne") -> tuple[Any, int]:
    z, status = compute(op, [datum(x) for x in operands], F, get_projection(F, rounding, "nonsat"), semantics)
    if z.is_nan:
        return NAN, int(status)
    if z.is_infinite:
        return "-inf" if z.sign else "inf", int(status)
    return ("-0" if z.sign else 0) if z.is_zero else z.value, int(status)


IEEE: dict[str, list[tuple[Any, ...]]] = {
    "exp": [("-inf", 0, 0), ("inf", "inf", 0), (0, 1, 0), ("-0", 1, 0)],
    "exp2": [("-inf", 0, 0), ("inf", "inf", 0), (-3, Fraction(1, 8), 0), (10, 1024, 0)],
    "exp10": [("-inf", 0, 0), ("inf", "inf", 0), (3, 1000, 0)],
    "expm1": [("-inf", -1, 0), ("inf", "inf", 0), (0, 0, 0), ("-0", "-0", 0)],
    "exp2m1": [("-inf", -1, 0), ("-0", "-0", 0), (3, 7, 0), (-2, -Fraction(3, 4), 0)],
    "exp10m1": [("-inf", -1, 0), ("-0", "-0", 0), (2, 99, 0)],
    "log": [(0, "-inf", DZ), ("-0", "-inf", DZ), (1, 0, 0), (-1, NAN, NV), ("-inf", NAN, NV), ("inf", "inf", 0)],
    "log2": [(0, "-inf", DZ), (1, 0, 0), (Fraction(1, 64), -6, 0), (-1, NAN, NV)],
    "log10": [(0, "-inf", DZ), (1, 0, 0), (10000, 4, 0), (-1, NAN, NV)],
    "log1p": [(-1, "-inf", DZ), ("-0", "-0", 0), (0, 0, 0), (-2, NAN, NV), ("inf", "inf", 0), ("-inf", NAN, NV)],
    "log2p1": [(-1, "-inf", DZ), (7, 3, 0), (-HALF, -1, 0), (-2, NAN, NV)],
    "log10p1": [(-1, "-inf", DZ), (99, 2, 0), ("-0", "-0", 0), (-2, NAN, NV)],
    "sin": [("-0", "-0", 0), ("inf", NAN, NV), ("-inf", NAN, NV)],
    "cos": [("-0", 1, 0), (0, 1, 0), ("inf", NAN, NV)],
    "tan": [("-0", "-0", 0), ("inf", NAN, NV)],
    "sinpi": [(1, 0, 0), (-1, "-0", 0), (2, 0, 0), (-2, "-0", 0), (HALF, 1, 0), (3 * HALF, -1, 0), ("inf", NAN, NV)],
    "cospi": [(HALF, 0, 0), (-HALF, 0, 0), (3 * HALF, 0, 0), (1, -1, 0), (-3, -1, 0), (4, 1, 0), ("-inf", NAN, NV)],
    "tanpi": [
        (0, 0, 0), ("-0", "-0", 0), (2, 0, 0), (1, "-0", 0), (-1, 0, 0), (-2, "-0", 0), (HALF, "inf", DZ),
        (3 * HALF, "-inf", DZ), (-HALF, "-inf", DZ), (-3 * HALF, "inf", DZ), (HALF / 2, 1, 0), (3 * HALF / 2, -1, 0),
        (-HALF / 2, -1, 0), ("inf", NAN, NV),
    ],
    "asin": [("-0", "-0", 0), (2, NAN, NV), ("inf", NAN, NV), (1, PI_2, 1)],
    "acos": [(1, 0, 0), (-2, NAN, NV), (0, PI_2, 1), (-1, PI, 1)],
    "atan": [("-0", "-0", 0), ("inf", PI_2, 1), ("-inf", -PI_2, 1), (1, PI_4, 1)],
    "asinpi": [("-0", "-0", 0), (1, HALF, 0), (-1, -HALF, 0), (2, NAN, NV)],
    "acospi": [(1, 0, 0), (0, HALF, 0), ("-0", HALF, 0), (-1, 1, 0), (2, NAN, NV)],
    "atanpi": [("-0", "-0", 0), ("inf", HALF, 0), ("-inf", -HALF, 0), (1, HALF / 2, 0)],
    "sinh": [("-0", "-0", 0), ("-inf", "-inf", 0)],
    "cosh": [("-0", 1, 0), ("-inf", "inf", 0)],
    "tanh": [("-0", "-0", 0), ("inf", 1, 0), ("-inf", -1, 0)],
    "asinh": [("-0", "-0", 0), ("-inf", "-inf", 0)],
    "acosh": [(1, 0, 0), (HALF, NAN, NV), (0, NAN, NV), ("-inf", NAN, NV), ("inf", "inf", 0)],
    "atanh": [("-0", "-0", 0), (1, "inf", DZ), (-1, "-inf", DZ), (2, NAN, NV), ("inf", NAN, NV)],
    "rsqrt": [(0, "inf", DZ), ("-0", "-inf", DZ), ("inf", 0, 0), (-1, NAN, NV), (4, HALF, 0), ("-inf", NAN, NV)],
    "reciprocal": [(0, "inf", DZ), ("-0", "-inf", DZ), ("-inf", "-0", 0), (8, Fraction(1, 8), 0)],
    "cbrt": [("-0", "-0", 0), ("-inf", "-inf", 0), (-27, -3, 0), (Fraction(1, 8), HALF, 0)],
    "hypot": [
        ("inf", "nan", "inf", 0), ("nan", "-inf", "inf", 0), ("nan", 1, NAN, 0), ("-0", "-0", 0, 0), (3, -4, 5, 0),
        ("snan", "inf", NAN, NV), ("-0", -2, 2, 0),
    ],
    "compound": [
        ("nan", 0, 1, 0), ("inf", 0, 1, 0), (-1, 0, 1, 0), (-2, 0, NAN, NV), (-1, -1, "inf", DZ), (-1, 3, 0, 0),
        ("inf", 2, "inf", 0), ("inf", -2, 0, 0), ("-0", 7, 1, 0), (1, 3, 8, 0), ("nan", 1, NAN, 0),
        (1, -2, HALF / 2, 0),
    ],
    "rootn": [
        (2, 0, NAN, NV), ("nan", 0, NAN, NV), (0, -3, "inf", DZ), ("-0", -3, "-inf", DZ), ("-0", -2, "inf", DZ),
        ("-0", 2, 0, 0), ("-0", 3, "-0", 0), ("-inf", 3, "-inf", 0), ("-inf", -3, "-0", 0), ("-inf", 2, NAN, NV),
        (-8, 3, -2, 0), (-4, 2, NAN, NV), (16, -4, HALF, 0), ("inf", -2, 0, 0),
    ],
    "pown": [
        ("nan", 0, 1, 0), ("inf", 0, 1, 0), (0, -3, "inf", DZ), ("-0", -3, "-inf", DZ), ("-0", -2, "inf", DZ),
        ("-0", 2, 0, 0), ("-0", 3, "-0", 0), ("-inf", 3, "-inf", 0), ("-inf", 2, "inf", 0), ("-inf", -3, "-0", 0),
        ("-inf", -2, 0, 0), (-3, 3, -27, 0), (-2, -1, -HALF, 0),
    ],
    "pow": [
        ("nan", 0, 1, 0), ("nan", "-0", 1, 0), (1, "nan", 1, 0), ("snan", 0, NAN, NV), (-1, "inf", 1, 0),
        (-1, "-inf", 1, 0), (0, -3, "inf", DZ), ("-0", -3, "-inf", DZ), ("-0", -2, "inf", DZ), (0, -HALF, "inf", DZ),
        ("-0", "-inf", "inf", 0), ("-0", 3, "-0", 0), ("-0", HALF, 0, 0), (HALF, "inf", 0, 0), (HALF, "-inf", "inf", 0),
        (2, "inf", "inf", 0), (-2, "-inf", 0, 0), ("-inf", -3, "-0", 0), ("-inf", 3, "-inf", 0), ("-inf", -HALF, 0, 0),
        ("-inf", HALF, "inf", 0), ("inf", -1, 0, 0), ("inf", HALF, "inf", 0), (-2, HALF, NAN, NV), (-2, 3, -8, 0),
        (4, -HALF, HALF, 0), (16, 3 * HALF / 2, 8, 0), ("nan", 2, NAN, 0),
    ],
    "powr": [
        (-1, 2, NAN, NV), (0, 0, NAN, NV), ("-0", 0, NAN, NV), ("inf", 0, NAN, NV), (1, "inf", NAN, NV),
        (1, "-inf", NAN, NV), ("-0", -3, "inf", DZ), (0, "-inf", "inf", 0), ("-0", 3, 0, 0), (2, 0, 1, 0), (1, 2, 1, 0),
        ("nan", 0, NAN, 0), (1, "nan", NAN, 0), (4, HALF, 2, 0), ("-inf", 1, NAN, NV),
    ],
    "atan2": [
        (0, "-0", PI, 1), ("-0", "-0", -PI, 1), (0, -1, PI, 1), ("-0", 0, "-0", 0), ("-0", 1, "-0", 0), (0, 0, 0, 0),
        (-1, "-0", -PI_2, 1), (1, 0, PI_2, 1), (1, "-inf", PI, 1), (-1, "-inf", -PI, 1), (-1, "inf", "-0", 0),
        ("-inf", 3, -PI_2, 1), ("inf", "-inf", PI_3_4, 1), ("-inf", "inf", -PI_4, 1),
    ],
    "atan2pi": [
        (0, "-0", 1, 0), ("-0", -2, -1, 0), ("-0", 1, "-0", 0), (-1, 0, -HALF, 0), (1, "-inf", 1, 0),
        ("-inf", "-inf", -3 * HALF / 2, 0), ("inf", "inf", HALF / 2, 0), (-3, 3, -HALF / 2, 0),
        (3, -3, 3 * HALF / 2, 0),
    ],
    "logaddexp": [("-inf", 2, 2, 0), ("-inf", "-inf", "-inf", 0), ("inf", "-inf", "inf", 0), (1, "inf", "inf", 0)],
    "logaddexp2": [(3, 3, 4, 0), (-1, -1, 0, 0), ("-inf", 2, 2, 0)],
    "erf": [("-0", "-0", 0), ("inf", 1, 0), ("-inf", -1, 0)],
    "erfc": [(0, 1, 0), ("inf", 0, 0), ("-inf", 2, 0)],
    "sigmoid": [(0, HALF, 0), ("inf", 1, 0), ("-inf", 0, 0)],
    "softplus": [("-inf", 0, 0), ("inf", "inf", 0)],
    "silu": [("-0", "-0", 0), ("inf", "inf", 0), ("-inf", "-0", 0)],
    "gelu": [("-0", "-0", 0), ("inf", "inf", 0), ("-inf", "-0", 0)],
}  # fmt: skip

P3109: dict[str, list[tuple[Any, ...]]] = {
    "reciprocal": [(0, NAN, NV), ("-inf", 0, 0)],
    "rsqrt": [(0, NAN, NV), ("inf", 0, 0), (-1, NAN, NV)],
    "log": [(0, "-inf", DZ), ("-inf", NAN, NV)],
    "tanh": [("-inf", -1, 0)],
    "acosh": [("-inf", NAN, NV), (HALF, NAN, NV)],
    "tanpi": [(HALF, NAN, NV), (1, 0, 0)],
    "atanpi": [("inf", HALF, 0)],
    "softplus": [("-inf", 0, 0)],
    "hypot": [("inf", "nan", NAN, 0), ("inf", 2, "inf", 0)],
    "atan2": [(0, 0, NAN, NV), ("inf", "-inf", NAN, NV), (1, "inf", 0, 0), (0, -2, PI, 1), ("-inf", 3, -PI_2, 1)],
    "atan2pi": [(-1, "-inf", 1, 0), (0, 0, NAN, NV)],
}


@pytest.mark.parametrize("op", IEEE)
def test_ieee(op: str) -> None:
    for *operands, value, status in IEEE[op]:
        assert asked(op, *operands) == (value, status), (op, operands)


@pytest.mark.parametrize("op", P3109)
def test_p3109(op: str) -> None:
    for *operands, value, status in P3109[op]:
        assert asked(op, *operands, semantics=Semantics.P3109) == (value, status), (op, operands)


@pytest.mark.parametrize("op", [op for op, d in FUNCTIONS.items() if d.arity == 1])
def test_nan_gives_nan(op: str) -> None:
    assert asked(op, "nan") == (NAN, 0)
    assert asked(op, "snan") == (NAN, NV)


@pytest.mark.parametrize(
    ("op", "x", "rounding", "value"),
    [
        ("tanh", 448, "rtz", 1 - Fraction(1, 2**11)),  # 1 - 2**-1291
        ("tanh", 448, "rtp", 1),
        ("sigmoid", -448, "rtp", Fraction(1, 2**24)),
        ("sigmoid", -448, "rtn", 0),
        ("exp", Fraction(1, 2**24), "rtp", 1 + Fraction(1, 2**10)),
        ("exp", Fraction(-1, 2**24), "rtz", 1 - Fraction(1, 2**11)),
        ("sin", Fraction(1, 2**24), "rtz", 0),
        ("sin", Fraction(1, 2**10), "rtz", Fraction(1, 2**10) - Fraction(1, 2**21)),
        ("silu", Fraction(1, 2**24), "rne", Fraction(1, 2**24)),  # just above half the least subnormal
        ("silu", Fraction(-1, 2**24), "rne", "-0"),  # just below it
        ("softplus", 20, "rtp", 20 + Fraction(1, 64)),
        ("erfc", 30000, "rtp", Fraction(1, 2**24)),
        ("log1p", Fraction(1, 2**14), "rtn", Fraction(1, 2**14) - Fraction(1, 2**24)),
    ],
)
def test_values_next_to_a_number_round_to_their_own_side(op: str, x: Any, rounding: str, value: Any) -> None:
    got = asked(op, x, rounding=rounding)
    assert got[0] == value
    assert got[1] & 1


def test_huge_exponents_cost_nothing() -> None:
    """exp(-3e38) is beyond every range; one format's largest number is another's overflow."""
    bf16 = get_format("bf16")
    rho = get_projection(bf16, "rtp", "nonsat")
    least = Datum.finite(bf16.min_subnormal)
    assert compute("exp", [Datum.finite(bf16.lowest)], bf16, rho) == (least, 3)
    assert compute("exp", [Datum.finite(bf16.max)], bf16, rho)[0].is_infinite
    assert (
        compute("cosh", [Datum.finite(bf16.lowest)], bf16, get_projection(bf16, "rtz", "nonsat"))[0].value == bf16.max
    )
    assert compute("tanh", [Datum.finite(bf16.max)], bf16, rho) == (Datum.finite(1), 1)
    assert compute("pow", [Datum.finite(bf16.max)] * 2, bf16, rho)[1] == 5


def test_a_number_of_the_grid_that_no_theorem_names_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from fp8ref.spec.functions import decide
    from fp8ref.spec.functions.intervals import Interval

    monkeypatch.setattr(decide, "MOST", 500)
    with pytest.raises(ArithmeticError, match="do not decide on which side"):
        decide.decide(lambda prec: Interval((1 << prec) - 1, (1 << prec) + 1, -prec, prec), decide.Grid(20, -50, 50))
