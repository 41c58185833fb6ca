"""The plan of a replay: the captured cases are all that may be asked."""

from __future__ import annotations

from ...adapters.captures.files import Capture, read
from ...adapters.connect import Connectable
from ...cases.products.cases import Cases

REPLAY = "replay"


def captured(connectable: str) -> Capture | None:
    """The capture behind a replay; None for any other implementation.  Raises ValueError where it is no capture."""
    found = Connectable.parse(connectable)
    return read(found.id) if found.kind == REPLAY else None


def captured_cases(capture: Capture) -> Cases:
    """The cases of captured dot products."""
    a, b, c, *scales = capture.operands
    return Cases(a, b, c, ("captured",) * capture.count, tuple(scales))
