"""GGUF: the header is walked within bounds first, then the gguf package says where the tensors lie."""

from __future__ import annotations

import importlib
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

from ...extras import install
from .stored import MOST_AXES, MOST_TENSORS, BadFile, Files, Span, Stored, mapped, of_file

# types of values in the header: bytes of each (GGUF specification, gguf_metadata_value_type)
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9
PLAIN = {"F32": "f32", "F16": "f16", "BF16": "bf16", "F64": "f64", "I8": "i8", "I16": "i16", "I32": "i32", "I64": "i64"}
MOST_FIELDS, LONGEST_NAME = 1 << 16, 1 << 16


class _Walk:
    """Reads within a file: whatever would go beyond its end is refused, with the place."""

    def __init__(self, path: Path, data: Any) -> None:
        self.path, self.data, self.at = path, data, 0

    def take(self, n: int, what: str) -> bytes:
        if n > self.data.size - self.at:
            raise BadFile(
                self.path, f"byte {self.at}: {what} takes {n} bytes, of which {self.data.size - self.at} are there"
            )
        found: bytes = self.data[self.at : self.at + n].tobytes()
        self.at += n
        return found

    def number(self, what: str, form: str = "<Q") -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form), what))[0])

    def skip(self, n: int, what: str) -> None:
        if n > self.data.size - self.at:
            raise BadFile(
                self.path, f"byte {self.at}: {what} takes {n} bytes, of which {self.data.size - self.at} are there"
            )
        self.at += n

    def text(self, what: str) -> str:
        at = self.at
        n = self.number(f"the length of {what}")
        if n > LONGEST_NAME:
            raise BadFile(self.path, f"byte {at}: {what} of {n} bytes; at most {LONGEST_NAME} are read")
        try:
            return self.take(n, what).decode("utf-8")
        except UnicodeDecodeError:
            raise BadFile(self.path, f"byte {at}: {what} is no UTF-8") from None

    def value(self, kind: int, what: str, depth: int = 0) -> None:
        at = self.at
        if kind in SIZES:
            self.skip(SIZES[kind], what)
        elif kind == STRING:
            self.skip(self.number(f"the length of {what}"), what)
        elif kind == ARRAY and depth < 4:
            inner, count = self.number(what, "<I"), self.number(what)
            if inner in SIZES:
                self.skip(SIZES[inner] * count, what)
                return
            if inner not in (STRING, ARRAY) or count > self.data.size:
                raise BadFile(self.path, f"byte {at}: {what}: an array of {count} values of type {inner}")
            for _ in range(count):
                self.value(inner, what, depth + 1)
        else:
            raise BadFile(self.path, f"byte {at}: {what} has the type {kind}, which does not exist")


def read_gguf(path: Path, files: Files) -> None:
    """Add the tensors of a file.  Raises BadFile with the byte of what is wrong."""
    data = mapped(path)
    names = _checked(path, data)
    try:
        gguf: Any = importlib.import_module("gguf")
    except ImportError:
        raise BadFile(path, f"gguf is not installed: {install('models')}") from None
    try:
        found = gguf.GGUFReader(str(path))
        tensors = found.tensors
    except Exception as error:  # its own checks end in errors of numpy
        raise BadFile(path, f"gguf does not read it: {one_error(error)}") from None
    if len(tensors) != len(names):
        raise BadFile(path, f"{len(names)} tensors are announced, and gguf finds {len(tensors)}")
    for name, field in found.fields.items():
        if name in ("general.architecture", "general.quantized_by", "general.file_type", "general.name"):
            value = field.contents()
            files.metadata[name] = str(value)
    for tensor in tensors:
        files.add(_tensor(path, tensor))


