"""The explorer in a real browser: what its script finds is held against the specification, code by code."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the extra browser")

from report.runs.test_page import CHROMIUM, FLAGS  # noqa: E402  (skips where there is no Chromium)

from fp8ref.report.explorer import tables  # noqa: E402
from fp8ref.report.explorer.page import page as page_text  # noqa: E402
from fp8ref.report.runs import record  # noqa: E402
from fp8ref.spec import Datum, get_format, unpack  # noqa: E402
from fp8ref.spec.codec import pack  # noqa: E402
from fp8ref.spec.projection import get_projection, project  # noqa: E402

RECORDS = Path(__file__).parents[3] / "docs" / "data" / "matrix"
SHORT = {
    "e4m3fn": [("rne", "sat"), ("rne", "nonsat"), ("rna", "max-nan")], "e2m1fn": None, "mxint8": [("rtn", "sat")],
    "e8m0fnu": [("rne", "nonsat"), ("rtz", "sat")], "ue5m3": [("rtp", "nonsat")],
}  # fmt: skip
ALL = """(rows) => rows.map(([format, rounding, overflow, text]) => {
  const found = answer(readNumber(text), DATA.formats[format], rounding, overflow);
  return [found.code, found.flags];
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "x.html"
    runs = [record.read(RECORDS / name) for name in ("torch.jsonl.gz", "ml-dtypes.jsonl.gz")]
    path.write_text(page_text(SHORT, runs), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser: Any, written: Path) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text))
    page.goto(written.as_uri())
    yield page
    assert page.complaints == []
    page.close()


def points(name: str) -> Iterator[Fraction]:
    """Every magnitude, the thresholds between neighbours, and what lies just beside each."""
    lattice = tables.magnitudes(get_format(name))
    for a, b in pairwise(lattice):
        near = (b - a) / 2**70
        for part in (Fraction(0), Fraction(1, 2), Fraction(3, 4)):
            x = a + part * (b - a)
            yield from (x, x + near, *([x - near] if x else []))
        yield a + (b - a) / 3
    yield from (lattice[-1], lattice[-1] * 5, Fraction(10) ** 60)


def compared(opened: Any, name: str, modes: list[tuple[str, str]] | None) -> int:
    f = get_format(name)
    chosen = modes or list(product([mode.value for mode in tables.MODES], tables.overflows(f)))
    inputs = [("-" if sign else "", sign, x) for x in points(name) for sign in (0, 1)]
    count = 0
    for rounding, overflow in chosen:
        rho = get_projection(f, rounding, overflow)
        data = [Datum.finite(-x if sign else x) if x else Datum.finite(0, sign) for _, sign, x in inputs]
        texts = [f"{minus}{x.numerator}/{x.denominator}" for minus, _, x in inputs]
        data += [Datum.infinity(0), Datum.infinity(1), Datum.nan()]
        texts += ["inf", "-inf", "nan"]
        got = opened.evaluate(ALL, [[name, rounding, overflow, text] for text in texts])
        want = [[pack(datum, f), int(status)] for datum, status in (project(x, f, rho) for x in data)]
        wrong = [(text, a, b) for text, a, b in zip(texts, got, want) if a != b]
        assert not wrong, (name, rounding, overflow, len(wrong), wrong[:3])
        count += len(texts)
    return count


@pytest.mark.parametrize("name", SHORT)
def test_every_threshold_is_the_specification_s(opened: Any, name: str) -> None:
    assert compared(opened, name, SHORT[name]) >= 100


