"""The tree of additions inside a unit, found from outside.

Three addends show it: M at one place, -M at another, a tiny u at a third.  If u survives, it was added after M and -M
had cancelled; if it is lost, it met M first.  So the places that lose u are the leaves below the node at which the two
places meet [after Xie et al., FPRev].  A node of many children is a fused step.  C is a leaf like the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.cases import Cases, codes_of, values_of
from ...cases.products.questions import addend_type, length
from ...spec.catalog import get_format
from .accumulators import Order

Codes = NDArray[Any]
Ask = Callable[[Cases], Codes]
Tree = Any  # a leaf is the number of a place (K for C), a node a tuple of trees
LARGEST_K = 128
SPAN = 60  # exponents used on either side of 1


class NoTree(Exception):
    """The answers are those of no tree of additions; it says why."""


@dataclass(frozen=True)
class Scale:
    """The exponents of M and u, and how a product of 2**e is split between the operands."""

    large: int
    small: int

    @property
    def span(self) -> int:
        return self.large - self.small


def scale(op: Operation, subnormal: bool) -> Scale:
    """The widest M and u that products and C of an operation can show; with subnormal operands or without."""
    fa, fb = map(get_format, op.operands)
    fc, fd = get_format(addend_type(op)), get_format(op.result)
    large = min(fa.emax + fb.emax, fc.emax - 1, fd.emax - 1, SPAN)
    for f in (fa, fb):  # the largest power of two that is a number
        if f.max < 2**f.emax:
            large -= 1
    low = sum(f.emin - (f.t if subnormal else 0) for f in (fa, fb))
    return Scale(large, max(low, fc.emin - fc.t, fd.emin - fd.t, -SPAN))


def split(e: int, op: Operation) -> tuple[float, float]:
    """2**e as a product of two operands, as even as the formats allow."""
    fa, fb = map(get_format, op.operands)
    low, high = fa.emin - fa.t, fa.emax - (fa.max < 2**fa.emax)
    lb, hb = fb.emin - fb.t, fb.emax - (fb.max < 2**fb.emax)
    ea = int(np.clip(max(e // 2, min(e - fb.emin, fa.emin)), max(low, e - hb), min(high, e - lb)))
    return 2.0**ea, 2.0 ** (e - ea)


def sums_of(op: Operation, rows: Sequence[Sequence[tuple[int, int, int]]], name: str) -> Cases:
    """Cases of addends (place, sign, exponent), equally many in each; place K is C."""
    k, n = length(op), len(rows)
    fa = get_format(op.operands[0])
    a, b, c = np.zeros((n, k + 1)), np.zeros((n, k + 1)), np.zeros(n)
    if n:
        place, sign, e = np.moveaxis(np.array(rows), 2, 0)
        used = {int(x): split(int(x), op) for x in np.unique(e)}
        halves = np.array([used[int(x)] for x in e.ravel()]).reshape(*e.shape, 2)
        row = np.arange(n)[:, None]
        a[row, place], b[row, place] = halves[..., 0], halves[..., 1]
        (a if fa.signed else b)[row, place] *= sign
        c = np.where(place == k, sign * np.ldexp(1.0, e), 0.0).sum(axis=1)
    codes = [codes_of(v, get_format(t)) for v, t in zip((a[:, :k], b[:, :k], c), (*op.operands, addend_type(op)))]
    return Cases(codes[0], codes[1], codes[2], (name,) * n)


class Summation:
    """The additions of one unit, asked as they are needed."""

    def __init__(self, op: Operation, ask: Ask) -> None:
        self.op, self.ask, self.k = op, ask, length(op)
        self.leaves = self.k + 1
        self._below: dict[tuple[int, int], frozenset[int]] = {}
        self.scale = scale(op, subnormal=True)
        alone = self._values([[(0, 1, self.scale.small)]])
        if alone[0] != 2.0**self.scale.small:  # subnormal operands are flushed
            self.scale = scale(op, subnormal=False)

    def _values(self, rows: Sequence[Sequence[tuple[int, int, int]]]) -> NDArray[np.float64]:
        return values_of(self.ask(sums_of(self.op, rows, "order")), get_format(self.op.result))

    def _fill(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Find the leaves below the nodes at which pairs of places meet."""
        asked = [p for p in pairs if p not in self._below]
        m, u = self.scale.large, self.scale.small
        rows, keys = [], []
        for i, j in asked:
            for third in range(self.leaves):
                if third not in (i, j):
                    rows.append([(i, 1, m), (j, -1, m), (third, 1, u)])
                    keys.append((i, j, third))
        lost = self._values(rows) != 2.0**u if rows else np.zeros(0, bool)
        found: dict[tuple[int, int], set[int]] = {p: set(p) for p in asked}
        for (i, j, third), gone in zip(keys, lost):
            if gone:
                found[i, j].add(third)
        self._below.update((p, frozenset(s)) for p, s in found.items())

    def _meet_before(self, i: int, others: Sequence[int], outside: int) -> list[int]:
        """Which of the others meet i before the leaf outside joins them."""
        m, u = self.scale.large, self.scale.small
        found = self._values([[(i, 1, m), (j, -1, m), (outside, 1, u)] for j in others])
        return [j for j, d in zip(others, found) if d == 2.0**u]

    def below(self, i: int, j: int) -> frozenset[int]:
        return self._below[i, j]

    def tree(self) -> Tree:
        """The tree of all leaves; a single node of every leaf is one fused step.  Raises NoTree."""
        everything = list(range(self.leaves))
        self._fill((everything[-1], j) for j in everything[:-1])
        first = [self.below(everything[-1], j) for j in everything[:-1]]
        if all(len(s) == 2 for s in first) and self.leaves > 2:
            raise NoTree(f"no addend is lost beside one 2^{self.scale.span} times as large")
        return self._build(everything)

    def bits(self, order: Order) -> int | None:
        """How far below two addends that cancel a third one survives in the same step, in bits; None: not to be seen.

        Every lesser distance survives, too.  ``span`` of the scale where nothing is lost.
        """
        step = [*(() if order.c_last else (self.k,)), *order.steps[0]]
        step = max([step, *map(list, order.steps)], key=len)
        if len(step) < 3:
            return None
        m = self.scale.large
        steps = range(1, self.scale.span + 1)
        found = self._values([[(step[-3], 1, m), (step[-2], -1, m), (step[-1], 1, m - f)] for f in steps])
        kept = found == np.ldexp(1.0, m - np.array(steps))
        return int(np.argmin(kept)) if not kept.all() else self.scale.span

    def _build(self, leaves: list[int]) -> Tree:
        """The tree of leaves that are all the leaves below one node."""
        if len(leaves) == 1:
            return leaves[0]
        start = leaves[-1]  # C, where it is among them: it usually comes first
        self._fill((start, j) for j in leaves[:-1])
        levels: dict[frozenset[int], list[int]] = {}
        for j in leaves[:-1]:
            levels.setdefault(self.below(start, j), []).append(j)
        chain = sorted(levels, key=len)
        for inner, outer in pairwise(chain):
            if not inner < outer:
                raise NoTree("the additions do not form a tree")
        node: Tree = start
        covered = {start}
        for level in chain:
            joined = levels[level]
            covered |= set(joined)
            if covered != set(level):
                raise NoTree("the additions do not form a tree")
            node = (node, *self._children(joined, covered - set(joined)))
        if covered != set(leaves):
            raise NoTree("the additions do not form a tree")
        return node

    def _children(self, leaves: list[int], others: set[int]) -> list[Tree]:
        """Leaves that join one node, divided into its children: two are in one child if they meet before it."""
        children, rest = [], list(leaves)
        outside = next(iter(others))
        while rest:
            first = rest[0]
            together = [first, *self._meet_before(first, rest[1:], outside)]
            children.append(self._build(sorted(together)))
            rest = [j for j in rest if j not in together]
        return children


