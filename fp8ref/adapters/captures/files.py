"""Captures: answers of an implementation that is not here, as JSON lines.

The first line is a header, then comes one case a line.  Operands are ``a``, ``b``, ``c``, for products with scales also
``sa``, ``sb``, the answer is ``d``, with ``;flags=1`` its status is ``flags``, with ``;amax=1`` its amax ``amax``,
each the hexadecimal codes of its elements, element 0 first, ceil(k / 4) digits an element::

    {"fp8ref": "capture", "schema": "fp8ref/capture/1", "operation": "dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32;k=32",
     "count": 1000, "source": {"device": "...", "instruction": "...", "origin": "...", "license": "..."}}
    {"a": "3738aa3b...", "b": "31b22d29...", "c": "00000000", "d": "40727c00"}

The mode of the operation is the behaviour declared for the device, or ``*``.  A header may carry the ``sha256`` of all
codes, column by column, little-endian; it is then verified.  A file may be packed by gzip, ``.gz``.  Files are data
from strangers: they are only parsed, sizes are bounded, and every complaint names file and line.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ...cases.operation import Operation
from ...cases.products.beside import second_of
from ...cases.products.questions import is_product, operand_types, with_length
from ...outputs import atomically
from ...vectors.forms.caselines import codes_of, constant, hex_text, json_object, prefix
from ...vectors.forms.digits import squeezed
from ...vectors.section import Column, columns_of

Codes = NDArray[Any]
SCHEMA = "fp8ref/capture/1"
LARGEST_FILE, LARGEST_LINE, MOST_CASES = 1 << 30, 1 << 20, 1 << 22
MOST_BLANK = 1000
ANSWER, WHAT = "d", "a capture"


@dataclass(frozen=True)
class Capture:
    """``operands``: one array each, the cases first; ``answers``: result codes; ``source``: who measured what.

    ``beside``: the status or the amax of every case, where the operation asks for one.
    """

    operation: Operation
    operands: tuple[Codes, ...]
    answers: Codes
    source: Mapping[str, str]
    path: str = ""
    beside: Codes | None = None

    @property
    def columns(self) -> list[Codes]:
        """Operands, answers, and what is beside them."""
        return [*self.operands, self.answers, *([] if self.beside is None else [self.beside])]

    @property
    def count(self) -> int:
        return int(self.answers.shape[0])


def read(path: Path | str) -> Capture:
    """The capture in a file.  Raises ValueError with file and line where it is none, OSError where it is not there."""
    path = Path(path)
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"{path}: {size} bytes; a capture has at most {LARGEST_FILE}")
    with _opened(path) as file:
        lines = _lines(file, path)
        number, first = next(lines, (1, b""))
        op, count, source, digest = _header(first, f"{path}:{number}")
        columns = capture_columns(op)
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
    codes = [codes_of(texts[c.name], c, lambda i: f"{path}:{numbers[i]}") for c in columns]
    if digest is not None and digest != sha256(codes):
        raise ValueError(f"{path}: the codes are not those of the header's sha256: is it damaged?")
    beside = codes.pop() if second_of(op) else None
    return Capture(op, tuple(codes[:-1]), codes[-1], source, str(path), beside)


def capture_columns(op: Operation) -> tuple[Column, ...]:
    """The columns of a capture: operands, the answer, and its status or amax."""
    second = second_of(op)
    return (*columns_of(op, ANSWER), *([] if second is None else [Column(*second)]))


def sha256(columns: Sequence[Codes]) -> str:
    """The digest of all codes, column by column, little-endian."""
    digest = hashlib.sha256()
    for codes in columns:
        digest.update(np.ascontiguousarray(codes).astype(codes.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def write(path: Path | str, capture: Capture, force: bool = True) -> None:
    """Write a capture, packed where the name ends with ``.gz``; the same capture gives the same bytes.

    Raises FileExistsError where there is one and ``force`` does not say that it may be replaced.
    """
    header = {
        "fp8ref": "capture",
        "schema": SCHEMA,
        "operation": capture.operation.id,
        "count": capture.count,
        "sha256": sha256(capture.columns),
        "source": dict(capture.source),
    }
    lines = prefix(capture_columns(capture.operation), capture.columns)
    text = json.dumps(header, sort_keys=True).encode() + b"\n"
    text += squeezed(np.concatenate([*lines, constant("}\n", capture.count)], axis=1))
    with atomically(Path(path), force) as file:
        file.write(gzip.compress(text, 6, mtime=0) if Path(path).suffix == ".gz" else text)


def header_of(path: Path | str) -> tuple[Operation, int, dict[str, str]]:
    """Operation, number of cases and source of a capture, from its first line.  Raises as :func:`read` does."""
    path = Path(path)
    with _opened(path) as file:
        return _header(next(_lines(file, path), (1, b""))[1], f"{path}:1")[:3]


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _lines(file: Any, path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank."""
    number, size, blank = 0, 0, 0
    while line := _line(file, path, number + 1):
        number, size = number + 1, size + len(line)
        if size > LARGEST_FILE:
            raise ValueError(f"{path}: unpacks to more than {LARGEST_FILE} bytes")
        if len(line) > LARGEST_LINE:
            raise ValueError(f"{path}:{number}: a line of more than {LARGEST_LINE} bytes")
        if line.strip():
            yield number, line
            continue
        blank += 1
        if blank > MOST_BLANK:
            raise ValueError(f"{path}:{number}: more than {MOST_BLANK} blank lines")


def _line(file: Any, path: Path, number: int) -> bytes:
    try:
        return file.readline(LARGEST_LINE + 1)  # type: ignore[no-any-return]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}:{number}: damaged: {error}") from None


def _header(line: bytes, where: str) -> tuple[Operation, int, dict[str, str], str | None]:
    header = json_object(line, where, WHAT)
    if header.get("fp8ref") != "capture":
        raise ValueError(f'{where}: not a capture: it begins with a header {{"fp8ref": "capture", ...}}')
    if header.get("schema") != SCHEMA:
        raise ValueError(f"{where}: schema {header.get('schema')!r:.40}; this version reads {SCHEMA}")
    count = header.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_CASES:
        raise ValueError(f"{where}: count is the number of cases, 0 to {MOST_CASES}, not {count!r:.40}")
    try:
        op = Operation.parse(str(header.get("operation")))
        op = with_length(op) if is_product(op) else op
        if op.family == "matmul":
            raise ValueError("a capture holds single cases: take dot/...")
        operand_types(op)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    source = header.get("source", {})
    if not isinstance(source, dict):
        raise ValueError(f"{where}: source is an object of texts, not {source!r:.40}")
    digest = header.get("sha256")
    return op, count, {str(k)[:40]: str(v)[:400] for k, v in sorted(source.items())}, digest and str(digest)
