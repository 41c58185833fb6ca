"""The record of a run: JSON lines, the same bytes for the same run; what varies stands in a file beside it.

A header line, then one line an operation and one a finding, then a footer.  A record without a footer is a torn one.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...adapters.connect import Connectable
from ...cases.operation import Operation
from ...cases.products.questions import is_product
from ...check.compare import Options
from ...check.harness.transport import Hello
from ...check.run import Request, Run
from ...check.verdict import Finding, Report
from ...engines.task import compact
from ...outputs import open_own
from ...version import __version__
from ..findings.clauses import citation, clause_for
from ..findings.draw import exact_result
from .consistency import require_consistent
from .lines import check_line, lines_of

SCHEMA = "fp8ref/run/1"
PURE = ("mini", "replay")  # nothing there is compiled for this processor, or chooses code by it
FEATURES = (
    "avx", "avx2", "f16c", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "avx10", "asimdhp",
    "bf16", "sve", "sve2", "fp8cvt",
)  # fmt: skip


def cpu_features() -> str:
    """The processor's architecture, and which of its features libraries choose their code by."""
    found: set[str] = set()
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith(("flags", "Features")):
                found = set(line.partition(":")[2].split())
                break
    return " ".join([platform.machine(), *(name for name in FEATURES if name in found)])


def header(run: Run, expected: int | None = None) -> dict[str, Any]:
    """What was asked, of whom; ``expected``: how many failures a file of known ones lists, where there is one."""
    return header_of(run.hello, run.request.connectable, run.request.options, run.claims, expected)


def header_of(
    hello: Hello, connectable: str, options: Options, claims: Sequence[Operation], expected: int | None = None
) -> dict[str, Any]:
    """The same; ``connectable`` is empty for an implementation that nothing names."""
    pure = bool(connectable) and Connectable.parse(connectable).kind in PURE
    return {
        "kind": "run",
        "schema": SCHEMA,
        "fp8ref": __version__,
        "implementation": dict(sorted(hello.identity.items())),
        "impl": connectable,
        "level": options.level,
        "seed": options.seed,
        "nan": options.nan,
        "flag": options.flag,
        **({} if pure else {"cpu": cpu_features()}),
        "operations": [claim.id for claim in claims],
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
    """The reports that a document holds."""
    own: dict[str, list[Finding]] = {}
    for line in document["findings"]:
        own.setdefault(line["op"], []).append(Finding.from_json(line))
    return [Report.from_json(line, own.get(line["op"], ())) for line in document["operations"]]


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding with the clause that decides its case."""
    op = Operation.parse(finding.op)
    clause = "" if is_product(op) else citation(clause_for(op, exact_result(op, finding.inputs)))
    return {**finding.as_json(), "clause": clause}


def text(header: dict[str, Any], reports: Sequence[Report], footer: dict[str, Any]) -> str:
    """The lines of a record: the header, each operation with its findings, the end."""
    lines = [header]
    for report in reports:
        lines += [report.as_json(), *map(finding_json, report.findings)]
    return "".join(compact(line) + "\n" for line in [*lines, footer])


def meta_path(path: Path) -> Path:
    """Where what varies from run to run stands."""
    return path.with_suffix(".meta.json")


def meta(started: float, request: Request) -> dict[str, Any]:
    """What differs from run to run."""
    return {
        "argv": sys.argv,
        "seconds": round(time.time() - started, 3),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "host": platform.node(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "jobs": request.jobs,
        "engine": request.engine,
    }


def begins(path: Path, header: dict[str, Any]) -> bool:
    """Is a file the record that begins with a header, whole or not?"""
    line = f"{compact(header)}\n".encode()
    try:
        with open_own(path) as file:
            return file.read(len(line)) == line
    except OSError:
        return False


def read(path: Path) -> dict[str, Any]:
    """A record as one document: ``header``, ``operations``, ``findings``, ``end`` (None for a torn record).

    A path that ends in ``.gz`` is a compressed record.
    Raises ValueError with file and line for anything that is not a record, and for one that contradicts itself.  What
    it says is its sender's word: nothing in it shows that anybody was asked.
    """
    found: dict[str, Any] = {"header": None, "operations": [], "findings": [], "end": None}
    places = {"operation": "operations", "finding": "findings"}
    lines = lines_of(path)
    for number, line in lines:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            if found["header"] is None:
                raise ValueError(f"{path}:{number}: not a run record") from None
            with contextlib.suppress(StopIteration):
                next(lines)
                raise ValueError(f"{path}:{number}: not a line of a run record") from None
            break  # a torn tail
        if isinstance(data, dict) and data.get("kind") == "run" and data.get("schema") != SCHEMA:
            raise ValueError(f"{path}:{number}: schema {data.get('schema')!r:.40}, this version reads {SCHEMA}")
        if (number == 1) != (isinstance(data, dict) and data.get("kind") == "run"):
            raise ValueError(f"{path}:{number}: a run record begins with its one header")
        kind = check_line(data, f"{path}:{number}")
        if found["end"] is not None:
            raise ValueError(f"{path}:{number}: a {kind} after the end of the record")
        if kind in places:
            found[places[kind]].append(data)
        else:
            found["header" if kind == "run" else "end"] = data
    if found["header"] is None:
        raise ValueError(f"{path}: an empty file is not a run record")
    require_consistent(found, path)
    return found
