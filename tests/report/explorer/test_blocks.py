"""A block with a shared scale in the explorer, in a real browser, against the specification of MX."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the extra browser")

from report.runs.test_page import CHROMIUM, FLAGS  # noqa: E402  (skips where there is no Chromium)

from fp8ref.report.explorer import shared  # noqa: E402
from fp8ref.report.explorer.page import page as page_text  # noqa: E402
from fp8ref.spec import get_format, unpack  # noqa: E402
from fp8ref.spec.scaling.schemes import E8M0_RULES, e8m0_scale, get_scheme, mx_block  # noqa: E402

SHORT = ("mxfp4", "mxint8", "mxfp8_e5m2")
F32 = get_format("f32")
SCALES = "([name, rule, codes]) => codes.map((code) => scaleOf(code, DATA.blocks.schemes[name].rules[rule]))"
BLOCKS = """([name, rule, rows]) => rows.map((row) => {
  const found = blockOf(row, name, rule);
  return [found.scale, found.elements.map((one) => one.code)];
})"""
VALUES = """([name, rule, row]) => blockOf(row, name, rule).elements.map((one) =>
  one.value.kind === "finite" ? `${one.value.sign ? "-" : ""}${one.value.n}/${one.value.d}` : one.value.kind)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


def page_of(browser: Any, names: Sequence[str], folder: Path) -> Iterator[Any]:
    path = folder / "x.html"
    path.write_text(page_text([get_scheme(name).element.name for name in names]), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(path.as_uri())
    yield page
    assert complaints == []
    page.close()


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    yield from page_of(browser, SHORT, tmp_path_factory.mktemp("explorer"))


def single(x: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", x))[0])


def scales_agree(opened: Any, name: str, rule: str, step: int) -> None:
    """Beside every power of two, one and a half of it, and every threshold: below, at it, above."""
    scheme = get_scheme(name)
    edges = {0, 1, 0x7F7FFFFF, 0x7F800000, 0x7FC00000}
    for center in (*range(0, 0x7F800000, 1 << 22), *shared.thresholds(scheme, rule)):
        edges |= {code for code in (center - 1, center, center + 1) if 0 <= code < 0x7F800000}
    codes = sorted(edges)[::step]
    want = [e8m0_scale(unpack(code, F32), scheme.element, rule) for code in codes]
    got = opened.evaluate(SCALES, [name, rule, codes])
    wrong = [(hex(code), a, b) for code, a, b in zip(codes, got, want) if a != b]
    assert not wrong, (name, rule, len(wrong), wrong[:3])


@pytest.mark.parametrize("rule", E8M0_RULES)
def test_a_scale_is_the_specification_s(opened: Any, rule: str) -> None:
    for name in SHORT:
        scales_agree(opened, name, rule, 29)


def rows_of(name: str) -> Iterator[list[int]]:
    """Blocks that hold every value and every midpoint of the element format, at several scales; then odd ones."""
    f = get_scheme(name).element
    finite = sorted({x.value for x in (unpack(code, f) for code in range(1 << f.k)) if x.is_finite})
    points = [
        *finite,
        *((a + b) / 2 for a, b in pairwise(finite)),
        *(5 * x / 4 for x in (finite[0], finite[-1])),
    ]
    for exponent in (-140, -1, 0, 100):
        yield [single(float(x * Fraction(2) ** exponent)) for x in points]
    inf, nan = single(float("inf")), single(float("nan"))
    yield from ([0, 1 << 31], [1, 0x80000001], [inf, single(1.0)], [nan, single(1.0)], [0x7F7FFFFF, 0xFF7FFFFF, 1])


def elements_agree(opened: Any, name: str, rules: Sequence[str]) -> None:
    rows = list(rows_of(name))
    for rule in rules:
        got = opened.evaluate(BLOCKS, [name, rule, rows])
        for row, (scale, codes) in zip(rows, got):
            want = mx_block([unpack(code, F32) for code in row], get_scheme(name), rule)
            assert (scale, codes) == (want[0], list(want[1])), (name, rule, row[:3])


@pytest.mark.parametrize("name", SHORT[:2])
def test_elements_are_the_specification_s(opened: Any, name: str) -> None:
    elements_agree(opened, name, ("floor", "te"))


@pytest.mark.full
@pytest.mark.parametrize("name", shared.SCHEMES)
def test_every_threshold_of_every_scheme(browser: Any, name: str, tmp_path: Path) -> None:
    for page in page_of(browser, [name], tmp_path):
        for rule in E8M0_RULES:
            scales_agree(page, name, rule, 1)
        elements_agree(page, name, E8M0_RULES)


def test_values_are_elements_times_the_scale(opened: Any) -> None:
    row = [single(x) for x in (7.5, -6.5, 0.3, 0.01, 0.0)]
    assert [Fraction(v) for v in opened.evaluate(VALUES, ["mxfp4", "floor", row])] == [6, -6, Fraction(1, 2), 0, 0]
    scale, codes = mx_block([unpack(single(1e-38), F32)], get_scheme("mxfp8_e5m2"), "rceil")
    value = opened.evaluate(VALUES, ["mxfp8_e5m2", "rceil", [single(1e-38)]])[0]
    assert Fraction(value) == unpack(codes[0], get_format("e5m2")).value * Fraction(2) ** (scale - 127)


@pytest.mark.parametrize(
    "text", ["0.1", "-1/3", "16777217", "16777219", "2^-149", "2^-150", "3/2e0", "0x1.fffffefp127", "3.5e38", "1e-46",
             "-0", "inf"],
)  # fmt: skip
def test_numbers_are_read_as_the_nearest_binary32(opened: Any, text: str) -> None:
    """By hand where binary64 does not hold the number: it is parsed exactly and rounded once by Fractions."""
    got = opened.evaluate("(t) => { const x = readOne(t); return x.problem ? x.problem : singleOf(x); }", text)
    if text == "3/2e0":
        assert "is no number" in got
        return
    want = {"-0": 0x80000000, "inf": 0x7F800000, "3.5e38": 0x7F800000, "0x1.fffffefp127": 0x7F7FFFFF, "2^-149": 1,
            "2^-150": 0, "1e-46": 0, "16777217": 0x4B800000, "16777219": 0x4B800002, "0.1": 0x3DCCCCCD,
            "-1/3": 0xBEAAAAAB}[text]  # fmt: skip
    assert got == want


def test_a_person_types_a_row(opened: Any) -> None:
    opened.fill("#row", "7.5 -6.5, 3; 0.01")
    assert opened.locator("#block .answer strong").inner_text() == "0x7F"
    notes = opened.locator("#block td.why").all_inner_texts()
    assert notes == ["sets the scale, saturates", "rounded", "", "becomes 0"]
    opened.select_option("#scale", "ceil")
    assert opened.locator("#block .answer strong").inner_text() == "0x80"
    assert "0 of 4 saturate" in opened.locator("#block .summary").inner_text()
    link = opened.url
    opened.goto("about:blank")
    opened.goto(link)
    assert opened.input_value("#row") == "7.5 -6.5, 3; 0.01"
    assert (opened.input_value("#scheme"), opened.input_value("#scale")) == ("mxfp4", "ceil")
    for text, said in (
        ("", "Type numbers"),
        ("1 x 2", "x is no number"),
        ("1 " * 33, "33 numbers; a block has at most 32"),
    ):
        opened.fill("#row", text)
        assert said in opened.locator("#row-said").inner_text()
        assert opened.locator("#block .card").count() == 0
    opened.fill("#row", "nan 1")
    assert opened.locator("#block .value").inner_text() == "NaN"


def test_a_row_is_not_wider_than_a_phone(opened: Any) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    opened.fill("#row", " ".join(["0.1", "-448", "1e-30"] * 10))
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    opened.set_viewport_size({"width": 1280, "height": 900})
