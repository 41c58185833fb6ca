"""Recipes as quantisers: ``scale/SOURCE/ELEMENT/RECIPE;k=...``.

ELEMENT is a format of at most 8 bits, RECIPE a recipe's name or text with commas for spaces; ``k`` the elements of a
group.  Recipes with two levels take x and the largest magnitude of the tensor.  Under ``*`` every recipe with the
stored scale that ``;scale=`` names is possible: f32 by default for elements of 8 bits, e8m0fnu for narrower ones, and
e4m3fn under two levels.

``fake/SOURCE/ELEMENT/RECIPE;k=...``: the values that codes and scales stand for, in the source's type, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...arrays.conversion import FLOAT_DTYPES
from ...arrays.quantisers import Quantiser, join
from ...fast import recipes as fast
from ...fast.blocks import F32s, U32s
from ...fast.chunks import Array
from ...fast.values import fake_quantize, grid
from ...spec.catalog import get_format
from ...spec.rounding import Rounding
from ...spec.scaling.named import get_recipe, named, short_text
from ...spec.scaling.recipe import Recipe
from ...spec.scaling.steps import scale_of

STOCHASTIC = "sr-ptx"


def mode_text(r: Recipe) -> str:
    """A recipe as the mode of an operation."""
    return short_text(r).replace(" ", ",")


@lru_cache(maxsize=4096)
def with_element(text: str, element: str) -> Recipe:
    """The recipe of a mode, with codes of this format.  Raises ValueError for what is no recipe."""
    r = get_recipe(text)
    return r if r.element == element else get_recipe(r.but(element=element))


@dataclass(frozen=True)
class RecipeQuantiser(Quantiser):
    """A quantiser whose rules are recipes for a source's type."""

    source: str = "f32"

    def rows(self, x: F32s, rule: str, tensor_amax: F32s | None = None) -> NDArray[np.uint8]:
        return self.answer(with_element(rule, self.grid), x, tensor_amax)

    def answer(self, r: Recipe, x: F32s, whole: F32s | None) -> NDArray[np.uint8]:
        """Rows of bytes that a recipe answers."""
        return rows_of(r, x, self.source, whole)


@dataclass(frozen=True)
class FakeQuantiser(RecipeQuantiser):
    """A quantiser that answers values of the source's type, and no scale."""

    codes: str = ""
    stored: str = ""

    @property
    def grid(self) -> str:
        return self.codes

    @property
    def kept(self) -> str:
        return self.stored

    def answer(self, r: Recipe, x: F32s, whole: F32s | None) -> NDArray[np.uint8]:
        found = fake_quantize(r, x, self.source, None if r.tensor == "none" else whole)
        return self.bytes_of(found)

    def bytes_of(self, found: F32s) -> NDArray[np.uint8]:
        """Values as rows of bytes."""
        with np.errstate(all="ignore"):
            found = found.astype(FLOAT_DTYPES[self.source], copy=False)
        return np.ascontiguousarray(found).view(np.uint8)

    def values(self, rule: str, x: F32s, whole: F32s | None) -> Array:
        """The codes (groups, elements of the format) of all values that elements of each group can become."""
        found = self.bytes_of(grid(with_element(rule, self.codes), x, self.source, whole))
        return found.view(f"u{np.dtype(FLOAT_DTYPES[self.source]).itemsize}")


def rows_of(r: Recipe, x: F32s, source: str, tensor_amax: F32s | None) -> NDArray[np.uint8]:
    """Rows of bytes: the stored scale, and the codes of the elements."""
    return join(*fast.quantize(r, x, source, None if r.tensor == "none" else tensor_amax))


@lru_cache(maxsize=1024)
def is_element(name: str) -> bool:
    """Is it a format in which a recipe's elements may be?"""
    try:
        f = get_format(name)
    except ValueError:
        return False
    return f.k <= 8 and f.signed and not f.fixed_point


