"""One cause of several operations: said once, with what shows it and what does not, in every form of a report."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

import fp8ref
from fp8ref.adapters.mutants.arithmetic import right
from fp8ref.cases.operation import Operation
from fp8ref.report.findings.siblings import causes, gathered
from fp8ref.report.runs.renderers import RENDERERS
from fp8ref.report.runs.text import render
from fp8ref.report.terminal import terminal

OPS = [f"mul/{f}.{f}/{f}/{mode}.sat;flags=1" for f in ("e3m2fn", "e2m3fn") for mode in ("rne", "rna", "rtz")]


class TinyBeforeToNearest:
    """Judges tininess before rounding in the nearest modes, after it in the directed ones."""

    def identify(self) -> dict[str, str]:
        return {"name": "tiny", "version": "1"}

    def capabilities(self) -> list[str]:
        return OPS

    def run(self, op: Operation, *xs: np.ndarray) -> Any:
        nearest = (op.mode or "").startswith(("rne", "rna"))
        return right(op, *xs, **({"tininess": "before"} if nearest else {}))


@pytest.fixture(scope="module")
def report() -> Any:
    return fp8ref.judge(TinyBeforeToNearest())


WANT = "mul of e3m2fn, e2m3fn: rne.sat, rna.sat; not mul of e3m2fn, e2m3fn: rtz.sat"


def test_the_cause_is_one(report: Any) -> None:
    (cause,) = causes(report.operations)
    assert cause.findings[0].diagnosis.rule == "tininess-before"
    assert cause.operations == tuple(op for op in OPS if "rtz" not in op)
    assert cause.text == WANT


def test_every_form_says_so(report: Any) -> None:
    out = io.StringIO()
    document = report.document
    render(terminal(file=out, width=200, color_system=None), document["header"], report.operations, True, False)
    assert out.getvalue().count("FAIL ") == 1
    assert f"  in     {WANT}\n" in out.getvalue()
    assert RENDERERS["md"].render([document]).count(f"in     {WANT}") == 1
    assert WANT in RENDERERS["html"].render([document])
    found = json.loads(RENDERERS["json"].render([document]))
    assert len(found["findings"]) == 4  # as before
    (cause,) = found["causes"]
    assert (cause["rule"], cause["text"], len(cause["operations"])) == ("tininess-before", WANT, 4)
    assert cause["count"] == sum(line["count"] for line in found["findings"])


@pytest.mark.parametrize(
    ("ids", "want"),
    [
        (["convert/f32/e5m2/rne.sat", "convert/f16/e5m2/rne.sat"], "convert of f32 to e5m2, f16 to e5m2: rne.sat"),
        (["add/e5m2.e5m2/e5m2/rne.sat", "mul/e5m2.e5m2/e5m2/rne.sat"], "add, mul of e5m2: rne.sat"),
        (["add/e5m2.e5m2/e5m2/rne.sat", "mul/e5m2.e5m2/e5m2/rtz.sat"], "add of e5m2: rne.sat; mul of e5m2: rtz.sat"),
        (["mul/e5m2.e5m2/e5m2/rne.sat;subnormal=daz"], "mul of e5m2 (subnormal=daz): rne.sat"),
        (["decode/e4m3fn/f32", "no such operation"], "decode of e4m3fn to f32; no such operation"),
    ],
)  # fmt: skip
def test_operations_in_few_words(ids: list[str], want: str) -> None:
    assert gathered(ids) == want
