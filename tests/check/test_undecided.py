"""Nothing is named that the cases asked do not decide."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report, Verdict
from fp8ref.cli.check import check
from fp8ref.cli.report import report as report_command
from fp8ref.spec import get_projection
from fp8ref.spec.catalog import get_format
from fp8ref.spec.profiles.catalog import profiles_meeting

CONVERT = "convert/f32/e4m3fn/"
TWICE = {"3FA88000": "3A", "BFA88000": "BA", "41288000": "52"}  # 1.31640625 and others: via bf16 a tie, then to even


def capture(folder: Path, operation: str, *cases: dict[str, str]) -> str:
    head = {"fp8ref": "capture", "schema": "fp8ref/capture/1", "operation": operation, "count": len(cases),
            "source": {"device": "a unit"}}  # fmt: skip
    path = folder / f"{abs(hash((operation, json.dumps(cases))))}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (head, *cases)))
    return f"replay:{path}"


def judged(connectable: str) -> Report:
    with Run(Request(connectable)) as run:
        (report,) = run.reports()
    return report


def checked(*words: str) -> Result:
    return CliRunner().invoke(check, [*words, "--jobs", "1"])


def points(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"a": a, "d": d} for a, d in pairs]


def test_exact_points_decide_nothing(tmp_path: Path) -> None:
    impl = capture(tmp_path, CONVERT + "*", *points(("3F800000", "38"), ("40000000", "40")))
    report = judged(impl)
    assert (report.verdict, report.profiles, report.op) == (Verdict.UNDECIDED, (), CONVERT + "*")
    assert {"rne.sat", "rtz.sat"} & {name for text in report.fits for name in text.split(" = ")}
    assert len(report.fits) > 2
    assert "decides" in report.reason
    found = checked("--impl", impl)
    assert found.exit_code == 5
    assert "2 captured cases" in " ".join(found.output.split())
    assert "conforms" not in found.output
    assert "meets" not in found.output


def test_three_points_of_a_double_rounding_are_no_truncation(tmp_path: Path) -> None:
    report = judged(capture(tmp_path, CONVERT + "*", *points(*TWICE.items())))
    assert report.verdict is Verdict.UNDECIDED
    fits = " ".join(report.fits)
    assert "rtz.sat" in fits
    assert "double rounding via bf16" in report.reason or "more" in report.fits[-1]


def test_a_claim_fails_on_one_point_and_its_cause_is_open(tmp_path: Path) -> None:
    report = judged(capture(tmp_path, CONVERT + "rne.sat", *points(("3FA88000", "3A"))))
    assert report.verdict is Verdict.FAIL
    (finding,) = report.findings
    assert finding.diagnosis.rule == "open"
    said = str(finding.diagnosis)
    assert "double rounding via bf16" in said
    assert "truncates: rounds toward zero" in said
    assert "decides" in said


def test_a_claim_passes_on_the_cases_asked_and_meets_nothing_yet(tmp_path: Path) -> None:
    record, badge = tmp_path / "run.jsonl", tmp_path / "badge.json"
    found = checked(CONVERT + "rne.sat", "--impl", "mini:correct", "--flag", "exact", "-o", str(record), "--badge",
                    str(badge), "--junit", str(tmp_path / "x.xml"), "--md", str(tmp_path / "x.md"))  # fmt: skip
    assert found.exit_code == 0
    assert "254 cases (--flag exact)" in found.output
    assert "meets" not in found.output
    for path in (badge, tmp_path / "x.xml", tmp_path / "x.md"):
        assert "--flag exact" in path.read_text(), path
    again = CliRunner().invoke(report_command, [str(record)])
    assert "254 cases (--flag exact)" in again.output
    every = checked(CONVERT + "rne.sat", "--impl", "mini:correct")
    assert "meets ocp-sat" in every.output


def test_a_free_mode_is_undecided_on_a_flag_and_found_on_all(tmp_path: Path) -> None:
    some = checked(CONVERT + "*", "--impl", "mini:correct-unasked", "--flag", "exact")
    assert some.exit_code == 5
    assert "undecided" in some.output
    every = checked(CONVERT + "*", "--impl", "mini:correct-unasked")
    assert every.exit_code == 0
    assert "rtz.nonsat" in every.output


def test_behaviours_that_agree_wherever_they_are_asked_are_one(tmp_path: Path) -> None:
    """E4M3 holds every value of E2M1, which has no infinity and no NaN: all modes are one behaviour."""
    values = np.arange(16, dtype=np.uint8).view(ml_dtypes.float4_e2m1fn).astype(ml_dtypes.float8_e4m3fn)
    every = points(*((f"{a:X}", f"{d:02X}") for a, d in enumerate(values.view(np.uint8))))
    assert judged(capture(tmp_path, "convert/e2m1fn/e4m3fn/*", *every)).verdict is Verdict.PASS
    assert judged(capture(tmp_path, "convert/e2m1fn/e4m3fn/*", every[2])).verdict is Verdict.UNDECIDED


def test_one_product_is_no_accumulator(tmp_path: Path) -> None:
    case = {"a": "3838", "b": "3838", "c": "00000000", "d": "40000000"}
    report = judged(capture(tmp_path, "dot/e4m3fn.e4m3fn/f32/*;k=2", case))
    assert report.verdict is Verdict.UNDECIDED
    assert report.fits[0].startswith("exact")
    assert len(report.fits) > 2


@pytest.mark.parametrize("key", ["ftz", "daz"])
def test_a_profile_is_met_only_with_its_own_modifiers(key: str) -> None:
    f = get_format("e4m3fn")
    kept = get_projection(f, "rne", "sat", "keep-sign")
    assert "ocp-sat" in profiles_meeting("f32", "e4m3fn", kept)
    flushed = get_projection(f, "rne", "sat", "keep-sign", subnormal=key)
    assert profiles_meeting("f32", "e4m3fn", flushed) == ()


RECIPE = "scale/f32/e4m3fn/*;k=128"
BY_RECIPE = """
import numpy as np
import fp8ref
from fp8ref.cases.answers import expect
class Kernel:
    def identify(self): return {"name": "kernel", "version": "1"}
    def capabilities(self): return ["scale/f32/e4m3fn/*;k=128"]
    def run(self, op, x):
        if len(x) not in ROWS: raise fp8ref.Unsupported("so many rows")
        return expect(op.with_mode("vllm-group"), [x]).codes
