"""fp8ref against ml_dtypes where that is right: to nearest even, without saturation, from at most 32 bits.

ml_dtypes goes through float32 from float64 and knows one rounding mode, one overflow rule and its own NaN codes; NaNs
are compared as one class, and MX formats, in which it has none to give, on numbers only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from second_oracles.exact import TABLES
from second_oracles.points import doubles_around

import fp8ref

Record = Callable[[str, object], None]
FP8 = ("e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz")
SMALL = {"e3m2fn": "float6_e3m2fn", "e2m3fn": "float6_e2m3fn", "e2m1fn": "float4_e2m1fn"}
DTYPES: dict[str, Any] = {name: getattr(ml_dtypes, f"float8_{name}") for name in FP8} | {
    name: getattr(ml_dtypes, dtype) for name, dtype in SMALL.items()
}
SOURCES: dict[str, Any] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16}


def compare(x: NDArray[Any], name: str) -> int:
    with np.errstate(all="ignore"):
        if name in SMALL:
            x = x[~np.isnan(x)]
        want = x.astype(DTYPES[name]).view(np.uint8)
    got = fp8ref.encode(x, name, overflow="sat" if name in SMALL else "nonsat", nan="keep-sign")
    nan = np.zeros(256, bool)
    nan[list(TABLES[name].nans)] = True
    wrong = np.flatnonzero((got != want) & ~(nan[got] & nan[want]))
    assert wrong.size == 0, (x[wrong[0]], hex(got[wrong[0]]), hex(want[wrong[0]]))
    return x.size


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", DTYPES)
def test_every_half(name: str, source: str, record_property: Record) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(SOURCES[source])
    record_property("cases", compare(every, name))


@pytest.mark.parametrize("name", DTYPES)
def test_single_precision(name: str, record_property: Record) -> None:
    """Every threshold and its neighbours, and a million random bit patterns."""
    near = np.array(doubles_around(TABLES[name])).clip(-3e38, 3e38).astype(np.float32)
    near = np.concatenate([np.nextafter(near, np.float32(0)), near, np.nextafter(near, np.float32(np.inf))])
    bits = np.random.default_rng(1).integers(0, 1 << 32, 1 << 20, np.uint32)
    record_property("cases", compare(np.concatenate([near, -near, bits.view(np.float32)]), name))


def test_e8m0_of_normals(record_property: Record) -> None:
    """ml_dtypes rounds ties up here.  Zero and negative values follow its own choice; and every float32 subnormal above
    2**-127 goes up to 2**-126 there, even where 2**-127 is nearer.
    """
    bits = np.random.default_rng(2).integers(0x00800000, 0x7F800001, 1 << 18, np.uint32)
    powers = np.arange(2, 256, dtype=np.uint32) << 23
    x = np.concatenate([bits, powers, powers - 1, powers - 0x400000, powers - 0x400001]).view(np.float32)
    with np.errstate(all="ignore"):
        want = x.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
    assert np.array_equal(fp8ref.encode(x, "e8m0fnu", rounding="rna", overflow="nonsat"), want)
    record_property("cases", x.size)


@pytest.mark.full
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_every_single(name: str, record_property: Record) -> None:
    cases = 0
    for start in range(0, 1 << 32, 1 << 24):
        cases += compare(np.arange(start, start + (1 << 24), dtype=np.uint64).astype(np.uint32).view(np.float32), name)
    record_property("cases", cases)


@pytest.mark.parametrize("name", [*DTYPES, "e8m0fnu"])
def test_decoding(name: str, record_property: Record) -> None:
    k = TABLES[name].k
    codes = np.arange(1 << k, dtype=np.uint8)
    dtype = DTYPES.get(name, ml_dtypes.float8_e8m0fnu)
    want = codes.view(dtype).astype(np.float64)
    got = fp8ref.decode(codes, name, dtype=np.float64)
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got)[~np.isnan(got)], np.signbit(want)[~np.isnan(want)])
    record_property("cases", codes.size)
