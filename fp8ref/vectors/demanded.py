"""The cases that a header's recipe makes, to hold against those that came: none lost, repeated or made up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .generate import Recipe, generate, unanswered
from .section import Block, Codes, Section, by_case


class Demanded:
    """The operands of a recipe, in order, made as they are needed."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._blocks: Iterator[Block] = generate(recipe, False, answer=unanswered)
        self._now: list[Codes] = []
        self._left = 0

    @classmethod
    def of(cls, section: Section) -> Demanded | None:
        """Those of a section; None where its selection is no recipe of ours."""
        recipe = Recipe.read(section)
        return None if recipe is None else cls(recipe)

    def first_other(self, operands: tuple[Codes, ...]) -> int | None:
        """Which of the next cases is not the recipe's; None where all are."""
        done, count = 0, len(operands[0])
        while done < count:
            if not self._more():
                return done
            n = min(count - done, self._left)
            start = len(self._now[0]) - self._left
            other = np.zeros(n, bool)
            for mine, theirs in zip(self._now, operands):
                unlike = mine[start : start + n] != theirs[done : done + n]
                other |= by_case(unlike).any(axis=1)
            if other.any():
                return done + int(np.argmax(other))
            done, self._left = done + n, self._left - n
        return None

    def ended(self) -> bool:
        """Has every case of the recipe come?"""
        return self.recipe.forever or not self._more()

    def _more(self) -> bool:
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return False
            self._now, self._left = list(block.operands), block.size
        return True
