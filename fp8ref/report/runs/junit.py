"""A run as JUnit XML: one suite an implementation, one test case an operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from ...check.verdict import Report, Verdict
from ...escapes import xml
from . import text
from .record import reports_of

# verdict -> element of the test case, and the attribute of the suite that counts it
ELEMENTS = {
    Verdict.FAIL: ("failure", "failures"),
    Verdict.CRASH: ("error", "errors"),
    Verdict.TIMEOUT: ("error", "errors"),
    Verdict.UNSUPPORTED: ("skipped", "skipped"),
    Verdict.UNDECIDED: ("skipped", "skipped"),
    Verdict.XFAIL: ("skipped", "skipped"),
}


def junit(documents: Sequence[dict[str, Any]]) -> str:
    """JUnit XML.  A failure holds the drawn counterexamples; expected failures and refusals are skipped tests.

    A run that did not finish, and each stale expected failure, is an error of its own.
    """
    root = ElementTree.Element("testsuites", name="fp8ref")
    for document in documents:
        header, end = document["header"], document["end"] or {"finished": False}
        suite = ElementTree.SubElement(root, "testsuite", name=xml(text.heading(header)))
        for report in reports_of(document):
            _case(suite, report, header)
        for line in end.get("stale", ()):
            _extra(suite, "expected failures", line)
        if not end["finished"]:
            _extra(suite, "run", "the run did not finish")
        for attribute, tag in (("tests", "testcase"), *sorted({(a, f"testcase/{t}") for t, a in ELEMENTS.values()})):
            suite.set(attribute, str(len(suite.findall(tag))))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False) + "\n"


def _case(suite: ElementTree.Element, report: Report, header: dict[str, Any]) -> None:
    family = report.op.partition("/")[0]
    case = ElementTree.SubElement(suite, "testcase", classname=f"fp8ref.{family}", name=xml(report.op))
    remark = xml(text.remark(report))
    if report.findings:
        properties = ElementTree.SubElement(case, "properties")
        for finding in report.findings:
            said = f"{finding.severity.value}: {finding.symptom}" + (f" ({finding.decided})" if finding.decided else "")
            ElementTree.SubElement(properties, "property", name="severity", value=xml(said))
    if report.verdict in ELEMENTS:
        tag, _ = ELEMENTS[report.verdict]
        found = ElementTree.SubElement(case, tag, message=remark)
        if tag == "failure":
            found.set("type", xml(report.findings[0].diagnosis.rule) if report.findings else report.verdict.value)
        if report.findings:
            new = "expected" in header
            blocks = (text.drawing(f, header["impl"], new and not f.expected) for f in report.findings)
            found.text = xml("\n" + "\n\n".join(blocks) + "\n")
    elif remark:
        ElementTree.SubElement(case, "system-out").text = f"{report.verdict.value}: {remark}"


def _extra(suite: ElementTree.Element, name: str, message: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="fp8ref", name=name)
    ElementTree.SubElement(case, "error", message=xml(message))
