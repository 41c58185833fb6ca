"""The record of a run: JSON lines, the same bytes for the same run; what varies stands in a file beside it.

A header line, then one line an operation and one a finding, then a footer.  A record without a footer is a torn one.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from .. import __version__
from ..cases.dots import is_product
from ..cases.operation import Operation
from ..check.run import Run
from ..check.verdict import Finding, Report
from .clauses import citation, clause_for
from .draw import exact_result

SCHEMA = "fp8ref/run/1"


def header(run: Run, expected: int | None = None) -> dict[str, Any]:
    """What was asked, of whom; ``expected``: how many failures a file of known ones lists, where there is one."""
    options = run.request.options
    return {
        "kind": "run",
        "schema": SCHEMA,
        "fp8ref": __version__,
        "implementation": dict(sorted(run.hello.identity.items())),
        "impl": run.request.connectable,
        "level": options.level,
        "seed": options.seed,
        "nan": options.nan,
        "flag": options.flag,
        "operations": [claim.id for claim in run.claims],
        **({} if expected is None else {"expected": expected}),
    }


def footer(reports: Sequence[Report], finished: bool, stale: Sequence[str] = ()) -> dict[str, Any]:
    """The totals; ``finished`` is false for a run that was interrupted or stopped at its first failure.

    ``stale``: what an expected failure that is none was, a line each.
    """
    allowed: Counter[str] = Counter()
    for report in reports:
        allowed.update(report.allowed)
    return {
        "kind": "end",
        "finished": finished,
        "verdicts": dict(sorted(Counter(report.verdict.value for report in reports).items())),
        "cases": sum(report.cases for report in reports),
        "failed": sum(report.failed for report in reports),
        "allowed": dict(sorted(allowed.items())),
        **({"stale": list(stale)} if stale else {}),
    }


def document(header: dict[str, Any], reports: Sequence[Report], footer: dict[str, Any]) -> dict[str, Any]:
    """A run as one document, as :func:`read` gives it."""
    return {
        "header": header,
        "operations": [report.as_json() for report in reports],
        "findings": [finding_json(finding) for report in reports for finding in report.findings],
        "end": footer,
    }


def reports_of(document: dict[str, Any]) -> list[Report]:
    """The reports that a document tells."""
    own: dict[str, list[Finding]] = {}
    for line in document["findings"]:
        own.setdefault(line["op"], []).append(Finding.from_json(line))
    return [Report.from_json(line, own.get(line["op"], ())) for line in document["operations"]]


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding with the clause that decides its case."""
    op = Operation.parse(finding.op)
    clause = "" if is_product(op) else citation(clause_for(op, exact_result(op, finding.inputs)))
    return {**finding.as_json(), "clause": clause}


class RecordWriter:
    """Writes a record line by line beside its final name, and moves it there at the end, whatever the end is."""

    def __init__(self, path: Path, force: bool) -> None:
        if path.exists() and not force:
            raise FileExistsError(f"{path} exists; --force replaces it")
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._file: TextIO = self._part.open("w", encoding="utf-8", newline="\n")

    def line(self, data: dict[str, Any]) -> None:
        self._file.write(json.dumps(data, sort_keys=True, separators=(",", ":")) + "\n")
        self._file.flush()

    def report(self, report: Report) -> None:
        self.line(report.as_json())
        for finding in report.findings:
            self.line(finding_json(finding))

    def close(self, meta: dict[str, Any]) -> None:
        self._file.close()
        os.replace(self._part, self.path)
        meta_path = self.path.with_suffix(".meta.json")
        meta_path.write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def meta(started: float, jobs: int) -> dict[str, Any]:
    """What differs from run to run."""
    return {
        "argv": sys.argv,
        "seconds": round(time.time() - started, 3),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "host": platform.node(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "jobs": jobs,
    }


def read(path: Path) -> dict[str, Any]:
    """A record as one document: ``header``, ``operations``, ``findings``, ``end`` (None for a torn record).

    A path that ends in ``.gz`` is a compressed record.
    Raises ValueError with file and line for anything that is not a record.
    """
    found: dict[str, Any] = {"header": None, "operations": [], "findings": [], "end": None}
    places = {"operation": "operations", "finding": "findings"}
    unpack = gzip.open if path.suffix == ".gz" else open
    with unpack(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                data = json.loads(line)
                kind = data["kind"]
            except (ValueError, TypeError, KeyError):
                if found["header"] is None:
                    raise ValueError(f"{path}:{number}: not a run record") from None
                with contextlib.suppress(StopIteration):
                    next(file)
                    raise ValueError(f"{path}:{number}: not a line of a run record") from None
                break  # a torn tail
            if (number == 1) != (kind == "run"):
                raise ValueError(f"{path}:{number}: a run record begins with its one header")
            if kind == "run":
                if data.get("schema") != SCHEMA:
                    raise ValueError(f"{path}:{number}: schema {data.get('schema')!r}, this version reads {SCHEMA}")
                found["header"] = data
            elif kind == "end":
                found["end"] = data
            elif kind in places:
                found[places[kind]].append(data)
            else:
                raise ValueError(f"{path}:{number}: unknown kind {kind!r}")
    if found["header"] is None:
        raise ValueError(f"{path}: an empty file is not a run record")
    return found
