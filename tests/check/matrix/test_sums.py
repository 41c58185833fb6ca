"""Mistakes of units that add exact products: named where they are made, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from fp8ref.cases.answers import Expected, expect
from fp8ref.cases.operation import Operation
from fp8ref.check.matrix.sums import is_judged, mistakes, mistakes_in
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Block, Section

UNIT = "dot/e5m2.e5m2/f16/exact.{}.nonsat;flags=1;k=2;zero=ieee"

# worked out by hand; e5m2: 3C is 1, 3D 1.25, 7C infinity, 01 2^-16; f16: 3C00 is 1, ulp 2^-10
# mode, a, b, C: the right result and status, and those of a unit with the mistake
BY_HAND = {
    # 0 x Inf + 1 x 1 + 0: NaN and NV, or just 1
    "zero-gates-lane": ("rne", (0x00, 0x3C), (0x7C, 0x3C), 0x0000, (0x7E00, 0x10), (0x3C00, 0x00)),
    # 1 + 2^-16 x 1 + 1 in binary16: 2 + 2^-16 is 2 either way; with C = -1 what is left is 2^-16, or nothing
    "products-rounded-first": ("rne", (0x3C, 0x01), (0x3C, 0x3C), 0xBC00, (0x0100, 0x00), (0x0000, 0x01)),
    # 1 + 2^-16 up: 1 + 2^-10; the guard bit alone is 0
    "no-sticky": ("rtp", (0x3C, 0x01), (0x3C, 0x3C), 0x0000, (0x3C01, 0x01), (0x3C00, 0x01)),
    # 2^-16 x 2^-16 down: 0, tiny and inexact
    "no-uf": ("rtn", (0x01, 0x00), (0x01, 0x00), 0x0000, (0x0000, 0x03), (0x0000, 0x01)),
    # 1 x 1 + 1.25 x 0, or 1 x 0 + 1.25 x 1
    "lanes-reversed": ("rna", (0x3C, 0x3D), (0x3C, 0x00), 0x0000, (0x3C00, 0x00), (0x3D00, 0x00)),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_what_a_mistake_answers(name: str) -> None:
    mode, a, b, c, right, wrong = BY_HAND[name]
    op = Section.of(UNIT.format(mode)).operation
    operands = [np.array([a], np.uint8), np.array([b], np.uint8), np.array([c], np.uint16)]
    mistake = next(m for m in mistakes(op) if m.name == name)
    for found, (code, status) in ((expect(op, operands), right), (mistake.answers(op, operands), wrong)):
        assert found.status is not None
        assert (found.codes.tolist(), found.status.tolist()) == ([code], [status])


def asked(mode: str, n: int = 120) -> tuple[Operation, list[np.ndarray]]:  # type: ignore[type-arg]
    recipe = Recipe.of(UNIT.format(mode), each=2, n=n)
    return recipe.operation, list(Block.joined(generate(recipe, bins=False)).operands)


def test_the_right_answers_have_no_mistake_and_two_mistakes_are_not_one() -> None:
    op, operands = asked("rtn")
    right = expect(op, operands)
    assert mistakes_in(op, operands, right) == []
    assert right.status is not None
    both = Expected(right.codes ^ np.uint16(1), right.status & np.uint8(29))
    assert mistakes_in(op, operands, both) == []
    assert [m.name for m in mistakes_in(op, operands, Expected(right.codes, right.status & np.uint8(29)))] == ["no-uf"]


@pytest.mark.full
@pytest.mark.parametrize("mode", ["rne", "rtz", "rtn", "rtp", "rna"])
def test_every_mistake_is_named_by_the_vectors_of_every_bin(mode: str) -> None:
    recipe = Recipe.of(UNIT.format(mode))
    op, operands = recipe.operation, Block.joined(generate(recipe, bins=False)).operands
    right = expect(op, operands)
    named = 0
    for mistake in mistakes(op):
        try:
            made = mistake.answers(op, operands)
        except NotImplementedError:
            continue
        same = (made.codes == right.codes).all() and (made.status == right.status).all()
        names = [m.name for m in mistakes_in(op, operands, made)]
        assert names == ([] if same else [mistake.name])
        named += not same
    assert named >= 28


def test_what_is_judged() -> None:
    for text, judged in (
        ("dot/e4m3fn.e4m3fn/f32/exact;k=4", True),
        ("dot/e5m2.e5m2/fx40.20/exact.rne.wrap;c=none;k=4", False),
        ("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32", False),
        ("mul/e5m2.e5m2/e5m2/rne.nonsat", False),
    ):
        assert is_judged(Section.of(text).operation) is judged
