"""fp8ref against z3's theory of floating point, whose sorts have the shapes of e5m2, e4m3 and e3m4."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from second_oracles.exact import TABLES
from second_oracles.points import around

from fp8ref import spec

z3 = pytest.importorskip("z3", reason="z3 is an extra: pip install '.[test]'")

SORTS = {"e5m2": z3.FPSort(5, 3), "e4m3": z3.FPSort(4, 4), "e3m4": z3.FPSort(3, 5)}
MODES = {"rne": z3.RNE(), "rna": z3.RNA(), "rtz": z3.RTZ(), "rtp": z3.RTP(), "rtn": z3.RTN()}
INFINITY = {"e5m2": 0x7C, "e4m3": 0x78, "e3m4": 0x70}


def z3_code(x: Fraction, name: str, mode: str) -> int:
    rounded = z3.fpToFP(MODES[mode], z3.RealVal(str(x)), SORTS[name])
    return int(z3.simplify(z3.fpToIEEEBV(rounded)).as_long())


def check(name: str, mode: str, magnitudes: list[Fraction], record: Callable[[str, object], None]) -> None:
    values = [x for m in magnitudes if m for x in (m, -m)]  # a real number has no -0
    for x in values:
        assert spec.encode(x, name, mode, "nonsat")[0] == z3_code(x, name, mode), x
    record("cases", len(values))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SORTS)
def test_z3(name: str, mode: str, record_property: Callable[[str, object], None]) -> None:
    sample = random.Random(name + mode).sample(around(TABLES[name]), 400)
    check(name, mode, sample, record_property)


@pytest.mark.full
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SORTS)
def test_z3_around_every_value(name: str, mode: str, record_property: Callable[[str, object], None]) -> None:
    check(name, mode, around(TABLES[name], parts=16), record_property)
