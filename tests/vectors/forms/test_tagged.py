"""Bins in every form: written, read again, and a wrong one found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fp8ref.vectors.files import found_in, sections_of, write_file
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.source import Unreadable, open_source
from fp8ref.vectors.verify import Tally, verify

OPERATION = "convert/f16/e4m3fn/rne.sat"
FORMS = {"jsonl": "v.jsonl", "testfloat": "v.fpv", "memh": "v.memh", "npz": "v.npz", "parquet": "v.parquet"}
WIDE = "add/e5m2.e5m2/e5m2/rne.nonsat"  # a cross of classes of two operands


def written(form: str, folder: Path, operation: str = OPERATION, n: int = 150) -> Path:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    recipe, path, chosen = Recipe.of(operation, "bins", 1, n), folder / FORMS[form], get_form(form)
    made = [(recipe.section(), generate(recipe))]
    if chosen.stream:
        write_file(path, chosen, made)
    else:
        chosen.exporter(made, path, False)
    return path


def texts(path: Path) -> list[str]:
    return [text for piece in found_in(open_source(path)) for text in piece.details()[1] or ()]


def told(path: Path) -> Tally:
    source = open_source(path)
    return verify(found_in(source), source.at, Tally())


@pytest.mark.parametrize("operation", [OPERATION, WIDE])
@pytest.mark.parametrize("form", [name for name in FORMS if name != "jsonl"])
def test_every_form_has_the_bins_of_json_lines(form: str, operation: str, tmp_path: Path) -> None:
    lines = written("jsonl", tmp_path, operation).read_text().splitlines()[1:]
    path = written(form, tmp_path, operation)
    assert texts(path) == [json.loads(line)["bins"] for line in lines]
    assert told(path).conforms


def test_testfloat_without_comments_has_no_bins_to_compare(tmp_path: Path) -> None:
    path = written("testfloat", tmp_path)
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("#")))
    assert texts(path) == []
    assert told(path).conforms


def test_a_wrong_bin_is_found(tmp_path: Path) -> None:
    path = written("testfloat", tmp_path)
    path.write_text(path.read_text().replace(" to=+norm", " to=-norm", 1))
    assert [m.field for m in told(path).first] == ["bins"]
    path = written("npz", tmp_path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["bins"][5, 0] = 99
    np.savez(path, **arrays)
    with pytest.raises(Unreadable, match=r"v.npz:6: field bins: a number that is no value's|hash to"):
        told(path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace("\n", "\nFF", 1), "v.bins.memh: hashes to"),
        (lambda text: None, "v.bins.memh: cannot be read"),
    ],
)
def test_damaged_words_of_bins(tmp_path: Path, damage: object, said: str) -> None:
    path = written("memh", tmp_path)
    beside = tmp_path / "v.bins.memh"
    text = damage(beside.read_text())  # type: ignore[operator]
    beside.unlink()
    if text is not None:
        beside.write_text(text)
    with pytest.raises(Unreadable, match=said):
        told(path)


def test_words_of_bins_by_the_sidecar_alone(tmp_path: Path) -> None:
    """From the page: the number of a point's value stands at its bits, and all ones are none."""
    path = written("memh", tmp_path)
    said = json.loads((tmp_path / "v.memh.json").read_text())["bins"]
    jsonschema = pytest.importorskip("jsonschema")
    schema = Path(__file__).parents[3] / "vectors" / "schema" / "memh.schema.json"
    jsonschema.validate(json.loads((tmp_path / "v.memh.json").read_text()), json.loads(schema.read_text()))
    for line, text in zip((tmp_path / said["file"]).read_text().split(), texts(path)):
        word, found = int(line, 16), []
        for point in said["points"]:
            number = word >> point["lsb"] & ((1 << point["msb"] - point["lsb"] + 1) - 1)
            if number != said["none"]:
                found.append(f"{point['name']}={point['values'][number]}")
        assert " ".join(found) == text


@pytest.mark.parametrize("tagged", [True, False, None])
def test_bins_are_added_and_left_out(tmp_path: Path, tagged: bool | None) -> None:
    for form, has in (("jsonl", True), ("npz", True)):
        sections = sections_of(found_in(open_source(written(form, tmp_path))), tagged)
        for section, blocks in sections:
            wanted = has if tagged is None else tagged
            assert bool(section.coverpoints) is wanted
            assert all((block.bins is not None) is wanted for block in blocks)


def test_the_packages_compile(tmp_path: Path) -> None:
    """SystemVerilog by slang, covergroup and all; the cover properties by Verilator; VHDL by GHDL, 1993 and 2008."""
    written("memh", tmp_path)
    ran = 0
    if shutil.which("verilator"):
        command = ["verilator", "--lint-only", "-Wno-fatal", "v_pkg.sv", "v_cover.sv"]
        assert subprocess.run(command, cwd=tmp_path, timeout=60, capture_output=True).returncode == 0
        ran += 1
    if shutil.which("ghdl"):
        for standard in ("93", "08"):
            command = ["ghdl", "-s", f"--std={standard}", "v_pkg.vhd"]
            assert subprocess.run(command, cwd=tmp_path, timeout=60, capture_output=True).returncode == 0
        ran += 1
    try:
        from pyslang.ast import Compilation
        from pyslang.syntax import SyntaxTree
    except ImportError:
        if not ran:
            pytest.skip("not installed: verilator, ghdl, pyslang")
        return
    compilation = Compilation()
    for name in ("v_pkg.sv", "v_cover.sv"):
        compilation.addSyntaxTree(SyntaxTree.fromFile(str(tmp_path / name)))
    assert not [d for d in compilation.getAllDiagnostics() if d.isError()]
    text = (tmp_path / "v_cover.sv").read_text()
    assert len(re.findall(r"^      (?:ignore_)?bins", text, re.M)) > len(re.findall("cover property", text)) > 50
