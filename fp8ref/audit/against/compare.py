"""A quantised tensor against its original: three verdicts, each on its own.

Are the scales those of a known recipe?  Is every code the rounding of its number over the *stored* scale?  Is every
code at most one step from it?  A searched scale fails the first alone, a learned rounding the second alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.recipes import encoded
from ...spec.catalog import get_format
from ..allowed import names
from ..files.stored import chunks
from ..scan import Scan
from ..tensors import Quantised
from .giving import Part, close_of
from .hypotheses import (
    Groups,
    Hypothesis,
    candidates,
    differing,
    element_variants,
    of_two,
    sources,
    varied,
)  # fmt: skip
from .original import F32s, Original, amaxes, narrowed
from .rounding import SLACK, Off, outside, table

Array = NDArray[Any]
FEW = 1 << 15  # elements that sort out how codes are made
SINGLE = 0.005  # share of codes up to which they count as single ones


@dataclass(eq=False)
class Against:
    """What the original decides.

    ``fitting``: hypotheses that give every scale and every code; ``scales``: those that give every scale.  ``nearest``:
    where none does, the one with the fewest scales that differ, and how many.  ``off``: codes that are no rounding
    over the stored scale.  ``bad``: how many of them each group has, (m, n) for each matrix.
    """

    t: Quantised
    original: Original
    groups: Groups
    fitting: list[Hypothesis] = field(default_factory=list)
    scales: list[Hypothesis] = field(default_factory=list)
    nearest: tuple[Hypothesis, int] | None = None
    off: Off = field(default_factory=Off)
    wrong: int = 0
    bad: list[NDArray[np.int64]] = field(default_factory=list)
    first: tuple[int, int, int] | None = None
    signal: float = 0.0
    noise: float = 0.0
    largest: float = 0.0
    finite: bool = True
    slack: float = SLACK

    @property
    def sound(self) -> bool:
        """Every code is the rounding of its number over the stored scale, in the arithmetic of a recipe or exactly."""
        return not self.wrong or bool(self.fitting)

    @property
    def sqnr(self) -> float | None:
        """Signal to quantisation noise in dB; None where there is no noise."""
        if not self.noise or not np.isfinite(self.noise) or not self.signal:
            return None
        return round(float(10 * np.log10(self.signal / self.noise)), 2)

    def recipes(self) -> list[str]:
        """Every recipe that gives all scales, and all codes where one does."""
        found = self.fitting or self.scales
        return names(list(dict.fromkeys(h.recipe for h in found)))

    def documents(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """For the document: of the scales, of the codes, and beside them."""
        n = 0 if self.scales else (self.nearest[1] if self.nearest else self.groups.a.size)
        scales = {"by_recipe": bool(self.scales), "differ": n}
        off = 0 if self.sound else self.wrong
        steps = {
            "0": self.t.size - off,
            "1": 0 if self.sound else self.off.one,
            "more": 0 if self.sound else self.off.more,
        }
        codes = {"rounded": self.sound, "differ": off, "steps": steps}
        more: dict[str, Any] = {
            "original": {"name": self.original.stored.name, "type": self.original.stored.kind},
            "sqnr_db": self.sqnr,
            "largest_error": float(self.largest),
        }
        if self.nearest and not self.scales:
            more["nearest"] = names([self.nearest[0].recipe])[0]
        if self.first is not None and not self.sound:
            more["first"] = explained(self, *self.first)
        return scales, codes, more


def compare(t: Quantised, s: Scan, original: Original, fused: list[float]) -> Against:
    """Hold a tensor against its original.  ``fused``: largest magnitudes of the originals that share its scale."""
    a, finite = amaxes(t, original)
    flat = np.concatenate([x.reshape(-1) for x in a])
    stored = np.concatenate([t.decoded(t.stored_scales(e)).reshape(-1) for e in range(t.grid.matrices)])
    own = float(flat.max(initial=0))
    tops = tuple(dict.fromkeys([own, *fused]))
    g = Groups(t, flat, stored, float(t.wholes[0]) if t.wholes.size else None, tops)
    found = Against(t, original, g, finite=finite)
    if finite and t.wholes.size <= 1 and t.grid.name != "none":
        _scales(found, s)
    _codes(found)
    return found


def _exact(original: Original, t: Quantised) -> dict[str, bool]:
    """Does the original stand in narrower types already, as far as its first rows show?"""
    x = original.part(0, 0, min(t.rows, max(1, FEW // max(t.columns, 1))))
    return {kind: bool(np.array_equal(narrowed(x, kind), x)) for kind in ("bf16", "f16")}


def _scales(found: Against, s: Scan) -> None:
    """The hypotheses that give every scale; where there are none, the nearest."""
    g, t = found.groups, found.t
    some = g.some()
    every = candidates(g, sources(found.original, _exact(found.original, t)), s.powers)
    plain = [h for h in every if h.recipe.choose == "none"]
    scored = [(int(differing(h, g, some).sum()), h) for h in plain]
    scored.sort(key=lambda pair: pair[0])
    fitting = [h for n, h in scored if n == 0]
    if not fitting and scored and (t.whole is None or g.whole):
        fitting = varied([h for _, h in scored], g, some)
    if some.size < g.a_of.size:
        fitting = [h for h in fitting if not _all_differ(h, g)]
    found.scales = fitting
    if not fitting and scored:
        best = min((h for _, h in scored[:3]), key=lambda h: _all_differ(h, g))
        found.nearest = (best, _all_differ(best, g))
    if t.grid.matrices == 1 and (t.grid.r, t.grid.c) == (1, 16) and t.columns % 16 == 0:
        found.scales += _two(found, [h for h in every if h.recipe.choose != "none"])


def _all_differ(h: Hypothesis, g: Groups) -> int:
    parts = (slice(i, i + (1 << 16)) for i in range(0, g.a_of.size, 1 << 16))
    return sum(int(g.counts[part][differing(h, g, part)].sum()) for part in parts)


def _two(found: Against, every: list[Hypothesis]) -> list[Hypothesis]:
    """Recipes that choose between two scales of a block, as far as the first rows show."""
    t = found.t
    rows = min(t.rows, max(1, FEW // t.columns))
    x, got = found.original.part(0, 0, rows), found.groups.stored[: rows * t.grid.n]
    return [h for h in every if np.array_equal(t.decoded(of_two(h, x)[0].astype(np.uint8)), got)]


def _codes(found: Against) -> None:
    """One pass over the codes: their roundings, their errors, and which hypotheses give all of them.

    Codes that a recipe gives are roundings over its scale, and need no other proof of that.  That the original was
    rounded first is asked where the recipe fails without it.
    """
    ahead = _likely(found)
    plain = {h.recipe for h in ahead if not h.narrow}
    first = [h for h in ahead if not h.narrow or h.recipe not in plain]
    proved = any(not h.unrounded for h in ahead)
    values = table(found.t.element).values
    close = {h: close_of(h, found.groups) for h in first}
    left = first
    for part in _judged(found, not proved):
        _measure(found, part.x, part.codes, part.s, values)
        left = [h for h in left if part.gives(h, close[h])]
    kept = {h.recipe for h in left}
    others = [h for h in ahead if h not in close and h.recipe not in kept]
    if others:
        for part in _judged(found, False):
            others = [h for h in others if part.gives(h)]
    found.fitting = [h for h in ahead if h in {*left, *others}]
    if proved and all(h.unrounded for h in found.fitting):
        recount(found, found.slack)


def _judged(found: Against, count: bool = True) -> Iterator[Part]:
    """The tensor part by part, after the codes that are no roundings were counted."""
    t = found.t
    tab = table(t.element, "nearest", found.slack)
    for e in range(t.grid.matrices):
        factors = t.factors(e)
        if count:
            found.bad.append(np.zeros((t.grid.m, t.grid.n), np.int64))
        for i, j in chunks(t.rows, t.columns, 1, 1 << 18):
            x, codes = found.original.part(e, i, j), t.elements(e, i, j)
            s = t.spread(factors, i, j)
            if count and (wrong := outside(x, codes, s, tab)).any():
                _count(found, wrong, x, codes, s, e, i, found.bad[e])
            yield Part(t, found.groups, e, i, j, x, codes, s)


def recount(found: Against, slack: float) -> None:
    """Count the codes that are off again, with intervals that are wider by ``slack``."""
    found.slack, found.wrong, found.off, found.bad, found.first = slack, 0, Off(), [], None
    for _ in _judged(found):
        pass


def _likely(found: Against) -> list[Hypothesis]:
    """Of the hypotheses that give every scale, those that give the codes of some rows; else ways to make elements."""
    t = found.t
    if not found.scales:
        return []
    rows = min(t.rows, max(1, FEW // max(t.columns, 1)))
    starts = sorted({0, (t.rows - rows) // 2})
    few = min(rows, max(1, 2048 // max(t.columns, 1)))
    factors = t.factors(0)

    def part(i: int, n: int) -> Part:
        x, codes = found.original.part(0, i, i + n), t.elements(0, i, i + n)
        return Part(t, found.groups, 0, i, i + n, x, codes, t.spread(factors, i, i + n))

    parts = [part(i, n) for n in dict.fromkeys((few, rows)) for i in starts]

    def giving(some: list[Hypothesis]) -> list[Hypothesis]:
        return [h for h in some if all(p.gives(h) for p in parts)]

    fitting = giving(found.scales)
    if not fitting:
        seen: dict[Hypothesis, None] = {}
        for h in found.scales[:4]:
            if h.recipe.choose == "none":
                seen |= dict.fromkeys(element_variants(h))
        fitting = giving(list(seen)[:400])
        fitting = fitting[:1]
    return fitting


def _measure(found: Against, x: F32s, codes: Array, s: Array, values: F32s) -> None:
    with np.errstate(all="ignore"):
        wide = values[codes] * s.astype(np.float32)
        error = x - wide
        found.signal += float(np.square(x).sum(dtype=np.float64))
        found.noise += float(np.square(error).sum(dtype=np.float64))
        found.largest = max(found.largest, float(np.abs(error).max(initial=0)))


def _count(
    found: Against, wrong: NDArray[np.bool_], x: F32s, codes: Array, s: Array, e: int, i: int, bad: Array
) -> None:
    g = found.t.grid
    rows, columns = np.nonzero(wrong)
    if found.first is None:
        found.first = (e, i + int(rows[0]), int(columns[0]))
    found.wrong += rows.size
    here = np.broadcast_to(s, x.shape)[wrong]
    found.off.add(x[wrong], codes[wrong], here, found.t.element, found.slack)
    np.add.at(bad, ((i + rows) // g.r, columns // g.c if g.n > 1 else np.zeros_like(columns)), 1)


def sparse(a: Against) -> bool:
    """Are so few codes off, and so far, that no arithmetic and no learned rounding can be the reason?

    An error of quotients that brings one code this far beyond its interval brings many of the others over a boundary.
    """
    return a.wrong <= SINGLE * a.t.size and a.wrong * 128 < a.t.size * min(a.off.excess, 0.5)


def explained(found: Against, e: int, i: int, k: int) -> dict[str, Any]:
    """One code that is no rounding: the number, its scale, the quotient, and what it rounds to."""
    t = found.t
    f = get_format(t.element)
    x = float(found.original.part(e, i, i + 1)[0, k])
    code = int(t.elements(e, i, i + 1)[0, k])
    s = float(np.broadcast_to(t.spread(t.factors(e), i, i + 1), (1, t.columns))[0, k])
    with np.errstate(all="ignore"):
        q = np.float32(np.float64(x) / np.float64(s))
    right = int(encoded(np.array([q], np.float32), f)[0])
    values = table(t.element).values
    digits = -(-f.k // 4)
    return {
        "at": [e, i, k] if t.grid.matrices > 1 else [i, k],
        "original": x,
        "scale": s,
        "quotient": float(q),
        "code": f"{code:0{digits}X}",
        "rounds_to": f"{right:0{digits}X}",
        "case": f"convert/f32/{t.element}/rne.sat#{int(q.view(np.uint32)):08X}",
        "text": f"{x:.9g} / {s:.9g} = {float(q):.9g}, which rounds to {right:0{digits}X} ({values[right]:g}); "
        f"stored is {code:0{digits}X} ({values[code]:g})",
    }
