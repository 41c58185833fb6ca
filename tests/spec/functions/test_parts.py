"""Quotients, remainders, signs and parts, against Python's own floats, in which those of 8 bits are exact."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import fp8ref
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.spec.operations.arithmetic import compute_codes

NAME = "e5m2"
CODES = np.arange(256, dtype=np.uint8)
VALUES = fp8ref.decode(CODES, NAME, dtype=np.float64).tolist()
NAN = math.nan


def floor_divide(a: float, b: float) -> float:
    if b == 0:
        pole = math.copysign(1, a) * math.copysign(1, b) * math.inf
        return NAN if a == 0 or math.isnan(a) else pole  # NumPy's: a / 0
    return a // b


def modulo(a: float, b: float) -> float:
    return NAN if b == 0 else a % b


def fmod(a: float, b: float) -> float:
    return NAN if b == 0 or math.isinf(a) else math.fmod(a, b)


def heaviside(x: float, h: float) -> float:
    return NAN if math.isnan(x) else h if x == 0 else float(x > 0)


def sign(x: float) -> float:
    return x if x == 0 or math.isnan(x) else math.copysign(1, x)


TWO: dict[str, Callable[[float, float], float]] = {
    "floordiv": floor_divide, "mod": modulo, "fmod": fmod, "heaviside": heaviside,
}  # fmt: skip
ONE: dict[str, Callable[[float], float]] = {
    "sign": sign, "frac": lambda x: math.modf(x)[0], "significand": lambda x: math.frexp(x)[0],
}  # fmt: skip


def encoded(x: list[float]) -> list[int]:
    return fp8ref.encode(np.array(x), NAME, rounding="rtz", overflow="nonsat").tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("family", ONE)
def test_every_code(family: str) -> None:
    op = Operation.parse(f"{family}/{NAME}/{NAME}/rtz.nonsat")
    want = encoded([ONE[family](x) for x in VALUES])
    numbers = ~np.isnan(VALUES)
    assert expect(op, [CODES]).codes[numbers].tolist() == np.array(want)[numbers].tolist()


@pytest.mark.parametrize("family", TWO)
def test_pairs(family: str) -> None:
    op = Operation.parse(f"{family}/{NAME}.{NAME}/{NAME}/rtz.nonsat")
    edges = [0x00, 0x80, 0x01, 0x81, 0x3C, 0xBC, 0x3D, 0x7B, 0xFB, 0x7C, 0xFC, 0x7E, 0x42, 0xC5, 0x02, 0x29]
    a, b = (x.ravel() for x in np.meshgrid(np.array(edges, np.uint8), CODES[:: 1 if family == "mod" else 3]))
    want = np.array(encoded([TWO[family](VALUES[i], VALUES[j]) for i, j in zip(a.tolist(), b.tolist())]))
    nan = np.array([math.isnan(VALUES[c]) for c in want])
    got = expect(op, [a, b]).codes
    assert np.isin(got[nan], [c for c in range(256) if math.isnan(VALUES[c])]).all()
    assert got[~nan].tolist() == want[~nan].tolist()
    f = op.result_format
    for i in range(0, a.size, 97):
        alone = compute_codes(op.asked.definition, (int(a[i]), int(b[i])), [f, f], f, op.projection)
        assert alone[0] == got[i]


def test_poles_and_domains_raise() -> None:
    for family, codes, status in (
        ("floordiv", (0x3C, 0x00), 8),
        ("floordiv", (0x00, 0x00), 16),
        ("floordiv", (0x7C, 0x3C), 16),
        ("mod", (0x3C, 0x00), 16),
        ("fmod", (0x7C, 0x3C), 16),
        ("fmod", (0x3C, 0x7C), 0),
        ("heaviside", (0x3C, 0x7E), 0),
    ):
        op = Operation.parse(f"{family}/{NAME}.{NAME}/{NAME}/rne.nonsat;flags=1")
        found = expect(op, [np.array([c], np.uint8) for c in codes]).status
        assert found is not None
        assert found.tolist() == [status], (family, codes)


def test_truth() -> None:
    """A NaN is true, both zeros are false."""
    a, b = (np.array(x, np.uint8) for x in ([0x00, 0x80, 0x7E, 0x01], [0x3C, 0x00, 0x80, 0xFC]))
    for family, want in (("and", [0, 0, 0, 1]), ("or", [1, 0, 1, 1]), ("xor", [1, 0, 1, 0])):
        assert expect(Operation.parse(f"{family}/{NAME}.{NAME}/bool"), [a, b]).codes.tolist() == want
    assert expect(Operation.parse(f"not/{NAME}/bool"), [a]).codes.tolist() == [1, 1, 0, 0]
