"""Products of single cases on units that multiply tiles, and the proof that a kernel's tiles lie as they should.

A tile has 16 or 64 rows of A and 8 columns of B: 8 cases, the products on its diagonal.  Each case is asked once for
every 8 rows, and the answers must agree: where a product stands must not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fast.encode import convert_codes
from ...spec.catalog import get_format
from ...spec.projection import get_projection
from ..base import Broken, Codes

COLUMNS, STEP = 8, 32  # of B; bytes of a row of A in one instruction
LAUNCH = 1 << 25  # bytes of A in one launch

# A (tiles, rows, K), B transposed (tiles, 8, K), C (tiles, rows, 8) [scales (tiles, rows, blocks), (tiles, 8, blocks)]
# -> D like C
Multiply = Callable[..., Codes]


@dataclass(frozen=True)
class Unit:
    """A matrix instruction: the kernel that issues it, its operands and result, the rows of its tile.

    ``scale`` and ``block``: the format of its scales, and how many elements share one, where it has any.
    """

    kernel: str
    operands: tuple[str, str]
    result: str
    rows: int
    scale: str = ""
    block: int = 0

    @property
    def bits(self) -> int:
        """Of an operand's element in registers: FP6 lies in bytes."""
        return {4: 4, 16: 16}.get(get_format(self.operands[0]).k, 8)

    @property
    def length(self) -> int:
        """K of one instruction."""
        return STEP * 8 // self.bits


