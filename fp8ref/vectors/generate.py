"""Recipes and what they make: blocks of cases with the reference's answers, in bounded memory.

Operands of at most 16 bits together are asked completely.  Wider ones by coverage bins: first cases until every bin has
``each``, then seeded filling up to ``n``, or for ever.  The same recipe gives the same cases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..cases.answers import expect
from ..cases.operation import Operation
from ..cases.products.exact import Sum, exact_sums
from ..cases.products.questions import is_product
from ..cases.scaling.questions import is_scale
from ..cases.tuples import EVERY, every, total_width
from .constrained import Limits
from .coverage.bins import Coverage, bins_of, coverpoints_of, points_of
from .coverage.exact_sums import text_of
from .coverage.samplers import batch
from .section import Block, Codes, Section, by_case

Answering = Callable[[Section, Sequence[Codes]], Block]
BARREN, SEARCH = 12, 64  # batches without a wanted case after which the search ends, and batches at most
SIZE = 1 << 14  # cases of a block


@dataclass(frozen=True)
class Recipe:
    """What to make: an operation, how, how many cases, from which seed.

    ``select``: ``every`` case or by ``bins``; by default every case where the operands have at most 16 bits together.
    ``n``: how many cases, None for as many as the selection takes.  ``forever``: filling without end.
    """

    operation: Operation
    select: str = ""
    each: int = 8
    n: int | None = None
    seed: int = 0
    forever: bool = False
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(
        cls,
        operation: Operation | str,
        select: str = "",
        each: int = 8,
        n: int | None = None,
        seed: int = 0,
        forever: bool = False,
        limits: Limits | None = None,
    ) -> Recipe:
        """A recipe with everything said.  Raises ValueError for what cannot be made."""
        op = Section.of(operation).operation
        small = _is_small(op)
        select = select or ("every" if small else "bins")
        if select not in ("every", "bins"):
            raise ValueError(f"unknown selection {select!r}; choose every or bins")
        if select == "every" and not _is_small(op, 32):
            raise ValueError(f"operation {op.id!r}: its operands have too many codes to ask every case; select bins")
        limits = limits or Limits()
        limits.check(op, coverpoints_of(op) if limits else ())
        return cls(op, select, each, n, seed, forever, limits)

    @property
    def selection(self) -> str:
        """The selection as a header has it.

        >>> Recipe.of("convert/f32/e4m3fn", n=1000).selection
        'bins each=8 n=1000'
        """
        words = [self.select]
        if self.select == "bins":
            words.append(f"each={self.each}")
        if self.n is not None:
            words.append(f"n={self.n}")
        return " ".join(words + ["forever"] * self.forever + self.limits.words)

    @classmethod
    def read(cls, section: Section) -> Recipe | None:
        """The recipe of a header's selection; None where it is none of ours."""
        form = r"(every|bins)(?: each=(\d{1,6}))?(?: n=(\d{1,15}))?( forever)?((?: \S+=\S+)*)"
        match = re.fullmatch(form, section.selection)
        if match is None:
            return None
        n = None if match[3] is None else int(match[3])
        try:
            limits = Limits.read(match[5].split())
            return cls.of(section.operation, match[1], int(match[2] or 8), n, section.seed, bool(match[4]), limits)
        except ValueError:
            return None

    @property
    def options(self) -> str:
        """The options of the command line that makes it."""
        small = _is_small(self.operation)
        words = [f"--select {self.select}"] if self.select != ("every" if small else "bins") else []
        words += [f"--each {self.each}"] if self.select == "bins" and self.each != 8 else []
        words += [f"-n {self.n}"] if self.n is not None else []
        words += [f"--seed {self.seed}"] if self.seed else []
        return "".join(f" {word}" for word in words + ["--forever"] * self.forever + self.limits.options)

    @property
    def command(self) -> str:
        """The command line that makes it."""
        return f"fp8ref vectors generate '{self.operation.id}'{self.options}"

    def section(self, bins: bool = True) -> Section:
        """The section that it fills; with ``bins`` its cases say in which bins they are."""
        points = coverpoints_of(self.operation) if bins else ()
        return Section(self.operation, self.selection, self.seed, None, points)


def _is_small(op: Operation, bits: int = EVERY) -> bool:
    """Can every case be asked?"""
    return not is_product(op) and not is_scale(op) and total_width(op) <= bits


def answered(section: Section, operands: Sequence[Codes]) -> Block:
    """Cases with everything that the reference says of them."""
    block, sums = _untagged(section, operands)
    if section.coverpoints:
        op = section.operation
        points = points_of(op)
        if tuple(point.coverpoint for point in points) != section.coverpoints:
            raise ValueError(f"operation {op.id!r}: its coverpoints are not those of the section")
        block = replace(block, bins=bins_of(op, points, block, sums))
    return block


def _untagged(section: Section, operands: Sequence[Codes]) -> tuple[Block, list[Sum]]:
    """Cases with their answers but for their bins, and the exact sums of dot products."""
    op = section.operation
    with np.errstate(invalid="ignore"):  # a signalling NaN for C
        answer = expect(op, operands)
    sums = exact_sums(op, operands) if section.has_exact else []
    exact = tuple(map(text_of, sums)) if section.has_exact else None
    status = answer.status if section.has_status else None
    return Block(tuple(operands), answer.codes, status, None, exact, answer.amax), sums


def unanswered(section: Section, operands: Sequence[Codes]) -> Block:
    """Cases of which only the operands are asked."""
    return Block(tuple(operands), operands[0])


