"""What P3109 alone has, and where its report and its formal text differ; its tables restated in floats."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

import fp8ref
from fp8ref import get_format
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.spec import get_projection
from fp8ref.spec.operations.arithmetic import compute_codes
from fp8ref.spec.operations.definition import Semantics

NAME = "binary4p2se"
F = get_format(NAME)
RHO = get_projection(F, "rne", "nonsat")
VALUES = fp8ref.decode(np.arange(16, dtype=np.uint8), NAME, dtype=np.float64).tolist()
NAN = 0x8


def code(x: float) -> int:
    return NAN if math.isnan(x) else next(c for c, v in enumerate(VALUES) if v == x)


def minimum_finite(x: float, y: float) -> float:
    """[P3109 v4.0 4.11.3]"""
    if math.isnan(x) or math.isnan(y):
        return y if math.isnan(x) else x
    if math.isinf(x) != math.isinf(y):
        return y if math.isinf(x) else x
    return min(x, y)


def maximum_finite(x: float, y: float) -> float:
    return -minimum_finite(-x, -y)


def clamp(x: float, low: float, high: float) -> float:
    """[P3109 v4.0 4.11.4]"""
    if any(map(math.isnan, (x, low, high))) or low > high:
        return math.nan
    return low if x <= low else high if x >= high else x


def copy_sign(x: float, y: float) -> float:
    """The sign of zero counts as +, a NaN in either place gives NaN  [4.10.2]."""
    return math.nan if math.isnan(x) or math.isnan(y) else math.copysign(x, -1 if y < 0 else 1)


TABLES: dict[str, tuple[int, Callable[..., float]]] = {
    "minimum_finite": (2, minimum_finite),
    "maximum_finite": (2, maximum_finite),
    "clamp": (3, clamp),
    "copy": (1, lambda x: x),
    "negative": (1, lambda x: -x),
    "absolute": (1, abs),
    "copy_sign": (2, copy_sign),
}


@pytest.mark.parametrize("op", TABLES)
def test_every_code(op: str) -> None:
    arity, function = TABLES[op]
    given = list(itertools.product(range(16), repeat=arity))
    want = [code(function(*(VALUES[c] for c in codes)) + 0.0) for codes in given]
    some = given[:: 1 if arity < 3 else 17]
    assert [compute_codes(op, codes, [F] * arity, F, RHO, "p3109")[0] for codes in some] == want[
        :: 1 if arity < 3 else 17
    ]
    columns = [np.array(column, np.uint8) for column in zip(*given)]
    got, _ = compute_arrays(Task(op, (F,) * arity, F, RHO, Semantics.P3109), columns, False)
    assert got.tolist() == want


def test_bounds_the_wrong_way_round_are_invalid() -> None:
    e5m2 = get_format("e5m2")
    rho = get_projection(e5m2, "rne", "nonsat")
    columns = [np.array(c, np.uint8) for c in ([0x3C, 0x80], [0x40, 0x00], [0x3C, 0x80])]  # [2, 1]; [+0, -0]
    got, status = compute_arrays(Task("clamp", (e5m2,) * 3, e5m2, rho), columns, True)
    assert status is not None
    assert (got.tolist(), status.tolist()) == ([0x7F, 0x80], [16, 0])
    for i in range(2):
        codes = tuple(int(c[i]) for c in columns)
        assert compute_codes("clamp", codes, [e5m2] * 3, e5m2, rho) == (got[i], status[i])


def test_is_one() -> None:
    for name in ("e4m3fn", "e8m0fnu", "binary8p1uf", "bf16", "mxint8", "e2m1fn"):
        f = get_format(name)
        codes = np.arange(1 << f.k, dtype=np.uint16 if f.k > 8 else np.uint8)
        ones = np.flatnonzero(fp8ref.is_class(codes, "isone", name))
        assert ones.tolist() == np.flatnonzero(fp8ref.decode(codes, name, dtype=np.float64) == 1).tolist()
    assert fp8ref.is_class([0x38, 0xB8, 0x7F], "isone", "e4m3fn").tolist() == [True, False, False]


P3 = "binary8p3se"
ONE, HALF, MINUS_ONE, INFINITE, MINUS_INFINITE, NOT = 0x40, 0x3C, 0xC0, 0x7F, 0xFF, 0x80
PI, MINUS_PI = 0x46, 0xC6  # 3: the code next to pi in a format of three bits


@pytest.mark.parametrize(
    ("question", "operands", "report", "formal"),
    [
        ("tanpi", (HALF,), NOT, INFINITE),
        ("tanpi", (HALF | 0x80,), NOT, MINUS_INFINITE),
        ("atan2", (MINUS_ONE, MINUS_INFINITE), PI, MINUS_PI),
        ("atan2pi", (MINUS_ONE, MINUS_INFINITE), ONE, MINUS_ONE),
        ("atan2", (0x00, MINUS_ONE), PI, PI),
        ("atan2", (0x00, 0x00), NOT, NOT),
        ("minmagnum", (NOT, ONE), ONE, NOT),
        ("maxmagnum", (ONE, NOT), ONE, NOT),
        ("maxnum", (ONE, NOT), ONE, ONE),
        ("div", (ONE, 0x00), NOT, NOT),
        ("rsqrt", (0x00,), NOT, NOT),
        ("hypot", (INFINITE, NOT), NOT, NOT),
    ],
)
def test_the_report_and_the_formal_text(question: str, operands: tuple[int, ...], report: int, formal: int) -> None:
    given = [np.array([c], np.uint8) for c in operands]
    for semantics, want in (("p3109", report), ("p3109-formal", formal)):
        op = Operation.parse(f"{question}/{'.'.join([P3] * len(operands))}/{P3}/rne.nonsat;semantics={semantics}")
        assert expect(op, given).codes.tolist() == [want], semantics
        f = get_format(P3)
        found = compute_codes(op.asked.definition, operands, [f] * len(operands), f, op.projection, semantics)
        assert found[0] == want, semantics
