"""What the array functions accept, and the one line with which they refuse the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref import spec

OWN: dict[str, Any] = {
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3": ml_dtypes.float8_e4m3,
    "e3m4": ml_dtypes.float8_e3m4,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz,
    "e8m0fnu": ml_dtypes.float8_e8m0fnu,
    "e3m2fn": ml_dtypes.float6_e3m2fn,
    "e2m3fn": ml_dtypes.float6_e2m3fn,
    "e2m1fn": ml_dtypes.float4_e2m1fn,
}


@pytest.mark.parametrize("name", OWN)
def test_ml_dtypes_arrays_are_codes_of_their_own_format(name: str) -> None:
    codes = np.arange(1 << spec.get_format(name).k, dtype=np.uint8)
    own = codes.view(OWN[name])
    want = fp8ref.decode(codes, name)
    assert np.array_equal(fp8ref.decode(own), want, equal_nan=True)
    assert np.array_equal(fp8ref.decode(own, name), want, equal_nan=True)
    assert np.array_equal(fp8ref.convert(own, None, "f32"), fp8ref.convert(codes, name, "f32"))
    # to encode() they are values, as every float is
    assert np.array_equal(fp8ref.encode(own, "e5m2"), fp8ref.convert(codes, name, "e5m2"))
    other = "e5m2" if name == "e4m3fn" else "e4m3fn"
    with pytest.raises(TypeError, match=f"codes have dtype {own.dtype} and cannot be codes of {other}"):
        fp8ref.decode(own, other)


def test_python_values() -> None:
    assert fp8ref.encode(1.0, "e4m3fn").shape == ()
    assert fp8ref.encode(1.0, "e4m3fn") == 0x38
    assert fp8ref.encode([[1, 2], [3, 4]], "e4m3fn").tolist() == [[0x38, 0x40], [0x44, 0x48]]
    assert fp8ref.encode([], "e4m3fn").shape == (0,)
    assert fp8ref.decode([], "e4m3fn").shape == (0,)
    assert fp8ref.encode(2**64 - 1, "e5m2", overflow="nonsat") == 0x7C
    assert fp8ref.encode(-(2**63), "f32") == 0xDF000000


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("e2m1fn", "u1"), ("e4m3fn", "u1"), ("binary9p3se", "u2"), ("f16", "u2"), ("tf32", "u4"), ("f64", "u8")],
)
def test_codes_come_in_the_smallest_dtype(name: str, dtype: str) -> None:
    assert fp8ref.encode([1.0], name).dtype == np.dtype(dtype)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int64, np.uint64, ">u2", ">i4"])
def test_codes_may_come_in_any_integer_dtype(dtype: Any) -> None:
    codes = np.array([0, 1, 0x7E, 0x38], dtype)
    assert fp8ref.decode(codes, "e4m3fn").tolist() == [0.0, 2.0**-9, 448.0, 1.0]


def test_formats_may_be_named_by_dtypes() -> None:
    assert fp8ref.encode(1.0, ml_dtypes.float8_e5m2) == 0x3C
    assert fp8ref.encode(1.0, np.dtype(np.float16)) == 0x3C00
    assert fp8ref.encode(1.0, spec.get_format("e5m2")) == 0x3C


NOT_VALUES: dict[str, Any] = {
    "bool": True,
    "float128": np.longdouble(1),
    "complex128": [1j],
    "object": [None],
    "<U3": "1.0",
    "|S1": b"1",
    "int4": np.array([1], ml_dtypes.int4),
}


@pytest.mark.parametrize("dtype", NOT_VALUES)
@pytest.mark.parametrize("function", [fp8ref.encode, fp8ref.quantize])
def test_things_that_are_no_values(function: Callable[..., Any], dtype: str) -> None:
    if dtype == "float128" and np.dtype(np.longdouble) == np.float64:
        pytest.skip("long double is double here")
    x = np.asarray(NOT_VALUES[dtype])
    message = "values are float16, bfloat16, float32, float64 or (u)int8 to (u)int64"
    with pytest.raises(TypeError) as refused:
        function(x, "e4m3fn")
    assert str(refused.value) == f"cannot encode dtype {x.dtype}: {message}"


def test_integers_beyond_64_bits() -> None:
    with pytest.raises(TypeError, match="cannot encode dtype object"):
        fp8ref.encode(10**30, "e4m3fn")


@pytest.mark.parametrize("codes", [[1.0], [float("nan")], ["7f"], [True], [None], [10**30], np.zeros(0)])
def test_things_that_are_no_codes(codes: Any) -> None:
    message = r"codes must be integers, not .*: codes are bit patterns \(encode\(\) makes them from values\)"
    for call in (lambda: fp8ref.decode(codes, "e4m3fn"), lambda: fp8ref.convert(codes, "e4m3fn", "e5m2")):
        with pytest.raises(TypeError, match=message):
            call()


@pytest.mark.parametrize(
    ("codes", "name", "message"),
    [
        ([[1, 2], [3, 300]], "e4m3fn", "codes[1, 1] = 300 is not a code of e4m3fn: 0 to 0xff"),
        ([5, -2, 300], "e4m3fn", "codes[1] = -2 is not a code of e4m3fn: 0 to 0xff"),
        (np.array([0, 64], np.uint8), "e3m2fn", "codes[1] = 64 is not a code of e3m2fn: 0 to 0x3f"),
        (np.array([128], np.uint8), "ue4m3", "codes[0] = 128 is not a code of ue4m3: 0 to 0x7f"),
        (np.array([1 << 16]), "f16", "codes[0] = 65536 is not a code of f16: 0 to 0xffff"),
        (np.array([-1], np.int64), "f64", "codes[0] = -1 is not a code of f64: 0 to 0xffffffffffffffff"),
        (np.full((2, 3, 4), 16)[:, ::-1].T, "e2m1fn", "codes[0, 0, 0] = 16 is not a code of e2m1fn: 0 to 0xf"),
    ],
)
def test_codes_out_of_range_are_shown_with_their_place(codes: Any, name: str, message: str) -> None:
    for call in (lambda: fp8ref.decode(codes, name, dtype=np.float64), lambda: fp8ref.convert(codes, name, "f32")):
        with pytest.raises(ValueError) as refused:
            call()
        assert str(refused.value) == message


def test_codes_without_a_format() -> None:
    with pytest.raises(TypeError, match="codes of dtype int64 do not say their format: name it"):
        fp8ref.decode([1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounding": "nearest"}, "unknown rounding 'nearest'; choose from rne, rna, rtz, rtp, rtn, rto"),
        ({"overflow": "clamp"}, "unknown overflow rule 'clamp'; choose sat, satprop, nonsat, or a pair"),
        ({"overflow": ("inf", "max")}, "e4m3fn has no infinity for finite overflows to become"),
        (
            {"nan": "error?"},
            "unknown nan 'error\\?'; choose from canonical, keep-sign, quiet, payload, default, max, signed-max, zero",
        ),
        ({"tininess": "late"}, "unknown tininess 'late'; choose from after, before, delivered"),
        ({"negative": "abs"}, "unknown negative 'abs'; choose from lowest, magnitude"),
    ],
)
def test_unknown_options_name_the_choices(options: dict[str, Any], message: str) -> None:
    for call in (
        lambda: fp8ref.encode([1.0], "e4m3fn", **options),
        lambda: fp8ref.convert([1], "e5m2", "e4m3fn", **options),
        lambda: fp8ref.quantize([1.0], "e4m3fn", **options),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("function", [fp8ref.encode, fp8ref.quantize, fp8ref.decode])
def test_unknown_formats_suggest_the_nearest(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="unknown format 'e4m3f'; did you mean e4m3fn"):
        function([1], "e4m3f")


@pytest.mark.parametrize("dtype", [np.int8, np.longdouble, np.complex64, ml_dtypes.float8_e5m2])
def test_decode_to_other_dtypes(dtype: Any) -> None:
    with pytest.raises(TypeError, match=f"dtype must be float16, bfloat16, float32 or float64, not {np.dtype(dtype)}"):
        fp8ref.decode([1], "e4m3fn", dtype=dtype)


def test_a_refused_nan_is_shown_with_its_place() -> None:
    x = np.zeros((3, 70_000), np.float32)
    x[2, 69_999] = np.nan
    message = r"a NaN at \[2, 69999\] is to be converted to e4m3fn and nan='error' refuses it"
    with pytest.raises(ValueError, match=message):
        fp8ref.encode(x, "e4m3fn", nan="error")
    with pytest.raises(ValueError, match=r"a NaN at \[0\] is to be converted to bf16"):
        fp8ref.encode([np.nan, 0], "bf16", nan="error")
    with pytest.raises(ValueError, match=r"a NaN at \[1\] is to be converted to e2m1fn"):
        fp8ref.convert([0, 0x7F], "e4m3fn", "e2m1fn", nan="error")
    assert fp8ref.encode(x[:2, :3], "e4m3fn", nan="error").tolist() == [[0] * 3] * 2
    assert fp8ref.encode([1, 2], "e4m3fn", nan="error").tolist() == [0x38, 0x40]


def test_inputs_are_left_alone() -> None:
    x = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    before = x.tobytes()
    fp8ref.encode(x, "e4m3fn", flags=True)
    fp8ref.quantize(x, "e5m2")
    fp8ref.encode(x[::-2], "bf16")
    assert x.tobytes() == before