def generate(
    recipe: Recipe, bins: bool = True, coverage: Coverage | None = None, answer: Answering = answered
) -> Iterator[Block]:
    """The blocks of a recipe.  ``coverage`` counts their bins, where it is given."""
    section = recipe.section(bins)
    left, there = recipe.n, False
    for block in _blocks(recipe, section, coverage, answer):
        if left is not None:
            block = block[: min(left, block.size)]
            left -= block.size
        if coverage is not None and block.bins is not None and recipe.select == "every":
            coverage.add(block.bins)
        if block.size:
            there = True
            yield block
        if left == 0:
            return
    if recipe.limits and not there:
        raise _none(recipe)


def _blocks(
    recipe: Recipe, section: Section, coverage: Coverage | None, answer: Answering
) -> Generator[Block, None, None]:
    first = 0
    if recipe.select == "every":
        total = 1 << total_width(recipe.operation)
        if coverage is not None:
            coverage.tried, coverage.all_of_them = total, recipe.n is None or recipe.n >= total
        for start in range(0, total, SIZE):
            candidates = every(recipe.operation, start, min(start + SIZE, total))
            yield _limited(recipe, section, candidates, start, answer)
    elif not recipe.limits.weights:
        first = yield from _covering(recipe, section, coverage or Coverage(points_of(recipe.operation), recipe.each))
    if recipe.forever or recipe.n is not None:
        hopeless = 0
        while True:  # filling
            block = _limited(recipe, section, _candidates(recipe, first), first, answer)
            hopeless = hopeless + 1 if not block.size else 0
            if hopeless == SEARCH:
                raise _none(recipe)
            if coverage is not None and block.bins is not None and recipe.select == "bins":
                coverage.add(block.bins)
            yield block
            first += 1


def _none(recipe: Recipe) -> ValueError:
    return ValueError(f"operation {recipe.operation.id!r}: no case of {' '.join(recipe.limits.words)} was found")


def _candidates(recipe: Recipe, number: int) -> Sequence[Codes]:
    """A batch of candidates that keep to the recipe's operands."""
    found = batch(recipe.operation, recipe.seed, number)
    return recipe.limits.constrained(recipe.operation, found, _rng(recipe, number)) if recipe.limits.operands else found


def _rng(recipe: Recipe, number: int) -> np.random.Generator:
    return np.random.default_rng([recipe.seed, number, *" ".join(recipe.limits.words).encode()])


def _limited(
    recipe: Recipe, section: Section, candidates: Sequence[Codes], number: int, answer: Answering = answered,
    weighted: bool = True,
) -> Block:  # fmt: skip
    """Candidates with their answers; of a constrained recipe those that its operands, bin and weights take."""
    limits = recipe.limits
    if not limits:
        return answer(section, candidates)
    there = limits.inside(recipe.operation, candidates)
    points = recipe.section(True)
    block = answered(points, [x[there] for x in candidates])
    assert block.bins is not None
    limits = limits if weighted else replace(limits, weights=())
    block = _taken(block, np.flatnonzero(limits.taken(points.coverpoints, block.bins, _rng(recipe, number + 1))))
    return block if section.coverpoints else replace(block, bins=None)


def _covering(recipe: Recipe, section: Section, coverage: Coverage) -> Generator[Block, None, int]:
    """Candidates that bring a bin nearer to its number, until none does; returns the number of the next batch."""
    op = recipe.operation
    tagged = recipe.section(True)
    seen: set[bytes] = set()
    barren = number = 0
    small = _is_small(op)
    while coverage.open and barren < BARREN and number < SEARCH:
        candidates = every(op) if small else _candidates(recipe, number)
        number += 1
        coverage.tried += len(candidates[0])
        block = _useful(recipe, tagged, candidates, number, coverage)
        block = _taken(block, _unseen(block, seen))
        assert block.bins is not None
        take = np.flatnonzero(coverage.wanted(block.bins))
        barren = 0 if take.size else barren + 1
        chosen = _taken(block, take)
        if take.size:
            seen.update(_rows(chosen))
            yield chosen if section.coverpoints else replace(chosen, bins=None)
        if small:
            coverage.all_of_them = True
            return 1
    return number


def _useful(recipe: Recipe, tagged: Section, candidates: Sequence[Codes], number: int, coverage: Coverage) -> Block:
    """Candidates in bins that want more cases.  Only coverpoints with such bins are asked about all of them."""
    if recipe.limits:
        block = _limited(recipe, tagged, candidates, number, weighted=False)
        assert block.bins is not None
        return _taken(block, np.flatnonzero(coverage.short(block.bins)))
    op, points, some = tagged.operation, coverage.points, coverage.open_points
    block, sums = _untagged(tagged, candidates)
    bins = bins_of(op, [points[i] for i in some], block, sums)
    rows = np.flatnonzero(coverage.short(bins, some))
    block, sums = _taken(block, rows), [sums[i] for i in rows.tolist()] if sums else []
    return replace(block, bins=bins_of(op, points, block, sums))


def _rows(block: Block) -> list[bytes]:
    if not block.size:
        return []
    columns = [np.ascontiguousarray(by_case(x)).view(np.uint8) for x in block.operands]
    joined = np.ascontiguousarray(np.concatenate(columns, axis=1))
    found: list[bytes] = joined.view(f"V{joined.shape[1]}").reshape(-1).tolist()
    return found


def _unseen(block: Block, seen: set[bytes]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The first of equal cases, less those that were taken already."""
    rows = _rows(block)
    first = dict(zip(reversed(rows), range(len(rows) - 1, -1, -1)))  # the last one that is put in stays
    return np.array(sorted(i for row, i in first.items() if row not in seen), np.intp)


def _taken(block: Block, which: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Block:
    return Block(
        tuple(x[which] for x in block.operands),
        block.result[which],
        None if block.status is None else block.status[which],
        None if block.bins is None else block.bins[which],
        None if block.exact is None else tuple(block.exact[i] for i in which.tolist()),
        None if block.amax is None else block.amax[which],
    )
