"""Elements of HTML: every text in them is escaped, and nothing else makes markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...escapes import html, page

STYLE = (
    ".fp8ref{font-family:system-ui,sans-serif;font-size:13px;line-height:1.4}"
    ".fp8ref table{border-collapse:collapse;margin:.4em 0}"
    ".fp8ref th,.fp8ref td{padding:1px 7px;text-align:left;border:1px solid rgba(128,128,128,.35);background:none}"
    ".fp8ref td.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".fp8ref pre{font-family:ui-monospace,monospace;font-size:12px;line-height:1.35;overflow-x:auto}"
    ".fp8ref .map td{padding:1px 3px;font-size:10px;text-align:right;color:inherit}"
    ".fp8ref .bad{font-weight:700;color:#c0392b}.fp8ref .good{font-weight:700;color:#1e8e5a}"
    ".fp8ref .open{font-weight:700;color:#b7791f}"
)


class Markup(str):
    """Text that is HTML already: this module alone makes it."""

    __slots__ = ()


Child = str | Iterable[str]


def element(name: str, *children: Child, **attributes: str) -> Markup:
    """``<name ...>children</name>``; texts among the children are escaped.  ``class_``: the attribute class."""
    given = "".join(f' {key.rstrip("_")}="{html(value)}"' for key, value in attributes.items() if value)
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    parts = (part for child in children for part in ([child] if isinstance(child, str) else child))
    return Markup("".join(part if isinstance(part, Markup) else html(part) for part in parts))


def lines(text: str) -> Markup:
    """A page of several lines, as it stands in a terminal."""
    return element("pre", Markup("\n".join(html(line) for line in page(text).split("\n"))))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = (), class_: str = "") -> Markup:
    """A table; ``numbers``: the columns that stand to the right."""
    top = element("tr", [element("th", name, scope="col") for name in head])
    body = [
        element("tr", [element("td", cell, class_="n" if i in numbers else "") for i, cell in enumerate(row)])
        for row in rows
    ]
    return element("table", element("thead", top) if head else "", element("tbody", body), class_=class_)


def piece(*children: Child) -> Markup:
    """A whole piece with its style."""
    return element("div", Markup(f"<style>{STYLE}</style>"), *children, class_="fp8ref")
