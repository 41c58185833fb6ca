"""k-bit products: the arrays against rationals, the thresholds against quadrature and against trying."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from fp8ref.systems.integer_gemm import Operand, curve, matmul, matmul_exact, quantise, step_exact, table, threshold
from fp8ref.systems.power_of_exponent import GAUSSIAN, UNIFORM, best_c, student_t


def to_float32(x: Fraction) -> np.float32:
    """Correctly rounded, by looking at the neighbours."""
    near = np.float32(float(x))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    return min(around, key=lambda y: (abs(Fraction(float(y)) - x), int(y.view(np.uint32)) % 2))


@pytest.mark.parametrize("bits", [8, 6, 5, 2])
@pytest.mark.parametrize("T", [(2.5, 0.3), (7.0, 1.1)])
def test_products_are_those_of_rationals(bits: int, T: tuple[float, float]) -> None:
    """Steps, codes, sums and results written again with fractions; ties among the inputs."""
    rng = np.random.default_rng(bits)
    top = 2 ** (bits - 1) - 1
    a, b = rng.standard_normal((7, 33)).astype(np.float32), (rng.standard_normal((33, 5)) / 5).astype(np.float32)
    steps = [to_float32(Fraction(float(np.float32(t))) / top) for t in T]
    a[0, :4] = steps[0] * np.float32([0.5, 1.5, -0.5, top - 0.5])
    qa, qb = (
        [[max(-top, min(top, round(Fraction(float(v)) / Fraction(float(s))))) for v in row] for row in x]
        for x, s in ((a, steps[0]), (b.T, steps[1]))
    )
    left, right = quantise(a, T[0], bits), quantise(b, T[1], bits)
    assert (left.step, right.step) == tuple(steps)
    assert left.codes.tolist() == qa
    assert right.codes.T.tolist() == qb
    scale = Fraction(float(steps[0])) * Fraction(float(steps[1]))
    sums = [[sum(x * y for x, y in zip(row, column)) for column in qb] for row in qa]
    want = np.array([[to_float32(n * scale) for n in row] for row in sums])
    assert np.array_equal(matmul(left, right), want)
    exact = matmul_exact(
        [[Fraction(float(v)) for v in row] for row in a],
        [[Fraction(float(v)) for v in column] for column in b.T],
        (Fraction(float(np.float32(T[0]))), Fraction(float(np.float32(T[1])))),
        bits,
    )
    assert [[n for n, _ in row] for row in exact] == sums
    found = np.array([[code for _, code in row] for row in exact], np.uint32).view(np.float32)
    assert np.array_equal(found, want)


@pytest.mark.parametrize(("n", "steps"), [(771189, (3903287, 16670837)), (549299, (3508927, 7155781))])
def test_results_are_rounded_once(n: int, steps: tuple[int, int]) -> None:
    """n s_a s_b is 1 away from half way between two float32 numbers, at 2**65: float64 first would make it a tie."""
    whole, rest = divmod(n, 127)
    codes = np.array([[127] * whole + [rest]], np.int8)
    left = Operand(codes, np.float32(steps[0]))
    right = Operand(np.ones((whole + 1, 1), np.int8), np.float32(steps[1]))
    value = n * steps[0] * steps[1]
    twice = np.float32(float(n) * (float(steps[0]) * float(steps[1])))
    assert abs(Fraction(float(to_float32(Fraction(value)))) - value) < abs(Fraction(float(twice)) - value)
    assert matmul(left, right)[0, 0] == to_float32(Fraction(value))


# -- thresholds -------------------------------------------------------------------------------------------------------


def test_the_best_thresholds_of_normal_data() -> None:
    """8 bits: T = 3.9205 sigma, 40.540 dB; there the quadrature's error is flat in T."""
    best = best_c(0, 7, GAUSSIAN)
    assert (f"{float(best.grid.c):.4f}", f"{best.sqnr:.3f}") == ("3.9205", "40.540")

    def error(T: float, bits: int) -> float:
        top = 2 ** (bits - 1) - 1
        s = mpmath.mpf(T) / top
        total = mpmath.mpf(0)
        for i in range(top + 1):
            low, high = max(0, (i - 0.5) * s), (i + 0.5) * s if i < top else mpmath.inf
            total += mpmath.quad(lambda x: (i * s - x) ** 2 * mpmath.npdf(x), [low, high], maxdegree=3 + 3 * (i == top))  # noqa: B023
        return float(2 * total)

    assert curve(8, [3.9205])[0] == pytest.approx(-10 * math.log10(error(3.9205, 8)), abs=1e-6)
    six = best_c(0, 5, GAUSSIAN)
    for T in (float(six.grid.c) - 0.01, float(six.grid.c) + 0.01):
        assert error(T, 6) > six.moments.D
    assert error(float(six.grid.c), 6) == pytest.approx(six.moments.D, rel=1e-9)


