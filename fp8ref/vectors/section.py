"""What a vector file holds: sections, each one operation with a definite mode, and blocks of consecutive cases.

>>> section = Section.of("convert/f32/e4m3fn/rne.sat")
>>> section.operation.id
'convert/f32/e4m3fn/rne.sat;flags=1'
>>> [(column.name, column.type, column.elements, column.digits) for column in section.columns]
[('a', 'f32', 1, 8), ('z', 'e4m3fn', 1, 2)]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import ANY_MODE, INTEGERS, UNITS, Operation, carrier_dtype
from ..cases.products.questions import (
    has_addend,
    has_output_scale,
    is_exact,
    is_fixed,
    is_product,
    operand_types,
    shapes,
    with_length,
)
from ..cases.scaling.questions import is_scale
from ..spec.catalog import get_format
from ..spec.matrix.exact import Zero

Codes = NDArray[Any]
VERSION = "1.2.0"  # of the vectors: MAJOR a format changed, MINOR coverage was added, PATCH an answer was wrong
ERRATA = {  # version: what was wrong before it, or what came with it
    "1.2.0": "more is asked, no answer was wrong: block-scaled dot products are solved for the ends of the result's "
    "range and cancel as deep as the unit's window and deeper; every bin of every section has 8 cases, or says why it "
    "has fewer; units that documents define, of Arm, RISC-V and x86",
    "1.1.0": "more is asked, no answer was wrong: arithmetic in five modes; exact dot products of every pair of "
    "E4M3 and E5M2 with K 2, 4, 16 and 32, with flags, and of two units in five modes; at least 8 cases "
    "in every bin; bins for zeros that gate their lane, one-hot and constant lanes, and sums rounded "
    "before C. Exact sums say the sign of zeros: zero=ieee where they said +0",
    "1.0.1": "convert/*_to_e4m3fn, convert/*_to_e5m2, rto.nonsat: round to odd overflows to the largest finite value, "
    "not to infinity or NaN (SoftFloat, Arm, RISC-V .rod); dot/scaled_mxf4nvf4, dot/scaled_mxf8f6f4: the least "
    "exponents at which these units align, which decide about tiny sums and C",
}
NAMES, RESULT = ("a", "b", "c", "sa", "sb", "sr"), "z"
WITHOUT_STATUS = ("decode", "dot", "scale")  # kinds of operation that raise no flags
NONE = -1  # a case that is in no bin of a coverpoint


def by_case(x: NDArray[Any]) -> NDArray[Any]:
    """A column with one row a case, of which there may be none."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


