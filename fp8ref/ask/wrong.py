"""The wrong answers of a finding as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adapters.function import handed
from ..cases.operation import Operation, carrier_dtype
from ..cases.products.questions import is_product, operand_types, shapes
from ..cases.scaling.questions import is_scale
from ..check.failing import Failing

Codes = NDArray[Any]


@dataclass(frozen=True, eq=False)
class WrongAnswers:
    """The wrong answers of one finding, in the order in which they were asked; a case that was asked again, at another
    place of another call, is there again.

    ``operands``: an array of codes for each operand, (n) or, of products and blocks, (n, K).  ``want`` and ``got``:
    codes (n), of blocks rows of bytes.  ``position`` and ``length``: the place in the call, and how long it was.
    ``layout``: of the call's arrays in memory.  ``flags``: what is special about a case.  ``more``: so many were not
    kept.
    """

    op: str
    operands: tuple[Codes, ...]
    want: Codes
    got: Codes
    position: NDArray[np.int64]
    length: NDArray[np.int64]
    layout: tuple[str, ...]
    flags: tuple[str, ...]
    more: int = 0

    def __len__(self) -> int:
        return len(self.want)

    def __repr__(self) -> str:
        more = f" and {self.more} more" if self.more else ""
        return f"<{len(self)}{more} wrong answers of {self.op}: .operands .want .got .position .length .layout .flags>"

    @property
    def values(self) -> tuple[Any, ...]:
        """The operands, what is wanted and what was answered as arrays of float types, where ml_dtypes has them."""
        op = Operation.parse(self.op)
        found = [handed(codes, name) for codes, name in zip(self.operands, operand_types(op))]
        if is_scale(op):
            return (*found, self.want, self.got)
        return (*found, handed(self.want, op.result), handed(self.got, op.result))


def wrong_answers(op: Operation, failing: Failing, finding: str) -> WrongAnswers:
    """Those of an operation that have one finding."""
    rows = [row for row in failing.rows if row[-1] == finding]
    one = replace(op, family="dot") if is_product(op) else op
    types = (*operand_types(op), op.result)
    ranks = [len(shape) for shape in shapes(one, 1)]
    columns = list(zip(*(row[0].split(".") for row in rows))) or [()] * len(operand_types(op))
    operands = tuple(_codes(column, type_, rank) for column, type_, rank in zip(columns, types, ranks))
    want, got = (_codes([row[i] for row in rows], op.result, ranks[-1]) for i in (1, 2))
    position, length = (np.array([row[i] for row in rows], np.int64) for i in (3, 4))
    layout, flags = (tuple(row[i] for row in rows) for i in (5, 6))
    return WrongAnswers(op.id, operands, want, got, position, length, layout, flags, failing.more)


def _codes(texts: Iterable[str], type_: str, rank: int) -> Codes:
    """Hexadecimal codes as an array: a row of them, the digits of the carrier each, where the rank is 2."""
    dtype = carrier_dtype(type_)
    unsigned = np.dtype(f"u{dtype.itemsize}")
    if rank < 2:
        return np.array([int(text, 16) for text in texts], np.uint64).astype(unsigned).view(dtype)
    return _rows(list(texts), unsigned).view(dtype)


def _rows(texts: Sequence[str], dtype: np.dtype[Any]) -> Codes:
    whole = np.frombuffer(bytes.fromhex("".join(texts)), dtype.newbyteorder(">")).astype(dtype)
    return whole.reshape(len(texts), -1) if texts else whole.reshape(0, 0)
