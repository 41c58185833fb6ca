"""What comes of a question to an implementation: answers, a decline, a failure, a mishap that was survived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Codes = NDArray[Any]
Call = tuple[Sequence[Codes], str]  # operands, layout
Answer = tuple[Codes, Codes | None]  # result codes; status or amax where it is asked for

TRIES = 5  # of one call in all


class Declined(Exception):
    """The implementation does not support the operation."""


class Failed(Exception):
    """A question without an answer.

    ``inputs``: the operand codes of the one case that suffices, where one does; ``length``: how many elements the
    smallest call has that fails so.  Both are None where that was not looked for or not found.
    """

    kind = "crash"

    def __init__(self, reason: str, tries: int = TRIES) -> None:
        super().__init__(reason)
        self.tries = tries
        self.inputs: tuple[int, ...] | None = None
        self.length: int | None = None


class Crashed(Failed):
    """It raised, returned something else than asked, used too much, or its process ended."""


class TimedOut(Failed):
    """It did not answer in time and was ended."""

    kind = "timeout"


@dataclass(frozen=True)
class Mishap:
    """What went wrong and did not happen again when the same was asked anew."""

    kind: str  # crash or timeout
    reason: str
    times: int = 1

    def __str__(self) -> str:
        often = "once" if self.times == 1 else f"{self.times} times"
        return f"{self.reason} ({often}; asked again, it answered)"
