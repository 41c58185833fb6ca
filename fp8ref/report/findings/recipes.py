"""Which recipe made a tensor's codes and scales, in words, and the first group that departs from it, drawn."""

from __future__ import annotations

from ...check.identify.tensors import Found
from ...spec.scaling.named import named, names_of
from .documents import Document
from .scales import draw_scale, scale_case_id


def recipe_page(found: Found) -> str:
    """The answer as text."""
    match = found.match
    share = f"{found.rows} x {found.columns} elements share a scale" + (f"; {found.codes}" if found.codes else "")
    lines = [
        share,
        f"{match.of} groups compared" + (f", {found.skipped} elements of short groups not" if found.skipped else ""),
    ]
    if found.fits:
        lines += ["", f"recipe   {match.text}", f"         {match.recipe}"]
        lines += [f"source   {named()[name].source}" for name in names_of(match.recipe)]
        return "\n".join(lines)
    lines += ["", f"no recipe gives all bits; the nearest differs in {match.wrong} of {match.of} groups:"]
    lines += [f"         {match.text}", f"         {match.recipe}", ""]
    assert found.group is not None
    lines.append(f"the first that differs begins at row {found.group[0]}, column {found.group[1]}")
    return "\n".join([*lines, draw_scale(found.op, found.inputs, found.want, found.got)])


def recipe_document(found: Found) -> Document:
    """The answer as data."""
    match = found.match
    return {
        "kind": "recipe",
        "fits": found.fits,
        "recipe": str(match.recipe),
        "names": names_of(match.recipe),
        "words": match.text,
        "also": list(match.also),
        "group": [found.rows, found.columns],
        "groups": match.of,
        "wrong": match.wrong,
        "skipped": found.skipped,
        "codes": found.codes,
        **({} if found.fits else {"first": list(found.group or ()), "case": scale_case_id(found.op, found.inputs)}),
    }
