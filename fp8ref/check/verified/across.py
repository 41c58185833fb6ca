"""What the same operation in several rounding modes has in common: "in rne and rna; not in rtz, rtp and rtn"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...cases.operation import Operation
from ..diagnosis.diagnose import UNEXPLAINED
from ..verdict import Report
from .heard import Heard
from .passing import ROUNDINGS, holds_with, indistinct

KEYED = {  # rule of check, of its sums -> what to change to see whether cases decide it
    "tininess-before": {"tininess": "before"}, "tininess-after": {"tininess": "after"},
    "tininess-delivered": {"tininess": "delivered"},
}  # fmt: skip


def across_modes(reports: Sequence[Report], heard: Heard, passes: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines for operations that were verified in several modes: the keys under which all of them pass, else where each
    cause shows.  ``passes``: operation to the ids under which its answers are right."""
    groups: dict[str, dict[str, Report]] = {}
    for report in reports:
        base, rounding = _apart(Operation.parse(report.op))
        if rounding:
            groups.setdefault(base, {})[rounding] = report
    lines = []
    for base, modes in groups.items():
        if len(modes) < 2:
            continue
        if keys := _common(modes, heard, passes):
            lines.append(f"{base}: every mode passes with {keys}")
            continue
        causes: dict[str, str] = {}
        for report in modes.values():
            for f in report.findings:
                if f.diagnosis.rule != UNEXPLAINED:
                    causes.setdefault(f.symptom, str(f.diagnosis))
        for symptom, sentence in causes.items():
            where = {m: any(f.symptom == symptom for f in report.findings) for m, report in modes.items()}
            there = [m for m in modes if where[m]]
            open_ = [m for m in modes if not where[m] and _decides_nothing(modes[m], symptom, heard)]
            rest = [m for m in modes if not where[m] and m not in open_]
            said = "in every mode" if not rest and not open_ else f"in {joined(there)}"
            said += f"; not in {joined(rest)}" if rest else ""
            said += f"; {joined(open_)} cannot tell" if open_ else ""
            lines.append(f"{base}: {sentence}, {said}")
    return lines


def _common(modes: Mapping[str, Report], heard: Heard, passes: Mapping[str, Sequence[str]]) -> str:
    """The keys that make every mode right, where one set of them does."""
    for report in modes.values():
        own = dict(Operation.parse(report.op).keys)
        for name in passes.get(report.op, ()):
            other = Operation.parse(name)
            keys = {key: value for key, value in other.keys if own.get(key) != value}
            if keys and other.mode == Operation.parse(report.op).mode:
                parts = {one.op: heard.whole(one.op) for one in modes.values()}
                if all(p is not None and holds_with(Operation.parse(op), p, keys) for op, p in parts.items()):
                    return ";".join(f"{key}={value}" for key, value in keys.items())
    return ""


def _decides_nothing(report: Report, symptom: str, heard: Heard) -> bool:
    """Does every case of an operation have the same answer with this mistake?"""
    change, part = KEYED.get(symptom), heard.whole(report.op)
    return change is not None and part is not None and indistinct(Operation.parse(report.op), part, change)


def _apart(op: Operation) -> tuple[str, str]:
    """The id with its rounding left open, and the rounding; empty where the mode has none."""
    words = (op.mode or "").split(".")
    for i, word in enumerate(words):
        if word in ROUNDINGS:
            words[i] = "*"
            return replace(op, mode=".".join(words)).id, word
    return op.id, ""


def joined(names: Sequence[str]) -> str:
    """``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
