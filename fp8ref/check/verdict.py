"""What the checker concludes: verdicts, findings, and one report for each operation."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .. import display
from .advice.pages import pages_of
from .diagnosis.diagnose import Diagnosis
from .failing import Failing
from .harness.outcomes import Crashed, Declined, Mishap, TimedOut

if TYPE_CHECKING:
    from .harness.transport import Session


class Verdict(enum.StrEnum):
    """The verdict on an operation."""

    PASS = "pass"
    FAIL = "fail"
    ALLOWED = "allowed"  # differs only where the standards leave it open
    UNSUPPORTED = "unsupported"
    UNDECIDED = "undecided"  # a free mode, and several behaviours fit the cases asked
    XFAIL = "xfail"  # differs only as a file of expected failures says
    XPASS = "xpass"  # conforms, although such a file expects a failure
    CRASH = "crash"
    TIMEOUT = "timeout"


class Severity(enum.StrEnum):
    """What a finding means; a file of expected failures may say it, with the source that decides it."""

    FAULT = "fault"  # contradicts the implementation's own documentation, or the specification
    UNDOCUMENTED = "undocumented-choice"  # nothing of the implementation promises otherwise
    DOCUMENTED = "documented-choice"  # the implementation says that it does so


@dataclass(frozen=True)
class Place:
    """Where in a matrix product an answer stands; ``alone``: the same dot product is right in a product of one row."""

    row: int
    column: int
    m: int
    n: int
    k: int
    alone: bool | None = None

    @property
    def text(self) -> str:
        alone = {True: "; alone it is right", False: "; alone it is wrong, too", None: ""}[self.alone]
        return f"row {self.row}, column {self.column} of M = {self.m}, N = {self.n}, K = {self.k}{alone}"


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
    expected: str = ""  # why it was expected, where it was
    digest: str = ""  # of all wrong answers; the same for the same ones in any order
    severity: Severity = Severity.FAULT
    decided: str = ""  # the source that decides the severity; the specification where it is empty
    place: Place | None = None  # of a matrix product
    picture: tuple[str, ...] = ()  # where the wrong answers lie
    want_amax: int | None = None  # of a finding about the amax beside a product, binary32
    got_amax: int | None = None

    @property
    def symptom(self) -> str:
        """What is wrong, without the operation: the rule and its circumstance."""
        return f"{self.diagnosis.rule} {self.diagnosis.where}".rstrip()

    @property
    def signature(self) -> str:
        """What stays the same from run to run while the implementation does."""
        return f"{self.op} {self.symptom}"

    def _repr_html_(self) -> str | None:
        return display.html("finding", self)

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
            **({"fits": list(d.fits)} if d.fits else {}),
            "pages": [page.name for page in pages_of(d.rule)],
            "length": self.length,
            "position": self.position,
            "layout": self.layout,
            "want_status": self.want_status,
            "got_status": self.got_status,
            "signature": self.signature,
            **({"expected": self.expected} if self.expected else {}),
            **({"digest": self.digest} if self.digest else {}),
            "severity": self.severity.value,
            **({"decided": self.decided} if self.decided else {}),
            **({"place": asdict(self.place)} if self.place else {}),
            **({"picture": list(self.picture)} if self.picture else {}),
            **({} if self.want_amax is None else {"want_amax": f"{self.want_amax:08X}"}),
            **({} if self.got_amax is None else {"got_amax": f"{self.got_amax:08X}"}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        """The finding of a line of a run record."""
        names = ("op", "count", "of", "length", "position", "layout", "want_status", "got_status")
        return cls(
            **{name: data[name] for name in names},
            inputs=tuple(int(code, 16) for code in data["inputs"]),
            want=int(data["want"], 16),
            got=int(data["got"], 16),
            flags=tuple(data["flags"]),
            diagnosis=Diagnosis.from_text(data["rule"], data["where"], data["diagnosis"], data.get("fits", ())),
            expected=data.get("expected", ""),
            digest=data.get("digest", ""),
            severity=Severity(data.get("severity", Severity.FAULT)),
            decided=data.get("decided", ""),
            place=Place(**data["place"]) if data.get("place") else None,
            picture=tuple(data.get("picture", ())),
            want_amax=int(data["want_amax"], 16) if "want_amax" in data else None,
            got_amax=int(data["got_amax"], 16) if "got_amax" in data else None,
        )


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
    expected: str = ""  # why a crash, a timeout or a refusal was expected; for xpass, which failure was
    mishaps: list[Mishap] = field(default_factory=list)  # until the report is concluded
    digest: int = 0  # of the wrong answers, until the report is concluded
    declines: str = ""  # which calls it declined, where it answered others
    unasked: str = ""  # which calls were left out for their time
    asked: str = ""  # where it was not all of the plan: "captured", "--flag exact"
    fits: tuple[str, ...] = ()  # the behaviours that give every answer, where there are several
    failing: Failing | None = None  # every wrong answer, where they are to be kept
    alike: tuple[str, ...] = ()  # what was found has these names, too: they answer every case asked alike
    chosen: dict[str, str] = field(default_factory=dict)  # the answer to each open question that differs from ours

    @property
    def in_part(self) -> bool:
        """Is what it answered right, and not all that was asked?"""
        return bool(self.declines) and self.verdict in (Verdict.PASS, Verdict.ALLOWED)

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
            **({"chosen": dict(sorted(self.chosen.items()))} if self.chosen else {}),
            **({"asked": self.asked} if self.asked else {}),
            **({"fits": list(self.fits)} if self.fits else {}),
            **({"alike": list(self.alike)} if self.alike else {}),
            **({"declines": self.declines} if self.declines else {}),
            **({"unasked": self.unasked} if self.unasked else {}),
            **({"expected": self.expected} if self.expected else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], findings: Iterable[Finding] = ()) -> Report:
        """The report of a line of a run record; ``findings`` are its own."""
        names = ("claim", "op", "cases", "failed", "allowed", "source", "reason")
        return cls(
            **{name: data[name] for name in names},
            verdict=Verdict(data["verdict"]),
            profiles=tuple(data["profiles"]),
            findings=list(findings),
            declines=data.get("declines", ""),
            unasked=data.get("unasked", ""),
            asked=data.get("asked", ""),
            fits=tuple(data.get("fits", ())),
            alike=tuple(data.get("alike", ())),
            chosen=dict(data.get("chosen", {})),
            expected=data.get("expected", ""),
        )


@contextmanager
def misbehaviour(session: Session, report: Report) -> Iterator[None]:
    """What an implementation does other than answering becomes the verdict; what it did once is kept for the end."""
    session.mishaps.clear()
    try:
        yield
    except Declined as error:
        report.verdict, report.reason = Verdict.UNSUPPORTED, str(error)
    except Crashed as error:
        report.verdict, report.reason = Verdict.CRASH, str(error)
    except TimedOut as error:
        report.verdict, report.reason = Verdict.TIMEOUT, str(error)
    report.mishaps += session.mishaps
