"""For test benches in Python, cocotb's above all: the cases of vectors, what a design answers, and what was covered.

    @cocotb.test()
    async def conforms(dut):
        bench = Bench("vectors.memh")
        for case in bench.cases():
            dut.a.value, dut.b.value = case.packed("a"), case.packed("b")
            await Timer(1, unit="ns")
            bench.answer(case, int(dut.z.value), int(dut.flags.value))
        bench.require_conforming()

Nothing here imports cocotb: any loop that drives a design will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.answers import Expected
from ..check.matrix.sums import mistakes_in, wrong_answers
from ..outputs import atomically
from ..vectors.files import found_in
from ..vectors.generate import answered
from ..vectors.merging.database import SIMULATOR, Database, merged, written
from ..vectors.merging.suite import Suite
from ..vectors.section import Block, Column, Section, by_case
from ..vectors.source import Found, open_source
from .assertions import NotConforming

SHOWN = 5
Codes = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One case of a vector file: where it stands, its operands, and the reference's result and status."""

    place: str
    section: Section = field(repr=False)
    row: int = field(repr=False)
    block: Block = field(repr=False)

    def codes(self, name: str) -> list[int]:
        """The codes of an operand, or of the result ``z``, element 0 first.  Raises KeyError for what it has not."""
        column, codes = self._column(name)
        return [int(code) & ((1 << column.bits) - 1) for code in np.atleast_1d(codes[self.row]).ravel()]

    def packed(self, name: str) -> int:
        """The codes of an operand side by side, as a bit vector has them, element 0 leftmost."""
        column, _ = self._column(name)
        width = column.bits if column.elements == 1 else 4 * column.digits
        found = 0
        for code in self.codes(name):
            found = found << width | code
        return found

    @property
    def status(self) -> int | None:
        """NX 1, UF 2, OF 4, DZ 8, NV 16; None where the operation raises nothing."""
        return None if self.block.status is None else int(self.block.status[self.row])

    def _column(self, name: str) -> tuple[Column, Codes]:
        arrays = (*self.block.operands, self.block.result)
        for column, codes in zip(self.section.columns, arrays):
            if column.name == name:
                return column, codes
        names = ", ".join(column.name for column in self.section.columns)
        raise KeyError(f"{self.section.operation.id} has {names}, not {name}")


@dataclass(frozen=True)
class Verdict:
    """What a design's answers to one operation come to: cases, wrong ones, the first of them in words, and the
    mistakes that give exactly these answers."""

    operation: str
    cases: int
    wrong: int
    shown: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.operation}: {self.wrong} of {self.cases} cases differ"
        return said + (f": {'; or '.join(self.mistakes)}" if self.mistakes else "")


def verdict(section: Section, got: Block, places: Iterable[str] = ()) -> Verdict:
    """A design's answers to one operation held against the reference.

    ``got``: the operands with the answers; without a status the flags are not compared.  ``places``: a name a case.
    """
    op = section.operation
    right = answered(replace(section, coverpoints=()), got.operands)
    answers, want = Expected(got.result, got.status), Expected(right.result, right.status)
    bad = (
        np.flatnonzero(by_case(wrong_answers(op, answers, want)[:, None]).any(axis=1)) if got.size else np.empty(0, int)
    )
    names = list(places) if bad.size else []
    shown = tuple(_told(section, got, right, i, names[i] if names else f"case {i + 1}") for i in bad[:SHOWN].tolist())
    compared = op if got.status is not None else replace(op, keys=tuple(p for p in op.keys if p[0] != "flags"))
    mistakes = tuple(m.sentence for m in mistakes_in(compared, got.operands, answers)) if bad.size else ()
    return Verdict(op.id, got.size, int(bad.size), shown, mistakes)


def _told(section: Section, got: Block, right: Block, i: int, place: str) -> str:
    def digits(column: Column, codes: Codes) -> str:
        mask = (1 << column.bits) - 1
        return " ".join(f"{int(code) & mask:0{column.digits}X}" for code in np.atleast_1d(codes[i]).ravel())

    operands = " ".join(f"{c.name}={digits(c, x)}" for c, x in zip(section.operand_columns, got.operands))

    def answer(block: Block) -> str:
        flags = "" if block.status is None or got.status is None else f" flags {int(block.status[i]):02X}"
        return digits(section.result_column, block.result) + flags

    return f"{place}: {operands} gives {answer(got)}, not {answer(right)}"


class Bench:
    """The cases of a vector file, of any form, and the answers that a design gives to them."""

    def __init__(self, path: Path | str) -> None:
        """Raises OSError, ValueError where the file is none, when the cases are taken."""
        self.path = Path(path)
        self._given: dict[str, tuple[Section, list[tuple[Case, int, int | None]]]] = {}

    def cases(self) -> Iterator[Case]:
        found: Found
        for found in found_in(open_source(self.path)):
            for row, line in enumerate(found.lines.tolist()):
                yield Case(f"{self.path.name}:{line}", found.section, row, found.block)

    def answer(self, case: Case, result: int, status: int | None = None) -> bool:
        """Note what the design answers; is it, bit for bit, what the file has?  The verdict takes any NaN for NaN."""
        _, given = self._given.setdefault(case.section.operation.id, (case.section, []))
        given.append((case, result, status))
        flags = status is None or case.status is None or status == case.status
        return flags and case.packed("z") == result

    def verdicts(self) -> list[Verdict]:
        """One for each operation that was answered."""
        return [
            verdict(section, self._block(section, given), [case.place for case, *_ in given])
            for section, given in self._given.values()
        ]

    def require_conforming(self) -> None:
        """Raises NotConforming with the first wrong answers and the mistakes that explain all; ValueError where
        nothing was answered."""
        found = self.verdicts()
        if not found:
            raise ValueError(f"{self.path}: no case was answered")
        wrong = [one for one in found if one.wrong]
        if wrong:
            raise NotConforming("\n".join(line for one in wrong for line in (str(one), *(f"  {s}" for s in one.shown))))

    def coverage(self) -> Database:
        """In which bins the answered cases are: what this simulation covered."""
        suites = []
        for section, given in self._given.values():
            suite = Suite(self.path.name, "cocotb", SIMULATOR)
            suite.add(section, self._block(section, given))
            suites.append(suite.database)
        return merged(suites)

    def write_coverage(self, path: Path | str) -> None:
        """Coverage as a file that ``fp8ref vectors coverage`` merges with others; replaced where it is there."""
        with atomically(Path(path), force=True) as file:
            file.write(written(self.coverage()).encode())

    @staticmethod
    def _block(section: Section, given: list[tuple[Case, int, int | None]]) -> Block:
        operands = tuple(
            np.stack([case.block.operands[i][case.row] for case, *_ in given])
            for i in range(len(section.operand_columns))
        )
        column = section.result_column
        result = np.array([answer for _, answer, _ in given], np.uint64)
        dtype = np.dtype(f"u{column.dtype.itemsize}")
        status = None if any(s is None for *_, s in given) else np.array([s for *_, s in given], np.uint8)
        return Block(operands, result.astype(dtype).view(column.dtype), status)