@pytest.mark.parametrize("bits", [8, 6])
def test_the_threshold_of_data_is_near_that_of_their_distribution(bits: int) -> None:
    x = np.random.default_rng(1).standard_normal(200_000).astype(np.float32)
    T = threshold(x, bits)
    expected = best_c(0, bits - 1, GAUSSIAN)
    assert float(T) == pytest.approx(float(expected.grid.c), abs=0.1)
    q = quantise(x, T, bits)
    measured = 10 * math.log10(float((x.astype(float) ** 2).sum() / ((q.codes * float(q.step) - x) ** 2).sum()))
    assert measured == pytest.approx(expected.sqnr, abs=0.5)  # some 20 values are clipped


def test_the_threshold_is_the_best_of_its_hundred() -> None:
    x = np.array([0.1, 0.2, -0.25, 0.9, 4.0], np.float32)
    errors = {}
    for i in range(1, 101):
        T = np.float32(4.0 * i / 100)
        s = float(to_float32(Fraction(float(T)) / 31))
        errors[float(T)] = sum(
            (s * max(-31, min(31, round(Fraction(float(v)) / Fraction(s)))) - float(v)) ** 2 for v in x
        )
    assert float(threshold(x, 6)) == min(errors, key=lambda T: errors[T])
    assert threshold(np.float32([2.0, -2.0])) == 2  # nothing to gain by clipping


def test_the_curve_is_range_against_precision() -> None:
    """Far out it falls by 20 log10(T); close in by what is clipped; 6 dB a bit at the same threshold."""
    far = curve(8, [20.0, 40.0])
    assert far[0] - far[1] == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert curve(8, [40.0])[0] == pytest.approx(10 * math.log10(12 * 127**2 / 40**2), abs=1e-2)
    assert curve(8, [0.5])[0] == pytest.approx(curve(6, [0.5])[0], abs=0.05)
    assert curve(8, [6.0])[0] - curve(6, [6.0])[0] == pytest.approx(20 * math.log10(127 / 31), abs=0.05)
    assert float(best_c(0, 7, UNIFORM).grid.c) == pytest.approx(254 / 255)
    with pytest.raises(ValueError, match="2 to 16 bits"):
        curve(1, [1.0], student_t(8))


def test_refusals() -> None:
    x = np.ones((2, 2), np.float32)
    for call, message in (
        (lambda: quantise(x, 0.0), "a threshold is positive, not 0.0"),
        (lambda: quantise(x, math.nan), "positive, not nan"),
        (lambda: quantise(x, 1.0, 9), "operands have 2 to 8 bits, not 9"),
        (lambda: quantise(x * np.float32(np.inf), 1.0), "infinity or a NaN"),
        (lambda: threshold(0 * x), "a value other than 0"),
        (lambda: threshold(x[:0]), "a value other than 0"),
        (lambda: step_exact(Fraction(-1)), "a threshold is positive, not -1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="float32"):
        quantise(x.astype(float), 1.0)


def test_the_shown_table() -> None:
    shown = table()
    assert shown.rows[0][:3] == ("8", "3.9205", "40.540")
    assert shown.rows[0][5:7] == (f"{254 / 255 * math.sqrt(3):.4f}", "48.131")
