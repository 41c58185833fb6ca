"""Golden vectors of the systems: small JSON files of inputs and of what the exact references make of them.

Every module of a system may have ``golden() -> Sets``; :func:`text` makes of it the file ``vectors/systems/NAME.json``.
Integers are decimal, floating-point numbers are codes in hexadecimal, so that nothing depends on how a decimal is read.
Inputs come from Python's Mersenne Twister, whose stream is the same everywhere.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import System

Array = NDArray[Any]
Sets = Mapping[str, Mapping[str, Any]]  # set -> array or number by name

SCHEMA = "fp8ref/vectors/systems/1"
FLOATS: dict[np.dtype[Any], str] = {np.dtype(f"f{size}"): f"f{8 * size}" for size in (2, 4, 8)}


def gaussian(seed: int, shape: tuple[int, ...], scale: float = 1.0) -> NDArray[np.float32]:
    """float32 numbers close to N(0, scale**2): sums of twelve uniform ones, the same on every machine."""
    draw = random.Random(seed).random
    n = int(np.prod(shape))
    return np.array([scale * (sum(draw() for _ in range(12)) - 6) for _ in range(n)], np.float32).reshape(shape)


def integers(seed: int, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
    """Integers from low to high, both included, the same on every machine."""
    draw = random.Random(seed)
    n = int(np.prod(shape))
    return np.array([draw.randint(low, high) for _ in range(n)], np.int64).reshape(shape)


def has_golden(system: System) -> bool:
    return hasattr(importlib.import_module(f"{__package__}.{system.module}"), "golden")


def document(system: System) -> dict[str, Any]:
    """The golden vectors of a system, computed now by its exact reference."""
    sets = importlib.import_module(f"{__package__}.{system.module}").golden()
    found = {name: {key: as_json(value) for key, value in values.items()} for name, values in sets.items()}
    return {"fp8ref": SCHEMA, "system": system.name, "sha256": digest(found), "sets": found}


def digest(sets: Any) -> str:
    """SHA-256 of the sets as canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(json.dumps(sets, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def text(system: System) -> str:
    """The file: one set's array a line."""
    found = document(system)
    sets = found.pop("sets")
    lines = [f' "{key}": {json.dumps(value)},' for key, value in found.items()]
    blocks = [
        f"  {json.dumps(name)}: {{\n"
        + ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
        + "\n  }"
        for name, values in sets.items()
    ]
    return "{\n" + "\n".join(lines) + '\n "sets": {\n' + ",\n".join(blocks) + "\n }\n}\n"


def as_json(value: Any) -> Any:
    """A number or text as it is, an array as type, shape and values: integers, or codes of floats in hexadecimal."""
    if isinstance(value, (bool, int, str)):
        return value
    array = np.asarray(value)
    if array.dtype in FLOATS:
        codes = array.view(f"u{array.dtype.itemsize}").reshape(-1).tolist()
        return {
            "type": FLOATS[array.dtype],
            "shape": list(array.shape),
            "codes": " ".join(f"{code:0{2 * array.dtype.itemsize}X}" for code in codes),
        }
    if array.dtype.kind not in "iu":
        raise TypeError(f"golden vectors hold integers, floats and text, not {array.dtype}")
    return {"type": array.dtype.name, "shape": list(array.shape), "values": array.reshape(-1).tolist()}


def from_json(value: Any) -> Any:
    """The inverse of :func:`as_json`."""
    if not isinstance(value, dict):
        return value
    for dtype, name in FLOATS.items():
        if value["type"] == name:
            codes = [int(code, 16) for code in value["codes"].split()]
            return np.array(codes, f"u{dtype.itemsize}").view(dtype).reshape(value["shape"])
    return np.array(value["values"], value["type"]).reshape(value["shape"])
