"""fp8ref against a naive search for the nearest values, for every format of at most 8 bits.

Three witnesses meet here: the tables and the search of ``exact.py``, the reference, and the array functions.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from second_oracles.exact import INFINITE, NAMED, OVERFLOWS, ROUNDINGS, TABLES, Table
from second_oracles.points import around, doubles_around, random_doubles
from short import every

import fp8ref
from fp8ref import spec

MODES = tuple(product(ROUNDINGS, OVERFLOWS))
Record = Callable[[str, object], None]


def ask_the_reference(table: Table, magnitudes: list[Fraction], modes: list[tuple[str, str]], record: Record) -> None:
    """Every mode on every magnitude and sign, or, with fewer modes, the next one in turn."""
    cases = 0
    for n, x in enumerate(magnitudes):
        place = table.place(x)
        for negative in (False, True):
            datum = spec.Datum.finite(-x if negative else x, int(negative))
            chosen = modes if len(modes) == len(MODES) else [modes[(n * 7 + negative * 3) % len(modes)]]
            for rounding, overflow in chosen:
                want = expected(table, negative, x, rounding, overflow)
                got = spec.encode(datum, table.name, rounding, overflow)[0]
                assert got == want, (str(datum), place, rounding, overflow)
                cases += 1
    record("cases", cases)


def expected(table: Table, negative: bool, x: Fraction, rounding: str, overflow: str) -> int:
    if x == 0 and negative and not table.signed:
        negative = False  # -0 is no negative value
    return table.encode(negative, table.place(x), rounding, overflow)


# those with a name of their own, and of the families of P3109, which share their rules, every third
SHORT = every(3, TABLES.values(), NAMED, ids=lambda table: table.name)


@pytest.mark.parametrize("table", SHORT)
def test_the_reference(table: Table, record_property: Record) -> None:
    """Values, ties and quarters of every format, all or every seventh, with the modes in turn."""
    modes = [m for m in MODES if m[1] != "satprop"]
    ask_the_reference(table, around(table)[:: 1 if len(table.ladder) < 40 else 7], modes, record_property)


@pytest.mark.full
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_the_reference_under_every_mode(table: Table, record_property: Record) -> None:
    ask_the_reference(table, around(table), list(MODES), record_property)


@pytest.mark.parametrize("table", SHORT)
def test_the_arrays(table: Table, record_property: Record) -> None:
    """All 18 modes on every value and tie and the doubles beside them, both signs, infinities and NaN."""
    values = doubles_around(table)
    if table in NAMED:
        values += random_doubles(table, 300)
    # values at the same place share their answer; a zero below the first rung is no negative value
    keys = [(table.place(Fraction(x)), x == 0) for x in values] + [(INFINITE, False)]
    number = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    which = [number[key] for key in keys]
    cases = 0
    for rounding, overflow in MODES:
        for negative in (False, True):
            answers = [
                table.encode(negative and (table.signed or not zero), place, rounding, overflow)
                for place, zero in number
            ]
            want = np.append(np.array(answers)[which], table.top if table.canonical is None else table.canonical)
            x = np.array([*values, np.inf, np.nan]) * (-1 if negative else 1)
            got = fp8ref.encode(x, table.name, rounding=rounding, overflow=overflow)
            wrong = np.flatnonzero(got != want)
            assert wrong.size == 0, (x[wrong[0]], got[wrong[0]], want[wrong[0]], rounding, overflow)
            cases += x.size
    record_property("cases", cases)


@pytest.mark.parametrize("source", NAMED, ids=lambda table: table.name)
def test_conversions_between_narrow_formats(source: Table, record_property: Record) -> None:
    """Every code of one format to another, under every mode."""
    codes = np.arange(1 << source.k, dtype=np.uint8)
    meanings = [source.meaning(code) for code in codes.tolist()]
    cases = 0
    for table in NAMED:
        places = [table.place(abs(value)) if value is not None else INFINITE for _, _, value in meanings]
        for rounding, overflow in MODES:
            want = [
                (table.top if table.canonical is None else table.canonical)
                if kind == "nan"
                else table.encode(bool(sign) and (table.signed or value != 0), place, rounding, overflow)
                for (kind, sign, value), place in zip(meanings, places)
            ]
            got = fp8ref.convert(codes, source.name, table.name, rounding=rounding, overflow=overflow)
            wrong = np.flatnonzero(got != want)
            assert wrong.size == 0, (table.name, codes[wrong[0]], got[wrong[0]], want[wrong[0]], rounding, overflow)
            cases += codes.size
    record_property("cases", cases)
