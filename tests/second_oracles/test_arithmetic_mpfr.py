"""Arithmetic of the IEEE-like formats against MPFR with its own exponent range, gradual underflow and flags."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from second_oracles.exact import TABLES, Table

from fp8ref import get_format
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.spec import get_projection

gmpy2 = pytest.importorskip("gmpy2")

PRECISION = {"e5m2": (3, -14, 15), "e4m3": (4, -6, 7), "e3m4": (5, -2, 3)}  # p, emin, emax  [IEEE 754-2019 3.3]
MODES = {"rne": "RoundToNearest", "rtz": "RoundToZero", "rtp": "RoundUp", "rtn": "RoundDown"}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: gmpy2.add(x, y),
    "subtract": lambda x, y: gmpy2.sub(x, y),
    "multiply": lambda x, y: gmpy2.mul(x, y),
    "divide": lambda x, y: gmpy2.div(x, y),
    "remainder": lambda x, y: gmpy2.remainder(x, y),
}


def context(name: str, rounding: str) -> Any:
    """MPFR's numbers are 0.1xxx 2**e, so its exponents are one higher; emin is that of the smallest subnormal."""
    p, emin, emax = PRECISION[name]
    made = gmpy2.context(precision=p, emin=emin - (p - 1) + 1, emax=emax + 1, subnormalize=True)
    made.round = getattr(gmpy2, MODES[rounding])
    return made


def operands(table: Table) -> list[Any]:
    wide = gmpy2.context(precision=53)
    out = []
    for code in range(256):
        kind, sign, value = table.meaning(code)
        if kind == "finite":
            assert value is not None
            with gmpy2.context(wide):
                out.append(gmpy2.mpfr(-0.0) if sign and value == 0 else gmpy2.mpfr(float(value)))
        else:
            out.append(gmpy2.inf(-1 if sign else 1) if kind == "infinite" else gmpy2.nan())
    return out


def codes_of(table: Table) -> dict[Fraction, int]:
    return {value: code for code in range(256) if (value := table.meaning(code)[2]) is not None and value != 0}


def answer(table: Table, codes: dict[Fraction, int], z: Any, flags: Any) -> tuple[int, int]:
    status = flags.inexact | flags.overflow << 2 | flags.divzero << 3 | flags.invalid << 4
    if gmpy2.is_nan(z):
        return table.nan, status
    sign = 0x80 if gmpy2.is_signed(z) else 0
    if gmpy2.is_infinite(z):
        assert table.infinity is not None
        return sign | table.infinity, status
    return (codes[Fraction(*z.as_integer_ratio())] if z != 0 else sign), status


def check(name: str, op: str, rounding: str, pairs: np.ndarray[Any, Any]) -> None:
    table, f = TABLES[name], get_format(name)
    values, codes, flags = operands(table), codes_of(table), context(name, rounding)
    rho = get_projection(f, rounding, "nonsat", snan="quiet")
    columns = [np.ascontiguousarray(column) for column in pairs.T]
    unary = op == "sqrt"
    task = Task(op, (f,) if unary else (f, f), f, rho)
    got, status = compute_arrays(task, columns[:1] if unary else columns, True)
    assert status is not None
    normal = 1 << (PRECISION[name][0] - 1)
    with gmpy2.context(flags) as running:
        for i, (a, b) in enumerate(pairs.tolist()):
            running.clear_flags()
            z = gmpy2.sqrt(values[a]) if unary else BINARY[op](values[a], values[b])
            is_nan = "nan" in (table.meaning(a)[0], "" if unary else table.meaning(b)[0])
            code, raised = answer(table, codes, z, running)
            if is_nan:
                raised &= ~16  # MPFR's NaN flag is raised by every NaN result
            # MPFR's flag of gradual underflow differs from IEEE 754's; ours is judged elsewhere
            want = code, raised
            assert (int(got[i]), int(status[i]) & ~2) == want, (name, op, rounding, hex(a), hex(b), z)
            if int(status[i]) & 2:
                assert got[i] & 0x7F <= normal
                assert raised & 1


def some_pairs(n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(6).integers(0, 256, (n, 2)).astype(np.uint8)


def all_pairs() -> np.ndarray[Any, Any]:
    return np.stack(np.meshgrid(np.arange(256), np.arange(256), indexing="ij"), -1).reshape(-1, 2).astype(np.uint8)


@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("name", PRECISION)
def test_some_pairs(name: str, op: str, rounding: str) -> None:
    check(name, op, rounding, some_pairs(700))


@pytest.mark.full
@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("name", PRECISION)
def test_all_pairs(name: str, op: str, rounding: str) -> None:
    check(name, op, rounding, all_pairs())


@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("name", PRECISION)
def test_every_square_root(name: str, rounding: str) -> None:
    check(name, "sqrt", rounding, np.repeat(np.arange(256, dtype=np.uint8)[:, None], 2, 1))


@pytest.mark.parametrize("rounding", MODES)
@pytest.mark.parametrize("name", PRECISION)
def test_fma(name: str, rounding: str) -> None:
    table, f = TABLES[name], get_format(name)
    values, codes = operands(table), codes_of(table)
    triples = np.random.default_rng(7).integers(0, 256, (3000, 3)).astype(np.uint8)
    got, status = compute_arrays(
        Task("fma", (f, f, f), f, get_projection(f, rounding, "nonsat", snan="quiet")),
        [np.ascontiguousarray(column) for column in triples.T],
        True,
    )
    assert status is not None
    with gmpy2.context(context(name, rounding)) as running:
        for i, (a, b, c) in enumerate(triples.tolist()):
            running.clear_flags()
            z = gmpy2.fma(values[a], values[b], values[c])
            code, raised = answer(table, codes, z, running)
            kinds = [table.meaning(x)[0] for x in (a, b, c)]
            if "nan" in kinds:  # 0 times infinity plus NaN: ours is invalid, MPFR's flag says nothing
                raised = int(status[i])
            assert (int(got[i]), int(status[i]) & ~2) == (code, raised), (name, rounding, hex(a), hex(b), hex(c), z)