def one_error(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _tensor(path: Path, tensor: Any) -> Stored:
    kind = tensor.tensor_type.name
    shape = tuple(int(n) for n in tensor.shape[::-1])
    span = Span(path, int(tensor.data_offset), int(tensor.n_bytes))
    if kind in PLAIN:
        return of_file(tensor.name, PLAIN[kind], shape, span, path.name)
    rows = 1
    for n in shape[:-1]:
        rows *= n
    per = span.size // max(rows, 1)
    return Stored(tensor.name, f"gguf.{kind.lower()}", (*shape[:-1], per), span.read, path.name, span.size)


def _checked(path: Path, data: Any) -> list[str]:
    """The names of the tensors, after every length of the header was held against the file."""
    walk = _Walk(path, data)
    if walk.take(4, "the magic") != b"GGUF":
        raise BadFile(path, "bytes 0 to 3: no GGUF file")
    version = walk.number("the version", "<I")
    if version not in (2, 3):
        raise BadFile(path, f"bytes 4 to 7: version {version}; versions 2 and 3, little endian, are read")
    tensors, fields = walk.number("the number of tensors"), walk.number("the number of fields")
    if tensors > MOST_TENSORS or fields > MOST_FIELDS:
        raise BadFile(
            path, f"bytes 8 to 23: {tensors} tensors and {fields} fields; at most {MOST_TENSORS} and {MOST_FIELDS}"
        )
    alignment = 32
    seen = set()
    for _ in range(fields):
        name = walk.text("the name of a field")
        if name in seen:
            raise BadFile(path, f"byte {walk.at}: field {name!r:.80} stands twice")
        seen.add(name)
        kind = walk.number(f"the type of {name!r:.80}", "<I")
        at = walk.at
        walk.value(kind, f"field {name!r:.80}")
        if name == "general.alignment":
            if kind != 4:
                raise BadFile(path, f"byte {at}: general.alignment has the type {kind}, not 4")
            alignment = int(data[at : at + 4].view("<u4")[0])
            if alignment not in (1 << i for i in range(21)):
                raise BadFile(path, f"byte {at}: an alignment of {alignment} is no power of two up to 2^20")
    table = []
    for _ in range(tensors):
        at = walk.at
        name = walk.text("the name of a tensor")
        axes = walk.number(f"the axes of {name!r:.80}", "<I")
        if not axes <= MOST_AXES:
            raise BadFile(path, f"byte {at}: tensor {name!r:.80} has {axes} axes; at most {MOST_AXES} are read")
        size = 1
        for _ in range(axes):
            size *= walk.number(f"the shape of {name!r:.80}")
        kind, offset = walk.number(f"the type of {name!r:.80}", "<I"), walk.number(f"the offset of {name!r:.80}")
        table.append((at, name, size, kind, offset))
    _spans(path, table, -(-walk.at // alignment) * alignment, data.size)
    return [row[1] for row in table]


def _spans(path: Path, table: list[tuple[int, str, int, int, int]], start: int, end: int) -> None:
    """Do the tensors lie in the file, each in a place of its own?"""
    sizes: Any = {}
    try:
        constants = importlib.import_module("gguf.constants")
        sizes = {int(kind): pair for kind, pair in constants.GGML_QUANT_SIZES.items()}
    except ImportError:
        raise BadFile(path, f"gguf is not installed: {install('models')}") from None
    spans = []
    names = set()
    for at, name, size, kind, offset in table:
        if name in names:
            raise BadFile(path, f"byte {at}: tensor {name!r:.80} stands twice")
        names.add(name)
        if kind not in sizes:
            raise BadFile(path, f"byte {at}: tensor {name!r:.80} has the type {kind}, which gguf does not know")
        per, width = sizes[kind]
        if size % per:
            raise BadFile(path, f"byte {at}: tensor {name!r:.80}: {size} elements are no whole blocks of {per}")
        length = size // per * width
        if start + offset + length > end:
            raise BadFile(path, f"byte {at}: tensor {name!r:.80} ends at byte {start + offset + length} of {end}")
        spans.append((offset, offset + length, at, name))
    spans.sort()
    for (_, stop, _, before), (begin, _, at, name) in pairwise(spans):
        if begin < stop:
            raise BadFile(path, f"byte {at}: tensors {before!r:.80} and {name!r:.80} overlap")
