"""The conformance matrix of the records in docs/data/matrix: the page itself, and the picture that leads to it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import known
import md
import reports

from fp8ref.report.runs import record
from fp8ref.report.runs.html import html, picture
from fp8ref.report.runs.matrix import build
from fp8ref.report.runs.renderers import badge

PAGE = "conformance.html"
SITE = "site"  # copied beside the built pages
ROWS = "rows"


def pages(docs: Path) -> dict[str, str]:
    paths = sorted((docs / "data" / "matrix").glob("*.jsonl.gz"))
    documents = [record.read(path) for path in paths]
    if not documents:
        return {"matrix.md": "No implementation was asked yet: `python tools/matrix/ask.py`.\n"}
    names = [path.name.partition(".")[0] for path in paths]
    table = md.table(["implementation", "verdict", "allowed", "asked", "to link to"], _rows(documents, names))
    own = {}
    for name, document in zip(names, documents):  # a page and a badge for each, to be linked to
        own[f"{SITE}/{ROWS}/{name}.html"] = html([document], "../wrong-rules/", f"../{PAGE}")
        own[f"{SITE}/{ROWS}/{name}.json"] = badge([document])
    return own | {
        f"{SITE}/{PAGE}": html(documents, "wrong-rules/"),
        "matrix.md": f"{_picture(documents)}\n{table}",
        "matrix_findings.md": findings(documents),
        "matrix_conform.md": conforming(documents),
        "matrix_history.md": versions(json.loads((docs / "data" / "history.json").read_text(encoding="utf-8"))),
    }


def findings(documents: list[dict[str, Any]]) -> str:
    """A row for each kind of finding that the records show, with its severity and the sentence that decides it."""
    kinds = known.load()
    shown: dict[known.Known, set[str]] = {}  # and the versions that show it
    unread = []
    for document in documents:
        who = document["header"]["implementation"]
        for line in document["findings"]:
            kind = known.kind_of(kinds, who.get("name", ""), line)
            if kind is None:
                unread.append(f"{who.get('name')}: {line['op']}")
            else:
                shown.setdefault(kind, set()).add(f"{who['name']} {who['version'].partition('+')[0]}")
    rows, last = [], ""
    filed: dict[known.Known | known.Audited, str] = {
        fault if isinstance(fault, known.Audited) else fault.known: name
        for name, fault in reports.named([*reports.faults(), *known.audited()])
    }
    for kind in kinds:
        if kind not in shown:
            continue
        library = ", ".join(sorted(shown[kind]))
        grave = kind.severity.value.replace("-", " ")
        if kind in filed:
            grave = f"[{grave}](data/reports/{filed[kind]})"
        threads = ", ".join(f"[{_thread(link)}]({link})" for link in kind.threads)
        rows.append([library if library != last else "", kind.what, grave, kind.because, threads])
        last = library
    for one in known.audited():
        grave = f"[fault]({'data/reports/' + filed[one]})"
        rows.append([f"{one.library} {one.version}, its files", one.what, grave, f"{one.decided} ({one.source})", ""])
    text = md.table(["library", "what", "severity", "decided by", "discussed in"], rows)
    if unread:
        text += f"\nNobody has looked yet at {len(unread)} findings: {', '.join(sorted(set(unread))[:20])}.\n"
    return text


def conforming(documents: list[dict[str, Any]]) -> str:
    """Who conforms in all that was asked, in one sentence."""
    names = [f"{one.name} {one.version.partition('+')[0]} ({one.judged})" for one in build(documents).implementations
             if one.state == "pass"]  # fmt: skip
    return f"These conform in all that was asked, with the number of operations: {'; '.join(names)}.\n"


def versions(history: dict[str, list[dict[str, Any]]]) -> str:
    """The rows of which several versions were asked: what each was, the newest last."""
    rows = []
    for name, asked in sorted(history.items()):
        if len(asked) > 1:
            told = [_told(one) for one in asked]
            rows.append([f'<a href="{ROWS}/{name}.html">{name}</a>', "<br>".join(told), _since(asked)])
    return md.table(["row", "versions asked", "conforms since"], rows) if rows else "No second version was asked yet.\n"


def _since(asked: list[dict[str, Any]]) -> str:
    """The version since which all conform, where one before did not."""
    began = ""
    for before, one in pairwise(asked):
        began = "" if one["failed"] else one["version"] if before["failed"] else began
    return began


def _told(one: dict[str, Any]) -> str:
    found = f"{one['failed']} of {one['operations']} operations fail" if one["failed"] else "conforms"
    return f"{one['version']} ({one['date']}): {found}"


def _thread(link: str) -> str:
    kind, number = link.rstrip("/").split("/")[-2:]
    return f"{kind.removesuffix('s')} {number}"


def _picture(documents: list[dict[str, Any]]) -> str:
    """The picture as raw HTML, without blank lines, which would end it."""
    lines = [line for line in picture(documents, PAGE).splitlines() if line.strip()]
    return md.fence("\n".join(['<div class="fp8ref-scroll">', *lines, "</div>"]), "{raw} html")


def _rows(documents: list[dict[str, Any]], names: list[str]) -> list[list[str]]:
    """In the order of the matrix; each links to the page of its own."""
    rows = []
    for document, name in zip(documents, names):
        (one,) = build([document]).implementations
        allowed = ", ".join(f"{choice} ({count})" for choice, count in one.allowed.items())
        asked = str(one.header.get("date", "")).replace("-", "\u2011")  # hyphens that do not break
        link, end = (
            f'<a href="{ROWS}/{name}.html">{one.name} {one.version}</a>',
            f'<a href="{ROWS}/{name}.json">badge</a>',
        )
        rows.append(((not one.judged, one.name.lower(), one.version), [link, one.summary, allowed, asked, end]))
    return [row for _, row in sorted(rows)]
