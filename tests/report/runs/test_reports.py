"""The reports of docs/data/reports: each shows what it claims with the library alone, and says what the records say."""

from __future__ import annotations

import contextlib
import gzip
import importlib.metadata
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
REPORTS = sorted((ROOT / "docs" / "data" / "reports").glob("*/*.md"))
RECORDS = sorted((ROOT / "docs" / "data" / "matrix").glob("*.jsonl.gz"))
SHORT = ("torch",)  # run in this process


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "matrix"))


def parts(path: Path) -> tuple[str, str, str, int, str, str]:
    """Library, version, language and text of the program, which element it shows, what is seen there, what is right."""
    text = path.read_text(encoding="utf-8")
    named = re.search(r"^(\S+) (\S+), ", text.split("\n", 2)[2])
    program = re.search(r"```(\w+)\n(.*?)```\n\nIt prints(?:, as element (\d+) of \d+)?:", text, re.S)
    codes = re.findall(r"```text\n(\S+)\n```", text)
    assert named
    assert program
    assert len(codes) == 2
    return named[1], named[2], program[1], program[2], int(program[3] or 0), *codes


def shows(said: str, position: int) -> str:
    codes = re.findall(r"0x\w+", said)
    return codes[position] if codes else said.strip()


def prints(path: Path, run: Any) -> None:
    _, _, _, program, position, seen, right = parts(path)
    assert "fp8ref" not in program, "it needs the library alone"
    assert seen != right
    assert shows(run(program), position) == seen


def here(program: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(program, {})  # a file of this repository
    return said.getvalue()


@pytest.mark.parametrize("path", [p for p in REPORTS if p.parent.name.replace("-", "_") in SHORT], ids=lambda p: str(p))
def test_the_shortest_reports_show_what_they_claim(path: Path) -> None:
    library, version, *_ = parts(path)
    pytest.importorskip(library)
    if importlib.metadata.version(library).partition("+")[0] != version.partition("+")[0]:
        pytest.skip(f"the report is of {library} {version}")
    prints(path, here)


@pytest.mark.full
@pytest.mark.parametrize("path", REPORTS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_report_shows_what_it_claims(path: Path, tmp_path: Path, tools: None) -> None:
    library, version, language, *_ = parts(path)
    if language == "cpp":
        prints(path, lambda program: compiled(program, tmp_path))
        return
    python = environment(library, version)

    def run(program: str) -> str:
        file = tmp_path / "report.py"
        file.write_text(program)
        done = subprocess.run([python, "-P", str(file)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    prints(path, run)


def compiled(program: str, folder: Path) -> str:
    """What a program in C++ prints, compiled by the command that stands in it.  Skips without the library."""
    (folder / "report.cpp").write_text(program)
    command = re.search(r"// (c\+\+) \w+\.cpp (\$\((\S+) .*\))", program)
    assert command
    if shutil.which(command[3]) is None or shutil.which(command[1]) is None:
        pytest.skip(f"no {command[3]} on PATH")
    build = f"{command[1]} report.cpp {command[2]} -o report"
    subprocess.run(["sh", "-c", build], cwd=folder, timeout=300, check=True)
    return subprocess.run([folder / "report"], capture_output=True, text=True, timeout=60, check=True).stdout


def environment(library: str, version: str) -> str:
    """A Python with that version of a library: this one, or the environment of its row.  Skips where there is none."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        if importlib.metadata.version(library).partition("+")[0] == version.partition("+")[0]:
            return sys.executable
    import ask

    for one in ask.implementations():
        python = ask.folder_of(one) / "bin" / "python"
        names = {re.split(r"[\[=]", word.lower().replace("_", "-"))[0] for word in one.requires}
        if library.replace("_", "-") in names:
            if python.exists():
                return str(python)
            pytest.skip(f"no environment of {library}: python tools/matrix/ask.py {one.impl}")
    pytest.skip(f"{library} {version} is not installed here")


def test_every_finding_has_a_severity_and_every_table_a_finding(tools: None) -> None:
    """A finding that nobody looked at, a table that fits nothing, a record graded by other tables."""
    import known

    kinds, used = known.load(), set()
    for path in RECORDS:
        head, *lines = gzip.decompress(path.read_bytes()).split(b"\n")
        library = json.loads(head)["implementation"].get("name", "")
        for text in lines:
            if b'"kind":"finding"' in text:
                line = json.loads(text)
                kind = known.kind_of(kinds, library, line)
                assert kind, f"{library}: {line['op']} {line['rule']} is in no table of tools/matrix/known.toml"
                assert (line["severity"], line["decided"]) == (kind.severity.value, kind.because), "keep.py --grade"
                used.add(kind)
    assert not [kind.what for kind in kinds if kind not in used], "these tables fit no finding"


@pytest.mark.full
def test_the_reports_are_those_of_the_records(tools: None) -> None:
    import reports

    made = reports.made_pages()
    assert {str(path.relative_to(path.parents[1])): path.read_text("utf-8") for path in REPORTS} == made


OLD = [{"kind": "run", "implementation": {"name": "acme", "version": "1.0+cpu"}},
       {"kind": "operation", "op": "convert/f32/e5m2/rne.sat;nan=quiet", "verdict": "fail"},
       {"kind": "operation", "op": "abs/e5m2/e5m2", "verdict": "pass"},
       {"kind": "finding", "op": "convert/f32/e5m2/rne.sat;nan=quiet", "rule": "via-f16"}]  # fmt: skip
NEW = [{"kind": "run", "implementation": {"name": "acme", "version": "1.1"}},
       {"kind": "operation", "op": "convert/f32/e5m2/rne.sat", "verdict": "pass"},
       {"kind": "operation", "op": "neg/e5m2/e5m2", "verdict": "pass"}]  # fmt: skip


def test_what_changed_is_said_in_lines_of_a_changelog(tools: None) -> None:
    import changes

    same = {"a.jsonl.gz": OLD}
    assert list(changes.changelog(same, same)) == []
    assert list(changes.changelog(same, {"a.jsonl.gz": NEW})) == [
        "- acme 1.1: before acme 1.0; 1 operation more asked, pass; 1 operation from fail to pass; "
        "1 operation no longer asked, pass before; gone: convert/f32/e5m2/rne.sat;nan=quiet: via-f16."
    ]
    assert list(changes.changelog({}, {"a.jsonl.gz": NEW})) == ["- New row: acme 1.1, 2 pass."]
    assert list(changes.changelog(same, {})) == ["- No longer asked: acme 1.0."]
