"""Known failures: which findings a project expects of an implementation, each with its reason, and which are new.

A file (TOML, or JSON of the same shape) lists entries::

    schema = "fp8ref/expected/1"

    [[expected]]
    operation = "convert/f64/*"        # an operation id or a glob
    finding = "via-f32"                # what is wrong: the signature without the operation, or a glob; crash, timeout
    reason = "float64 goes through float32"
    link = "https://..."               # optional, as are severity, count, digest, case and got

An entry excuses a finding of that very signature and nothing else.  ``count`` and ``digest`` are of the wrong answers
to the cases that the head of the file names (``level``, ``seed``, ``flag``); in a run that asks others, rule and
circumstance alone are compared.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..cases.operation import Operation
from .diagnosis.diagnose import UNEXPLAINED
from .verdict import Finding, Report, Severity, Verdict

SCHEMA = "fp8ref/expected/1"
LARGEST, LONGEST = 1 << 24, 1000  # bytes of a file, characters of a text
ENDED = (Verdict.CRASH, Verdict.TIMEOUT)
_HEAD = {"schema", "implementation", "expected", "level", "seed", "flag"}


@dataclass(frozen=True)
class Asking:
    """Which cases a run asks of an operation."""

    level: int = 1
    seed: int = 0
    flag: str = ""

    def __str__(self) -> str:
        return f"level {self.level}, seed {self.seed}" + (f", --flag {self.flag}" if self.flag else "")


@dataclass(frozen=True)
class Entry:
    """One expected failure.

    ``count``: of exactly so many cases; ``digest``: of these wrong answers.  ``case`` and ``got``: shown by this
    smallest case, operand codes joined by a point, and this answer, in hexadecimal; they distinguish one unexplained
    failure from another.  ``place`` is where in the file it stands.
    """

    operation: str
    finding: str
    reason: str
    link: str = ""
    count: int | None = None
    case: str = ""
    got: str = ""
    digest: str = ""
    severity: str = ""
    place: str = ""

    @property
    def text(self) -> str:
        return f"{self.operation} {self.finding}"

    @property
    def because(self) -> str:
        return f"{self.reason} ({self.link})" if self.link else self.reason

    @property
    def is_glob(self) -> bool:
        return any(c in self.operation for c in "*?[")

    def names(self, op: str) -> bool:
        return fnmatch.fnmatchcase(op, self.operation)

    def shows(self, symptom: str) -> bool:
        return fnmatch.fnmatchcase(symptom, self.finding)

    def judged(self, finding: Finding) -> Finding:
        """The finding with why it was expected, and how severe it is by which source."""
        severity = Severity(self.severity) if self.severity else finding.severity
        return replace(finding, expected=self.because, severity=severity, decided=self.link if self.severity else "")

    @property
    def excuses_everything(self) -> bool:
        """Does it say nothing of what fails, and nothing of where?"""
        return not self.finding.strip("*?") and not self.operation.strip("*?/")

    def excuses(self, finding: Finding, same_cases: bool = True) -> bool:
        """Is it this finding that is expected?  ``same_cases``: were the cases asked that the entry counts?"""
        return (
            self.names(finding.op)
            and self.shows(finding.symptom)
            and (not same_cases or self.count in (None, finding.count))
            and (not same_cases or not finding.digest or self.digest in ("", finding.digest))
            and self.case in ("", case_text(finding))
            and self.got in ("", f"{finding.got:X}")
        )


@dataclass
class Expectations:
    """The entries of a file, and which of them have excused something; ``judge`` every report of one run."""

    entries: tuple[Entry, ...] = ()
    used: set[Entry] = field(default_factory=set)
    passed: set[Entry] = field(default_factory=set)
    judged: list[Report] = field(default_factory=list)
    asked: Asking | None = None  # the cases that the entries count; None where the file does not say
    now: Asking | None = None  # the cases of this run

    @property
    def same_cases(self) -> bool:
        return self.asked is None or self.now is None or self.asked == self.now

    def judge(self, report: Report) -> Report:
        """Turn a verdict into xfail where everything wrong is expected, into xpass where a failure was and none is.

        An entry with a glob does not say which of its operations fail, so that none of them is xpass: it is stale where
        it excuses nothing.
        """
        self.judged.append(report)
        if report.verdict is Verdict.FAIL:
            for i, finding in enumerate(report.findings):
                excusing = [entry for entry in self.entries if entry.excuses(finding, self.same_cases)]
                if excusing:
                    self.used.update(excusing)
                    report.findings[i] = excusing[0].judged(finding)
            if report.findings and all(finding.expected for finding in report.findings):
                report.verdict = Verdict.XFAIL
        elif report.verdict in ENDED:
            for entry in self.entries:
                if entry.names(report.op) and entry.finding == report.verdict.value:
                    self.used.add(entry)
                    report.verdict, report.expected = Verdict.XFAIL, entry.because
                    break
        elif report.verdict in (Verdict.PASS, Verdict.ALLOWED):
            for entry in self.entries:
                if not entry.is_glob and entry.names(report.op):
                    self.passed.add(entry)
                    report.verdict, report.expected = Verdict.XPASS, entry.text
                    break
        return report

    def stale(self, claims: Iterable[str]) -> list[tuple[Entry, str]]:
        """The entries that no longer say anything true, and what is so instead.

        ``claims``: every operation id claimed.  What was not selected in this run is no evidence against an entry.
        """
        claims, found = list(claims), []
        for entry in self.entries:
            if entry in self.used or entry in self.passed:
                continue
            judged = [r for r in self.judged if may_name(entry, r.claim) or entry.names(r.op)]
            if judged:
                seen = {f.symptom for r in judged if entry.names(r.op) for f in r.findings}
                instead = f"found instead: {', '.join(sorted(seen))}" if seen else "no such failure was found"
                if any(map(entry.shows, seen)):
                    instead = "found with another count or case"
                found.append((entry, instead))
            elif not any(may_name(entry, claim) for claim in claims):
                found.append((entry, "no such operation is claimed"))
        return found


def may_name(entry: Entry, claim: str) -> bool:
    """Can an entry speak of a claim, whose mode may be free?"""
    return entry.names(claim) or fnmatch.fnmatchcase(entry.operation, claim)


def case_text(finding: Finding) -> str:
    """The operand codes of a finding's case, in hexadecimal, joined by a point."""
    return ".".join(f"{code:X}" for code in finding.inputs)


