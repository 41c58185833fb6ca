"""Elementary functions against MPFR and mpmath's intervals: codes and flags, every mode, every overflow rule.

The short form takes the 8-bit and 6-bit formats with few functions each.  The long one takes every 8-bit format and
function, all of binary16 and bfloat16 for twelve functions, and all pairs of E4M3 for pow, atan2 and hypot.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from second_oracles.exact import OVERFLOWS, ROUNDINGS, TABLES
from second_oracles.functions import DIRECT, INTERVALS, PARTS, Exact, by_intervals, by_mpfr, by_parts, gmpy2
from second_oracles.naive_arithmetic import NV, deliver, signals

from fp8ref import get_format
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.spec import get_projection
from fp8ref.spec.functions.catalog import FUNCTIONS

UNARY = [op for op in (*DIRECT, *INTERVALS, *PARTS) if FUNCTIONS[op].arity == 1]
EIGHT_BITS = ("e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz", "binary8p4se", "binary8p3sf")
DOMAINS = {"rsqrt": lambda x: x > 0, "log2p1": lambda x: x > -1, "log10p1": lambda x: x > -1}
IN_CI = [
    *(("e2m3fn", op) for op in ("exp", "sin", "atanh", "gelu_tanh", "rsqrt", "log2p1")),
    *(("e5m2", op) for op in ("tanh", "log", "silu", "gelu")),
    *(("e2m3fn", op) for op in ("sinpi", "tanpi", "acospi", "atanpi", "cospi", "asinpi", "reciprocal", "square")),
    *(("e4m3fn", op) for op in ("exp2", "erf", "tan")),
]


@lru_cache(maxsize=4)
def outcomes(name: str, op: str) -> list[tuple[Exact, int] | None]:
    """The exact result and the extra flags for every code; None where mpmath has no special values."""
    table, found = TABLES[name], []
    for code in range(2**table.k):
        meaning = table.meaning(code)
        outcome: tuple[Exact, int] | None
        if meaning[0] == "nan":
            outcome = ("nan", False), NV if signals(table, code) else 0
        elif op in DIRECT:
            outcome = by_mpfr(op, [meaning]), 0
        elif op in PARTS:
            found_in_parts = by_parts(op, meaning[2]) if meaning[2] else None
            outcome = None if found_in_parts is None else (found_in_parts, 0)
        elif meaning[2] and DOMAINS.get(op, lambda x: True)(meaning[2]):
            outcome = by_intervals(op, meaning[2]), 0
        else:
            outcome = None
        found.append(outcome)
    return found


def check(name: str, op: str, roundings: tuple[str, ...], overflows: tuple[str, ...]) -> int:
    table, f = TABLES[name], get_format(name)
    codes = np.arange(2**table.k, dtype=np.uint8)
    asked = 0
    for rounding in roundings:
        for overflow in overflows:
            got, status = compute_arrays(Task(op, (f,), f, get_projection(f, rounding, overflow)), [codes], True)
            assert status is not None
            for code, outcome in enumerate(outcomes(name, op)):
                if outcome is not None:
                    want, flags = deliver(table, outcome[0], rounding, overflow)
                    assert (got[code], status[code]) == (want, flags | outcome[1]), (name, op, code, rounding, overflow)
                    asked += 1
    return asked


@pytest.mark.parametrize(("name", "op"), IN_CI)
def test_unary(name: str, op: str) -> None:
    assert check(name, op, ROUNDINGS, ("nonsat",)) > 0


@pytest.mark.full
@pytest.mark.parametrize("op", UNARY)
@pytest.mark.parametrize("name", EIGHT_BITS)
def test_every_unary_function_of_8_bits(name: str, op: str) -> None:
    assert check(name, op, ROUNDINGS, OVERFLOWS) > 0


def check_pairs(op: str, which: Any, roundings: tuple[str, ...], overflows: tuple[str, ...]) -> None:
    table, f = TABLES["e4m3fn"], get_format("e4m3fn")
    a, b = (np.ascontiguousarray(x.astype(np.uint8)) for x in (which >> 8, which & 255))
    meanings = [table.meaning(code) for code in range(256)]
    exact: list[Exact | None] = []
    for x, y in zip(a.tolist(), b.tolist()):
        nan = "nan" in (meanings[x][0], meanings[y][0])  # the special values are restated in tests/spec
        exact.append(None if nan else by_mpfr(op, [meanings[x], meanings[y]]))
    for rounding in roundings:
        for overflow in overflows:
            got, status = compute_arrays(Task(op, (f, f), f, get_projection(f, rounding, overflow)), [a, b], True)
            assert status is not None
            for i, outcome in enumerate(exact):
                if outcome is not None:
                    want = deliver(table, outcome, rounding, overflow)
                    assert (got[i], status[i]) == want, (op, a[i], b[i], rounding, overflow)


@pytest.mark.parametrize("op", ["pow", "atan2", "hypot"])
def test_pairs(op: str) -> None:
    check_pairs(op, np.random.default_rng(8).integers(0, 1 << 16, 400), ROUNDINGS, ("nonsat",))


@pytest.mark.full
@pytest.mark.parametrize("op", ["pow", "atan2", "hypot"])
def test_all_pairs(op: str) -> None:
    check_pairs(op, np.arange(1 << 16), ROUNDINGS, OVERFLOWS)


# -- 16 bits: MPFR rounds by itself ----------------------------------------------------------------------------------

TWELVE = ("exp", "exp2", "expm1", "log", "log2", "log1p", "sin", "cos", "tan", "atan", "tanh", "erf")
SHAPES = {"f16": (11, -14, 15), "bf16": (8, -126, 127)}  # p, emin, emax  [IEEE 754-2019 3.3]
MODES = {"rne": "RoundToNearest", "rtz": "RoundToZero", "rtp": "RoundUp", "rtn": "RoundDown"}


def values(name: str, codes: np.ndarray[Any, Any]) -> list[Any]:
    wide = codes.astype(np.uint16).view(np.float16).astype(float) if name == "f16" else (
        (codes.astype(np.uint32) << 16).view(np.float32).astype(float)
    )  # fmt: skip
    return [gmpy2.mpfr(x, 53) for x in wide.tolist()]


def check_16(name: str, op: str, codes: np.ndarray[Any, Any], roundings: tuple[str, ...]) -> int:
    """Codes and the inexact, overflow, divideByZero and invalid flags, of all codes that are not NaN."""
    f = get_format(name)
    p, emin, emax = SHAPES[name]
    given = values(name, codes)
    for rounding in roundings:
        task = Task(op, (f,), f, get_projection(f, rounding, "nonsat", snan="quiet"))
        got, status = compute_arrays(task, [codes.astype(np.uint16)], True)
        assert status is not None
        rounded = gmpy2.context(precision=p, emin=emin - (p - 1) + 1, emax=emax + 1, subnormalize=True)
        rounded.round = getattr(gmpy2, MODES[rounding])
        delivered, flags = [], []
        with gmpy2.context(rounded) as running:
            function = getattr(gmpy2, DIRECT[op])
            for x in given:
                running.clear_flags()
                z = function(x)
                delivered.append(float(z))
                flags.append(running.inexact | running.overflow << 2 | running.divzero << 3 | running.invalid << 4)
        z64 = np.array(delivered)
        want = z64.astype(np.float16).view(np.uint16) if name == "f16" else (
            (z64.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        )  # fmt: skip
        operand_nan = np.array([gmpy2.is_nan(x) for x in given])
        right = np.where(np.isnan(z64), got == f.nan_canonical, got == want) | operand_nan
        flagged = ((status & ~np.uint8(2)) == np.array(flags)) | operand_nan
        assert right.all(), (name, op, rounding, codes[~right][:5])
        assert flagged.all(), (name, op, rounding, codes[~flagged][:5])
    return len(given) * len(roundings)


@pytest.mark.full
@pytest.mark.parametrize("op", TWELVE)
@pytest.mark.parametrize("name", SHAPES)
def test_all_of_16_bits(name: str, op: str) -> None:
    assert check_16(name, op, np.arange(1 << 16), tuple(MODES)) == 4 << 16
