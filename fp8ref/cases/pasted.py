"""Tables that a person pastes: inputs and answers, a case a line, as codes or as numbers.

A bare hexadecimal number with all digits of its type is a code, and so is ``0x7E``, ``0b01111110`` or ``d:126``; what
has a point, a sign, an exponent or too many digits is a number, and then every bare number of its column is one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Unreadable
from ..spec.catalog import get_format
from ..spec.codec import pack, unpack
from ..spec.datum import Datum
from ..spec.projection import get_projection, project
from .operation import INTEGERS, UNITS, Operation, carrier_dtype
from .products.questions import DEFAULT_K, blocks, has_addend, has_output_scale, is_product, operand_types, scale_type
from .scaling.questions import is_scale, quantiser, scale_bytes
from .written import read_code, read_value

Codes = NDArray[Any]
MOST_LINES, MOST_BYTES = 100_000, 1 << 26
UNASKED = "?"
GOT = ("got", "output", "out", "result", "answer", "actual", "ours", "y", "code")
IGNORED = ("want", "expected", "right", "reference", "line", "position", "flags", "finding", "row", "column", "case",
           "length", "layout", "index")  # fmt: skip
ARROW = re.compile(r"\s*(?:->|=>|\|)\s*")
VALUE_ONLY = re.compile(r"[+-].*|.*[./].*|0x.*p.*|inf|infinity|nan|.*e[+-]\d+", re.I)
DECIMAL = re.compile(r"\d+(e\d+)?", re.I)
REPEATED = re.compile(r"(.+)\*(\d{1,6})")


@dataclass(frozen=True)
class Table:
    """Cases as arrays of codes, one line each, and the answers; ``answered``: which lines have one.

    ``lines``: the number of each in what was read; ``texts``: the inputs as they were written; ``notes``: how bare
    numbers were read.
    """

    op: Operation
    operands: list[Codes]
    got: Codes
    answered: NDArray[np.bool_]
    lines: tuple[int, ...]
    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_table(op: Operation, text: str, name: str) -> Table:
    """The table of a text; Unreadable names the line of what cannot be read."""
    if len(text) > MOST_BYTES:
        raise Unreadable(f"{name} has {len(text)} characters; at most {MOST_BYTES} are read")
    rows = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1)]
    rows = [(n, line) for n, line in rows if line and not line.startswith("#")]
    if not rows:
        raise Unreadable(f"{name} has no lines: each is the inputs and, last, the answer, like 3FA88000 3A")
    if len(rows) > MOST_LINES:
        raise Unreadable(f"{name} has {len(rows)} lines; at most {MOST_LINES} are read")
    return _read_rows(op, rows, name) if is_product(op) or is_scale(op) else _read_plain(op, rows, name)


def table_of_case(op: Operation, operands: Sequence[Codes], answers: Sequence[str], case: str) -> Table:
    """One case, answered several times."""
    got = [read_answer(op, answer, f"--got {answer}") for answer in answers]
    n = len(answers)
    many = [np.repeat(x[:1], n, axis=0) for x in operands]
    return Table(op, many, np.array(got), np.ones(n, bool), tuple(range(1, n + 1)), (case,) * n)


def read_answer(op: Operation, text: str, what: str) -> Any:
    """The code of an answer; of a scaling its row of bytes."""
    if is_scale(op):
        raise Unreadable(f"{what}: the answer to a scaling is a scale and its elements: give it in a line of a table")
    ((code, _),) = _column([(0, text)], op.result, what, answer=True)[0]
    return np.array(code).astype(_dtype(op.result))


# -- one number -------------------------------------------------------------------------------------------------------
def width(type_: str) -> int:
    """Bits of a type."""
    return 8 if type_ in UNITS else int(type_[1:]) if type_ in INTEGERS else get_format(type_).k


def _dtype(type_: str) -> np.dtype[Any]:
    return np.dtype(np.uint8) if type_ in UNITS else np.dtype(carrier_dtype(type_))


def _is_code(token: str) -> bool:
    """Is it a code whatever stands beside it?"""
    low = token.lower()
    return (low.startswith("0x") and "p" not in low) or low.startswith(("0b", "d:"))


def _column(
    cells: Sequence[tuple[int, str]], type_: str, what: str, answer: bool = False
) -> tuple[list[tuple[int, bool]], list[str]]:
    """The code of each cell, and whether a number was rounded to it; and how bare numbers were read."""
    digits = -(-width(type_) // 4)
    plain = re.compile(rf"[0-9a-f]{{{digits}}}", re.I)
    bare = [(n, token) for n, token in cells if not _is_code(token)]
    for n, token in bare:
        if not any(form.fullmatch(token) for form in (plain, VALUE_ONLY, DECIMAL)):
            where = f"line {n}, {what}" if n else what
            raise Unreadable(f"{where}: {token!r:.80} is neither a code of {type_}, {digits} hexadecimal digits, "
                           "nor a number")  # fmt: skip
    numbers = [token for _, token in bare if VALUE_ONLY.fullmatch(token) or not plain.fullmatch(token)]
    as_numbers = bool(numbers)
    notes = []
    if not as_numbers and bare and all(DECIMAL.fullmatch(token) for _, token in bare):
        one = bare[0][1]
        notes.append(f"{what}: {one} is read as the code 0x{one}; a number has a point: {one}.0")
    found = []
    for n, token in cells:
        where = f"line {n}, {what}" if n else what
        if _is_code(token) or not as_numbers:
            found.append((read_code(token, width(type_), type_, where), False))
            continue
        if not VALUE_ONLY.fullmatch(token) and not DECIMAL.fullmatch(token):
            raise Unreadable(f"{where}: {token!r:.80} is a code and {numbers[0]!r:.40} a number: write 0x before codes")
        found.append(value_code(token, type_, where, answer))
    return found, notes


def value_code(token: str, type_: str, what: str, answer: bool) -> tuple[int, bool]:
    """The code of a number, and whether it was rounded: to the nearest for an input; an answer must be a value of its
    type, or a decimal that rounds to no other."""
    x = read_value(token, what)
    if type_ in UNITS or type_ in INTEGERS:
        low = -(1 << (width(type_) - 1)) if type_[0] == "i" else 0
        top = low + (1 << width(type_)) - 1
        if not x.is_finite or x.value.denominator != 1 or not low <= x.value <= top:
            raise Unreadable(f"{what}: {token!r:.80} is no {type_}, {low} to {top}")
        return int(x.value) & ((1 << width(type_)) - 1), False
    f = get_format(type_)
    if (x.is_nan and not f.has_nan) or (x.is_infinite and not f.infinities):
        raise Unreadable(f"{what}: {f.name} has no {'NaN' if x.is_nan else 'infinity'}, {token!r:.80}")
    code = pack(project(x, f, get_projection(f, "rne", "sat"))[0], f)
    back = unpack(code, f)
    if x.is_nan or x.is_infinite or back.value == x.value:
        if x.is_zero and x.sign and not f.has_negative_zero:
            raise Unreadable(f"{what}: {f.name} has no -0")
        return code, False
    near = _short(back)
    if x.magnitude > f.max or (x.sign and not f.signed):
        raise Unreadable(f"{what}: {token!r:.80} is beyond the values of {f.name}, which end at {near}")
    if answer and f.k < 16 and not _rounds_to(token, x, back):
        raise Unreadable(f"{what}: {token!r:.80} is no value of {f.name}; the nearest is {near}")
    return code, True


def _rounds_to(token: str, x: Datum, nearest: Datum) -> bool:
    """Is a decimal what its nearest value becomes when it is written with as many digits?"""
    number, _, exponent = token.lower().lstrip("+-").partition("e")
    if "." not in number or number.startswith("0x"):
        return False
    last = Fraction(10) ** (int(exponent or 0) - len(number.partition(".")[2]))
    return abs(x.value - nearest.value) <= last / 2 and abs(nearest.value) >= last * 10


def _short(x: Datum) -> str:
    return f"{float(x.value):g}"


# -- lines of one code an operand -------------------------------------------------------------------------------------
def _cells(line: str, n: int) -> list[str]:
    if ARROW.search(line):
        line = ARROW.sub(" ", line)
    if any(mark in line for mark in ",;\t"):
        mark = next(mark for mark in "\t;," if mark in line)
        try:
            (cells,) = csv.reader([line], delimiter=mark)
        except csv.Error as error:
            raise Unreadable(f"line {n}: {error}") from None
        cells = [cell.strip() for cell in cells]
        return cells if len(cells) > 1 else " ".join(cells).split()
    return line.split()


def _is_header(cells: Sequence[str]) -> bool:
    """No cell is a number, and one names a column."""
    known = [
        cell.lower() in (*GOT, *IGNORED, "x", "a", "b", "c", "input", "inputs", "in", "value", "op") for cell in cells
    ]
    return any(known) and not any(re.match(r"[+-]?(0x|\d)", cell) for cell in cells)


def _read_plain(op: Operation, rows: list[tuple[int, str]], name: str) -> Table:
    split = [(n, _cells(line, n)) for n, line in rows]
    wanted = len(op.operands) + 1
    places = list(range(wanted))
    if _is_header(split[0][1]):
        n, heads = split.pop(0)
        heads, split = _unfolded(op, [head.lower() for head in heads], split, n)
        places = _places([head.lower() for head in heads], wanted, n)
        if not split:
            raise Unreadable(f"{name}: a header alone; the lines that follow are cases")
    types = (*op.operands, op.result)
    for n, cells in split:
        if len(cells) != wanted and (len(cells) <= max(places) or places == list(range(wanted))):
            raise Unreadable(
                f"line {n}: {len(cells)} number(s), {' '.join(cells)!r:.60}; {op.family} takes {len(op.operands)} "
                "and its answer, or ? for one that is not known yet"
            )
    columns: list[list[tuple[int, bool]]] = []
    notes: list[str] = []
    labels = ("input",) if len(op.operands) == 1 else tuple("abc")
    answered = np.array([cells[places[-1]] != UNASKED for _, cells in split])
    for i, (type_, label) in enumerate(zip(types, (*labels[: len(op.operands)], "got"))):
        last = i == wanted - 1
        column = [(n, cells[places[i]]) for n, cells in split if not last or cells[places[i]] != UNASKED]
        found, said = _column(column, type_, label, answer=last)
        columns.append(found)
        notes += said
        rounded = sum(was for _, was in found)
        if rounded and not last:
            notes.append(f"{label}: {rounded} number(s) are rounded to the nearest of {type_}")
    got = np.zeros(len(split), _dtype(op.result))
    got[answered] = np.array([code for code, _ in columns[-1]], np.uint64).astype(got.dtype)
    operands = [_codes([code for code, _ in column], type_) for column, type_ in zip(columns, op.operands)]
    texts = tuple(" ".join(cells[place] for place in places[:-1]) for _, cells in split)
    return Table(op, operands, got, answered, tuple(n for n, _ in split), texts, tuple(notes))


def _unfolded(
    op: Operation, heads: list[str], lines: list[tuple[int, list[str]]], n: int
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """A table that ``fp8ref check --cases`` wrote: the lines of one operation, operands joined by points apart."""
    if "op" in heads:
        at = heads.index("op")
        others = sorted({cells[at] for _, cells in lines if len(cells) > at})
        lines = [(i, cells) for i, cells in lines if len(cells) > at and cells[at] in (op.id, "")]
        if not lines:
            raise Unreadable(f"line {n}: no line is of {op.id}; they are of {', '.join(others)[:200]}")
        heads = [head if head != "op" else "line" for head in heads]
    if "inputs" in heads:
        at = heads.index("inputs")
        names = [f"input{i}" for i in range(len(op.operands))]
        heads = [*heads[:at], *names, *heads[at + 1 :]]
        lines = [(i, [*cells[:at], *(cells[at].split(".") if len(cells) > at else []), *cells[at + 1 :]])
                 for i, cells in lines]  # fmt: skip
    return heads, lines


def _codes(codes: Sequence[int], type_: str) -> Codes:
    dtype = np.dtype(carrier_dtype(type_))
    return np.array(codes, np.uint64).astype(f"u{dtype.itemsize}").view(dtype)


def _places(heads: Sequence[str], wanted: int, n: int) -> list[int]:
    """Which columns of a header are the operands, in order, and the answer."""
    got = [i for i, head in enumerate(heads) if head in GOT]
    inputs = [i for i, head in enumerate(heads) if i not in got and head not in IGNORED]
    if len(got) != 1 or len(inputs) != wanted - 1:
        raise Unreadable(
            f"line {n}: the header names {len(inputs)} input(s) and {len(got)} answer(s), and {wanted - 1} and 1 are "
            f"needed: call the answer got, and columns to leave out want, position or flags"
        )
    return [*inputs, got[0]]


# -- lines of rows: products and blocks -------------------------------------------------------------------------------
def read_row(text: str, type_: str, what: str) -> list[int]:
    """``3838C0``, ``38,38,C0``, ``1,1,-2`` or ``38*64``: the codes of a row."""
    text = text.strip()
    digits = -(-width(type_) // 4)
    cells: list[str] = []
    for cell in text.split(","):
        repeated = REPEATED.fullmatch(cell.strip())
        one, count = (repeated[1], int(repeated[2])) if repeated else (cell.strip(), 1)
        if not one or not count:
            raise Unreadable(f"{what} {text!r:.60}: an element is missing")
        if len(cells) + count > 1 << 16:
            raise Unreadable(f"{what} {text!r:.60}: at most {1 << 16} elements make a row")
        cells += [one] * count
    if len(cells) == 1 and len(cells[0]) > digits and re.fullmatch(rf"(?:[0-9a-f]{{{digits}}})+", cells[0], re.I):
        joined = cells[0]
        cells = [joined[i : i + digits] for i in range(0, len(joined), digits)]
    return [code for code, _ in _column([(0, cell) for cell in cells], type_, what)[0]]


def read_product(op: Operation, text: str, what: str) -> tuple[Operation, list[list[int]]]:
    """The rows a, b, c and scales of a product: ``a.b.c`` in hexadecimal, or with ``;`` between them decimals too.

    K is the length of a, where the operation does not say it.
    """
    rows = text.split(";") if ";" in text else text.split(".")
    scaled = scale_type(op) is not None
    c = ("c",) * has_addend(op)
    names = ("a", "b", *c, *("scales of a", "scales of b") * scaled, *("output scale",) * has_output_scale(op))
    wanted = len(names)
    if len(rows) != wanted:
        points = "" if ";" in text else "; put ; between rows of decimals, which have points"
        raise Unreadable(f"{what} {text!r:.60} has {len(rows)} row(s): {op.family} takes {', '.join(names)}{points}")
    types = operand_types(op)
    first = read_row(rows[0], types[0], f"{what}, a")
    if not op.key("k"):
        op = Operation.parse(replace(op, keys=tuple(sorted([*op.keys, ("k", str(len(first)))]))).id)
        types = operand_types(op)
    k = int(op.key("k") or DEFAULT_K)
    sizes = (k, k, *(1 for _ in c), *((blocks(op),) * 2 if scaled else ()), 1)
    found = [first]
    for text_, type_, name in zip(rows[1:], types[1:], names[1:]):
        found.append(read_row(text_, type_, f"{what}, {name}"))
    for codes, size, name in zip(found, sizes, names):
        if len(codes) != size:
            raise Unreadable(f"{what}, {name}: {len(codes)} element(s), and {size} are needed (k is {k})")
    return op, found


def product_operands(op: Operation, cases: Sequence[Sequence[Sequence[int]]]) -> list[Codes]:
    """Arrays of the rows of several cases, as they are handed over."""
    found = []
    for i, type_ in enumerate(operand_types(op)):
        rows = [case[i] for case in cases]
        codes = _codes([code for row in rows for code in row], type_).reshape(len(rows), -1)
        single = (has_addend(op) and i == 2) or (has_output_scale(op) and i == len(operand_types(op)) - 1)
        found.append(codes[:, 0].copy() if single else codes)
    return found


def _read_rows(op: Operation, rows: list[tuple[int, str]], name: str) -> Table:
    read = _product_line if is_product(op) else _block_line
    found = [(n, *read(op, line, n)) for n, line in rows]
    op = found[0][1]
    for n, other, *_ in found:
        if other != op:
            raise Unreadable(f"line {n}: {other.id} has another length than line {found[0][0]}: one length a table")
    answered = np.array([got is not None for *_, got, _ in found])
    if is_product(op):
        operands = product_operands(op, [case for _, _, case, _, _ in found])
        got = np.zeros(len(found), _dtype(op.result))
        got[answered] = np.array([got for *_, got, _ in found if got is not None], np.uint64).astype(got.dtype)
    else:
        q = quantiser(op)
        xs = [case[: len(case) - q.tensor] for _, _, case, _, _ in found]
        operands = [_codes([c for x in xs for c in x], op.operands[0]).reshape(len(xs), -1)]
        if q.tensor:
            operands.append(_codes([case[-1] for _, _, case, _, _ in found], "f32"))
        empty = bytes(scale_bytes(q) + operands[0].shape[1])
        got = np.array([list(got if got is not None else empty) for *_, got, _ in found], np.uint8)
    texts = tuple(text for *_, text in found)
    return Table(op, operands, got, answered, tuple(n for n, *_ in found), texts)


def _product_line(op: Operation, line: str, n: int) -> tuple[Operation, list[list[int]], int | None, str]:
    """Rows, and the answer last."""
    cells = ARROW.sub(" ", line).split()
    if len(cells) < 2:
        raise Unreadable(f"line {n}: {line!r:.60} is a.b.c and the answer, like 3838.3838.00000000 40000000")
    inputs = ";".join(cells[:-1]) if len(cells) > 2 else cells[0]
    op, rows = read_product(op, inputs, f"line {n}")
    got = None if cells[-1] == UNASKED else int(read_answer(op, cells[-1], f"line {n}, got"))
    return op, rows, got, inputs


def _block_line(op: Operation, line: str, n: int) -> tuple[Operation, list[int], bytes | None, str]:
    """Elements and the tensor's amax; then the scale and the elements' codes."""
    parts = ARROW.split(line)
    if len(parts) != 2:
        raise Unreadable(f"line {n}: a block is its elements, ->, its scale and the codes of its elements")
    q = quantiser(op)
    given, answer = (part.replace(",", " ").split() for part in parts)
    size = len(given) - q.tensor
    if size < 1 or (q.block and size > q.block):
        most = f"1 to {q.block} elements" if q.block else "elements"
        raise Unreadable(f"line {n}: {op.result} takes {most}{' and the amax of a tensor' if q.tensor else ''}")
    x = [code for code, _ in _column([(0, cell) for cell in given[:size]], op.operands[0], f"line {n}, input")[0]]
    x += [code for code, _ in _column([(0, cell) for cell in given[size:]], "f32", f"line {n}, amax")[0]]
    keys = tuple(pair for pair in op.keys if pair[0] != "k")
    op = replace(op, keys=keys if size == q.block else tuple(sorted([*keys, ("k", str(size))])))
    if answer == [UNASKED]:
        return op, x, None, " ".join(given)
    if len(answer) != 1 + size:
        raise Unreadable(f"line {n}: {len(answer)} answer(s) for a scale and {size} element(s)")
    ((scale, _),) = _column([(0, answer[0])], q.scale, f"line {n}, scale", answer=True)[0]
    codes = [c for c, _ in _column([(0, cell) for cell in answer[1:]], q.element, f"line {n}, got", answer=True)[0]]
    return op, x, scale.to_bytes(scale_bytes(q), "little") + bytes(codes), " ".join(given)
