"""What every reader gives: tensors that lie in files, of which a part is read when it is asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from ...errors import Unreadable
from ...escapes import one_line

Array = NDArray[Any]

# kind of a stored tensor: the dtype of its units
KINDS: dict[str, Any] = {
    "f64": np.float64, "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16,
    "e4m3fn": np.uint8, "e5m2": np.uint8, "e4m3fnuz": np.uint8, "e5m2fnuz": np.uint8, "e8m0fnu": np.uint8,
    "e2m1fn": np.uint8, "u8": np.uint8, "i8": np.int8, "bool": np.uint8, "i16": np.int16, "u16": np.uint16,
    "i32": np.int32, "u32": np.uint32, "i64": np.int64, "u64": np.uint64,
}  # fmt: skip
FLOATS = ("f32", "bf16", "f16", "f64")
MOST_TENSORS = 1 << 21
MOST_AXES = 8


class BadFile(Unreadable):
    """A file that cannot be read: one line with the file and the place in it."""

    def __init__(self, path: Path | str, message: str) -> None:
        super().__init__(one_line(f"{path}: {message}"))


@dataclass(frozen=True, eq=False)
class Stored:
    """A tensor in a file.

    ``kind``: a name of :data:`KINDS`, or that of another type, which is counted and not read.  ``shape``: as stored.
    ``read(i, j)``: units i to j of the flattened tensor as an array of the kind's dtype (uint8 for codes).  ``place``:
    the file it lies in.  ``bytes``: how many it has.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    read: Callable[[int, int], Array] = field(repr=False)
    place: str = ""
    bytes: int = 0

    @property
    def size(self) -> int:
        """Units; 1 for a scalar."""
        return int(np.prod(self.shape, dtype=object)) if self.shape else 1

    @property
    def columns(self) -> int:
        return self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """All axes but the last, as one."""
        return self.size // self.columns if self.columns else 0

    def all(self) -> Array:
        """The whole tensor, in its shape."""
        return self.read(0, self.size).reshape(self.shape)

    def part(self, i: int, j: int) -> Array:
        """Rows i to j of the tensor as a matrix."""
        return self.read(i * self.columns, j * self.columns).reshape(j - i, self.columns)


@dataclass
class Files:
    """The tensors of a file or of a folder, by name, and what lies beside them.

    ``metadata``: texts of the file's own header.  ``config``: what a config beside it says of quantisation.
    ``told``: where that stands.  ``links``: for graphs, the scales of each tensor by name (see ``onnx.py``).
    """

    path: Path
    tensors: dict[str, Stored] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    told: str = ""
    form: str = ""
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[tuple[str, str, str]] = field(default_factory=list)  # kind, text, at
    sources: list[Path] = field(default_factory=list)  # the files that hold the tensors
    elsewhere: frozenset[str] = frozenset()  # names of tensors that an index beside the file places in other files

    def add(self, tensor: Stored) -> None:
        """Raises BadFile where the name is taken or the tensors are too many."""
        other = self.tensors.get(tensor.name)
        if other is not None:
            raise BadFile(self.path, f"tensor {tensor.name!r} stands twice: in {other.place} and in {tensor.place}")
        if len(self.tensors) >= MOST_TENSORS:
            raise BadFile(self.path, f"more than {MOST_TENSORS} tensors")
        self.tensors[tensor.name] = tensor

    @property
    def bytes(self) -> int:
        return sum(t.bytes for t in self.tensors.values())


def of_array(name: str, x: Array, place: str, kind: str = "") -> Stored:
    """A tensor that is in memory."""
    flat = np.ascontiguousarray(x).reshape(-1)
    kind = kind or kind_of(flat.dtype)
    units = flat.view(KINDS[kind]) if kind in KINDS and flat.dtype.itemsize == np.dtype(KINDS[kind]).itemsize else flat
    return Stored(name, kind, tuple(x.shape), lambda i, j: units[i:j], place, flat.nbytes)


@dataclass(frozen=True)
class Span:
    """``size`` bytes of a file from ``start`` on: read when they are asked for, and kept by nobody.

    A map into memory would count as resident for as long as it stands.
    """

    path: Path
    start: int
    size: int

    def read(self, i: int, j: int) -> NDArray[np.uint8]:
        """Bytes i to j.  Raises BadFile where the file ends before, or is not there any more."""
        out = np.empty(max(min(j, self.size) - i, 0), np.uint8)
        view, at = out.data, 0
        try:
            with open(self.path, "rb", buffering=0) as file:
                file.seek(self.start + i)
                while at < out.size and (n := file.readinto(view[at:])):
                    at += n
        except OSError as error:
            raise BadFile(self.path, f"it cannot be read: {error}") from None
        if at < out.size:
            raise BadFile(self.path, f"byte {self.start + i + at} is not there any more: the file became shorter")
        return out


@dataclass(frozen=True, eq=False)
class Held:
    """Bytes that a file's reader has in memory, as a :class:`Span`."""

    bytes: Array

    @property
    def size(self) -> int:
        return int(self.bytes.size)

    def read(self, i: int, j: int) -> NDArray[np.uint8]:
        return np.array(self.bytes[i:j], np.uint8)


def of_file(name: str, kind: str, shape: tuple[int, ...], span: Span | Held, place: str) -> Stored:
    """A tensor in bytes of a file.  ``span``: exactly its bytes."""
    dtype = np.dtype(KINDS[kind]) if kind in KINDS else None
    if dtype is None:
        return Stored(name, kind, shape, _unknown(name, kind), place, span.size)
    little = dtype.newbyteorder("<") if dtype.kind in "fiu" and dtype.itemsize > 1 else dtype

    def read(i: int, j: int) -> Array:
        return span.read(i * little.itemsize, j * little.itemsize).view(little)

    return Stored(name, kind, shape, read, place, span.size)


def _unknown(name: str, kind: str) -> Callable[[int, int], Array]:
    def read(i: int, j: int) -> Array:
        raise BadFile(name, f"tensors of {kind} are not read")

    return read


DTYPE_NAMES = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "float8_e4m3fn": "e4m3fn",
    "float8_e5m2": "e5m2", "float8_e4m3fnuz": "e4m3fnuz", "float8_e5m2fnuz": "e5m2fnuz",
    "float8_e8m0fnu": "e8m0fnu", "uint8": "u8", "int8": "i8", "bool": "bool", "int16": "i16", "uint16": "u16",
    "int32": "i32", "uint32": "u32", "int64": "i64", "uint64": "u64",
}  # fmt: skip


def kind_of(dtype: np.dtype[Any]) -> str:
    return DTYPE_NAMES.get(dtype.name, dtype.name)


def regular(path: Path) -> int:
    """The size of a plain file.  Raises BadFile where it is none, without opening it."""
    try:
        about = os.stat(path)
    except FileNotFoundError:
        raise BadFile(path, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise BadFile(path, f"it cannot be read: {error}") from None
    if not stat.S_ISREG(about.st_mode):
        raise BadFile(path, "it is no plain file")
    return about.st_size


def mapped(path: Path) -> Array:
    """A file's bytes, mapped into memory and read when touched."""
    if not regular(path):
        raise BadFile(path, "it is empty")
    try:
        return np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise BadFile(path, f"it cannot be read: {error}") from None


def chunks(rows: int, columns: int, multiple: int = 1, units: int = 1 << 20) -> Iterator[tuple[int, int]]:
    """Ranges of rows of about ``units`` units, each but the last a multiple of ``multiple`` rows."""
    step = max(units // max(columns, 1) // multiple, 1) * multiple
    for i in range(0, rows, step):
        yield i, min(i + step, rows)