# -- files ------------------------------------------------------------------------------------------------------------
def load(path: Path) -> Expectations:
    """The expectations of a TOML or JSON file.

    Raises ValueError, one line with file and place, for anything else; OSError for an unreadable file.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: {path.stat().st_size} bytes; a file of expected failures has at most {LARGEST}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8: byte {error.start + 1}") from None
    is_json = path.suffix == ".json"
    try:
        data = json.loads(text) if is_json else tomllib.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ValueError(f"{path}{':' + line[1] if line else ''}: not TOML: {error}") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, lists in lists in lists
        raise ValueError(f"{path}: not {'JSON' if is_json else 'TOML'}: {error}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise ValueError(f"{path}: schema is {found!r:.40}; a file of expected failures says schema = {SCHEMA!r}")
    for key in data.keys() - _HEAD:
        raise ValueError(f"{path}: unknown key {key!r:.40}; choose from {', '.join(sorted(_HEAD))}")
    rows = data.get("expected", [])
    if not isinstance(rows, list):
        raise ValueError(f"{path}: expected is a list of tables, [[expected]], not {type(rows).__name__}")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*expected\s*\]\]", line)]
    places = [f"{path}:{lines[i]}" if len(lines) == len(rows) else f"{path}: expected[{i}]" for i in range(len(rows))]
    return Expectations(tuple(_entry(row, place) for row, place in zip(rows, places)), asked=_asking(data, path))


def _asking(data: dict[str, Any], path: Path) -> Asking | None:
    """The cases that the counts of a file are of."""
    given = {name: data[name] for name in ("level", "seed", "flag") if name in data}
    for name, value in given.items():
        kind = str if name == "flag" else int
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{path}: {name} is {'a text' if kind is str else 'a number'}, not {value!r:.80}")
    return Asking(**given) if given else None


def _entry(row: Any, place: str) -> Entry:
    if not isinstance(row, dict):
        raise ValueError(f"{place}: an expected failure is a table, not {type(row).__name__}")
    known = {f.name: int if f.name == "count" else str for f in fields(Entry) if f.name != "place"}
    for key, value in row.items():
        if key not in known:
            raise ValueError(f"{place}: unknown key {key!r:.40}; choose from {', '.join(known)}")
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise ValueError(f"{place}: {key} is {'a number' if known[key] is int else 'a text'}, not {value!r:.80}")
        if isinstance(value, str) and (len(value) > LONGEST or any("\ud800" <= c <= "\udfff" for c in value)):
            raise ValueError(f"{place}: {key} is a text of at most {LONGEST} characters, not {value!r:.80}")
    for key in ("operation", "finding", "reason"):
        if not row.get(key, "").strip():
            raise ValueError(f"{place}: {key} is missing; an expected failure has operation, finding and reason")
    entry = Entry(**row, place=place)
    if entry.severity and entry.severity not in [one.value for one in Severity]:
        raise ValueError(f"{place}: severity is one of {', '.join(Severity)}, not {entry.severity!r:.80}")
    if entry.severity == Severity.DOCUMENTED and not entry.link:
        raise ValueError(f"{place}: a documented choice has a link to where it is documented")
    if not entry.is_glob:
        try:
            op = Operation.parse(entry.operation)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if op.id != entry.operation:
            raise ValueError(f"{place}: operation {entry.operation!r} is written {op.id!r}")
    return entry


def entries_of(reports: Sequence[Report], known: Expectations | None = None) -> list[Entry]:
    """An entry for each failure of a run; reasons and links are kept from entries that are known already."""
    found: list[Entry] = []
    for report in reports:
        for finding in report.findings:
            old = next((e for e in known.entries if e.excuses(finding, False)), None) if known else None
            single = finding.diagnosis.rule == UNEXPLAINED and len(finding.inputs) <= 3
            found.append(
                Entry(
                    finding.op, finding.symptom,
                    old.reason if old else str(finding.diagnosis).partition("; ")[0], old.link if old else "",
                    severity=old.severity if old else "",
                    count=finding.count, case=case_text(finding) if single else "",
                    got=f"{finding.got:X}" if single else "", digest=finding.digest,
                )
            )  # fmt: skip
        if not report.findings and report.reason and report.verdict in (*ENDED, Verdict.XFAIL):
            ended = "timeout" if report.reason.startswith("no answer within") else "crash"
            old = next((e for e in known.entries if e.names(report.op) and e.finding == ended), None) if known else None
            found.append(Entry(report.op, ended, old.reason if old else report.reason, old.link if old else ""))
    return found


def written(entries: Sequence[Entry], implementation: str, asked: Asking | None = None) -> str:
    """The text of a TOML file of entries."""
    out = [f"schema = {_quoted(SCHEMA)}", f"implementation = {_quoted(implementation)}"]
    out += [f"{name} = {json.dumps(value)}" for name, value in (asdict(asked) if asked else {}).items()]
    for entry in entries:
        out += ["", "[[expected]]"]
        for f in fields(entry):
            value = getattr(entry, f.name)
            if f.name != "place" and value not in ("", None):
                out.append(f"{f.name} = {value if isinstance(value, int) else _quoted(value)}")
    return "\n".join(out) + "\n"


def as_json(entries: Sequence[Entry], implementation: str, asked: Asking | None = None) -> str:
    """The same as JSON."""
    rows = [
        {f.name: v for f in fields(e) if f.name != "place" and (v := getattr(e, f.name)) not in ("", None)}
        for e in entries
    ]
    head = {"schema": SCHEMA, "implementation": implementation, **(asdict(asked) if asked else {})}
    return json.dumps({**head, "expected": rows}, indent=1) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
