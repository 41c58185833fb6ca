"""The assertions: right functions pass, wrong ones fail with the counterexample drawn, misuse is reported as such."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from fp8ref import Unsupported
from fp8ref.testing import (
    ArithmeticSuite,
    ConversionSuite,
    DotSuite,
    NotConforming,
    assert_converts,
    assert_dot_within,
    assert_equal_codes,
    assert_operation,
)

E4M3, E5M2 = ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def test_a_right_conversion_passes_whatever_it_returns() -> None:
    assert_converts(lambda x: x.astype(E5M2), "bf16", "e5m2", "rne.nonsat")
    assert_converts(lambda x: x.astype(E5M2).view(np.uint8), "bf16", "e5m2", "*")
    assert_operation(lambda x: x.view(E5M2).astype(np.float32), "decode/e5m2/f32")
    assert_operation(lambda a, b: a.view(E5M2) < b.view(E5M2), "lt/e5m2.e5m2/bool")
    assert_operation(lambda a, b: a.view(E5M2) + b.view(E5M2), "add/e5m2.e5m2/e5m2/rne.nonsat")


def test_a_wrong_one_is_drawn_with_its_diagnosis() -> None:
    with pytest.raises(NotConforming) as caught:
        assert_converts(lambda x: x.astype(np.float32).astype(E5M2), "f64", "e5m2", "rne.nonsat")
    for part in (
        "why    double rounding via f32",
        "FAIL convert/f64/e5m2/rne.nonsat#",
        "repro  fp8ref show e5m2 --from",
    ):
        assert part in str(caught.value)
    assert "again" not in str(caught.value), "there is no implementation to name"
    assert caught.value.report is not None
    with pytest.raises(AssertionError, match="overflow"):
        assert_converts(lambda x: x.astype(E4M3), "bf16", "e4m3fn", "rne.sat")


def test_dot_products_within_a_bound() -> None:
    def in_(dtype: Any) -> Any:
        return lambda a, b, c: (
            (a.view(E4M3).astype(dtype) * b.view(E4M3).astype(dtype)).sum(-1).astype(np.float32) + c
        ).astype(np.float32)

    assert_dot_within(in_(np.float32), "e4m3fn", "e4m3fn", k=16)
    with pytest.raises(NotConforming, match="outside the bound f32"):
        assert_dot_within(in_(np.float16), "e4m3fn", "e4m3fn", k=16)


def test_equal_codes() -> None:
    assert_equal_codes([0x38, 0x7F], [0x38, 0xFF], "e4m3fn")
    with pytest.raises(NotConforming, match=r"1 of 2 codes of e4m3fn differ, first at element 1"):
        assert_equal_codes([0x38, 0x7F], [0x38, 0xFF], "e4m3fn", nan="bits")
    with pytest.raises(NotConforming, match=r"first at element 1, 0\n.*want .*0x38.*\n.*got .*0x39"):
        assert_equal_codes([[0], [0x39]], [[0], [0x38]], "e4m3fn")
    with pytest.raises(NotConforming, match=r"convert/f32/e4m3fn/rne.sat#3F880000"):
        assert_equal_codes([0x39], [0x38], "e4m3fn", operation="convert/f32/e4m3fn/rne.sat",
                           operands=[np.float32([1.0625])])  # fmt: skip
    with pytest.raises(ValueError, match="shape"):
        assert_equal_codes([0x38], [[0x38]], "e4m3fn")


def test_misuse_is_no_finding() -> None:
    with pytest.raises(TypeError, match="dtype uint8, not float64"):
        assert_converts(lambda x: np.zeros(x.shape) + 0.5, "bf16", "e5m2")
    with pytest.raises(ValueError, match="shape"):
        assert_converts(lambda x: np.zeros(3, np.uint8), "bf16", "e5m2")
    with pytest.raises(ValueError, match="unknown family"):
        assert_operation(lambda x: x, "convrt/f32/e5m2")
    with pytest.raises(ZeroDivisionError):
        assert_converts(lambda x: 1 // 0, "bf16", "e5m2")

    def declines(x: Any) -> Any:
        raise Unsupported("not yet")

    with pytest.raises(Unsupported, match="not yet"):
        assert_converts(declines, "bf16", "e5m2")


class Bf16ToE5M2(ConversionSuite):
    operation = "convert/bf16/e5m2/rne.nonsat"

    def answer(self, x: Any) -> Any:
        return x.astype(E5M2)


class TestMlDtypes(Bf16ToE5M2):
    pass


class AddE5M2(ArithmeticSuite):
    operation = "add/e5m2.e5m2/e5m2/rne.nonsat"

    def answer(self, a: Any, b: Any) -> Any:
        return a.view(E5M2) + b.view(E5M2)


class TestAdd(AddE5M2):
    pass


class TestDot(DotSuite):
    operation = "dot/e4m3fn.e4m3fn/f32/within.f32;k=8"

    def answer(self, a: Any, b: Any, c: Any) -> Any:
        return (a.view(E4M3).astype(np.float32) * b.view(E4M3).astype(np.float32)).sum(-1) + c


def broken(fault: Any) -> Bf16ToE5M2:
    class Broken(Bf16ToE5M2):
        def answer(self, x: Any) -> Any:
            return fault(x, x.astype(E5M2).view(np.uint8))

    return Broken()


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        ("test_any_array_equals_the_reference", lambda x, y: np.where((y & 0x40 > 0) & (y & 1 > 0), y - 1, y)),
        ("test_each_element_is_converted_alone", lambda x, y: y if x.size < 8 else np.where(y & 3 == 0, y + 1, y)),
        ("test_monotone", lambda x, y: np.where(y & 0x7C == 0x40, y ^ 3, y)),
        ("test_round_trip", lambda x, y: np.where(y == 0x01, 0x00, y)),
        ("test_sign_symmetry", lambda x, y: np.where(y == 0xBC, 0xBD, y)),
        ("test_zeros_infinities_and_nans", lambda x, y: np.where(y == 0x7C, 0x7B, y)),
        ("test_idempotent", lambda x, y: np.where(y == 0x3C, 0x3D, np.where(y == 0x3D, 0x3E, y))),
    ],
)
def test_each_property_catches_its_fault(test: str, fault: Any) -> None:
    with pytest.raises(NotConforming):
        getattr(broken(lambda x, y: fault(x, y).astype(np.uint8)), test)()


def test_commuting_is_asked() -> None:
    class First(AddE5M2):
        def answer(self, a: Any, b: Any) -> Any:
            found = super().answer(a, b).view(np.uint8)
            return np.where(a > b, found ^ 1, found)

    with pytest.raises(NotConforming, match="does not commute"):
        First().test_commutes()
