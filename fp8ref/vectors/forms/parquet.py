"""Parquet columns ``a``, ``b``, ... ``z`` and the status ``x``; the section's header under the key ``fp8ref``.

Needs pyarrow, the extra ``parquet``.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...extras import install
from ...outputs import together
from ..section import Column
from ..source import Found, Source, Unreadable
from .registry import Sections
from .tables import MOST_BYTES, announced, expected_shape, found_of, gathered, header_text, numbered, table_columns

KEY = b"fp8ref"


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ValueError(f"parquet needs pyarrow: {install('parquet')}") from None
    return pyarrow, pyarrow.parquet


def _type(pa: Any, column: Column) -> Any:
    element = pa.from_numpy_dtype(column.dtype)
    return element if column.stored == () else pa.list_(element, math.prod(column.stored))


def write(sections: Sections, path: Path, force: bool = False) -> list[Path]:
    """One file for each section; returns them.  Raises FileExistsError unless ``force``, ValueError without pyarrow."""
    pa, pq = _pyarrow()
    written = []
    with together(force) as files:
        for file, section, blocks in numbered(path, sections):
            section, table = gathered(section, blocks)
            columns = table_columns(section)
            stored = []
            for c in columns:
                flat = pa.array(table[c.name].reshape(-1))
                stored.append(flat if c.stored == () else pa.FixedSizeListArray.from_arrays(flat, math.prod(c.stored)))
            fields = [pa.field(c.name, _type(pa, c), nullable=False) for c in columns]
            schema = pa.schema(fields, metadata={KEY: header_text(section, table)})
            with files.file(file) as out:
                pq.write_table(pa.Table.from_arrays(stored, schema=schema), out, compression="zstd")
            written.append(file)
    return written


def read(source: Source) -> Iterator[Found]:
    """The cases of a file.  Raises Unreadable for anything else, and for columns of another type or length."""
    pa, pq = _pyarrow()
    name = source.name
    raw = source.whole(MOST_BYTES)
    try:
        file = pq.ParquetFile(io.BytesIO(raw))
        text = (file.schema_arrow.metadata or {}).get(KEY)
        if text is None:
            raise Unreadable(f"{name}: field header: the file has no metadata {KEY.decode()!r}")
        section, sha256 = announced(text.decode(errors="replace"), f"{name}: field header", len(raw))
        columns = table_columns(section)
        if file.schema_arrow.names != [c.name for c in columns]:
            raise Unreadable(f"{name}: columns {', '.join(file.schema_arrow.names)[:80]}; wanted are "
                             f"{', '.join(c.name for c in columns)}")  # fmt: skip
        for c in columns:
            if file.schema_arrow.field(c.name).type != _type(pa, c):
                raise Unreadable(f"{name}: field {c.name}: {file.schema_arrow.field(c.name).type}, not {_type(pa, c)}")
        if file.metadata.num_rows != section.count:
            raise Unreadable(f"{name}: {section.count} cases are announced, {file.metadata.num_rows} are there")
        table = file.read()
        found = {c.name: _values(table.column(c.name), c, expected_shape(section, c), name) for c in columns}
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise Unreadable(f"{name}: no Parquet file, or a damaged one: {reason}") from None
    yield found_of(section, sha256, found, name)


def _values(column: Any, c: Column, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    if column.null_count:
        raise Unreadable(f"{name}: field {c.name}: a value is missing")
    flat = column.combine_chunks()
    if c.stored != ():
        flat = flat.flatten()
    found: NDArray[Any] = np.asarray(flat).astype(c.dtype.newbyteorder("<"), copy=False)
    if found.size != int(np.prod(shape, dtype=np.int64)):
        raise Unreadable(f"{name}: field {c.name}: {found.size} values where {shape} are announced")
    return found.reshape(shape)
