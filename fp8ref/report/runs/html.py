"""Runs as one self-contained page: a picture, a summary, and a table of implementations by operations.

The page needs no network and no server.  All text of the records is escaped: by the template in the markup, as a JSON
block for the script, which writes nothing but text; a content security policy admits that one script alone.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from ...check.advice.pages import pages
from ...check.verdict import Report, Verdict
from ...escapes import script
from ..findings.siblings import causes
from .matrix import (
    FINDINGS,
    GROUPS,
    ORDER,
    Implementation,
    Matrix,
    build,
    finding_data,
    only_choices,
    place_of,
    verdict_counts,
    worst,
)
from .text import BAD

TITLE = "Who conforms"
LEGEND = (
    ("pass", "✓", "conforms"), ("allowed", "~", "differs only where the standards leave a choice"),
    ("fail", "✗", "a fault: wrong against a standard or its own documentation"),
    ("choice", "≠", "wrong, but only where it promises nothing: an undocumented choice"),
    ("crash", "!", "crash or timeout"), ("xfail", "✗", "fails as expected"),
    ("undecided", "?", "several behaviours fit"), ("unsupported", "-", "declined when asked"),
)  # fmt: skip
SEVERITIES = (
    ("fail", "failures", BAD), ("mismatch", "every mismatch", (*BAD, Verdict.ALLOWED, Verdict.XFAIL, Verdict.XPASS)),
    ("allowed", "allowed variations", (Verdict.ALLOWED,)), ("undecided", "undecided", (Verdict.UNDECIDED,)),
    ("known", "known failures", (Verdict.XFAIL, Verdict.XPASS)),
    ("pass", "what conforms", (Verdict.PASS,)), ("unsupported", "unsupported", (Verdict.UNSUPPORTED,)),
    ("all", "everything", tuple(Verdict)),
)  # fmt: skip
STATES = {"pass": ("pass", "✓"), "part": ("allowed", "~"), "fail": ("fail", "✗"), "xfail": ("xfail", "✗"),
          "unfinished": ("crash", "!"), "not asked": ("none", "-")}  # fmt: skip
SIGNS = {kind: sign for kind, sign, _ in LEGEND if kind not in ("pass", "unsupported")}  # of stripes
SIGNS |= {"timeout": SIGNS["crash"], "xpass": SIGNS["xfail"]}
STRIPES = {"convert": 0, "decode": 1}  # of a tile; all else is computing
STRIPE_NAMES = ("conversions into it", "decoding", "computing")


def html(documents: Sequence[Mapping[str, Any]], guide: str = "", whole: str = "") -> str:
    """The page; ``guide``: the folder of the pages of wrong rules, if they lie beside it; ``whole``: a page of more.

    Raises ImportError without jinja2, the extra ``report``.
    """
    found = build(documents)
    code = _file("matrix.js")
    verdicts = {report.verdict for one in found.implementations for report in one.reports}
    text: str = (
        _environment()
        .get_template("matrix.html")
        .render(
            title=_title(found),
            lead=_lead(found),
            whole=whole,
            style=_file("matrix.css") + _file("picture.css"),
            code=code,
            script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
            legend=[row for row in LEGEND if row[0] in ("pass", "allowed", "fail", "choice", *verdicts)],
            severities=_severities(verdicts),
            groups=[(name, GROUPS[name].rpartition(" ")[0]) for name in found.groups],
            implementations=[_summary(one) for one in found.implementations],
            picture=_picture(found),
            page="",
            made=_made(found),
            data=_data(found, guide),
        )
    )
    return text + "\n"


def picture(documents: Sequence[Mapping[str, Any]], page: str) -> str:
    """The picture alone, with its style, as a piece of HTML; its tiles lead to a ``page`` that :func:`html` made."""
    found = build(documents)
    rendered = _environment().get_template("picture.html").render(picture=_picture(found), page=page)
    return f"<style>\n{_file('picture.css')}</style>\n{rendered}\n"


def _environment() -> Any:
    import jinja2

    return jinja2.Environment(loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined)


def _file(name: str) -> str:
    return (resources.files(__package__) / "page" / name).read_text(encoding="utf-8")


def _severities(verdicts: set[Verdict]) -> list[tuple[str, str]]:
    """What the filter offers: what occurs, the first of it being the page's first view, and everything."""
    found = [
        (name, label) for name, label, some in SEVERITIES if verdicts & set(some) and name not in ("pass", "mismatch")
    ]
    if not found or found[0][0] == "all":  # nothing was judged, or nothing stands out
        return found or [("all", "everything")]
    return [*found[:1], ("mismatch", "every mismatch"), *found[1:-1], ("pass", "what conforms"), found[-1]]


def _title(found: Matrix) -> str:
    """Of a page of one implementation its name and version."""
    if len(found.implementations) != 1:
        return TITLE
    (one,) = found.implementations
    return f"{one.name} {one.version}".strip()


def _lead(found: Matrix) -> str:
    if len(found.implementations) == 1:
        (one,) = found.implementations
        cases = sum(report.cases for report in one.reports)
        more = f"; {cases:,} cases judged bit by bit" if one.judged else ""
        return f"{one.summary[:1].upper()}{one.summary[1:]}{more}."
    states = [one.state for one in found.implementations]
    judged = sum(one.judged for one in found.implementations)
    asked = len(states) - states.count("not asked")
    conform = sum(state in ("pass", "xfail") for state in states)
    more = f" {len(states) - asked} more could not be asked." if asked < len(states) else ""
    return (
        f"{asked} implementation{'s' if asked != 1 else ''} of 8-bit and narrower floating point, {judged:,} "
        f"operations judged bit by bit: {conform} conform{'s' if conform == 1 else ''} in all that they offer.{more}"
    )


