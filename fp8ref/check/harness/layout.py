"""How operands lie in the memory that an implementation is handed.

Vectorised code takes other paths for tails, strides and odd addresses, so the same cases are asked in each of these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ELEMENT = 8  # bytes reserved for an element of any carrier
OPERANDS = 6  # regions for operands; then one for result codes and one for what is beside them
REGIONS = OPERANDS + 2
ALIGNED = 512  # elements: slots begin at a page
DONE, HEADER = 0, 4096  # bytes: where the child counts the calls that it has answered; where the regions begin


@dataclass(frozen=True)
class Layout:
    """One arrangement: where element i lies, in units of elements from the start of the slot."""

    name: str
    start: int
    step: int
    text: str


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("plain", 0, 1, "contiguous, aligned to a page"),
        Layout("offset", 1, 1, "contiguous, one element past an aligned address"),
        Layout("strided", 0, 2, "every second element of a buffer"),
        Layout("reversed", -1, -1, "a negative stride"),
    )
}


def span(layout: Layout, n: int) -> int:
    """How many elements of buffer n elements in a layout take."""
    return layout.start + n if layout.step == 1 else n * abs(layout.step)


@dataclass(frozen=True)
class Slot:
    """Where one call's arrays lie: up to n elements in a layout, from an aligned element of each region on."""

    start: int
    n: int
    layout: str = "plain"

    def view(
        self, arena: Any, dtype: np.dtype[Any], region: int, capacity: int, shape: tuple[int, ...]
    ) -> NDArray[Any]:
        """The call's view of a region of ``capacity`` elements, as an array of a shape."""
        layout = LAYOUTS[self.layout]
        offset = HEADER + (region * capacity + self.start) * ELEMENT
        n = math.prod(shape)
        whole = np.frombuffer(arena, dtype, span(layout, n), offset)
        return (whole[::-1] if layout.step < 0 else whole[layout.start :: layout.step][:n]).reshape(shape)


def arena_size(capacity: int) -> int:
    """Bytes of memory that are shared with the child: the header, then regions of ``capacity`` elements."""
    return HEADER + REGIONS * capacity * ELEMENT


@lru_cache(maxsize=256)
def slots(calls: tuple[tuple[int, str], ...]) -> list[Slot]:
    """Slots for calls whose largest array has n elements in a layout, one behind the other."""
    found, start = [], 0
    for n, layout in calls:
        found.append(Slot(start, n, layout))
        start += -(-span(LAYOUTS[layout], n) // ALIGNED) * ALIGNED
    return found


def extent(found: Sequence[Slot]) -> int:
    """How many elements of a region the slots take."""
    return max((slot.start + span(LAYOUTS[slot.layout], slot.n) for slot in found), default=0)
