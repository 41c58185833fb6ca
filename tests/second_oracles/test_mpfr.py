"""fp8ref against MPFR, with its precision, exponent range and gradual underflow set to the IEEE-like formats."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from second_oracles.exact import TABLES

import fp8ref
from fp8ref import spec

gmpy2 = pytest.importorskip("gmpy2", reason="gmpy2 carries MPFR: pip install '.[test]'")

# precision, emin, emax of IEEE 754 (MPFR's significand lies in [1/2, 1), so its exponents are one larger)
FORMATS = {"e5m2": (3, -14, 15), "e4m3": (4, -6, 7), "e3m4": (5, -2, 3), "f16": (11, -14, 15), "bf16": (8, -126, 127)}
MODES = {
    "rne": gmpy2.RoundToNearest,
    "rtz": gmpy2.RoundToZero,
    "rtp": gmpy2.RoundUp,
    "rtn": gmpy2.RoundDown,
}


def code_of(x: float, name: str) -> int:
    """The code of a value that the format has, as numpy, struct or the printed table knows it."""
    if name == "f16":
        return int(np.float16(x).view(np.uint16))
    if name == "bf16":
        return int(struct.unpack("I", struct.pack("f", x))[0]) >> 16
    return CODES[name][str(x)]


CODES = {
    name: {
        str(float("inf") * (-1) ** sign if kind == "infinite" else float(abs(value or 0)) * (-1) ** sign): code
        for code in range(256)
        for kind, sign, value in [TABLES[name].meaning(code)]
        if kind != "nan"
    }
    for name in ("e5m2", "e4m3", "e3m4")
}


def samples(name: str, count: int) -> list[float]:
    """Doubles over the whole range; every second one is short, so that ties and exact values are frequent."""
    p, emin, emax = FORMATS[name]
    draw = random.Random(name)
    found = []
    for n in range(count):
        bits = draw.randint(1, p + 2) if n % 2 else 53
        significand = draw.getrandbits(bits) + draw.choice((0, 1 << bits))
        exponent = draw.randint(emin - p - 2, emax + 2)
        found.append(draw.choice((1, -1)) * significand * 2.0 ** (exponent - bits))
    return found


def check(name: str, mode: str, count: int, referred: int) -> int:
    p, emin, emax = FORMATS[name]
    context = gmpy2.context(precision=p, emin=emin - p + 2, emax=emax + 1, subnormalize=True, round=MODES[mode])
    values = samples(name, count)
    codes, status = fp8ref.encode(np.array(values), name, rounding=mode, overflow="nonsat", flags=True)
    for n, (x, code, flags) in enumerate(zip(values, codes.tolist(), status.tolist())):
        with gmpy2.context(context) as mpfr:
            want = code_of(float(gmpy2.mpfr(gmpy2.mpq(*x.as_integer_ratio()))), name)
            raised = (bool(mpfr.inexact), bool(mpfr.overflow))
        assert code == want, x.hex()
        assert (bool(flags & 1), bool(flags & 4)) == raised, x.hex()
        if n < referred:
            assert spec.encode(Fraction(x), name, mode, "nonsat")[0] == (want if x else 0), x.hex()
    return count


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FORMATS)
def test_mpfr(name: str, mode: str, record_property: Callable[[str, object], None]) -> None:
    record_property("cases", check(name, mode, 10_000, 2_000))


@pytest.mark.full
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FORMATS)
def test_mpfr_at_length(name: str, mode: str, record_property: Callable[[str, object], None]) -> None:
    record_property("cases", check(name, mode, 200_000, 50_000))
