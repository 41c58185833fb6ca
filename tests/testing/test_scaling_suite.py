"""Quantisers of blocks under the ready-made tests: ``scale_blocks`` passes, planted faults are drawn."""

from typing import Any

import numpy as np
import pytest

from fp8ref import scale_blocks
from fp8ref.testing import NotConforming, ScalingSuite, assert_scales

MXFP8 = "scale/f32/mxfp8_e4m3/floor"


def rows(x: Any, scheme: str = "mxfp8_e4m3", rule: str = "floor") -> Any:
    """What a project writes to answer in rows: the bytes of the scale, then one for each element."""
    scaled = scale_blocks(x, scheme, rule=rule)
    return np.concatenate([scaled.scales.reshape(len(x), 1).view(np.uint8), scaled.codes], axis=1)


def another_scale(x: Any) -> Any:
    return rows(x, rule="ceil")


def loses_the_last(x: Any) -> Any:
    """The largest magnitude of the first 31 elements alone."""
    first = x.copy()
    first[:, -1] = 0
    found, scale = rows(x), rows(first)[:, 0]
    short = scale != found[:, 0]
    found[short] = np.concatenate([scale[short, None], found[short, 1:]], axis=1)
    return found


@pytest.mark.parametrize(("scheme", "rule"), [("mxfp8_e4m3", "floor"), ("mxfp4", "rceil"), ("row_e4m3fn", "te")])
def test_the_assertion_passes_a_right_quantiser(scheme: str, rule: str) -> None:
    assert_scales(lambda x: rows(x, scheme, rule), scheme, rule)
    assert_scales(lambda x: rows(x, scheme, rule), scheme, rule, source="bf16")


@pytest.mark.parametrize(
    ("fault", "why"), [(another_scale, "the scale is that of the rule ceil"), (loses_the_last, "unexplained")]
)
def test_the_assertion_draws_a_fault(fault: Any, why: str) -> None:
    with pytest.raises(NotConforming) as caught:
        assert_scales(fault, "mxfp8_e4m3", "floor")
    assert f"FAIL {MXFP8}#" in str(caught.value)
    assert why in str(caught.value)


def test_the_assertion_hands_over_the_amax_of_a_tensor() -> None:
    """A quantiser that has no use for it is wrong, and one without the second argument no quantiser of the scheme."""
    with pytest.raises(NotConforming, match=r"FAIL scale/f32\.f32/nvfp4/te#"):
        assert_scales(lambda x, amax: np.zeros((len(x), 17), np.uint8) + (amax[:, None] < 0), "nvfp4", "te")
    with pytest.raises(TypeError, match="positional argument"):
        assert_scales(lambda x: x, "nvfp4", "te")
    with pytest.raises(ValueError, match="unknown scheme"):
        assert_scales(rows, "mxfp5", "floor")


class Right(ScalingSuite):
    operation = MXFP8

    def answer(self, x: Any) -> Any:
        return rows(x)


class TestRight(Right):
    pass


@pytest.mark.parametrize("fault", [another_scale, loses_the_last])
@pytest.mark.parametrize("test", ["test_any_block_equals_the_reference", "test_equals_the_reference"])
def test_the_suite_catches_a_fault(fault: Any, test: str) -> None:
    class Wrong(Right):
        def answer(self, x: Any) -> Any:
            return fault(x)

    with pytest.raises(NotConforming, match=f"{MXFP8}(?s:.)*want(?s:.)*got"):
        getattr(Wrong(), test)()


def test_answers_of_another_shape_are_misuse() -> None:
    class Short(Right):
        def answer(self, x: Any) -> Any:
            return rows(x)[:, 1:]

    for test in ("test_any_block_equals_the_reference", "test_equals_the_reference"):
        with pytest.raises(ValueError, match="shape"):
            getattr(Short(), test)()
