"""Captures: answers of an implementation that is not here, as JSON lines.

The first line is a header, then comes one case a line.  Operands are ``a``, ``b``, ``c``, for products with scales also
``sa``, ``sb``, the answer is ``d``, each the
hexadecimal codes of its elements, element 0 first, ceil(k / 4) digits an element::

    {"fp8ref": "capture", "schema": "fp8ref/capture/1", "operation": "dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32;k=32",
     "count": 1000, "source": {"device": "...", "instruction": "...", "origin": "...", "license": "..."}}
    {"a": "3738aa3b...", "b": "31b22d29...", "c": "00000000", "d": "40727c00"}

The mode of the operation is the behaviour declared for the device, or ``*``.  Files are data from strangers: they are
only parsed, sizes are bounded, and every complaint tells file and line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.dots import is_product, operand_types, shapes, with_length
from ..cases.operation import INTEGERS, UNITS, Operation, carrier_dtype
from ..spec.catalog import get_format

Codes = NDArray[Any]
SCHEMA = "fp8ref/capture/1"
LARGEST_FILE, LARGEST_LINE, MOST_CASES = 1 << 30, 1 << 20, 1 << 22
NAMES = ("a", "b", "c", "sa", "sb")  # of operands, in their order
_HEX = re.compile(r"[0-9A-Fa-f]*")


@dataclass(frozen=True)
class Capture:
    """``operands``: one array each, the cases first; ``answers``: result codes; ``source``: who measured what."""

    operation: Operation
    operands: tuple[Codes, ...]
    answers: Codes
    source: Mapping[str, str]
    path: str = ""

    @property
    def count(self) -> int:
        return int(self.answers.shape[0])


def read(path: Path | str) -> Capture:
    """The capture in a file.  Raises ValueError with file and line where it is none, OSError where it is not there."""
    path = Path(path)
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"{path}: {size} bytes; a capture has at most {LARGEST_FILE}")
    with path.open("rb") as file:
        lines = _lines(file, path)
        number, first = next(lines, (1, b""))
        op, count, source = _header(first, f"{path}:{number}")
        fields = _fields(op)
        columns: dict[str, list[str]] = {name: [] for name in fields}
        for number, line in lines:
            case = _object(line, f"{path}:{number}")
            if len(columns["d"]) == count:
                raise ValueError(f"{path}:{number}: the header announces {count} cases, and here is one more")
            for name, (elements, digits, _) in fields.items():
                columns[name].append(_hex(case, name, elements, digits, f"{path}:{number}"))
    if len(columns["d"]) != count:
        raise ValueError(f"{path}: the header announces {count} cases, the file has {len(columns['d'])}: is it torn?")
    arrays = {name: _array(columns[name], *field, path, name) for name, field in fields.items()}
    given = shapes(op, count)
    names = list(fields)
    return Capture(
        op,
        tuple(arrays[name].reshape(shape) for name, shape in zip(names[:-1], given)),
        arrays["d"].reshape(given[-1]),
        source,
        str(path),
    )


def write(path: Path | str, capture: Capture) -> None:
    """Write a capture; the same capture gives the same bytes."""
    header = {
        "fp8ref": "capture",
        "schema": SCHEMA,
        "operation": capture.operation.id,
        "count": capture.count,
        "source": dict(capture.source),
    }
    fields = _fields(capture.operation)
    arrays = dict(zip(fields, (*capture.operands, capture.answers)))
    with Path(path).open("w", encoding="ascii", newline="\n") as file:
        file.write(json.dumps(header, sort_keys=True) + "\n")
        for i in range(capture.count):
            case = {
                name: "".join(f"{int(code):0{digits}X}" for code in np.atleast_1d(arrays[name][i]))
                for name, (_, digits, _) in fields.items()
            }
            file.write(json.dumps(case) + "\n")


def _lines(file: Any, path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank."""
    number = 0
    while line := file.readline(LARGEST_LINE + 1):
        number += 1
        if len(line) > LARGEST_LINE:
            raise ValueError(f"{path}:{number}: a line of more than {LARGEST_LINE} bytes")
        if line.strip():
            yield number, line


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{where}: not a line of a capture: {line[:40].decode('utf-8', 'replace').strip()!r}")
    return found


def _header(line: bytes, where: str) -> tuple[Operation, int, dict[str, str]]:
    header = _object(line, where)
    if header.get("fp8ref") != "capture":
        raise ValueError(f'{where}: not a capture: it begins with a header {{"fp8ref": "capture", ...}}')
    if header.get("schema") != SCHEMA:
        raise ValueError(f"{where}: schema {header.get('schema')!r}; this version reads {SCHEMA}")
    count = header.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_CASES:
        raise ValueError(f"{where}: count is the number of cases, 0 to {MOST_CASES}, not {count!r}")
    try:
        op = Operation.parse(str(header.get("operation")))
        op = with_length(op) if is_product(op) else op
        if op.flags or op.family == "matmul":
            raise ValueError("a capture holds single cases without status flags")
        operand_types(op)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    source = header.get("source", {})
    if not isinstance(source, dict):
        raise ValueError(f"{where}: source is an object of texts, not {source!r}")
    return op, count, {str(key)[:40]: str(value)[:400] for key, value in sorted(source.items())}


def _fields(op: Operation) -> dict[str, tuple[int, int, str]]:
    """Name -> elements of a case, hexadecimal digits of an element, type."""
    types = (*operand_types(op), op.result)
    one = shapes(op, 1)
    names = [*NAMES[: len(types) - 1], "d"]
    return {name: (int(np.prod(shape)), _digits(type_), type_) for name, shape, type_ in zip(names, one, types)}


def _digits(type_: str) -> int:
    bits = int(type_[1:]) if type_ in INTEGERS else 4 if type_ in UNITS else get_format(type_).k
    return -(-bits // 4)


def _hex(case: Mapping[str, Any], name: str, elements: int, digits: int, where: str) -> str:
    text = case.get(name)
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) != elements * digits:
        shown = repr(text)[:40]
        raise ValueError(f"{where}: {name} is {elements} element(s) of {digits} hexadecimal digits, not {shown}")
    return text


def _array(texts: Sequence[str], elements: int, digits: int, type_: str, path: Path, name: str) -> Codes:
    dtype = np.dtype(carrier_dtype(type_))
    joined = "".join(texts)
    if digits == 2 * dtype.itemsize:
        codes = np.frombuffer(bytes.fromhex(joined), np.dtype(f">u{dtype.itemsize}")).astype(f"u{dtype.itemsize}")
    else:
        codes = np.array([int(joined[i : i + digits], 16) for i in range(0, len(joined), digits)], f"u{dtype.itemsize}")
    if type_ not in INTEGERS and type_ not in UNITS and codes.size and codes.max() > get_format(type_).code_mask:
        case = int(np.argmax(codes > get_format(type_).code_mask)) // max(elements, 1)
        raise ValueError(f"{path}: case {case}: {name} has a code that {type_} does not")
    return codes.view(dtype)
