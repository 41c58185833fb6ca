"""Which hypotheses give the codes of some rows?

A code whose interval holds its quotient with room to spare is given by every recipe that rounds to nearest over that
scale, whatever the order of its operations.  So only what lies close to a boundary is computed for each hypothesis, and
what follows other rules: saturation, zeros and their signs, numbers that are none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.recipes import Vectors, elements_of
from ...spec.scaling.steps import Scaled
from ..tensors import Quantised
from .hypotheses import Groups, Hypothesis, codes_of, of_two, scaled
from .original import F32s, narrowed
from .rounding import Table, table

Array = NDArray[Any]
CLOSE = 2.0**-20  # relative: beyond what a few operations of binary32 can move a quotient
CLOSER = 2.0**-21  # by which a hypothesis's factor may differ from the reciprocal of the stored scale
TYPED = 2.0**-7  # the same for quotients in bfloat16 and binary16, of numbers rounded to bfloat16
NEAREST = ("rne", "rna", "down", "first")
TINY, HUGE = np.float32(2.0**-100), np.float32(2.0**100)


@lru_cache(maxsize=32)
def _inner(element: str, close: float) -> Table:
    """The table of intervals that are narrower by ``close`` at both ends; the largest code's ends just above it."""
    t = table(element, "nearest", -close)
    top = np.abs(t.values) * np.float32(1 + 2.0**-10)
    return replace(
        t,
        low=np.where(np.isinf(t.low), -top, t.low).astype(np.float32),
        high=np.where(np.isinf(t.high), top, t.high).astype(np.float32),
    )


def close_of(h: Hypothesis, g: Groups) -> float | None:
    """How near a boundary a quotient must lie for this hypothesis to round it otherwise; None: that is not known."""
    r = h.recipe
    if r.choose != "none" or r.rounding not in NEAREST or h.narrow == "f16":
        return None
    s = scaled(h, g.a_of)
    with np.errstate(all="ignore"):
        factor = np.asarray(s.factor, np.float64)
        first = 1.0 if s.first is None else np.asarray(s.first, np.float64)
        ratio = (first / factor if s.divide else first * factor) * g.stored_of.astype(np.float64) * g.t.multiplier()
        sound = (np.abs(ratio - 1) <= CLOSER) | (g.a_of == 0)
    if not sound.all() or (s.blank is not None and np.any(np.asarray(s.blank) & (g.a_of != 0))):
        return None
    return TYPED if r.elements_in != "f32" or h.narrow else CLOSE


@dataclass(eq=False)
class Part:
    """Rows i to j of matrix e: numbers, codes, and decode multipliers that broadcast to them."""

    t: Quantised
    groups: Groups
    e: int
    i: int
    j: int
    x: F32s
    codes: NDArray[np.uint8]
    s: Array
    _near: dict[float, NDArray[np.intp] | None] = field(default_factory=dict)

    def near(self, close: float) -> NDArray[np.intp] | None:
        """The flat places that a hypothesis must be asked for; None: all."""
        if close not in self._near:
            self._near[close] = self._found(close)
        return self._near[close]

    def _found(self, close: float) -> NDArray[np.intp] | None:
        t, x, codes = self.t, self.x, self.codes
        s = self.s.astype(np.float32, copy=False)
        usual = (s > TINY) & (s < HUGE)
        if not usual.all():
            return None
        tab = _inner(t.element, close)
        with np.errstate(all="ignore"):
            asked = ~((x > tab.low[codes] * s) & (x < tab.high[codes] * s))
        zeros = np.flatnonzero((codes & np.uint8(t.format.magnitude_mask)) == 0)
        found = [np.flatnonzero(asked)]
        if zeros.size:  # their signs follow a rule: one of each kind is asked for, and what may become 0 on the way
            there, got = x.reshape(-1)[zeros], codes.reshape(-1)[zeros]
            kinds = np.signbit(there) * np.uint8(4) + (there == 0) * np.uint8(2) + (got != 0)
            firsts = np.unique(kinds, return_index=True)[1]
            found += [zeros[firsts], zeros[(there != 0) & (np.abs(there) < TINY)]]
        if self.groups.zeros:
            found.append(np.flatnonzero(t.laid(self._of_groups(self.groups.a) == 0, self.i, self.j) & (x == x)))
        return np.unique(np.concatenate(found))

    def _of_groups(self, flat: Array) -> Array:
        """Of what there is of every group, that of the groups of these rows."""
        g = self.t.grid
        first = self.e * g.m
        return flat.reshape(-1, g.n)[first + self.i // g.r : first + -(-self.j // g.r)]

    def gives(self, h: Hypothesis, close: float | None = None) -> bool:
        """Does a hypothesis give these codes?  ``close``: of :func:`close_of`; None: every code is computed."""
        if h.recipe.choose != "none":
            return self._of_two(h)
        near = None if close is None else self.near(close)
        if near is None or near.size > self.x.size // 2:
            s = scaled(h, self._of_groups(self.groups.a).reshape(-1))
            return same(codes_of(h, self.t, s, self.i, self.j, self.x), self.codes, self.t.element)
        if not near.size:
            return True
        t, g = self.t, self.t.grid
        rows, columns = near // t.columns, near % t.columns
        own = (self.i + rows) // g.r - self.i // g.r
        place = own * g.n + (columns // g.c if g.n > 1 else 0)
        a = self._of_groups(self.groups.a).reshape(-1)
        if a.size > near.size:
            a, place = a[place], np.arange(near.size)
        s = scaled(h, a)

        def taken(v: Any) -> Any:
            return v if v is None or not np.ndim(v) else np.asarray(v)[place]

        here = Scaled(s.stored, taken(s.factor), s.divide, taken(s.step), taken(s.first), taken(s.blank))
        out = np.empty(near.size, np.uint8)
        with np.errstate(all="ignore"):
            elements_of(h.recipe, Vectors(), narrowed(self.x.reshape(-1)[near], h.narrow), here, h.source, out)
        return same(out, self.codes.reshape(-1)[near], t.element)

    def _of_two(self, h: Hypothesis) -> bool:
        scales, got = of_two(h, self.x)
        stored = self.t.decoded(scales.astype(np.uint8))
        here = self._of_groups(self.groups.stored).reshape(-1)
        return np.array_equal(got.reshape(self.x.shape), self.codes) and np.array_equal(stored, here)


def same(a: NDArray[np.uint8], b: NDArray[np.uint8], element: str) -> bool:
    """Equal codes; NaNs of any sign and payload are alike."""
    if np.array_equal(a, b):
        return True
    nan = np.isnan(table(element).values)
    return bool(nan.any()) and bool(((a == b) | (nan[a] & nan[b])).all())
