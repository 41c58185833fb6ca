"""The matrix in a real browser: Debian's chromium, driven by playwright (the extra ``browser``), from a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fp8ref.check.verdict import Report, Verdict
from fp8ref.report.runs import record

pytest.importorskip("jinja2")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the extra browser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("no chromium on PATH: apt-get install chromium", allow_module_level=True)

from report.runs.test_html import EVIL, hostile, run_of  # noqa: E402

from fp8ref.report.runs.html import html  # noqa: E402

RUNS = Path(__file__).parents[3] / "docs" / "data" / "runs"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
PHONE, DESK = {"width": 375, "height": 812}, {"width": 1280, "height": 900}


@dataclass
class Opened:
    """A page, and everything that it asked for or complained about."""

    page: Any
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        return list(self.page.locator('#matrix th[scope="row"]').all_inner_texts())

    def until(self, expression: str) -> None:
        """Wait for an expression to hold; playwright's own way evaluates text, which the page's policy forbids."""
        for _ in range(200):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(expression)

    def width(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:  # a fresh profile each time
        found = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "matrix.html"
    documents = [record.read(run) for run in sorted(RUNS.glob("*-level2.jsonl"))]
    refused = run_of(name="refused", finished=False)
    refused["end"]["reason"] = "would not install"
    crashed = run_of(Report("c", "decode/e4m3fn/f32", Verdict.CRASH, reason="killed by SIGSEGV"), name="crashing")
    path.write_text(html([*documents, refused, crashed]), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Any, matrix: Path) -> Iterator[Any]:
    contexts = []

    def open_(path: Path = matrix, fragment: str = "", **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": DESK, **options})
        contexts.append(context)
        found = Opened(context.new_page(), path.as_uri())
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(found.url + fragment)
        return found

    made: list[Opened] = []

    def keep(*arguments: Any, **options: Any) -> Opened:
        made.append(open_(*arguments, **options))
        return made[-1]

    yield keep
    for one in made:  # whatever a test did
        assert one.complaints == []
        assert {url.partition("#")[0] for url in one.requests} == {one.url}
    for context in contexts:
        context.close()


def test_filters_show_what_they_name(opened: Any) -> None:
    one = opened()
    failing = one.rows()
    assert failing
    assert one.page.locator("#matrix td button.v-fail").count() >= len(failing) - 1
    one.page.select_option("[name=show]", "all")
    everything = one.rows()
    assert len(everything) > 300
    one.page.select_option("[name=format]", "e8m0fnu")
    one.page.select_option("[name=group]", "decode")
    assert one.rows()[:2] == ["e8m0fnu → f64", "e8m0fnu → f32"]
    assert "refused" not in one.page.locator("#matrix thead").inner_text()
    one.page.select_option("[name=impl]", "torch-2.13.0-cpu")
    assert one.page.locator("#matrix thead th").all_inner_texts()[1:] == ["torch\n2.13.0+cpu"]
    one.page.click("button[type=reset]")
    one.until("document.querySelector('[name=impl]').value === ''")
    assert one.rows() == failing
    one.page.fill("[name=q]", "f64 e4m3fn double")
    one.until("document.querySelectorAll('#matrix th[scope=row]').length === 2")
    assert one.rows() == ["f64 → e4m3fn", "f64 → e4m3fnuz"]
    one.page.fill("[name=q]", "no such thing")
    one.until("document.getElementById('status').textContent.startsWith('Nothing matches')")
    assert one.rows() == []


def test_the_address_keeps_a_filter(opened: Any) -> None:
    one = opened(fragment="#?impl=torch-2.13.0-cpu&format=e5m2")
    shown = one.rows()
    assert "f32 → e5m2" in shown
    assert "f32 → e4m3fn" not in shown
    one.page.select_option("[name=group]", "compare")
    again = opened(fragment="#" + one.page.url.partition("#")[2])
    assert again.rows() == one.rows() == ["eq", "ne"]


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_opens_a_finding_and_comes_back(opened: Any, key: str) -> None:
    one = opened()
    one.page.locator("[name=q]").focus()
    focused = "document.activeElement.getAttribute('data-r')"
    for _ in range(4):  # the button that clears, then the one cell that the tabulator reaches
        one.page.keyboard.press("Tab")
        if one.page.evaluate(focused) is not None:
            break
    assert one.page.evaluate(focused) is not None
    for _ in range(9):
        if "v-fail" in one.page.evaluate("document.activeElement.className"):
            break
        one.page.keyboard.press("ArrowRight")
    before = one.page.evaluate(focused)
    one.page.keyboard.press("ArrowDown")
    assert one.page.evaluate(focused) not in (None, before)
    one.page.keyboard.press("ArrowUp")
    assert one.page.evaluate(focused) == before
    one.page.keyboard.press(key)
    assert one.page.locator("dialog[open]").count() == 1
    said = one.page.locator("dialog").inner_text()
    for part in ("want", "got", "Clause", "Its own documentation", "fp8ref check", "Seen with the library alone"):
        assert part in said
    assert one.page.evaluate("document.getElementById('cell').contains(document.activeElement)")
    one.page.keyboard.press("Escape")
    assert one.page.locator("dialog[open]").count() == 0
    assert one.page.evaluate(focused) == before


def test_a_finding_has_an_address_of_its_own(opened: Any) -> None:
    one = opened()
    one.page.locator("#matrix td button.v-fail").first.click()
    title = one.page.locator("#cell-title").inner_text()
    address = one.page.locator("a.permalink").first.get_attribute("href")
    again = opened(fragment=address)
    assert again.page.locator("dialog[open]").count() == 1
    assert again.page.locator("#cell-title").inner_text() == title
    again.page.click("#next")
    assert again.page.locator("#cell-title").inner_text() != title
    again.page.click("#previous")
    assert again.page.locator("#cell-title").inner_text() == title
    opened(fragment="#torch/no/such/operation")
    opened(fragment="#%E0%A4%A")


def test_the_tiles_of_the_picture_lead_to_their_operations(opened: Any) -> None:
    one = opened()
    one.page.locator('a.tile[aria-label^="torch, e8m0fnu"]').click()
    one.until("document.querySelector('[name=impl]').value === 'torch-2.13.0-cpu'")
    assert one.page.locator("[name=format]").input_value() == "e8m0fnu"
    assert "f32 → e8m0fnu" in one.rows()


def test_a_phone_scrolls_tables_not_the_page(opened: Any) -> None:
    one = opened(viewport=PHONE)
    assert one.width() == 375
    assert opened(viewport=PHONE, fragment="#?show=all").width() == 375
    one.page.locator("#matrix td button.v-fail").first.click()
    assert one.width() == 375
    box = one.page.locator("dialog").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    one.page.keyboard.press("Escape")
    one.page.evaluate("document.getElementById('scroller').scrollLeft = 200")
    row = one.page.locator('#matrix th[scope="row"]').first.bounding_box()
    assert 0 <= row["x"] < 30  # the first column stays


LUMINANCE = """([selector]) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
  const light = (rgb) => [.2126, .7152, .0722].reduce((sum, weight, i) => sum + weight * linear(rgb[i] / 255), 0);
  const of = (element, property) => light(parse(getComputedStyle(element)[property]));
  return [...document.querySelectorAll(selector)].slice(0, 40).map((element) => {
    let under = element;
    while (under && (parse(getComputedStyle(under).backgroundColor)[3] ?? 1) === 0) under = under.parentElement;
    const [a, b] = [of(element, "color"), of(under || document.body, "backgroundColor")];
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  });
}"""


CONTRASTED = ("#matrix td button.v-pass", "#matrix td button.v-fail", "#matrix td button.v-allowed", "#matrix th",
              ".lead", ".summary td", ".summary small", ".legend .chip:not(.hole)", "#status", ".notes p")  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_in_both_schemes(opened: Any, scheme: str) -> None:
    one = opened(color_scheme=scheme, fragment="#?show=all")
    for selector in CONTRASTED:
        ratios = one.page.evaluate(LUMINANCE, [selector])
        assert ratios, selector
        assert min(ratios) >= 4.5, selector
    dark = one.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(251, 251, 250)"
    assert dark == (scheme == "dark")


def test_focus_is_seen(opened: Any) -> None:
    one = opened()
    for selector in ("[name=q]", "a.tile", "#matrix button[tabindex='0']"):
        one.page.locator(selector).first.focus()
        one.page.keyboard.press("Shift")  # the keyboard is in use
        style = "(e) => [getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)]"
        outline, width = one.page.locator(selector).first.evaluate(style)
        assert (outline, width) == ("solid", 3), selector


def test_every_cell_has_a_name_and_headers(opened: Any) -> None:
    one = opened(fragment="#?show=all")
    table = "document.querySelectorAll('#matrix td button')"
    assert one.page.evaluate(f"[...{table}].every((b) => b.getAttribute('aria-label').includes(': '))")
    assert one.page.evaluate("[...document.querySelectorAll('#matrix th')].every((th) => th.scope)")
    assert one.page.evaluate("document.querySelectorAll('#matrix button[tabindex=\"0\"]').length") == 1


def test_a_stranger_cannot_run_anything(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(html([hostile()]), encoding="utf-8")
    one = opened(path, "#?show=all")
    one.page.on("dialog", lambda dialog: one.complaints.append("an alert"))
    for button in one.page.locator("#matrix td button").all():
        button.click()
        assert EVIL.rstrip("\u2028")[:40] in one.page.locator("dialog").inner_text()
        one.page.keyboard.press("Escape")
    assert one.page.locator("img, script[src]").count() == 0
    assert one.page.evaluate("document.scripts.length") == 2


def test_the_summary_stands_without_javascript(opened: Any) -> None:
    one = opened(java_script_enabled=False)
    assert "14 of 130 operations fail" in one.page.locator("table.summary").inner_text()
    assert one.page.locator("a.tile").count() > 10
    assert "not asked: would not install" in one.page.locator("main").inner_text()
