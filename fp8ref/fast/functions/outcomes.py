"""Elementary functions on arrays: tables of the specification's stand-ins, one for every result format and mode.

A stand-in of 62 bits is rounded to odd, so that the kernel's projection of it onto any result of at most 57 bits is
the projection of the real.  One table per function and operand formats therefore serves every result, rounding,
overflow rule and flag.  Tables of up to 16 index bits are made whole; operands that are wider are answered one by one,
each distinct tuple once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...spec.codec import unpack
from ...spec.datum import Datum, floor_log2
from ...spec.formats import Format
from ...spec.functions.catalog import FUNCTIONS
from ...spec.functions.decide import Grid
from ...spec.functions.rows import settled
from ...spec.operations.definition import Exact, Semantics
from ..kernel import Fields, longest
from .stored import stored

TOP = 61  # position of the leading bit of a stand-in, that of exact.TOP
GRID = Grid(TOP, -1200, 1100)  # below and beyond every projection onto binary64
TABLE_BITS = 16
FEW = 1 << 10  # elements that are answered one by one where a table is large
LARGE = 1 << 12  # entries of a table that a few elements are no reason to make
FEW_ROWS = 1 << 15  # codes of rows whose outcomes are remembered
WORTH_STORING = 1 << 7  # entries: smaller tables are made in less time than a file is opened safely

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.uint8]


def serves(result: Format, random_width: int = 0) -> bool:
    """Is a stand-in fine enough for this result, and is the result's range within the grid's?"""
    fine = longest(result) + random_width + 3 <= TOP - 1
    return fine and result.quantum_exponent(result.emin) - 70 > GRID.low and result.emax + 4 < GRID.high


@dataclass(frozen=True)
class Outcomes:
    """What a function gives for a list of operands: its stand-ins apart, status, and where no NaN decides.

    ``known`` is false where the outcome is the operands' NaN.
    """

    negative: NDArray[np.bool_]
    sig: NDArray[np.uint64]
    exp: NDArray[np.int32]
    infinite: NDArray[np.bool_]
    nan: NDArray[np.bool_]
    status: Flags
    known: NDArray[np.bool_]

    @classmethod
    def empty(cls, n: int) -> Outcomes:
        dtypes = (np.bool_, np.uint64, np.int32, np.bool_, np.bool_, np.uint8, np.bool_)
        return cls(*(np.zeros(n, dtype) for dtype in dtypes))  # type: ignore[arg-type]

    def put(self, i: int, exact: Exact) -> None:
        datum, status = exact
        self.known[i], self.status[i], self.negative[i] = True, status, datum.sign
        self.infinite[i], self.nan[i] = datum.is_infinite, datum.is_nan
        if datum.is_finite and datum.magnitude:
            self.sig[i], self.exp[i] = _apart(datum.magnitude)

    def taken(self, index: NDArray[np.intp]) -> Outcomes:
        return Outcomes(*(getattr(self, f.name)[index] for f in fields(self)))

    def parts(self) -> Fields:
        return Fields(self.negative, self.sig, self.exp.astype(np.int64), self.infinite, self.nan)


def _apart(x: Fraction) -> tuple[int, int]:
    """A positive number as sig * 2**exp, rounded to odd at TOP + 1 bits, and held within the grid's exponents."""
    e = floor_log2(x)
    exp = e - TOP
    n, d = x.numerator, x.denominator
    sig, rest = divmod(n << -exp, d) if exp < 0 else divmod(n, d << exp)
    sig |= rest != 0
    return sig, max(GRID.low, min(e, GRID.high + 1)) - TOP


def has_table(formats: Sequence[Format], size: int) -> bool:
    """Is a table of all operands made?  Of many operands only for arrays of some size."""
    bits = sum(f.k for f in formats)
    return bits <= TABLE_BITS and (1 << bits < LARGE or size > FEW)


