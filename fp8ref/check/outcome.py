"""What a whole run comes to: the exit code, and the word that its last line begins with."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from .verdict import Finding, Report, Severity, Verdict

ENDED = (Verdict.CRASH, Verdict.TIMEOUT)
SEVERITIES = (Severity.FAULT, Severity.UNDOCUMENTED, Severity.DOCUMENTED)  # the severest first


class Outcome(enum.IntEnum):
    """The exit codes of a run that ended in good order."""

    CONFORMS = 0
    FAILS = 1
    INTERRUPTED = 2
    OPEN = 5  # nothing ran, nothing passes as a whole, or something is undecided
    ENDED = 6  # the implementation crashed or hung


def outcome(
    reports: Sequence[Report],
    finished: bool = True,
    *,
    stale: bool = False,
    strict: bool = False,
    fail_on: Severity | None = None,
) -> Outcome:
    """What the verdicts come to.

    ``stale``: an expected failure says nothing true any more, which counts where ``strict``, as one that passes does;
    ``fail_on``: expected failures that are at least so severe count, too.
    """
    verdicts = {report.verdict for report in reports}
    if not finished:
        return Outcome.INTERRUPTED
    if verdicts & set(ENDED):
        return Outcome.ENDED
    if Verdict.FAIL in verdicts or (strict and (stale or Verdict.XPASS in verdicts)) or refused(reports, fail_on):
        return Outcome.FAILS
    if Verdict.UNDECIDED in verdicts:
        return Outcome.OPEN
    whole = any(report.verdict is not Verdict.UNSUPPORTED and not report.in_part for report in reports)
    return Outcome.CONFORMS if whole else Outcome.OPEN


def refused(reports: Sequence[Report], fail_on: Severity | None) -> list[Finding]:
    """Findings that are expected, and at least so severe as may not be."""
    if fail_on is None:
        return []
    severe = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return [f for report in reports for f in report.findings if f.expected and f.severity in severe]


def severities(reports: Sequence[Report]) -> dict[Severity, int]:
    """How many operations that fail as expected have which as their severest finding."""
    counts: dict[Severity, int] = {}
    for report in reports:
        if report.verdict is Verdict.XFAIL:
            worst = min((f.severity for f in report.findings), key=SEVERITIES.index, default=Severity.FAULT)
            counts[worst] = counts.get(worst, 0) + 1
    return counts
