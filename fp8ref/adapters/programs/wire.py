"""Codes as hexadecimal text and as bytes: what crosses the pipe to a program under test, and what is in a capture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import INTEGERS, Operation
from ...cases.products.beside import has_amax, second_of
from ...cases.products.questions import operand_types, shapes
from ...vectors.forms.digits import from_digits, to_digits
from ...vectors.section import Column, by_case
from ..base import Broken, Codes

Block = NDArray[np.uint8]  # text of a column: cases by characters
OPERANDS = ("a", "b", "c", "sa", "sb", "sr")
ANSWER = "d"
_HEX = frozenset(b"0123456789ABCDEFabcdef")


@dataclass(frozen=True)
class Field(Column):
    """One operand of every case, or the answer, as it is written."""

    @property
    def width(self) -> int:
        """Characters of a case."""
        return self.elements * self.digits

    @property
    def text(self) -> str:
        """What belongs into the field, in words."""
        many = f"{self.elements} x " if self.elements > 1 else ""
        return f"{many}{self.digits} hexadecimal digits of {self.type}"


STATUS, AMAX = Field("flags", "u8"), Field("amax", "f32")


def second_field(op: Operation) -> Field | None:
    """What is answered beside the result: the status or the amax, where one is asked for."""
    return {"flags": STATUS, "amax": AMAX}[named[0]] if (named := second_of(op)) else None


def fields(op: Operation) -> list[Field]:
    """The operands ``a``, ``b``, ``c`` of an operation as far as it has them (and ``sa``, ``sb``), and its answer."""
    types = (*operand_types(op), op.result)
    names = [*OPERANDS[: len(types) - 1], ANSWER]
    found = [Field(name, type_, shape[1:]) for name, type_, shape in zip(names, types, shapes(op, 1))]
    return [*found[:-1], replace(found[-1], shape=())] if found[-1].words > 1 else found


def hex_block(codes: Codes, field: Field) -> Block:
    """Upper-case text of n cases: shape (n, width)."""
    return to_digits(codes, field).reshape(len(codes), field.width)


def unhex_block(text: Block, field: Field) -> Codes | None:
    """The codes of n cases, in the field's dtype; None where one is no hexadecimal or no code of the type."""
    codes, bad = from_digits(text.reshape(len(text), field.elements, field.digits), field)
    return None if bad.any() else codes


def codes_of(text: bytes, n: int, field: Field) -> Codes:
    """The codes of n cases of hexadecimal text.  Raises Broken where one has more bits than its type."""
    codes, bad = from_digits(np.frombuffer(text, np.uint8).reshape(n, field.elements, field.digits), field)
    if bad.any():
        i = int(np.argmax(bad))
        word = text[i * field.width : (i + 1) * field.width].decode()
        raise Broken(f"answer {i + 1} is {word[:40]}, and a code of {field.type} has {field.bits} bits")
    return codes


def check_codes(codes: Codes, field: Field) -> None:
    """Raises Broken where a code has more bits than its type."""
    if field.type in INTEGERS or field.bits == 8 * field.dtype.itemsize:
        return
    first = codes if field.words == 1 else codes[:, 0]
    beyond = first > (1 << (field.bits - 64 * (field.words - 1))) - 1
    if beyond.any():
        i = int(np.argmax(beyond))
        code = int.from_bytes(np.atleast_1d(codes[i]).astype(">u8").tobytes(), "big")
        raise Broken(f"answer {i + 1} is {code:X}, and a code of {field.type} has {field.bits} bits")


def question_lines(op: Operation, operands: Sequence[Codes]) -> bytes:
    """One line a case: the operands in hexadecimal, separated by one space."""
    n = len(operands[0])
    columns = [part for field, x in zip(fields(op), operands) for part in (_column(n, " "), hex_block(x, field))]
    return np.concatenate([*columns[1:], _column(n, "\n")], axis=1).tobytes()


def _column(n: int, character: str) -> Block:
    return np.full((n, 1), ord(character), np.uint8)


def answer_forms(op: Operation) -> dict[int, list[Field]]:
    """The forms of an answer line by their number of words.

    The result alone, or after the operands as they were asked; the status or the amax comes last.  A status that was
    not asked for is allowed after echoed operands, as TestFloat writes it.
    """
    *given, result = fields(op)
    second = second_field(op)
    bare = [result] if second is None else [result, second]
    forms = {1 + len(given) + 1: [*given, result, second or STATUS]}
    if second is None:
        forms[len(given) + 1] = [*given, result]
    forms.setdefault(len(bare), bare)
    return forms


