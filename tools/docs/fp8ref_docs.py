"""Sphinx extension: writes docs/generated before a build, from the code itself and from docs/data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import checker_tables
import explorer_page
import function_pages
import gallery
import matrix_page
import md
import mistakes
import notebook
import profile_tables
import recipe_tables
import reference_pages
import result_tables
import rule_tables
import steps
import system_pages
import vector_pages

PAGES: tuple[Callable[[Path], dict[str, str]], ...] = (
    gallery.pages,
    function_pages.pages,
    rule_tables.pages,
    steps.pages,
    system_pages.pages,
    checker_tables.pages,
    mistakes.generated,
    profile_tables.pages,
    recipe_tables.pages,
    result_tables.pages,
    matrix_page.pages,
    explorer_page.pages,
    vector_pages.pages,
    reference_pages.pages,
    notebook.pages,
)


def generate(docs: Path) -> None:
    """Write every generated page under ``docs/generated``; each generator gives {path: Markdown}."""
    generated = docs / "generated"
    written = set()
    for pages in PAGES:
        for path, text in pages(docs).items():
            md.write(generated / path, text)
            written.add(generated / path)
    md.sweep(generated / matrix_page.SITE, written)


def setup(app: Any) -> dict[str, Any]:
    (Path(app.srcdir) / "generated" / matrix_page.SITE).mkdir(parents=True, exist_ok=True)  # before Sphinx looks for it
    app.connect("builder-inited", lambda app: generate(Path(app.srcdir)))
    app.connect("autodoc-process-docstring", reference_pages.tame)
    app.connect("autodoc-process-signature", reference_pages.signature)
    app.connect("autodoc-skip-member", reference_pages.skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
