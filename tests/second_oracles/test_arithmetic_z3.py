"""Addition, multiplication, division and square root against z3's theory of floating-point arithmetic (SMT-LIB)."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from fp8ref import get_format
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.spec import get_projection

z3 = pytest.importorskip("z3")

SORTS = {"e5m2": (5, 3), "e4m3": (4, 4), "e3m4": (3, 5)}
MODES = {"rne": z3.RNE, "rna": z3.RNA, "rtz": z3.RTZ, "rtp": z3.RTP, "rtn": z3.RTN}


def numbers(name: str) -> list[Any]:
    sort = z3.FPSort(*SORTS[name])
    return [z3.simplify(z3.fpBVToFP(z3.BitVecVal(code, 8), sort)) for code in range(256)]


def check(name: str, op: str, rounding: str, pairs: list[tuple[int, int]]) -> None:
    f, every, mode = get_format(name), numbers(name), MODES[rounding]()
    unary = op == "sqrt"
    theory = {"add": z3.fpAdd, "subtract": z3.fpSub, "multiply": z3.fpMul, "divide": z3.fpDiv}.get(op)
    columns = [np.array(column, np.uint8) for column in zip(*pairs)]
    rho = get_projection(f, rounding, "nonsat")
    got, _ = compute_arrays(Task(op, (f,) if unary else (f, f), f, rho), columns[:1] if unary else columns, False)
    for i, (a, b) in enumerate(pairs):
        z = z3.simplify(z3.fpSqrt(mode, every[a]) if theory is None else theory(mode, every[a], every[b]))
        code = f.nan_canonical if z.isNaN() else z3.simplify(z3.fpToIEEEBV(z)).as_long()
        assert got[i] == code, (name, op, rounding, hex(a), hex(b), z)


@pytest.mark.parametrize("op", ["add", "subtract", "multiply", "divide"])
@pytest.mark.parametrize("name", SORTS)
def test_some_pairs(name: str, op: str) -> None:
    rng = random.Random(f"{name} {op}")
    for rounding in MODES:
        check(name, op, rounding, [(rng.randrange(256), rng.randrange(256)) for _ in range(60)])


@pytest.mark.full
@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("op", ["add", "multiply"])
@pytest.mark.parametrize("name", SORTS)
def test_all_pairs(name: str, op: str, rounding: str) -> None:
    check(name, op, rounding, [(a, b) for a in range(256) for b in range(256)])


@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("name", SORTS)
def test_every_square_root(name: str, rounding: str) -> None:
    check(name, "sqrt", rounding, [(a, a) for a in range(256)])
