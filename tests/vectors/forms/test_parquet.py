"""Parquet files: what is written is read, by pyarrow alone too, and every other file is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vectors.forms.tabular import CONVERSION, OPERATIONS, comes_back, empty_comes_back, made, read, written

from fp8ref.vectors.source import Unreadable

pa: Any = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'fp8ref[parquet]'")
pq: Any = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_written_is_read(tmp_path: Path, operation: str) -> None:
    comes_back("parquet", tmp_path / "v.parquet", operation)


def test_a_section_without_cases(tmp_path: Path) -> None:
    empty_comes_back("parquet", tmp_path / "v.parquet")


def test_pyarrow_alone_reads_it(tmp_path: Path) -> None:
    (path,) = written("parquet", tmp_path / "v.parquet", CONVERSION)
    table = pq.read_table(path)
    assert table.column_names == ["a", "z", "x"]
    np.testing.assert_array_equal(table["z"].to_numpy(), made(CONVERSION)[1].result)


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def refused(path: Path, message: str) -> None:
    with pytest.raises(Unreadable, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def _with(table: Any, name: str, values: Any) -> Any:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.slice(0, 299), "300 cases are announced, 299 are there"),
        (lambda t: t.drop_columns(["x"]), "columns a, z; wanted are a, z, x"),
        (lambda t: _with(t, "z", t["z"].to_numpy().astype(np.uint16)), "field z: uint16, not uint8"),
        (lambda t: _with(t, "z", [None, *t["z"].to_pylist()[1:]]), "field z: (a value is missing|int64, not uint8)"),
        (lambda t: _with(t, "z", pa.array([None, *t["z"].to_pylist()[1:]], pa.uint8())), "field z: a value is missing"),
        (lambda t: _with(t, "z", t["z"].to_numpy()[::-1].copy()), "the arrays hash to"),
        (lambda t: t.replace_schema_metadata({}), "field header: the file has no metadata 'fp8ref'"),
        (lambda t: t.replace_schema_metadata({"fp8ref": "[]"}), "field header: a header is a JSON object"),
    ],
)
def test_a_file_of_other_columns(tmp_path: Path, change: Callable[[Any], Any], message: str) -> None:
    (path,) = written("parquet", tmp_path / "v.parquet", CONVERSION)
    changed(path, change)
    refused(path, message)


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    (path,) = written("parquet", tmp_path / "v.parquet", CONVERSION)
    whole = path.read_bytes()
    for content in (b"", b"PAR1", whole[: len(whole) // 2], whole[:-20]):
        path.write_bytes(content)
        refused(path, "no Parquet file, or a damaged one")
