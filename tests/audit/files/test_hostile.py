"""Files that strangers made wrong: one line with the place, exit code 4, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from audit.checkpoints import ct_channel, write_safetensors
from click.testing import CliRunner

from fp8ref.audit.files.folder import open_files
from fp8ref.audit.files.stored import BadFile
from fp8ref.cli.main import main

pytest.importorskip("safetensors")
ONE = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
HAS_GGUF = importlib.util.find_spec("gguf") is not None


def safetensors(path: Path, header: object, data: bytes = b"1234", length: int | None = None) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + data)


HEADERS = {
    "empty": (b"", b"", None),
    "no length": (b"", b"", 2**63),
    "gigabyte header": ({"a": ONE}, b"1234", 10**9),
    "header beyond the file": ({"a": ONE}, b"1234", 5000),
    "no JSON": (b"{]", b"", None),
    "no UTF-8": (b"\xff\xfe{}", b"", None),
    "a list": (b"[]", b"", None),
    "nested": (b'{"a":' * 3000 + b"1" + b"}" * 3000, b"", None),
    "gap": ({"a": {**ONE, "data_offsets": [1, 5]}}, b"12345", None),
    "overlap": ({"a": ONE, "b": {**ONE, "data_offsets": [2, 6]}}, b"123456", None),
    "beyond": ({"a": {**ONE, "data_offsets": [0, 400], "shape": [400]}}, b"1234", None),
    "backwards": ({"a": {**ONE, "data_offsets": [4, 0]}}, b"1234", None),
    "negative": ({"a": {**ONE, "shape": [-4]}}, b"1234", None),
    "wrong shape": ({"a": {**ONE, "shape": [5]}}, b"1234", None),
    "wrong dtype": ({"a": {**ONE, "dtype": "F99"}}, b"1234", None),
    "huge shape": ({"a": {**ONE, "shape": [2**40, 2**40]}}, b"1234", None),
    "name twice": (b'{"a":%b,"a":%b}' % ((json.dumps(ONE).encode(),) * 2), b"1234", None),
    "more bytes": ({"a": ONE}, b"12345", None),
    "axes": ({"a": {**ONE, "shape": [1] * 50 + [4]}}, b"1234", None),
    "no offsets": ({"a": {"dtype": "U8", "shape": [4]}}, b"1234", None),
}


def refused(path: Path) -> str:
    with pytest.raises(BadFile) as error:
        open_files(path)
    line = str(error.value)
    assert str(path.name) in line
    assert "\n" not in line
    assert len(line) < 800
    return line


@pytest.mark.parametrize("name", HEADERS)
def test_a_header(name: str, tmp_path: Path) -> None:
    header, data, length = HEADERS[name]
    path = tmp_path / "model.safetensors"
    safetensors(path, header, data, length)
    refused(path)


def test_the_command_says_one_line_and_exits_4(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[2J.safetensors"
    safetensors(path, {"a": ONE}, b"12")
    done = CliRunner().invoke(main, ["audit", str(path), "--json"])
    assert done.exit_code == 4
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    "shard", ["../x.safetensors", "/etc/passwd", "", "..", "a/b.safetensors", "x.bin", "none.safetensors"]
)
def test_an_index_stays_in_its_folder(shard: str, tmp_path: Path) -> None:
    write_safetensors(tmp_path.parent / "x.safetensors", {"a": np.zeros(4, np.uint8)})
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(BadFile):
        open_files(tmp_path)


def test_a_shard_that_lacks_what_the_index_says(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x.safetensors", {"a": np.zeros(4, np.uint8)})
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"a": "x.safetensors", "b": "x.safetensors"}}))
    assert "'b'" in refused(path)


def test_a_truncated_shard(tmp_path: Path) -> None:
    folder, _ = ct_channel().write(tmp_path / "m")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadFile, match=r"model\.safetensors"):
        open_files(folder)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", Path("/dev/zero"), tmp_path):
        with pytest.raises(BadFile):
            open_files(path)
    (tmp_path / "config.json").write_text("[" * 10**5)
    write_safetensors(tmp_path / "model.safetensors", {"a": np.zeros(4, np.uint8)})
    with pytest.raises(BadFile, match=r"config\.json"):
        open_files(tmp_path)


def gguf(fields: int = 0, tensors: int = 0, rest: bytes = b"", version: int = 3, magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, fields) + rest


def text(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


def tensor(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


GGUFS = {
    "magic": gguf(magic=b"GGML"),
    "version": gguf(version=99),
    "big endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "fields": gguf(fields=2**60),
    "tensors": gguf(tensors=2**60),
    "few fields": gguf(fields=5),
    "long name": gguf(fields=1, rest=struct.pack("<Q", 2**62)),
    "long string": gguf(fields=1, rest=text("a") + struct.pack("<IQ", 8, 2**62)),
    "long array": gguf(fields=1, rest=text("a") + struct.pack("<IIQ", 9, 8, 2**50)),
    "array of arrays": gguf(fields=1, rest=text("a") + struct.pack("<IIQIQIQIQ", 9, 9, 1, 9, 1, 9, 1, 9, 1)),
    "type": gguf(fields=1, rest=text("a") + struct.pack("<I", 77)),
    "field twice": gguf(fields=2, rest=(text("a") + struct.pack("<IB", 0, 1)) * 2),
    "alignment": gguf(fields=1, rest=text("general.alignment") + struct.pack("<II", 4, 0)),
    "axes": gguf(tensors=1, rest=tensor("a", (1,) * 40)),
    "tensor type": gguf(tensors=1, rest=tensor("a", (4,), 999) + bytes(200)),
    "tensor beyond": gguf(tensors=1, rest=tensor("a", (2**40,)) + bytes(200)),
    "tensor twice": gguf(tensors=2, rest=tensor("a", (4,)) + tensor("a", (4,), 0, 32) + bytes(200)),
    "overlap": gguf(tensors=2, rest=tensor("a", (16,)) + tensor("b", (4,), 0, 32) + bytes(300)),
    "half a block": gguf(tensors=1, rest=tensor("a", (33,), 39) + bytes(200)),
    "no UTF-8": gguf(fields=1, rest=struct.pack("<Q", 2) + b"\xff\xfe" + struct.pack("<IB", 0, 1)),
}


@pytest.mark.skipif(not HAS_GGUF, reason="gguf is not installed")
@pytest.mark.parametrize("name", GGUFS)
def test_a_gguf(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(GGUFS[name])
    refused(path)


@pytest.mark.parametrize("name", ["x.npz", "x.onnx", "x.pt", "x.bin"])
def test_rubbish(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04" + bytes(range(256)) * 4)
    refused(path)


def test_an_npz_of_objects(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.array([{}], object))
    assert "objects" in refused(path)
