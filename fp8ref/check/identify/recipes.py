"""Which recipe gives these scales and codes?  A search over all factors.

Recipes in use come first, then each of the nearest with one factor changed, then with two.  A recipe fits only if it
gives every bit (NaNs of scales and elements are one class); what is left after the search is the nearest, and the
groups in which it differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.answers import differs
from ...cases.operation import Operation
from ...cases.scaling.questions import is_fake, quantiser, scale_bytes, values
from ...cases.scaling.recipes import RecipeQuantiser, mode_text, with_element
from ...spec.scaling.named import get_recipe, in_words, nearest
from ...spec.scaling.recipe import CHOICES, Recipe

Codes = NDArray[Any]
FIRST, SAMPLE = 40, 384  # groups that refuse most recipes; groups that sort out the others
NEAREST, PAIRS = 6, 16  # recipes that are varied twice, by which first changes
UNSEEN = ("element", "group", "layout", "keeps", "transform", "values")  # not searched: the data say them, or cannot
UNSEEN_IN_VALUES = UNSEEN[:-1]
FLOORS = ("none", "a:1e-4", "a:1e-6", "a:1e-8", "a:1e-10", "a:1e-12", "a:1e-6T", "a:1e-10T", "a:1e-12T", "a:2^-126",
          "s:step", "s:1e-4", "s:1e-6", "s:1e-8", "s:1e-10", "s:1e-12", "s:2^-6", "s:2^-9", "s:2^-126",
          "a:1e-10+s:1e-10", "a:1e-4+s:1e-10")  # fmt: skip
AIMS = ("max", "448", "240", "224", "57344", "6", "max.256")


@dataclass(frozen=True)
class Match:
    """A recipe and the groups in which it differs from what is there; none where it fits."""

    recipe: Recipe
    wrong: int
    of: int
    also: tuple[str, ...] = ()  # other recipes in use that give the same bits

    @property
    def mode(self) -> str:
        """The recipe as the mode of an operation."""
        return mode_text(self.recipe)

    @property
    def names(self) -> tuple[str, ...]:
        """What fits, in words: a recipe in use and its likes, or the nearest and what differs; nothing where none."""
        return (in_words(self.recipe), *self.also) if not self.wrong else ()

    @property
    def text(self) -> str:
        """The recipe in words, and what fits as well."""
        more = f"; the same bits from {', '.join(self.also)}" if self.also else ""
        return in_words(self.recipe) + more


def unseen(op: Operation) -> tuple[str, ...]:
    """The factors that answers to an operation do not show."""
    return UNSEEN_IN_VALUES if is_fake(op) else UNSEEN


def plainly(r: Recipe, shapes: tuple[tuple[int, int], ...], hidden: tuple[str, ...] = UNSEEN) -> Recipe:
    """A recipe as a recipe in use with the fewest factors changed; what cannot be seen is that recipe's."""
    entry, factors = nearest(r, hidden, shapes)
    return get_recipe(entry.recipe.but(element=r.element, **factors))


def choices(factor: str) -> Sequence[str]:
    """The choices of a factor that are tried."""
    return FLOORS if factor == "floor" else AIMS if factor == "aim" else tuple(CHOICES.get(factor, ()))


@lru_cache(maxsize=4096)
def variants(r: Recipe, hidden: tuple[str, ...] = UNSEEN) -> tuple[Recipe, ...]:
    """A recipe with one factor changed, for every factor that is not hidden and every choice that fits."""
    return tuple(_variants(r, hidden))


def _variants(r: Recipe, hidden: tuple[str, ...]) -> Iterator[Recipe]:
    for factor in ("floor", "aim", *CHOICES):
        if factor in hidden or (factor == "rounding" and r.rounding == "sr-ptx"):
            continue
        for choice in choices(factor):
            if choice == getattr(r, factor) or choice == "sr-ptx" or (choice == "first" and r.format.k > 4):
                continue
            try:
                changed = r.but(**{factor: choice})
            except ValueError:
                continue
            if changed.stored.partition(".")[0] == r.stored.partition(".")[0] and (changed.tensor != "none") == (
                r.tensor != "none"
            ):
                yield changed


