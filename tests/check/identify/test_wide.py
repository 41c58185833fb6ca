"""binary32 operands: fused or not, and what TF32 does to them; the answers are written here."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from second_oracles import matrix_units as second

from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import Cases, random_cases, special_cases
from fp8ref.check.identify.accumulators import agrees, catalogue

OP = Operation.parse("dot/f32.f32/f32/*;k=4")
RNG = np.random.default_rng(1)
ASKED = Cases.joined([random_cases(OP, 96, RNG, ("normal", "one sign", "cancelling C")), special_cases(OP, 16, RNG)])
USUAL = ("normal", "one sign", "cancelling C", "between TF32 or BF16")
CASES = ASKED.taken(np.array([i for i, name in enumerate(ASKED.names) if name in USUAL]))


def fma(a: list[int], b: list[int], c: int) -> int:
    for x, y in zip(a, b):
        c = second.to_nearest(second.real(x, "f32") * second.real(y, "f32") + second.real(c, "f32"), "f32")
    return c


def mul_add(a: list[int], b: list[int], c: int) -> int:
    for x, y in zip(a, b):
        p = second.real(second.to_nearest(second.real(x, "f32") * second.real(y, "f32"), "f32"), "f32")
        c = second.to_nearest(p + second.real(c, "f32"), "f32")
    return c


def ampere(a: list[int], b: list[int], c: int, half: int) -> int:
    """TF32 on Ampere, the low 13 bits cut, or rounded away from a half."""
    x, y = ([(v + half) >> 13 for v in side] for side in (a, b))
    return second.nvidia(x, y, "tf32", "tf32", c, "f32", 4, 24, 24)


@pytest.mark.parametrize(
    ("unit", "names"),
    [
        (fma, {"f32.fma", "cdna1.mfma.f32.f32"}),
        (mul_add, {"f32.mul-add"}),
        (lambda a, b, c: ampere(a, b, c, 0), {"ampere.mma.tf32.f32+in.tf32.rtz"}),
        (lambda a, b, c: ampere(a, b, c, 0x1000), {"ampere.mma.tf32.f32+in.tf32.rna"}),
    ],
    ids=["fma", "mul-add", "tf32 cut", "tf32 rounded away"],
)
def test_what_multiplies_binary32_is_named(unit: object, names: set[str]) -> None:
    finite = [i for i in range(CASES.size) if _sum(i) < 2**100]
    cases = CASES.taken(np.array(finite))
    rows = zip(cases.a.tolist(), cases.b.tolist(), cases.c.tolist())
    got = np.array([unit(*row) for row in rows], np.uint32)  # type: ignore[operator]
    assert {h.name for h in catalogue(OP) if agrees(OP, got, h, cases)} == names


def _sum(i: int) -> Fraction:
    return sum(
        (abs(second.real(x, "f32") * second.real(y, "f32")) for x, y in zip(CASES.a[i].tolist(), CASES.b[i].tolist())),
        abs(second.real(int(CASES.c[i]), "f32")),
    )
