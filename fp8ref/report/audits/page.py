"""An audit as one self-contained page: its summary, its findings, and every tensor with its maps.

Built as the page of a run is: a template that escapes every text, the style sheet of the matrix, one script under a
content security policy that admits it alone; no network, no server.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from .heat import Heat
from .usage import HEIGHT, WIDTH, bars, outline

SIGNS = {"fault": ("fail", "✗"), "warning": ("allowed", "!"), "note": ("none", "i"), "clean": ("pass", "✓")}
ORDER = ("fault", "warning", "note", "clean")
SHOWN = 4000  # tensors that a page shows; those with findings come first


@dataclass(frozen=True)
class Pictures:
    """What is drawn of a tensor.  ``counts``: of each code.  ``bits``: of a code.  ``marks``: (code, what it is)."""

    counts: Sequence[int]
    bits: int
    scales: Heat | None = None
    error: Heat | None = None


def html(document: Mapping[str, Any], pictures: Mapping[str, Pictures], about: Mapping[str, str]) -> str:
    """The page of a document ``fp8ref/audit/1``.

    ``pictures``: by the name of the tensor; a tensor may have none.  ``about``: what each kind of finding means.
    Raises ImportError without jinja2, the extra ``report``.
    """
    tensors = document["tensors"]
    rows = [_row(i, t, pictures.get(t["name"])) for i, t in enumerate(tensors)]
    shown = sorted(rows, key=lambda row: ORDER.index(row["worst"]))[:SHOWN] if len(rows) > SHOWN else rows
    code = _file("audit.js")
    text: str = (
        _environment()
        .get_template("audit.html")
        .render(
            title=f"Audit of {document['path']}",
            lead=_lead(document, rows),
            style=_file("matrix.css") + _file("audit.css"),
            code=code,
            script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
            facts=_facts(document),
            findings=_findings(document, about),
            rows=shown,
            left=len(rows) - len(shown),
            original=document.get("original"),
            width=WIDTH,
            height=HEIGHT,
            made=f"Made by fp8ref {document.get('fp8ref', '')}.",
        )
    )
    return text + "\n"


def _environment() -> Any:
    import jinja2

    return jinja2.Environment(loader=jinja2.FunctionLoader(_file), autoescape=True, undefined=jinja2.StrictUndefined)


def _file(name: str) -> str:
    place = resources.files(__package__) / "page" / name
    if not place.is_file():
        place = resources.files(f"{__package__.rpartition('.')[0]}.runs") / "page" / name
    return place.read_text(encoding="utf-8")


def _lead(document: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    n = len(rows)
    kinds = Counter(row["worst"] for row in rows)
    first = f"{n} quantised tensor{'s' if n != 1 else ''}"
    if document.get("convention"):
        first += f", {document['convention']}"
    state = (
        "no faults" if document.get("clean") else f"faults in {kinds['fault']} of them" if kinds["fault"] else "faults"
    )
    return f"{first}: {state}. {document.get('others', 0)} tensors are not quantised."


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    recipes = Counter(tuple(t.get("recipes") or ()) for t in document["tensors"])
    usual = recipes.most_common(1)[0] if recipes else ((), 0)
    found = [
        ("file", document["path"]),
        ("original", document.get("original") or "not given: recipes are those that the file alone allows"),
        ("convention", document.get("convention") or "none that is known"),
        ("producers", ", ".join(document.get("producers") or ()) or "not known"),
    ]
    if document.get("declared"):
        found.append(("declared", str(document["declared"])))
    if usual[0]:
        found.append(("recipe", f"{_some(usual[0])} (of {usual[1]} of {len(document['tensors'])} tensors)"))
    books = document.get("code_books") or {}
    if books:
        found.append(("not judged", ", ".join(f"{n} {name}" for name, n in books.items())))
    return found


def _some(names: Sequence[str], most: int = 2) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _findings(document: Mapping[str, Any], about: Mapping[str, str]) -> list[dict[str, Any]]:
    """Findings by kind, the gravest first; of each kind the places."""
    every: list[tuple[Mapping[str, Any], int | None]] = [(f, None) for f in document["findings"]]
    every += [(f, i) for i, t in enumerate(document["tensors"]) for f in t["findings"]]
    kinds: dict[tuple[str, str], list[tuple[Mapping[str, Any], int | None]]] = {}
    for f, i in every:
        kinds.setdefault((f["severity"], f["kind"]), []).append((f, i))
    ranked = sorted(kinds.items(), key=lambda item: (ORDER.index(item[0][0]), -len(item[1])))
    return [
        {"severity": severity, "kind": kind, "about": about.get(kind, ""), "count": len(places),
         "colour": SIGNS[severity][0], "sign": SIGNS[severity][1],
         "first": [{"text": f["text"], "at": f["at"], "row": i} for f, i in places[:20]],
         "more": max(0, len(places) - 20)}
        for (severity, kind), places in ranked
    ]  # fmt: skip


def _row(i: int, t: Mapping[str, Any], drawn: Pictures | None) -> dict[str, Any]:
    severities = [f["severity"] for f in t["findings"]]
    worst = next((s for s in ORDER if s in severities), "clean")
    codes, scales = t["codes"], t["scales"]
    found: dict[str, Any] = {
        "id": i, "name": t["name"], "format": t["format"], "granularity": t["granularity"], "layout": t["layout"],
        "shape": " by ".join(map(str, t.get("shape", ()))), "recipes": _some(t["recipes"]) or "none that is known",
        "all_recipes": ", ".join(t["recipes"]), "worst": worst, "colour": SIGNS[worst][0], "sign": SIGNS[worst][1],
        "said": _said(severities), "findings": [_signed(f) for f in t["findings"]],
        "scales_said": _verdict(scales.get("by_recipe"), scales.get("differ"), "by a recipe", "by none"),
        "codes_said": _verdict(codes.get("rounded"), codes.get("differ"), "rounded", "not rounded"),
        "sqnr": f"{t['sqnr_db']:.1f} dB" if isinstance(t.get("sqnr_db"), (int, float)) else "",
        "largest_error": f"{t['largest_error']:.3g}" if isinstance(t.get("largest_error"), (int, float)) else "",
        "zeros": f"{100 * codes.get('zeros', 0):.2f} %", "saturated": f"{100 * codes.get('saturated', 0):.2f} %",
        "scales": None, "error": None, "usage": None,
    }  # fmt: skip
    if drawn is not None:
        positive, negative = bars(drawn.counts, drawn.bits)
        both = [p + n for p, n in zip(positive, negative)]
        used = sum(1 for n in drawn.counts if n)
        found["usage"] = {
            "path": outline(both), "large": outline(positive, 256, 60), "large_negative": outline(negative, 256, 60),
            "label": f"{used} of {1 << drawn.bits} codes of {t['format']} are in use",
            "top": f"{len(both) - 1:02X}",
        }  # fmt: skip
        found["scales"] = _map(drawn.scales, "scales")
        found["error"] = _map(drawn.error, "error")
    return found


def _signed(finding: Mapping[str, Any]) -> dict[str, Any]:
    colour, sign = SIGNS[finding["severity"]]
    return {**finding, "colour": colour, "sign": sign}


def _map(h: Heat | None, what: str) -> dict[str, Any] | None:
    if h is None:
        return None
    label = f"{what} of {h.rows} by {h.columns} groups, from {h.least:.3g} to {h.most:.3g}"
    return {"image": h.image, "label": label, "least": f"{h.least:.3g}", "most": f"{h.most:.3g}", "zeros": h.zeros,
            "wrong": h.wrong, "grid": f"{h.rows} by {h.columns}"}  # fmt: skip


def _verdict(good: Any, differ: Any, yes: str, no: str) -> str:
    if good is None and differ is None:
        return ""
    if good:
        return yes
    return f"{no}{f', {differ:,} differ' if isinstance(differ, int) and differ else ''}"


def _said(severities: Sequence[str]) -> str:
    counts = Counter(severities)
    parts = [f"{counts[s]} {s}{'s' if counts[s] > 1 else ''}" for s in ORDER if counts[s]]
    return ", ".join(parts) or "clean"
