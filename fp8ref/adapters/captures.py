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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cases.dots import is_product, operand_types, with_length
from ..cases.operation import Operation
from ..vectors.caselines import codes_of, constant, hex_text, json_object, prefix
from ..vectors.digits import squeezed
from ..vectors.section import columns_of

Codes = NDArray[Any]
SCHEMA = "fp8ref/capture/1"
LARGEST_FILE, LARGEST_LINE, MOST_CASES = 1 << 30, 1 << 20, 1 << 22
ANSWER, WHAT = "d", "a capture"


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
        columns = columns_of(op, ANSWER)
        texts: dict[str, list[str]] = {column.name: [] for column in columns}
        numbers: list[int] = []
        for number, line in lines:
            case = json_object(line, f"{path}:{number}", WHAT)
            if len(numbers) == count:
                raise ValueError(f"{path}:{number}: the header announces {count} cases, and here is one more")
            numbers.append(number)
            for column in columns:
                texts[column.name].append(hex_text(case, column, f"{path}:{number}"))
    if len(numbers) != count:
        raise ValueError(f"{path}: the header announces {count} cases, the file has {len(numbers)}: is it torn?")
    *operands, answers = (codes_of(texts[c.name], c, lambda i: f"{path}:{numbers[i]}") for c in columns)
    return Capture(op, tuple(operands), answers, source, str(path))


def write(path: Path | str, capture: Capture) -> None:
    """Write a capture; the same capture gives the same bytes."""
    header = {
        "fp8ref": "capture",
        "schema": SCHEMA,
        "operation": capture.operation.id,
        "count": capture.count,
        "source": dict(capture.source),
    }
    columns = columns_of(capture.operation, ANSWER)
    with Path(path).open("wb") as file:
        file.write(json.dumps(header, sort_keys=True).encode() + b"\n")
        lines = prefix(columns, (*capture.operands, capture.answers))
        file.write(squeezed(np.concatenate([*lines, constant("}\n", capture.count)], axis=1)))


def _lines(file: Any, path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank."""
    number = 0
    while line := file.readline(LARGEST_LINE + 1):
        number += 1
        if len(line) > LARGEST_LINE:
            raise ValueError(f"{path}:{number}: a line of more than {LARGEST_LINE} bytes")
        if line.strip():
            yield number, line


def _header(line: bytes, where: str) -> tuple[Operation, int, dict[str, str]]:
    header = json_object(line, where, WHAT)
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
