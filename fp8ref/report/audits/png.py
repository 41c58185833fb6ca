"""Small pictures with a palette, as PNG: what a browser shows offline, and without a drawing library."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]


def png(cells: NDArray[np.uint8], palette: Sequence[Colour]) -> bytes:
    """A picture of a pixel a cell.  ``cells``: indices into ``palette``, (rows, columns).  [PNG 1.2]"""
    rows, columns = cells.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each line begins with its filter: 0, none
    lines[:, 1:] = cells
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", bytes(c for colour in palette for c in colour)),
             (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def data_uri(cells: NDArray[np.uint8], palette: Sequence[Colour]) -> str:
    """The picture as the address of an image."""
    return "data:image/png;base64," + base64.b64encode(png(cells, palette)).decode()
