"""Fake quantisers, values in and values out: the specification, planted faults, and what a finding says."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from fp8ref.adapters.mutants.recipes import FAKES, FakeMutant, connect
from fp8ref.cases.operation import Operation
from fp8ref.cases.scaling.questions import scaled_rows
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import Options, judge
from fp8ref.check.verdict import Report, Verdict
from fp8ref.fast.values import fake_quantize
from fp8ref.report.findings.scales import scale_case_id, scale_case_text
from fp8ref.report.runs.text import drawing
from fp8ref.spec.datum import Datum
from fp8ref.spec.scaling.exact import fake_group
from fp8ref.spec.scaling.named import get_recipe

F32 = np.float32
GROUP = Operation.parse("fake/f32/e4m3fn/vllm-group;k=8")


def judged(mutant: FakeMutant, claim: str = "") -> Report:
    return judge(Here(mutant), Operation.parse(claim or mutant.capabilities()[0]), Options())


def test_values_are_elements_times_scales() -> None:
    """vLLM's group recipe written out here with ml_dtypes."""
    x = np.random.default_rng(1).standard_normal((64, 8)).astype(F32)
    s = (np.abs(x).max(axis=1) / F32(448))[:, None]
    want = (x / s).astype(ml_dtypes.float8_e4m3fn).astype(F32) * s
    got = scaled_rows(GROUP, [x.view(np.uint32)])
    assert np.array_equal(got.view(F32), want)


@pytest.mark.parametrize("text", ["vllm-group", "te-nvfp4 values=joint", "te-nvfp4 values=undo", "modelopt-nvfp4",
                                  "gguf-mxfp4", "torchao-row", "te-nvfp4-4over6", "hf-fp8 values=undo"])  # fmt: skip
@pytest.mark.parametrize("source", ["f32", "bf16"])
def test_arrays_equal_the_specification(text: str, source: str) -> None:
    r = get_recipe(text)
    rng = np.random.default_rng(2)
    x = (rng.standard_normal((12, 16)) * 2.0 ** rng.integers(-30, 30, (12, 1))).astype(F32)
    x[0], x[1, 3], x[2, 5], x[3, 1] = 0, np.nan, np.inf, -0.0
    x = x if source == "f32" else x.astype(ml_dtypes.bfloat16).astype(F32)
    whole = None if r.tensor == "none" else rng.choice(np.float32([3, 1e4, 0, np.inf]), 12)
    got = fake_quantize(r, x, source, whole)
    for i, row in enumerate(x):
        tensor = None if whole is None else Datum.of(float(whole[i]))
        want = fake_group(r, [Datum.of(float(v)) for v in row], source, tensor)
        for value, datum in zip(got[i], want):
            other = Datum.of(float(value))
            assert (other.is_nan and datum.is_nan) or other == datum, (text, row, value, datum)


WRONG = {
    "fake-not-rounded": "values-not-rounded",
    "fake-via-bf16": "values-via-bf16",
    "fake-zero-sign-lost": "recipe-zeros-none",
    "fake-nan-zero": "values-nan-zero",
    "fake-nan-kept": "values-nan-kept",
    "fake-other-floor": "recipe-floor-a:1e-6",
    "fake-undone-by-multiplier": "recipe-values-undo",
    "fake-nvfp4-joint": "recipe-values-joint",
    "fake-off-grid": "unexplained",
}
CHEAP = ("fake-nan-zero", "fake-nvfp4-joint", "fake-zero-sign-lost")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in CHEAP else pytest.mark.full) for n in WRONG])
def test_planted_faults_are_named(name: str) -> None:
    report = judged(FAKES[name])
    assert report.verdict is Verdict.FAIL
    (finding,) = report.findings
    assert finding.diagnosis.rule == WRONG[name]


def test_values_off_the_grid_are_counted_and_drawn() -> None:
    mutant = FakeMutant("vllm-group", {}, "fake/f32/e4m3fn/{};k=16", change=FAKES["fake-off-grid"].change)
    (finding,) = judged(mutant).findings
    assert "values: no element times the scale" in str(finding.diagnosis)
    assert "k = 3" in drawing(finding, "mini:fake-off-grid")


def test_the_right_one_passes_and_a_free_one_is_named() -> None:
    assert set(WRONG) | {"fake-correct"} == set(FAKES)
    assert connect("fake-nan-zero").identify()["name"] == "mini:fake-nan-zero"
    assert judged(FAKES["fake-correct"]).verdict is Verdict.PASS
    report = judged(FakeMutant("sglang-group", {}, "fake/bf16/e4m3fn/{};k=32"), "fake/bf16/e4m3fn/*;k=32")
    assert (report.verdict, report.op) == (Verdict.PASS, "fake/bf16/e4m3fn/sglang-group;k=32")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fake/f32/mxfp4/floor", "a format of elements"),
        ("fake/f64/e4m3fn/vllm-group", "x is one of f32"),
        ("fake/f32/e4m3fn/vlm-group", "did you mean vllm-group"),
        ("fake/f32/e2m1fn/te-nvfp4", "x and amax"),
        ("fake/f32/e4m3fn/te-nvfp4-sr", "stochastic"),
    ],
)
def test_bad_ids(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Operation.parse(text)


def test_long_groups_are_elided_in_texts_alone() -> None:
    op = Operation.parse("scale/f32/e4m3fn/vllm-group;k=128")
    inputs = [0x3F800000 + i for i in range(128)]
    whole, short = scale_case_id(op, inputs), scale_case_text(op, inputs)
    assert whole.count(".") == 127
    assert short == f"{op.id}#3F800000.3F800001.3F800002.3F800003.3F800004.3F800005.(120 more).3F80007E.3F80007F"
    assert scale_case_text(op, [1, 2, 0]) == scale_case_id(op, [1, 2, 0])
