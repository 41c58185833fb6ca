"""The explorer's tables and page, without a browser."""

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
import warm

from fp8ref.report.explorer import tables
from fp8ref.report.explorer.page import page
from fp8ref.report.runs import record
from fp8ref.spec import get_format

RECORDS = Path(__file__).parents[3] / "docs" / "data" / "matrix"


def test_magnitudes_are_those_of_the_document() -> None:
    assert tables.magnitudes(get_format("e2m1fn")) == [0, Fraction(1, 2), 1, Fraction(3, 2), 2, 3, 4, 6, 8]
    assert tables.magnitudes(get_format("e4m3fn"))[-2:] == [448, 480]
    assert tables.magnitudes(get_format("e8m0fnu"))[:2] == [0, Fraction(1, 2**127)]
    assert tables.magnitudes(get_format("mxint8"))[-2:] == [2, 2 + Fraction(1, 64)]  # of the lowest value, -2


def test_what_a_region_becomes_by_hand() -> None:
    """1 in e2m1fn lies below 1.5: the first half goes down, the tie to even, here down, all else up."""
    found = tables.format_table(get_format("e2m1fn"))
    letters, top, _, _ = found["modes"]["rne"]["sat"]
    regions = found["patterns"][found["pool"][letters][2]]
    inexact = 1
    assert [list(one) for one in regions] == [[-1, 0], [-1, inexact], [-1, inexact], *[[-2, inexact]] * 3]
    assert [code for code, _ in top[:6]] == [7] * 6  # 6 to 8, saturating
    assert top[2][1] == top[6][1] == inexact | 4  # the tie at 7 rounds to 8, which overflows


def test_pairs_that_no_name_stands_for() -> None:
    assert list(tables.overflows(get_format("e2m1fn"))) == ["sat", "satprop", "nonsat"]
    rules = tables.overflows(get_format("e4m3fn"))
    assert rules["nonsat"] == "ieee-nan"
    assert "max-nan" in rules
    assert "inf-inf" not in rules


def test_libraries_answer_where_the_record_says_so() -> None:
    run = record.read(RECORDS / "torch.jsonl.gz")
    found = tables.document(["e4m3fn", "e8m0fnu"], [run])["libraries"]
    by_source = {row["from"]: row for row in found["e4m3fn"]}
    assert by_source["f32"]["known"]
    assert by_source["f32"]["overflow"] in ("sat", "nonsat")
    assert not by_source["f64"]["known"]
    assert "double rounding" in by_source["f64"]["remark"]


def test_the_page_is_one_file_and_holds_no_markup_of_others() -> None:
    run = record.read(RECORDS / "ml-dtypes.jsonl.gz")
    run["header"]["implementation"]["name"] = "</script><b>x"
    text = page(["e2m1fn"], [run])
    assert not re.findall(r"https?://|src=|@import|url\(", re.sub(r"http://www\.w3\.org/2000/svg", "", text))
    assert "<b>x" not in text
    data = re.search(r'id="data">(.*?)</script>', text, re.S)
    assert data is not None
    assert list(json.loads(data[1])["formats"]) == ["e2m1fn"]


def test_the_command(tmp_path: Path) -> None:
    done = warm.fp8ref("explore", "e2m1fn", "-o", "x.html", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "x.html\n")
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("f16", "-o", "y.html"), "f16 has 16 bits"),
        (("e2m1fn", "-o", "there.html"), "there.html exists"),
        (("e2m1fn", "-o", "y.html", "--runs", "no.jsonl"), "cannot read no.jsonl"),
        (("e2m1fn", "-o", "y.html", "--runs", "there.html"), "there.html:1"),
        (("e2m1fn",), "Missing option '-o'"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "there.html").write_text("x")
    done = warm.fp8ref("explore", *arguments, cwd=tmp_path)
    assert done.returncode == 4
    assert said in done.stderr
    assert not (tmp_path / "y.html").exists()
