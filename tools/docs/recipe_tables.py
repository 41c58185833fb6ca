"""Tables of recipes of block scaling: those in use, by kind, and what every choice of every factor means."""

from __future__ import annotations

from pathlib import Path

import md

from fp8ref.spec.scaling.named import Named, named
from fp8ref.spec.scaling.recipe import CHOICES

KINDS = (
    ("FP8 with binary32 scales", lambda e: e.recipe.format.k == 8 and e.recipe.stored == "f32"),
    ("Power-of-two bytes (MX)", lambda e: e.recipe.stored == "e8m0fnu"),
    ("FP4 with scales in E4M3 or binary32", lambda e: True),
)


def pages(docs: Path) -> dict[str, str]:
    return {"recipes/named.md": _named(), "recipes/factors.md": _factors()}


def _named() -> str:
    left = list(named().values())
    parts = []
    for title, belongs in KINDS:
        some = [entry for entry in left if belongs(entry)]
        left = [entry for entry in left if entry not in some]
        parts.append(
            f"**{title}**\n\n" + md.table(("recipe", "factors", "written in"), [_row(entry) for entry in some])
        )
    return "\n\n".join(parts) + "\n"


def _row(entry: Named) -> tuple[str, str, str]:
    where = f"{entry.source}{f' ({entry.versions})' if entry.versions else ''}"
    return f"`{entry.name}`", f"`{entry.recipe}`", where + (f"; {entry.note}" if entry.note else "")


def _factors() -> str:
    rows = [
        (f"`{factor}`", f"`{choice}`", text) for factor, choices in CHOICES.items() for choice, text in choices.items()
    ]
    return md.table(("factor", "choice", "what it means"), rows) + "\n"
