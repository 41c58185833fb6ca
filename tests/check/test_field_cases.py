"""Questions that people asked in public, each answered in one command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Report
from fp8ref.cli.main import main

CASES = Path(__file__).parents[3] / "shared" / "cases"
NEEDS = pytest.mark.skipif(not CASES.exists(), reason="the captures are not in the repository")

NAMED = {  # planted: what the findings say, in any order
    "decodes-nan-as-zero": {"NaN codes are read as zero"},
    "ue8m0-nan-as-infinity": {"NaN codes are read as infinity"},
    "ue8m0-by-log2": {"the ceiling of a logarithm rounded to binary32"},
    "nan-to-lowest": {"NaN becomes the lowest finite value"},
    "clamps-to-240": {"clamps to 240"},
    "multiplies-in-ieee": {"reads the operands as e4m3"},
    "ue8m0-as-number": {"the code itself is read as a number"},
    "top-binade-lost+ties-away": {"the top binade", "ties go away from zero"},
    "minus-zero-lost+top-binade-lost": {"the top binade", "-0 becomes +0"},
    "helper-of-1-4-3": {"the top binade", "flushed to zero before rounding", "truncates"},
}


def reports(impl: str) -> list[Report]:
    with Run(Request(impl, jobs=1, engine="serial")) as run:
        return list(run.reports())


@pytest.mark.parametrize("name", NAMED)
def test_every_fault_has_its_finding(name: str) -> None:
    for report in reports(f"mini:{name}"):
        said = [str(finding.diagnosis) for finding in report.findings]
        assert len(said) == len(NAMED[name])
        assert all(any(part in one for one in said) for part in NAMED[name]), said


def test_what_is_severest_comes_first() -> None:
    (report,) = reports("mini:minus-zero-lost+top-binade-lost")
    assert "top binade" in str(report.findings[0].diagnosis)


@NEEDS
@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("one_point_via_bf16", 1, ("the cause is open", "double rounding via bf16", "truncates", "decides")),
        ("two_exact_points", 5, ("undecided",)),
        ("bound_inf_overflow_e5m2", 0, ("meets the bound f16",)),
    ],
)
def test_captures(name: str, code: int, said: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["check", "--impl", f"replay:{CASES / name}.jsonl", "--jobs", "1"])
    assert result.exit_code == code
    words = " ".join(result.stdout.split())
    assert all(part in words for part in said)
