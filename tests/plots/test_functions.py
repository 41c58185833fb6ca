"""Figures of functions: the dots are the rounded values, no error exceeds half an ulp."""

from __future__ import annotations

import math

import pytest

from fp8ref import encode, quantize
from fp8ref.plots import function


def test_tanh_in_e2m3() -> None:
    stairs, errors = function("tanh", "e2m3fn", -2, 2).axes
    dots = stairs.lines[-1]
    xs, ys = dots.get_xdata().tolist(), dots.get_ydata().tolist()
    assert len(xs) == 2 * 16 + 1  # codes of magnitude up to 2, both zeros one
    assert ys == [float(quantize(math.tanh(x), "e2m3fn")) for x in xs]
    assert encode(xs, "e2m3fn").size == len(xs)
    off = errors.lines[-1].get_ydata()
    assert max(abs(off)) <= 0.5
    assert max(abs(off)) > 0.3


def test_domains_and_poles_are_left_out() -> None:
    stairs, _ = function("log", "e4m3fn", -1, 1).axes
    assert min(stairs.lines[-1].get_xdata()) == 2**-9


@pytest.mark.parametrize(
    ("given", "said"),
    [(("pow", "e4m3fn"), "no elementary function"), (("sinc", "e4m3fn"), "no elementary"),
     (("exp", "f16"), "bits"), (("exp", "e4m3fn", 1, 1), "not below")],
)  # fmt: skip
def test_refusals(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        function(*given)  # type: ignore[arg-type]
