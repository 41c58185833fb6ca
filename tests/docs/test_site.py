"""What is copied beside the built pages has names of its own, and the pages lead to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))

pytest.importorskip("jinja2")

import explorer_page  # noqa: E402
import md  # noqa: E402
import notebook  # noqa: E402


@pytest.mark.parametrize(
    ("name", "shown_by"),
    [
        (explorer_page.PAGE, "explorer.md"),
        ("conformance.html", "matrix.md"),
        (Path(notebook.FILE).name, "notebook.md"),
    ],
)
def test_a_copied_file_hides_no_page_and_is_linked(name: str, shown_by: str) -> None:
    docs = ROOT / "docs"
    assert not name.endswith(".html") or not (docs / name).with_suffix(".md").exists()
    page = (docs / shown_by).read_text(encoding="utf-8")
    assert f'"{name}"' in page


def test_what_an_earlier_build_left_is_not_copied(tmp_path: Path) -> None:
    for name in ("explore.html", "explorer.html", "rows/a.html", "rows/b.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    md.sweep(tmp_path, {tmp_path / "explore.html", tmp_path / "rows" / "a.html"})
    left = [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*")) if p.is_file()]
    assert left == ["explore.html", "rows/a.html"]
