"""Words for $readmemh: read back by an independent reader and oracle; damaged ones refused by file, line and field."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from second_oracles.exact import TABLES
from vectors.forms.tabular import CONVERSION, OPERATIONS, comes_back, empty_comes_back, read, written

from fp8ref.vectors.source import Unreadable

SCHEMA = Path(__file__).parents[3] / "vectors" / "schema" / "memh.schema.json"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "f32-to-e4m3fn.memh"
    written("memh", path, CONVERSION)
    return path


def sidecar(path: Path) -> Any:
    return json.loads(path.with_name(path.name + ".json").read_text())


def change(path: Path, **members: Any) -> None:
    path.with_name(path.name + ".json").write_text(json.dumps({**sidecar(path), **members}))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_written_is_read(tmp_path: Path, operation: str) -> None:
    comes_back("memh", tmp_path / "v.memh", operation)


def test_a_section_without_cases(tmp_path: Path) -> None:
    empty_comes_back("memh", tmp_path / "v.memh")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_sidecar_keeps_its_schema(tmp_path: Path, operation: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    written("memh", tmp_path / "v.memh", operation)
    document, schema = sidecar(tmp_path / "v.memh"), json.loads(SCHEMA.read_text())
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "file": "../v.memh"}, schema)


def test_an_independent_reader_and_oracle_agree(words: Path) -> None:
    """From the page alone: a word is a number, a field its bits msb down to lsb; the answers by the naive table."""
    description = sidecar(words)
    place = {field["name"]: field for field in description["fields"]}
    lines = words.read_text().split("\n")
    assert lines.pop() == ""
    assert len(lines) == description["header"]["count"] == 300
    table = TABLES["e4m3fn"]
    compared = 0
    for line in lines:
        assert 4 * len(line) == description["word_bits"]
        word = int(line, 16)
        a, z, x = (word >> place[f]["lsb"] & (1 << place[f]["msb"] - place[f]["lsb"] + 1) - 1 for f in "azx")
        value = struct.unpack(">f", a.to_bytes(4, "big"))[0]
        if value != value or abs(value) == float("inf"):
            continue
        where = table.place(abs(Fraction(value)))
        assert z == table.encode(a >> 31 == 1, where, "rne", "sat")
        assert x & 1 == (where.part != 0 or where.rung > table.top)
        compared += 1
    assert compared > 200


def test_the_package_says_the_same(words: Path) -> None:
    text = (words.parent / "f32_to_e4m3fn_pkg.sv").read_text()
    for line in (
        "package f32_to_e4m3fn_pkg;",
        'localparam FILE = "f32-to-e4m3fn.memh";',
        "localparam int COUNT = 300;",
        "localparam int WORD_BITS = 48;",
        "localparam int A_MSB = 47, A_LSB = 16, A_BITS = 32;",
        "logic [31:0] a;",
    ):
        assert line in text


def test_sections_take_a_file_each_and_none_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "v.memh"
    names = [file.name for file in written("memh", path, *OPERATIONS[:2])]
    assert names == [
        "v.memh", "v.memh.json", "v_pkg.sv", "v_pkg.vhd", "v-2.memh", "v-2.memh.json", "v_2_pkg.sv", "v_2_pkg.vhd",
    ]  # fmt: skip
    assert read(tmp_path / "v-2.memh")[0].operation.family == "mul"
    with pytest.raises(FileExistsError, match=r"v\.memh exists; --force"):
        written("memh", path, CONVERSION)


def refused(path: Path, message: str) -> None:
    with pytest.raises(Unreadable, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path.parent) in str(caught.value)


def edit(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_bytes().decode().splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_bytes("".join(lines).encode())


@pytest.mark.parametrize(
    ("digits", "message"),
    [
        ("x", r"\.memh:7: field z: '.x' has the unknown digit 'x'"),
        ("Z", r"\.memh:7: field z: '.Z' has the unknown digit 'Z'"),
        ("_", r"\.memh:7: field z: '._' has the unknown digit '_'"),
        ("g", r"\.memh:7: field z: 'g' in '.g' is no hexadecimal digit"),
        ("", r"\.memh:7: a word of 11 digits; the sidecar says 12"),
        ("00", r"\.memh:7: a word of 13 digits; the sidecar says 12"),
        ("\xe9", r"\.memh:7: byte 0xc3 is not ASCII"),
    ],
)
def test_a_bad_word_is_reported_by_line_and_field(words: Path, digits: str, message: str) -> None:
    lines = words.read_text().splitlines()
    lines[6] = lines[6][:9] + digits + lines[6][10:]
    words.write_text("\n".join(lines) + "\n")
    refused(words, message)


def test_a_code_beyond_its_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.memh"
    written("memh", path, "mul/e3m2fn.e3m2fn/e3m2fn/rtz.sat")
    lines = path.read_text().splitlines()
    lines[2] = "40" + lines[2][2:]
    path.write_text("\n".join(lines) + "\n")
    refused(path, r"v\.memh:3: field a: '40' is no code of e3m2fn, which has 6 bits")


def test_torn_files_are_refused(words: Path) -> None:
    whole = words.read_bytes()
    for size, message in (
        (len(whole) - 1, r":300: the last line has no end"),
        (len(whole) - 13, r":299: 300 words are announced, 299 are there"),
        (0, r"300 words are announced, 0 are there"),
    ):
        words.write_bytes(whole[:size])
        refused(words, message)
    words.write_bytes(whole + whole[:13])
    refused(words, r":301: the sidecar announces 300 words")
    words.write_bytes(whole.replace(b"\n", b"\r\n"))
    refused(words, r":1: a carriage return")


def test_any_changed_word_changes_the_hash(words: Path) -> None:
    lines = words.read_text().splitlines()
    lines[3], lines[4] = lines[4], lines[3]
    words.write_text("\n".join(lines) + "\n")
    refused(words, "the file hashes to .* its sidecar announces")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"file": "../f32-to-e4m3fn.memh"}, r"field file: '\.\./f32-to-e4m3fn\.memh'; it stands beside f32-to"),
        ({"file": "/etc/passwd"}, "field file: '/etc/passwd'"),
        ({"schema": "fp8ref/memh/2"}, "field schema: 'fp8ref/memh/2'; this version reads fp8ref/memh/1"),
        ({"fp8ref": "vectors"}, "no sidecar"),
        ({"word_bits": 52}, "field word_bits: not that of convert/f32/e4m3fn/rne.sat"),
        ({"fields": []}, "field fields: not that of"),
        ({"header": []}, "field header: the section's header is missing"),
        ({"header": {"fp8ref": "vectors", "schema": "fp8ref/vectors/9"}}, "field header: schema"),
    ],
)
def test_a_bad_sidecar_is_reported_by_field(words: Path, members: dict[str, Any], message: str) -> None:
    change(words, **members)
    refused(words, message)


def test_a_header_without_count_or_hash_is_refused(words: Path) -> None:
    for name in ("count", "sha256"):
        change(words, header={**sidecar(words)["header"], name: None})
        refused(words, "field header: count and sha256 of the words are missing")


def test_a_sidecar_that_is_no_json_or_is_missing(words: Path) -> None:
    beside = words.with_name(words.name + ".json")
    for text in ("{", "[" * 100000, "[]", "\0"):
        beside.write_text(text)
        refused(words, r"memh\.json: (not JSON|no sidecar)")
    beside.write_text(" " * (1 << 21))
    refused(words, "more than 1048576 bytes")
    beside.unlink()
    refused(words, "there is no f32-to-e4m3fn.memh.json")
