"""Does a record contradict itself?  What it says of an operation, in its findings and in its totals is one story.

This finds a record that was damaged or changed by hand here and there.  It cannot show that anybody was asked: a record
is a statement by its sender.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...check.verdict import Verdict
from ...escapes import one_line

LONGEST = 300  # characters of what is said of it
Line = Mapping[str, Any]
RIGHT = {Verdict.PASS, Verdict.ALLOWED, Verdict.UNDECIDED, Verdict.XPASS}  # of which nothing fails


def require_consistent(document: Mapping[str, Any], path: object) -> None:
    """Raises ValueError that names the record and the first contradiction in it."""
    for said in _contradictions(document):
        raise ValueError(f"{path}: the record contradicts itself: {one_line(said, LONGEST)}")


def _contradictions(document: Mapping[str, Any]) -> Any:
    header, operations, findings, end = (document[name] for name in ("header", "operations", "findings", "end"))
    own: dict[str, list[Line]] = {}
    for finding in findings:
        own.setdefault(finding["op"], []).append(finding)
    for line in operations:
        yield from _of_operation(line, own.get(line["op"], ()))
    yield from (f"a finding is of {op}, which it does not judge" for op in own.keys() - {o["op"] for o in operations})
    claims = Counter(line["claim"] for line in operations)
    announced = Counter(header["operations"]) or claims  # what is kept for a page has no list
    for claim, count in claims.items():
        if count > announced[claim]:
            yield f"{claim} is judged {count} times, and its header announces it {announced[claim]} times"
    if end is None:
        return
    if end["finished"] and announced - claims:
        yield f"it is finished, and {next(iter(announced - claims))} of its header is not judged"
    allowed: Counter[str] = Counter()
    for line in operations:
        allowed.update(line["allowed"])
    totals = {
        "cases": sum(line["cases"] for line in operations),
        "failed": sum(line["failed"] for line in operations),
        "verdicts": dict(Counter(line["verdict"] for line in operations)),
        "allowed": dict(allowed),
    }
    for name, total in totals.items():
        if name in end and end[name] != total:
            yield f"its end says {name} {end[name]}, its operations {total}"


def _of_operation(line: Line, findings: Sequence[Line]) -> Any:
    op, verdict, cases, failed = line["op"], Verdict(line["verdict"]), line["cases"], line["failed"]
    allowed = sum(line["allowed"].values())
    if failed + allowed > cases:
        yield f"{op}: {failed} failed and {allowed} allowed of {cases} cases"
    if "passed" in line and line["passed"] != cases - failed - allowed:
        yield f"{op}: {line['passed']} passed of {cases} cases, {failed} failed, {allowed} allowed"
    if verdict in RIGHT and failed:
        yield f"{op}: {verdict.value}, and {failed} cases failed"
    if verdict is Verdict.PASS and allowed:
        yield f"{op}: pass, and {allowed} cases are allowed variations"
    if verdict is Verdict.ALLOWED and not allowed:
        yield f"{op}: allowed, and no case is an allowed variation"
    if verdict is Verdict.FAIL and not failed:
        yield f"{op}: fail, and no case failed"
    if verdict in RIGHT and findings:
        yield f"{op}: {verdict.value}, and it has findings"
    for finding in findings:
        if not 0 < finding["count"] <= min(finding["of"], failed) or finding["of"] > cases:
            yield f"{op}: a finding of {finding['count']} of {finding['of']} cases, where {failed} of {cases} failed"