class Search:
    """The search for the recipe of some answers.

    ``op``: the operation, whose mode does not matter.  ``operands``: x and, under two levels, the largest magnitudes of
    the tensors.  ``got``: rows of bytes.
    """

    def __init__(self, op: Operation, operands: Sequence[Codes], got: Codes, nan: str = "class") -> None:
        self.op, self.got, self.nan = op, got, nan
        self.x, self.whole = values(op, operands)
        q = quantiser(op)
        assert isinstance(q, RecipeQuantiser)
        self.q, self.hidden = q, unseen(op)
        self.some = np.unique(np.linspace(0, len(got) - 1, min(SAMPLE, len(got))).astype(np.intp))
        self.shapes: tuple[tuple[int, int], ...] = ((1, self.x.shape[1]),)
        self.first = self.some[:: max(1, len(self.some) // FIRST)]
        self.scores: dict[Recipe, tuple[int, int]] = {}

    def _wrong(self, r: Recipe, some: Any) -> NDArray[np.bool_]:
        whole = None if self.whole is None else self.whole[some]
        rows = self.q.answer(r, self.x[some], whole)
        found: NDArray[np.bool_] = differs(self.op, self.got[some], rows, self.nan)
        return found

    def score(self, r: Recipe) -> tuple[int, int]:
        """Groups of the sample that differ, and bytes that do."""
        if r not in self.scores:
            whole = None if self.whole is None else self.whole[self.some]
            rows = self.q.answer(r, self.x[self.some], whole)
            wrong = differs(self.op, self.got[self.some], rows, self.nan)
            self.scores[r] = int(wrong.sum()), int((rows[wrong] != self.got[self.some][wrong]).sum())
        return self.scores[r]

    def fits(self, r: Recipe) -> bool:
        """Does it give every bit of every group?"""
        if r in self.scores and self.scores[r][0]:
            return False
        return not any(self._wrong(r, some).any() for some in (self.first, self.some, slice(None)))

    def against(self, r: Recipe) -> tuple[NDArray[np.bool_], Codes]:
        """The groups in which a recipe differs, and the rows that it gives."""
        rows = self.q.answer(r, self.x, self.whole)
        return differs(self.op, self.got, rows, self.nan), rows

    def run(self, deep: bool = True) -> Match:
        """The recipe that fits with the fewest factors changed, else the nearest.

        Not ``deep``: one factor at most, of the nearest recipes.
        """
        known = [with_element(mode, self.q.grid) for mode in self.q.rules]
        if fitting := [r for r in known if self.fits(r)]:
            others = tuple(name for r in fitting[1:] for name in [mode_text(r)])
            return Match(plainly(fitting[0], self.shapes, self.hidden), 0, len(self.got), others)
        ranked = sorted(known, key=self.score)
        for r in ranked if deep else ranked[:NEAREST]:
            for changed in variants(r, self.hidden):
                if self.fits(changed):
                    return Match(plainly(changed, self.shapes, self.hidden), 0, len(self.got))
        if not deep:
            return Match(ranked[0], self.score(ranked[0])[0], len(self.got))
        once = sorted({changed: 0 for r in ranked[:NEAREST] for changed in variants(r, self.hidden)}, key=self.score)
        for r in self._spread(once):
            for changed in variants(r, self.hidden):
                if self.fits(changed):
                    return Match(plainly(changed, self.shapes, self.hidden), 0, len(self.got))
        best = min([*ranked, *once], key=self.score)
        return Match(plainly(best, self.shapes, self.hidden), int(self._wrong(best, slice(None)).sum()), len(self.got))

    def every_fit(self) -> list[Recipe]:
        """All recipes in use that fit; where none does, all with one factor changed."""
        known = [with_element(mode, self.q.grid) for mode in self.q.rules]
        fitting = [r for r in known if self.fits(r)]
        if fitting:
            return fitting
        changed = {changed: None for r in known for changed in variants(r, self.hidden)}
        return [plainly(r, self.shapes, self.hidden) for r in changed if self.fits(r)]

    def _spread(self, once: list[Recipe]) -> list[Recipe]:
        """The nearest after one change; and those that make the scales, or the elements, right by themselves."""
        size = scale_bytes(self.q)
        whole = None if self.whole is None else self.whole[self.some]
        kept: list[Recipe] = once[:PAIRS]
        seen: dict[tuple[str, ...], int] = {}
        for r in once:
            if len(kept) >= 3 * PAIRS:
                break
            rows = self.q.answer(r, self.x[self.some], whole)
            right = tuple(
                name
                for name, part in (("scale", np.s_[:, :size]), ("codes", np.s_[:, size:]))
                if np.array_equal(rows[part], self.got[self.some][part])
            )
            if right and seen.setdefault(right, 0) < PAIRS and r not in kept:
                seen[right] += 1
                kept.append(r)
        return kept


def find_recipe(
    claim: Operation, operands: Sequence[Codes], got: Codes, nan: str = "class", deep: bool = True
) -> Match:
    """The recipe that gives all answers to a scaling whose rule is free, else the nearest."""
    return Search(claim, operands, got, nan).run(deep)
