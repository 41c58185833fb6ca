"""fma and faa against exact integers: triples biased to cancellation, subnormals and overflow.

Every operand is an integer in units of a small power of two, so a b + c is one too, and the code comes of a search in
the ladder of the result's values.  Sums of 64 bits are carried by x87 extended precision, which holds them exactly.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from second_oracles.exact import TABLES, Table, _fields
from second_oracles.naive_arithmetic import NV, NX, OF, UF, _smallest_normal, deliver, exact, signals

from fp8ref import get_format
from fp8ref.fast.arithmetic import Task, compute_arrays, evaluate
from fp8ref.spec import get_projection
from fp8ref.spec.operations.arithmetic import compute_codes

F16 = Table(
    "f16", 16, _fields(10, 15), 0x7BFF, 0x7C00, frozenset({*range(0x7C01, 0x8000), *range(0xFC01, 0x10000)}), 0x7E00
)
ALL = {**TABLES, "f16": F16}
WIDE = np.finfo(np.longdouble).nmant >= 63

CASES = [  # operands, result, rounding, overflow, share of the triples
    ("e4m3fn e4m3fn e4m3fn", "e4m3fn", "rne", "sat", 0.25),
    ("e4m3fn e4m3fn e4m3fn", "e4m3fn", "rtn", "nonsat", 0.15),
    ("e4m3fnuz e4m3fnuz e4m3fnuz", "e4m3fnuz", "rto", "nonsat", 0.05),
    ("e5m2 e5m2 e5m2", "e5m2", "rne", "nonsat", 0.2),
    ("e5m2 e5m2 e5m2", "e5m2", "rtp", "sat", 0.05),
    ("e5m2 e4m3fn e4m3fn", "e4m3fn", "rna", "sat", 0.1),
    ("e5m2 e4m3fn f16", "f16", "rne", "nonsat", 0.1),
    ("binary8p3se binary8p3se binary8p3se", "binary8p3se", "rtz", "nonsat", 0.05),
    ("e2m1fn e3m2fn e2m3fn", "e3m2fn", "rne", "sat", 0.05),
]


class Integers:
    """The values of a format's codes as whole numbers of a unit, and which are special."""

    def __init__(self, name: str, unit: Fraction) -> None:
        table = ALL[name]
        meanings = [table.meaning(code) for code in range(2**table.k)]
        self.special = np.array([m[0] != "finite" for m in meanings])
        self.values = np.array([0 if m[2] is None else whole(m[2], unit) for m in meanings], np.longdouble)
        self.ladder = np.array([whole(v, unit) for v in table.ladder], np.longdouble)


def whole(value: Fraction, unit: Fraction) -> int:
    count = value / unit
    assert count.denominator == 1
    return int(count)


integers = lru_cache(maxsize=64)(Integers)


