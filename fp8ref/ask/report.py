"""What ``fp8ref.judge`` found: verdicts, findings, cases, tables, files."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import display
from ..cases.operation import Operation
from ..check.failing import COLUMNS
from ..check.outcome import Outcome, outcome
from ..check.verdict import Finding, Verdict
from ..check.verdict import Report as OperationReport
from ..escapes import plain_data
from ..outputs import together
from ..report.runs import cases, record, text
from ..report.runs.renderers import RENDERERS, as_text
from .wrong import WrongAnswers, wrong_answers

WIDTH = 100
FORMS = {".md": "md", ".xml": "junit", ".html": "html", ".json": "json", ".txt": "text"}
Table = Literal["operations", "findings", "cases"]


@dataclass(frozen=True, eq=False)
class Report:
    """The verdicts on an implementation.

    ``header``: who was judged, and how.  ``operations``: for each operation its verdict, counts and findings.
    True where everything conforms, so that ``assert fp8ref.judge(f, operation)`` holds what it says.
    """

    header: Mapping[str, Any]
    operations: tuple[OperationReport, ...]

    @property
    def verdict(self) -> str:
        """Of all together: ``conforms``, ``fail``, ``crash``, ``timeout``, ``undecided``, or ``unsupported``."""
        verdicts = {report.verdict for report in self.operations}
        ends = outcome(self.operations)
        if ends is Outcome.CONFORMS:
            return "conforms"
        worst = (Verdict.CRASH, Verdict.TIMEOUT, Verdict.FAIL, Verdict.UNDECIDED)
        return next((verdict.value for verdict in worst if verdict in verdicts), Verdict.UNSUPPORTED.value)

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each operation, by its id: ``pass``, ``allowed``, ``fail``, ``crash`` and so on."""
        return {report.claim: report.verdict.value for report in self.operations}

    @property
    def findings(self) -> list[Finding]:
        """Why answers are wrong: a finding for each cause in each operation, with its smallest case."""
        return [finding for report in self.operations for finding in report.findings]

    def __bool__(self) -> bool:
        return self.verdict == "conforms"

    def __len__(self) -> int:
        return len(self.operations)

    def cases(self, finding: Finding | int | None = None) -> WrongAnswers:
        """The wrong answers of a finding, or of ``findings[i]``; of the only one, where there is one alone.

        Raises ValueError where that is none of this report.
        """
        known = self.findings
        if finding is None and len(known) != 1:
            raise ValueError(f"{len(known)} findings: say which, as cases(report.findings[0])")
        try:
            found = known[finding or 0] if finding is None or isinstance(finding, int) else finding
        except IndexError:
            raise ValueError(f"finding {finding}: there are {len(known)}") from None
        for report in self.operations:
            if any(found is own for own in report.findings):
                assert report.failing is not None
                return wrong_answers(Operation.parse(found.op), report.failing, str(found.diagnosis))
        raise ValueError("this finding is of another report")

    @property
    def document(self) -> dict[str, Any]:
        """The record of the run, as ``fp8ref check --json`` prints it."""
        return record.document(dict(self.header), self.operations, record.footer(self.operations, True))

    def to_frame(self, what: Table = "operations") -> Any:
        """A table of pandas, or of polars where that is installed and pandas is not.

        ``what``: a row for each of the ``operations``, the ``findings``, or the wrong answers (``cases``).  Raises
        ValueError for any other, ImportError without either.
        """
        rows = self._rows(what)
        for name in ("pandas", "polars"):
            try:
                return importlib.import_module(name).DataFrame(rows)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
        raise ImportError("a table needs pandas or polars: pip install pandas")

    def _rows(self, what: Table) -> dict[str, list[Any]]:
        lines: list[dict[str, Any]]
        if what == "operations":
            names = ["operation", "claim", "verdict", "cases", "allowed", "fail", "remark"]
            lines = [
                {"operation": r.op, "claim": r.claim, "verdict": r.verdict.value, "cases": r.cases,
                 "allowed": sum(r.allowed.values()), "fail": r.failed, "remark": text.remark(r)}
                for r in self.operations
            ]  # fmt: skip
        elif what == "findings":
            names = ["operation", "rule", "where", "count", "of", "inputs", "want", "got", "severity", "diagnosis"]
            lines = [
                {"operation": f.op, "rule": f.diagnosis.rule, "where": f.diagnosis.where, "count": f.count, "of": f.of,
                 "inputs": ".".join(f"{code:X}" for code in f.inputs), "want": f"{f.want:X}", "got": f"{f.got:X}",
                 "severity": f.severity.value, "diagnosis": str(f.diagnosis)}
                for f in self.findings
            ]  # fmt: skip
        elif what == "cases":
            names = list(COLUMNS)
            lines = [dict(zip(names, line)) for line in cases.lines_of(self.operations)]
        else:
            raise ValueError(f"{what!r}: choose from operations, findings, cases")
        return {name: [line[name] for line in lines] for name in names}

    def save(self, path: str | Path, force: bool = False) -> None:
        """Write a file, whose ending says what: .jsonl the run record, .json, .html, .md, .xml (JUnit), .txt, and
        .csv or .parquet with every wrong answer.

        Raises ValueError for another ending, FileExistsError where there is a file and not ``force``, OSError, and
        ImportError without the package that a form needs.
        """
        path = Path(path)
        if path.suffix == ".jsonl":
            end = record.footer(self.operations, True)
            content = record.text(dict(self.header), self.operations, end).encode()
        elif path.suffix in cases.FORMS:
            content = cases.rendered(self.operations, path.suffix)
        elif path.suffix in FORMS:
            content = RENDERERS[FORMS[path.suffix]].render([self.document]).encode()
        else:
            raise ValueError(f"{path}: the name should end in {', '.join(['.jsonl', *FORMS, *cases.FORMS])}")
        with together(force) as files, files.file(path) as file:
            file.write(content)

    def __repr__(self) -> str:
        return as_text([plain_data(self.document)], WIDTH).rstrip("\n")

    def _repr_html_(self) -> str | None:
        return display.html("run", self)
