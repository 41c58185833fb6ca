"""Products of operands of more than 19 bits: exact, by chains, trees and aligned units, against sums of Fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from second_oracles import matrix_units as second

import fp8ref
from fp8ref.spec.datum import Datum
from fp8ref.spec.matrix.products import dot as reference

Array = np.ndarray[Any, Any]
KINDS = ("normal", "any code", "cancelling", "few bits", "tiny")


def drawn(kind: str, k: int = 6, n: int = 10) -> tuple[Array, Array, Array]:
    """Finite float32 operands and C."""
    rng = np.random.default_rng(len(kind))
    a, b, c = rng.standard_normal((n, k)), rng.standard_normal((n, k)), rng.standard_normal(n)
    if kind == "any code":
        a, b = (rng.integers(0, 1 << 32, (n, k), dtype=np.uint32).view(np.float32) for _ in "ab")
        a, b = (np.where(np.isfinite(x), x, 1).astype(np.float32) for x in (a, b))
    elif kind == "cancelling":
        a[:, 1::2], b[:, 1::2] = -a[:, ::2], b[:, ::2]
        a[:, -1] *= 1 + 2.0**-20
        c *= 2.0**-30
    elif kind == "few bits":
        a, b, c = np.round(a * 4), 2.0 ** rng.integers(-30, 30, (n, k)), np.round(c)
    elif kind == "tiny":
        a, b = a * 2.0**-76, b * 2.0 ** rng.integers(-76, -70, (n, 1))
        c *= 2.0**-145
    return a.astype(np.float32), b.astype(np.float32), c.astype(np.float32)


def code(x: float) -> int:
    return int(np.float32(x).view(np.uint32))


def same(got: int, want: int, name: str = "f32") -> bool:
    """Equal codes; the sign of a zero is asked elsewhere."""
    sign = 1 << (sum(second.FIELDS[name][:2]))
    return got == want or {got, want} <= {0, sign}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("result", ["f32", "f16", "f64"])
def test_exact_sums(kind: str, result: str) -> None:
    a, b, c = drawn(kind)
    got = fp8ref.dot(a, b, c=c, result=result)
    outer = fp8ref.matmul(a, b.T, result=result)
    for i in range(len(a)):
        sums = [sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], row)), Fraction(0)) for row in b]
        want = second.to_nearest(sums[i] + Fraction(float(c[i])), result)
        assert same(int(got[i : i + 1].view(f"u{got.itemsize}")[0]), want, result)
        for j, total in enumerate(sums):
            assert same(int(outer[i, j : j + 1].view(f"u{got.itemsize}")[0]), second.to_nearest(total, result), result)


def test_long_exact_sums() -> None:
    """Beyond one slice and one bound: K = 70, 3,000 and full-range operands."""
    for k, kind in ((70, "normal"), (70, "any code"), (3000, "normal")):
        a, b, _ = drawn(kind, k, 3)
        got = fp8ref.matmul(a, b.T)
        for i in range(3):
            for j in range(3):
                total = sum(Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[j]))
                assert same(code(got[i, j]), second.to_nearest(Fraction(total), "f32"))


def test_operands_of_binary64() -> None:
    """Within float64's reach, and beyond it."""
    rng = np.random.default_rng(3)
    for scale in (1.0, 2.0**-500):
        a, b = rng.standard_normal((2, 4, 5)) * scale
        for name, got in (("f64", fp8ref.dot(a, b, result="f64")), ("f32", fp8ref.dot(a, b))):
            for i in range(4):
                total = sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[i])), Fraction(0))
                assert same(int(got[i : i + 1].view(f"u{got.itemsize}")[0]), second.to_nearest(total, name), name)


def test_infinities_and_nans_of_wide_operands() -> None:
    inf = np.float32(np.inf)
    a = np.array([[inf, 1], [inf, 1], [inf, -inf], [np.nan, 1], [1, 2]], np.float32)
    b = np.array([[1, 1], [0, 1], [1, 1], [1, 1], [inf, 1]], np.float32)
    want = [np.inf, np.nan, np.nan, np.nan, np.inf]
    for accumulator in ("exact", "f32.fma", "f32.mul-add", "f32.pairwise", "f16.pairwise"):
        got = fp8ref.dot(a, b, accumulator=accumulator).astype(np.float64)
        np.testing.assert_array_equal(got, want)


def _chain(name: str, *, fused: bool) -> Callable[[Array, Array, float], int]:
    def answer(a: Array, b: Array, c: float) -> int:
        acc = second.to_nearest(Fraction(c), name)
        for x, y in zip(a, b):
            p = Fraction(float(x)) * Fraction(float(y))
            if not fused:
                rounded = second.to_nearest(p, name)
                if second.is_infinite(rounded, name):
                    return -1
                p = second.real(rounded, name)
            if second.is_infinite(acc, name):
                return -1
            acc = second.to_nearest(p + second.real(acc, name), name)
        return acc

    return answer


