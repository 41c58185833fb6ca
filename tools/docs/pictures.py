"""Pictures of formats through ``fp8ref.plots``, drawn again only when the format or the plots have changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fp8ref.spec import Format


def draw(formats: Sequence[Format], folder: Path) -> dict[str, tuple[str, ...]]:
    return {}
