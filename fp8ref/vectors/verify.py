"""Verifying vectors, ours or a stranger's: every answer against the reference's, and the place of each that differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import differs
from .forms.jsonl import case_lines
from .generate import answered
from .section import Block, by_case, tags
from .source import Found

SHOWN, ALL = 10, 100_000
EVERY_FLAG = 31


Hearing = Callable[[Found, Block, dict[str, NDArray[np.bool_]]], None]


@dataclass(frozen=True)
class Mismatch:
    """One answer that is not the reference's: where, of which operation, which field, what was wanted and got."""

    place: str
    operation: str
    field: str
    operands: str
    want: str
    got: str

    def __str__(self) -> str:
        case = f"{self.operation} {self.operands}"
        return f"{self.place}: {self.field} is {self.got}, the reference says {self.want}; {case}"


@dataclass
class Tally:
    """What was verified: cases, answers that differ, the first of them, and cases by operation.

    ``unknown``: nothing says how many cases there were to be.
    """

    cases: int = 0
    wrong: int = 0
    first: list[Mismatch] = field(default_factory=list)
    operations: dict[str, int] = field(default_factory=dict)
    unknown: bool = False

    @property
    def conforms(self) -> bool:
        return self.cases > 0 and not self.wrong


def verify(
    found: Iterable[Found],
    at: Callable[[int], str],
    tally: Tally,
    nan: str = "class",
    hear: Hearing | None = None,
    shown: int = SHOWN,
) -> Tally:
    """Compare everything that a source holds with the reference.

    ``nan``: ``class``, any NaN is as good as any other, or ``bits``.  ``hear`` is called with each piece, the right
    answers, and which cases differ in which field; ``shown``: how many mismatches are kept.  Raises Unreadable where
    the source does.
    """
    for piece in found:
        section, block = piece.section, piece.block
        name = certified(piece)
        tally.unknown |= not piece.complete
        tally.operations[name] = tally.operations.get(name, 0) + block.size
        tally.cases += block.size
        if not block.size:
            continue
        want = answered(section, block.operands)
        if piece.raw is not None and piece.raw == case_lines(section, want):
            if hear is not None:
                hear(piece, want, {})
            continue
        exact, given = piece.details()
        piece = replace(piece, block=replace(block, exact=exact))
        wrong = dict(_wrong(piece, want, nan, given))
        bad = np.zeros(block.size, bool)
        for mask in wrong.values():
            bad |= mask
        tally.wrong += int(bad.sum())
        if hear is not None:
            hear(piece, want, wrong)
        for i in np.flatnonzero(bad)[: max(0, shown - len(tally.first))].tolist():
            which = next(key for key, mask in wrong.items() if mask[i])
            tally.first.append(_mismatch(piece, want, which, i, at, given))
    return tally


def certified(piece: Found) -> str:
    """The operation, as far as it is compared: flags that did not come are not."""
    op, status = piece.section.operation, piece.block.status
    if not op.flags or (status is not None and piece.mask == EVERY_FLAG):
        return op.id
    without = replace(op, keys=tuple(pair for pair in op.keys if pair[0] != "flags"))
    some = status is not None and piece.mask
    return f"{without.id} ({f'flags of mask {piece.mask:02X} alone' if some else 'flags not compared'})"


def _wrong(
    piece: Found, want: Block, nan: str, given: tuple[str, ...] | None
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Field -> which cases differ in it."""
    got, op = piece.block, piece.section.operation
    result = differs(op, got.result, want.result, nan)
    yield "result", np.asarray(by_case(result).any(axis=1))
    if got.status is not None and want.status is not None:
        yield "flags", np.asarray(got.status != want.status & np.uint8(piece.mask), bool)
    if got.amax is not None and want.amax is not None:
        nans = np.asarray((got.amax & 0x7FFFFFFF > 0x7F800000) & (want.amax & 0x7FFFFFFF > 0x7F800000))
        yield "amax", np.asarray((got.amax != want.amax) & ~(nans if nan == "class" else False), bool)
    if got.exact is not None and want.exact is not None:
        yield "exact", np.array([x != y for x, y in zip(got.exact, want.exact)], bool)
    if given is not None and want.bins is not None:
        yield "bins", np.array([x != y for x, y in zip(given, tags(piece.section.coverpoints, want.bins))], bool)


def _mismatch(
    piece: Found, want: Block, which: str, i: int, at: Callable[[int], str], given: tuple[str, ...] | None
) -> Mismatch:
    section, got = piece.section, piece.block

    def hexes(codes: NDArray[np.generic], digits: int) -> str:
        bits = np.atleast_1d(codes).view(f"u{codes.dtype.itemsize}").ravel().tolist()
        return "".join(f"{int(code):0{digits}X}" for code in bits)

    texts: dict[str, Callable[[Block], str]] = {
        "result": lambda b: hexes(b.result[i], section.result_column.digits),
        "flags": lambda b: "--" if b.status is None else f"{int(b.status[i]) & piece.mask:02X}",
        "amax": lambda b: "--" if b.amax is None else f"{int(b.amax[i]):08X}",
        "exact": lambda b: "" if b.exact is None else b.exact[i],
    }  # fmt: skip
    if which == "bins":
        assert given is not None
        assert want.bins is not None
        said = given[i], tags(section.coverpoints, want.bins[i : i + 1])[0]
    else:
        said = texts[which](got), texts[which](want)
    operands = " ".join(f"{c.name}={hexes(x[i], c.digits)[:64]}" for c, x in zip(section.operand_columns, got.operands))
    return Mismatch(at(int(piece.lines[i])), section.operation.id, which, operands, said[1], said[0])