def longest_answer(op: Operation) -> int:
    """Characters that an answer line may have, blanks and the end of line among them."""
    return sum(field.width + 4 for field in fields(op)) + 24


def read_answers(op: Operation, operands: Sequence[Codes], data: bytes) -> tuple[Codes, Codes | None]:
    """The answers in lines of text, one for each case, in the order of the cases.

    Raises Broken, with the line, where they are not of one form, wrong in number, or about other operands than asked.
    """
    n = len(operands[0])
    lines = data.split(b"\n")
    torn = lines.pop()
    forms = answer_forms(op)
    if not lines:
        _check_number(n, 0, torn)
        second = second_field(op)
        return np.empty(0, fields(op)[-1].dtype), None if second is None else np.empty(0, second.dtype)
    form = forms.get(len(lines[0].split()))
    if form is None:
        raise Broken(f"answer 1 is {shown(lines[0])}, not {described(op)}")
    columns = _columns(data, n, form) or _columns_slowly(lines[:n], form)
    codes, beside = None, None
    for field, column in zip(form, columns):
        if field in (STATUS, AMAX):
            beside = column.astype(field.dtype)
            continue
        if field.name != ANSWER:
            _check_echo(column, operands[OPERANDS.index(field.name)][: len(column)], field)
            continue
        codes = column
    _check_number(n, len(lines), torn)
    assert codes is not None
    return codes, None if second_field(op) is None else beside


def _columns(data: bytes, n: int, form: Sequence[Field]) -> list[Codes] | None:
    """The columns of lines that are all alike and separated by single blanks; None where they are not."""
    widths = [field.width for field in form]
    length = sum(widths) + len(widths)
    if not n or len(data) != n * length:
        return None
    rows = np.frombuffer(data, np.uint8).reshape(n, length)
    ends = np.cumsum([w + 1 for w in widths]) - 1
    if not ((rows[:, ends[:-1]] == ord(" ")).all() and (rows[:, ends[-1]] == ord("\n")).all()):
        return None
    found = [unhex_block(rows[:, end - w : end], field) for field, end, w in zip(form, ends, widths)]
    return [column for column in found if column is not None] if all(c is not None for c in found) else None


def _columns_slowly(lines: Sequence[bytes], form: Sequence[Field]) -> list[Codes]:
    """The columns of lines with whatever blanks, such as CR; Broken where a line is not of the form."""
    found: list[bytearray] = [bytearray() for _ in form]
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) != len(form):
            raise Broken(f"answer {number} is {shown(line)}, and the first answer has {len(form)} words")
        for field, word, text in zip(form, words, found):
            what = "2 hexadecimal digits of status" if field is STATUS else field.text
            if len(word) != field.width or not _HEX.issuperset(word):
                raise Broken(f"answer {number} is {shown(line)}: {shown(word)} is not {what}")
            text += word
    columns = []
    for place, text in zip(form, found):
        columns.append(codes_of(bytes(text), len(lines), place))
    return columns


def _check_echo(echoed: Codes, asked: Codes, field: Field) -> None:
    """Raises Broken where the echoed operands are not those of the question on the same line."""
    off = np.flatnonzero(by_case(echoed != asked).any(axis=1))
    if not off.size:
        return
    i = int(off[0])
    names = [hex_block(x[i : i + 1], field).tobytes().decode() for x in (echoed, asked)]
    asked_at = np.flatnonzero(by_case(asked == echoed[i]).all(axis=1))
    also = f", which is question {asked_at[0] + 1}: answers out of order" if asked_at.size else ""
    raise Broken(f"answer {i + 1} is about {field.name} = {names[0][:40]}{also}; asked was {names[1][:40]}")


def _check_number(n: int, came: int, torn: bytes) -> None:
    if came > n or (came == n and torn):
        raise Broken(f"more answers than the {n} that were asked" + (f", the last {shown(torn)}" if torn else ""))
    if torn:
        raise Broken(f"{came} of {n} answers, then a torn line {shown(torn)}")
    if came < n:
        raise Broken(f"{came} of {n} answers")


def described(op: Operation) -> str:
    """The answer line that would be right."""
    result = fields(op)[-1]
    second = " and 2 of status" if op.flags else " and 8 of amax" if has_amax(op) else ""
    return f"{result.text}{second}, alone or after the operands"


def shown(text: bytes) -> str:
    """The beginning of what a program wrote, fit for a message."""
    return ascii(text[:60].decode("utf-8", "replace").strip()) + ("..." if len(text) > 60 else "")
