"""Coverage of several tools in one: read, merged, written as UCIS, and refused where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import warm

from fp8ref.report.coverage import picture, rows, state
from fp8ref.vectors.files import write_file
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.merging import ucis
from fp8ref.vectors.merging.database import BinRow, Counter, Database, merged, read, short, written
from fp8ref.vectors.merging.reading import coverage_of
from fp8ref.vectors.source import Unreadable

SCOPE = "add/e5m2.e5m2/e5m2/rne.nonsat;flags=1"

# lines as Verilator 5.006 writes them: keys and values between \1 and \2
DAT = """# SystemC::Coverage-3
C '\1f\2v_cover.sv\1l\0029\1n\0023\1page\2v_user/v_cover\1o\2@\1h\2.bench.c' 7
C '\1f\2/home/x/dut.sv\1l\00212\1n\0025\1t\2line\1page\2v_line/dut\1o\2block\1S\00212-13\1h\2.bench.dut' 3
C '\1f\2/home/x/dut.sv\1l\00214\1n\0025\1t\2branch\1page\2v_branch/dut\1o\2if\1S\00214\1h\2.bench.dut' 0
C '\1f\2/home/x/dut.sv\1l\0024\1n\0025\1t\2toggle\1page\2v_toggle/dut\1o\2a[3]\1h\2.bench.dut' 1
C '\1f\2/home/x/own.sv\1l\0028\1n\0023\1page\2v_user/mine\1o\2deep\1h\2.bench.c' 2
""".replace("@", f"__023{short(SCOPE)[1:]}__07cto__03d__02bzero")
# what cocotb-coverage 2.0 exports of a point of its own and of one that carries the suite's bins
COCOTB = """<top abs_name="top" size="4" coverage="2" cover_percentage="50.0">
 <mine size="2" coverage="1" cover_percentage="50.0" abs_name="top.mine" weight="1" at_least="1">
  <bin0 bin="True" hits="3" abs_name="top.mine.bin0"/><bin1 bin="False" hits="0" abs_name="top.mine.bin1"/></mine>
 <to size="2" coverage="1" cover_percentage="50.0" abs_name="top.to" weight="1" at_least="1">
  <bin0 bin="add/e5m2.e5m2/e5m2/rne.nonsat;flags=1|to=+zero" hits="5" abs_name="top.to.bin0"/></to></top>
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    recipe = Recipe.of(SCOPE, "bins", 1, 200)
    write_file(tmp_path / "v.jsonl", get_form("jsonl"), [(recipe.section(), generate(recipe))])
    return tmp_path / "v.jsonl"


def row(database: Database, scope: str, point: str, name: str) -> BinRow:
    return next(found for found in database.rows(scope, point) if found.name == name)


def file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_the_suite_counts_the_bins_that_its_lines_name(suite: Path) -> None:
    tags = [json.loads(line)["bins"].split() for line in suite.read_text().splitlines()[1:]]
    database = coverage_of(suite)
    assert database.scopes == [SCOPE]
    for point in database.points(SCOPE):
        for found in database.rows(SCOPE, point):
            assert found.suite == sum(f"{point}={found.name}" in words for words in tags)
            assert not (found.why and found.suite)
    assert row(database, SCOPE, "to", "snan").why == "no result is a signalling NaN"


def test_a_bin_is_one_whoever_counted_it(suite: Path, tmp_path: Path) -> None:
    parts = [coverage_of(suite), coverage_of(file(tmp_path, "coverage.dat", DAT)),
             coverage_of(file(tmp_path, "cocotb.xml", COCOTB))]  # fmt: skip
    database = merged(parts)
    assert [source.form for source in database.sources] == ["vectors", "verilator", "cocotb-coverage"]
    alone = row(parts[0], SCOPE, "to", "+zero").suite
    assert row(database, SCOPE, "to", "+zero") == BinRow("+zero", alone, 12)
    assert row(database, "mine", "cover", "deep") == BinRow("deep", 0, 2)
    assert [*database.rows("top", "mine")] == [BinRow("True", 0, 3), BinRow("False", 0, 0)]
    assert database.code == {
        ("dut.sv", "line"): {"12: 12-13": [0, 3, 0]},
        ("dut.sv", "branch"): {"14: 14": [0, 0, 0]},
        ("dut.sv", "toggle"): {"4: a[3]": [0, 1, 0]},
    }
    again = merged([database, database])
    assert row(again, SCOPE, "to", "+zero") == BinRow("+zero", 2 * alone, 24)


def test_the_document_comes_back(suite: Path, tmp_path: Path) -> None:
    database = merged([coverage_of(suite), coverage_of(file(tmp_path, "c.dat", DAT))])
    again = read(written(database).encode(), "x")
    assert again == database
    assert coverage_of(file(tmp_path, "m.json", written(database))) == database


