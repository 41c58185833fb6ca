"""Which of the orders that a convention allows do bytes have?  Where a file does not say it, the original decides."""

from __future__ import annotations

from dataclasses import replace

from ..tensors import Quantised
from .original import Original
from .rounding import outside, table

MOST = 1 << 17  # elements that decide


def arrange(t: Quantised, original: Original) -> None:
    """Give a tensor the convention, among those that store alike, and the layout of scales that fit its original."""
    rows = [t.convention, *(c for c in t.also if (c.scale, c.whole) == (t.convention.scale, t.convention.whole))]
    g = t.grid
    tiled = g.m % 128 == 0 and g.n % 4 == 0 and g.layout in ("rows", "128x4")
    options = [(c, x) for c in rows for x in (c.layouts if tiled and t.scale is not None else (g.layout,))]
    options = list({(c.pack, c.divides, x): (c, x) for c, x in reversed(options)}.values())[::-1]
    if len(options) < 2:
        return
    n = min(t.rows, max(1, MOST // max(t.columns, 1)))
    x, tab = original.part(0, 0, n), table(t.element)
    best: tuple[int, int] | None = None
    before = t.convention, t.grid
    for i, (convention, layout) in enumerate(options):
        t.convention, t.grid = convention, replace(g, layout=layout)
        off = int(outside(x, t.elements(0, 0, n), t.spread(t.factors(0), 0, n), tab).sum())
        if best is None or off < best[0]:
            best = off, i
    assert best is not None
    convention, layout = options[best[1]]
    if best[0] > x.size // 10:  # nothing fits: what is declared stays
        t.convention, t.grid = before
        return
    t.convention, t.grid = convention, replace(g, layout=layout)
