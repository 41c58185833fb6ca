"""Two planted faults in one operation: every form of a report, and every option of a check, takes them one by one."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from fp8ref.adapters.mutants.connect import connect
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.check import expected
from fp8ref.check.verdict import Report, Verdict
from fp8ref.cli.main import main
from fp8ref.report.runs import record
from fp8ref.report.runs.html import html
from fp8ref.report.runs.junit import junit
from fp8ref.report.runs.reproductions import script

TWO = "mini:minus-zero-lost+top-binade-lost"
SAT = "convert/f32/e4m3fn/rne.sat"
FAULTS = ["top-binade-lost", "minus-zero-lost"]  # the severest first: a wrong value before a lost sign


def check(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["check", "--jobs", "1", SAT, "--impl", TWO, *args])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The record of one run, and the known failures that it wrote."""
    folder = tmp_path_factory.mktemp("two")
    code, _ = check("-o", str(folder / "run.jsonl"), "--write-expect", str(folder / "known.toml"), "--fail-fast")
    assert code == 1
    return record.read(folder / "run.jsonl"), folder / "known.toml"


def report_of(document: dict[str, Any]) -> Report:
    (report,) = record.reports_of(document)
    return report


def test_the_first_failure_has_all_its_findings(first: tuple[dict[str, Any], Path]) -> None:
    """--fail-fast ends after an operation, not within its findings."""
    report = report_of(first[0])
    assert [f.diagnosis.rule for f in report.findings] == [connect(name).diagnosis for name in FAULTS]  # type: ignore[attr-defined]
    assert sum(f.count for f in report.findings) == report.failed
    assert len({f.digest for f in report.findings}) == 2


def test_every_finding_shows_an_answer_that_is_wrong_by_its_own_cause(first: tuple[dict[str, Any], Path]) -> None:
    op, both = Operation.parse(SAT), connect(TWO.removeprefix("mini:"))
    for finding, name in zip(report_of(first[0]).findings, FAULTS, strict=True):
        x = np.array(finding.inputs, np.uint32)
        assert expect(op, [x]).codes.tolist() == [finding.want] != [finding.got]
        assert both.run(op, x).tolist() == connect(name).run(op, x).tolist() == [finding.got]


def test_known_failures_are_entries_of_their_own(first: tuple[dict[str, Any], Path]) -> None:
    document, path = first
    rows = tomllib.loads(path.read_text())["expected"]
    report = report_of(document)
    assert [(row["count"], row["digest"]) for row in rows] == [(f.count, f.digest) for f in report.findings]
    known = expected.load(path)
    assert known.judge(report).verdict is Verdict.XFAIL
    assert [f.expected for f in report.findings] == [row["reason"] for row in rows]
    assert not known.stale([SAT])


@pytest.mark.parametrize("which", [0, 1])
def test_the_one_that_nothing_expects_fails(first: tuple[dict[str, Any], Path], which: int) -> None:
    """One known failure excuses one finding; one with another count or digest excuses none, and is stale."""
    document, path = first
    entries = expected.load(path).entries
    known = expected.Expectations((entries[which],))
    report = known.judge(report_of(document))
    assert report.verdict is Verdict.FAIL
    assert [bool(f.expected) for f in report.findings] == [which == 0, which == 1]
    more = replace(entries[which], count=(entries[which].count or 0) + 1)
    other = replace(entries[which], digest="0" * 16)
    for entry in (more, other):
        known = expected.Expectations((entry, entries[1 - which]))
        report = known.judge(report_of(document))
        assert report.verdict is Verdict.FAIL
        assert [bool(f.expected) for f in report.findings] == [which == 1, which == 0]
        assert [why for _, why in known.stale([SAT])] == ["found with another count or case"]


def test_junit_and_the_matrix_show_each(first: tuple[dict[str, Any], Path]) -> None:
    document, path = first
    (case,) = ElementTree.fromstring(junit([document])).iter("testcase")
    (failure,) = case.iter("failure")
    assert (failure.text or "").count("FAIL ") == 2
    symptoms = [f.symptom for f in report_of(document).findings]
    assert [p.get("value") for p in case.iter("property")] == [f"fault: {symptom}" for symptom in symptoms]
    pytest.importorskip("jinja2")
    page = html([document])
    for finding in report_of(document).findings:
        assert json.dumps(str(finding.diagnosis))[1:-1].replace("<", "\\u003c").replace(">", "\\u003e") in page
    known = expected.Expectations(expected.load(path).entries[:1])
    half = record.document(document["header"], [known.judge(report_of(document))], document["end"])
    (failure,) = ElementTree.fromstring(junit([half])).iter("failure")
    assert (failure.text or "").count("FAIL ") == 2


def test_each_is_reproduced_by_itself(first: tuple[dict[str, Any], Path]) -> None:
    """The script of each finding has its own case, and the command that is printed judges it again."""
    report = report_of(first[0])
    for finding in report.findings:
        assert f"0x{finding.inputs[0]:X}".lower() in script(finding, "ml_dtypes").lower()
    code, out = check("--expect", str(first[1]))
    assert code == 0
    assert re.search(r"1 operation fails as expected", out)
