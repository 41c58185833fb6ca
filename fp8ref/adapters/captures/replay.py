"""Replay: what an implementation answered when it was captured, as if it were here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...cases.operation import Operation
from ...cases.products.beside import second_of
from ...cases.products.questions import operand_types, shapes
from ..base import Codes, Unavailable, Unsupported
from . import files as captures


class Replay:
    """Answers from a capture file, ``replay:FILE``; a case that is not in it is declined, never guessed.

    Raises ValueError for a file that is no capture, Unavailable for one that cannot be read.
    """

    def __init__(self, path: str = "") -> None:
        if not path:
            raise ValueError("a replay is named replay:FILE")
        try:
            self.capture = captures.read(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
        self._answers: dict[bytes, Any] = {}
        beside = self.capture.beside
        for i, key in enumerate(self._keys(self.capture.operands, self.capture.count)):
            answer = (self.capture.answers[i], None if beside is None else beside[i])
            known = self._answers.setdefault(key, answer)
            if not all(map(np.array_equal, known, answer)):
                raise ValueError(f"{path}: the same operands have two different answers")

    def identify(self) -> Mapping[str, str]:
        source = self.capture.source
        name = source.get("device", "replay")
        rest = {key: value for key, value in source.items() if key not in ("device", "name", "version")}
        return {"name": f"replay of {name}", "device": source.get("instruction", "capture"), **rest}

    def capabilities(self) -> Sequence[str]:
        return [self.capture.operation.id]

    def source(self, op: Operation) -> str:
        return self.capture.source.get("origin", "")

    def run(self, op: Operation, *operands: Codes) -> Codes | tuple[Codes, Codes]:
        claimed, beside = self.capture.operation, self.capture.beside
        if (op.family, op.operands, op.result, second_of(op)) != (
            claimed.family, claimed.operands, claimed.result, second_of(claimed),
        ):  # fmt: skip
            raise Unsupported(f"the capture holds {claimed.id}")
        types = operand_types(claimed)
        if operand_types(op) != types or shapes(op, 1) != shapes(claimed, 1):
            raise Unsupported(f"the capture holds {claimed.id}")
        n = len(operands[0])
        out = np.empty((n, *self.capture.answers.shape[1:]), self.capture.answers.dtype)
        second = None if beside is None else np.empty(n, beside.dtype)
        for i, key in enumerate(self._keys(operands, n)):
            answer = self._answers.get(key)
            if answer is None:
                raise Unsupported("the capture does not hold this case")
            out[i] = answer[0]
            if second is not None:
                second[i] = answer[1]
        return out if second is None else (out, second)

    def _keys(self, operands: Sequence[Codes], n: int) -> list[bytes]:
        """The bytes of every case."""
        if not n:
            return []
        rows = [np.ascontiguousarray(x).reshape(n, -1).view(np.uint8).reshape(n, -1) for x in operands]
        joined = np.concatenate(rows, axis=1)
        return [row.tobytes() for row in joined]