def dots(unit: Unit, multiply: Multiply, a: Codes, b: Codes, c: Codes, *scales: Codes) -> Codes:
    """The dot products of cases a (n, K), b (n, K), c (n), and scales (n, K / block) where the unit has them.

    Raises Broken where rows of a tile disagree.
    """
    n, k = a.shape
    out = np.empty(n, c.dtype)
    size = COLUMNS * max(1, LAUNCH * 8 // (unit.rows * k * unit.bits))
    row = np.arange(unit.rows)
    for start in range(0, n, size):
        x, y, z, *s = (_tiled(codes[start : start + size]) for codes in (a, b, c, *scales))
        addends = np.zeros((len(z), unit.rows, COLUMNS), c.dtype)
        addends[:, row, row % COLUMNS] = z[:, row % COLUMNS]
        given = [np.ascontiguousarray(s[0][:, row % COLUMNS]), s[1]] if s else []
        d = multiply(np.ascontiguousarray(x[:, row % COLUMNS]), y, addends, *given)
        answers = d[:, row, row % COLUMNS].reshape(len(z), -1, COLUMNS)
        first = answers[:, 0]
        differ = np.argwhere(answers != first[:, None])
        if differ.size:
            tile, copy, column = (int(i) for i in differ[0])
            raise Broken(
                f"{unit.kernel}: the same product gave {first[tile, column]:X} in row {column} and "
                f"{answers[tile, copy, column]:X} in row {copy * COLUMNS + column} of a tile"
            )
        out[start : start + size] = first.reshape(-1)[: min(size, n - start)]
    return out


def _tiled(codes: Codes) -> Codes:
    """Cases by tiles of 8, the last one filled up with zeros."""
    missing = -len(codes) % COLUMNS
    filled = np.pad(codes, [(0, missing), *[(0, 0)] * (codes.ndim - 1)])
    return np.ascontiguousarray(filled.reshape(-1, COLUMNS, *codes.shape[1:]))


def misplaced(unit: Unit, multiply: Multiply) -> str:
    """Where the tiles of a kernel do not lie as they should, in words; nothing where they do.

    A has a single 1, at every place in turn, and B a code at every place that shows, in two questions, which place it
    is: D is one row of B and zeros elsewhere.  Then A and B are zeros, and C shows its places.
    """
    rows, k = unit.rows, unit.length
    fa, fb, fd = (get_format(name) for name in (*unit.operands, unit.result))
    places = np.arange(k * COLUMNS).reshape(k, COLUMNS)
    radix = 100  # fewer than the positive finite numbers of any format
    at_row, at_k = (index.reshape(-1) for index in np.indices((rows, k)))
    a = np.zeros((rows * k, rows, k), _carrier(fa.k))
    a[np.arange(rows * k), at_row, at_k] = _integers(np.ones(1), fa.name)
    zeros = np.zeros((rows * k, rows, COLUMNS), _carrier(fd.k))
    ones = [_ones(unit, n, rows * k) for n in (rows, COLUMNS)] if unit.scale else []
    radix = min(radix, fb.max_code)
    for power in range(2 if radix == 100 else 4):  # digits enough for every place
        digit = places // radix**power % radix
        codes = (digit + 1).astype(_carrier(fb.k)) if fb.k <= 8 else _integers(digit + 1, fb.name)
        b = np.broadcast_to(codes.T, (rows * k, COLUMNS, k))
        want = zeros.copy()
        want[np.arange(rows * k), at_row] = _converted(codes, fb.name, fd.name)[at_k]
        for tile, row, column in _wrong(multiply(a, np.ascontiguousarray(b), zeros, *ones), want):
            return (
                f"A is 1 at row {at_row[tile]}, k = {at_k[tile]} alone, and D has a wrong number at row {row}, column "
                f"{column}"
            )
    no_a, no_b = (np.zeros((1, n, k), _carrier(fa.k)) for n in (rows, COLUMNS))
    c = _integers(np.arange(1, rows * COLUMNS + 1).reshape(1, rows, COLUMNS), fd.name)
    for _, row, column in _wrong(multiply(no_a, no_b, c, *(s[:1] for s in ones)), c):
        return f"A and B are zeros, and D is not C at row {row}, column {column}"
    return _misplaced_scales(unit, multiply) if unit.scale else ""


def _ones(unit: Unit, n: int, tiles: int) -> Codes:
    """Scales of 1."""
    one = _integers(np.ones(1), unit.scale)[0]
    return np.full((tiles, n, unit.length // unit.block), one, _carrier(get_format(unit.scale).k))


def _misplaced_scales(unit: Unit, multiply: Multiply) -> str:
    """A scale of one row, or column, and block is 2, all others are 1; the operands are ones in that block alone."""
    blocks = unit.length // unit.block
    fa, fb, fd = (get_format(name) for name in (*unit.operands, unit.result))
    for which, n in enumerate((unit.rows, COLUMNS)):
        at, part = (index.reshape(-1) for index in np.indices((n, blocks)))
        tiles = np.arange(at.size)
        scales = [_ones(unit, m, at.size) for m in (unit.rows, COLUMNS)]
        scales[which][tiles, at, part] = _integers(np.full(1, 2.0), unit.scale)[0]
        inside = np.arange(unit.length) // unit.block == part[:, None]
        a, b = (
            np.repeat(np.where(inside, _integers(np.ones(1), f.name)[0], 0)[:, None], m, axis=1).astype(_carrier(f.k))
            for f, m in ((fa, unit.rows), (fb, COLUMNS))
        )
        c = np.zeros((at.size, unit.rows, COLUMNS), _carrier(fd.k))
        factor = np.ones(c.shape)
        for tile in tiles:
            factor[tile, at[tile] if which == 0 else slice(None), at[tile] if which else slice(None)] = 2.0
        want = _integers(factor * unit.block, fd.name)
        for tile, row, column in _wrong(multiply(a, b, c, *scales), want):
            return (
                f"the scale of {'row' if which == 0 else 'column'} {at[tile]}, block {part[tile]} is 2 alone, and D "
                f"has a wrong number at row {row}, column {column}"
            )
    return ""


def _wrong(got: Codes, want: Codes) -> Iterator[NDArray[np.intp]]:
    return iter(np.argwhere(got != want))


def _carrier(bits: int) -> np.dtype[np.generic]:
    return np.dtype(f"u{-(-bits // 8)}")


def _integers(values: NDArray[Any], name: str) -> Codes:
    """Codes of small integers, exact."""
    return _converted(values.astype(np.float64).view(np.uint64), "f64", name)


def _converted(codes: Codes, source: str, result: str) -> Codes:
    f = get_format(result)
    return convert_codes(np.ascontiguousarray(codes), get_format(source), f, get_projection(f, "rne", "nonsat"), False)[
        0
    ]
