"""Which recipes in use a tensor can come from: by its types and scales alone."""

from __future__ import annotations

from functools import lru_cache

from ..spec.scaling.named import Named, named
from .scan import Scan
from .tensors import Quantised

FLOATS = ("f32", "bf16", "f16", "f64")


@lru_cache(maxsize=256)
def of_types(element: str, scale_format: str, two: bool) -> tuple[Named, ...]:
    """The recipes in use whose codes and scales are of these formats.  ``two``: there is a scale of the tensor."""
    found = []
    for entry in named().values():
        r = entry.recipe
        if (
            r.format.name != element
            or r.transform != "none"
            or r.rounding.startswith("sr")
            or (r.tensor != "none") != two
        ):
            continue
        if scale_format in FLOATS:
            fits = r.stored == "f32"
        elif scale_format == "e8m0fnu":
            fits = r.stored == "e8m0fnu" or (r.stored == "f32" and r.power != "none")
        else:
            fits = r.stored.startswith("e4m3fn")
        if fits:
            found.append(entry)
    return tuple(found)


def preferred(t: Quantised, entries: tuple[Named, ...]) -> list[Named]:
    """In the order in which they are likely: the convention's own stacks, then groups of the tensor's shape."""
    g = t.grid
    shape = (0 if g.m == 1 and g.n == 1 else g.r, 0 if g.n == 1 else g.c)

    def rank(entry: Named) -> tuple[bool, bool]:
        return entry.stack not in t.convention.stacks, entry.recipe.shape not in (shape, (g.r, g.c))

    return sorted(entries, key=rank)


def by_file(t: Quantised, s: Scan) -> list[str]:
    """The names of the recipes that the file alone still allows."""
    if t.grid.name in ("none", "unknown"):
        return []
    found = []
    for entry in preferred(t, of_types(t.element, t.scale_format, t.whole is not None)):
        r = entry.recipe
        if t.scale_format in FLOATS and s.groups > 8 and (r.power != "none") != s.powers:
            continue
        if r.scale_in == "bf16" and not s.bf16:
            continue
        if s.histogram[t.format.sign_bit] and r.zeros == "none":
            continue
        if s.zero_groups == 0 and s.at_top < 1 and r.power == "none" and r.choose == "none" and not t.whole:
            continue  # every group brings its largest magnitude near the top
        found.append(entry.name)
    return found
