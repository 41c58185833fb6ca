"""Adapters of libraries that quantise blocks: the base, by one made up here; each real one where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from typing import Any

import numpy as np
import pytest

from fp8ref.adapters.base import Unsupported
from fp8ref.adapters.block_library import BlockLibrary, Quantises
from fp8ref.adapters.claims import Unavailable
from fp8ref.cases.operation import Operation
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import Options, judge
from fp8ref.check.verdict import Verdict

torch = pytest.importorskip("torch")
ROWS = "scale/f32/e4m3fn/quanto;k=16"
VALUES = "fake/bf16/e4m3fn/quanto;k=16"
LIBRARIES = {
    "compressed_tensors": "CompressedTensors",
    "modelopt": "ModelOpt",
    "auto_round": "AutoRound",
    "optimum.quanto": "Quanto",
    "quark": "Quark",
    "transformers": "Transformers",
    "qwix": "Qwix",
    "brevitas": "Brevitas",
}


class Absmax(BlockLibrary):
    """Rows by their largest magnitude, in torch."""

    package = "torch"
    modules = ("absmax_of_a_test", "absmax_of_a_test.absmax_of_a_test")
    quantisers = (Quantises(ROWS, "rows", "this test"), Quantises(VALUES, "values", "this test"))

    def rows(self, x: Any) -> tuple[Any, Any]:
        scale = x.abs().amax(dim=1, keepdim=True) / 448.0
        return scale, (x / scale).to(torch.float8_e4m3fn)

    def values(self, x: Any) -> Any:
        scale = x.abs().amax(dim=1, keepdim=True) / 448.0
        return (x / scale).to(torch.float8_e4m3fn).to(x.dtype) * scale


@pytest.fixture
def absmax(monkeypatch: pytest.MonkeyPatch) -> Absmax:
    for name in Absmax.modules:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    return Absmax()


@pytest.mark.parametrize("claim", [ROWS, VALUES])
def test_a_library_of_three_lines_is_judged(absmax: Absmax, claim: str) -> None:
    assert claim in absmax.capabilities()
    op = Operation.parse(claim)
    assert absmax.source(op) == "this test"
    report = judge(Here(absmax), op, Options())
    assert report.verdict is Verdict.PASS, report.findings


def test_modules_of_one_name_are_kept_apart(absmax: Absmax) -> None:
    assert set(absmax.lib) == {"absmax_of_a_test", "absmax_of_a_test_absmax_of_a_test"}


def test_no_blocks_and_other_operations(absmax: Absmax) -> None:
    empty = absmax.run(Operation.parse(ROWS), np.zeros((0, 16), np.uint32))
    assert (empty.shape, empty.dtype) == ((0, 20), np.uint8)
    with pytest.raises(Unsupported, match="it has no"):
        absmax.run(Operation.parse("scale/f32/e4m3fn/vllm-group;k=16"), np.zeros((1, 16), np.uint32))


def test_without_the_library() -> None:
    with pytest.raises(Unavailable, match="pip install torch"):
        Absmax()


@pytest.mark.parametrize("module", LIBRARIES)
def test_the_library_on_numbers(module: str) -> None:
    """Where it is installed: 400 groups of normal numbers, every claim, 0 differ."""
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")
    ours = module.rpartition(".")[2]
    adapter = getattr(importlib.import_module(f"fp8ref.adapters.libraries.{ours}"), LIBRARIES[module])()
    from fp8ref.cases.scaling.questions import elements, scaled_rows

    for claim in adapter.capabilities():
        op = Operation.parse(claim)
        x = np.random.default_rng(0).standard_normal((400, elements(op))).astype(np.float32)
        bits = x.view(np.uint32) if op.operands[0] == "f32" else (x.view(np.uint32) >> 16).astype(np.uint16)
        operands = [bits, *([np.full(400, 0x40C00000, np.uint32)] if len(op.operands) > 1 else [])]
        assert np.array_equal(adapter.run(op, *operands), scaled_rows(op, operands)), claim
