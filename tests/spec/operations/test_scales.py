"""Arithmetic in E8M0 as a named choice: exact, then converted; checked against powers of two by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

import fp8ref
from fp8ref.adapters.base import Codes
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.check.compare import Options
from fp8ref.check.harness.here import Here
from fp8ref.check.judge import judge
from fp8ref.check.verdict import Report, Verdict

E8M0 = "e8m0fnu"


def test_no_standard_defines_it() -> None:
    with pytest.raises(ValueError, match="or semantics=scales"):
        fp8ref.multiply([127], [127], E8M0)
    with pytest.raises(ValueError, match="semantics=scales"):
        Operation.parse("mul/e8m0fnu.e8m0fnu/e8m0fnu/rne.sat")


@pytest.mark.parametrize(
    ("op", "codes", "want"),
    [
        ("multiply", (130, 125), 128),  # 2^3 2^-2
        ("multiply", (10, 20), 0),  # 2^-224: the smallest
        ("multiply", (250, 250), 254),  # 2^246: saturated
        ("add", (127, 127), 128),
        ("add", (127, 126), 128),  # 1.5: the even code
        ("add", (128, 127), 128),  # 3, between 2 and 4: the even code
        ("subtract", (127, 127), 0),
        ("subtract", (126, 127), 255),  # negative
        ("divide", (127, 130), 124),
        ("add", (255, 1), 255),
    ],
)
def test_by_hand(op: str, codes: tuple[int, int], want: int) -> None:
    a, b = ([c] for c in codes)
    assert getattr(fp8ref, op)(a, b, E8M0, semantics="scales").tolist() == [want]


class Unit:
    def __init__(self, change: Callable[[Codes], Codes]) -> None:
        self.change = change

    def identify(self) -> Mapping[str, str]:
        return {"name": "unit", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return []

    def run(self, op: Operation, *operands: Codes) -> Codes:
        return self.change(expect(op, operands).codes)


def judged(claim: str, change: Callable[[Codes], Codes]) -> Report:
    return judge(Here(Unit(change)), Operation.parse(claim), Options())


def test_the_judge() -> None:
    """Zero may become NaN, if it does so everywhere; it may not become 1."""
    claim = "log2/e8m0fnu/e8m0fnu/rne.sat;semantics=scales"  # 0 at one operand alone
    assert judged(claim, lambda z: z).verdict is Verdict.PASS
    allowed = judged(claim, lambda z: np.where(z == 0, 255, z).astype(np.uint8))
    assert (allowed.verdict, allowed.allowed) == (Verdict.ALLOWED, {"scales-zero": 1})
    assert judged(claim, lambda z: np.where(z == 0, 127, z).astype(np.uint8)).verdict is Verdict.FAIL
