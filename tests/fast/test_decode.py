"""Decoding of arrays: every code of every narrow format, in every float that holds it."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from second_oracles.exact import TABLES, Table
from short import over

import fp8ref
from fp8ref import spec

DTYPES: dict[str, Any] = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}
# precision, exponent of the least bit, exponent above the largest value
REACH = {"f16": (11, -24, 16), "bf16": (8, -133, 128), "f32": (24, -149, 128), "f64": (53, -1074, 1024)}


def holds(carrier: str, table: Table) -> bool:
    """Is every finite value a multiple of the carrier's least bit, short enough and in range?"""
    p, least, above = REACH[carrier]
    values = [abs(v) for code in range(2**table.k) if (v := table.meaning(code)[2])]
    return all(
        v < 2**above and (v * 2**-least).denominator == 1 and v.numerator.bit_length() - trailing(v.numerator) <= p
        for v in values
    )


def trailing(n: int) -> int:
    return (n & -n).bit_length() - 1


@over("table", TABLES.values())
def test_every_code(table: Table) -> None:
    codes = np.arange(2**table.k, dtype=np.uint8)
    meanings = [table.meaning(code) for code in codes.tolist()]
    for carrier, dtype in DTYPES.items():
        if not holds(carrier, table):
            with pytest.raises(ValueError, match=f"cannot hold every finite value of {table.name}"):
                fp8ref.decode(codes, table.name, dtype=dtype)
            continue
        got = fp8ref.decode(codes, table.name, dtype=dtype)
        assert got.dtype == dtype
        for x, (kind, sign, value) in zip(got.astype(np.float64).tolist(), meanings):
            datum = spec.Datum.of(x)
            assert datum.kind.value == kind
            if kind == "finite":
                assert (datum.value, datum.sign) == (value, sign)
            if kind == "infinite":
                assert datum.sign == sign


def test_a_nan_is_quiet_and_keeps_its_sign() -> None:
    assert fp8ref.decode([0x7F, 0xFF], "e4m3fn").view(np.uint32).tolist() == [0x7FC00000, 0xFFC00000]
    assert fp8ref.decode([0x7D, 0xFD], "e5m2", dtype=np.float16).view(np.uint16).tolist() == [0x7E00, 0xFE00]
    assert fp8ref.decode([0x80], "e4m3fnuz").view(np.uint32).tolist() == [0x7FC00000]


def test_rounding_where_the_dtype_is_too_small() -> None:
    """Asked for, the nearest even value comes."""
    assert fp8ref.decode(0xFE, "e8m0fnu", dtype=np.float16, inexact="round").item() == np.inf
    assert fp8ref.decode(0x00, "e8m0fnu", dtype=np.float16, inexact="round").item() == 0
    assert fp8ref.decode(0x3F800001, "f32", dtype=np.float16, inexact="round").item() == 1
    assert fp8ref.decode(0x3F803000, "f32", dtype=np.float16, inexact="round").item() == 1 + 2.0**-9  # a tie
    with pytest.raises(ValueError, match="unknown inexact 'truncate'; choose raise, round"):
        fp8ref.decode(0, "e4m3fn", inexact="truncate")  # type: ignore[arg-type]


def test_wide_codes() -> None:
    codes = np.random.default_rng(2).integers(0, 1 << 32, 5000, np.uint32)
    got = fp8ref.decode(codes, "f32", dtype=np.float64)
    with np.errstate(invalid="ignore"):
        assert np.array_equal(got, codes.view(np.float32).astype(np.float64), equal_nan=True)
    tf32 = fp8ref.decode(codes >> 13, "tf32")
    assert np.array_equal(tf32, ((codes >> 13) << 13).view(np.float32), equal_nan=True)
    with pytest.raises(ValueError, match="float32 cannot hold every finite value of f64"):
        fp8ref.decode(0, "f64")


def test_quantize() -> None:
    assert fp8ref.quantize([0.3, -500.0], "e4m3fn").tolist() == [0.3125, -448.0]
    assert fp8ref.quantize(np.float16(0.3), "e4m3fn").dtype == np.float16
    assert fp8ref.quantize([3, 449], "e4m3fn").dtype == np.float32
    assert fp8ref.quantize([3], "f64").dtype == np.float64
    values, status = fp8ref.quantize([0.3, 1.0, 1e9], "e5m2", flags=True)
    assert values.tolist() == [0.3125, 1.0, 57344.0]
    assert status.tolist() == [1, 0, 5]
    with pytest.raises(ValueError, match="float16 cannot hold every finite value of e8m0fnu"):
        fp8ref.quantize(np.float16(1), "e8m0fnu")