@pytest.mark.full
@pytest.mark.parametrize("name", tables.FORMATS)
def test_every_threshold_of_every_mode(browser: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.html"
    path.write_text(page_text([name]), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    compared(page, name, None)


def test_every_code_is_read_as_its_value(opened: Any) -> None:
    for name in SHORT:
        f = get_format(name)
        rows = opened.evaluate(
            """(name) => DATA.formats[name].table.map((row) => {
                 const x = readNumber(`${name}:${row[0].slice(2)}`);
                 return x.kind === "finite" ? [x.sign, `${x.n}`, `${x.d}`] : [x.kind];
               })""",
            name,
        )
        for code, row in enumerate(rows):
            x = unpack(code, f)
            if not x.is_finite:
                assert row == ["nan" if x.is_nan else "infinite"], (name, code)
            else:
                assert (row[0], Fraction(int(row[1]), int(row[2]))) == (x.sign, x.magnitude), (name, code)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)), ("-2.50e-3", Fraction(-1, 400)), ("1e3", 1000), ("0x1.8p-7", Fraction(3, 256)),
        ("0xA.8", Fraction(21, 2)), ("2^-9", Fraction(1, 512)), ("-7/3", Fraction(-7, 3)), ("f32:43E88000", 465),
        ("f32:00000001", Fraction(1, 2**149)), ("f64:C000000000000000", -2), ("bf16:3F80", 1), ("f16:7BFF", 65504),
        ("1.75 + 0.0625", Fraction(29, 16)), ("1.1 * 448", Fraction(4928, 10)), ("3 + -4.5", Fraction(-3, 2)),
        (".5", Fraction(1, 2)),
    ],
)  # fmt: skip
def test_numbers_are_read_exactly(opened: Any, text: str, value: Fraction) -> None:
    sign, n, d = opened.evaluate("(t) => { const x = readNumber(t); return [x.sign, `${x.n}`, `${x.d}`]; }", text)
    assert Fraction(int(n), int(d)) * (-1 if sign else 1) == value


@pytest.mark.parametrize(
    "text", ["", "one", "0x", "1/0", "f32:123456789", "e9m9:00", "1e99999", "1 + ", "--1", "1 + -1", "9" * 5000]
)
def test_what_is_no_number_is_said(opened: Any, text: str) -> None:
    assert opened.evaluate("(t) => readNumber(t).problem", text)
    opened.fill("#number", text)
    assert opened.locator("#exact.wrong").count() == 1
    assert opened.locator("#cards .card").count() == 0


def test_a_person_uses_it(opened: Any, written: Path) -> None:
    opened.fill("#number", "464")
    assert opened.locator("#cards .card h2").all_inner_texts() == ["e4m3fn"]  # e5m2 is not in this page
    assert opened.locator("#cards .answer strong").inner_text() == "0x7E"
    opened.select_option("#overflow", "nonsat")
    opened.fill("#number", "465")
    assert opened.locator("#cards .answer strong").inner_text() == "0x7F"
    assert opened.locator(".flags li").all_inner_texts() == ["overflow", "inexact"]
    opened.locator('.chip input[value="e2m1fn"]').check()
    opened.press("#number", "ArrowDown")  # the next value below, of the first format
    assert opened.input_value("#number") == "e4m3fn:7E"
    opened.press("#number", "ArrowUp")
    assert opened.input_value("#number") == "e4m3fn:7E"  # nothing is above
    link = opened.url
    opened.goto("about:blank")
    opened.goto(link)
    assert opened.input_value("#number") == "e4m3fn:7E"
    assert opened.locator("#cards .card h2").all_inner_texts() == ["e4m3fn", "e2m1fn"]
    assert opened.input_value("#overflow") == "nonsat"


def test_what_libraries_answer(opened: Any) -> None:
    opened.fill("#number", "f32:43E88000")
    opened.locator("summary", has_text="recorded libraries").first.click()
    rows = opened.evaluate(
        """[...document.querySelectorAll(".card")[0].querySelectorAll(".libraries tbody tr")]
             .map((row) => [...row.children].map((cell) => cell.textContent))"""
    )
    answers = {(row[0].split()[0], row[1]): row[2] for row in rows}
    assert answers["ml_dtypes", "f32"] == "NaN"  # 465 overflows, and ml_dtypes does not saturate
    assert answers["torch", "f64"] == "?"
    opened.fill("#number", "f32:43E88001")  # more bits than binary16 has; what was opened stays open
    assert opened.locator(".libraries td.why", has_text="f16 does not hold this number").first.is_visible()


def test_nothing_is_wider_than_the_screen(opened: Any, written: Path) -> None:
    for width in (390, 1280):
        opened.set_viewport_size({"width": width, "height": 844})
        for text in ("0.1", "f32:00000001", "-inf", "9" * 60):
            opened.goto(f"{written.as_uri()}#x={text}&f={','.join(SHORT)}")
            opened.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            assert opened.evaluate("document.documentElement.scrollWidth") <= width
