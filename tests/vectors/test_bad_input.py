"""Files that are no vectors, or damaged ones: one line with the place, exit 4, and never a partial success."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from vectors.running import ROOT, fp8ref

from fp8ref.vectors import source
from fp8ref.vectors.forms.jsonl import stream
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.generate import Recipe
from fp8ref.vectors.manifest import Planned, build, sections

Fd = pytest.CaptureFixture[bytes]
JSONL = get_form("jsonl")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One small file of each form."""
    found = {}
    for name in ("jsonl", "testfloat"):
        out = io.BytesIO()
        get_form(name).writer(
            sections([Recipe.of("e4m3fn_add", n=40), Recipe.of("f32_to_e5m2", n=30)], get_form(name)), out
        )
        found[name] = out.getvalue()
    piped = io.BytesIO()
    stream(sections([Recipe.of("e4m3fn_add", n=40)], JSONL), piped)
    found["stream"] = piped.getvalue()
    return found


def swap(data: bytes, i: int, j: int) -> bytes:
    lines = data.splitlines(keepends=True)
    lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def line(data: bytes, i: int, change: Callable[[bytes], bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    lines[i] = change(lines[i])
    return b"".join(lines)


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "empty": ("jsonl", lambda d: b"", ":1: an empty file"),
    "torn line": ("jsonl", lambda d: d[:-20], ":72: the last line has no end"),
    "lost tail": ("jsonl", lambda d: b"".join(d.splitlines(True)[:-3]), "30 cases are announced, 27 are there"),
    "lost line": ("jsonl", lambda d: line(d, 5, lambda _: b""), "40 cases are announced, 39 are there"),
    "repeated": ("jsonl", lambda d: line(d, 5, lambda x: x + x), ":42: the header announces 40 cases, and here is one"),
    "moved": ("jsonl", lambda d: swap(d, 3, 4), ":1: the 40 case lines after this header hash to"),
    "hash": ("jsonl", lambda d: line(d, 0, lambda x: x.replace(b'"sha256":"', b'"sha256":"0')[:-3] + b'"}\n'), ":1:"),
    "huge line": ("jsonl", lambda d: line(d, 3, lambda x: b"0" * (source.LONGEST_LINE + 9) + b"\n"), ":4:"),
    "huge end": ("jsonl", lambda d: d + b"0" * (3 << 20), "a line of more than"),
    "version": ("jsonl", lambda d: d.replace(b'"version":"1.', b'"version":"2.', 1), ":1: version '2."),
    "schema": ("jsonl", lambda d: d.replace(b"vectors/1", b"vectors/7", 1), "this version reads fp8ref/vectors/1"),
    "no header": ("jsonl", lambda d: line(d, 0, lambda _: b""), ":1: vectors begin with a header"),
    "bytes": ("jsonl", lambda d: line(d, 7, lambda x: b"\xff\xfe" + x), ":8: byte 0xff is not ASCII"),
    "utf-8": ("jsonl", lambda d: line(d, 7, lambda x: x.replace(b'"a"', '"ä"'.encode())), ":8: byte 0xc3"),
    "crlf": ("jsonl", lambda d: d.replace(b"\n", b"\r\n"), ":1: a carriage return"),
    "digits": ("jsonl", lambda d: line(d, 9, lambda x: x.replace(b'"a":"0', b'"a":"G')), ":10: a is 1 element(s) of 2"),
    "key": ("jsonl", lambda d: line(d, 9, lambda x: x.replace(b'"b"', b'"q"')), ":10: a case has no 'q'"),
    "nesting": ("jsonl", lambda d: line(d, 9, lambda x: b"[" * 90000 + b"\n"), ":10: not a line of vectors"),
    "operation": ("jsonl", lambda d: d.replace(b"add/e4m3fn", b"add/e9m9", 1), ":1: e9m9: "),
    "count": ("jsonl", lambda d: d.replace(b'"count":40', b'"count":-4', 1), ":1: count is the number"),
    "no end": ("stream", lambda d: b"".join(d.splitlines(True)[:-1]), "no end line"),
    "end count": ("stream", lambda d: d.replace(b'"count":40', b'"count":41'), ":42: 41 cases are announced, 40"),
    "fpv torn": ("testfloat", lambda d: d[:-3], "the last line has no end"),
    "fpv lost": ("testfloat", lambda d: line(d, 4, lambda _: b""), ":5: not the case that the header's recipe"),
    "fpv no end": ("testfloat", lambda d: b"".join(d.splitlines(True)[:-1]), "no '@ end' after 30 cases"),
    "fpv headless": ("testfloat", lambda d: line(d, 0, lambda _: b""), ":1: a case without an '@' header"),
    "fpv short": ("testfloat", lambda d: line(d, 4, lambda x: x[1:]), ":5: not a case of e4m3fn_add"),
    "fpv word": ("testfloat", lambda d: line(d, 4, lambda x: x.replace(b" ", b"_", 1)), ":5: not a case of e4m3fn_add"),
    "fpv crlf": ("testfloat", lambda d: d.replace(b"\n", b"\r\n"), ":1: a carriage return"),
    "fpv version": ("testfloat", lambda d: d.replace(b"fp8ref=1", b"fp8ref=9"), ":1: version '9"),
    "fpv key": ("testfloat", lambda d: d.replace(b"rm=RNE", b"rm RNE"), ":1: 'rm' is not key=value"),
    "fpv function": ("testfloat", lambda d: d.replace(b"@ e4m3fn_add", b"@ e4m3fn_mul"), ":1: op=add"),
    "fpv empty": ("testfloat", lambda d: b"", ":1: no header and no case"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_reported_with_its_place(name: str, good: dict[str, bytes], tmp_path: Path, capfdbinary: Fd) -> None:
    form, change, said = DAMAGE[name]
    path = tmp_path / ("x.fpv" if form == "testfloat" else "x.jsonl")
    path.write_bytes(good[form])
    assert fp8ref(capfdbinary, "vectors", "verify", path)[0] == 0
    path.write_bytes(change(good[form]))
    assert path.read_bytes() != good[form]
    for args in (["verify", path], ["export", path, "--as", "testfloat", "-o", tmp_path / "out.fpv"]):
        code, out, err = fp8ref(capfdbinary, "vectors", *args)
        assert code == 4, (out, err)
        assert b"conforms:" not in out
        assert err.startswith(f"Error: {path}:")
        assert err.count("\n") == 1
        assert said in err
        assert len(err) < 700
    assert not (tmp_path / "out.fpv").exists()


def test_a_packed_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Fd) -> None:
    for name, content in (("zeros", b"\0" * (1 << 24)), ("lines", b'{"a":"00"}\n' * (1 << 20))):
        path = tmp_path / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(content, 9))
        code, _, err = fp8ref(capfdbinary, "vectors", "verify", path)
        assert (code, err.count("\n")) == (4, 1)
    lines = gzip.compress(b"@ e4m3fn_add rm=RNE\n" + b"00 00 00 00\n" * 200000, 9)
    (tmp_path / "b.fpv.gz").write_bytes(lines)
    monkeypatch.setattr(source.open_source, "__defaults__", (None, 1 << 20))
    code, _, err = fp8ref(capfdbinary, "vectors", "verify", tmp_path / "b.fpv.gz")
    assert code == 4
    assert "unpacks to more than 1048576 bytes" in err


@pytest.mark.parametrize("cut", [1, 100, 1000])
def test_a_torn_or_damaged_gz_is_refused(cut: int, good: dict[str, bytes], tmp_path: Path, capfdbinary: Fd) -> None:
    data = gzip.compress(good["jsonl"])
    for damaged in (
        data[:-cut],
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :],
    ):
        path = tmp_path / "x.jsonl.gz"
        path.write_bytes(damaged)
        code, out, err = fp8ref(capfdbinary, "vectors", "verify", path)
        assert code == 4
        assert b"conforms" not in out  # wrong answers are shown as they come, and the sum at the end is then the fault
        assert err.startswith(f"Error: {path}:")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("form", "change", "said"),
    [
        ("jsonl", lambda d: line(d, 9, lambda x: x.replace(b'"z":"0', b'"z":"1')), ":10: result is 1"),
        ("jsonl", lambda d: line(d, 9, lambda x: x.replace(b'"x":"0', b'"x":"1')), ":10: flags is 1"),
        ("jsonl", lambda d: line(d, 9, lambda x: x.replace(b"classes=+", b"classes=-")), ":10: bins is classes=-"),
        ("testfloat", lambda d: line(d, 9, lambda x: x[:-3] + b"10\n"), ":10: flags is 10"),
        ("testfloat", lambda d: line(d, 9, lambda x: x[:6] + b"55" + x[8:]), ":10: result is 55"),
    ],
)
def test_a_wrong_answer_is_reported_with_line_and_field(
    form: str, change: Callable[[bytes], bytes], said: str, good: dict[str, bytes], tmp_path: Path, capfdbinary: Fd
) -> None:
    """A stranger's file, without a hash: exit 1."""
    path = tmp_path / ("x.fpv" if form == "testfloat" else "x.jsonl")
    data = change(good[form])
    assert data != good[form]
    lines = data.splitlines(True)
    if form == "jsonl":
        header = json.loads(lines[0])
        body = b"".join(lines[1:41])
        lines[0] = json.dumps({**header, "sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    code, out, _ = fp8ref(capfdbinary, "vectors", "verify", path)
    assert code == 1
    assert f"{path}{said}" in out.decode()
    assert b"does not conform: 1 of 70 cases differ" in out


# -- directories ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shipped")
    plan = [
        Planned("a/add.jsonl", "jsonl", (Recipe.of("e4m3fn_add", n=200), Recipe.of("f16_to_e5m2", n=200))),
        Planned("a/dot.jsonl.gz", "jsonl", (Recipe.of("dot/e4m3fn.e4m3fn/f32/exact;k=4", n=100),)),
        Planned("mul.fpv.gz", "testfloat", (Recipe.of("e5m2_mul", n=300),)),
    ]
    build(directory, plan)
    return directory


@pytest.fixture
def copy(shipped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped, tmp_path / "copy"))


def test_a_directory_is_made_again_bit_for_bit(copy: Path, capfdbinary: Fd) -> None:
    code, out, _ = fp8ref(capfdbinary, "vectors", "verify", copy)
    assert code == 0
    assert b"conforms: 800 cases of 4 operations, made again bit for bit" in out


@pytest.mark.parametrize("name", ["a/add.jsonl", "flags.json", "schema/case.schema.json", "MANIFEST.json"])
def test_a_flipped_bit_anywhere_is_found(name: str, copy: Path, capfdbinary: Fd) -> None:
    path = copy / name
    data = path.read_bytes()
    for at in range(3, len(data), max(1, len(data) // (14 if name == "a/add.jsonl" else 5))):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        path.write_bytes(flipped)
        code, out, err = fp8ref(capfdbinary, "vectors", "verify", copy)
        assert (code, out) == (4, b""), (at, err)
        assert str(path) in err
        assert err.count("\n") == 1
        if name == "a/add.jsonl":
            number = data.count(b"\n", 0, at) + 1
            assert f"{path}:{number}: " in err or flipped[at] == 10 or data[at] == 10
            assert "field" in err or "column" in err or "byte" in err or "carriage" in err or "end" in err


def test_a_flipped_bit_in_a_packed_file_is_found(copy: Path, capfdbinary: Fd) -> None:
    path = copy / "mul.fpv.gz"
    data = path.read_bytes()
    for at in [*range(10), *range(10, len(data), len(data) // 7), len(data) - 1]:
        flipped = bytearray(data)
        flipped[at] ^= 2
        path.write_bytes(flipped)
        code, _, err = fp8ref(capfdbinary, "vectors", "verify", copy)
        assert code == 4
        assert str(path) in err
        assert err.count("\n") == 1


def test_a_flipped_result_names_its_field(copy: Path, capfdbinary: Fd) -> None:
    path = copy / "mul.fpv.gz"
    text = gzip.decompress(path.read_bytes()).splitlines(True)
    text[100] = text[100][:6] + b"5A" + text[100][8:]
    path.write_bytes(gzip.compress(b"".join(text)))
    _, _, err = fp8ref(capfdbinary, "vectors", "verify", copy)
    assert f"{path}:101: field 3 is '5A', the recipe makes" in err


def resealed(copy: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((copy / "MANIFEST.json").read_text())
    change(manifest)
    manifest.pop("sha256")
    digest = hashlib.sha256(json.dumps(manifest, indent=1).encode()).hexdigest()
    (copy / "MANIFEST.json").write_text(json.dumps({**manifest, "sha256": digest}, indent=1) + "\n")


@pytest.mark.parametrize("name", ["../outside.jsonl", "/etc/passwd", "a/../../x", "a\\..\\x", "C:/x", "", "link/x"])
def test_names_that_leave_the_directory_are_refused(name: str, copy: Path, capfdbinary: Fd) -> None:
    (copy / "link").symlink_to("/etc")
    resealed(copy, lambda m: m["files"][0].update(name=name))  # type: ignore[index]
    code, _, err = fp8ref(capfdbinary, "vectors", "verify", copy)
    assert code == 4
    assert "leaves the directory" in err


def test_missing_files_and_other_versions_are_reported(copy: Path, capfdbinary: Fd) -> None:
    (copy / "mul.fpv.gz").unlink()
    code, _, err = fp8ref(capfdbinary, "vectors", "verify", copy)
    assert code == 4
    assert "mul.fpv.gz: the manifest lists it, and it is not there" in err
    resealed(copy, lambda m: m.update(version="2.0.0"))
    assert "vectors of version 2.0.0" in fp8ref(capfdbinary, "vectors", "verify", copy)[2]
    (copy / "MANIFEST.json").unlink()
    code, _, err = fp8ref(capfdbinary, "vectors", "verify", copy)
    assert code == 4
    assert "MANIFEST.json cannot be read" in err


def test_the_shipped_set_is_small_and_its_manifest_is_whole(capfdbinary: Fd) -> None:
    directory = ROOT / "vectors"
    files = json.loads((directory / "MANIFEST.json").read_text())["files"]
    assert sum(entry["size"] for entry in files) < 4_000_000
    for entry in files:
        assert hashlib.sha256((directory / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]
    assert fp8ref(capfdbinary, "vectors", "list", directory)[0] == 0


@pytest.mark.full
def test_the_shipped_set_is_made_again(capfdbinary: Fd) -> None:
    code, out, err = fp8ref(capfdbinary, "vectors", "verify", ROOT / "vectors")
    assert code == 0, err
    assert b"made again bit for bit" in out