def triples(names: list[str], n: int, rng: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """A quarter each: any codes; c within two codes of -a b; small operands; large ones."""
    tables = [ALL[name] for name in names]
    a, b, c = (rng.integers(0, 2**t.k, n) for t in tables)
    quarter = n // 4
    if names[2] == names[1]:  # c about -(a b): the nearest code by plain floating point, then a step aside
        values = [
            np.array([0 if t.meaning(x)[2] is None else float(t.meaning(x)[2]) for x in range(2**t.k)]) for t in tables
        ]  # type: ignore[arg-type]
        product = np.abs(values[0][a[:quarter]] * values[1][b[:quarter]])
        ladder = np.array([float(v) for v in tables[2].ladder[: tables[2].top + 1]])
        near = np.clip(np.searchsorted(ladder, product) + rng.integers(-2, 3, quarter), 0, tables[2].top)
        unlike = (values[0][a[:quarter]] < 0) == (values[1][b[:quarter]] < 0)
        c[:quarter] = np.where(unlike, near + 2 ** (tables[2].k - 1), near)
    else:  # large c against large products
        c[:quarter] = (
            tables[2].top
            - rng.integers(0, tables[2].top // 4, quarter)
            + 2 ** (tables[2].k - 1) * rng.integers(0, 2, quarter)
        )
    for part, place in ((slice(quarter, 2 * quarter), 0.0), (slice(2 * quarter, 3 * quarter), 0.7)):
        for codes, t in zip((a, b, c), tables):
            low, high = int(t.top * place), int(t.top * (place + 0.3))
            sign = 2 ** (t.k - 1) * rng.integers(0, 2, quarter)
            codes[part] = rng.integers(low, high + 1, quarter) + sign
    return [x.astype(np.uint16 if t.k > 8 else np.uint8) for x, t in zip((a, b, c), tables)]


def expected(
    op: str, names: list[str], result: str, codes: list[np.ndarray[Any, Any]], rounding: str, overflow: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    tables, to = [ALL[name] for name in names], ALL[result]
    ulps = [t.ladder[1] for t in tables]
    if op == "fma":
        unit = min(ulps[0] * ulps[1], ulps[2], to.ladder[1] / 4)
        units = [ulps[0], unit / ulps[0], unit]
    else:
        unit = min(*ulps, to.ladder[1]) / 4
        units = [unit] * 3
    a, b, c = (integers(name, u) for name, u in zip(names, units))
    ladder = integers(result, unit).ladder
    x, y, z = (s.values[code] for s, code in zip((a, b, c), codes))
    total = x * y + z if op == "fma" else x + y + z
    special = a.special[codes[0]] | b.special[codes[1]] | c.special[codes[2]] | (total == 0)
    magnitude, negative = np.abs(total), total < 0
    rung = np.searchsorted(ladder, magnitude, "right") - 1
    rung = np.minimum(rung, len(ladder) - 2)
    lower, upper = ladder[rung], ladder[rung + 1]
    beyond = magnitude >= ladder[-1]
    exactly = (magnitude == lower) & ~beyond
    twice, middle = 2 * magnitude, lower + upper
    up = {
        "rne": (twice > middle) | ((twice == middle) & (rung % 2 == 1)),
        "rna": twice >= middle,
        "rtz": np.zeros(rung.shape, bool),
        "rtp": ~negative,
        "rtn": negative,
        "rto": rung % 2 == 0,
    }[rounding] & ~exactly
    rounded = np.where(beyond, to.top + 1, rung + up)
    sign = np.where(negative, 2 ** (to.k - 1), 0)
    code = np.where((rounded == 0) & (not to.negative_zero), 0, rounded + sign)
    flags = np.where(exactly, 0, NX)
    normal = _smallest_normal(to)
    edge = ladder[normal] - ladder[1] / 2  # with an exponent range without end, the number before the smallest normal
    rises = {  # that number is odd
        "rne": twice >= edge + ladder[normal],
        "rna": twice >= edge + ladder[normal],
        "rtp": (magnitude > edge) & ~negative,
        "rtn": (magnitude > edge) & negative,
    }.get(rounding, np.zeros(rung.shape, bool))
    flags = np.where(~exactly & (magnitude < ladder[normal]) & ~rises, flags | UF, flags)
    over = rounded > to.top
    flags = np.where(over, OF | NX, flags)
    for side in (False, True):
        code[over & (negative == side)] = to.overflowed(side, rounding, overflow, infinite=False)
    known: dict[tuple[int, ...], tuple[int, int]] = {}
    for i in np.flatnonzero(special):
        triple = tuple(int(part[i]) for part in codes)
        if triple not in known:
            meanings = [t.meaning(code) for t, code in zip(tables, triple)]
            is_nan = [m[0] == "nan" for m in meanings]
            found = ("nan", False) if any(is_nan) else exact(op, meanings)
            value, raised = deliver(to, found, rounding, overflow)
            if any(signals(t, code) for t, code in zip(tables, triple)):
                raised |= NV
            if op == "fma" and is_nan == [False, False, True] and exact("multiply", meanings[:2])[0] == "nan":
                raised |= NV
            known[triple] = value, raised
        code[i], flags[i] = known[triple]
    return code, flags


def check(op: str, case: tuple[str, str, str, str, float], count: int, seed: int) -> int:
    operands, result, rounding, overflow, share = case
    names = operands.split()
    rng = np.random.default_rng(seed)
    formats, to = tuple(get_format(name) for name in names), get_format(result)
    rho = get_projection(to, rounding, overflow)
    tried = 0
    while tried < count * share:
        n = min(200_000, int(count * share) - tried + 4)
        codes = triples(names, n, rng)
        want, flags = expected(op, names, result, codes, rounding, overflow)
        task = Task(op, formats, to, rho)
        got, status = compute_arrays(task, codes, True)
        alone, _ = compute_arrays(task, codes, False)
        assert status is not None
        wrong = np.flatnonzero((got != want) | (status != flags) | (alone != want))
        assert wrong.size == 0, (case, [hex(int(part[wrong[0]])) for part in codes], hex(int(want[wrong[0]])))
        some = slice(0, n, max(1, n // 2000))
        general = evaluate(task, [np.ascontiguousarray(part[some]) for part in codes])
        assert (general[0] == want[some]).all()
        assert (general[1] == flags[some]).all()
        for i in range(0, n, max(1, n // 200)):
            triple = [int(part[i]) for part in codes]
            assert compute_codes(op, triple, formats, to, rho) == (int(want[i]), int(flags[i])), (case, triple)
        tried += n
    return tried


@pytest.mark.skipif(not WIDE, reason="numpy's longdouble has fewer than 64 significant bits here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].replace(' ', '.')}-{case[2]}")
def test_fma(case: tuple[str, str, str, str, float]) -> None:
    assert check("fma", case, 80_000, 3) >= 80_000 * case[4]


@pytest.mark.full
@pytest.mark.skipif(not WIDE, reason="numpy's longdouble has fewer than 64 significant bits here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].replace(' ', '.')}-{case[2]}")
def test_ten_million_fma(case: tuple[str, str, str, str, float]) -> None:
    assert check("fma", case, 10_000_000, 4) >= 10_000_000 * case[4]


@pytest.mark.skipif(not WIDE, reason="numpy's longdouble has fewer than 64 significant bits here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].replace(' ', '.')}-{case[2]}")
def test_faa(case: tuple[str, str, str, str, float]) -> None:
    assert check("faa", case, 50_000, 5) >= 50_000 * case[4]
