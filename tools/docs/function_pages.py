"""The gallery of functions: figures, drawn again when their sources change, and the hardest operands."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import md

from fp8ref import plots

DRAWN = (  # name, format, from, to
    ("exp", "e4m3fn", -4, 4), ("log", "e4m3fn", 0.015625, 8), ("tanh", "e4m3fn", -3, 3), ("sigmoid", "e4m3fn", -6, 6),
    ("gelu", "e4m3fn", -4, 4), ("silu", "e5m2", -6, 6), ("softplus", "e4m3fn", -5, 5), ("erf", "e4m3fn", -3, 3),
    ("sin", "e4m3fn", -7, 7), ("atan", "e5m2", -8, 8), ("rsqrt", "e4m3fn", 0.0625, 8), ("exp2", "e5m2", -4, 4),
)  # fmt: skip
SHOWN = ("e4m3fn", "e5m2", "e4m3fnuz", "binary8p3se")
SOURCES = ("style.py", "formats.py", "functions.py")


def pages(docs: Path) -> dict[str, str]:
    folder = docs / "generated" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [_drawn(folder, *one) for one in DRAWN]
    hard = json.loads((docs / "data" / "hardest.json").read_text(encoding="utf-8"))
    return {"functions/pictures.md": "\n\n".join(pictures) + "\n", "functions/hardest.md": table(hard)}


def table(hard: dict[str, dict[str, list[tuple[str, float]]]]) -> str:
    """A row a function; a column a format."""
    names = list(hard["e4m3fn"])
    rows = [
        [md.code(name), *("<br>".join(f"{md.code(code)} {bits:.1f}" for code, bits in hard[f][name]) for f in SHOWN)]
        for name in names
    ]
    return md.table(["function", *SHOWN], rows)


def _drawn(folder: Path, name: str, format: str, low: float, high: float) -> str:
    path, seal = folder / f"function-{name}-{format}.svg", folder / f"function-{name}-{format}.seal"
    sources = b"".join(Path(plots.__file__).with_name(source).read_bytes() for source in SOURCES)
    fresh = hashlib.sha256(sources + repr((name, format, low, high)).encode()).hexdigest()
    if not (path.exists() and seal.exists() and seal.read_text() == fresh):
        plots.save(plots.function(name, format, low, high), str(path))
        seal.write_text(fresh)
    return f"![{name} in {format}, rounded and true, and the error in ulps](generated/pictures/{path.name})"
