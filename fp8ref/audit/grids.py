"""From shapes to groups: which elements share a scale."""

from __future__ import annotations

import re

import numpy as np

from .tensors import Grid

RXC = re.compile(r"(\d+)x(\d+)")


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _tiles(n: int, to: int) -> int:
    return _ceil(n, to) * to


def grid_of(
    shape: tuple[int, ...],
    scale: tuple[int, ...],
    grains: tuple[str, ...],
    layouts: tuple[str, ...] = ("rows",),
    block: tuple[int, int] | None = None,
) -> Grid | None:
    """The groups of elements of ``shape`` under scales of the shape ``scale``, by one of the ``grains``; else None.

    ``block``: what a config says of blocks; it goes first.
    """  # fmt: skip
    rows, columns = (shape[-2], shape[-1]) if len(shape) > 1 else (1, shape[-1] if shape else 1)
    lead = int(np.prod(shape[:-2], dtype=object)) if len(shape) > 2 else 1
    if len(scale) > max(len(shape), 2):  # (m, 1, n, 1): blocks that were written with their broadcast axes
        spread = len(scale) == 2 * len(shape) and all(n == 1 for n in scale[1::2])
        scale = scale[::2] if spread else tuple(n for n in scale if n != 1)
    size = int(np.prod(scale, dtype=object)) if scale else 1
    if not rows * columns * lead or not size:
        return None
    grains = (f"{block[0]}x{block[1]}", *grains) if block else grains
    if size == 1 and ("tensor" in grains or "row" in grains):
        return Grid(rows, columns, 1, 1, lead, lead > 1, "tensor")
    if size % lead:
        return None
    each = size // lead
    a, b = (scale[-2], scale[-1]) if len(scale) > 1 else ((*scale, 1)[0], 1)
    if a * b != each:
        a, b = each, 1
    for grain in grains:
        if grain == "tensor" and each == 1:
            return Grid(rows, columns, 1, 1, lead, False, "tensor")
        if grain == "row" and (a, b) == (rows, 1):
            return Grid(1, columns, rows, 1, lead, False, "row")
        match = RXC.fullmatch(grain)
        r, c = (int(match[1]), int(match[2])) if match else (0, 0)
        if not r or not c:
            continue
        m, n = _ceil(rows, r), _ceil(columns, c)
        if (a, b) == (m, n) or (r == 1 and len(scale) > 2 and each == m * n and scale[-1] == n):
            return Grid(r, c, m, n, lead, False, grain, layouts[0] if layouts and _tileable(m, n) else "rows")
        if "128x4" in layouts and each == _tiles(m, 128) * _tiles(n, 4):
            return Grid(r, c, m, n, lead, False, grain, "128x4")
    if "RxC" in grains and 1 <= a <= rows and 1 <= b <= columns:
        r, c = _share(rows, a), _share(columns, b)
        if r and c:
            return Grid(r, c, a, b, lead, False, f"{r}x{c}")
    return None


def _tileable(m: int, n: int) -> bool:
    return m % 128 == 0 and n % 4 == 0


def _share(size: int, count: int) -> int:
    """How many of ``size`` share one of ``count`` scales: exact where they divide, else a power of two; 0: none."""
    if size % count == 0:
        return size // count
    return next((p for p in (1 << i for i in range(24)) if _ceil(size, p) == count), 0)


def is_transposed(
    shape: tuple[int, ...], scale: tuple[int, ...], grains: tuple[str, ...], block: tuple[int, int] | None
) -> bool:
    """Do the scales fit when their last two axes are exchanged, and not otherwise?"""
    if len(scale) < 2 or scale[-1] == scale[-2]:
        return False
    turned = (*scale[:-2], scale[-1], scale[-2])
    named = tuple(g for g in grains if g not in ("RxC", "tensor"))
    return grid_of(shape, scale, named, (), block) is None and grid_of(shape, turned, named, (), block) is not None
