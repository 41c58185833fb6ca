"""Recordings of a GeForce RTX 4060 as captures: every row answered as declared, and a replay conforms."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fp8ref.adapters.captures import files as captures
from fp8ref.cases.answers import expect
from fp8ref.check.run import Request, Run

ROOT = Path(os.environ.get("FP8REF_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "data" / "hardware"
FILES = (
    *(f"RTX4060.mma.{pair}.jsonl.gz" for pair in (
        "e4m3fn.e4m3fn.k256", "e4m3fn.e4m3fn.k32", "e4m3fn.e5m2.k32", "e5m2.e4m3fn.k32", "e5m2.e5m2.k32")),
    *(f"gemm/RTX4060.cublaslt.{kind}.S1none.jsonl.gz" for kind in (
        "e4m3fn.e4m3fn.k128.fast", "e4m3fn.e4m3fn.k128.slow", "e4m3fn.e4m3fn.k256.fast", "e4m3fn.e4m3fn.k272.fast",
        "e4m3fn.e4m3fn.k512.fast", "e4m3fn.e4m3fn.k512.slow", "e4m3fn.e4m3fn.k64.fast", "e5m2.e4m3fn.k64.fast")),
)  # fmt: skip


def present(name: str) -> Path:
    path = ROOT / "rtx4060-mmaemu" / name
    if not path.exists():
        pytest.skip(f"no hardware data at {path}: set FP8REF_SHARED")
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_recorded_answer_is_the_declared_models(name: str) -> None:
    capture = captures.read(present(name))
    want = expect(capture.operation, capture.operands).codes
    assert capture.count >= 64
    assert np.array_equal(want, capture.answers)


@pytest.mark.parametrize(
    "name",
    [*FILES[6:8], *(pytest.param(f, marks=pytest.mark.full) for f in (*FILES[:6], *FILES[8:]))],
)
def test_a_replay_conforms(name: str) -> None:
    with Run(Request(f"replay:{present(name)}", [])) as run:
        (report,) = run.reports()
    assert str(report.verdict) == "pass"


@pytest.mark.full
def test_the_whole_recording(tmp_path: Path) -> None:
    """FP8REF_MMAEMU names an unpacked sdist of mmaemu 0.1.0: 616,077 instructions and 2,359,056 products."""
    root = os.environ.get("FP8REF_MMAEMU")
    if not root:
        pytest.skip("FP8REF_MMAEMU is not set")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "captures"))
    from hardware import Captures, put
    from recorded import Mmaemu

    groups = put(Mmaemu(Path(root)), 3000, Captures(tmp_path, Mmaemu(Path(root))))
    assert sum(g.rows for g in groups.values()) == 616_077 + 2_359_056
    assert sum(g.differ for g in groups.values()) == 0
    narrow = next(path for path in sorted(tmp_path.iterdir()) if "e4m3fn/" in captures.read(path).operation.id[20:40])
    with Run(Request(f"replay:{narrow}", [])) as run:
        (report,) = run.reports()
    assert str(report.verdict) == "pass"
