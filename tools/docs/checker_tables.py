"""Tables about the checker: variations, wrong rules, flags, layouts, profiles, built-in adapters."""

from __future__ import annotations

from pathlib import Path

import md
import numpy as np

from fp8ref.cases.families import FAMILIES
from fp8ref.cases.flags import FLAGS
from fp8ref.cases.keys import KEYS
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.check.diagnosis.book import rules_for
from fp8ref.check.harness.layout import LAYOUTS
from fp8ref.check.variations.catalog import VARIATIONS
from fp8ref.spec.profiles.catalog import PROFILES
from fp8ref.spec.profiles.rules import Profile

# operations that between them can show every kind of mistake
REPRESENTATIVE = (
    "convert/f64/e4m3fn/rne.sat",
    "convert/f64/e5m2/rne.nonsat",
    "convert/f32/e4m3fn/rtz.sat",
    "convert/f16/e8m0fnu/rne.sat",
    "decode/e4m3fn/f32",
    "decode/e5m2/f32",
)


def pages(docs: Path) -> dict[str, str]:
    return {
        "check/families.md": families(),
        "check/variations.md": variations(),
        "check/diagnoses.md": diagnoses(),
        "check/flags.md": md.table(["flag", "the case"], [[md.code(name), text] for name, text in FLAGS.items()]),
        "check/layouts.md": md.table(["layout", ""], [[md.code(x.name), x.text] for x in LAYOUTS.values()]),
        "check/profiles.md": "\n".join(profile(p) for p in PROFILES.values()),
    }


def families() -> str:
    rows = [[md.code(f.name), f.mode or "", md.code(f.example), f.asks] for f in FAMILIES.values()]
    keys = ", ".join(map(md.code, KEYS))
    return md.table(["family", "mode", "example", "asks"], rows) + f"\nKeys: {keys}.\n"


def variations() -> str:
    rows = [
        [md.code(v.name), v.text, "; ".join(f"**{a.name}** ({a.who})" for a in v.answers), v.clause] for v in VARIATIONS
    ]
    rows.append(
        [
            md.code("documented-via-FORMAT"),
            "values are rounded to FORMAT first, and the implementation documents it (key `via=FORMAT` in its claim)",
            "that, throughout",
            "no specification; the claim itself",
        ]
    )
    return md.table(["variation", "what is left open", "answers in use, one of which holds throughout", "why"], rows)


def diagnoses() -> str:
    """Every wrong rule that the representative operations yield, once, conversions first."""
    found: dict[str, dict[str, list[str]]] = {"convert": {}, "decode": {}}
    for text in REPRESENTATIVE:
        op = Operation.parse(text)
        sample = np.unique(cases(op, 1, 0)[0])  # rules on NaN are shown only where there is one
        for rule in rules_for(op, [sample]):
            sentences = found[op.family].setdefault(rule.name, [])
            if rule.sentence not in sentences:
                sentences.append(rule.sentence)
    parts = []
    for family, rules in found.items():
        parts.append(f"### Rules of `{family}`\n")
        parts.append(md.table(["rule", "sentence"], [[md.code(n), _some(s)] for n, s in rules.items()]))
    return "\n".join(parts)


def _some(sentences: list[str], most: int = 2) -> str:
    return "; ".join(sentences[:most]) + ("; ..." if len(sentences) > most else "")


def profile(p: Profile) -> str:
    rows = [
        [rule.sources.replace("*", "any"), rule.results, rule.roundings.replace("*", "any"), rule.overflow, rule.nan]
        for rule in p.rules
    ]
    notes = "".join(f"- {note}\n" for note in p.notes)
    kind = "specification" if p.specification else "observed"
    head = f"### `{p.name}`\n\n{p.title} ({kind}). Source: {p.source}.\n\n"
    return head + md.table(["from", "to", "rounding", "overflow", "nan"], rows) + ("\n" + notes if notes else "")