def order_from(tree: Tree, k: int) -> Order | None:
    """The order of a fused unit whose additions make this tree; None where no such unit makes it."""
    steps = _steps(tree, k)
    if steps is not None and k in steps[0]:
        places = [tuple(sorted(p for p in step if p != k)) for step in steps]
        return _shortest([[p for p in places if p]], k, c_last=False)
    instructions = _instructions(tree, k)
    if instructions is None:
        return None
    found = [_steps(t, k) for t in instructions]
    if any(s is None for s in found):
        return None
    runs = [_single(s) for s in found if s is not None]
    return _shortest(runs, k, c_last=True)


def _steps(tree: Tree, k: int) -> list[list[int]] | None:
    """The leaves of each node of a chain of nodes, the innermost first; None where a node has two inner children."""
    steps = []
    node = tree
    while isinstance(node, tuple):
        inner = [child for child in node if isinstance(child, tuple)]
        if len(inner) > 1:
            return None
        steps.append([child for child in node if not isinstance(child, tuple)])
        if not inner:
            break
        node = inner[0]
    return steps[::-1] or [[node]]


def _single(steps: list[list[int]]) -> list[tuple[int, ...]]:
    """Steps that begin at zero: where all but the first take one product, the first two are steps of their own."""
    if len(steps) > 1 and len(steps[0]) == 2 and all(len(step) == 1 for step in steps[1:]):
        first, second = sorted(steps[0])
        steps = [[first], [second], *steps[1:]]
    return [tuple(sorted(step)) for step in steps]


def _instructions(tree: Tree, k: int) -> list[Tree] | None:
    """What is added to C, one after the other."""
    found = []
    node = tree
    while node != k:
        if not isinstance(node, tuple) or len(node) != 2:
            return None
        with_c = [child for child in node if k in leaves_of(child)]
        (other,) = (child for child in node if k not in leaves_of(child))
        found.append(other)
        node = with_c[0]
    return found[::-1]


def leaves_of(tree: Tree) -> set[int]:
    return {tree} if not isinstance(tree, tuple) else set().union(*map(leaves_of, tree))


def _shortest(runs: list[list[tuple[int, ...]]], k: int, *, c_last: bool) -> Order | None:
    """The shortest instruction that gives these runs of steps; several runs must be alike."""
    if len(runs) > 1:
        size = sum(map(len, runs[0]))
        first = [tuple(p - 0 for p in step) for step in runs[0]]
        for n, run in enumerate(runs):
            if [tuple(p - n * size for p in step) for step in run] != first:
                return None
        return Order(size, tuple(first), c_last) if size * len(runs) == k else None
    steps = runs[0]
    if c_last:
        return Order(k, tuple(steps), True)
    for size in (n for n in range(1, k + 1) if k % n == 0):
        head = [step for step in steps if max(step) < size]
        count = len(head)
        if sum(map(len, head)) != size:
            continue
        repeated = [tuple(p + i * size for p in step) for i in range(k // size) for step in head]
        if repeated == list(steps) and count:
            return Order(size, tuple(head), c_last)
    return None
