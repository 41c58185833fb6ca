"""What the instructions answered to the open questions, and to every input of the conversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ask_units import product_cases, reference
from draws import digest
from questions import QUESTIONS, Question, asked, predicted

from fp8ref.adapters.captures import blocks
from fp8ref.adapters.captures import files as captures
from fp8ref.cases.answers import is_nan
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, Codes, probes
from fp8ref.cases.products.questions import is_product
from fp8ref.check.proof.proof import Claim


# -- open questions ---------------------------------------------------------------------------------------------------
@dataclass
class Answered:
    """The answers to one question: the readings that give all of them, or the nearest one and where it fails."""

    op: Operation
    title: str
    cases: int
    agreeing: list[str] = field(default_factory=list)
    readings: int = 0
    nearest: str = ""
    misses: int = 0
    mismatch: str = ""
    nans: str = ""

    @property
    def shown(self) -> str:
        if self.agreeing:
            said = "; ".join(self.agreeing)
            return said if self.readings > 1 or said == "as claimed" else "every reading: these cases do not decide it"
        if not self.readings:
            return "no model to compare with"
        return f"none of the {self.readings}; nearest {self.nearest}, {self.misses} other: {self.mismatch}"


def questions_of(path: Path) -> list[Answered]:
    """Every question of a capture of ``ask_units.py probes``; none of another capture."""
    capture = captures.read(path)
    op = capture.operation
    if not is_product(op):
        return []
    every = product_cases(op)
    if len(capture.answers) != every.size or not all(map(np.array_equal, capture.operands, every.operands)):
        return []
    at, found = probes(op).size, []
    for question in QUESTIONS:
        cases = asked(op, question)
        if cases is not None:
            found.append(answered(op, question, cases, capture.answers[at : at + cases.size]))
            at += cases.size
    return found


def answered(op: Operation, question: Question, cases: Cases, got: Codes) -> Answered:
    """Which readings of a question give the answers, all codes of a NaN being one."""
    found = Answered(op, question.title, cases.size)
    wrong = {}
    for name, want in predicted(op, question, cases).items():
        off = np.flatnonzero((got != want) & ~(is_nan(got, op.result) & is_nan(want, op.result)))
        wrong[name] = off
        if off.size:
            first = int(off[0])
            said = f"{cases.names[first]}: {int(got[first]):X} instead of {int(want[first]):X}"
            if not found.nearest or off.size < found.misses:
                found.nearest, found.misses, found.mismatch = name, int(off.size), said
        else:
            found.agreeing.append(name)
    found.readings = len(wrong)
    codes = np.unique(got[is_nan(got, op.result)])
    found.nans = " ".join(f"{int(code):X}" for code in codes[:6]) + (" ..." if codes.size > 6 else "")
    return found


def questions_table(found: list[Answered]) -> str:
    """Rows of Markdown, by question."""
    rows = ["| question | product | cases | what agrees | NaN |", "| --- | --- | ---: | --- | --- |"]
    for title in dict.fromkeys(a.title for a in found):
        for a in (a for a in found if a.title == title):
            name = f"{'.'.join(a.op.operands)} → {a.op.result}, `{a.op.mode}`, K = {a.op.key('k')}"
            rows.append(f"| {title} | {name} | {a.cases:,} | {a.shown.replace('|', '/')} | {a.nans} |")
    return "\n".join(rows)


# -- every input ------------------------------------------------------------------------------------------------------
@dataclass
class Swept:
    """One conversion over its inputs."""

    op: Operation
    source: Mapping[str, str]
    inputs: int
    asked: int = 0
    differ: int = 0
    nan_codes: int = 0
    examples: list[tuple[int, int, int]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def conversions_of(path: Path) -> list[tuple[Path, str]]:
    """A file and each of its operations, to be judged side by side.  Raises ValueError where it holds none."""
    names = dict.fromkeys(str(record.get("operation")) for record, _ in blocks.read(path).records)
    return [(path, name) for name in names]


def swept(one: tuple[Path, str]) -> Swept:
    """Hold every digest of an operation against the reference's, and say where the device said that it differs."""
    path, name = one
    file, op = blocks.read(path), Operation.parse(name)
    source = {str(key): str(value)[:400] for key, value in dict(file.header.get("source", {})).items()}
    claim = Claim(op)
    found = Swept(op, source, claim.inputs)
    for record, content in file.records:
        if record.get("operation") != name:
            continue
        first, count = int(record["first"]), int(record["count"])
        if (first, count) not in claim.shards:
            found.complaints.append(f"{name}: no shard of {count} inputs begins at {first:X}")
            continue
        found.asked += count
        same = digest([reference(op, first, count)]) == record["answers"]
        differ, nans = int(record["differ"]), int(record.get("nan_codes", 0))
        if same != (differ + nans == 0):
            found.complaints.append(f"{name}: shard {first:X} says {differ} differing answers, its digest otherwise")
        found.differ += differ
        found.nan_codes += nans
        found.examples += [(int(x), int(got), int(want)) for x, got, want in record.get("first_differing", [])]
        if content and digest([np.frombuffer(content, f"u{len(content) // count}")]) != record["answers"]:
            found.complaints.append(f"{name}: the answers from {first:X} on are not those of the digest")
    return found


def sweep_table(found: list[Swept]) -> str:
    rows = [
        "| conversion | inputs | asked | other numbers | other NaN codes | the first |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for s in found:
        first = "; ".join(f"{x:X} gives {got:X}, not {want:X}" for x, got, want in s.examples[:3])
        rows.append(f"| `{s.op.id}` | {s.inputs:,} | {s.asked:,} | {s.differ:,} | {s.nan_codes:,} | {first} |")
    return "\n".join(rows)
