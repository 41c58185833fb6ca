"""What the documentation shows is so: its doctests, its transcripts, its generated tables, and the docstrings."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from short import some

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT / "tools" / "docs"))

import md  # noqa: E402
import transcripts  # noqa: E402

from fp8ref.adapters.mutants.connect import FAULTY, MUTANTS  # noqa: E402

LONG_CALLS = ALL_CASES = True  # see tests/conftest.py

PAGES = sorted(
    p
    for p in DOCS.rglob("*.md")
    if not {"_build", "generated", "format", "wrong-rules"} & set(p.relative_to(DOCS).parts)
)
TRANSCRIBED = [p for p in PAGES if "```console" in p.read_text(encoding="utf-8")]
DOCUMENTED = ("fp8ref.spec", "fp8ref.arrays", "fp8ref.cases", "fp8ref.report", "fp8ref.cli", "fp8ref.fast")
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> Iterator[str]:
    for package in DOCUMENTED:
        yield package
        path = importlib.import_module(package).__path__
        yield from (m.name for m in pkgutil.iter_modules(path, f"{package}."))


def failures(found: doctest.DocTest) -> str:
    said: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(found, out=said.append, clear_globs=False)
    return "".join(said)


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_docstrings_hold(name: str) -> None:
    module = importlib.import_module(name)
    said = [failures(found) for found in doctest.DocTestFinder().find(module) if found.examples]
    assert not "".join(said)


def examples(page: Path) -> list[doctest.DocTest]:
    """The Python blocks of a page with prompts, as tests that share their names."""
    parser, names, found = doctest.DocTestParser(), {"__name__": "__main__"}, []
    for block in md.blocks(page.read_text(encoding="utf-8")):
        if block.language == "python" and ">>>" in block.text:
            test = parser.get_doctest(block.text, names, page.name, str(page), block.start)
            test.globs = names
            found.append(test)
    return found


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda p: str(p.relative_to(ROOT)))
def test_python_examples_of_the_pages_hold(page: Path) -> None:
    assert not "".join(failures(test) for test in examples(page))


def test_there_are_examples_to_hold() -> None:
    assert sum(len(test.examples) for page in PAGES for test in examples(page)) >= 20


def command(line: str, folder: Path, status: int) -> tuple[str, int]:
    """Run a line of a transcript; a plain one of fp8ref as a fork (``warm.py``)."""
    words = shlex.split(line)
    if words[0] != "fp8ref" or {"|", ">", "<", "&&", ";"} & set(words) or "$" in line or "#" in line:
        return transcripts.in_a_shell(line, folder, status)
    done = warm.fp8ref(*words[1:], cwd=folder, env=transcripts.ENVIRONMENT, together=True)
    return done.stdout, done.returncode


CHEAP = ("adapters", "fp8-formats", "hardware", "i-bert", "protocol", "scale-propagation", "scaling")
EVERY_DAY = [page for page in TRANSCRIBED if page.stem in CHEAP]


@pytest.mark.parametrize("page", some(TRANSCRIBED, EVERY_DAY, ids=lambda p: p.stem))  # .ci/run replays all of them
def test_transcripts_are_what_the_commands_print(page: Path) -> None:
    assert "internal error:" not in page.read_text(encoding="utf-8")
    different = [shown for shown in transcripts.replay(page, command) if not shown.agrees]
    assert not [shown.difference() for shown in different if not shown.missing]


def shown_by_commands() -> Iterator[tuple[str, str, str]]:
    """Page, command of fp8ref, and each line of what it prints."""
    for page in [ROOT / "README.md", *TRANSCRIBED]:
        for block in md.blocks(page.read_text(encoding="utf-8")):
            running = ""
            for line in block.text.splitlines() if block.language == "console" else ():
                if line.startswith("$ "):
                    running = line[2:]
                elif running.startswith("fp8ref ") and line.strip() not in ("", transcripts.LEFT_OUT):
                    yield page.stem, running, line


def test_transcripts_fit_a_terminal_of_80_columns() -> None:
    """What is meant for copying stays whole, and so do formats of files: JSON, and lines for a simulator."""
    shown = list(shown_by_commands())
    whole = re.compile(r"\s*(repro|again) |[{@]")
    assert not [(page, line) for page, _, line in shown if len(line) > 80 and not whole.match(line)]
    commands = {command.split()[1] for page, command, _ in shown if page == "commands"}
    assert len(commands) >= 10, commands


@pytest.mark.parametrize("page", TRANSCRIBED, ids=lambda p: p.stem)
def test_every_console_fence_is_seen(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert sum(block.language == "console" for block in md.blocks(text)) == text.count("```console\n")


def test_the_table_of_faults_is_of_these_mutants() -> None:
    found = json.loads((DOCS / "data" / "faults.json").read_text(encoding="utf-8"))
    assert [m["name"] for m in found["faulty"]] == list(FAULTY)
    assert [m["planted"] for m in found["faulty"]] == [MUTANTS[name].diagnosis for name in FAULTY]
    assert {m["name"] for kind in ("faulty", "correct", "misbehaving") for m in found[kind]} == set(MUTANTS)
    assert all(m["caught"] and m["as_expected"] for m in found["faulty"])
    assert sum(m["failing"] for m in found["correct"]) == 0


def test_the_table_of_pairs_is_of_these_mutants() -> None:
    found = json.loads((DOCS / "data" / "pairs.json").read_text(encoding="utf-8"))
    for size, count, most in (("2", 60, 0), ("3", 20, 4)):
        assert len(found[size]) == count
        assert sum(bool(entry["missed"]) for entry in found[size]) <= most
        for entry in found[size]:
            assert len(entry["names"]) == int(size)
            assert [MUTANTS[name].diagnosis for name in entry["names"]] == entry["planted"]


@pytest.mark.parametrize(
    ("recorded", "printed", "agrees"),
    [
        ("$ a\nx\ny", "$ a\nx\ny", True),
        ("$ a\nx", "$ a\nz", False),
        ("$ a\n...\ny", "$ a\n1\n2\ny", True),
        ("$ a\n...\ny", "$ a\n1\n2\nz", False),
        ("$ a\n1\n...\n3\n...\n5", "$ a\n1\n2\n3\n4\n5", True),
        ("$ a\n1\n...\n6\n...\n5", "$ a\n1\n2\n3\n4\n5", False),
        ("$ a\n...\n1\n2", "$ a\n2\n1", False),
        ("$ a\n...\n$ b\n...", "$ a\n1\n$ b", True),
    ],
)
def test_three_dots_stand_for_any_lines(recorded: str, printed: str, agrees: bool) -> None:
    assert transcripts.matches(recorded, printed) is agrees
