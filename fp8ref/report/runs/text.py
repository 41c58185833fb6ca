"""A run in the terminal: a table of operations, then the smallest counterexample of each finding, then totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ...cases.operation import Operation
from ...cases.products.questions import has_addend, is_fixed, is_product
from ...cases.scaling.questions import is_scale
from ...check.advice.pages import pages_of
from ...check.diagnosis.diagnose import UNEXPLAINED
from ...check.outcome import Outcome, outcome, severities
from ...check.verdict import Finding, Report, Severity, Verdict
from ...escapes import shell
from ..findings.draw import case_id, draw_case
from ..findings.products import amax_text, draw_product, product_case_id
from ..findings.scales import draw_scale, scale_case_text
from ..findings.siblings import Cause, causes
from ..terminal import counted, folded, rows, shown

STYLES = {
    Verdict.PASS: "green",
    Verdict.ALLOWED: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.CRASH: "bold red",
    Verdict.TIMEOUT: "bold red",
    Verdict.UNSUPPORTED: "dim",
    Verdict.UNDECIDED: "yellow",
    Verdict.XFAIL: "yellow",
    Verdict.XPASS: "bold yellow",
}
BAD = (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT)
ENDS = {Outcome.CONFORMS: "bold green", Outcome.OPEN: "bold yellow"}
ROOMY = 110  # columns: reasons stand beside the verdicts


def heading(header: Mapping[str, Any]) -> str:
    """Who is judged, and how, from the header of the record."""
    identity = dict(header["implementation"])
    name = " ".join(identity.pop(key) for key in ("name", "version") if key in identity)
    rest = ", ".join(f"{key} {value}" if key != "device" else value for key, value in identity.items())
    return f"{name}{f' ({rest})' if rest else ''}  level {header['level']}  seed {header['seed']}"


def table(reports: Sequence[Report], width: int) -> Iterator[Text]:
    """One row an operation; where there is little room, the last column stands below the others."""
    heads = ("operation", "cases", "allowed", "fail", "verdict", "")
    yield from rows(heads, map(_row, reports), width, right=(1, 2, 3), own_line=width < ROOMY)


def _row(report: Report) -> list[str | Text]:
    allowed = sum(report.allowed.values())
    counts = (f"{report.cases}", f"{allowed}" if allowed else "", f"{report.failed}" if report.failed else "")
    return [report.op, *counts, Text(report.verdict.value, STYLES[report.verdict]), remark(report)]


def remark(report: Report) -> str:
    """The last column: the diagnosis, the variation, the reason, or the profiles that the behaviour meets."""
    if report.verdict is Verdict.XPASS:
        return f"expected to fail: {report.expected}"
    if report.verdict is Verdict.XFAIL:
        severities = sorted({f.severity.value for f in report.findings if f.severity is not Severity.FAULT})
        known = "; ".join(dict.fromkeys([*(f.expected for f in report.findings), report.expected])).strip("; ")
        said = f" ({', '.join(severities)})" if severities else ""
        return f"expected{said}: {known}"
    if report.reason:
        return ": ".join(filter(None, [_asked(report), report.reason]))
    notes = [f"in part: {report.declines}" if report.in_part else report.declines] if report.declines else []
    notes += [_asked(report)] if report.asked else []
    notes += [report.unasked] if report.unasked else []
    if report.findings:
        causes = dict.fromkeys(
            d.rule if d.rule == UNEXPLAINED else str(d) for d in (f.diagnosis for f in report.findings)
        )
        return "; ".join([*causes, *notes])
    if report.claim != report.op:
        notes.append("mode found" + (f", the same as {_names(report.alike)}" if report.alike else ""))
    if report.allowed:
        notes.append(", ".join(_allowed(report)))
    if report.profiles:
        notes.append("meets " + ", ".join(report.profiles))
    return "; ".join(notes)


def _names(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _asked(report: Report) -> str:
    """What was asked, where it was a part."""
    if not report.asked:
        return ""
    captured, cases = report.asked == "captured", counted(report.cases, "case")
    return f"{cases.replace(' ', ' captured ')}" if captured else f"{cases} ({report.asked})"


def _allowed(report: Report) -> list[str]:
    """The variations, each with the answer that holds throughout."""
    chosen = {name: answer for name, answer in report.chosen.items() if answer != "throughout"}
    return [f"{name}: {chosen[name]}" if name in chosen else name for name in sorted(report.allowed)]


def drawing(finding: Finding, connectable: str = "", new: bool = False) -> str:
    """The counterexample of a finding, bit by bit, with why and how to see it again.

    Without ``connectable`` the command that judges again is left out; ``new``: say that no known failure covers it.
    """
    op = Operation.parse(finding.op)
    draw = draw_product if is_product(op) else draw_scale if is_scale(op) else draw_case
    block = draw(op, finding.inputs, finding.want, finding.got, str(finding.diagnosis))
    where = ""
    if finding.length != 1 or finding.layout != "plain":
        where = f"\n  seen   element {finding.position} of {finding.length}, {finding.layout} layout; alone it is right"
    if finding.place is not None:
        where = f"\n  seen     {finding.place.text}"
    if is_product(op) and has_addend(op) and not is_fixed(op):  # explain draws sums with C into floats
        where += f"\n  repro    fp8ref explain {shell(product_case_id(op, finding.inputs))}"
    status = ""
    if finding.want_status != finding.got_status:
        status = f"\n  status want {finding.want_status}, got {finding.got_status}"
    if finding.want_amax is not None and finding.got_amax is not None:
        status += f"\n  amax   want {amax_text(finding.want_amax)}, got {amax_text(finding.got_amax)}"
    again = f"\n  again  fp8ref check {shell(finding.op, True)} --impl {shell(connectable)}" if connectable else ""
    mend = "\n  mend   " + ", ".join(f"fp8ref help {page.name}" for page in pages_of(finding.diagnosis.rule))
    fresh = f"\n  new    no expected failure is {finding.signature}" if new else ""
    flags = f"  [{' '.join(finding.flags)}]" if finding.flags else ""
    case = op.id if is_product(op) else (scale_case_text if is_scale(op) else case_id)(op, finding.inputs)
    title = f"FAIL {case}{flags}  {finding.count} of {counted(finding.of, 'case')}"
    return f"{title}\n{block}{where}{status}{fresh}{again}{mend}"


def summary(reports: Sequence[Report], finished: bool = True, ends: Outcome | None = None) -> str:
    """The totals, last; they begin as the exit code says.

    ``ends``: what the run comes to, where more than the verdicts decides it.
    """
    ends = outcome(reports, finished) if ends is None else ends
    unsupported = sum(r.verdict is Verdict.UNSUPPORTED for r in reports)
    judged = len(reports) - unsupported
    rest = f" ({unsupported} unsupported)" if unsupported else ""
    begun = "" if finished else "the run did not finish: "
    if not judged:
        return f"{begun}nothing ran{rest}"
    passed = sum(r.verdict is Verdict.XPASS for r in reports)
    if passed:
        rest += f"; {counted(passed, 'operation')} expected to fail pass{'es' if passed == 1 else ''}"
    bad = [r for r in reports if r.verdict in BAD]
    if bad:
        cases, failed, wrong = (
            sum(r.cases for r in reports),
            sum(r.failed for r in bad),
            sum(r.failed > 0 for r in bad),
        )
        ended = [
            counted(n, what) for what in ("crash", "timeout") if (n := sum(r.verdict.value == what for r in reports))
        ]
        notes = (
            [f"{failed} of {counted(cases, 'case')} fail in {wrong} of {counted(judged, 'operation')}"] if wrong else []
        )
        return f"{begun}does not conform: {', '.join([*notes, *ended])}{rest}"
    plainly = ends in (Outcome.CONFORMS, Outcome.OPEN)
    said = "; ".join(_totals(reports, judged, plainly)) + asked_text(reports) + rest
    return begun + (f"does not conform: {said}" if ends is Outcome.FAILS else said)


def _totals(reports: Sequence[Report], judged: int, plainly: bool) -> list[str]:
    """What nothing fails unexpectedly in; what keeps a run from conforming comes first, also what is not ``plainly``
    to be said with it."""
    known = severities(reports)
    undecided = sum(r.verdict is Verdict.UNDECIDED for r in reports)
    in_part = sum(r.in_part for r in reports)
    whole = [r for r in reports if not r.in_part and r.verdict not in (Verdict.UNDECIDED, Verdict.XFAIL)]
    cases = sum(r.cases for r in whole)
    allowed = sum(sum(r.allowed.values()) for r in whole)
    with_allowed = f", {allowed} of them by an allowed variation" if allowed else ""
    right = judged - in_part - undecided - sum(known.values())
    parts = [f"{undecided} undecided"] if undecided else []
    if known:
        total = sum(known.values())
        kinds = [
            f"{count} {one.value}" + "s" * (count > 1) for one, count in known.items() if one is not Severity.FAULT
        ]
        parts.append(
            f"{counted(total, 'operation')} fail{'s' if total == 1 else ''} as expected"
            + (f" ({', '.join(kinds)})" if kinds else "")
        )
    if right:
        word = "conforms" if plainly and not parts else "right"
        parts.append(f"{word}: {counted(cases, 'case')} of {counted(right, 'operation')}{with_allowed}")
    if in_part:
        parts.append(f"{in_part} pass{'es' if in_part == 1 else ''} in part")
    return parts


def asked_text(reports: Sequence[Report]) -> str:
    """`` (--flag exact)`` where only a part of the cases was asked; else nothing."""
    asked = sorted({"captured cases alone" if r.asked == "captured" else r.asked for r in reports if r.asked})
    return f" ({'; '.join(asked)})" if asked else ""


def render(
    console: Console,
    header: Mapping[str, Any],
    reports: Sequence[Report],
    finished: bool,
    verbose: bool,
    stale: Sequence[str] = (),
    ends: Outcome | None = None,
) -> None:
    """Print the whole report: mismatches first, one drawing for each cause, the totals last.

    ``header``: of the record; ``stale``: lines about expected failures that are none; ``ends``: see :func:`summary`.
    """
    width = console.width
    shown(console, [folded(heading(header), width), ""])
    everything = verbose or len(reports) <= 24
    quiet = (Verdict.PASS, Verdict.ALLOWED)
    listed = reports if everything else [r for r in reports if r.verdict not in quiet]
    if listed:
        shown(console, table(listed, width))
    if not everything:
        shown(console, (folded(line, width) for line in gathered(reports)))
    counterexamples(console, header, reports, verbose)
    shown(console, ["", *(folded(line, width) for line in stale)])
    conclude(console, reports, finished, ends)


def conclude(console: Console, reports: Sequence[Report], finished: bool, ends: Outcome | None = None) -> None:
    """The last line."""
    ends = outcome(reports, finished) if ends is None else ends
    shown(console, [folded(summary(reports, finished, ends), console.width)], ENDS.get(ends, "bold red"))


def counterexamples(console: Console, header: Mapping[str, Any], reports: Sequence[Report], each: bool) -> None:
    """A drawing for each cause of findings that nothing expects; for ``each`` finding where that is asked for."""
    for cause in causes(reports, each):
        shown(console, ["", folded(cause_block(cause, header), console.width)])


def cause_block(cause: Cause, header: Mapping[str, Any]) -> str:
    """The drawing of the first finding of a cause, and the operations that show it where they are several."""
    block = drawing(cause.findings[0], header["impl"], new="expected" in header)
    return block + (f"\n  in     {cause.text}" if len(cause.findings) > 1 else "")


def gathered(reports: Sequence[Report], hint: str = " (--verbose lists them all)") -> list[str]:
    """The operations that are not in the table, one line for each way of conforming."""
    lines = []
    for name in sorted({name for r in reports for name in r.allowed}):
        counts = [r.allowed[name] for r in reports if name in r.allowed]
        lines.append(f"allowed  {name}: {counted(sum(counts), 'case')} in {counted(len(counts), 'operation')}")
    passing = sum(r.verdict is Verdict.PASS for r in reports)
    lines.append(f"pass     {counted(passing, 'operation')}{hint}")
    return lines
