"""In which convention can a recipe's tensors stand?  The rows of the table of conventions are what is written."""

from __future__ import annotations

import difflib

from ...spec.scaling.named import named as named_recipes
from ...spec.scaling.named import names_of, short_text
from ...spec.scaling.recipe import Recipe
from ..conventions import CONVENTIONS, Convention

WRITTEN = ("", "low", "high", "dense")  # orders of codes in bytes


def convention_of(recipe: Recipe, name: str | None = None) -> Convention:
    """The convention of a name, or of the recipe's library where no name is given.

    Raises ValueError that says which conventions can hold the recipe.
    """
    able = [row for row in CONVENTIONS if holds(row, recipe)]
    choices = ", ".join(row.name for row in able) or "none that is written here"
    if name is not None:
        row = next((row for row in CONVENTIONS if row.name.lower() == name.lower()), None)
        if row is None:
            near = difflib.get_close_matches(name, [row.name for row in CONVENTIONS], n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {choices}"
            raise ValueError(f"no convention {name!r:.60}; {hint}")
        if row not in able:
            raise ValueError(f"{row.name} cannot hold {short_text(recipe)}; these can: {choices}")
        return row
    if not able:
        raise ValueError(f"no convention that is written here holds {short_text(recipe)}")
    stacks = {named_recipes()[one].stack for one in names_of(recipe)}
    return next((row for row in able if stacks & {*row.stacks, *row.producers}), able[0])


def holds(row: Convention, recipe: Recipe) -> bool:
    """Has a convention a place for a recipe's codes, scales and groups?"""
    if row.pack not in WRITTEN or row.weight == "_blocks" or not row.scales or not row.judged:
        return False
    k = recipe.format.k
    if k not in (4, 6, 8) or (row.element or recipe.element) != recipe.element or (k < 8) != bool(row.pack):
        return False
    if k == 8 and recipe.element not in row.codes:
        return False
    if (recipe.tensor != "none") != bool(row.whole):
        return False
    return recipe.group in row.grains and bool(scale_kind(row, recipe))


def scale_kind(row: Convention, recipe: Recipe) -> str:
    """The kind in which the scales are stored, as the table has it: ``kind`` or ``kind=format``; "": it has none."""
    if recipe.stored == "f32" and recipe.scale_in == "bf16" and "bf16" in row.scales:
        return "bf16"  # exact: the scale was rounded to it
    for text in row.scales:
        kind, _, meaning = text.partition("=")
        if (meaning or kind) == recipe.stored:
            return text
    return ""
