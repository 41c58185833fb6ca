"""What notebooks show: an object says that it can be shown, and a higher floor knows how.

The package's face sets ``renderer``; until then, and where nothing is known of a kind, an object shows as its text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

renderer: Callable[[str, Any], str | None] | None = None


def html(kind: str, shown: Any) -> str | None:
    """A piece of HTML that shows an object; None: its text is all there is.  ``kind``: what it is shown as."""
    return None if renderer is None else renderer(kind, shown)


class Shown:
    """A class whose objects a notebook shows as a ``kind``."""

    _kind = ""

    def __init_subclass__(cls, kind: str, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._kind = kind

    def _repr_html_(self) -> str | None:
        return html(self._kind, self)
