"""Judging quantisers of blocks: rows equal the reference, planted faults are named, correct ones never accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from short import every

from fp8ref.adapters.mutants.scales import CORRECT, SCALE_FAULTY, SCALE_MUTANTS
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.questions import operand_types, shapes
from fp8ref.cases.scaling.questions import quantiser, split, values
from fp8ref.cases.selection import cases
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.cli.inputs import read_case
from fp8ref.report.findings.scales import explain_scale, scale_case_id
from fp8ref.report.runs.text import drawing
from fp8ref.spec import Datum, get_format, pack
from fp8ref.spec.matrix.accumulate import F32
from fp8ref.spec.scaling.schemes import fp8_block, get_scheme, mx_block, nvfp4_block

FEW_ROWS = True  # see tests/conftest.py
MX = ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8")
OPS = [f"scale/f32/{scheme}/{rule}" for scheme in MX for rule in ("floor", "ceil", "even", "rceil", "te")]
OPS += [f"scale/f32.f32/nvfp4/{rule}" for rule in ("te", "torchao")]
OPS += [f"scale/f32/row_{f}/{rule};k=9" for f in ("e4m3fn", "e5m2") for rule in ("te", "te-pow2", "torchao")]


def reports(impl: str, *select: str) -> list[Report]:
    with Run(Request(impl, select)) as run:
        return list(run.reports())


def reference(op: Operation, x: np.ndarray, amax: np.ndarray | None) -> tuple[int, list[int]]:
    """Code of the scale and codes of the elements by the functions of the specification."""
    data, scheme, rule = [Datum.of(float(v)) for v in x], get_scheme(op.result), op.mode or ""
    if scheme.recipe == "mx":
        return mx_block(data, scheme, rule)
    if amax is not None:
        return nvfp4_block(data, Datum.of(float(amax)), rule)
    scale, codes = fp8_block(data, scheme.element, rule)
    return pack(scale, F32), codes


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.full)])
def test_rows_equal_the_reference(name: str, step: int) -> None:
    op = Operation.parse(name)
    q = quantiser(op)
    some = [codes[::step] for codes in cases(op, 1, 5)]
    rows = expect(op, some).codes
    scales, codes = split(op, rows)
    x, amax = values(op, some)
    for i in range(len(x)):
        scale, elements = reference(op, x[i], None if amax is None else amax[i])
        nan = Datum.of(float("nan")) if q.scale == "f32" else None
        same = int(scales[i]) == scale or (nan is not None and np.isnan(scales[i : i + 1].view(np.float32)[0]))
        assert (same, codes[i].tolist()) == (True, elements), (i, x[i], amax)


@pytest.mark.usefixtures("all_cases")
def test_cases_hold_what_the_rules_turn_on() -> None:
    op = Operation.parse("scale/f32/mxfp8_e4m3/floor")
    one, two = (cases(op, 1, 3)[0] for _ in range(2))
    assert np.array_equal(one, two)
    x = one.view(np.float32)
    size = np.abs(np.where(np.isnan(x), 0, x)).max(axis=1)
    assert (np.isnan(x).any(axis=0) & np.isinf(x).any(axis=0)).all(), "NaN and infinity in every lane"
    assert ((x == 0).all(axis=1) & np.signbit(x).all(axis=1)).any(), "a block of -0"
    assert ((size > 0) & (size < 2.0**-126)).any(), "subnormal blocks"
    rules = [split(op, expect(op.with_mode(rule), [one]).codes)[0] for rule in quantiser(op).rules]
    for i, first in enumerate(rules):
        for second in rules[i + 1 :]:
            assert (first != second).any(), "two rules that no case distinguishes"


@pytest.mark.parametrize(  # every fifth one every day, all of them with --full
    "name", every(5, SCALE_FAULTY)
)
def test_every_planted_fault_is_caught_and_named(name: str) -> None:
    mutant = SCALE_MUTANTS[name]
    (report,) = reports(f"mini:{name}")
    assert report.verdict is Verdict.FAIL
    (finding,) = report.findings
    assert finding.diagnosis.rule == mutant.diagnosis
    assert mutant.where in finding.diagnosis.where
    text = drawing(finding, f"mini:{name}")
    assert "want" in text
    op, codes = read_case(scale_case_id(Operation.parse(finding.op), finding.inputs))
    assert "answer" in explain_scale(op, codes)


def test_there_are_enough_planted_faults() -> None:
    assert len(SCALE_FAULTY) >= 25


def test_correct_quantisers_are_never_accused() -> None:
    found = reports("mini:scale-correct")
    assert len(found) == len(CORRECT)
    assert {(report.verdict, report.failed) for report in found} == {(Verdict.PASS, 0)}


def test_a_free_rule_is_found() -> None:
    found = reports("mini:scale-correct-unasked")
    assert [Operation.parse(r.op).mode for r in found] == ["ceil", "ceil", "torchao", "te-pow2"]
    assert {r.verdict for r in found} == {Verdict.PASS}


BODY = """
import numpy as np
from fp8ref.cases.scaling.questions import scaled_rows
class Unit:
    def identify(self): return {{"name": "u", "version": "1"}}
    def capabilities(self): return ["{0}"]
    def run(self, op, x):
        d = scaled_rows(op, [x])
        {1}
        return d
"""


@pytest.mark.parametrize(
    ("claim", "line", "allowed"),
    [
        ("scale/f32/mxfp8_e4m3/floor", "d[d[:, 0] == 255, 1:] = 0", "elements-under-nan-scale"),
        ("scale/f32/mxint8/floor", "d[((x << 1) == 0).all(axis=1), 0] = 1", "zero-block-scale"),
        ("scale/f32/mxfp4/rceil", "d = scaled_rows(op, [x], 'te')", "infinite-block-scale"),
        (
            "scale/f32/mxint8/floor",
            "t = x.view(np.float32) * 2.0 ** (133.0 - d[:, :1]); d[:, 1:][(t <= -127.5) & (d[:, :1] < 255)] = 0x80",
            "mxint8-minus-two",
        ),
    ],
)
def test_where_the_sources_differ_a_mismatch_is_allowed(
    claim: str, line: str, allowed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"unit_{allowed.replace('-', '_')}.py").write_text(BODY.format(claim, line))
    (report,) = reports(f"py:unit_{allowed.replace('-', '_')}:Unit")
    assert report.verdict is Verdict.ALLOWED
    assert set(report.allowed) == {allowed}


def test_shapes_and_types() -> None:
    op = Operation.parse("scale/bf16/mxfp4")
    assert (op.id, operand_types(op)) == ("scale/bf16/mxfp4/floor", ("bf16",))
    assert shapes(op, 3) == ((3, 32), (3, 33))
    op = Operation.parse("scale/f32.f32/nvfp4/torchao;k=5")
    assert shapes(op, 3) == ((3, 5), (3,), (3, 6))
    op = Operation.parse("scale/f16/block128x128_e4m3fn")
    assert shapes(op, 1) == ((1, 16384), (1, 16388))
    assert get_format(quantiser(op).scale) == F32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scale/f32/mxfp8_e4m4", "unknown scheme"),
        ("scale/f32/nvfp4", "two operands"),
        ("scale/f32.f32/mxfp4", "one operand"),
        ("scale/f32/mxfp4/up", "floor, ceil, even, rceil, te"),
        ("scale/f32/mxfp4;k=33", "1 to 32"),
        ("scale/f32/mxfp4;k=0", "1 to 32"),
        ("scale/f64/mxfp4", "f32, f16, bf16"),
        ("scale/f32/mxfp4;flags=1", "no status flags"),
    ],
)
def test_bad_operations(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Operation.parse(text)
