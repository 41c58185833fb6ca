"""Figures: what they draw is what the formats have; files are written, the same bytes each time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

import matplotlib as mpl
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from fp8ref.plots import PLOTS, MissingMatplotlib, density, fp8_bert, number_line, relative_error, save, staircase
from fp8ref.spec import formats, get_format
from fp8ref.systems.fp8_bert.experiment import Findings

KINDS = ("number-line", "density", "adam8", "hawq-v3", "fp8-range")  # lines, steps, bars, areas, texts of several pages
E2M1 = {0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0}  # OCP MX 1.0 5.3.3


def segments(axes: Any) -> list[tuple[float, float, float, float]]:
    """(x0, y0, x1, y1) of every line segment in collections."""
    found = []
    for collection in axes.collections:
        if isinstance(collection, LineCollection):
            found += [tuple(map(float, segment.ravel())) for segment in collection.get_segments()]
    return found  # type: ignore[return-value]


def ticks(axes: Any) -> list[float]:
    xs = [(x0, x1) for x0, _, x1, _ in segments(axes)]
    assert all(a == b for a, b in xs)
    return sorted(x for x, _ in xs)


def dots(axes: Any, full: bool) -> set[tuple[float, float]]:
    label = "belongs to the step" if full else "does not"
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return set(zip(map(float, line.get_xdata()), map(float, line.get_ydata())))


def test_the_number_line_of_fp4() -> None:
    linear, logarithmic = number_line("e2m1fn").axes
    assert ticks(linear) == sorted({0.0, *E2M1, *(-v for v in E2M1)})
    assert ticks(logarithmic) == sorted(E2M1)
    colours = {c.get_label(): {s[0][0] for s in c.get_segments()} for c in linear.collections}
    assert colours == {"normal": {s * v for v in E2M1 - {0.5} for s in (1, -1)}, "zero and subnormal": {0.0, 0.5, -0.5}}


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e8m0fnu", "mxint8", "ue4m3", "binary8p1ue", "binary3p1se"])
def test_number_lines_hold_every_value(name: str) -> None:
    values = [float(v) for v in get_format(name).values()]
    linear, logarithmic = number_line(name).axes
    assert ticks(linear) == values
    assert ticks(logarithmic) == [v for v in values if v > 0]


def test_the_staircase_of_e4m3_to_nearest() -> None:
    near_one, near_max = staircase("e4m3fn").axes
    steps = {y: (x0, x1) for x0, y, x1, _ in segments(near_one)}
    # ties between 0.8125 0.875 0.9375 1 1.125 1.25 1.375 1.5
    assert steps == {
        0.8125: (0.8125, 0.84375), 0.875: (0.84375, 0.90625), 0.9375: (0.90625, 0.96875), 1.0: (0.96875, 1.0625),
        1.125: (1.0625, 1.1875), 1.25: (1.1875, 1.3125), 1.375: (1.3125, 1.4375), 1.5: (1.4375, 1.5),
    }  # fmt: skip
    # ties go to the even codes: 0.875 (36), 1 (38), 1.25 (3A), 1.5 (3C)
    assert dots(near_one, True) == {
        (0.84375, 0.875), (0.90625, 0.875), (0.96875, 1.0), (1.0625, 1.0), (1.1875, 1.25), (1.3125, 1.25),
        (1.4375, 1.5),
    }  # fmt: skip
    assert dots(near_one, False) == {
        (0.84375, 0.8125), (0.90625, 0.9375), (0.96875, 0.9375), (1.0625, 1.125), (1.1875, 1.125), (1.3125, 1.375),
        (1.4375, 1.375),
    }  # fmt: skip
    assert {y: (x0, x1) for x0, y, x1, _ in segments(near_max)} == {
        352.0: (352.0, 368.0), 384.0: (368.0, 400.0), 416.0: (400.0, 432.0), 448.0: (432.0, 512.0),
    }  # fmt: skip


def beyond(axes: Any) -> tuple[float, bool] | None:
    """Where the non-saturating rule sets in, and whether that input still belongs to the finite step."""
    regions = [p for p in axes.patches if isinstance(p, (Rectangle, Polygon))]
    if not regions:
        return None
    (region,) = regions
    start = float(region.get_extents().transformed(axes.transData.inverted()).x0)
    (dot,) = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert float(dot.get_xdata()[0]) == pytest.approx(start)
    return float(dot.get_xdata()[0]), dot.get_markerfacecolor() != "white"


@pytest.mark.parametrize(
    ("format", "rounding", "found"),
    [
        ("e4m3fn", "rne", (464.0, True)),  # OCP OFP8 1.0 5.2.1: 464 is a tie and 448 the even code
        ("e5m2", "rne", (61440.0, False)),  # 61440 is a tie and 57344 the odd code
        ("e4m3fn", "rna", (464.0, False)),
        ("e4m3fn", "rtp", (448.0, True)),
        ("e4m3fn", "rtz", None),  # rounded back to the largest value
        ("e4m3fn", "rtn", None),
        ("e2m1fn", "rne", None),  # has neither infinity nor NaN
        ("e8m0fnu", "rne", (1.5 * 2.0**127, True)),  # FE is even
    ],
)
def test_where_overflow_sets_in(format: str, rounding: str, found: tuple[float, bool] | None) -> None:
    assert beyond(staircase(format, rounding).axes[1]) == found


def test_directed_staircases_turn_at_the_values() -> None:
    near_one, _ = staircase("e5m2", "roundTowardPositive").axes
    assert {y: (x0, x1) for x0, y, x1, _ in segments(near_one)}[1.25] == (1.0, 1.25)
    assert (1.25, 1.25) in dots(near_one, True)
    assert (1.0, 1.25) in dots(near_one, False)


NARROW = [f for f in formats() if f.k <= 8]


@pytest.mark.parametrize(
    "f", [pytest.param(f, id=str(f), marks=[pytest.mark.full] if i % 6 else []) for i, f in enumerate(NARROW)]
)
def test_every_staircase_steps_on_values(f: Any) -> None:
    values = {float(v) for v in f.values()}
    for axes in staircase(f, "rna").axes:
        assert {y for _, y, _, _ in segments(axes)} <= values
        ends = [(x0, x1) for x0, _, x1, _ in segments(axes)]
        assert all(a[1] == b[0] for a, b in zip(ends, ends[1:]))  # noqa: RUF007 - no gap between steps


def test_relative_errors() -> None:
    axes = relative_error(["e4m3fn", "e5m2", "e8m0fnu"]).axes[0]
    lines = {line.get_label(): dict(zip(line.get_xdata(), line.get_ydata())) for line in axes.lines}
    e4m3 = lines["e4m3fn"]
    assert len(e4m3) == 126
    assert e4m3[2.0**-10] == 1.0  # between 0 and the smallest value all is lost
    assert e4m3[1.0625] == 1 / 17  # between 1 and 1.125
    assert max(v for x, v in e4m3.items() if x > 2.0**-6) == 1 / 17
    assert lines["e5m2"][1.125] == 1 / 9
    assert set(lines["e8m0fnu"].values()) == {1 / 3}


def test_densities() -> None:
    axes = density(["e4m3fn", "e5m2", "e2m1fn", "e8m0fnu"]).axes[0]
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert lines["e4m3fn"] == ([2.0**e for e in range(-9, 10)], [1, 2, 4, *[8] * 14, 7, 7])
    assert lines["e5m2"] == ([2.0**e for e in range(-16, 17)], [1, 2, *[4] * 30, 4])
    assert lines["e2m1fn"] == ([0.5, 1.0, 2.0, 4.0, 8.0], [1, 2, 2, 2, 2])
    assert lines["e8m0fnu"][1] == [1] * 256


def test_nothing_of_matplotlib_is_changed() -> None:
    before = dict(mpl.rcParams)
    assert isinstance(density(["e4m3fn"]), Figure)
    assert dict(mpl.rcParams) == before


def fresh(name: str) -> Any:
    """A figure drawn anew; FP8-BERT's, which would take minutes, from the record."""
    draw, takes = PLOTS[name]
    if name == "fp8-bert":
        record = Path(__file__).parents[2] / "docs" / "data" / "fp8-bert.json"
        return fp8_bert(Findings.of(json.loads(record.read_text(encoding="utf-8"))["findings"]))
    return draw(*{"none": [], "one": ["e5m2"], "several": [["e5m2"]]}[takes])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(pytest.param(name, "svg", marks=[] if name in KINDS else [pytest.mark.full]) for name in PLOTS),
        ("number-line", "png"),
        ("hawq-v3", "pdf"),
    ],
)
def test_files_are_the_same_bytes_each_time(name: str, kind: str, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.{kind}" for i in (1, 2)]
    for file in files:
        save(fresh(name), str(file))
    first, second = (file.read_bytes() for file in files)
    same = first == second  # compared first: a difference of long files takes minutes to draw
    assert same
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="f16 has 16 bits: this figure is for formats of at most 8"):
        number_line("f16")
    with pytest.raises(ValueError, match="f32 has 32 bits"):
        density(["f32"])
    with pytest.raises(ValueError, match="compares 1 to 7 formats, not 0"):
        relative_error([])
    with pytest.raises(ValueError, match="sr-a has no staircase"):
        staircase("e4m3fn", "sr-a")
    with pytest.raises(ValueError, match=r"e4m3b5000 reaches from 2\^"):
        number_line("e4m3b5000")
    with pytest.raises(ValueError, match=r"figure\.txt: the file name should end in \.png, \.svg, \.pdf"):
        save(density(["e5m2"]), str(tmp_path / "figure.txt"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingMatplotlib, match=r"pip install '\.\[plots\]'"):
        density(["e5m2"])


def test_axes_of_the_caller_are_drawn_into_and_returned() -> None:
    fig = Figure()
    left, right = fig.subplots(1, 2)
    assert density(["e4m3fn", "e5m2"], ax=left) is left
    assert [line.get_label() for line in left.lines] == ["e4m3fn", "e5m2"]
    assert not right.lines
    pair = Figure().subplots(2, 1)
    assert number_line("e2m1fn", ax=pair) is pair
    assert set(ticks(pair[1])) == E2M1
    with pytest.raises(ValueError, match=r"this figure has 2 axes; ax= gives 1"):
        number_line("e2m1fn", ax=right)
    assert isinstance(density("e2m1fn"), Figure)  # the next one has a figure of its own again


def test_a_notebook_shows_a_figure() -> None:
    assert density("e2m1fn")._repr_png_().startswith(b"\x89PNG")
