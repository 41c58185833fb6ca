"""breccia: the elements of its block-scaled tensors, E4M3, E5M2 and E2M1, by a search in a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...cases.operation import ANY_MODE, Operation
from ..base import Codes
from ..library import Library

NAMES = {"e4m3fn": "e4m3", "e5m2": "e5m2", "e2m1fn": "e2m1"}
CHUNK = 1 << 14  # it compares every element with every value of the table at once


class Breccia(Library):
    """``encode_*`` and ``decode_*`` of ``breccia._formats``."""

    module = "breccia._formats"
    package = "breccia"
    said = 'breccia, encode_e4m3: "round-to-nearest", saturates, NaN to NaN; nothing of ties'

    def operations(self) -> Iterator[Operation]:
        for name in NAMES:
            yield Operation.convert("f32", name, ANY_MODE)
            yield Operation.decode(name, "f32")

    def answer(self, op: Operation, *operands: Codes) -> Any:
        (x,) = operands
        if op.family == "decode":
            return getattr(self.lib, f"decode_{NAMES[op.operands[0]]}")(x)
        encode = getattr(self.lib, f"encode_{NAMES[op.result]}")
        flat = x.reshape(-1).view(np.float32)
        parts = [encode(flat[at : at + CHUNK]) for at in range(0, flat.size, CHUNK)]
        return np.concatenate([np.zeros(0, np.uint8), *parts]).reshape(x.shape)