@dataclass(frozen=True)
class Column:
    """One operand, or the result, of every case: ``elements`` codes of a type, each of ``digits`` hexadecimal digits.

    ``shape``: of one case, ``()`` for a single code.  Integers are written as two's complement of their width.
    """

    name: str
    type: str
    shape: tuple[int, ...] = ()

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bits(self) -> int:
        """The width of one element; 4 for truth values and classes."""
        return 4 if self.type in UNITS else int(self.type[1:]) if self.type in INTEGERS else get_format(self.type).k

    @property
    def digits(self) -> int:
        return -(-self.bits // 4)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The dtype in which its codes travel."""
        return carrier_dtype(self.type)

    @property
    def words(self) -> int:
        """How many of its dtype a code takes: 1, but for codes of more than 64 bits, the highest word first."""
        return -(-self.bits // 64)

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape of one case as it is stored."""
        return self.shape if self.words == 1 else (*self.shape, self.words)


def columns_of(op: Operation, result: str = RESULT) -> tuple[Column, ...]:
    """The operands of an operation in their order, and last its result, under the name that is said."""
    types = (*operand_types(op), "u8" if is_scale(op) else op.result)  # blocks become rows of bytes
    given = NAMES if is_product(op) else "abc"
    names = [*(name for name in given if name != "c" or not is_product(op) or has_addend(op))][: len(types) - 1]
    if is_product(op) and has_output_scale(op):
        names[-1] = "sr"
    found = [Column(name, type_, shape[1:]) for name, type_, shape in zip([*names, result], types, shapes(op, 1))]
    return (*found[:-1], replace(found[-1], shape=())) if found[-1].words > 1 else tuple(found)


@dataclass(frozen=True)
class Coverpoint:
    """A question asked about every case, such as "which of guard, round and sticky are set"; its answers are the bins.

    The bin of an answer is written ``name=value``; a case without an answer is in none of them.
    """

    name: str
    values: tuple[str, ...]

    @property
    def bins(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={value}" for value in self.values)


@dataclass(frozen=True)
class Section:
    """One operation, what was selected of its cases, and from which seed.

    ``selection``: in words, such as ``every case`` or ``8 of every bin``.  ``count``: None while it is not known (a
    stream).  ``coverpoints``: the columns of :attr:`Block.bins`; empty where cases carry no bins.
    """

    operation: Operation
    selection: str = ""
    seed: int = 0
    count: int | None = None
    coverpoints: tuple[Coverpoint, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, operation: Operation | str, **rest: Any) -> Section:
        """The section of an operation, with the status wherever its family raises any (``flags=0`` leaves it out).

        Raises ValueError for operations that are none, whose mode is free, or that are not asked case by case.
        """
        op = Operation.parse(operation) if isinstance(operation, str) else operation
        if op.mode == ANY_MODE or (op.mode or "").startswith("within."):
            raise ValueError(f"operation {op.id!r}: vectors need a definite mode, not {op.mode}")
        if op.asked.kind == "constant":
            raise ValueError(f"operation {op.id!r}: a constant is one number; fp8ref explain '{op.id}#00' shows it")
        if op.family == "matmul":
            raise ValueError(f"operation {op.id!r}: vectors hold single cases; take dot/...")
        if (op.mode or "").startswith("sr-") and not op.random_width:
            raise ValueError(
                f"operation {op.id!r}: the random bits of vectors are an operand: "
                f"{op.family}/{'.'.join(op.operands)}.rbits32/{op.result}/{op.mode}"
            )
        if is_product(op):
            op = _with_zero(with_length(op))
        elif "flags" not in dict(op.keys) and op.asked.kind not in WITHOUT_STATUS:
            op = replace(op, keys=tuple(sorted([*op.keys, ("flags", "1")])))
        return cls(op, **rest)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The operands in their order, and last the result."""
        return columns_of(self.operation)

    @property
    def operand_columns(self) -> tuple[Column, ...]:
        return self.columns[:-1]

    @property
    def result_column(self) -> Column:
        return self.columns[-1]

    @property
    def has_status(self) -> bool:
        return self.operation.flags

    @property
    def has_exact(self) -> bool:
        """Does every case carry the exact sum beside the result?"""
        return is_product(self.operation)


def _with_zero(op: Operation) -> Operation:
    """An exact sum with its rule for zeros said: IEEE's where the id says none."""
    fits = is_exact(op.mode or "exact") and not is_fixed(op) and op.result_format.has_negative_zero
    if not fits or op.key("zero"):
        return op
    return replace(op, keys=tuple(sorted([*op.keys, ("zero", Zero.IEEE.value)])))


@dataclass(frozen=True)
class Block:
    """Consecutive cases: arrays of ``size`` rows.

    ``operands``: one array of codes for each operand column, of shape (n, *column.shape); ``result`` likewise.
    ``status``: uint8, NX 1, UF 2, OF 4, DZ 8, NV 16, or None.  ``bins``: int16 (n, coverpoints), the number of the
    value or -1, or None.  ``exact``: the exact sums of dot products as text (see ``exact_sums``), or None.  ``amax``:
    binary32, where the operation asks for it.
    """

    operands: tuple[Codes, ...]
    result: Codes
    status: NDArray[np.uint8] | None = None
    bins: NDArray[np.int16] | None = None
    exact: tuple[str, ...] | None = None
    amax: Codes | None = None

    @property
    def size(self) -> int:
        return int(self.result.shape[0])

    def __getitem__(self, rows: slice) -> Block:
        return Block(
            tuple(x[rows] for x in self.operands),
            self.result[rows],
            None if self.status is None else self.status[rows],
            None if self.bins is None else self.bins[rows],
            None if self.exact is None else self.exact[rows],
            None if self.amax is None else self.amax[rows],
        )

    @classmethod
    def joined(cls, blocks: Iterable[Block]) -> Block:
        """One block of several, at least one."""
        parts: Sequence[Block] = list(blocks)
        first = parts[0]
        return cls(
            tuple(np.concatenate([part.operands[i] for part in parts]) for i in range(len(first.operands))),
            np.concatenate([part.result for part in parts]),
            None if first.status is None else np.concatenate([p.status for p in parts if p.status is not None]),
            None if first.bins is None else np.concatenate([p.bins for p in parts if p.bins is not None]),
            None if first.exact is None else tuple(text for p in parts for text in p.exact or ()),
            None if first.amax is None else np.concatenate([p.amax for p in parts if p.amax is not None]),
        )


def tags(points: Sequence[Coverpoint], bins: NDArray[np.int16]) -> list[str]:
    """The text of every case's bins."""
    words = [["", *(" " * (i > 0) + name for name in point.bins)] for i, point in enumerate(points)]
    return ["".join(names[value - NONE] for names, value in zip(words, row)) for row in bins.tolist()]