@lru_cache(maxsize=256)
def candidates(element: str, stored: str, tensor: bool) -> tuple[str, ...]:
    """Recipes in use that could have given codes of this format under such scales; each behaviour once."""
    found: dict[str, str] = {}
    own = sorted(named().values(), key=lambda entry: entry.recipe.element != element)
    for entry in own:
        r = with_element(entry.name, element)
        if stored == "ue5m3" and r.stored in ("e4m3fn", "e4m3fn.up"):  # no recipe in use has such scales of its own
            r = r.but(stored=r.stored.replace("e4m3fn", "ue5m3"))
        if r.stored.partition(".")[0] != stored or (r.tensor != "none") != tensor or r.rounding == STOCHASTIC:
            continue
        found.setdefault(str(r.but(group="1x128", layout="rows", transform=r.transform)), mode_text(r))
    return tuple(found.values())


def default_scale(element: str, tensor: bool) -> str:
    return "e4m3fn" if tensor else "f32" if get_format(element).k == 8 else "e8m0fnu"


@lru_cache(maxsize=1024)
def of_recipe(element: str, mode: str, source: str = "f32", tensor: bool = False, stored: str = "") -> RecipeQuantiser:
    """The quantiser of a recipe, or under ``*`` of any that fits.

    Raises ValueError for texts that are no recipe, and where a recipe's scale is not the one that is stored.
    """
    element = get_format(element).name
    if mode in ("*", ""):
        stored = stored or default_scale(element, tensor)
        rules = candidates(element, stored, tensor)
        if not rules:
            raise ValueError(f"no recipe has elements of {element} under scales of {stored}")
        block = 0
    else:
        r = with_element(mode, element)
        if r.rounding == STOCHASTIC:
            raise ValueError(f"{mode}: stochastic rounding has no one answer")
        own, tensor = r.stored.partition(".")[0], r.tensor != "none"
        if stored and stored != own:
            raise ValueError(f"{mode}: its scales are {own}, not {stored}")
        stored, block = own, r.shape[0] * r.shape[1]
        rules = (mode_text(r), *(name for name in candidates(element, stored, tensor) if name != mode_text(r)))
    return RecipeQuantiser(
        element,
        rules,
        stored,
        element,
        block,
        lambda amax, rule, whole: _scales(with_element(rule, element), amax, source, whole),
        lambda x, up, rounding: _elements(x, up, element, rounding),
        _Sources(),
        tensor,
        source,
    )


@lru_cache(maxsize=1024)
def of_fake(element: str, mode: str, source: str = "f32", tensor: bool = False, stored: str = "") -> FakeQuantiser:
    """The fake quantiser of a recipe, or under ``*`` of any that fits; as :func:`of_recipe`.

    A scale that is not answered may be kept in any type: under ``*`` those that ``stored`` does not exclude.
    """
    q = of_recipe(element, mode, source, tensor, stored)
    rules = q.rules
    if mode in ("*", "") and not stored and not tensor:
        kinds = dict.fromkeys((q.scale, "f32", "e8m0fnu", "e4m3fn"))
        rules = tuple(rule for kind in kinds for rule in candidates(q.element, kind, False))
    plain = {f.name: getattr(q, f.name) for f in fields(q)}
    more = {"rules": rules, "scale": "u8", "element": source}
    return FakeQuantiser(**{**plain, **more}, codes=q.element, stored=q.scale)


class _Sources(dict[str, str]):
    """Where a recipe is written; a variation has the source of the recipe that it varies."""

    def get(self, rule: str, default: str = "") -> str:  # type: ignore[override]
        entry = named().get(rule.split(",")[0])
        return entry.source if entry else default

    def __iter__(self) -> Iterator[str]:
        return iter(named())


def _scales(r: Recipe, amax: U32s, source: str, whole: F32s | None) -> tuple[Array, F32s]:
    """Stored scales and multipliers from largest magnitudes, of which NaNs have been told already."""
    m = fast.Vectors()
    with np.errstate(all="ignore"):
        a = np.ascontiguousarray(amax, np.uint32).view(np.float32)
        s = scale_of(r, m, a, source, whole)
        up = np.broadcast_to(np.float32(1) / s.factor if s.divide else s.factor, a.shape)
        if s.first is not None:
            up = up * s.first
    stored = np.asarray(s.stored, np.float32)
    return stored if r.stored == "f32" else stored.astype(np.uint8), np.ascontiguousarray(up, np.float32)


def _elements(x: F32s, up: F32s, element: str, rounding: Rounding) -> Array:
    with np.errstate(all="ignore"):
        return fast.encoded(x * up[:, None], get_format(element), rounding.value)
