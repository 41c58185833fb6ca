"""What kind of finding each finding of the matrix is, by the tables of ``known.toml``: severity, sentence, source."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fp8ref.check.verdict import Severity

HERE = Path(__file__).parent
PATH = HERE / "known.toml"
FILES = HERE / "audited.toml"


@dataclass(frozen=True)
class Known:
    """One table: ``known.toml`` says what its fields mean."""

    library: str
    ops: tuple[str, ...]
    what: str
    severity: Severity
    decided: str
    source: str
    rules: tuple[str, ...] = ("*",)
    threads: tuple[str, ...] = ()
    cause: str = ""
    call: str = ""
    language: str = "python"
    shows: str = ""
    whole: bool = False

    @property
    def because(self) -> str:
        """The sentence and where it stands, as a record has it."""
        return f"{self.decided} ({self.source})"

    def fits(self, library: str, finding: Mapping[str, Any]) -> bool:
        """Is this finding of a record of that kind?"""
        return (
            library == self.library
            and any(fnmatch.fnmatchcase(finding["op"], glob + tail) for glob in self.ops for tail in ("", ";*"))
            and any(fnmatch.fnmatchcase(finding["rule"], glob) for glob in self.rules)
        )


@dataclass(frozen=True)
class Audited:
    """A fault of the files that a library writes.  ``call`` prints ``sees``, and would print ``right``."""

    library: str
    version: str
    what: str
    decided: str
    source: str
    cause: str
    call: str
    sees: str
    right: str
    breaks: str


def audited(path: Path = FILES) -> list[Audited]:
    """The tables of what the audit found, in their order."""
    return [Audited(**table) for table in tomllib.loads(path.read_text(encoding="utf-8"))["audited"]]


def load(path: Path = PATH) -> list[Known]:
    """The tables, in their order.  Raises ValueError for one with an unknown or a missing field."""
    names = {field.name for field in fields(Known)}
    found = []
    for table in tomllib.loads(path.read_text(encoding="utf-8"))["known"]:
        if unknown := set(table) - names:
            raise ValueError(f"{path}: unknown {', '.join(sorted(unknown))} in {table.get('what')!r}")
        lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
        try:
            found.append(Known(**{**table, **lists, "severity": Severity(table["severity"])}))
        except (TypeError, KeyError) as error:
            raise ValueError(f"{path}: {table.get('what')!r}: {error}") from None
    return found


def kind_of(known: Sequence[Known], library: str, finding: Mapping[str, Any]) -> Known | None:
    """The first table that fits a finding of a library, None where nobody has looked at it."""
    return next((one for one in known if one.fits(library, finding)), None)


def graded(known: Sequence[Known], lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a record, each finding with its severity and what decided it."""
    library = str(lines[0]["implementation"].get("name", ""))

    def grade(line: dict[str, Any]) -> dict[str, Any]:
        one = kind_of(known, library, line) if line["kind"] == "finding" else None
        return line if one is None else {**line, "severity": one.severity.value, "decided": one.because}

    return [grade(line) for line in lines]
