"""Pictures of formats through ``fp8ref.plots``, drawn again only when the format or the plots have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fp8ref import plots
from fp8ref.spec import Format

KINDS: dict[str, Callable[[Format], Any]] = {
    "number-line": plots.number_line,
    "staircase": plots.staircase,
    "relative-error": lambda f: plots.relative_error([f]),
}
SOURCES = ("style.py", "formats.py", "staircase.py")  # of fp8ref.plots: what these pictures depend on


def draw(formats: Sequence[Format], kinds: Sequence[str], docs: Path) -> dict[str, tuple[str, ...]]:
    """SVG pictures of formats of at most 8 bits; for each name their paths, relative to the docs folder."""
    folder = docs / "generated" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return {f.name: tuple(_drawn(f, kind, folder) for kind in kinds) for f in formats}


def _drawn(f: Format, kind: str, folder: Path) -> str:
    path, seal = folder / f"{f.name}-{kind}.svg", folder / f"{f.name}-{kind}.seal"
    sources = b"".join(Path(plots.__file__).with_name(name).read_bytes() for name in SOURCES)
    fresh = hashlib.sha256(sources + repr((f.name, f.shape)).encode()).hexdigest()
    if not (path.exists() and seal.exists() and seal.read_text() == fresh):
        plots.save(KINDS[kind](f), str(path))
        seal.write_text(fresh)
    return f"generated/pictures/{path.name}"
