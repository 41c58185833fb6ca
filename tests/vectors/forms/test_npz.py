"""numpy archives: what is written is read, nothing is unpickled, and every other archive is refused in one line."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from vectors.forms.tabular import CONVERSION, OPERATIONS, comes_back, empty_comes_back, made, read, written

from fp8ref.vectors.source import Unreadable


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_written_is_read(tmp_path: Path, operation: str) -> None:
    comes_back("npz", tmp_path / "v.npz", operation)


def test_a_section_without_cases(tmp_path: Path) -> None:
    empty_comes_back("npz", tmp_path / "v.npz")


def test_numpy_alone_reads_it(tmp_path: Path) -> None:
    written("npz", tmp_path / "v.npz", CONVERSION)
    _, block = made(CONVERSION)
    with np.load(tmp_path / "v.npz", allow_pickle=False) as archive:
        assert sorted(archive) == ["a", "header", "x", "z"]
        np.testing.assert_array_equal(archive["z"], block.result)
        header = json.loads(str(archive["header"]))
    assert (header["operation"], header["count"]) == ("convert/f32/e4m3fn/rne.sat;flags=1", 300)


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = (written("npz", tmp_path / name, CONVERSION)[0].read_bytes() for name in ("a.npz", "b.npz"))
    assert first == second


def members(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return dict(archive)


def refused(path: Path, message: str) -> None:
    with pytest.raises(Unreadable, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return written("npz", tmp_path / "v.npz", CONVERSION)[0]


def test_damaged_and_foreign_files(archive: Path) -> None:
    whole = archive.read_bytes()
    for content in (b"", b"PK\3\4", whole[: len(whole) // 2], b"\x93NUMPY", whole[:400] + b"\0" * 40 + whole[440:]):
        archive.write_bytes(content)
        refused(archive, r"no numpy archive|not JSON|no array of numpy|hash")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m | {"z": m["z"].astype(np.uint16)}, r"field z: uint16 \(300,\); wanted is uint8 \(300,\)"),
        (lambda m: m | {"z": m["z"][:299]}, r"field z: uint8 \(299,\); wanted is uint8 \(300,\)"),
        (lambda m: m | {"a": m["a"].astype(">u4")}, r"field a: >u4 .*; wanted is uint32"),
        (lambda m: m | {"z": m["z"].astype(object)}, r"field z: object"),
        (lambda m: m | {"z": m["z"] ^ np.eye(1, 300, 77, dtype=np.uint8)[0]}, "the arrays hash to"),
        (lambda m: m | {"extra": m["z"]}, "holds .*extra.*; wanted are header, a, z, x"),
        (lambda m: {k: v for k, v in m.items() if k != "x"}, "holds .*; wanted are header, a, z, x"),
        (lambda m: {k: v for k, v in m.items() if k != "header"}, "field header: the archive has no such array"),
        (lambda m: m | {"header": np.array("{")}, "field header: not JSON"),
        (lambda m: m | {"header": np.array(3)}, "field header: the header is text, not int64"),
        (lambda m: m | {"header": np.array(str(m["header"]).replace("rne.sat", "rne.sad"))}, "field header: unknown"),
        (lambda m: m | {"header": np.array(str(m["header"]).replace(":300,", ":999999999999,"))}, "more than"),
    ],
)
def test_an_archive_of_other_arrays(archive: Path, change: object, message: str) -> None:
    changed = change(members(archive))  # type: ignore[operator]
    np.savez(archive, **changed)
    refused(archive, message)


def test_a_bomb_and_an_escape_are_not_unpacked(archive: Path) -> None:
    found = members(archive)
    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(raw, {"descr": "|u1", "fortran_order": False, "shape": (300,)})
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name in ("header", "a", "x"):
            with out.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, found[name])
        out.writestr("z.npy", raw.getvalue() + bytes(1 << 26))
    refused(archive, "field z: 301 bytes of data where 300 are announced")
    with zipfile.ZipFile(archive, "a") as out:
        out.writestr("../../escape.npy", b"")
    refused(archive, "escape.npy")
