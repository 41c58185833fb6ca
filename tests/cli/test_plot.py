"""``fp8ref plot``: files, and refusals in one line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from fp8ref.cli.plot import plot
from fp8ref.plots import PLOTS

pytest.importorskip("matplotlib", reason="figures need matplotlib")


@pytest.mark.parametrize(
    "args",
    [
        ["number-line"],
        ["number-line", "float8_e5m2"],
        ["staircase", "e5m2", "--rounding", "roundTowardZero"],
        ["relative-error", "e4m3fn", "e5m2", "e3m2fn"],
        ["density"],
    ],
)
def test_a_figure_is_written(args: Sequence[str], tmp_path: Path) -> None:
    file = tmp_path / "figure.svg"
    result = CliRunner().invoke(plot, [*args, "-o", str(file)])
    assert (result.exit_code, result.stdout) == (0, f"{file}\n"), result.output
    text = file.read_text()
    assert text.startswith("<?xml")
    for name in args[1:2]:
        assert name.removeprefix("float8_") in text
    if "--rounding" in args:
        assert "roundTowardZero" in text


def test_an_existing_file_is_replaced_only_with_force(tmp_path: Path) -> None:
    file = tmp_path / "figure.png"
    file.write_text("mine")
    assert "exists; --force replaces it" in refused("density", "-o", str(file))
    assert file.read_text() == "mine"
    assert CliRunner().invoke(plot, ["density", "-o", str(file), "--force"]).exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def refused(*args: str) -> str:
    result = CliRunner().invoke(plot, args)
    assert result.exit_code == 4, result.output
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["density"], "Missing option '-o' / '--output'"),
        (["densty", "-o", "x.png"], f"unknown plot 'densty'; did you mean density? choose from {', '.join(PLOTS)}"),
        (["?", "-o", "x.png"], f"unknown plot '?'; choose from {', '.join(PLOTS)}"),
        (["density", "e4m3fm", "-o", "x.png"], "unknown format 'e4m3fm'; did you mean e4m3fn"),
        (["number-line", "e4m3fn", "e5m2", "-o", "x.png"], "number-line draws one format, not 2"),
        (["number-line", "f32", "-o", "x.png"], "f32 has 32 bits: this figure is for formats of at most 8"),
        (["density", "--rounding", "rtz", "-o", "x.png"], "--rounding is for staircase"),
        (["staircase", "--rounding", "up", "-o", "x.png"], "unknown rounding 'up'; choose from rne"),
        (["staircase", "--rounding", "sr-a", "-o", "x.png"], "sr-a has no staircase"),
        (["density", "-o", "figure"], "figure: the file name should end in .png, .svg, .pdf"),
        (["density", "-o", "figure.txt"], "figure.txt: the file name should end in .png, .svg, .pdf"),
        (["density", "-o", "no/such/folder/figure.png"], "cannot write no/such/folder/figure.png: No such file"),
    ],
)
def test_refusals(args: Sequence[str], message: str) -> None:
    assert message in refused(*args)


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert (
        refused("density", "-o", "x.png")
        == "Error: plots need matplotlib: pip install '.[plots]' in a checkout of fp8ref"
    )