def outcomes(op: str, formats: Sequence[Format], semantics: Semantics, codes: Sequence[Codes]) -> Outcomes:
    """The outcomes of a function for arrays of codes; of a whole exponent behind them where it has one."""
    if FUNCTIONS[op].integer or not FUNCTIONS[op].arity or not has_table(formats, codes[0].size):
        shape = codes[0].shape
        rows, back = np.unique(np.stack([c.ravel().astype(np.int64) for c in codes]), axis=1, return_inverse=True)
        made = _remembered if rows.size <= FEW_ROWS else _made_packed
        return made(op, tuple(formats), semantics, rows.shape, rows.tobytes()).taken(back.reshape(shape))
    index = codes[0].astype(np.intp)
    if len(codes) == 2:
        index = (index << formats[1].k) | codes[1]
    return table(op, tuple(formats), semantics).taken(index)


@lru_cache(maxsize=64)
def table(op: str, formats: tuple[Format, ...], semantics: Semantics) -> Outcomes:
    """The outcomes for all codes; the first operand leads.  Large ones are kept in the user's cache folder."""
    size = 1 << sum(f.k for f in formats)

    def make() -> list[NDArray[np.generic]]:
        _, new = made(op, formats, semantics)
        return [getattr(new, f.name) for f in fields(new)]

    if size < WORTH_STORING:
        return Outcomes(*make())  # type: ignore[arg-type]
    like = Outcomes.empty(size)
    name = _name(op, formats, semantics)
    return Outcomes(*stored(name, [getattr(like, f.name) for f in fields(like)], make))  # type: ignore[arg-type]


def _name(op: str, formats: Sequence[Format], semantics: Semantics) -> str:
    return f"{op} {semantics.value} {' '.join(repr(f.shape) for f in formats)}"


def made(op: str, formats: tuple[Format, ...], semantics: Semantics) -> tuple[str, Outcomes]:
    """The name of a table and the table, by the specification."""
    index = np.arange(1 << sum(f.k for f in formats))
    rows = index[None] if len(formats) == 1 else np.stack([index >> formats[1].k, index & formats[1].code_mask])
    return _name(op, formats, semantics), _made(op, formats, semantics, rows)


def _made_packed(
    op: str, formats: tuple[Format, ...], semantics: Semantics, shape: tuple[int, ...], rows: bytes
) -> Outcomes:
    return _made(op, formats, semantics, np.frombuffer(rows, np.int64).reshape(shape))


# a diagnosis rounds the same exact results by hundreds of wrong rules
_remembered = lru_cache(maxsize=64)(_made_packed)


def _made(op: str, formats: tuple[Format, ...], semantics: Semantics, rows: NDArray[np.int64]) -> Outcomes:
    """The outcomes of columns of codes, by the specification; every NaN is quiet here."""
    definition = FUNCTIONS[op]
    out = Outcomes.empty(rows.shape[1])
    data = [{int(c): _datum(int(c), f, semantics) for c in np.unique(r)} for r, f in zip(rows, formats)]
    for i, codes in enumerate(rows.T.tolist()):
        operands = [data[j][c] for j, c in enumerate(codes[: len(formats)])]
        if definition.integer:
            operands.append(Datum.finite(codes[-1]))
        if any(x.is_nan for x in operands):
            known = definition.despite_nan(operands, semantics) if definition.despite_nan else None
            if known is not None:
                out.put(i, known)
        else:
            out.put(i, _settled(op, semantics, *operands) if len(operands) == 1 else _exact(op, semantics, *operands))
    return out


def _exact(op: str, semantics: Semantics, *operands: Datum) -> Exact:
    return settled(FUNCTIONS[op].row(*operands, semantics), GRID)


_settled = lru_cache(maxsize=1 << 16)(_exact)  # formats have most of their values in common


def _datum(code: int, f: Format, semantics: Semantics) -> Datum:
    x = unpack(code, f)
    return x.with_sign(0) if semantics.of_p3109 and x.is_zero else x
