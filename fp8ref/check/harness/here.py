"""An implementation asked in this process: from Python, and by other people's test suites.

Nothing protects the process: an implementation that crashes it or hangs takes the caller along.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from ...adapters.base import Adapter, Broken, Unsupported
from ...cases.operation import Operation, carrier_dtype
from ...cases.products.beside import beside
from ...cases.products.questions import shapes
from . import worker
from .layout import LAYOUTS, span
from .limits import Limits
from .transport import Answer, Call, Codes, Crashed, Declined, Hello, Session


class Here(Session):
    """A session without a child process.

    ``raising``: what the implementation raises, and what is no answer, is raised to the caller with its own traceback;
    else it is a Crashed, as from a child.  ``connectable``: what names the adapter, where something does.
    """

    def __init__(self, adapter: Adapter, raising: bool = True, connectable: str = "py:here:Here") -> None:
        self.adapter, self.raising = adapter, raising
        self.connectable, self.limits = connectable, Limits()  # none is enforced; plans go by their seconds
        said = worker.hello(adapter)
        self.hello = Hello(said["identity"], tuple(said["claims"]), said["sources"])
        self.mishaps = []
        self._asked: tuple[Operation, Sequence[Call]] | None = None

    def close(self) -> None:
        """Nothing is to be ended."""

    def rest(self) -> None:
        """Nothing is to be started again."""

    def send(self, op: Operation, calls: Sequence[Call]) -> None:
        self._asked = op.put, calls

    def receive(self) -> list[Answer]:
        assert self._asked is not None
        op, calls = self._asked
        try:
            return [self._called(op, operands, layout) for operands, layout in calls]
        except Unsupported as error:
            raise Declined(str(error) or "declined") from error

    def receive_each(self) -> list[Answer | Declined]:
        assert self._asked is not None
        op, calls = self._asked
        found: list[Answer | Declined] = []
        for operands, layout in calls:
            try:
                found.append(self._called(op, operands, layout))
            except Unsupported as error:
                found.append(Declined(str(error) or "declined"))
        return found

    def _called(self, op: Operation, operands: Sequence[Codes], layout: str) -> Answer:
        try:
            result = self.adapter.run(op, *(_laid_out(codes, layout) for codes in operands))
        except Unsupported:
            raise
        except Exception as error:
            if self.raising:
                raise
            raise Crashed(str(error) if isinstance(error, Broken) else worker.raised(error)) from error
        try:
            return _answer(op, result, operands)
        except (TypeError, ValueError) as error:
            if self.raising:
                raise
            raise Crashed(str(error).removeprefix(f"{op.id}: ")) from error


def _answer(op: Operation, result: object, operands: Sequence[Codes]) -> Answer:
    n, second, given = len(operands[0]), beside(op, len(operands[0])), None
    if second is not None:
        if not (isinstance(result, tuple) and len(result) == 2):
            said = f"(codes, {second.name}), not {type(result).__name__}"
            raise TypeError(f"{op.id}: with {second.key} the answer is {said}")
        result, given = result
        _require(op, given, second.dtype, second.shape, n, second.name)
    _require(op, result, np.dtype(carrier_dtype(op.result)), shapes(op, n)[-1], n, "codes")
    return cast(Codes, result), given


def _laid_out(codes: Codes, layout: str) -> Codes:
    """A copy of an array in one of the layouts of memory."""
    found, n = LAYOUTS[layout], math.prod(codes.shape)
    whole = np.empty(span(found, n), codes.dtype)
    view: Codes = (whole[::-1] if found.step < 0 else whole[found.start :: found.step][:n]).reshape(codes.shape)
    view[...] = codes
    return view


def _require(
    op: Operation, found: object, dtype: np.dtype[np.generic], shape: tuple[int, ...], n: int, what: str
) -> None:
    if not isinstance(found, np.ndarray) or isinstance(found, np.ma.MaskedArray):  # a mask would be lost
        raise TypeError(f"{op.id}: {what} are a numpy array, not {type(found).__name__}")
    if found.dtype != dtype:
        raise TypeError(f"{op.id}: {what} have dtype {dtype}, not {found.dtype}")
    if found.shape != shape:
        raise ValueError(f"{op.id}: {what} of {n} cases have shape {shape}, not {found.shape}")
