"""All pairs of codes, added, subtracted, multiplied, divided and remaindered, against the naive tables."""

from __future__ import annotations

import numpy as np
import pytest
from second_oracles.exact import ROUNDINGS
from second_oracles.naive_arithmetic import BY_NAME, NV, Exact, deliver, exact, signals
from short import some

from fp8ref import get_format
from fp8ref.fast.arithmetic import Task, compute_arrays
from fp8ref.spec import get_projection
from fp8ref.spec.operations.arithmetic import compute_codes

FORMATS = (
    *("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e4m3", "e3m4"),
    *("e3m2fn", "e2m3fn", "e2m1fn", "binary8p3se", "binary8p4se"),
)
OPERATIONS = ("add", "subtract", "multiply", "divide", "remainder")
IN_CI = [
    *(("e4m3fn", op) for op in ("add", "multiply", "divide")),
    *(("e5m2", op) for op in ("subtract", "divide")),
    *(("binary8p4se", op) for op in ("multiply", "remainder")),
    *((name, op) for name in ("e3m2fn", "e2m1fn") for op in OPERATIONS),
]
OVERFLOWS = ("sat", "nonsat")


def all_pairs(name: str, op: str) -> tuple[list[Exact], list[int], np.ndarray, list[tuple[int, int]]]:
    """The distinct exact results; extra flags, result number and codes of every pair."""
    table = BY_NAME[name]
    codes = range(2**table.k)
    meanings = [table.meaning(code) for code in codes]
    signalling = [signals(table, code) for code in codes]
    numbers: dict[tuple[Exact, int], int] = {}
    which = []
    pairs = [(a, b) for a in codes for b in codes]
    for a, b in pairs:
        found: Exact = ("nan", False)
        if "nan" not in (meanings[a][0], meanings[b][0]):
            found = exact(op, [meanings[a], meanings[b]])
        which.append(numbers.setdefault((found, NV if signalling[a] or signalling[b] else 0), len(numbers)))
    return [key[0] for key in numbers], [key[1] for key in numbers], np.array(which), pairs


def check_all_pairs(name: str, op: str, roundings: tuple[str, ...]) -> int:
    f, table = get_format(name), BY_NAME[name]
    results, extra, which, pairs = all_pairs(name, op)
    a, b = np.array(pairs, np.uint8).T
    first = np.unique(which, return_index=True)[1]
    for rounding in roundings:
        for overflow in OVERFLOWS:
            answers = [deliver(table, result, rounding, overflow) for result in results]
            code = np.array([answer[0] for answer in answers])
            flags = np.array([answer[1] | more for answer, more in zip(answers, extra)])
            rho = get_projection(f, rounding, overflow)
            got, status = compute_arrays(
                Task(op, (f, f), f, rho), [np.ascontiguousarray(a), np.ascontiguousarray(b)], True
            )
            assert status is not None
            wrong = np.flatnonzero((got != code[which]) | (status != flags[which]))
            assert wrong.size == 0, (name, op, rounding, overflow, [hex(c) for c in pairs[wrong[0]]])
            # the reference itself, on one pair of every distinct exact result (a sample of them)
            for i in first[:: max(1, len(first) // 60)]:
                want = int(code[which[i]]), int(flags[which[i]])
                assert compute_codes(op, pairs[i], (f, f), f, rho) == want, (name, op, rounding, overflow, pairs[i])
    return len(pairs) * len(roundings) * len(OVERFLOWS)


@pytest.mark.parametrize(  # of 8 bits each way to calculate once
    ("name", "op"),
    some(
        IN_CI,
        [
            *(("e4m3fn", "add"), ("e5m2", "divide"), ("binary8p4se", "remainder"), ("e4m3fn", "multiply")),
            *(pair for pair in IN_CI if BY_NAME[pair[0]].k < 8),
        ],
    ),
)
def test_all_pairs_of_some_formats(name: str, op: str) -> None:
    assert check_all_pairs(name, op, ("rne", "rtn")) == 4 * 4 ** BY_NAME[name].k


@pytest.mark.full
@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_all_pairs_in_every_mode(name: str, op: str) -> None:
    assert check_all_pairs(name, op, ROUNDINGS) == 2 * len(ROUNDINGS) * 4 ** BY_NAME[name].k


@pytest.mark.parametrize("name", FORMATS)
def test_every_square_root(name: str) -> None:
    f, table = get_format(name), BY_NAME[name]
    for rounding in ROUNDINGS:
        for overflow in OVERFLOWS:
            rho = get_projection(f, rounding, overflow)
            codes = np.arange(2**table.k, dtype=np.uint8)
            got, status = compute_arrays(Task("sqrt", (f,), f, rho), [codes], True)
            assert status is not None
            for code in range(2**table.k):
                meaning = table.meaning(code)
                found = ("nan", False) if meaning[0] == "nan" else exact("sqrt", [meaning])
                value, flags = deliver(table, found, rounding, overflow)
                flags |= NV if signals(table, code) else 0
                assert (got[code], status[code]) == (value, flags), (name, rounding, overflow, hex(code))
                assert compute_codes("sqrt", [code], [f], f, rho) == (value, flags)
