"""All wrong answers of an operation, and a picture of where they lie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.flags import flags_of, operand_parts
from ..cases.operation import INTEGERS, UNITS, Operation
from ..cases.products.questions import is_product
from ..cases.scaling.questions import is_scale
from ..fast.kernel import floor_log2_u64
from ..spec.catalog import get_format

Codes = NDArray[Any]
Mask = NDArray[np.bool_]
MOST = 100_000  # wrong answers kept of an operation
COLUMNS = ("op", "inputs", "want", "got", "position", "length", "layout", "flags", "finding")
EIGHTHS, ROWS = 8, 24


@dataclass
class Failing:
    """Wrong answers, a row of texts and numbers each (``COLUMNS`` without the operation); ``more``: so many others."""

    rows: list[list[Any]] = field(default_factory=list)
    more: int = 0

    def room(self, which: NDArray[np.intp]) -> NDArray[np.intp]:
        """The first of some answers that there is room for; the others are counted."""
        kept = which[: max(0, MOST - len(self.rows))]
        self.more += which.size - kept.size
        return kept

    def lines(self, op: str) -> Iterator[list[Any]]:
        for row in self.rows:
            yield [op, *row]


def keep(
    failing: Failing, op: Operation, operands: Sequence[Codes], want: Codes, got: Codes, wrong: Mask, finding: str,
    where: Sequence[Codes], layouts: Sequence[str],
) -> None:  # fmt: skip
    """Note the wrong answers of one finding.  ``where``: of every answer its case, position, length and layout."""
    case, position, length, layout = where
    which = failing.room(np.flatnonzero(wrong))
    here = [codes[case[which]] for codes in operands]
    flags = [""] * which.size
    if not is_product(op) and not is_scale(op) and op.asked.kind != "constant":
        carried = {name: there for name, there in flags_of(op, here).items() if there.any()}
        flags = [" ".join(sorted(name for name, there in carried.items() if there[i])) for i in range(which.size)]
    inputs = zip(*(hexadecimal(codes, type_) for codes, type_ in zip(here, _types(op, here))))
    failing.rows += map(list, zip(
        map(".".join, inputs) if here else [""] * which.size,
        hexadecimal(want[which], op.result), hexadecimal(got[which], op.result),
        position[which].tolist(), length[which].tolist(),
        [layouts[i] for i in layout[which].tolist()], flags, [finding] * which.size, strict=True,
    ))  # fmt: skip


def _types(op: Operation, operands: Sequence[Codes]) -> Sequence[str]:
    return op.operands if len(op.operands) == len(operands) else ("",) * len(operands)


def hexadecimal(codes: Codes, type_: str = "") -> list[str]:
    """Each code with the digits of its type; a row of codes one element after the other."""
    bits = 8 * codes.dtype.itemsize
    k = bits
    if codes.ndim == 1 and type_ and type_ not in UNITS and type_ not in INTEGERS:
        with contextlib.suppress(ValueError):  # a quantiser is no format
            k = get_format(type_).k
    unsigned = np.ascontiguousarray(codes).view(f"u{codes.dtype.itemsize}")
    if k < bits:
        unsigned = unsigned & unsigned.dtype.type((1 << k) - 1)
    text = unsigned.astype(unsigned.dtype.newbyteorder(">")).tobytes().hex().upper()
    size = len(text) // max(1, len(codes))
    unused = (bits - 4 * -(-k // 4)) // 4
    return [text[end - size + unused : end] for end in range(size, len(text) + 1, size)] if size else []


# -- the picture ------------------------------------------------------------------------------------------------------
def picture(op: Operation, operands: Sequence[Codes], case: Codes, wrong: Mask) -> tuple[str, ...]:
    """Binades of the first operand by eighths of a binade: ``.`` right, ``x`` some wrong, ``#`` all; one line a row.

    Nothing for operations of other kinds.
    """
    if op.asked.kind not in ("convert", "decode", "arithmetic", "int") or is_product(op):
        return ()
    x = operand_parts(op, operands)[0]
    usual = ~(x.nan | x.infinite) & (x.sig != 0)
    top = floor_log2_u64(np.where(usual, x.sig, 1))
    e = np.where(usual, top + x.exp, 0)
    eighth = ((x.sig << np.uint64(3)) >> np.asarray(top).astype(np.uint64)) & np.uint64(7)
    bad = np.zeros(len(operands[0]), bool)
    bad[case[wrong]] = True
    places = [(label, there) for label, there in (("zero", ~x.nan & ~x.infinite & (x.sig == 0)), ("Inf", x.infinite),
                                                  ("NaN", x.nan)) if (there & bad).any()]  # fmt: skip
    lines = [f"{label:<12} {_mark(bad[there])}" for label, there in places]
    exponents = np.unique(e[usual & bad])
    if exponents.size:
        low, high = int(exponents.min()), int(exponents.max())
        step = -(-(high - low + 1) // ROWS)
        row = np.clip((high - e) // step, -1, ROWS)
        here = usual & (e <= high) & (row < ROWS)
        cell = (row * EIGHTHS + eighth.astype(np.int64))[here]
        asked, failed = (np.bincount(cell[some], minlength=ROWS * EIGHTHS) for some in (slice(None), bad[here]))
        for n, first in enumerate(range(high, low - 1, -step)):
            name = f"2^{first}" if step == 1 else f"2^{first - step + 1}..{first}"
            cells = slice(n * EIGHTHS, (n + 1) * EIGHTHS)
            lines.append(f"{name:<12} " + "".join(map(_share, failed[cells], asked[cells])))
    return tuple(lines)


def grid(row: Codes, column: Codes, wrong: Mask, m: Codes) -> tuple[str, ...]:
    """Rows by columns of matrix products: the first rows, and the last."""
    lines = []
    kinds = [(f"row {n}", (row == n) & (row < m - 1)) for n in range(min(16, int(m.max(initial=0))))]
    for label, there in [*kinds, ("last row", row == m - 1)]:
        if there.any():
            marks = (_mark(wrong[there & (column == n)]) for n in range(int(column.max()) + 1))
            lines.append(f"{label:<12} {''.join(marks)}")
    return tuple(lines)


def _mark(wrong: Mask) -> str:
    return _share(int(wrong.sum()), wrong.size)


def _share(failed: int, asked: int) -> str:
    return " " if not asked else "#" if failed == asked else "x" if failed else "."
