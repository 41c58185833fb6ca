"""The page of an audit in a real browser: no wider than a phone, it works by keyboard, and nothing complains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the extra browser")

from report.audits.test_audit_page import file, page  # noqa: E402
from report.runs.test_page import CHROMIUM, FLAGS  # noqa: E402  (skips where there is no Chromium)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.mark.full
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_phone_and_desk_in_light_and_dark(browser: Any, width: int, scheme: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.html"
    path.write_text(
        page(file(tmp_path, "model.layers.0." + "a_long_name_without_a_place_to_break" * 3)), encoding="utf-8"
    )
    opened = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text))
    opened.goto(path.as_uri())
    tensor = opened.locator("details.tensor").first
    tensor.locator("summary").focus()
    opened.keyboard.press("Enter")
    assert tensor.evaluate("e => e.open")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    images = "Array.from(document.images).every(i => i.complete && i.naturalWidth > 0)"
    assert opened.evaluate(images)
    ink, ground = (opened.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
    assert ink != ground
    dark = sum(int(part) for part in ground[4:-1].split(",")[:3]) < 3 * 128
    assert dark == (scheme == "dark")
    assert complaints == []
    opened.close()
