"""LLM.int8(): the definition against arithmetic written here, arrays against the definition, and bitsandbytes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fp8ref.systems import llm_int8 as system

THRESHOLDS = [None, Fraction(6)]


def operands(seed: int, m: int = 6, k: int = 40, n: int = 5) -> tuple[Any, Any]:
    """Activations with two outlier columns, ties, a value of exactly 6 and a row of zeros; weights."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((m, k)).astype(np.float16)
    x[1, 3], x[2, 3], x[0, 9] = 25, -7.5, 6
    x[3] = (np.arange(k) - 20) / 4
    x[3, 0] = 127 / 32
    x[4] = 0
    return x, rng.standard_normal((k, n)).astype(np.float16)


def exact(a: Any) -> list[list[Fraction]]:
    return [[Fraction(float(v)) for v in row] for row in a]


def nearest_half(x: Fraction) -> float:
    """binary16, nearest even, by integers alone."""
    if x == 0:
        return 0.0
    e = max(math.floor(math.log2(abs(x))), -14)
    while abs(x) >= Fraction(2) ** (e + 1):
        e += 1
    ulp = Fraction(2) ** (e - 10)
    y = round(x / ulp) * ulp
    return float(y) if abs(y) < 65520 else math.copysign(math.inf, x)


@pytest.mark.parametrize("seed", range(3))
def test_the_definition_by_hand(seed: int) -> None:
    """Codes, outliers, integer sums and the three roundings, straight from the formulas."""
    x, w = (exact(a) for a in operands(seed))
    outliers = {h for h in range(40) if max(abs(row[h]) for row in x) >= 6}
    assert {3, 9} <= outliers
    cx = [max(abs(v) for h, v in enumerate(row) if h not in outliers) for row in x]
    cw = [max(abs(row[j]) for row in w) for j in range(5)]
    found = system.matmul_exact(x, w)
    for i in range(6):
        for j in range(5):
            total = sum(
                round(127 * x[i][h] / cx[i]) * round(127 * w[h][j] / cw[j]) if cx[i] else 0
                for h in range(40)
                if h not in outliers
            )
            regular = nearest_half(Fraction(total) * cx[i] * cw[j] / 16129)
            outlying = nearest_half(sum(x[i][h] * w[h][j] for h in outliers))
            want = [regular, outlying, nearest_half(Fraction(regular) + Fraction(outlying))]
            got = [float(np.uint16(c).view(np.float16)) for c in found[i][j][1:]]
            assert (found[i][j][0], got) == (total, want)


