"""A run rendered as text, Markdown, JUnit, JSON and badge: pure functions of its record, read back by other parsers."""

import json
import re
import subprocess
import sys
import xml.dom.minidom
from pathlib import Path
from typing import Any

import pytest
import warm

from fp8ref.check.diagnosis.diagnose import Diagnosis
from fp8ref.check.verdict import Finding, Report, Verdict
from fp8ref.report.runs import record
from fp8ref.report.runs.renderers import RENDERERS

FP8REF = [sys.executable, "-c", "from fp8ref.cli.main import run; run()"]
OP = "convert/f32/e4m3fn/rne.sat"
HEADER = {
    "kind": "run", "schema": record.SCHEMA, "fp8ref": "0.1.0", "impl": "py:k:K", "level": 1, "seed": 0, "nan": "class",
    "flag": "", "implementation": {"name": "k_<1>", "version": "1|2"}, "operations": [],
}  # fmt: skip
WRONG = Finding(
    OP, (0x3F880000,), 0x38, 0x39, 7, 100, ("tie",), Diagnosis("rounding-rna", "ties go away from zero", "for NaNs"),
    length=9, position=3, layout="strided",
)  # fmt: skip


def run_of(*reports: Report, finished: bool = True, **header: Any) -> dict[str, Any]:
    found = record.document({**HEADER, **header}, reports, record.footer(reports, finished))
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def every_verdict() -> list[Report]:
    return [
        Report(OP, OP, Verdict.FAIL, 100, 7, findings=[WRONG]),
        Report("abs/e5m2/e5m2", "abs/e5m2/e5m2", Verdict.PASS, 256),
        Report("b", "decode/e5m2/f32", Verdict.ALLOWED, 256, allowed={"nan-sign": 2}),
        Report("c", "decode/e5m2/f16", Verdict.UNSUPPORTED, reason="only on <Tuesdays> & \x00 such"),
        Report("d", "decode/e5m2/f64", Verdict.CRASH, reason="killed by SIGSEGV"),
        Report("e", "decode/e4m3fn/f64", Verdict.TIMEOUT, reason="no answer within 1 s"),
        Report("f", "neg/e5m2/e5m2", Verdict.XFAIL, 256, 3, reason="killed", expected="known (https://x.org/?a&b)"),
        Report("g", "sqrt/e5m2/e5m2/rne.sat", Verdict.XPASS, 256, expected="sqrt/e5m2/e5m2/rne.sat via-f32"),
    ]


def test_a_record_gives_back_the_reports() -> None:
    reports = every_verdict()
    assert record.reports_of(run_of(*reports)) == reports
    odd = Finding("abs/e5m2/e5m2", (1,), 1, 2, 3, 4, (), Diagnosis("unexplained", "", pattern="3 of 4; all positive"),
                  want_status=1, got_status=0, expected="so it is")  # fmt: skip
    assert Finding.from_json(odd.as_json()) == odd


