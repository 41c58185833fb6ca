"""Delayed scaling on arrays: equal to the specification, and one step of training worked out by hand."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref.spec.datum import Datum
from fp8ref.spec.scaling import schemes

EDGES = np.float32([0, 2.0**-149, 1e-38, 1e-5, 1, 3, 448, 3e38, np.inf, np.nan, -1])


@pytest.mark.parametrize("most_recent", [False, True])
@pytest.mark.parametrize(("name", "margin"), [("e4m3fn", 0), ("e5m2", 0), ("e4m3fn", 3), ("e4m3fn", -2)])
def test_it_equals_the_specification(name: str, margin: int, most_recent: bool) -> None:
    rng = np.random.default_rng(1)
    history = np.concatenate([rng.choice(EDGES[:-1], (3, 60)), rng.lognormal(0, 9, (3, 60))], axis=1).astype(np.float32)
    previous = rng.lognormal(0, 3, 120).astype(np.float32)
    got = fp8ref.delayed_scale(history, previous, name, margin=margin, most_recent=most_recent)
    f = fp8ref.get_format(name)
    for i in range(120):
        steps = [Datum.of(float(v)) for v in history[:, i]]
        want = schemes.delayed_scale(steps, Datum.of(float(previous[i])), f, margin, most_recent=most_recent)
        assert float(got[i]) == float(want.value), (history[:, i], previous[i])


def test_three_steps() -> None:
    """Amax 2, 8, 4 with a history of two: 448/1 at first, then 448/2, 448/8, 448/8."""
    history, scale, seen = np.zeros(2, np.float32), np.float32(448), []
    for x in (np.float32([2, -1]), np.float32([8, 0.5]), np.float32([-4, 1])):
        s = fp8ref.scale_by(x, float(scale), "e4m3fn")
        want = np.clip(x * scale, -448, 448).astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
        assert s.codes.tolist() == want.tolist()
        assert s.scales.tolist() == [1 / scale]
        history = fp8ref.next_history(history, np.abs(x).max())
        scale = fp8ref.delayed_scale(history, scale, "e4m3fn")
        seen.append((history.tolist(), float(scale)))
    assert seen == [([2, 0], 224), ([8, 2], 56), ([4, 8], 56)]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: fp8ref.delayed_scale([], 1.0, "e4m3fn"), "1 to"),
        (lambda: fp8ref.delayed_scale([[1.0, 2.0]], 1.0, "e4m3fn"), "shape"),
        (lambda: fp8ref.delayed_scale([1.0], 1.0, "e4m3fn", margin=0.5), "binades"),  # type: ignore[arg-type]
        (lambda: fp8ref.delayed_scale([1.0], 1.0, "e4m3fn", margin=100), "binades"),
        (lambda: fp8ref.delayed_scale(["a"], 1.0, "e4m3fn"), "numbers"),
        (lambda: fp8ref.next_history([[1.0]], 1.0), "shape"),
        (lambda: fp8ref.scale_by(np.float64([1]), 1.0, "e4m3fn"), "float32"),
        (lambda: fp8ref.scale_by(np.float32([1]), 1.0, "f32"), "at most 8 bits|signed"),
    ],
)
def test_bad_input(call: object, told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        call()  # type: ignore[operator]
