"""Pictures of the papers' systems, drawn again only when the code behind them has changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import md

from fp8ref import plots
from fp8ref.systems import CATALOGUE, System, fp8_bert
from fp8ref.systems.fp8_bert.experiment import Findings
from fp8ref.systems.fp8_bert.severity import crossover, predicted


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
    return {
        "systems.md": md.table(["system", "what", "paper"], [_row(docs, system) for system in CATALOGUE]),
        **_fp8_bert(_findings(recorded)),
    }


def _picture(system: System, recorded: Path) -> Any:
    return plots.fp8_bert(_findings(recorded)) if system.name == "fp8-bert" else plots.PLOTS[system.plot].draw()


def _findings(recorded: Path) -> Findings:
    return Findings.of(json.loads(recorded.read_text(encoding="utf-8"))["findings"])


def _fp8_bert(found: Findings) -> dict[str, str]:
    """The recorded run: what the command prints, and every activation with what the theory says of it."""
    shown = fp8_bert.table(found)
    rows = []
    for t in found.tensors:
        if t.operand == "activations":
            levels = [f"{t.sqnr[f]:.2f} ({predicted(f, t.severity):.2f})" for f in ("int8", "e4m3fn", "e5m2")]
            theory = "E4M3" if t.severity > crossover("e4m3fn") else "INT8"
            better = "E4M3" if t.sqnr["e4m3fn"] > t.sqnr["int8"] else "INT8"
            rows.append([md.code(t.layer), f"{t.severity:.2f}", *levels, theory, better])
    headings = ["input of", "amax/sigma", "INT8 dB", "E4M3 dB", "E5M2 dB", "theory's choice", "better"]
    notes = "\n".join(f"- {note}" for note in shown.notes)
    return {
        "systems/fp8-bert.md": md.table(shown.columns, shown.rows, range(1, len(shown.columns))) + "\n" + notes,
        "systems/fp8-bert-activations.md": md.table(headings, rows, range(1, 5)),
    }


def _row(docs: Path, system: System) -> list[str]:
    number = system.paper.removeprefix("arXiv ")
    page = docs / "systems" / f"{system.name}.md"
    name = f"[{system.name}]({page.name})" if page.exists() else md.code(system.name)
    return [name, system.title, f"[{system.paper}](https://arxiv.org/abs/{number})"]
