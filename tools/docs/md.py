"""Markdown by hand: tables, fences, folded text, and the fenced blocks of a page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A pipe table; ``right`` are the columns that align right."""
    rule = ["---:" if i in right else "---" for i in range(len(headings))]
    lines = [headings, rule, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines) + "\n"


def code(text: str) -> str:
    """Inline code."""
    return f"`{text}`"


def fence(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def folded(summary: str, text: str) -> str:
    """Preformatted text behind a summary line."""
    body = f"<details><summary>{html.escape(summary)}</summary>\n<pre>{html.escape(text.rstrip())}</pre>\n</details>"
    return f"```{{raw}} html\n{body}\n```\n"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its options, its text, and the lines that the text takes."""

    language: str
    options: dict[str, str]
    text: str
    start: int  # index of the first line of text
    stop: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced code blocks of a Markdown page, in order."""
    lines = page.splitlines()
    i = 0
    while i < len(lines):
        opening = re.match(r"(`{3,})(?:\{code-block\}\s*)?([^\s`]*)[^`]*$", lines[i])
        if opening is None:
            i += 1
            continue
        end = next((j for j in range(i + 1, len(lines)) if lines[j] == opening[1]), len(lines))
        options: dict[str, str] = {}
        start = i + 1
        while start < end and (option := re.match(r":([\w-]+):\s*(.*)$", lines[start])):
            options[option[1]] = option[2]
            start += 1
        yield Block(opening[2], options, "\n".join(lines[start:end]) + "\n", start, end)
        i = end + 1


def write(path: Path, text: str) -> None:
    """Write a generated file unless it already reads so, to leave Sphinx's timestamps alone."""
    text = text.rstrip() + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def sweep(site: Path, written: set[Path]) -> None:
    """Remove what an earlier version left in the folder that is copied as it is: it would stand in for a page."""
    for path in sorted(site.rglob("*")):
        if path.is_file() and path not in written:
            path.unlink()
