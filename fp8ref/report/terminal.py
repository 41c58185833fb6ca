"""Where text is laid out in columns and colours: what it says is data, never markup and never a picture's name."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def terminal(**options: Any) -> Console:
    """A console of rich that prints texts as they are; ``options`` are its own."""
    return Console(**{"highlight": False, "markup": False, "emoji": False, **options})
