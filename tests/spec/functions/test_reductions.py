"""Softmax, log-sum-exp, LayerNorm, RMSNorm: against mpmath's intervals and exact rationals written here."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from second_oracles.exact import ROUNDINGS, TABLES
from second_oracles.functions import end
from second_oracles.naive_arithmetic import NV, deliver

import fp8ref
from fp8ref.spec import get_format, get_projection
from fp8ref.spec.codec import pack, unpack
from fp8ref.spec.operations.arithmetic import compute

mpmath = pytest.importorskip("mpmath")
iv = mpmath.iv
EPS = Fraction(1, 10**5)
NAMES = {"layernorm": "layer_norm 1e-5", "rmsnorm": "rms_norm 1e-5"}


def interval(x: Fraction) -> Any:
    return iv.mpf(x.numerator) / iv.mpf(x.denominator)


def middle(found: Any) -> Fraction:
    low, high = end(found._mpi_[0]), end(found._mpi_[1])
    assert high - low < abs(low) * Fraction(1, 2**200)
    return (low + high) / 2


def by_definition(op: str, row: list[Fraction]) -> Fraction:
    """The value at finite operands, exact where a theorem says so, else from an interval of 3,000 bits."""
    iv.prec = 3000
    x, n = row[0], len(row)
    if op in ("layernorm", "rmsnorm"):
        mean = sum(row) / n if op == "layernorm" else Fraction(0)
        v = sum((y - mean) ** 2 for y in row) / n + EPS
        if x == mean:
            return Fraction(0)
        return middle(interval(x - mean) / iv.sqrt(interval(v)))
    if len(set(row)) == 1 and op == "softmax":
        return Fraction(1, n)
    if n == 1:
        return x if op == "logsumexp" else Fraction(0)
    terms = sum(iv.exp(interval(y - x)) for y in row)
    return middle({"softmax": lambda: 1 / terms, "logsumexp": lambda: iv.log(terms) + interval(x),
                   "log_softmax": lambda: -iv.log(terms)}[op]())  # fmt: skip


def rows(name: str, n: int, seed: int) -> list[list[int]]:
    """Rows of codes of finite numbers: random, near each other, alike but one."""
    rng = random.Random(seed)
    finite = [c for c in range(2 ** TABLES[name].k) if TABLES[name].meaning(c)[0] != "nan"
              and TABLES[name].meaning(c)[0] != "infinite"]  # fmt: skip
    found = []
    for i in range(n):
        k = rng.choice((1, 2, 3, 4, 7))
        base = rng.choice(finite)
        found.append(
            [rng.choice(finite) for _ in range(k)] if i % 3 == 0 else
            [rng.choice([c for c in finite if abs(c - base) < 9]) for _ in range(k)] if i % 3 == 1 else
            [base] * (k - 1) + [rng.choice(finite)]
        )  # fmt: skip
    return found


def check(op: str, name: str, n: int, seed: int) -> int:
    table, f, asked = TABLES[name], get_format(name), 0
    for codes in rows(name, n, seed):
        row = [table.meaning(c)[2] or Fraction(0) for c in codes]
        data = [unpack(c, f) for c in codes]
        if max(row) - min(row) > 900:  # beyond the intervals' bits; the far row below has what theorems say there
            continue
        value = by_definition(op, row)
        exact = ("number", int(value < 0), abs(value)) if value else None
        for rounding in ROUNDINGS:
            got, status = compute(NAMES.get(op, op), data, f, get_projection(f, rounding, "nonsat"))
            if exact is None:  # the sign of a zero is tested by itself
                assert got.is_zero
                assert not status
                continue
            want = deliver(table, exact, rounding, "nonsat")
            assert (pack(got, f), int(status)) == want, (op, name, codes, rounding)
            asked += 1
    return asked


@pytest.mark.parametrize("op", ["softmax", "log_softmax", "logsumexp", "layernorm", "rmsnorm"])
def test_against_intervals(op: str) -> None:
    assert check(op, "e4m3fn", 24, 1) > 50


@pytest.mark.full
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e2m3fn", "e3m4", "e4m3fnuz"])
@pytest.mark.parametrize("op", ["softmax", "log_softmax", "logsumexp", "layernorm", "rmsnorm"])
def test_many_against_intervals(op: str, name: str) -> None:
    assert check(op, name, 1500, 2) > 1000


def answer(op: str, *values: float) -> tuple[str, int]:
    """In binary32, from binary32 operands; the datum as text."""
    f = get_format("f32")
    codes = np.array(values, np.float32).view(np.uint32)
    got, status = compute(NAMES.get(op, op), [unpack(int(c), f) for c in codes], f, get_projection(f, "rne", "nonsat"))
    return str(np.uint32(pack(got, f)).view(np.float32)), int(status)


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("op", "row", "text", "status"),
    [
        ("softmax", (3, 3, 3, 3), "0.25", 0),
        ("softmax", (3, -INF, 3), "0.5", 0),  # -infinity weighs nothing
        ("softmax", (-INF, 3), "0.0", 0),
        ("softmax", (-INF, -INF), "nan", NV),
        ("softmax", (INF, 1), "nan", NV),
        ("softmax", (1, INF), "nan", NV),
        ("softmax", (1, NAN), "nan", 0),
        ("softmax", (1000, 0), "1.0", 1),  # below 1, by e^-1000
        ("logsumexp", (2, -INF), "2.0", 0),
        ("logsumexp", (-INF, -INF), "-inf", 0),
        ("logsumexp", (INF, -INF), "inf", 0),
        ("log_softmax", (2, -INF), "0.0", 0),
        ("log_softmax", (-INF, 2), "-inf", 0),
        ("log_softmax", (INF, INF), "nan", NV),
        ("layernorm", (5, 5), "0.0", 0),
        ("layernorm", (-0.0, 0.0), "-0.0", 0),  # -0 less +0
        ("layernorm", (-0.0, -0.0), "0.0", 0),
        ("layernorm", (1, INF), "nan", NV),
        ("layer_norm 0", (1, -1), "1.0", 0),
        ("layer_norm 0", (7, 7), "nan", NV),
        ("rmsnorm", (-0.0, 0.0), "-0.0", 0),
        ("rmsnorm", (-2, INF), "-0.0", 0),
        ("rmsnorm", (INF, 1), "nan", NV),
        ("rms_norm 0", (3, 3), "1.0", 0),
        ("rms_norm 0", (0, 0), "nan", NV),
    ],
)
def test_special_rows(op: str, row: tuple[float, ...], text: str, status: int) -> None:
    assert answer(op, *row) == (text, status)


def test_a_far_row_is_decided_by_theorem() -> None:
    f = get_format("bf16")
    largest, zero = unpack(0x7F7F, f), unpack(0, f)
    for op, want in (("softmax", 0x3F7F), ("logsumexp", 0x7F7F)):
        got, _ = compute(op, [largest, zero], f, get_projection(f, "rtz", "nonsat"))
        assert pack(got, f) == want  # just below 1, just above the operand


def test_arrays_along_an_axis() -> None:
    x = np.array([[0x38, 0x40, 0x44], [0x38, 0x38, 0x38]], np.uint8)  # 1 2 3; 1 1 1
    y = fp8ref.softmax(x, "e4m3fn", result="f32")
    np.testing.assert_allclose(y.view(np.float32), [[0.09003057, 0.24472848, 0.66524094], [1 / 3] * 3], rtol=1e-7)
    np.testing.assert_array_equal(fp8ref.softmax(x.T, "e4m3fn", axis=0, result="f32"), y.T)
    eight = fp8ref.softmax(np.full((1, 8), 0x38, np.uint8), "e4m3fn", result="f32").view(np.float32)
    assert eight.tolist() == [[0.125] * 8]
    codes, status = fp8ref.rmsnorm(x, "e4m3fn", eps="0", flags=True)
    assert codes[1].tolist() == [0x38] * 3
    assert status[1].tolist() == [0, 0, 0]
    assert fp8ref.logsumexp(x, "e4m3fn").shape == (2,)
    with pytest.raises(ValueError, match="has no rows"):
        fp8ref.softmax(np.zeros((0,), np.uint8), "e4m3fn")
    with pytest.raises(ValueError, match="unknown operation"):
        fp8ref.layernorm(x, "e4m3fn", eps="2")
