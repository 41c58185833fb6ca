"""The tests of the kernel library, on fp8ref's: assertions, property suites, and every claim of the adapter."""

from typing import Any

import kernel

from fp8ref.testing import AdapterSuite, ArithmeticSuite, ConversionSuite, assert_converts


def test_to_e4m3_saturates_and_rounds_to_even() -> None:
    assert_converts(kernel.to_e4m3, "f32", "e4m3fn", "rne.sat")


class TestToE4M3(ConversionSuite):
    operation = "convert/f32/e4m3fn/rne.sat"

    def answer(self, x: Any) -> Any:
        return kernel.to_e4m3(x)


class TestAddE4M3(ArithmeticSuite):
    operation = "add/e4m3fn.e4m3fn/e4m3fn/rne.sat"

    def answer(self, a: Any, b: Any) -> Any:
        return kernel.add_e4m3(a, b)


class TestEveryClaim(AdapterSuite):
    adapter = kernel.Kernel()
