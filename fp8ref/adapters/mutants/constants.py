"""Mutants that publish constants: one planted fault each, to judge how constants are judged.

``fp8ref check --impl mini:constants-min-as-in-c`` must fail and name the fault; ``mini:constants-correct`` must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from ...cases.operation import Operation
from ...spec.catalog import formats, get_format
from ...spec.formats import Format
from ...spec.profiles.constants import CONSTANTS, constant
from ..base import Codes
from ..claims import constant_claims, published

UNEXPLAINED = "unexplained"
Answer = Callable[[Format, str], float]


def right(f: Format, name: str) -> float:
    """The constant of a name."""
    return float(constant(name, f))


@dataclass
class ConstantMutant:
    """What it publishes, what the diagnosis should say, and what it claims; all constants where nothing is said."""

    answer: Answer
    claims: tuple[str, ...] = ()
    diagnosis: str = ""
    name: str = ""

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return self.claims or [op.id for op in constant_claims(CONSTANTS, (f.name for f in formats()))]

    def run(self, op: Operation, *operands: Codes) -> Codes:
        name = op.mode or ""
        value = self.answer(get_format(op.operands[0]), name)
        return published(op, operands[0], SimpleNamespace(**{name: value}))


def wrong(answer: Answer, diagnosis: str, claim: str) -> ConstantMutant:
    return ConstantMutant(answer, (claim,), diagnosis)


def of(other: str) -> Answer:
    """The constant of another format."""
    return lambda f, name: right(get_format(other), name)


CONSTANT_MUTANTS = {
    "constants-correct": ConstantMutant(right),
    "constants-storage": ConstantMutant(lambda f, name: 8, ("finfo/e2m1fn/i64/bits", "finfo/e3m2fn/i64/bits")),
    "constants-min-as-in-c": wrong(
        lambda f, name: right(f, "tiny"), "constant-smallest_normal", "finfo/e4m3fn/f64/min"),
    "constants-tiny-subnormal": wrong(
        lambda f, name: right(f, "smallest_subnormal"), "constant-smallest_subnormal", "finfo/e5m2/f64/tiny"),
    "constants-eps-rounds": wrong(lambda f, name: right(f, name) / 2, "half", "finfo/e2m3fn/f64/eps"),
    "constants-epsneg-halved": wrong(lambda f, name: right(f, "eps") / 2, "half", "finfo/e2m1fn/f64/epsneg"),
    "constants-code-kept": wrong(
        lambda f, name: right(f, name) / 2, "code-of-e5m2", "finfo/e5m2fnuz/f64/eps"),
    "constants-max-of-ocp": wrong(of("e4m3fn"), "format-e4m3fn", "finfo/e4m3fnuz/f64/max"),
    "constants-exponent-of-ieee": wrong(of("e4m3"), "format-e4m3", "finfo/e4m3fn/i64/maxexp"),
    "constants-implicit-bit": wrong(lambda f, name: f.p, "one-more", "finfo/e3m4/i64/nmant"),
    "constants-below": wrong(lambda f, name: 416.0, UNEXPLAINED, "finfo/e4m3fn/f64/max"),
}  # fmt: skip
CONSTANT_FAULTY = tuple(name for name, mutant in CONSTANT_MUTANTS.items() if mutant.diagnosis)
