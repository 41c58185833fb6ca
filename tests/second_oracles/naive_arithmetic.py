"""Arithmetic by the naive tables of ``exact``: what IEEE 754-2019 says of special values, and a search for neighbours.

Shares no code with fp8ref.  An exact result is one of

    ("nan", invalid) | ("infinite", sign, divide_by_zero) | ("zero", sign or None) | ("number", sign, magnitude)

with sign None where the direction of rounding decides it, and the magnitude of a square root given by its square.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from functools import lru_cache
from typing import Any

from second_oracles.exact import TABLES, Place, Table, goes_up

NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
TRAILING = {"e5m2": 2, "e4m3": 3, "e3m4": 4, "f16": 10}  # formats whose NaNs have a quiet bit, the top trailing one
Exact = tuple[Any, ...]
BY_NAME = TABLES


def signals(table: Table, code: int) -> bool:
    t = TRAILING.get(table.name)
    return t is not None and code in table.nans and not code >> (t - 1) & 1


def exact_sum(terms: list[tuple[str, int, Fraction | None]]) -> Exact:
    infinite = {sign for kind, sign, _ in terms if kind == "infinite"}
    if infinite:
        return ("nan", True) if len(infinite) == 2 else ("infinite", infinite.pop(), False)
    value = sum((v for _, _, v in terms if v is not None), Fraction(0))
    if value != 0:
        return ("number", int(value < 0), abs(value))
    signs = {sign for _, sign, _ in terms}
    return ("zero", signs.pop() if len(signs) == 1 else None)


def exact_product(a: tuple[str, int, Fraction | None], b: tuple[str, int, Fraction | None]) -> Exact:
    sign = a[1] ^ b[1]
    if "infinite" in (a[0], b[0]):
        return ("nan", True) if 0 in (a[2], b[2]) else ("infinite", sign, False)
    assert a[2] is not None
    assert b[2] is not None
    value = abs(a[2] * b[2])
    return ("number", sign, value) if value else ("zero", sign)


def exact_quotient(a: tuple[str, int, Fraction | None], b: tuple[str, int, Fraction | None]) -> Exact:
    sign = a[1] ^ b[1]
    if a[0] == b[0] == "infinite" or a[2] == b[2] == 0:
        return ("nan", True)
    if a[0] == "infinite":
        return ("infinite", sign, False)
    if b[0] == "infinite" or a[2] == 0:
        return ("zero", sign)
    if b[2] == 0:
        return ("infinite", sign, True)
    assert a[2] is not None
    assert b[2] is not None
    return ("number", sign, abs(a[2] / b[2]))


def exact_remainder(a: tuple[str, int, Fraction | None], b: tuple[str, int, Fraction | None]) -> Exact:
    if a[0] == "infinite" or b[2] == 0:
        return ("nan", True)
    assert a[2] is not None
    if b[0] == "infinite":
        return ("number", a[1], abs(a[2])) if a[2] else ("zero", a[1])
    assert b[2] is not None
    ratio = a[2] / b[2]
    below = ratio.numerator // ratio.denominator
    away = 2 * (ratio - below)
    n = below + 1 if away > 1 or (away == 1 and below % 2) else below
    rest = a[2] - n * b[2]
    return ("number", int(rest < 0), abs(rest)) if rest else ("zero", a[1])


def exact(op: str, meanings: list[tuple[str, int, Fraction | None]]) -> Exact:
    """The exact result of operands of which none is a NaN."""
    if op == "add":
        return exact_sum(meanings)
    if op == "subtract":
        kind, sign, value = meanings[1]
        return exact_sum([meanings[0], (kind, 1 - sign, None if value is None else -value)])
    if op == "multiply":
        return exact_product(*meanings)
    if op == "divide":
        return exact_quotient(*meanings)
    if op == "remainder":
        return exact_remainder(*meanings)
    if op == "faa":
        return exact_sum(meanings)
    if op == "fma":
        p = exact_product(*meanings[:2])
        if p[0] == "nan":
            return p
        value = {"infinite": None, "zero": Fraction(0)}[p[0]] if p[0] != "number" else p[2] * (-1) ** p[1]
        return exact_sum([("infinite" if p[0] == "infinite" else "finite", p[1], value), meanings[2]])
    assert op == "sqrt"
    kind, sign, value = meanings[0]
    if value == 0:
        return ("zero", sign)
    if sign:
        return ("nan", True)
    return ("infinite", 0, False) if kind == "infinite" else ("root", 0, value)


@lru_cache(maxsize=64)
def _smallest_normal(table: Table) -> int:
    """The rung of the smallest normal: gaps double for the first time at twice this rung."""
    gap = table.ladder[1] - table.ladder[0]
    doubling = next(r for r in range(len(table.ladder)) if table.ladder[r + 1] - table.ladder[r] == 2 * gap)
    return doubling // 2


@lru_cache(maxsize=64)
def _squares(table: Table) -> list[Fraction]:
    return [v * v for v in table.ladder]


def _place(table: Table, x: Fraction, squared: bool) -> Place:
    if not squared:
        return table.place(x)
    rung = bisect_right(_squares(table), x) - 1
    if rung == len(table.ladder) - 1 or _squares(table)[rung] == x:
        return Place(rung, 0)
    middle = (table.ladder[rung] + table.ladder[rung + 1]) / 2
    return Place(rung, 1 if x < middle * middle else 2 if x == middle * middle else 3)


def _is_tiny(table: Table, x: Fraction, negative: bool, rounding: str, squared: bool) -> bool:
    """Rounded to the format's precision with an exponent range without end, is it below the smallest normal?"""
    normal = table.ladder[_smallest_normal(table)]
    last = normal - (table.ladder[1] - table.ladder[0]) / 2  # the number before it, all ones, if emin were one lower
    middle = (last + normal) / 2
    if squared:
        last, normal, middle = last * last, normal * normal, middle * middle
    if x >= normal:
        return False
    if x <= last:
        return True
    part = 1 if x < middle else 2 if x == middle else 3
    return not goes_up(Place(1, part), rounding, negative)  # all ones: odd


def deliver(table: Table, result: Exact, rounding: str, overflow: str) -> tuple[int, int]:
    """Code and flags of an exact result."""
    if result[0] == "nan":
        no_nan = table.canonical is None
        return (table.top if no_nan else table.nan), NV if result[1] or no_nan else 0
    if result[0] == "infinite":
        return table.overflowed(bool(result[1]), rounding, overflow, infinite=True), DZ if result[2] else 0
    if result[0] == "zero":
        sign = result[1] if result[1] is not None else int(rounding == "rtn")
        return table.code(bool(sign), 0), 0
    negative, x, squared = bool(result[1]), result[2], result[0] == "root"
    place = _place(table, x, squared)
    rung = place.rung + goes_up(place, rounding, negative)
    if rung > table.top:
        return table.overflowed(negative, rounding, overflow, infinite=False), OF | NX
    flags = NX if place.part else 0
    if flags and _is_tiny(table, x, negative, rounding, squared):
        flags |= UF
    return table.code(negative, rung), flags