def _made(found: Matrix) -> str:
    versions = sorted({one.header.get("fp8ref") or "" for one in found.implementations} - {""})
    dates = sorted({one.header.get("date") or "" for one in found.implementations} - {""})
    levels = sorted({str(one.header.get("level")) for one in found.implementations})
    when = f", asked {dates[0]}" + (f" to {dates[-1]}" if dates[0] != dates[-1] else "") if dates else ""
    return f"Judged by fp8ref {', '.join(versions)} at level {', '.join(levels)}{when}."


def _summary(one: Implementation) -> dict[str, Any]:
    colour, sign = STATES[one.state]
    return {
        "id": one.id, "name": one.name, "version": one.version, "detail": one.detail, "summary": one.summary,
        "colour": colour, "sign": sign, "allowed": list(one.allowed.items()), "asked_any": bool(one.judged),
        "refused": sum(report.verdict is Verdict.UNSUPPORTED for report in one.reports) if one.judged else 0,
        "cases": f"{sum(report.cases for report in one.reports):,}" if one.judged else "",
        "asked": ", ".join(filter(None, [str(one.header.get("date") or ""), f"level {one.header.get('level')}"]))
        if one.judged else "",
    }  # fmt: skip


def _picture(found: Matrix) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for one in found.implementations:
        tiles: dict[str, list[list[Report]]] = {}
        for key, reports in one.cells.items():
            place = found.places[key]
            tiles.setdefault(place.format, [[], [], []])[STRIPES.get(place.group, 2)] += reports
        rows.append({
            "id": one.id, "name": one.name, "version": one.version if one.judged else "", "summary": one.summary,
            "tiles": [_tile(name, tiles.get(name)) for name in found.formats] if one.judged else [],
        })  # fmt: skip
    kinds = {kind for row in rows for tile in row["tiles"] if tile for kind, _ in tile["stripes"]}
    legend = [row for row in LEGEND if row[0] in kinds]
    return {"formats": found.formats, "rows": rows, "legend": legend}


def _tile(name: str, stripes: list[list[Report]] | None) -> dict[str, Any] | None:
    if stripes is None:
        return None
    counts = [
        f"{what}: {verdict_counts(reports)}" + (", undocumented choices alone" if only_choices(reports) else "")
        for what, reports in zip(STRIPE_NAMES, stripes)
        if reports
    ]
    kinds = ["choice" if only_choices(one) else worst(one).value if one else "" for one in stripes]
    return {"format": name, "label": f"{name}: {'; '.join(counts)}", "stripes": [(k, SIGNS.get(k, "")) for k in kinds]}


def _beside(report: Report) -> str:
    """Why there is no answer, or what was not asked."""
    return report.reason or "; ".join(filter(None, [report.declines, report.unasked]))


def _alike(reports: Sequence[Report]) -> dict[int, str]:
    """What is said of findings, by identity, whose cause several operations show."""
    return {id(f): cause.text for cause in causes(reports) if len(cause.findings) > 1 for f in cause.findings}


def _data(found: Matrix, guide: str) -> Any:
    """What the script shows, as JSON in which no character can end or open an element; texts that recur stand once."""
    from markupsafe import Markup  # jinja2's own

    strings: dict[str, int] = {"": 0}
    named: set[str] = set()

    def text(said: str) -> int:
        return strings.setdefault(said, len(strings))

    rows = {key: i for i, key in enumerate(found.places)}

    def operation(report: Report, one: Implementation, alike: Mapping[int, str]) -> list[Any]:
        findings = [
            finding_data(finding, str(one.header["impl"]), alike.get(id(finding), ""))
            for finding in report.findings[:FINDINGS]
        ]
        named.update(name for finding in findings for name in finding["pages"])
        return [
            text(place_of(report.op).mode), ORDER.index(report.verdict), report.cases, report.failed,
            [[text(name), count] for name, count in sorted(report.allowed.items())] or 0, text(report.claim),
            text(report.source), text(_beside(report)), text(", ".join(report.profiles)),
            findings or 0, text(report.expected),
        ]  # fmt: skip

    implementations = [
        {"id": one.id, "name": one.name, "version": one.version, "detail": one.detail,
         "cells": [[rows[key], [operation(r, one, alike) for r in reports]] for key, reports in one.cells.items()]}
        for one, alike in ((one, _alike(one.reports)) for one in found.implementations)
    ]  # fmt: skip
    groups = [{"id": name, "title": GROUPS[name]} for name in found.groups]
    document = {
        "verdicts": [verdict.value for verdict in ORDER],
        "groups": groups,
        "formats": found.formats,
        "rows": [
            [found.groups.index(place.group), found.formats.index(place.format), place.label, key]
            for key, place in found.places.items()
        ],
        "implementations": implementations,
        "pages": {name: [pages()[name].title, pages()[name].mend] for name in sorted(named)},
        "guide": guide,
        "strings": list(strings),
    }
    return Markup(script(document))
