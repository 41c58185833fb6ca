"""What adapters of Python libraries have in common: a module, claims, operands that a library can read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays.conversion import decode, encode
from ..cases.operation import Operation, carrier_dtype
from .base import Codes
from .claims import Claims, require


class Library:
    """A library with whole-array functions.  A subclass names it, lists what it has, and answers.

    ``module``: what is imported; raises Unavailable where it cannot be.  ``package``: its name on PyPI, where another.
    ``said``: what its documentation promises of rounding and overflow.
    """

    module = ""
    package = ""
    said = "the documentation says nothing of rounding or overflow here"

    def __init__(self) -> None:
        self.lib: Any = require(self.module, f"pip install {self.package or self.module}")
        self._claims = Claims(self.operations())

    def operations(self) -> Iterable[Operation]:
        """What the library can be asked."""
        raise NotImplementedError

    def answer(self, op: Operation, *operands: Codes) -> Any:
        """An array of result codes, or of values of the result type's width, of contiguous native operand codes."""
        raise NotImplementedError

    def identify(self) -> Mapping[str, str]:
        package = self.package or self.module
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # a module that no package manager installed
            version = str(getattr(self.lib, "__version__", "unknown"))
        return {"name": package, "version": version, "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self._claims.ids

    def source(self, op: Operation) -> str:
        return "the format's own definition" if op.family == "decode" else self.said

    def run(self, op: Operation, *operands: Codes) -> Codes:
        self._claims.covering(op)
        native = [np.array(x, x.dtype.newbyteorder("="), order="C") for x in operands]
        codes = np.ascontiguousarray(self.answer(op, *native))
        carrier = carrier_dtype(op.result)
        return codes.view(carrier) if codes.dtype.itemsize == carrier.itemsize else codes


def codes_of_values(values: Any, format: str) -> Codes:
    """The codes of results that a library gives as numbers, each of which the format must have.

    Raises ValueError for one that it has not, with where it stands: no code could stand for it.
    """
    x = np.asarray(values, np.float64)
    codes: Codes = encode(x, format, overflow="nonsat")
    back = decode(codes, format)
    wrong = ~((back == x) & (np.signbit(back) == np.signbit(x)) | (np.isnan(back) & np.isnan(x)))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"element {at}: {x.reshape(-1)[at]!r} is no value of {format}")
    return codes
