"""Verified vectors as lines, as JSON, and as a document that the renderers of runs take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ..check.compare import Options
from ..check.expected import Expectations
from ..check.harness.transport import Hello
from ..check.outcome import Outcome, outcome
from ..check.verdict import Report, Verdict
from ..check.verified.across import across_modes
from ..check.verified.heard import Heard
from ..check.verified.passing import passing
from ..vectors.verify import Tally
from .runs import record
from .terminal import counted

SCHEMA = "fp8ref/verified/1"


@dataclass
class Verified:
    """``reports``: one an operation; ``passes``: operation to the ids under which its answers would all be right;
    ``across``: what modes have in common; ``stale``: expected failures that are none."""

    tally: Tally
    reports: list[Report]
    passes: dict[str, list[str]]
    across: list[str]
    stale: list[str]
    expected: int | None = None

    @classmethod
    def of(cls, tally: Tally, heard: Heard, nan: str, known: Expectations | None) -> Verified:
        """The report on what was verified; ``known``: its expected failures."""
        reports = heard.reports(nan)
        passes = {}
        for report in reports:
            part = heard.whole(report.op) if report.failed else None
            if part is not None:
                passes[report.op] = passing(heard.operations[report.op], part, nan)
        across = across_modes(reports, heard, passes)
        if known is not None:
            reports = [known.judge(report) for report in reports]
        stale = [f"{e.text}: {why}" for e, why in known.stale([r.op for r in reports])] if known else []
        return cls(tally, reports, passes, across, stale, None if known is None else len(known.entries))

    def outcome(self, strict: bool = False) -> Outcome:
        """What it comes to, with what is expected."""
        if self.tally.wrong and not any(report.failed for report in self.reports):
            return Outcome.FAILS
        return outcome(self.reports, stale=bool(self.stale), strict=strict)

    def lines(self) -> Iterator[str]:
        """Causes, ids that pass, and what is expected."""
        for report in self.reports:
            for finding in report.findings:
                of = f"{finding.count} of {counted(report.cases, 'case')}"
                yield f"why     {report.op}: {finding.diagnosis} ({of})"
                if finding.expected:
                    yield f"        expected: {finding.expected}"
            if found := self.passes.get(report.op):
                yield f"        passes as {' or '.join(found)}"
            if report.verdict is Verdict.XPASS:
                yield f"passes  {report.op}, which was expected to fail: {report.expected}"
        yield from (f"across  {line}" for line in self.across)
        yield from (f"stale   {line}" for line in self.stale)

    def document(self, path: str) -> dict[str, Any]:
        """The document of a run, whose implementation is the file."""
        claims = [report.op for report in self.reports]
        header = record.header_of(Hello({"name": path}, tuple(claims)), "", Options(), [], self.expected)
        header["operations"] = claims
        return record.document(header, self.reports, record.footer(self.reports, True, self.stale))

    def as_json(self, path: str, lost: bool = False) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "schema": SCHEMA,
            "file": path,
            "conforms": bool(self.tally.cases) and not lost and self.outcome() is Outcome.CONFORMS,
            "cases": self.tally.cases,
            "wrong": self.tally.wrong,
            "operations": [
                {
                    **report.as_json(),
                    "passes_as": self.passes.get(report.op, []),
                    "findings": [record.finding_json(finding) for finding in report.findings],
                }
                for report in self.reports
            ],
            "across": self.across,
            "stale": self.stale,
            "mismatches": [asdict(mismatch) for mismatch in self.tally.first],
        }
