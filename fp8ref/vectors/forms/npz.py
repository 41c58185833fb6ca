"""numpy archives without pickle: arrays ``a``, ``b``, ... ``z`` and the status ``x``, and the section's header as text.

``numpy.load(path)["z"]`` are the results, ``json.loads(str(numpy.load(path)["header"]))`` is the header.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...outputs import together
from ..source import Found, Source, Unreadable
from .registry import Sections
from .tables import (
    LONGEST_HEADER,
    MOST_BYTES,
    announced,
    expected_shape,
    found_of,
    gathered,
    header_text,
    numbered,
    table_columns,
)


def write(sections: Sections, path: Path, force: bool = False) -> list[Path]:
    """One archive for each section; returns them.  Raises FileExistsError unless ``force``."""
    written = []
    with together(force) as files:
        for file, section, blocks in numbered(path, sections):
            section, table = gathered(section, blocks)
            with files.file(file) as out:
                members: dict[str, Any] = {"header": np.array(header_text(section, table)), **table}
                np.savez_compressed(out, **members)
            written.append(file)
    return written


def read(source: Source) -> Iterator[Found]:
    """The cases of an archive.  Raises Unreadable for anything else, and for arrays of another dtype or shape."""
    raw = source.whole(MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            yield _found(archive, source.name, len(raw))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise Unreadable(f"{source.name}: no numpy archive, or a damaged one: {error}") from None


def _found(archive: zipfile.ZipFile, name: str, packed: int) -> Found:
    text = _array(archive, name, "header", None, ())
    section, sha256 = announced(str(text), f"{name}: field header", packed)
    wanted = ["header", *(column.name for column in table_columns(section))]
    stray = [member for member in archive.namelist() if member.removesuffix(".npy") not in wanted]
    if stray or len(archive.namelist()) != len(wanted):
        raise Unreadable(f"{name}: holds {', '.join(archive.namelist())[:80]}; wanted are {', '.join(wanted)}")
    table = {
        column.name: _array(archive, name, column.name, column.dtype.newbyteorder("<"), expected_shape(section, column))
        for column in table_columns(section)
    }
    return found_of(section, sha256, table, name)


def _array(
    archive: zipfile.ZipFile, name: str, field: str, dtype: np.dtype[Any] | None, shape: tuple[int, ...]
) -> NDArray[Any]:
    """One array, by its own header first, so that nothing larger than announced is unpacked."""
    where = f"{name}: field {field}"
    try:
        info = archive.getinfo(f"{field}.npy")
    except KeyError:
        raise Unreadable(f"{where}: the archive has no such array") from None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreadable(f"{where}: packed by method {info.compress_type}; arrays of numpy are stored or deflated")
    with archive.open(info) as file:
        try:
            found_shape, fortran, found_dtype = _npy_header(file)
        except (ValueError, TypeError, SyntaxError, RecursionError, tokenize.TokenError) as error:
            raise Unreadable(f"{where}: no array of numpy: {error}") from None
        if dtype is None:
            if found_dtype.kind != "U" or found_dtype.itemsize > 4 * LONGEST_HEADER:
                raise Unreadable(f"{where}: the header is text, not {found_dtype}")
            dtype = found_dtype
        if found_dtype != dtype or found_shape != shape or (fortran and len(shape) > 1):
            raise Unreadable(f"{where}: {found_dtype} {found_shape}; wanted is {dtype} {shape}")
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        data = file.read(size + 1)
    if len(data) != size:
        raise Unreadable(f"{where}: {len(data)} bytes of data where {size} are announced")
    return np.frombuffer(data, dtype).reshape(shape)


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version == (2, 0):
        return npy.read_array_header_2_0(file)
    raise ValueError(f"npy version {version[0]}.{version[1]}")
