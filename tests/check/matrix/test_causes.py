"""Every mistake of matrix products is named, with the place where it is confined, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fp8ref.adapters.mutants.dots import right
from fp8ref.adapters.mutants.matrices import MATRIX_MUTANTS
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import dot_cases
from fp8ref.check.diagnosis.diagnose import Diagnosis
from fp8ref.check.matrix.causes import Asked, diagnose_products, faults_of
from fp8ref.check.matrix.faults import Shape
from fp8ref.check.products import differing, expected
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Finding, Report, Verdict
from fp8ref.report.runs.text import drawing
from fp8ref.spec.matrix.models import get_model

FEW_ROWS = True  # see tests/conftest.py
DAILY = ("dot-c-ignored", "dot-last-row-copied", "dot-mm-last-row-flushed", "dot-near-unit-in-bound")
EXACT = "dot/e4m3fn.e4m3fn/f32/exact;k=20"


def report(name: str) -> Report:
    with Run(Request(f"mini:{name}")) as run:
        (found,) = run.reports()
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in DAILY else [pytest.mark.full]) for n in MATRIX_MUTANTS]
)
def test_the_mistake_is_named(name: str) -> None:
    mutant, found = MATRIX_MUTANTS[name], report(name)
    assert found.verdict is Verdict.FAIL
    (finding,) = found.findings
    assert finding.diagnosis.rule == mutant.diagnosis
    assert mutant.where in finding.diagnosis.where
    text = drawing(finding, f"mini:{name}")
    assert "fp8ref explain 'dot/" in text
    if found.claim.startswith("matmul"):
        assert finding.place is not None
        assert f"seen     row {finding.place.row}, column {finding.place.column} of M = " in text
    assert Finding.from_json(json.loads(json.dumps(finding.as_json()))).place == finding.place


def test_every_mistake_has_a_mutant() -> None:
    ops = ("dot/e5m2.e4m3fn/f32/exact;k=20", "matmul/e4m3fn.e4m3fn/f32/exact;k=32;scale=f32;scale_result=1")
    rules = {fault.name for text in ops for fault in faults_of(Operation.parse(text), text.startswith("matmul"))}
    planted = {mutant.diagnosis for mutant in MATRIX_MUTANTS.values()}
    elsewhere = {  # tests/check/test_products.py
        "infinity-times-zero", "zero-takes-sign-of-c", "infinities-meet", "scale-b-ignored", "scale-b-blocks-rotated",
        "scale-nan-finite",
    }  # fmt: skip
    twins = {  # the same rule of another format or side
        "result-via-f16", "result-via-tf32", "result-via-e4m3fn", "result-via-e5m2", "products-in-f16",
        "products-in-tf32", "products-in-bf16", "products-in-e4m3fn", "scale-first-block",
        "scale-blocks-reversed", "scale-a-blocks-rotated-back",
        "scale-b-blocks-rotated-back", "scale-a-inverted", "scale-ab-inverted", "scale-b-squared", "scale-ab-squared",
        "scales-b-swizzled", "scales-a-read-swizzled", "scales-b-read-swizzled",
    }  # fmt: skip
    assert rules - planted - elsewhere - twins == set()


Answer = Callable[..., Any]


def causes(answer: Answer, text: str = EXACT) -> list[Diagnosis]:
    op = Operation.parse(text)
    cases = dot_cases(op, 1, 0)
    got, want = answer(op, *cases.operands[:3]), expected(op, cases)
    n, zeros = cases.size, np.zeros(cases.size, np.intp)
    shape = Shape(zeros, np.arange(n), zeros, zeros + n, zeros + 1)
    asked = Asked(op, cases, got, np.full(n, "first"), shape)
    return [cause.diagnosis for cause in diagnose_products(asked, differing(op, cases, got, want, "class"), want)]


PAIRS = [("dot-nan-zero", "dot-c-ignored"), ("dot-result-via-bf16", "dot-nan-as-largest"),
         ("dot-nan-zero", "dot-k-last-dropped"), ("dot-b-flushed", "dot-nan-zero")]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_two_mistakes_in_different_answers_are_two_findings(one: str, two: str) -> None:
    def both(op: Operation, a: Any, b: Any, c: Any) -> Any:
        want, first = right(op, a, b, c), MATRIX_MUTANTS[one].answer(op, a, b, c)
        return np.where(first != want, first, MATRIX_MUTANTS[two].answer(op, a, b, c)).astype(np.uint32)

    planted = {MATRIX_MUTANTS[one].diagnosis, MATRIX_MUTANTS[two].diagnosis}
    assert {cause.rule for cause in causes(both)} == planted


def test_what_fits_nothing_is_unexplained_and_names_the_nearest_model() -> None:
    def odd(op: Operation, a: Any, b: Any, c: Any) -> Any:
        return np.where(a[:, 3] % 3 == 1, right(op, a, b, c) ^ np.uint32(4), right(op, a, b, c))

    (one,) = causes(odd)
    assert one.rule == "unexplained"
    assert "the nearest model, exact, answers" in one.pattern


def test_a_unit_near_a_catalogued_one_is_named_with_its_parameter() -> None:
    """A claim of the exact sum, answered by Hopper's unit with 12 fraction bits."""
    unit = replace(get_model("hopper.wgmma.fp8.f32"), fraction_bits=12)  # type: ignore[call-arg]
    (one,) = causes(lambda op, *given: right(op, *given, accumulator=unit), "dot/e4m3fn.e4m3fn/f32/exact;k=32")
    assert "hopper.wgmma.fp8.f32, but it keeps 12 fraction bits instead of 13" in str(one)