def _tree(name: str) -> Callable[[Array, Array, float], int]:
    def total(products: list[Fraction]) -> Fraction:
        if len(products) == 1:
            return _value(products[0])
        half = 1 << ((len(products) - 1).bit_length() - 1)
        return _value(total(products[:half]) + total(products[half:]))

    def _value(x: Fraction) -> Fraction:
        found = second.to_nearest(x, name)
        if second.is_infinite(found, name):
            raise OverflowError
        return second.real(found, name)

    def answer(a: Array, b: Array, c: float) -> int:
        try:
            return second.to_nearest(
                total([Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b)]) + _value(Fraction(c)), name
            )
        except OverflowError:
            return -1

    return answer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("accumulator", "oracle"),
    [
        (f"{name}.{how}", oracle)
        for name in ("f32", "bf16", "f64")
        for how, oracle in (
            ("fma", _chain(name, fused=True)),
            ("mul-add", _chain(name, fused=False)),
            ("pairwise", _tree(name)),
        )
    ],
)
def test_chains_and_trees(kind: str, accumulator: str, oracle: Callable[[Array, Array, float], int]) -> None:
    name = accumulator.partition(".")[0]
    a, b, c = drawn(kind)
    c = fp8ref.decode(fp8ref.encode(c, name), name, dtype=np.float64).astype(
        fp8ref.arrays.conversion.FLOAT_DTYPES[name]
    )
    got = fp8ref.dot(a, b, c=c, accumulator=accumulator)
    decided = 0
    for i in range(len(a)):
        want = oracle(a[i], b[i], float(c[i]))
        if want >= 0:
            decided += 1
            assert same(int(got[i : i + 1].view(f"u{got.itemsize}")[0]), want, name), i
    assert decided > len(a) // 3


def test_a_rounded_product_is_no_fused_one() -> None:
    """(1 + 2**-23)**2 - 1 - 2**-22 is 2**-46 with one rounding, 0 with two."""
    x = np.array([1 + 2.0**-23], np.float32)
    c = np.float32(-1 - 2.0**-22)
    assert fp8ref.dot(x, x, c=c, accumulator="f32.fma") == 2.0**-46
    assert fp8ref.dot(x, x, c=c, accumulator="f32.mul-add") == 0


CUTS = {
    "rtz": lambda x: x >> 13,
    "rna": lambda x: (x + 0x1000) >> 13,
    "rne": lambda x: (x + 0xFFF + (x >> 13 & 1)) >> 13,
}


@pytest.mark.parametrize("rounding", CUTS)
@pytest.mark.parametrize("kind", ["normal", "few bits", "tiny"])
def test_tf32_units_fed_binary32(rounding: str, kind: str) -> None:
    """The low 13 bits go before the unit sees them, by a named rounding."""
    a, b, c = drawn(kind, 8)
    cut = CUTS[rounding]
    name = f"ampere.mma.tf32.f32+in.tf32.{rounding}"
    got = fp8ref.dot(a, b, c=c, accumulator=name)
    for i in range(len(a)):
        x, y = ([cut(int(v)) for v in side[i].view(np.uint32)] for side in (a, b))
        want = second.nvidia(x, y, "tf32", "tf32", code(c[i]), "f32", 4, 24, 24)
        assert same(code(got[i]), want)
        codes = [int(v) for v in a[i].view(np.uint32)], [int(v) for v in b[i].view(np.uint32)]
        assert reference(*codes, "f32", c=Datum.of(float(c[i])), accumulator=name) == code(got[i])


def test_conversions_inside_other_compositions() -> None:
    a, b, _ = drawn("normal", 40)
    for rest in ("+promote8.fadd", "+splitk2", "+splitk2+out.relu"):
        got = fp8ref.dot(a, b, accumulator=f"ampere.mma.tf32.f32+in.tf32.rna{rest}")
        own = [fp8ref.encode(x, "tf32", rounding="rna") for x in (a, b)]
        want = fp8ref.dot(*own, "tf32", accumulator=f"ampere.mma.tf32.f32{rest}")
        assert got.tobytes() == want.tobytes()
        name = f"ampere.mma.tf32.f32+in.tf32.rna{rest}"
        codes = [int(v) for v in a[0].view(np.uint32)], [int(v) for v in b[0].view(np.uint32)]
        assert reference(*codes, "f32", accumulator=name) == code(got[0])


def test_units_that_align_wide_operands() -> None:
    """A fused unit whose operands have a full 24 bits: cut at 24 fraction bits of the largest product."""
    from fp8ref.spec.matrix.accumulate import Fused

    unit = Fused(name="unit", k=4, products=4, fraction_bits=24, min_exponent=-126)
    for kind in ("normal", "few bits", "cancelling"):
        a, b, c = drawn(kind, 8)
        got = fp8ref.dot(a, b, c=c, accumulator=unit)
        for i in range(len(a)):
            x, y = ([int(v) for v in side[i].view(np.uint32)] for side in (a, b))
            assert same(code(got[i]), second.nvidia(x, y, "f32", "f32", code(c[i]), "f32", 4, 24, 24))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ampere.mma.tf32.f32+in.bf16.rne", "takes tf32"),
        ("ampere.mma.tf32.f32+splitk2+in.tf32.rne", "comes first"),
        ("f32.fma+in.ue4m3.rne", "signed float"),
        ("f32.fma+in.tf32.sr-a", "none of"),
        ("f32.fma+in.nosuch.rne", "nosuch"),
    ],
)
def test_conversions_that_do_not_fit(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fp8ref.dot(np.ones(4, np.float32), np.ones(4, np.float32), accumulator=name)
