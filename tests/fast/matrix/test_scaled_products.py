"""Scales in dot and matmul: scaled arrays as operands, squares, odd scale values, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import fp8ref
from fp8ref.adapters.captures.files import Capture, read, write
from fp8ref.adapters.mutants.dots import DOT_MUTANTS, right
from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cases.products.cases import dot_cases
from fp8ref.cases.products.questions import operand_types, shapes, with_length
from fp8ref.spec import get_format, unpack

ALL_CASES = True  # see tests/conftest.py
RNG = np.random.default_rng(7)
X, Y = RNG.standard_normal((5, 256)).astype(np.float32), RNG.standard_normal((256, 130)).astype(np.float32)
NAN, INF = math.nan, math.inf


def exact(a: fp8ref.ScaledArray, b: fp8ref.ScaledArray, row: int, column: int) -> Fraction:
    """One entry of a product by rational arithmetic."""
    total = Fraction(0)
    for k in range(a.codes.shape[1]):
        x = (
            unpack(int(a.codes[row, k]), a.scheme.element).value
            * unpack(int(b.codes[k, column]), b.scheme.element).value
        )
        sa = a.multipliers[min(row // max(a.scheme.across, 1), a.scales.shape[0] - 1), k // a.block]
        sb = b.multipliers[k // b.block, min(column // max(b.scheme.across, 1), b.scales.shape[1] - 1)]
        total += x * Fraction(float(sa)) * Fraction(float(sb))
    for s in (a.tensor_scale, b.tensor_scale):
        total *= 1 if s is None else Fraction(float(s))
    return total


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("mxfp8_e4m3", "mxfp8_e5m2"),
        ("mxfp4", "mxfp6_e2m3"),
        ("nvfp4", "nvfp4"),
        ("mxint8", "mxint8"),
        ("block128_e4m3fn", "block128x128_e4m3fn"),
        ("row_e4m3fn", "row_e5m2"),
        ("tensor_e4m3fn", "tensor_e5m2"),
    ],
)
def test_scaled_arrays_multiply_exactly(first: str, second: str) -> None:
    a, b = fp8ref.scale_blocks(X, first), fp8ref.scale_blocks(Y, second, axis=0)
    got = fp8ref.matmul(a, b, result="f64")
    for row, column in ((0, 0), (4, 127), (2, 128), (3, 129)):
        assert got[row, column] == float(exact(a, b, row, column))


@pytest.mark.parametrize(
    ("scheme", "unit"),
    [
        ("mxfp8_e4m3", "blackwell.mxf8f6f4"),
        ("mxfp4", "blackwell.mxf4"),
        ("nvfp4", "blackwell.mxf4nvf4"),
        ("block128_e4m3fn", "hopper.wgmma.fp8.f32+promote128.ffma"),
        ("row_e4m3fn", "hopper.wgmma.fp8.f32"),
    ],
)
def test_units_take_scaled_arrays(scheme: str, unit: str) -> None:
    """As with codes, scales and block handed over one by one."""
    a, b = fp8ref.scale_blocks(X, scheme), fp8ref.scale_blocks(Y, scheme, axis=0)
    tensor = None if a.tensor_scale is None else float(a.tensor_scale) * float(b.tensor_scale or 1)
    by_hand = fp8ref.matmul(
        a.codes, b.codes, a.scheme.element, accumulator=unit, scale_a=a.multipliers, scale_b=b.multipliers,
        block=a.block, tensor_scale=tensor,
    )  # fmt: skip
    assert np.array_equal(fp8ref.matmul(a, b, accumulator=unit), by_hand)
    one = fp8ref.dot(a, fp8ref.scale_blocks(np.ascontiguousarray(Y.T[:5]), scheme), accumulator=unit)
    if tensor is None:
        assert np.array_equal(one, np.diagonal(by_hand[:, :5]))


def test_k_that_is_no_multiple_of_the_block_has_a_shorter_last_block() -> None:
    a, b = fp8ref.scale_blocks(X[:, :80], "mxfp8_e4m3"), fp8ref.scale_blocks(Y[:80], "mxfp8_e4m3", axis=0)
    assert a.scales.shape == (5, 3)
    assert fp8ref.matmul(a, b, result="f64")[1, 7] == float(exact(a, b, 1, 7))
    padded = [np.pad(x, w) for x, w in ((X[:, :80], ((0, 0), (0, 16))), (Y[:80], ((0, 16), (0, 0))))]
    wide = [fp8ref.scale_blocks(x, "mxfp8_e4m3", axis=axis) for x, axis in zip(padded, (1, 0))]
    unit = "blackwell.mxf8f6f4"
    assert np.array_equal(fp8ref.matmul(a, b, accumulator=unit), fp8ref.matmul(*wide, accumulator=unit))


ONE, ZERO = 0x38, 0x00
ODD = [  # scale_a, what 1 * 1 * scale_a is, exactly and in binary32
    (NAN, NAN), (-2.0, -2.0), (0.0, 0.0), (INF, INF), (-INF, -INF), (2.0**-140, 2.0**-140), (2.0**-149, 2.0**-149),
]  # fmt: skip


@pytest.mark.parametrize("accumulator", ["exact", "f32.fma", "hopper.wgmma.fp8.f32"])
@pytest.mark.parametrize(("scale", "want"), ODD)
def test_odd_scales_multiply_as_numbers_do(accumulator: str, scale: float, want: float) -> None:
    got = fp8ref.dot([ONE], [ONE], "e4m3fn", scale_a=scale, accumulator=accumulator, overflow="nonsat")
    assert np.array_equal(got, np.float32(want), equal_nan=True)


@pytest.mark.parametrize("accumulator", ["exact", "f32.fma", "hopper.wgmma.fp8.f32+promote128.ffma"])
@pytest.mark.parametrize("scale", [INF, -INF])
def test_an_infinite_scale_of_a_zero_sum_is_nan(accumulator: str, scale: float) -> None:
    scales = np.array([scale], np.float32)
    assert np.isnan(fp8ref.dot([ZERO], [ONE], "e4m3fn", scale_a=scales, accumulator=accumulator))


def test_block_scales_that_are_odd() -> None:
    a = np.full(64, ONE, np.uint8)
    for scale, want in ((NAN, NAN), (INF, INF), (0.0, 32.0), (-1.0, 0.0), (2.0**-149, 32.0)):
        got = fp8ref.dot(a, a, "e4m3fn", scale_a=np.array([scale, 1.0]), block=32, overflow="nonsat")
        assert np.array_equal(got, np.float32(want), equal_nan=True)


MX, NV = fp8ref.scale_blocks(X, "mxfp8_e4m3"), fp8ref.scale_blocks(X, "nvfp4")
MX_DOWN = fp8ref.scale_blocks(Y, "mxfp8_e4m3", axis=0)
B128, SQUARES = fp8ref.scale_blocks(X, "block128_e4m3fn"), fp8ref.scale_blocks(X, "block128x128_e5m2")
BAD = [
    (lambda: fp8ref.matmul(MX, fp8ref.scale_blocks(Y, "mxfp4")), "scaled along axis 1"),
    (lambda: fp8ref.matmul(NV, MX_DOWN), "16 and 32"),
    (lambda: fp8ref.matmul(MX, Y.astype(np.uint8), "e5m2"), "format_a is e5m2"),
    (lambda: fp8ref.dot(MX, MX, scale_b=2.0), "scale_b is given"),
    (lambda: fp8ref.dot(NV, NV, tensor_scale=2.0), "tensor_scale is given"),
    (lambda: fp8ref.dot(SQUARES, SQUARES), "squares"),
    (lambda: fp8ref.dot(MX, MX, accumulator="ada.mma.fp8.f32"), "one scale for all of K"),
    (lambda: fp8ref.dot(B128, B128, accumulator="blackwell.mxf8f6f4"), "no value of e8m0fnu"),
    (lambda: fp8ref.dot([1] * 40, [1] * 40, "e4m3fn", scale_a=np.ones(2), block=16), "do not fit block=16"),
    (lambda: fp8ref.dot([1] * 40, [1] * 40, "e4m3fn", scale_a=np.ones(2)), "need block="),
    (lambda: fp8ref.dot([1] * 64, [1] * 64, "e2m1fn", scale_a=[-1.0, 1], accumulator="blackwell.mxf4"), "no value"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", "e5m3fnu", accumulator="ada.mma.fp8.f32"), "takes e4m3fn, e5m2"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", accumulator="hoper.wgmma.fp8.f32"), "did you mean hopper.wgmma"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", accumulator="hopper.wgmma.fp8.f32+promote100.ffma"), "no multiple of"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(BAD)))
def test_what_does_not_fit_is_refused(case: int) -> None:
    call, said = BAD[case]
    with pytest.raises(ValueError, match=said):
        call()


def test_signed_and_unsigned_formats_mix() -> None:
    """-1 times each value of an unsigned format, exactly."""
    f = get_format("ue5m3")
    codes = np.arange(256, dtype=np.uint8)[:, None]
    got = fp8ref.dot(np.full((256, 1), 0xB8, np.uint8), codes, "e4m3fn", f)
    for code, x in enumerate(got):
        want = unpack(code, f)
        assert math.isnan(x) if want.is_nan else Fraction(float(x)) == -want.value


# -- as operations ----------------------------------------------------------------------------------------------------
def test_operands_and_shapes_of_scaled_products() -> None:
    op = Operation.parse("dot/e4m3fn.e4m3fn/f32/exact;k=80;scale=f32;block=32")
    assert operand_types(op) == ("e4m3fn", "e4m3fn", "f32", "f32", "f32")
    assert shapes(op, 7) == ((7, 80), (7, 80), (7,), (7, 3), (7, 3), (7,))
    op = with_length(Operation.parse("matmul/e2m1fn.e2m1fn/f32/blackwell.mxf4nvf4;k=64;scale=ue4m3"))
    assert op.key("block") == "16"
    assert shapes(op, 7) == ((7, 64), (64, 16), (7, 16), (7, 4), (4, 16), (7, 16))


@pytest.mark.parametrize("claim", DOT_MUTANTS["dot-scaled-correct"].claims)
def test_the_reference_answers_scaled_products(claim: str) -> None:
    """expect() against the array functions called with decoded scales."""
    op = with_length(Operation.parse(claim.replace("/*", "/exact")))
    if op.family == "matmul":
        return
    cases = dot_cases(op, 1, 0)
    assert np.array_equal(expect(op, cases.operands).codes, right(op, *cases.operands))
    name, block = op.key("scale"), int(op.key("block"))
    scales = [s.view(np.float32) if name == "f32" else fp8ref.decode(s, name) for s in cases.scales]
    given = dict(zip(("scale_a", "scale_b"), scales))
    chosen = "exact" if op.mode == "exact" else op.mode
    got = fp8ref.dot(
        cases.a, cases.b, *op.operands, c=cases.c.view(np.float32), accumulator=chosen, block=block,
        overflow="nonsat", **given,
    )  # fmt: skip
    want = expect(op, cases.operands).codes.view(np.float32)
    assert np.array_equal(got, want, equal_nan=True)
    odd = np.array([name == "odd scale" for name in cases.names])
    assert np.isnan(scales[0][odd]).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dot/e4m3fn.e4m3fn/f32/exact;block=32", "name it with scale="),
        ("dot/e4m3fn.e4m3fn/f32/exact;scale=f64", "at most 32 bits"),
        ("dot/e4m3fn.e4m3fn/f32/exact;scale=f32;block=0", "block is the number"),
        ("dot/e4m3fn.e4m3fn/f32/blackwell.mxf8f6f4;scale=f32", "takes scales in e8m0fnu"),
        ("dot/e2m1fn.e2m1fn/f32/blackwell.mxf4nvf4;scale=e8m0fnu", "blackwell.mxf4nvf4.ue8m0 takes scales in e8m0fnu"),
        ("dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32;scale=f32;block=8", "one scale for all of K"),
        ("dot/e4m3fn.e4m3fn/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu;block=16", "blocks of 32"),
    ],
)
def test_scaled_operations_that_do_not_fit(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Operation.parse(text)


def test_captures_hold_scales(tmp_path: Path) -> None:
    op = with_length(Operation.parse("dot/e4m3fn.e4m3fn/f32/blackwell.mxf8f6f4;k=64;scale=e8m0fnu"))
    cases = dot_cases(op, 1, 0).taken(np.arange(5))
    write(tmp_path / "c.jsonl", Capture(op, tuple(cases.operands), right(op, *cases.operands), {}))
    back = read(tmp_path / "c.jsonl")
    assert all(np.array_equal(x, y) for x, y in zip(back.operands, cases.operands))
    assert '"sa"' in (tmp_path / "c.jsonl").read_text()
