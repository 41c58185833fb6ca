"""Several runs as one matrix, implementations by operations: plain data for a page to show.

A row is a question without its mode (``convert/f32/e4m3fn``); a cell holds what an implementation was asked there, in
every mode.  Nothing is judged here.  Texts of a record are made plain; a page must escape all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...cases.families import FAMILIES
from ...cases.operation import INTEGERS, WIDE, Operation
from ...check.advice.pages import pages_of
from ...check.verdict import Finding, Report, Severity, Verdict
from ...escapes import plain_data
from ...spec import catalog
from .record import reports_of
from .reproductions import script
from .text import BAD, drawing

# worst first: what a cell with several modes shows
ORDER = (
    Verdict.CRASH, Verdict.TIMEOUT, Verdict.FAIL, Verdict.XPASS, Verdict.XFAIL, Verdict.UNDECIDED, Verdict.ALLOWED,
    Verdict.PASS, Verdict.UNSUPPORTED,
)  # fmt: skip
# kind of a family -> group; in the order of the page
GROUPS = {
    "convert": "Conversions into", "decode": "Decoding of", "arithmetic": "Arithmetic on", "dot": "Products of",
    "scale": "Scaling of", "compare": "Comparisons of", "codes": "Signs, neighbours, classes of",
    "int": "Integers from", "constant": "Constants of", "other": "Operations of",
}  # fmt: skip
GROUP_OF_KIND = {**{kind: kind for kind in GROUPS}, "test": "codes"}
OTHER, UNKNOWN = "other", "unknown kind"
P3109, BLOCKS, WIDER = "P3109", "blocks", "wider"
FIRST = ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu", "e2m1fn", "e2m3fn", "e3m2fn", "e4m3", "e3m4")
LAST = (P3109, BLOCKS, WIDER, UNKNOWN)
APART = ("why", "spec", "repro", "again", "mend")  # lines of a drawing that a page shows in places of their own
FINDINGS = 8  # kept of one operation


@dataclass(frozen=True)
class Place:
    """Where an operation stands: its group, the column of its narrow format, its row, and the row's label."""

    group: str
    format: str
    key: str
    label: str
    mode: str


@dataclass
class Implementation:
    """A column: who, how many operations, and the reports by row."""

    id: str
    name: str
    version: str
    detail: str
    header: Mapping[str, Any]
    end: Mapping[str, Any]
    reports: list[Report]
    cells: dict[str, list[Report]] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        return sum(report.verdict is not Verdict.UNSUPPORTED for report in self.reports)

    @property
    def bad(self) -> int:
        return sum(report.verdict in BAD for report in self.reports)

    @property
    def allowed(self) -> dict[str, int]:
        """Operations by the variation that they show."""
        return dict(sorted(Counter(name for report in self.reports for name in report.allowed).items()))

    @property
    def state(self) -> str:
        """``not asked``, ``fail``, ``unfinished``, ``xfail`` (fails as expected), ``part`` or ``pass``."""
        if not self.judged:
            return "not asked"
        if self.bad:
            return "fail"
        if not self.end.get("finished"):
            return "unfinished"
        if any(report.verdict is Verdict.XFAIL for report in self.reports):
            return "xfail"
        judged = [report for report in self.reports if report.verdict is not Verdict.UNSUPPORTED]
        return "part" if all(r.in_part or r.verdict is Verdict.UNDECIDED for r in judged) else "pass"

    @property
    def summary(self) -> str:
        """One line: conforms, or how many operations fail.  Never a percentage."""
        operations = f"{self.judged} operation{'s' if self.judged != 1 else ''}"
        said = {
            "not asked": f"not asked: {self.end.get('reason') or 'it offers nothing'}",
            "fail": f"{self.bad} of {operations} fail",
            "unfinished": f"{operations} conform{'s' if self.judged == 1 else ''}; the run did not finish",
            "xfail": f"{operations}: differs only as expected",
            "part": f"{operations} pass{'es' if self.judged == 1 else ''} in part",
            "pass": self._conforms(),
        }
        return said[self.state]

    def _conforms(self) -> str:
        in_part = sum(report.in_part for report in self.reports)
        whole = self.judged - in_part
        more = f", {in_part} pass{'es' if in_part == 1 else ''} in part" if in_part else ""
        return f"conforms: {whole} operation{'s' if whole != 1 else ''}{more}"


