"""The conformance matrix of the records in docs/data/matrix: the page itself, and the picture that leads to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import known
import md
import reports

from fp8ref.report.runs import record
from fp8ref.report.runs.html import html, picture
from fp8ref.report.runs.matrix import build

PAGE = "conformance.html"
SITE = "site"  # copied beside the built pages


def pages(docs: Path) -> dict[str, str]:
    documents = [record.read(path) for path in sorted((docs / "data" / "matrix").glob("*.jsonl.gz"))]
    if not documents:
        return {"matrix.md": "No implementation was asked yet: `python tools/matrix/ask.py`.\n"}
    table = md.table(["implementation", "verdict", "allowed", "asked"], _rows(documents))
    return {
        f"{SITE}/{PAGE}": html(documents, "wrong-rules/"),
        "matrix.md": f"{_picture(documents)}\n{table}",
        "matrix_findings.md": findings(documents),
        "matrix_conform.md": conforming(documents),
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
    text = md.table(["library", "what", "severity", "decided by", "spoken of in"], rows)
    if unread:
        text += f"\nNobody has looked yet at {len(unread)} findings: {', '.join(sorted(set(unread))[:20])}.\n"
    return text


def conforming(documents: list[dict[str, Any]]) -> str:
    """Who conforms in all that was asked, in one sentence."""
    names = [f"{one.name} {one.version.partition('+')[0]} ({one.judged})" for one in build(documents).implementations
             if one.state == "pass"]  # fmt: skip
    return f"These conform in all that was asked, with the number of operations: {'; '.join(names)}.\n"


def _thread(link: str) -> str:
    kind, number = link.rstrip("/").split("/")[-2:]
    return f"{kind.removesuffix('s')} {number}"


def _picture(documents: list[dict[str, Any]]) -> str:
    """The picture as raw HTML, without blank lines, which would end it."""
    lines = [line for line in picture(documents, PAGE).splitlines() if line.strip()]
    return md.fence("\n".join(['<div class="fp8ref-scroll">', *lines, "</div>"]), "{raw} html")


def _rows(documents: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            f"{one.name} {one.version}",
            one.summary,
            ", ".join(f"{name} ({count})" for name, count in one.allowed.items()),
            str(one.header.get("date", "")).replace("-", "\u2011"),  # hyphens that do not break
        ]
        for one in build(documents).implementations
    ]
