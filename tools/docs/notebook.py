"""The example notebook, run: docs/notebook.ipynb as a page, and with its outputs as a file to download.

Cells run in this process, in order; what the last expression of a cell gives is shown as a notebook shows it.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import md

SOURCE, FILE = "notebook.ipynb", "site/notebook.ipynb"


def pages(docs: Path) -> dict[str, str]:
    notebook = run(json.loads((docs / SOURCE).read_text(encoding="utf-8")))
    return {"notebook.md": "\n".join(page(notebook)), FILE: json.dumps(notebook, indent=1)}


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with the outputs of its cells.  Raises what a cell raises, with a note that says which."""
    done = copy.deepcopy(notebook)
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in done["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            try:
                cell["outputs"] = list(outputs("".join(cell["source"]), names, count))
            except Exception as error:
                error.add_note(f"cell {count} of the notebook")
                raise
            cell["execution_count"] = count
    return done


def outputs(code: str, names: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    """Run one cell: what it prints, then what its last expression gives."""
    tree, last = ast.parse(code), None
    if isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, f"cell {count}", "exec"), names)
        value = None if last is None else eval(compile(last, f"cell {count}", "eval"), names)
    if text := printed.getvalue():
        yield {"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}
    if value is not None:
        yield {"output_type": "execute_result", "execution_count": count, "metadata": {}, "data": shown(value)}


def shown(value: Any) -> dict[str, list[str]]:
    """A value by media type, as its class has it."""
    data = {"text/plain": repr(value)}
    if html := getattr(value, "_repr_html_", lambda: None)():
        data["text/html"] = html
    if hasattr(value, "savefig"):  # a figure of matplotlib
        file = io.StringIO()
        value.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        data["image/svg+xml"] = file.getvalue()[file.getvalue().index("<svg") :]
    return {kind: text.splitlines(keepends=True) for kind, text in data.items()}


def page(notebook: dict[str, Any]) -> Iterator[str]:
    """The notebook as Markdown, with its outputs as they show in a browser."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield "".join(cell["source"]) + "\n"
            continue
        yield md.fence("".join(cell["source"]), "python")
        for output in cell["outputs"]:
            data = output.get("data", {})
            rich = data.get("text/html") or data.get("image/svg+xml")
            if rich:
                kind = "fp8ref-scroll" if "text/html" in data else "fp8ref-figure"
                lines = [line for line in "".join(rich).splitlines() if line.strip()]
                yield md.fence("\n".join([f'<div class="fp8ref-output {kind}">', *lines, "</div>"]), "{raw} html")
            else:
                yield md.fence("".join(data.get("text/plain") or output["text"]))
