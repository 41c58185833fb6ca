"""What the pages point to is there: files, headings, tiles of the matrix; and every command that they show is one.

Sphinx with ``-W`` does the same for the documentation's own cross references; here are also the README, links in plain
HTML, the addresses of the matrix, and what stands in ``bash`` and ``console`` blocks.
"""

from __future__ import annotations

import html
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote

import click
import pytest

from fp8ref.cli.main import main
from fp8ref.report.runs import html as page_of
from fp8ref.report.runs import record
from fp8ref.report.runs.matrix import build

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path[:0] = [str(ROOT / "tools" / "docs"), str(ROOT / "tools" / "matrix")]

import explorer_page  # noqa: E402
import matrix_page  # noqa: E402
import md  # noqa: E402

PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted(p for p in DOCS.rglob("*.md") if not {"_build", "generated", "format"} & set(p.relative_to(DOCS).parts))
MADE = [(DOCS / page).resolve() for page in (matrix_page.PAGE, explorer_page.PAGE)]
SHELLS = ("bash", "console", "sh", "yaml")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its fenced blocks and its code."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for block in md.blocks("\n".join(lines)):
        if not block.language.startswith("{"):
            lines[block.start : block.stop] = [""] * (block.stop - block.start)
    return re.sub(r"`[^`\n]*`", "", "\n".join(lines))


def headings(page: Path) -> set[str]:
    """The anchors of a page: its headings as GitHub and MyST write them, and labels put before one."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
    return slugs | set(re.findall(r"^\((\S+)\)=$", text, re.MULTILINE))


def links(page: Path) -> Iterator[str]:
    text = prose(page)
    yield from re.findall(r"\]\(<?([^)\s>]+)>?\)", text)
    yield from re.findall(r'(?:href|src)="([^"]+)"', text)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue  # the web
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        if DOCS / "generated" in target.parents or target in MADE:
            continue  # made with the documentation, which refuses lost pictures; the matrix is tested below
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in headings(target)):
            lost.append(link)
    assert not lost


def test_there_are_links_to_follow() -> None:
    assert sum(len(list(links(page))) for page in PAGES) > 100


# -- the matrix -------------------------------------------------------------------------------------------------------
@cache
def matrix() -> tuple[str, str, dict[str, set[str]]]:
    """The page, the picture that leads to it, and of each implementation by its id the operations that it shows."""
    pytest.importorskip("jinja2")
    documents = [record.read(path) for path in sorted((DOCS / "data" / "matrix").glob("*.jsonl.gz"))]
    shown = {one.id: set(one.cells) | {report.op for report in one.reports} for one in build(documents).implementations}
    return page_of.html(documents), page_of.picture(documents, matrix_page.PAGE), shown


def test_every_tile_of_the_picture_opens_operations() -> None:
    page, picture, shown = matrix()
    addresses = [html.unescape(link) for text in (page, picture) for link in re.findall(r'href="([^"]*)"', text)]
    queries = [link.partition("#?")[2] for link in addresses if "#?" in link]
    assert len(queries) > 100
    for query in queries:
        asked = parse_qs(query)
        assert asked["impl"][0] in shown
        assert set(asked) <= {"impl", "format"}
    plain = {link[1:] for link in addresses if link.startswith("#") and "?" not in link}
    assert plain <= set(re.findall(r'id="([^"]+)"', page))


def test_addresses_of_cells_that_the_pages_show_are_there() -> None:
    _, _, shown = matrix()
    found = [link for page in PAGES for link in re.findall(r"matrix\.html#([^?`\s)][^`\s)]*)", page.read_text("utf-8"))]
    assert found
    for link in found:
        implementation, _, operation = link.partition("/")
        assert operation in shown[implementation], link


# -- commands ---------------------------------------------------------------------------------------------------------
def commands(page: Path) -> Iterator[str]:
    """Command lines of fp8ref in the shell blocks of a page, without what a shell does before and after them."""
    for block in md.blocks(page.read_text(encoding="utf-8")):
        if block.language in SHELLS:
            for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
                if block.language == "console" and not line.startswith("$ "):
                    continue
                for part in re.split(r"\|(?!\|)|&&|\|\||;(?= )| > | 2> | < ", line.removeprefix("$ ")):
                    found = re.search(r"(?:^|\s)(fp8ref \S.*)", part)
                    if found and not line.lstrip().startswith("#"):
                        yield found[1]


def refused(line: str) -> str:
    """Why a command line is none; empty where it is one.  Nothing runs, and the files need not be there."""
    command: click.Command = main
    words, context = shlex.split(line, comments=True)[1:], None
    try:
        while isinstance(command, click.Group):
            context = click.Context(command, parent=context, info_name=command.name)
            if words[0] in ("-h", "--help", "--version"):
                return ""
            _, found, words = command.resolve_command(context, words)
            assert found is not None
            command = found
        command.make_context(command.name, list(words), parent=context)
    except click.exceptions.Exit:
        return ""  # --help
    except click.ClickException as error:
        cause = error if isinstance(error, click.UsageError) else error.__context__
        path = isinstance(cause, click.BadParameter) and cause.param and isinstance(cause.param.type, click.Path)
        return "" if path and "does not exist" in str(cause) else error.format_message()
    return ""


@pytest.mark.parametrize("page", [p for p in PAGES if list(commands(p))], ids=named)
def test_every_command_that_a_page_shows_is_one(page: Path) -> None:
    assert {line: why for line in commands(page) if (why := refused(line))} == {}


def test_there_are_commands_to_try() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 60


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fp8ref chek", "did you mean check"),
        ("fp8ref check --implementation torch", "No such option"),
        ("fp8ref check --level 4", "4"),
        ("fp8ref report", "Missing"),
        ("fp8ref check 'convert/f32/*' --impl torch", ""),
        ("fp8ref report no-such-run.jsonl --as html", ""),
    ],
)
def test_what_is_no_command_is_seen(line: str, said: str) -> None:
    why = refused(line)
    assert said in why
    assert bool(why) is bool(said)
