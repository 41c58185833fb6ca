"""The example notebook: it runs, every cell shows something, and a cell that fails fails the build."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "docs"))

import notebook  # noqa: E402

SOURCE = json.loads((ROOT / "docs" / notebook.SOURCE).read_text(encoding="utf-8"))


def of(*cells: str) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": [text], "outputs": []} for text in cells]}


def test_cells_share_names_and_show_what_they_print_and_give() -> None:
    first, second, third = notebook.run(of("x = 3", "print(x)\nx + 1", "import fp8ref\nfp8ref.get_format('e2m1fn')"))[
        "cells"
    ]
    assert first["outputs"] == []
    assert [o.get("text") or o["data"]["text/plain"] for o in second["outputs"]] == [["3\n"], ["4"]]
    assert third["execution_count"] == 3
    assert "text/html" in third["outputs"][0]["data"]
    assert 'class="map"' in "".join(notebook.page({"cells": [third]}))


def test_a_cell_that_fails_is_named() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        notebook.run(of("x = 3", "x / 0"))
    assert caught.value.__notes__ == ["cell 2 of the notebook"]


def test_the_source_has_no_outputs_and_a_known_form() -> None:
    assert (SOURCE["nbformat"], SOURCE["nbformat_minor"]) == (4, 5)
    assert all(cell.get("outputs", []) == [] for cell in SOURCE["cells"])
    assert len({cell["id"] for cell in SOURCE["cells"]}) == len(SOURCE["cells"])


@pytest.mark.full  # the documentation's build runs it, too
def test_every_cell_runs_and_shows_what_it_has() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    cells = [cell for cell in notebook.run(SOURCE)["cells"] if cell["cell_type"] == "code"]
    kinds = [kind for cell in cells for output in cell["outputs"] for kind in output["data"]]
    assert all(cell["outputs"] for cell in cells)
    assert (kinds.count("text/html"), kinds.count("image/svg+xml")) == (7, 1)
