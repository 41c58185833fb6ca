"""Texts that attack whatever shows them, and documents that hold one of them in every place where strangers write."""

from __future__ import annotations

import copy
import json
import shlex
from typing import Any
from xml.etree import ElementTree

from fuzz.seeds import records
from hypothesis import strategies as st

from fp8ref import escapes
from fp8ref.report.runs.renderers import RENDERERS

ATTACKS = [
    "\n", "\r", "\x1b[2J\x1b[1;1H", "\x1b]0;title\x07", "\x9b1A", "\x00", "\x7f", "\u202e", "\u2066", "\u200f",
    "\u2028", "\x85", "\ud800", ":fire:", ":x:", "[bold]", "[/]", "[link=https://z]", "`", "```", "~~~~",
    "\n```\n# conforms\n", "|", "| |\n", "**", "__", "<!--", "-->", "<script>alert(1)</script>", "</script>",
    "<img src=x onerror=alert(2)>", "]]>", "<![CDATA[", "&", "&amp;", "&#27;", "\"", "'", "$(touch pwned)",
    "`touch pwned`", "; rm -r ~", " && ", "\\", "\\n", "{{ 7 * 7 }}", "{% x %}", "[x](https://z)", "https://z",
    "www.z.example", "\nconforms: 256 cases of 1 operations\n", "#", "- ", "1. ", "%", "$HOME", " ",
]  # fmt: skip
HOSTILE = st.lists(st.one_of(st.sampled_from(ATTACKS), st.text(max_size=4)), min_size=1, max_size=5).map("".join)
EVERYTHING = "".join(ATTACKS)

# of a run record: what strangers write as they like.  The others have a grammar, which the reader holds them to.
FREE = {
    "run": ("fp8ref", "impl", "nan", "flag"),
    "operation": ("reason", "source", "declines", "expected", "asked"),
    "finding": ("diagnosis", "where", "rule", "expected", "clause", "decided", "layout"),
    "end": ("reason",),
}
LISTS = {"operation": ("profiles", "fits"), "finding": ("flags", "fits"), "end": ("stale",)}
TABLES = {"run": ("implementation",), "operation": ("allowed", "chosen"), "end": ("allowed",)}


def records_with(text: str) -> list[dict[str, Any]]:
    """Two run records: what failed was expected in the second."""
    return [record_with(text), record_with(text, expected=True)]


def record_with(text: str, expected: bool = False) -> dict[str, Any]:
    """A run record as a document, with ``text`` in every free field, list and table of it."""
    lines = [json.loads(line) for line in records()[0].splitlines()]
    for line in lines:
        kind = line["kind"]
        line.update(dict.fromkeys(FREE[kind], text))
        line.update({name: [text] for name in LISTS.get(kind, ())})
        if kind == "run":
            line["implementation"] = {"name": text, "version": text, "device": text, "what": text, "z" + text: text}
        elif kind == "operation":
            if line["allowed"]:
                line["allowed"] = {text: 2}
            line["chosen"] = {text: text}
        if "expected" in line and not expected and kind != "run":
            del line["expected"]
    return document(lines)


def document(lines: list[dict[str, Any]]) -> dict[str, Any]:
    places = {"operation": "operations", "finding": "findings"}
    found: dict[str, Any] = {"header": None, "operations": [], "findings": [], "end": None}
    for line in copy.deepcopy(lines):
        if line["kind"] in places:
            found[places[line["kind"]]].append(line)
        else:
            found["header" if line["kind"] == "run" else "end"] = line
    return found


def unprintable(said: str) -> list[str]:
    """The characters of a page that are more than text."""
    return sorted({c for c in said if not c.isprintable()} - {"\n"})


def shown_everywhere(text: str) -> None:
    """Show a text in every medium: nothing in it does anything.  AssertionError where something does."""
    records, plain = records_with(text), escapes.one_line(text, escapes.LONGEST_FIELD)
    harmless = records_with("x" * len(plain))
    for form, renderer in RENDERERS.items():
        if form == "html" and len(text) % 8:  # which takes longer than all others together
            continue
        rendered = renderer.render(records)
        assert form == "html" or not unprintable(rendered), (form, unprintable(rendered))
        if form in ("text", "md"):
            marks = ("FAIL ", "  again ") if form == "text" else ("FAIL ", "  again ", "#", "```")
            counts = [
                sum(line.startswith(marks) for line in page.split("\n"))
                for page in (rendered, renderer.render(harmless))
            ]
            assert counts[0] == counts[1], form
        elif form == "junit":
            ElementTree.fromstring(rendered)
        elif form in ("json", "badge"):
            json.loads(rendered)
        elif form == "html":
            assert rendered.count("<script") == rendered.count("</script") == 2, form
    assert shlex.split(escapes.shell(text)) == [escapes.plain(text)]
    assert json.loads(escapes.json_text(text)) == text
    for said in (escapes.page(text), escapes.plain(text)):
        assert not set(unprintable(said)) - set("\xa0\u2007\u202f")