@dataclass
class Matrix:
    """``places``: the rows in the order of the page, by key."""

    implementations: list[Implementation]
    places: dict[str, Place]

    @property
    def formats(self) -> list[str]:
        """Columns of the picture that occur, the well-known first."""
        found = {place.format for place in self.places.values()}
        rest = sorted(found - {*FIRST, *LAST})
        return [name for name in (*FIRST, *rest, *LAST) if name in found]

    @property
    def groups(self) -> list[str]:
        found = {place.group for place in self.places.values()}
        return [name for name in GROUPS if name in found]


def place_of(id_: str) -> Place:
    """The place of an operation; of an id that is none, a row of its own."""
    try:
        op = Operation.parse(id_)
    except (ValueError, KeyError):
        return Place(OTHER, UNKNOWN, id_, id_, "")
    rest = op.id[len("/".join([op.family, ".".join(op.operands), op.result])) :].removeprefix("/")
    group, operands = GROUP_OF_KIND.get(op.asked.kind, OTHER), " ".join(op.operands)
    if group == "convert" and op.result in WIDE and op.operands[0] not in (*WIDE, *INTEGERS):
        group = "decode"  # where the wide format does not hold every value, it has a mode
    if group in ("convert", "decode", "int"):
        label = f"{operands} → {op.result}"
    elif group in ("dot", "scale") or len({*op.operands, op.result} - {"bool", "class"}) > 1:
        label = f"{op.family} {operands} → {op.result}"
    else:
        label = op.family
    return Place(group, _column(op), op.id[: len(op.id) - len(rest)].rstrip("/"), label, rest)


def _column(op: Operation) -> str:
    if op.asked.kind == "scale":
        return BLOCKS
    of_result = op.asked.kind == "convert" and op.result not in (*WIDE, *INTEGERS)
    name = op.result if of_result else op.operands[0]
    if name in WIDE or name in INTEGERS:
        return WIDER
    f = catalog.get_format(name)
    return P3109 if f.source == catalog.P3109 else WIDER if f.k > 8 else f.name


def build(documents: Sequence[Mapping[str, Any]]) -> Matrix:
    """The matrix of run records, as :func:`fp8ref.report.runs.record.read` gives them, in the order of their names."""
    implementations: list[Implementation] = []
    for document in documents:
        one = _implementation(plain_data(document))
        same = sum(other.id.partition("~")[0] == one.id for other in implementations)
        implementations.append(replace(one, id=f"{one.id}~{same + 1}") if same else one)
    implementations.sort(key=lambda one: (not one.judged, one.name.lower(), one.version))
    places: dict[str, Place] = {}
    for one in implementations:
        for report in one.reports:
            place = place_of(report.op)
            places.setdefault(place.key, place)
            one.cells.setdefault(place.key, []).append(report)
    found = Matrix(implementations, places)
    rank = {name: i for i, name in enumerate(GROUPS)}, {name: i for i, name in enumerate(found.formats)}
    families = {name: i for i, name in enumerate(FAMILIES)}

    def key(place: Place) -> tuple[Any, ...]:
        family, *types = place.key.split("/")
        order = [*map(_types, types)], families.get(family, len(families))
        return rank[0][place.group], rank[1][place.format], *order, place.key

    found.places = {place.key: place for place in sorted(places.values(), key=key)}
    return found