"""


@pytest.mark.parametrize(("rows", "verdict"), [("(1,)", Verdict.UNDECIDED), ("range(10**6)", Verdict.PASS)])
def test_a_recipe_is_named_where_no_other_in_use_gives_the_bits(
    rows: str, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"by_recipe_{verdict}"
    (tmp_path / f"{name}.py").write_text(BY_RECIPE.replace("ROWS", rows))
    report = judged(f"py:{name}:Kernel")
    assert report.verdict is verdict, report
    if verdict is Verdict.UNDECIDED:
        assert (report.op, report.profiles) == (RECIPE, ())
        assert len(report.fits) > 1
        assert "vllm-group" in report.reason
    else:
        assert report.fits == ()
        assert "vllm-group" in " ".join(report.profiles)


NOT_ROUNDED = """
import numpy as np
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
class Kernel:
    def identify(self): return {"name": "kernel", "version": "1"}
    def capabilities(self): return ["convert/e2m1fn/e4m3fn/*", "convert/e4m3fn/e2m1fn/*", "dot/e4m3fn.e4m3fn/f32/*;k=1"]
    def run(self, op, *x):
        return expect(op.with_mode("exact" if op.family == "dot" else "rne.sat"), x).codes
"""


def test_names_that_agree_on_every_input_are_one_behaviour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is rounded from E2M1 to E4M3; a product of one addend, and C, is added in one step by many units."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "not_rounded.py").write_text(NOT_ROUNDED)
    with Run(Request("py:not_rounded:Kernel")) as run:
        exact, rounded, product = run.reports()
    assert {report.verdict for report in (exact, rounded, product)} == {Verdict.PASS}
    assert (rounded.op, rounded.alike) == ("convert/e4m3fn/e2m1fn/rne.sat", ())
    assert set(exact.alike) > {"rtz.sat", "rto.sat", "rne.nonsat"}
    assert product.op == "dot/e4m3fn.e4m3fn/f32/exact;k=1"
    # Arm's are defined as one exact sum of products and C, rounded once; FMLALL gives -0 for sums of -0, as fma does
    assert set(product.alike) == {"hopper.mma.fp8.f32", "arm.fvdot.fp8.f32", "arm.fdot4.fp8.f32", "arm.fmmla.fp8.f32"}
    assert Report.from_json(exact.as_json()).alike == exact.alike
    found = checked("convert/e2m1fn", "--impl", "py:not_rounded:Kernel")
    assert "mode found, the same as" in " ".join(found.output.split())
