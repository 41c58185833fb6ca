"""Which recipes a tensor can come from: by its types, and by its scales alone."""

from __future__ import annotations

from functools import lru_cache

from ..spec.scaling.named import named, names_of, short_text
from ..spec.scaling.recipe import FACTORS, Recipe
from .files.stored import FLOATS
from .scan import Scan
from .tensors import Quantised


@lru_cache(maxsize=256)
def of_types(element: str, scale_format: str, two: bool, powers: bool) -> tuple[Recipe, ...]:
    """The recipes in use whose codes and scales are of these formats.

    ``two``: there is a scale of the tensor.  ``powers``: all scales are powers of two.
    """
    found: dict[Recipe, None] = {}
    for entry in named().values():
        r = entry.recipe
        if r.element != element:
            if r.element != "e4m3fn" or element not in ("e5m2", "e4m3fnuz", "e5m2fnuz") or r.stored.startswith("e4m3"):
                continue
            r = r.but(element=element)
        if r.transform != "none" or r.rounding.startswith("sr") or (r.tensor != "none") != two:
            continue
        if scale_format in FLOATS:
            fits = r.stored == "f32" or (powers and r.stored == "e8m0fnu")
        elif scale_format == "e8m0fnu":
            fits = r.stored == "e8m0fnu" or (r.stored == "f32" and r.power != "none")
        else:
            fits = r.stored.startswith("e4m3fn")
        if fits:
            found[r] = None
    return tuple(found)


def preferred(t: Quantised, recipes: tuple[Recipe, ...]) -> list[Recipe]:
    """In the order in which they are likely: the convention's own stacks, then groups of the tensor's shape."""
    g = t.grid
    shape = (0 if g.m == 1 and g.n == 1 else g.r, 0 if g.n == 1 else g.c)

    def rank(r: Recipe) -> tuple[bool, bool]:
        return not (stacks_of(r) & set(t.convention.stacks)), r.shape not in (shape, (g.r, g.c))

    return sorted(recipes, key=rank)


@lru_cache(maxsize=1)
def _stacks() -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = {}
    for entry in named().values():
        found.setdefault(_but_element(entry.recipe), set()).add(entry.stack)
    return found


def _but_element(r: Recipe) -> tuple[str, ...]:
    return tuple(getattr(r, factor) for factor in FACTORS[1:])


def stacks_of(r: Recipe) -> set[str]:
    """Who uses a recipe, whatever its element."""
    return _stacks().get(_but_element(r), set())


def names(recipes: list[Recipe]) -> list[str]:
    """Every name of some recipes; a recipe without a name as the nearest one and what differs."""
    return list(dict.fromkeys(name for r in recipes for name in (names_of(r) or [short_text(r)])))


def by_file(t: Quantised, s: Scan) -> list[str]:
    """The names of the recipes that the file alone still allows."""
    if t.grid.name in ("none", "unknown"):
        return []
    found = []
    for r in preferred(t, of_types(t.element, t.scale_format, t.whole is not None, s.powers)):
        if t.scale_format in FLOATS and s.groups > 8 and (r.power != "none") != s.powers:
            continue
        if r.scale_in == "bf16" and not s.bf16:
            continue
        if s.histogram[t.format.sign_bit] and r.zeros == "none":
            continue
        if s.zero_groups == 0 and s.at_top < 1 and r.power == "none" and r.choose == "none" and not t.whole:
            continue  # every group brings its largest magnitude near the top
        found.append(r)
    return names(found)