def _implementation(document: Mapping[str, Any]) -> Implementation:
    header = document["header"]
    identity = {str(key): str(value) for key, value in dict(header["implementation"]).items()}
    name, version = identity.pop("name", str(header["impl"])), identity.pop("version", "")
    mode = identity.get("mode", "eager")
    name += f" ({mode})" if mode != "eager" else ""
    detail = ", ".join(value if key == "device" else f"{key} {value}" for key, value in identity.items())
    detail = ", ".join(filter(None, [detail, str(header.get("cpu") or "")]))
    id_ = re.sub(r"[^a-z0-9.]+", "-", f"{name} {version}".lower()).strip("-")[:60] or "x"
    end = document["end"] or {"finished": False, "reason": "the record is torn"}
    return Implementation(id_, name, version, detail, header, end, reports_of(dict(document)))


def _types(operands: str) -> tuple[int, ...]:
    """Wide floats, integers, then the narrow types."""
    known = {name: i for i, name in enumerate(("f64", "f32", "bf16", "f16", *INTEGERS, *FIRST))}
    return tuple(known.get(name, 99) for name in operands.split("."))


def worst(reports: Iterable[Report]) -> Verdict:
    """The verdict that several operations show together."""
    return min((report.verdict for report in reports), key=ORDER.index)


def only_choices(reports: Iterable[Report]) -> bool:
    """Is the worst of these a wrong answer, and every wrong answer one where the implementation promises nothing?"""
    reports = list(reports)
    failing = [report for report in reports if report.verdict is Verdict.FAIL]
    return (
        bool(failing)
        and worst(reports) is Verdict.FAIL
        and all(report.findings for report in failing)
        and all(f.severity is not Severity.FAULT for report in failing for f in report.findings)
    )


def verdict_counts(reports: Sequence[Report]) -> str:
    """``2 of 14 operations fail``, or what they are otherwise."""
    bad = sum(report.verdict in BAD for report in reports)
    judged = sum(report.verdict is not Verdict.UNSUPPORTED for report in reports)
    if bad:
        return f"{bad} of {judged} operations fail"
    if not judged:
        return "unsupported"
    in_part = sum(report.in_part for report in reports)
    varied = sum(report.verdict is Verdict.ALLOWED for report in reports)
    if in_part:
        return f"{judged - in_part} operations conform, {in_part} in part"
    return f"{judged} operations conform" + (f", {varied} with an allowed variation" if varied else "")


def finding_data(finding: Finding, connectable: str, siblings: str = "") -> dict[str, Any]:
    """A finding as a page shows it: sentences, the drawing line by line, commands and a script.

    ``siblings``: the operations that show the same cause, where they are several.
    """
    said: dict[str, str] = {}
    try:
        found = [
            re.fullmatch(r"\s*(?:(\S.*?) {2,})?(.*)", line) for line in drawing(finding, connectable).splitlines()[1:]
        ]
        lines = [(match[1] or "", match[2]) for match in found if match]
        said = dict(lines)
        shown = [[label, rest] for label, rest in lines if label not in APART]
    except (ValueError, KeyError, AssertionError, ArithmeticError, TypeError):  # no operation of this version
        shown = [["input", " ".join(f"0x{code:X}" for code in finding.inputs)]]
        shown += [["want", f"0x{finding.want:X}"], ["got", f"0x{finding.got:X}"]]
    shown += [["in", siblings]] if siblings else []
    shown += [["where" if i == 0 else "", line] for i, line in enumerate(finding.picture)]
    return {
        "why": str(finding.diagnosis) + (f": {finding.expected}" if finding.expected else ""),
        "severity": finding.severity.value.replace("-", " "),
        "decided": finding.decided,
        "count": finding.count,
        "of": finding.of,
        "flags": list(finding.flags),
        "drawn": shown,
        "clause": said.get("spec", ""),
        "repro": said.get("repro", ""),
        "again": said.get("again", ""),
        "pages": [page.name for page in pages_of(finding.diagnosis.rule)],
        "script": script(finding, connectable),
    }
