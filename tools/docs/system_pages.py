"""Pictures of the papers' systems, drawn again only when the code behind them has changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import md

from fp8ref import plots
from fp8ref.systems import CATALOGUE, System
from fp8ref.systems.fp8_bert.experiment import Findings


def pages(docs: Path) -> dict[str, str]:
    """The table of the index; the pictures are written beside it."""
    folder = docs / "generated" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    source = b"".join(
        path.read_bytes()
        for package in ("plots", "systems")
        for path in sorted(Path(plots.__file__).parents[1].joinpath(package).rglob("*.py"))
    )
    recorded = docs / "data" / "fp8-bert.json"  # minutes, and a package of weights: drawn from what was measured
    source += recorded.read_bytes()
    fresh = hashlib.sha256(source).hexdigest()
    for system in CATALOGUE:
        if system.plot in plots.PLOTS:
            path, seal = folder / f"system-{system.name}.svg", folder / f"system-{system.name}.seal"
            if not (path.exists() and seal.exists() and seal.read_text() == fresh):
                plots.save(_picture(system, recorded), str(path))
                seal.write_text(fresh)
    return {"systems.md": md.table(["system", "what", "paper"], [_row(docs, system) for system in CATALOGUE])}


def _picture(system: System, recorded: Path) -> Any:
    if system.name == "fp8-bert":
        return plots.fp8_bert(Findings.of(json.loads(recorded.read_text(encoding="utf-8"))["findings"]))
    return plots.PLOTS[system.plot].draw()


def _row(docs: Path, system: System) -> list[str]:
    number = system.paper.removeprefix("arXiv ")
    page = docs / "systems" / f"{system.name}.md"
    name = f"[{system.name}]({page.name})" if page.exists() else md.code(system.name)
    return [name, system.title, f"[{system.paper}](https://arxiv.org/abs/{number})"]
