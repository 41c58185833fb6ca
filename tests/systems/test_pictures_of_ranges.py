"""The pictures of SQNR hold what the closed forms give."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from fp8ref.plots import fp8_range, range_precision, sqnr


def lines(axes):  # type: ignore[no-untyped-def]
    return {line.get_label(): dict(zip(line.get_xdata(), line.get_ydata())) for line in axes.lines}


def test_splits_against_degrees_of_freedom() -> None:
    (axes,) = sqnr().axes
    found = lines(axes)
    assert set(found) >= {"INT8", "E2M5", "E3M4", "E4M3", "E5M2", "E6M1"}
    assert found["E2M5"][7.5] > found["E3M4"][7.5] > found["E2M5"][6]  # they cross at 7.198
    assert found["E4M3"][3] > found["E3M4"][3]  # and at 3.505
    assert [text.get_text() for text in axes.texts] == ["7.198", "3.505"]


def test_formats_against_the_scale_of_data() -> None:
    found = lines(fp8_range().axes[0])
    assert found["e4m3fn"][0] == pytest.approx(31.5211, abs=5e-5)
    assert found["e5m2"][0] == pytest.approx(25.5430, abs=5e-5)
    assert max(found["mxint8 (INT8)"].values()) < 40.57  # the best of two's complement


def test_thresholds() -> None:
    axes = range_precision().axes[0]
    found = lines(axes)
    assert axes.texts[0].get_text() == "3.921"  # 3.9205 of normal data
    for bits in (8, 6, 4):
        top = 2 ** (bits - 1) - 1
        assert found[f"{bits} bits"][8.0] == pytest.approx(10 * math.log10(12 * top**2 / 64), abs=0.01 + 2**-bits)