def test_junit_is_read_by_another_parser() -> None:
    reports = every_verdict()
    text = RENDERERS["junit"].render([run_of(*reports), run_of(reports[1], finished=False)])
    first, second = xml.dom.minidom.parseString(text).getElementsByTagName("testsuite")
    counts = {name: first.getAttribute(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "8", "failures": "1", "errors": "2", "skipped": "2"}
    cases = {case.getAttribute("name"): case for case in first.getElementsByTagName("testcase")}
    assert list(cases) == [r.op for r in reports]
    kinds = {name: [child.tagName for child in case.childNodes if child.nodeType == 1] for name, case in cases.items()}
    assert [kinds[r.op] for r in reports] == [
        ["properties", "failure"], [], ["system-out"], ["skipped"], ["error"], ["error"], ["skipped"], ["system-out"],
    ]  # fmt: skip
    (failure,) = first.getElementsByTagName("failure")
    assert failure.getAttribute("type") == "rounding-rna"
    assert "0x38" in failure.firstChild.data
    assert "seen   element 3 of 9, strided layout" in failure.firstChild.data
    assert r"<Tuesdays> & \x00 such" in cases["decode/e5m2/f16"].firstChild.nextSibling.getAttribute("message")
    assert [e.getAttribute("message") for e in second.getElementsByTagName("error")] == ["the run did not finish"]


def test_junit_is_read_by_libxml2() -> None:
    etree = pytest.importorskip("lxml.etree")
    root = etree.fromstring(RENDERERS["junit"].render([run_of(*every_verdict())]).encode())
    assert len(root.findall("testsuite/testcase")) == 8


def test_stale_entries_are_errors_in_junit_and_lines_elsewhere() -> None:
    found = run_of(every_verdict()[1])
    found["end"]["stale"] = ["abs/* via-f32: no such failure was found"]
    assert RENDERERS["junit"].render([found]).count("<error ") == 1
    for name in ("text", "md"):
        assert "no such failure was found" in RENDERERS[name].render([found])


def test_markdown_is_a_table_with_every_mismatch() -> None:
    text = RENDERERS["md"].render([run_of(*every_verdict())])
    assert text.startswith(r"## k\_\<1\> 1\|2")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    # six columns, whatever stands in them
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [7] * 6
    assert [row.split("`")[1] for row in rows] == [r.op for r in every_verdict() if r.verdict.value not in
                                                   ("pass", "allowed")]  # fmt: skip
    assert text.count("```text\nFAIL ") == 1
    markdown_it = pytest.importorskip("markdown_it")
    html = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<tr>") == 7
    assert "<em>" not in html


@pytest.mark.parametrize(
    ("which", "finished", "message", "color"),
    [
        ([], True, "nothing ran", "lightgrey"),
        ([3], True, "nothing ran", "lightgrey"),
        ([1, 2], True, "conforms: 2 operations", "brightgreen"),
        ([1, 6], True, "1 operations right, 1 known failures", "yellow"),
        ([0, 1, 4], True, "2 of 3 operations fail", "red"),
        ([1], False, "not finished", "lightgrey"),
    ],
)
def test_badge(which: list[int], finished: bool, message: str, color: str) -> None:
    reports = every_verdict()
    found = json.loads(RENDERERS["badge"].render([run_of(*(reports[i] for i in which), finished=finished)]))
    assert found == {"schemaVersion": 1, "label": "fp8ref", "message": message, "color": color}


def test_a_finding_that_no_file_of_known_failures_covers_is_called_new() -> None:
    reports = every_verdict()[:1]
    for name in ("text", "md", "junit"):
        assert "new    no expected failure is" not in RENDERERS[name].render([run_of(*reports)])
        assert "new    no expected failure is" in RENDERERS[name].render([run_of(*reports, expected=3)])


def fp8ref(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.fp8ref(*arguments, cwd=folder)


def test_the_report_of_a_record_is_what_the_run_said_and_wrote(tmp_path: Path) -> None:
    files = ["--junit", "a.xml", "--md", "a.md", "--badge", "a.badge"]
    done = fp8ref(tmp_path, "check", "--impl", "mini:truncates", OP, "-o", "run.jsonl", *files)
    assert done.returncode == 1
    said = "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())
    for form, wanted in (("text", said), *((n, (tmp_path / f"a.{s}").read_text()) for n, s in
                                           (("junit", "xml"), ("md", "md"), ("badge", "badge")))):  # fmt: skip
        again = fp8ref(tmp_path, "report", "run.jsonl", "--as", form)
        assert (again.returncode, again.stdout) == (0, wanted)
    narrow = warm.fp8ref("report", "run.jsonl", cwd=tmp_path, env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, narrow)) <= 80
    two = fp8ref(tmp_path, "report", "run.jsonl", "run.jsonl", "--as", "json", "-o", "two.json")
    assert two.stdout == ""
    documents = json.loads((tmp_path / "two.json").read_text())
    assert [one.pop("causes")[0]["rule"] for one in documents] == ["rounding-rtz"] * 2
    assert documents == [record.read(tmp_path / "run.jsonl")] * 2
    assert "--force" in fp8ref(tmp_path, "report", "run.jsonl", "-o", "two.json").stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read run.jsonl"),
        ("nonsense", "run.jsonl:1: not a run record"),
        ('{"kind":"run","schema":"fp8ref/run/1"}\n{"kind":"operation"}\n', "1: field fp8ref of this run is missing"),
    ],
)
def test_bad_records_are_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "run.jsonl").write_text(content)
    done = fp8ref(tmp_path, "report", "run.jsonl")
    assert done.returncode == 4
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
