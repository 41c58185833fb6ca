"""What the checker concludes: verdicts, findings, and one report for each operation."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from .diagnose import Diagnosis


class Verdict(enum.StrEnum):
    """The verdict on an operation."""

    PASS = "pass"
    FAIL = "fail"
    ALLOWED = "allowed"  # departs only where the standards leave it open
    UNSUPPORTED = "unsupported"
    CRASH = "crash"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Finding:
    """Wrong answers of one operation with one diagnosis, shown by the smallest of them."""

    op: str
    inputs: tuple[int, ...]
    want: int
    got: int
    count: int
    of: int
    flags: tuple[str, ...]
    diagnosis: Diagnosis
    length: int = 1  # elements in the smallest call that shows it
    position: int = 0
    layout: str = "plain"
    want_status: int | None = None
    got_status: int | None = None

    @property
    def signature(self) -> str:
        """What stays the same from run to run while the implementation does."""
        where = f" {self.diagnosis.where}" if self.diagnosis.where else ""
        return f"{self.op} {self.diagnosis.rule}{where}"

    def as_json(self) -> dict[str, Any]:
        d = self.diagnosis
        return {
            "kind": "finding",
            "op": self.op,
            "inputs": [f"{code:X}" for code in self.inputs],
            "want": f"{self.want:X}",
            "got": f"{self.got:X}",
            "count": self.count,
            "of": self.of,
            "flags": list(self.flags),
            "rule": d.rule,
            "where": d.where,
            "diagnosis": str(d),
            "length": self.length,
            "position": self.position,
            "layout": self.layout,
            "want_status": self.want_status,
            "got_status": self.got_status,
            "signature": self.signature,
        }


@dataclass
class Report:
    """The verdict on one claimed operation."""

    claim: str
    op: str  # the operation judged: the claim with the mode that was found where it was free
    verdict: Verdict
    cases: int = 0
    failed: int = 0
    allowed: dict[str, int] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    source: str = ""
    reason: str = ""  # for unsupported, crash and timeout
    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return self.cases - self.failed - sum(self.allowed.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": "operation",
            "claim": self.claim,
            "op": self.op,
            "verdict": self.verdict.value,
            "cases": self.cases,
            "passed": self.passed,
            "failed": self.failed,
            "allowed": dict(sorted(self.allowed.items())),
            "profiles": list(self.profiles),
            "source": self.source,
            "reason": self.reason,
        }
