"""What a mutant of conversions or of arithmetic is: its answer, and what the checker should find.

``fp8ref check --impl mini:truncates`` must fail and name the fault; ``mini:correct`` must pass.  ``diagnosis`` is the
rule that the checker should name (``unexplained`` where no single wrong rule fits), ``where`` part of its circumstance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...cases.operation import Operation
from ..base import Codes

SAT, NONSAT = "convert/f32/e4m3fn/rne.sat", "convert/f32/e5m2/rne.nonsat"
UNEXPLAINED = "unexplained"


@dataclass
class Mutant:
    """One mutant: what it answers, what the diagnosis should say and where, and what it claims."""

    answer: Callable[..., Any]
    diagnosis: str = ""
    where: str = ""
    claims: tuple[str, ...] = (SAT, NONSAT)
    name: str = ""
    remembers: bool = False  # ``answer`` takes ``memory`` as well
    memory: dict[str, Any] = field(default_factory=dict, init=False)

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self.claims

    def run(self, op: Operation, *operands: Codes) -> Any:
        if self.remembers:
            return self.answer(op, *operands, self.memory)
        return self.answer(op, *operands)


def wrong(answer: Any, diagnosis: str, claims: tuple[str, ...] = (SAT, NONSAT), where: str = "") -> Mutant:
    return Mutant(answer, diagnosis, where, claims)
