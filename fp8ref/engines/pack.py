"""Arrays in JSON."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """An array of numbers as JSON: dtype, shape, and the bytes of its little-endian elements in base64."""
    dtype = array.dtype.newbyteorder("<")
    data = np.ascontiguousarray(array, dtype).tobytes()
    return {"dtype": dtype.str, "shape": list(array.shape), "data": base64.b64encode(data).decode()}


def unpack(data: dict[str, Any]) -> NDArray[Any]:
    """The array of :func:`pack`."""
    found = np.frombuffer(base64.b64decode(data["data"]), np.dtype(data["dtype"]))
    return found.astype(found.dtype.newbyteorder("=")).reshape(data["shape"])
