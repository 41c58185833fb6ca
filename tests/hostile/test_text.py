"""Text from outside is data, in a terminal, in Markdown, in HTML, in JUnit, in JSON, and in a shell.

Every renderer gets a record with a hostile text in all places where a stranger writes; what comes out has the same
structure as with a harmless text of the same length, and no character in it does anything.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import unittest.mock
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from markdown_it import MarkdownIt

import fp8ref
from fp8ref import escapes
from fp8ref.cli.errors import BadInput
from fp8ref.report.runs import text as terminal_text
from fp8ref.report.runs.renderers import RENDERERS
from fp8ref.report.terminal import terminal

from .texts import ATTACKS, EVERYTHING, HOSTILE, records_with

FEW = settings(max_examples=8, deadline=None, derandomize=True, database=None)


def harmless(text: str) -> str:
    """As long as the text is when it is plain."""
    return "x" * len(escapes.plain(text))


def only_text(said: str) -> None:
    bad = sorted({c for c in said if not c.isprintable()} - {"\n"})
    assert not bad, bad


def same_shape(form: str, text: str, shape: Any) -> str:
    pytest.importorskip("jinja2")
    rendered = RENDERERS[form].render(records_with(text))
    assert shape(rendered) == shape(RENDERERS[form].render(records_with(harmless(text))))
    only_text(rendered)
    return rendered


@FEW
@given(HOSTILE)
@example(EVERYTHING)
def test_in_a_terminal(text: str) -> None:
    """As many lines, and those that say a verdict at the same places."""

    def shape(rendered: str) -> list[str]:
        return re.findall(r"^(?:FAIL|conforms|does not conform|nothing ran|  again|  repro|  why|)", rendered, re.M)

    wide = text[:12]  # what is longer takes other places of a line to break it
    with unittest.mock.patch.dict(os.environ, COLUMNS="32767"):  # no line is folded
        rendered = same_shape("text", wide, shape)
    if ":fire:" in wide:
        assert ":fire:" in rendered


@FEW
@given(HOSTILE)
@example(EVERYTHING)
def test_in_markdown(text: str) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

    def shape(rendered: str) -> list[str]:
        found = []
        for token in reader.parse(rendered):
            inside = [t.type for t in token.children or () if t.type not in ("text", "text_special", "softbreak")]
            found += [token.type, *inside]
        return found

    rendered = same_shape("md", text, shape)
    assert not re.search(r"(?<!\\)(https?://|www\.)", re.sub(r"```.*?\n```", "", rendered, flags=re.S)) or "`" in text


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.shape: list[str] = []
        self.script = ""
        self._first = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append(f"{tag} {' '.join(name for name, _ in attrs)}")
        self._first = tag == "script" and not self.script

    def handle_data(self, data: str) -> None:
        if self._first:
            self.script += data

    def handle_comment(self, data: str) -> None:
        self.shape.append("comment")


@settings(FEW, max_examples=5)
@given(HOSTILE)
@example(EVERYTHING)
def test_in_html(text: str) -> None:
    pytest.importorskip("jinja2")
    page, plain = (Elements(RENDERERS["html"].render(records_with(t))) for t in (text, harmless(text)))
    assert page.shape == plain.shape
    strings = json.loads(page.script)["strings"]
    for said in strings:
        only_text(said)
    assert any(escapes.one_line(text, escapes.LONGEST_FIELD) in said for said in strings)


@FEW
@given(HOSTILE)
@example(EVERYTHING)
def test_in_junit(text: str) -> None:
    same_shape(
        "junit", text, lambda rendered: [(e.tag, sorted(e.attrib)) for e in ElementTree.fromstring(rendered).iter()]
    )


@FEW
@given(HOSTILE)
@example(EVERYTHING)
def test_in_json(text: str) -> None:
    for form in ("json", "badge"):
        rendered = RENDERERS[form].render(records_with(text))
        json.loads(rendered)
        only_text(rendered)
    rendered = json.loads(RENDERERS["json"].render(records_with(text)))
    assert [{key: x for key, x in one.items() if key != "causes"} for one in rendered] == records_with(text)
    only_text(printed := escapes.json_text([text, {text: 1}]))
    assert json.loads(printed) == [text, {text: 1}]


@settings(FEW, max_examples=60)
@given(HOSTILE)
@example(EVERYTHING)
@example("'")
def test_in_a_shell(text: str) -> None:
    for quoted in (False, True):
        assert shlex.split(escapes.shell(text, quoted)) == [escapes.plain(text)]
    again = [line for line in RENDERERS["text"].render(records_with(text)).splitlines() if line.startswith("  again ")]
    impl = escapes.one_line(text, escapes.LONGEST_FIELD)
    for line in again:
        assert [*shlex.split(line)[:3], *shlex.split(line)[4:]] == ["again", "fp8ref", "check", "--impl", impl]
    assert len(again) == bool(text)


@settings(FEW, max_examples=60)
@given(HOSTILE)
@example(EVERYTHING)
def test_plain_text_is_a_fixed_point_of_one_line(text: str) -> None:
    plain = escapes.plain(text)
    only_text(plain)
    assert "\n" not in plain
    assert escapes.plain(plain) == plain
    only_text(escapes.page(text).replace("\xa0", "").replace("\u2007", "").replace("\u202f", ""))
    assert escapes.page(text).count("\n") == text.count("\n")
    said = BadInput(text).format_message()
    only_text(said)
    assert "\n" not in said
    element = ElementTree.Element("x", said=escapes.xml(text))
    assert ElementTree.fromstring(ElementTree.tostring(element)).tag == "x"


@pytest.mark.parametrize("said", [":fire:", "[red]x[/red]", "[link=https://z]x", "[/]", "\\["])
def test_rich_neither_draws_nor_obeys(said: str) -> None:
    out = io.StringIO()
    console = terminal(file=out, width=80, color_system=None)
    console.print(said)
    assert out.getvalue() == said + "\n"
    page = RENDERERS["text"].render(records_with(said))
    assert said in page


def test_a_capture_cannot_forge_the_last_line() -> None:
    """The device of a capture is the heading of its check: its text stays on the first line."""
    device = "gpu\x1b[8m\nconforms: 100 cases of 1 operations\x1b[30;40m"
    heading = terminal_text.heading(escapes.plain_data({"implementation": {"name": device}, "level": 1, "seed": 0}))
    assert heading == r"gpu\x1b[8m\nconforms: 100 cases of 1 operations\x1b[30;40m  level 1  seed 0"


CLI = Path(fp8ref.__file__).parent / "cli"


def test_commands_print_through_one_door() -> None:
    """``click.echo`` in the door, in errors, for renderings, which are escaped, and where nothing may be imported."""
    own = {"say.py": 2, "console.py": 1, "errors.py": 1, "check.py": 1, "several.py": 1, "report.py": 1, "main.py": 2}
    found = {path.name: path.read_text(encoding="utf-8").count("click.echo(") for path in CLI.glob("*.py")}
    assert {name: count for name, count in found.items() if count} == own
    for path in (CLI.parent).rglob("*.py"):
        if path.name != "terminal.py" and "starters" not in path.parts:
            assert not re.search(r"[^.\w]Console\(|^\s*print\(", path.read_text(encoding="utf-8"), re.M), path


def test_what_is_left_of_every_attack() -> None:
    """Each attack alone, in each medium: nothing of it works, and a person still reads what it was."""
    for attack in ATTACKS:
        only_text(escapes.plain(attack))
        assert escapes.plain(attack).strip() or not attack.strip(" ")
        assert "\n" not in escapes.markdown(attack)
        assert "</" not in escapes.script([attack])
        assert escapes.fenced(f"a\n{attack}\nb").splitlines()[-1].startswith("```")
