"""HAWQ-V3: rationals written here, arrays, transformers' FixedPointMul, bounds and refusals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fp8ref.systems import hawq as system
from fp8ref.systems.primitives import dyadic_exact


def factors(seed: int, n: int) -> list[tuple[Fraction, tuple[int, int]]]:
    rng = np.random.default_rng(seed)
    ratios = [Fraction(float(r)) for r in 2.0 ** rng.uniform(-30, 3, n)]
    ratios += [Fraction(1), Fraction(1, 2), Fraction(2**31 - 1, 2**31), 1 - Fraction(1, 2**40)]
    return [(r, dyadic_exact(r)) for r in ratios]


def test_factors_are_near_their_ratios() -> None:
    for ratio, (b, c) in factors(0, 500):
        assert 1 << 30 <= b <= 1 << 31
        assert abs(Fraction(b) / Fraction(2) ** c - ratio) <= ratio / 2**31
        m, e = math.frexp(float(ratio))
        if Fraction(float(ratio)) == ratio:
            assert (b, c) == (math.floor(Fraction(m) * 2**31 + Fraction(1, 2)), 31 - e)
    assert dyadic_exact(1 - Fraction(1, 2**40)) == (1 << 31, 31)  # B needs 33 bits with a sign
    assert dyadic_exact(Fraction(3, 4), 2) == (3, 2)
    with pytest.raises(ValueError, match="positive ratio"):
        dyadic_exact(0)


def test_the_ratio_is_rounded_as_the_code_does() -> None:
    a, w, z = np.float32(0.1), np.float32(0.0023), np.float32(0.07)
    product = Fraction(float(a)) * Fraction(float(w))
    ulp = Fraction(2) ** (math.frexp(float(product))[1] - 24)
    assert system.ratio(0.1, 0.0023, 0.07) == Fraction(float(round(product / ulp) * ulp) / float(z))
    for bad in ((0, 1, 1), (1, -1, 1), (1, 1, math.inf), (1e-30, 1e-30, 1)):
        with pytest.raises(ValueError, match="scales are positive and finite"):
            system.ratio(*bad)


@pytest.mark.parametrize(("bits", "signed"), [(8, True), (4, True), (8, False), (16, True), (None, True)])
def test_requantisation(bits: int | None, signed: bool) -> None:
    rng = np.random.default_rng(3)
    low, high = (-math.inf, math.inf) if bits is None else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if not signed:
        low, high = 0, 255
    for _, (b, c) in factors(1, 40):
        q = np.concatenate([rng.integers(-(2**31) + 1, 2**31, 20), rng.integers(-500, 500, 20), [0, 1, -1]])
        exact = [round(Fraction(int(x) * b) / Fraction(2) ** c) for x in q]
        want = [min(max(x, low), high) for x in exact]
        assert system.requantise(q, (b, c), bits, signed).tolist() == want
        assert [system.requantise_exact(int(x), (b, c), bits, signed) for x in q] == want


def test_ties_go_to_even() -> None:
    q = np.array([1, 3, 5, -1, -3, -5])
    assert system.requantise(q, dyadic_exact(Fraction(1, 2))).tolist() == [0, 2, 2, 0, -2, -2]


def test_residual_addition_rounds_each_term() -> None:
    half = dyadic_exact(Fraction(1, 2))
    assert system.add(np.array([3, 1]), half, np.array([3, 1]), half).tolist() == [4, 0]  # 3 and 1 if rounded once
    rng = np.random.default_rng(4)
    for (_, f), (_, g) in zip(factors(2, 20), factors(5, 20)):
        q, p = rng.integers(-(10**6), 10**6, (2, 30))
        want = [
            round(Fraction(int(x) * f[0]) / Fraction(2) ** f[1]) + round(Fraction(int(y) * g[0]) / Fraction(2) ** g[1])
            for x, y in zip(q, p)
        ]
        assert system.add(q, f, p, g).tolist() == want == [system.add_exact(int(x), f, int(y), g) for x, y in zip(q, p)]
        assert system.add(q, f, p, g, 8).tolist() == [min(max(x, -128), 127) for x in want]


def test_average_pooling() -> None:
    rng = np.random.default_rng(5)
    for n in (4, 7, 49, 150):
        q = rng.integers(-130, 130, (60, n))
        q[0], q[1], q[2] = 5, -5, 0
        want = [math.trunc(Fraction(int(row.sum()), n) + Fraction(1, 100)) for row in q]
        assert system.average(q).tolist() == want == [system.average_exact(row.tolist()) for row in q]
        assert want[:3] == [5, -4, 0]
        torch = pytest.importorskip("torch")
        positive = torch.from_numpy(np.abs(q).astype(np.float32))  # their float32 mean, behind a ReLU
        assert system.average(np.abs(q)).tolist() == torch.trunc(positive.mean(dim=1) + 0.01).int().tolist()


def test_overflow_and_bad_widths_are_refused() -> None:
    with pytest.raises(OverflowError, match=r"beyond the int64 form"):
        system.requantise(np.array([1 << 32]), (1 << 31, 31))
    with pytest.raises(ValueError, match="2 to 32 bits, not 1"):
        system.requantise(np.array([1]), (1 << 30, 31), 1)


def test_a_factor_of_31_bits_gets_no_code_wrong() -> None:
    wrong, worst = system.wrong_codes(31, 1 << 14)
    assert wrong == 0
    assert worst <= 2.0**-31
    assert system.wrong_codes(8, 1 << 14)[0] > 0.01


def test_fixed_point_mul_of_transformers() -> None:
    """Their float64 products against integers: 8, 16 and 32 bits, with and without a residual."""
    torch = pytest.importorskip("torch")
    hf = pytest.importorskip("transformers.models.ibert.quant_modules")
    rng = np.random.default_rng(6)
    compared = 0
    for turn in range(60):
        s, t = (Fraction(float(np.float32(v))) for v in 2.0 ** rng.uniform(-16, -4, 2))
        z = Fraction(float(np.float32(2.0 ** rng.uniform(-10, 0))))
        q, p = rng.integers(-(1 << 21), 1 << 21, (2, 1, 5, 60))

        def tensor(v: Any) -> Any:
            return torch.tensor(v, dtype=torch.float64)

        args = [tensor(q) * float(s), tensor([float(s)]), (8, 16)[turn % 2], tensor([float(z)])]
        if turn % 3 == 0:
            args += [tensor(p) * float(t), tensor([float(t)])]
        found = hf.FixedPointMul.apply(*args).numpy()
        b, c = dyadic_exact(Fraction(float(s) / float(z)))
        if turn % 3 == 0:
            ours = system.add(q, (b, c), p, dyadic_exact(Fraction(float(t) / float(z))), args[2])
        else:
            ours = system.requantise(q, (b, c), args[2])
        np.testing.assert_array_equal(found, ours)
        compared += q.size
    print(f"transformers: {compared} products of FixedPointMul compared, no difference")
