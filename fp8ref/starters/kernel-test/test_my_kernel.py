"""Is the kernel right?  Run with pytest; a failure is drawn bit by bit, with what went wrong."""

from typing import Any

import ml_dtypes
import pytest

import fp8ref


def to_e5m2(x: Any) -> Any:
    """The kernel under test: put your own in its place.  An array of numpy in, values or codes out."""
    return x.astype(ml_dtypes.float8_e5m2)


def from_e5m2(x: Any) -> Any:
    return x.astype("float32")


@pytest.mark.parametrize("source", ["f16", "bf16", "f32"])
def test_casts(source: str) -> None:
    report = fp8ref.judge(to_e5m2, f"convert/{source}/e5m2/rne.nonsat")
    assert report, report


def test_decodes() -> None:
    report = fp8ref.judge(from_e5m2, "decode/e5m2/f32")
    assert report, report
