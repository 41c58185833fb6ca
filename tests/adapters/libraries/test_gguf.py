"""gguf's quantiser of MXFP4, where the package is installed: its recipe is llama.cpp's but for NaNs."""

from __future__ import annotations

import pytest

from fp8ref.adapters.libraries.gguf import CLAIM, Gguf
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import Options, judge
from fp8ref.check.verdict import Verdict


def test_its_recipe_is_found() -> None:
    pytest.importorskip("gguf")
    report = judge(Here(Gguf()), Operation.parse(CLAIM), Options())
    assert report.verdict is Verdict.PASS
    assert report.op == "scale/f32/e2m1fn/gguf-mxfp4-python;k=32"