@pytest.mark.parametrize("rule", system.RULES)
@pytest.mark.parametrize("threshold", THRESHOLDS, ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_arrays_are_the_definition(seed: int, threshold: Fraction | None, rule: str) -> None:
    x, w = operands(seed)
    codes, largest, outliers = system.decompose_exact(exact(x), threshold, rule)
    limit = None if threshold is None else float(threshold)
    fast = system.decompose(x, limit, rule)
    assert fast.codes.tolist() == codes
    assert [Fraction(float(c)) for c in fast.largest[:, 0]] == largest
    assert fast.outliers.tolist() == outliers
    product = system.matmul(x, w, limit, rule)
    cells = system.matmul_exact(exact(x), exact(w), threshold, rule)
    for i, part in enumerate((product.integers, product.regular, product.outlying, product.result)):
        bits = part if i == 0 else part.view(np.uint16)
        assert bits.tolist() == [[cell[i] for cell in row] for row in cells]


def test_the_paper_reads_a_row_without_its_outlier_columns_and_bitsandbytes_only_without_its_outliers() -> None:
    x = np.array([[1, 5.5, 0.5], [1, 7, 0.25]], np.float16)
    assert system.decompose(x, rule="paper").largest[:, 0].tolist() == [1, 1]
    assert system.decompose(x, rule="bitsandbytes").largest[:, 0].tolist() == [5.5, 1]


def test_half_products_are_rounded_once() -> None:
    """Sums of binary16 products whose first rounding, to float64 or float32, would decide a tie wrongly."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(0, 0x7BFF, shape).astype(np.uint16).view(np.float16) for shape in ((8, 30), (30, 8)))
    x = np.where(rng.random(x.shape) < 0.5, x, -x)
    tie = np.array([[1, 1, 2**-24]], np.float16), np.array([[1], [2**-11], [2**-24]], np.float16)
    for a, b in ((x, w), tie):
        got = system.half_matmul(a, b)
        want = [
            [nearest_half(sum(Fraction(float(p)) * Fraction(float(q)) for p, q in zip(row, col))) for col in b.T]
            for row in a
        ]
        assert got.astype(float).tolist() == want
    assert system.half_matmul(*tie)[0, 0] == 1 + 2**-10


def test_dequantisation_is_rounded_once() -> None:
    rng = np.random.default_rng(1)
    integers = rng.integers(-(2**31), 2**31, (200, 50))
    rows, columns = (rng.integers(1, 0x7BFF, (n, 1)).astype(np.uint16).view(np.float16) for n in (200, 50))
    rows, columns = rows.astype(np.float32), columns.astype(np.float32)
    got = system.dequantise(integers, rows, columns).astype(float)
    for i in range(0, 200, 7):
        for j in range(50):
            value = Fraction(int(integers[i, j])) * Fraction(float(rows[i, 0])) * Fraction(float(columns[j, 0])) / 16129
            assert got[i, j] == nearest_half(value)


def test_overflow_and_bad_operands_are_refused() -> None:
    ones = np.ones((1, 140000), np.float16)
    with pytest.raises(OverflowError, match="sum 2258060000 of 140000 products is outside"):
        system.matmul(ones, np.ascontiguousarray(ones.T))
    with pytest.raises(ValueError, match="finite"):
        system.decompose(np.array([[np.inf]], np.float16))
    with pytest.raises(TypeError, match="float64"):
        system.decompose(np.ones((2, 2)))
    with pytest.raises(ValueError, match="choose from paper, bitsandbytes"):
        system.decompose(ones, rule="exact")


def test_outliers_apart_keep_the_error_where_it_was() -> None:
    """The paper's point: with features of 60, one scale loses everything and the decomposition loses nothing."""
    before, after = system.errors((1, 60), k=128)
    assert after["outliers"] == 4
    assert after["apart"] < 1.1 * before["vector"]
    assert after["vector"] > 5 * before["vector"]
    assert after["tensor"] > after["vector"]


# -- bitsandbytes -----------------------------------------------------------------------------------------------------


def test_bitsandbytes_gives_the_same_codes_outliers_and_integers() -> None:
    """65 matrices: codes, largest magnitudes, outlier columns of int8_vectorwise_quant, sums of int8_linear_matmul."""
    torch, functional = pytest.importorskip("torch"), pytest.importorskip("bitsandbytes.functional")
    rng = np.random.default_rng(3)
    compared = 0
    for turn in range(65):
        m, k, n = (int(v) for v in rng.integers(1, 65, 3))
        x = (rng.standard_normal((m, k)) * 2.0 ** rng.integers(-8, 3)).astype(np.float16)
        x[rng.random((m, k)) < 0.01] *= np.float16(20)
        w = rng.standard_normal((k, n)).astype(np.float16)
        threshold = None if turn % 3 == 0 else 6.0
        ours = system.matmul(x, w, threshold, "bitsandbytes")
        a = system.decompose(x, threshold, "bitsandbytes")
        codes, rows, columns = functional.int8_vectorwise_quant(torch.from_numpy(x.copy()), threshold or 0.0)
        weights, _, _ = functional.int8_vectorwise_quant(torch.from_numpy(np.ascontiguousarray(w.T)))
        np.testing.assert_array_equal(a.codes, codes.numpy())
        np.testing.assert_array_equal(a.largest[:, 0], rows.numpy())
        assert a.outliers.tolist() == ([] if columns is None else columns.tolist())
        np.testing.assert_array_equal(ours.integers, functional.int8_linear_matmul(codes, weights).numpy())
        compared += codes.numel() + ours.integers.size
    print(f"bitsandbytes: {compared} codes and sums compared, no difference")


def test_bitsandbytes_scales_by_a_constant_that_is_off() -> None:
    """int8_mm_dequant multiplies by 6.200124e-05, and 1/127**2 is 6.2000124e-05: every result is 1.8e-5 too large."""
    torch, functional = pytest.importorskip("torch"), pytest.importorskip("bitsandbytes.functional")
    sums = np.arange(1, 10001, dtype=np.int32).reshape(100, 100)
    ones = np.ones((100, 1), np.float32)
    theirs = functional.int8_mm_dequant(torch.from_numpy(sums), *[torch.from_numpy(ones[:, 0])] * 2)
    ours = system.dequantise(sums, ones, ones)
    as_they_have_it = (sums.astype(np.float32) * np.float32(6.200124e-05)).astype(np.float16)
    np.testing.assert_array_equal(theirs.numpy(), as_they_have_it)
    assert 0 < (theirs.numpy() != ours).sum() < 500