def test_ucis_comes_back_and_keeps_its_schema(suite: Path, tmp_path: Path) -> None:
    database = merged([coverage_of(suite), coverage_of(file(tmp_path, "c.dat", DAT))])
    path = file(tmp_path, "m.xml", ucis.written(database))
    again = coverage_of(path)
    assert [source.form for source in again.sources] == ["ucis"]
    for key in database.bins:
        for mine, theirs in zip(database.rows(*key), again.rows(*key), strict=True):
            assert (mine.name, mine.suite + mine.simulator) == (theirs.name, theirs.simulator)
            assert bool(mine.why) == bool(theirs.why)
    assert {k: {i: sum(h) for i, h in v.items()} for k, v in database.code.items()} == {
        k: {i: sum(h) for i, h in v.items()} for k, v in again.code.items()
    }
    assert [source.kind for source in ucis.read(ucis.written(coverage_of(suite)).encode(), "x").sources] == ["suite"]
    validator = pytest.importorskip("ucis.xml", reason="pyucis is not installed")
    assert validator.validate_ucis_xml(str(path))
    from ucis.report.coverage_report_builder import CoverageReportBuilder
    from ucis.xml.xml_reader import XmlReader

    found = CoverageReportBuilder.build(XmlReader().read(str(path)))
    assert sum(len(group.coverpoints) for group in found.covergroups) == len(database.bins)


def test_ucis_of_a_simulator() -> None:
    """With a prefix for the namespace, several ranges a bin, and a covergroup that is not the suite's."""
    text = """<ucis:UCIS xmlns:ucis="http://www.w3.org/2001/XMLSchema-instance">
    <ucis:sourceFiles fileName="d.sv" id="1"/>
    <ucis:instanceCoverages name="top" key="0"><ucis:covergroupCoverage><ucis:cgInstance name="top.cg" key="0">
    <ucis:coverpoint name="p" key="0"><ucis:coverpointBin name="low" type="bins" key="0">
    <ucis:range from="0" to="1"><ucis:contents coverageCount="2"/></ucis:range>
    <ucis:range from="4" to="4"><ucis:contents coverageCount="3"/></ucis:range></ucis:coverpointBin>
    </ucis:coverpoint></ucis:cgInstance></ucis:covergroupCoverage></ucis:instanceCoverages></ucis:UCIS>"""
    assert [*ucis.read(text.encode(), "x").rows("top.cg", "p")] == [BinRow("low", 0, 5)]


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><UCIS>&b;</UCIS>'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("b.xml", BOMB, "b.xml: a document type"),
        ("b.xml", "<UCIS><a></UCIS>", "b.xml: no XML, or a damaged one"),
        ("b.xml", '<UCIS><cgInstance/><x><coverpointBin hits="-1" bin="x"/></x></UCIS>', ""),
        ("b.xml", '<top><p abs_name="top.p"><bin0 bin="x" hits="-1"/></p></top>', "field hits: '-1' is no number"),
        ("c.dat", "# SystemC::Coverage-3\nC 'x' many\n", "c.dat:2: not a count"),
        ("c.json", '{"fp8ref": "coverage", "schema": "fp8ref/coverage/9"}', "field schema: 'fp8ref/coverage/9'"),
        ("c.json", '{"fp8ref": "coverage", "schema": "fp8ref/coverage/1"}', "field sources: a list is missing"),
        ("c.json", '{"fp8ref": "coverage", "schema": "fp8ref/coverage/1", "sources": [{"name": "a", "kind": "b", '
         '"form": ""}], "bins": [], "code": []}', "field kind: 'b' is neither suite nor simulator"),
        ("c.json", '{"fp8ref": "coverage", "schema": "fp8ref/coverage/1", "sources": [], "bins": [{"scope": "s", '
         '"point": "p", "bins": [{"name": "n", "hits": [1]}]}], "code": []}', "field hits: [1]"),
        ("x.txt", "hello\n", "x.txt:1"),
    ],
)  # fmt: skip
def test_what_is_no_coverage_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    path = file(tmp_path, name, text)
    if not said:
        assert not coverage_of(path).bins
        return
    with pytest.raises(Unreadable) as error:
        coverage_of(path)
    assert said in str(error.value)


def test_states_of_a_bin() -> None:
    for counts, why, alone, wanted in (
        ((1, 1), "", False, "both"), ((1, 0), "", False, "suite"), ((0, 1), "", False, "simulator"),
        ((0, 0), "", False, "hole"), ((0, 0), "because", False, "never"), ((1, 0), "", True, "both"),
    ):  # fmt: skip
        assert state(BinRow("x", *counts, why), alone) == wanted


def test_the_picture_has_a_cell_for_every_bin_and_escapes(suite: Path) -> None:
    odd = Database.of(Counter("<x>", "simulator", "verilator"))
    odd.hit('<script>"', "p", "<b>", 1)
    odd.line("<f>.sv", "line", "1", 0)
    database = merged([coverage_of(suite), odd])
    drawn = picture(database)
    assert drawn.count("<title>") == sum(map(len, database.bins.values()))
    assert "<script>" not in drawn
    assert "<f>" not in drawn
    assert "currentColor" in drawn
    assert any("0 of 1 line items hit" in line for line in rows(database))


def test_the_command(suite: Path, tmp_path: Path) -> None:
    file(tmp_path, "coverage.dat", DAT)
    done = warm.fp8ref("vectors", "coverage", "v.jsonl", "coverage.dat", "-o", "m.xml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "simulator: coverage.dat (verilator)" in done.stdout
    assert "dut.sv: 1 of 1 line items hit (100.0 %)" in done.stdout
    assert (tmp_path / "m.xml").read_text().startswith("<?xml")
    done = warm.fp8ref("vectors", "coverage", "v.jsonl", "coverage.dat", "--least", "1", cwd=tmp_path)
    assert done.returncode == 1
    assert "bins have fewer than 1 hits, the first: add/" in done.stdout
    done = warm.fp8ref("vectors", "coverage", "v.jsonl", "-o", "m.pdf", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (4, "Error: m.pdf: its suffix names no form; say --as json, ucis, svg\n")
