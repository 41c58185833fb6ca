"""What notebooks show: whole elements, every text escaped, the numbers of the object in them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from xml.etree import ElementTree

import ml_dtypes
import numpy as np
import pytest

import fp8ref
from fp8ref.cases.operation import Operation
from fp8ref.check.identify.identify import Identification
from fp8ref.report.notebook.markup import element, table
from fp8ref.report.notebook.shown import shown_html
from fp8ref.spec.codec import unpack


def parsed(shown: Any) -> ElementTree.Element:
    """The piece as a tree: it is well formed, and runs nothing."""
    tree = ElementTree.fromstring(shown._repr_html_())
    assert {node.tag for node in tree.iter()} <= {
        "div", "style", "p", "span", "pre", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert all(set(node.attrib) <= {"class", "style", "scope", "title"} for node in tree.iter())
    return tree


def cells(tree: ElementTree.Element) -> list[str]:
    return ["".join(node.itertext()) for node in tree.iter("td")]


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e2m1fn", "e8m0fnu", "mxint8", "binary8p3se"])
def test_the_map_of_a_format_has_every_code(name: str) -> None:
    f = fp8ref.get_format(name)
    tree = parsed(f)
    titles = [node.attrib["title"] for node in tree.iter("td")]
    assert [int(title.split()[0], 16) for title in titles] == [*range(1 << f.k)]
    for title, value in zip(titles, fp8ref.decode(np.arange(1 << f.k).astype(np.uint8), f, dtype=np.float64)):
        said = title.split()[1]
        assert said == "NaN" if np.isnan(value) else said != "NaN"
    for shown, title in zip(cells(tree), titles):  # short or not, a number has its own sign
        assert shown.startswith("-") == title.split()[1].lstrip("~").startswith("-"), title
    assert f.name in "".join(tree.itertext())


@pytest.mark.parametrize("name", ["e4m3fn", "e2m1fn", "f16"])
def test_a_code_table_has_every_code_with_its_value_and_class(name: str) -> None:
    table = fp8ref.code_table(name)
    f = fp8ref.get_format(name)
    assert table.codes.tolist() == [*range(1 << f.k)]
    for code in range(0, 1 << f.k, 1 if f.k <= 8 else 977):
        value = unpack(code, f)
        if value.is_nan or not value.is_finite:
            assert np.isnan(table.values[code]) == value.is_nan
        else:
            assert Fraction(table.values[code]) == (-1) ** value.sign * value.magnitude
        assert ("NaN" in table.classes[code]) == value.is_nan
    assert len(cells(parsed(table))) == (1 << f.k if f.k <= 8 else 0)
    assert "more codes" in repr(table) or f.k < 5
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert isinstance(table.to_frame(), pandas.DataFrame)


def test_a_table_of_too_many_codes_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 16 bits"):
        fp8ref.code_table("f32")


def test_wide_formats_have_no_map() -> None:
    assert not cells(parsed(fp8ref.get_format("f32")))


@pytest.mark.parametrize("recipe", ["mxfp8_e4m3", "nvfp4", "tensor_e4m3fn", "block128x128_e4m3fn", "vllm-group"])
def test_blocks_show_codes_and_scales(recipe: str) -> None:
    x = np.arange(1, 1 + 3 * 128, dtype=np.float32).reshape(3, 128) / 8
    x[1, 2] = np.nan if recipe == "mxfp8_e4m3" else 0
    made = fp8ref.scale_blocks(x, recipe)
    shown = cells(parsed(made))
    assert shown[:32] == [f"{code:02X}" for code in made.codes[0, :32]]
    assert len(shown) == 3 * 32


def test_a_report_shows_its_verdict_and_its_smallest_case() -> None:
    report = fp8ref.judge(lambda x: x.astype("f4").astype(ml_dtypes.float8_e5m2), "convert/f64/e5m2/rne.nonsat")
    text = "".join(parsed(report).itertext())
    for part in ("fail", "double rounding via f32", "does not conform", f"{report.findings[0].count}"):
        assert part in text
    assert "double rounding via f32" in "".join(parsed(report.findings[0]).itertext())
    parsed(fp8ref.explain("convert/f32/e4m3fn/rne.sat#43E80001"))


def test_texts_of_strangers_are_text() -> None:
    class Evil:
        def identify(self) -> dict[str, str]:
            return {"name": "</td><script>alert(1)</script>", "version": "\x1b[2J&"}

        def capabilities(self) -> list[str]:
            return ["decode/e5m2/f32"]

        def run(self, op: Any, x: Any) -> Any:
            raise ValueError("<img src=x onerror=alert(1)>")

    tree = parsed(fp8ref.judge(Evil()))
    text = "".join(tree.itertext())
    assert "</td><script>alert(1)</script>" in text
    assert "<img src=x onerror=alert(1)>" in text
    assert "\x1b" not in text


def test_elements_escape_texts_and_attributes() -> None:
    made = element("td", "<b>", title="\"'<", class_="")
    assert made == '<td title="&quot;&#x27;&lt;">&lt;b&gt;</td>'
    assert ElementTree.fromstring(table(["<"], [["&"]], numbers=[0])) is not None


def test_an_unknown_kind_shows_as_text() -> None:
    assert shown_html("nothing", 3) is None


def test_an_identification_shows_its_page() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32")
    text = "".join(parsed(Identification(op, 3, False, empty=True)).itertext())
    assert op.id in text
    assert "every answer is zero" in text
