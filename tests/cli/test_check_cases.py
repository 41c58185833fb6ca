"""``check --cases``: every wrong answer in a table, which ``explain`` reads; the picture of where they lie."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from fp8ref.cli.check import check
from fp8ref.cli.explain import explain

ALL_CASES = True  # see tests/conftest.py

TWO = "mini:minus-zero-lost+top-binade-lost"
SAT = "convert/f32/e4m3fn/rne.sat"


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(check, ["--jobs", "1", *args])
    return result.exit_code, result.output


def test_every_wrong_answer_stands_in_the_table(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    code, out = run("--impl", TWO, "--cases", str(file))
    assert code == 1
    rows = list(csv.DictReader(file.read_text().splitlines()))
    failing = {row["inputs"] for row in rows}
    assert f"{len(failing)} of " in out.splitlines()[-1]
    assert {row["finding"] for row in rows if row["inputs"] == "80000000"} == {"-0 becomes +0"}
    magnitudes = {int(row["inputs"], 16) & 0x7FFFFFFF for row in rows} - {0}
    assert min(magnitudes) >= 0x43800000 - (1 << 19)  # everything else is 256, or rounds to it, and more
    assert all(row["op"] == SAT and row["layout"] and int(row["length"]) > int(row["position"]) for row in rows)
    again = CliRunner().invoke(explain, [SAT, str(file)])
    assert again.exit_code == 1
    assert again.stdout.startswith(f"{SAT}  {len(rows)} answers: {len(rows)} wrong")
    other = CliRunner().invoke(explain, ["convert/f32/e5m2/rne.sat", str(file)])
    assert "no line is of convert/f32/e5m2/rne.sat; they are of convert/f32/e4m3fn/rne.sat" in other.output


def test_parquet_has_the_same(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("c.csv", "c.parquet"):
        run("--impl", "mini:nan-to-lowest", "--cases", str(tmp_path / name))
    table = parquet.read_table(tmp_path / "c.parquet").to_pylist()
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert [{k: str(v) for k, v in row.items()} for row in table] == rows
    assert {row["got"] for row in table} == {"FE"}


def test_refusals(tmp_path: Path) -> None:
    code, out = run("--impl", TWO, "--cases", str(tmp_path / "c.txt"))
    assert (code, "a table is a file .csv or .parquet" in out) == (4, True)
    (tmp_path / "c.csv").write_text("mine")
    code, out = run("--impl", TWO, "--cases", str(tmp_path / "c.csv"))
    assert code == 4
    assert (tmp_path / "c.csv").read_text() == "mine"


def test_the_page_shows_where_failures_lie(tmp_path: Path) -> None:
    """448 / 2^8 = 1.75: of the eighths of the top binade those up to 1.5 are wrong throughout."""
    pytest.importorskip("jinja2")
    file = tmp_path / "p.html"
    run("--impl", "mini:top-binade-lost", "--html", str(file))
    assert "2^8          ####" in file.read_text().replace("\\u003c", "<")
