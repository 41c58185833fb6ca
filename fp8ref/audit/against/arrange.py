"""Which of the orders that a convention allows do bytes have?  Where a file does not say it, the original decides."""

from __future__ import annotations

from dataclasses import replace

from ..tensors import Quantised
from .original import HEADS, Original
from .rounding import SLACKS, outside, table

MOST = 1 << 17  # elements that decide


def arrange(t: Quantised, original: Original) -> None:
    """Give a tensor the convention, among those that store alike, and the layout of scales that fit its original.

    A square original stands turned where it fits the codes so, and not otherwise.
    """
    _options(t, original)
    if t.name.endswith((".attn_q.weight", ".attn_k.weight")):
        _heads(t, original)
    n = min(t.rows, max(1, MOST // max(t.columns, 1)))
    if t.rows == t.columns > 1 and not original.turned and (straight := _off(t, original, n)) > n * t.columns // 2:
        original.turned = True
        _options(t, original)
        if _off(t, original, n) > straight // 2:
            original.turned = False


def _heads(t: Quantised, original: Original) -> None:
    """llama.cpp has rows of queries and keys in its own order for some models: where the codes fit so, and else not."""
    n = min(t.rows, max(1, MOST // max(t.columns, 1)))
    straight = _off(t, original, n)
    if straight <= n * t.columns // 2 or original.turned:
        return
    for head in HEADS:
        if t.rows % head == 0:
            original.head, original.held = head, {}
            if _off(t, original, n) <= straight // 2:
                return
    original.head, original.held = 0, {}


def _off(t: Quantised, original: Original, n: int) -> int:
    """Codes of the first rows that are no roundings, with all the slack of narrow types."""
    tab = table(t.element, "nearest", SLACKS["bf16"])
    return int(outside(original.part(0, 0, n), t.elements(0, 0, n), t.spread(t.factors(0), 0, n), tab).sum())


def _options(t: Quantised, original: Original) -> None:
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
