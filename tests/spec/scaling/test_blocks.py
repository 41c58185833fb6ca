"""P3109's block operations on plain numbers worked out by hand or by Fractions."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from fp8ref.spec import Datum, encode, get_format, get_projection, unpack
from fp8ref.spec.scaling.blocks import (
    Block,
    dot_product,
    elementwise,
    from_block,
    reduce_add,
    reduce_multiply,
    to_block,
    to_block_max_abs_finite,
)

P4, SCALES, F16 = get_format("binary8p4se"), get_format("binary8p1uf"), get_format("f16")
RHO = get_projection(P4, "rne", "nonsat")
WIDE = get_projection(F16, "rne", "nonsat")
NAN, INF, MINUS_INF, ONE, TWO = 0x80, 0x7F, 0xFF, 0x40, 0x48
SCALE_ONE, SCALE_FOUR, SCALE_NAN = 0x80, 0x82, 0xFF


def value(code: int) -> Fraction:
    return unpack(code, P4).value


def test_values_are_scale_times_element() -> None:
    block = Block(SCALE_FOUR, (ONE, TWO | 0x80, 0x00, INF, NAN), SCALES, P4)
    assert [str(x) for x in block.values[:4]] == ["+4", "-8", "+0", "+Inf"]
    assert block.values[4].is_nan
    zero = Block(0x00, (ONE, INF), SCALES, P4)
    assert zero.values[0].is_zero
    assert zero.values[1].is_nan  # 0 times infinity
    assert all(x.is_nan for x in Block(SCALE_NAN, (ONE, 0), SCALES, P4).values)
    assert from_block(block, F16, WIDE) == (0x4400, 0xC800, 0x0000, 0x7C00, 0x7E00)


def test_into_a_given_scale() -> None:
    x = [Datum.finite(v) for v in (Fraction(4), Fraction(-6), Fraction(0))] + [Datum.infinity(1), Datum.nan()]
    assert to_block(x, SCALE_FOUR, SCALES, P4, RHO).elements == (ONE, 0xC4, 0, MINUS_INF, NAN)
    assert to_block(x, 0x00, SCALES, P4, RHO).elements == (0, 0, 0, 0, NAN)
    assert to_block(x, SCALE_NAN, SCALES, P4, RHO).elements == (NAN,) * 5
    extended = get_format("binary8p1ue")  # an infinite scale leaves the signs
    infinite = to_block(x, extended.infinity_code, extended, P4, RHO)
    assert infinite.elements == (ONE, ONE | 0x80, 0, ONE | 0x80, NAN)


def test_scale_of_the_largest_finite_magnitude() -> None:
    x = [Datum.finite(Fraction(3)), Datum.finite(Fraction(-5)), Datum.infinity(), Datum.nan()]
    up = get_projection(SCALES, "rtp", "sat")
    block = to_block_max_abs_finite(x, SCALES, up, P4, RHO)
    assert unpack(block.scale, SCALES).value == 8
    assert [value(c) for c in block.elements[:2]] == [Fraction(3, 8), Fraction(-5, 8)]
    assert block.elements[2:] == (INF, NAN)
    nothing = to_block_max_abs_finite([Datum.nan(), Datum.finite(0)], SCALES, up, P4, RHO)
    assert (nothing.scale, nothing.elements) == (0, (NAN, 0))


def test_reductions_round_once() -> None:
    rng = random.Random(1)
    for _ in range(200):
        scales = rng.randrange(0x70, 0x90), rng.randrange(0x70, 0x90)
        codes = [
            tuple(rng.choice([c for c in range(256) if c not in (NAN, INF, MINUS_INF)]) for _ in range(8)) for _ in "ab"
        ]
        a, b = (Block(s, c, SCALES, P4) for s, c in zip(scales, codes))
        s, t = (Fraction(2) ** (n - 0x80) for n in scales)
        x, y = ([value(c) * n for c in part] for part, n in zip(codes, (s, t)))
        product = Fraction(1)
        for v in x:
            product *= v
        for got, want in (
            (reduce_add(a, F16, WIDE), sum(x)),
            (reduce_multiply(a, F16, WIDE), product),
            (dot_product(a, b, F16, WIDE), sum(p * q for p, q in zip(x, y))),
        ):
            code = encode(Fraction(want), F16, "rne", "nonsat")[0]
            assert got == (0 if code == 0x8000 else code)


def test_special_values_of_reductions() -> None:
    plus, both = Block(SCALE_ONE, (INF, ONE), SCALES, P4), Block(SCALE_ONE, (INF, MINUS_INF), SCALES, P4)
    assert reduce_add(plus, F16, WIDE) == 0x7C00
    assert reduce_add(both, F16, WIDE) == 0x7E00
    assert reduce_multiply(both, F16, WIDE) == 0xFC00
    assert reduce_multiply(Block(SCALE_ONE, (INF, 0), SCALES, P4), F16, WIDE) == 0x7E00
    assert reduce_add(Block(SCALE_ONE, (ONE, NAN), SCALES, P4), F16, WIDE) == 0x7E00
    with pytest.raises(ValueError, match="2, 1 elements"):
        dot_product(plus, Block(SCALE_ONE, (ONE,), SCALES, P4), F16, WIDE)


def test_elementwise() -> None:
    a = Block(SCALE_FOUR, (ONE, TWO, NAN, ONE), SCALES, P4)
    b = Block(SCALE_ONE, (ONE, 0, ONE, TWO | 0x80), SCALES, P4)
    added = elementwise("add", [a, b], SCALE_ONE, SCALES, P4, RHO)
    assert [None if c == NAN else value(c) for c in added.elements] == [5, 8, None, 2]
    divided = elementwise("divide", [a, b], SCALE_ONE, SCALES, P4, RHO)
    assert [None if c == NAN else value(c) for c in divided.elements] == [4, None, None, -2]  # x/0 is NaN
    least = elementwise("minimum_number", [a, b], SCALE_FOUR, SCALES, P4, RHO)
    assert [value(c) for c in least.elements] == [Fraction(1, 4), 0, Fraction(1, 4), Fraction(-1, 2)]
    scaled = elementwise(
        "multiply", [Block(0x81, (ONE,), SCALES, P4)] * 2, SCALE_ONE, SCALES, P4, RHO
    )  # ScaledMultiply
    assert value(scaled.elements[0]) == 4
    with pytest.raises(ValueError, match="takes 2 block"):
        elementwise("add", [a], SCALE_ONE, SCALES, P4, RHO)
