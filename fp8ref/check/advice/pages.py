"""Pages of wrong rules, from the tables beside this file: every name that a diagnosis can have leads to one.

A table is TOML: the page's name, its title, the rules (names, or patterns with ``*``), and three texts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

GROUPS = {
    "rounding": "Rounding",
    "range": "Range and overflow",
    "small": "Subnormals and zero",
    "sign": "Signs",
    "nan": "NaN and infinity",
    "format": "Formats and codes",
    "arithmetic": "Arithmetic, comparisons, flags",
    "scaling": "Scales and recipes",
    "products": "Dot and matrix products",
    "calls": "Whole calls",
}
UNEXPLAINED = "unexplained"  # the page of what nothing explains


@dataclass(frozen=True)
class Page:
    """One wrong rule, or a few that are mended alike."""

    name: str
    title: str
    rules: tuple[str, ...]
    looks: str
    comes: str
    mend: str
    group: str

    def text(self) -> str:
        """The page as plain text, folded by whoever prints it."""
        parts = (("It looks like this", self.looks), ("Where it comes from", self.comes), ("How to mend it", self.mend))
        body = "\n\n".join(f"{head}\n  {said}" for head, said in parts)
        return f"{self.title}\n\n{body}\n\nRules: {', '.join(self.rules)}"


@cache
def pages() -> dict[str, Page]:
    """Every page by its name, in the order of the groups."""
    found = {}
    for group in GROUPS:
        table = tomllib.loads((files(__package__) / f"{group}.toml").read_text(encoding="utf-8"))
        for name, row in table.items():
            found[name] = Page(name, row["title"], tuple(row["rules"]), row["looks"], row["comes"], row["mend"], group)
    return found


@cache
def pages_of(rule: str) -> tuple[Page, ...]:
    """The pages of a diagnosis: one, or two of a rule of two steps (``rounding-rtz+flush-to-zero``).

    Among patterns that fit, the one with most letters decides.
    """
    steps = rule.split("+") if rule.startswith("rounding-") else [rule]
    return tuple(dict.fromkeys(_page_of(step) for step in steps))


def _page_of(rule: str) -> Page:
    fitting = [
        (len(pattern.replace("*", "")), page.name)
        for page in pages().values()
        for pattern in page.rules
        if fnmatchcase(rule, pattern)
    ]
    return pages()[max(fitting)[1] if fitting else UNEXPLAINED]
