"""Strategies: what they reach, and what Hypothesis shrinks to."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, find, settings
from hypothesis.strategies import SearchStrategy

from fp8ref import strategies as s

QUICK = settings(max_examples=400, deadline=None, database=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))  # fmt: skip


def least(strategy: SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    return find(strategy, lambda x: bool(condition(x)), settings=QUICK)


# E4M3 by OCP OFP8 1.0 table 1: 1.0 is 38, 1.125 is 39, 2 is 40, 448 is 7E, NaN 7F and FF
@pytest.mark.parametrize(
    ("strategy", "condition", "wanted"),
    [
        (s.codes("e4m3fn"), lambda c: True, 0x00),
        (s.codes("e4m3fn"), lambda c: c & 0x7F, 0x38),
        (s.codes("e4m3fn"), lambda c: c & 7 and c & 0x78, 0x39),  # two significand bits
        (s.codes("e4m3fn"), lambda c: c > 0x80, 0xB8),
        (s.codes("e4m3fn"), lambda c: c & 0x7F == 0x7F, 0x7F),
        (s.finite("e5m2"), lambda c: c & 0x7F >= 0x78, 0x78),
        (s.specials("e5m2"), lambda c: c & 0x7F, 0x7C),
        (s.finite("f32"), lambda c: c & 0x7FFFFF, 0x3FC00000),
        (s.codes("i8"), lambda v: v, 1),
        (s.random_bits(8), lambda b: b, 1),
    ],
)
def test_what_is_found_shrinks_to_few_bits(strategy: Any, condition: Any, wanted: int) -> None:
    assert least(strategy, condition) == wanted


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="Y from 0 to 10"):
        s.codes("e4m33")


def test_finite_and_special_codes_are_told_apart() -> None:
    infinite_or_nan = lambda c: c & 0x7C == 0x7C  # noqa: E731 - E5M2
    for strategy, condition in (
        (s.finite("e5m2"), infinite_or_nan),
        (s.finite("f32"), lambda c: c >> 23 & 0xFF == 0xFF),
        (s.specials("e5m2"), lambda c: not infinite_or_nan(c) and c & 0x7F),
    ):
        with pytest.raises(Exception, match="No examples"):
            least(strategy, condition)


def test_datums_are_exact() -> None:
    assert least(s.datums("e4m3fn"), lambda d: d.is_finite and d.magnitude > 400).value == Fraction(416)
    assert least(s.datums("e4m3fn"), lambda d: d.is_nan).is_nan


@pytest.mark.parametrize("layout", ["plain", "offset", "strided", "reversed"])
def test_a_layout_keeps_the_elements(layout: str) -> None:
    for shape in ((0,), (5,), (3, 4), ()):
        x = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape) if shape else np.zeros((1,), np.uint16)
        assert s.laid_out(x, layout).tolist() == x.tolist()


def test_what_is_no_case_is_refused() -> None:
    for width in (0, 65):
        with pytest.raises(ValueError, match="1 to 64"):
            s.random_bits(width)
    with pytest.raises(ValueError, match="not diagonal"):
        s.arrays(s.codes("e4m3fn"), "e4m3fn", layouts=("diagonal",))
    with pytest.raises(ValueError, match="see dot_operands"):
        s.operands("dot/e4m3fn.e4m3fn/f32/exact;k=8")
    with pytest.raises(ValueError, match="scales no blocks"):
        s.scaled_blocks("add/e4m3fn.e4m3fn/e4m3fn/rne.sat")
