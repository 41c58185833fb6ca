"""What an implementation under test looks like to the checker, and how one is found.

An adapter is any object with these three methods; there is no base class to inherit.  It answers about codes: arrays of
unsigned integers, one code each (integer operands travel as themselves).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..cases.operation import Operation
from ..errors import Unsupported as Unsupported

Codes = NDArray[Any]


class Unavailable(Exception):
    """Raised by an adapter's constructor where the implementation cannot be started; says what would mend it."""


class Broken(Exception):
    """Raised by an adapter whose device misbehaves; the message alone is the reason of the verdict."""


@runtime_checkable
class Adapter(Protocol):
    """An implementation under test."""

    def identify(self) -> Mapping[str, str]:
        """``name``, ``version``, ``device`` and whatever else says which implementation this is."""
        ...

    def capabilities(self) -> Sequence[str]:
        """The operation ids that it claims to answer; ``*`` as a mode means "find out"."""
        ...

    def run(self, op: Operation, *operands: Codes) -> Codes | tuple[Codes, NDArray[np.uint8]]:
        """Result codes of operand codes, element by element; with ``op.flags`` also the status, uint8."""
        ...


@runtime_checkable
class Documented(Protocol):
    """An adapter that can say where its documentation promises what it claims."""

    def source(self, op: Operation) -> str:
        """The sentence or measurement behind the claim for an operation: a citation in a few words."""
        ...
