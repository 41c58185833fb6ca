"""Findings of sibling operations together: one cause, the operations that show it, and those asked that do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...cases.operation import Operation
from ...check.diagnosis.diagnose import UNEXPLAINED
from ...check.verdict import Finding, Report, Verdict

JUDGED = (Verdict.PASS, Verdict.ALLOWED, Verdict.FAIL, Verdict.XFAIL, Verdict.XPASS)
Kind = tuple[str, str, str]  # family, types, keys: what siblings share but for their modes


@dataclass(frozen=True)
class Cause:
    """Findings with one diagnosis.

    ``others``: operations that were judged and do not show it, of the families and types that do in another mode.
    """

    findings: tuple[Finding, ...]
    others: tuple[str, ...] = ()

    @property
    def operations(self) -> tuple[str, ...]:
        return tuple(finding.op for finding in self.findings)

    @property
    def text(self) -> str:
        """``add, mul of e5m2: rne.nonsat, rna.nonsat; not rtz.nonsat``."""
        return gathered(self.operations) + (f"; not {gathered(self.others)}" if self.others else "")

    def as_json(self) -> dict[str, Any]:
        diagnosis = self.findings[0].diagnosis
        return {
            "rule": diagnosis.rule,
            "where": diagnosis.where,
            "diagnosis": str(diagnosis),
            "operations": list(self.operations),
            "others": list(self.others),
            "count": sum(finding.count for finding in self.findings),
            "text": self.text,
        }


def causes(reports: Sequence[Report], each: bool = False) -> list[Cause]:
    """Findings that nothing expects, those with the same diagnosis together, in the order of the reports.

    Those without a diagnosis, and all of them for ``each``, stand alone.
    """
    groups: dict[object, list[Finding]] = {}
    for report in reports:
        for finding in report.findings:
            if not finding.expected:
                d = finding.diagnosis
                alone = each or d.rule == UNEXPLAINED
                groups.setdefault((finding.op, len(groups)) if alone else (d.rule, d.where), []).append(finding)
    judged = _by_kind(report.op for report in reports if report.verdict in JUDGED and not each)
    return [Cause(tuple(found), _others(found, judged)) for found in groups.values()]


def _others(found: Sequence[Finding], judged: dict[Kind, list[str]]) -> tuple[str, ...]:
    if len(found) < 2 or found[0].diagnosis.rule == UNEXPLAINED:
        return ()
    shown = {finding.op for finding in found}
    return tuple(op for kind in _by_kind(f.op for f in found) for op in judged.get(kind, ()) if op not in shown)


def _by_kind(ids: Iterable[str]) -> dict[Kind, list[str]]:
    found: dict[Kind, list[str]] = {}
    for id_ in ids:
        if parsed := _parts(id_):
            found.setdefault(parsed[0], []).append(id_)
    return found


def _parts(id_: str) -> tuple[Kind, str] | None:
    """The kind of an operation and its mode; None for what is none, as a stranger's record may hold."""
    try:
        op = Operation.parse(id_)
    except (ValueError, KeyError):
        return None
    types = {*op.operands, op.result}
    said = op.result if len(types) == 1 else f"{'.'.join(op.operands)} to {op.result}"
    keys = ";".join(f"{key}={value}" for key, value in op.keys if key != "flags")
    return (op.family, said, keys), op.mode or ""


def gathered(ids: Sequence[str]) -> str:
    """Operations in few words: families that have the same modes together, and types that have the same families."""
    modes: dict[Kind, list[str]] = {}
    rest = []
    for id_ in ids:
        if parsed := _parts(id_):
            modes.setdefault(parsed[0], []).append(parsed[1])
        else:
            rest.append(id_)
    families: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (family, types, keys), some in modes.items():
        families.setdefault((types, keys, tuple(dict.fromkeys(some))), []).append(family)
    together: dict[tuple[tuple[str, ...], str, tuple[str, ...]], list[str]] = {}
    for (types, keys, some_modes), names in families.items():
        together.setdefault((tuple(names), keys, some_modes), []).append(types)
    said = []
    for (names_, keys, some_modes), types_ in together.items():
        text = f"{', '.join(names_)} of {', '.join(types_)}" + (f" ({keys})" if keys else "")
        said.append(text + (f": {', '.join(some_modes)}" if any(some_modes) else ""))
    return "; ".join([*said, *rest])
