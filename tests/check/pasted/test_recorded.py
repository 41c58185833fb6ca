"""Libraries as their committed records have them."""

from __future__ import annotations

import runpy
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from fp8ref.cases.operation import Operation
from fp8ref.check.pasted.recorded import recorded, recorded_answers

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not (ROOT / "docs" / "data" / "matrix").exists(), reason="the records are in the repository alone")
def test_the_file_is_what_the_records_say() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "matrix" / "library_answers.py"))
    assert made["DATA"].read_bytes() == made["text"]()


def test_torch_answers_as_it_is_recorded() -> None:
    """Float64 goes through float32, and what overflows becomes 448, as Float8_e4m3fn.h has it since 2.13."""
    x = np.random.default_rng(3).integers(0, 1 << 63, 2000).astype(np.uint64)
    x = np.concatenate([x, np.float64([2**-10 * (1 + 2**-52), 465.0, np.inf, -np.inf]).view(np.uint64)])
    with np.errstate(all="ignore"):
        theirs = (
            np.clip(x.view(np.float64).astype(np.float32), -448, 448).astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
        )
    op = Operation.parse("convert/f64/e4m3fn/rne.sat")
    ((said, codes),) = [(t, c) for name, t, c in recorded_answers(op, [x]) if name.startswith("torch ")]
    number = ~np.isnan(x.view(np.float64))
    assert (codes[number] == theirs[number]).all()
    assert "via-f32" in said


def test_unexplained_findings_are_silent() -> None:
    assert all(rule not in ("unexplained", "open") for libraries in recorded().values()
               for operations in libraries.values() for _, causes in operations for rule, _ in causes)  # fmt: skip
