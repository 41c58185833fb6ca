"""I-BERT: its formulas in rationals written here, arrays, transformers' modules, the error table, what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fp8ref.systems import ibert as system

SCALES = [Fraction(1, 1000), Fraction(1, 4096), Fraction(0.0007), Fraction(1, 30000)]


def floor(x: Fraction) -> int:
    return x.numerator // x.denominator


def gelu_by_hand(q: int, s: Fraction) -> tuple[int, Fraction]:
    """The formulas of 3.4 with rationals, step by step."""
    a, b = Fraction(-2888, 10000), Fraction(-1769, 1000)
    t = s * 10000 / 14142
    q_b, q_c = floor(b / t), floor(1 / a / t / t)
    erf = floor(Fraction((1 if q > 0 else -1 if q < 0 else 0) * ((min(abs(q), -q_b) + q_b) ** 2 + q_c), 1 << 14))
    s_erf = a * t * t * (1 << 14)
    return q * (erf + floor(1 / s_erf)), s * s_erf / 2


def exp_by_hand(q: int, s: Fraction) -> tuple[int, Fraction]:
    a, b, c = Fraction(35815147, 10**8), Fraction(96963238, 10**8), Fraction(1)
    step = -floor(Fraction(-6931, 10000) / s)
    q = max(q, -30 * step)
    z = -q // step
    r = q + step * z
    return floor(Fraction((r + floor(b / a / s)) * r + floor(c / a / s / s)) * 2 ** (30 - z)), a * s * s / 2**30


@pytest.mark.parametrize("scale", SCALES, ids=float)
def test_gelu(scale: Fraction) -> None:
    q = np.concatenate([np.linspace(-7 / float(scale), 7 / float(scale), 1500).astype(int), [-1, 0, 1]])
    want = [gelu_by_hand(int(x), scale) for x in q]
    found, unit = system.gelu(q, scale)
    assert found.tolist() == [x for x, _ in want] == [system.Gelu.of(scale).exact(int(x)) for x in q]
    assert unit == want[0][1]


@pytest.mark.parametrize("scale", [*SCALES, Fraction(1, 20), Fraction(1, 3)], ids=float)
def test_exp(scale: Fraction) -> None:
    q = -np.concatenate([np.linspace(0, 25 / float(scale), 1500).astype(int), [1, 2, 3]])
    want = [exp_by_hand(int(x), scale) for x in q]
    found, unit = system.exp(q, scale)
    assert found.tolist() == [x for x, _ in want] == [system.Exp.of(scale).exact(int(x)) for x in q]
    assert unit == want[0][1]
    assert min(found) >= 0


@pytest.mark.parametrize("scale", SCALES, ids=float)
def test_softmax(scale: Fraction) -> None:
    """Arrays are the definition, which is near softmax; requantisation to 16 bits is checked in rationals."""
    q = np.random.default_rng(0).integers(int(-5 / scale), int(5 / scale), (40, 12))
    found = system.softmax(q, scale)
    assert found.tolist() == [system.softmax_exact(row.tolist(), scale) for row in q]
    e = np.exp(float(scale) * (q - q.max(axis=1, keepdims=True)))
    assert np.abs(found / 256 - e / e.sum(axis=1, keepdims=True)).max() < 1.5 / 256 + 0.002
    wide = system.exp(q[0] - q[0].max(), scale)[0]
    b, c = system.Exp.of(scale).act
    want = [round(Fraction(int(x) * b, 1) / Fraction(2) ** c) for x in wide]
    assert system._dyadic_of_wide(wide, (b, c)).tolist() == want


def test_the_wide_product_finds_the_side_of_a_tie() -> None:
    """q B one above, at and below (k + 1/2) 2**C, where q B has 90 bits."""
    b, c = (1 << 30) + 1, 75
    q = [((2 * k + 1) << (c - 1)) // b + d for k in (0, 1, 2, 1000) for d in (-1, 0, 1, 2)]
    want = [round(Fraction(x * b, 1 << c)) for x in q]
    assert system._dyadic_of_wide(np.array(q), (b, c)).tolist() == want
    even = [(2 * k + 1) << 44 for k in range(6)]
    assert system._dyadic_of_wide(np.array(even), (1 << 30, c)).tolist() == [0, 2, 2, 4, 4, 6]


@pytest.mark.parametrize("shift", [0, 5])
def test_layernorm(shift: int) -> None:
    rng = np.random.default_rng(1)
    q = rng.integers(-8000, 8001, (60, 48)) << shift
    q[3], q[4, :24], q[4, 24:] = 7, 5, 6
    found = system.layernorm(q, shift)
    for row, got in zip(q.tolist(), found.tolist()):
        mean = round(Fraction(sum(row), len(row)))
        std = math.isqrt(sum(((x - mean) // 2**shift) ** 2 for x in row)) * 2**shift
        want = [(x - mean) * (2**31 // std) // 2 if std else 0 for x in row]
        assert got == want == system.layernorm_exact(row, shift)
    y = q[0] - q[0].mean()
    np.testing.assert_allclose(found[0] * math.sqrt(48) / 2**30, y / y.std(), atol=0.003)


def test_the_square_root() -> None:
    edges = [n * n + d for n in (1, 2, 3, 1000, 46340, 65535) for d in (-1, 0, 1)]
    for n in [*range(2000), *edges, 2**32 - 1, *np.random.default_rng(0).integers(0, 2**32, 500).tolist()]:
        assert system.square_root(n) == math.isqrt(n)


def test_the_error_table_against_quadrature_in_mpmath() -> None:
    """Root mean squares by integration and maxima by search, with another erf; the table has them to 1e-4."""
    mp = pytest.importorskip("mpmath").mp
    found = system.errors()

    def gelu(x: Any) -> Any:
        return x * (1 + mp.erf(x / mp.sqrt(2))) / 2

    def i_gelu(x: Any) -> Any:
        u = min(abs(x) / mp.sqrt(2), mp.mpf("1.769"))
        return x * (1 + mp.sign(x) * (mp.mpf("-0.2888") * (u - mp.mpf("1.769")) ** 2 + 1)) / 2

    stand_ins = {
        "i-GELU, the polynomial": i_gelu,
        "h-GELU, x ReLU6(1.702 x + 3) / 6": lambda x: x * min(max(mp.mpf("1.702") * x + 3, 0), 6) / 6,
        "x sigmoid(1.702 x)": lambda x: x / (1 + mp.exp(-mp.mpf("1.702") * x)),
    }
    knots = [-4, -2.5017, -1.7626, -0.9, 0, 0.9, 1.7626, 2.5017, 4]
    for name, f in stand_ins.items():
        power = mp.quad(lambda x: (f(x) - gelu(x)) ** 2, knots, maxdegree=5)  # noqa: B023
        points = [mp.mpf(i) / 100 for i in range(-400, 401)] + [-3 / mp.mpf("1.702"), 3 / mp.mpf("1.702")]
        largest = max(abs(f(x) - gelu(x)) for x in points)
        assert abs(float(mp.sqrt(power / 8)) - found[name][0]) < 1e-5
        assert abs(found[name][1] - float(largest)) < 1e-4
    rms, largest = found["i-GELU in integers, S = 0.0001"]
    assert abs(rms - found["i-GELU, the polynomial"][0]) < 1e-4
    assert abs(largest - found["i-GELU, the polynomial"][1]) < 1e-4
    polynomials = {
        "i-exp on [-ln 2, 0], coefficients of the code": lambda x: (
            (mp.mpf("0.35815147") * x + mp.mpf("0.96963238")) * x + 1
        ),
        "i-exp, rounded: 0.3585 (x + 1.353)^2 + 0.344": lambda x: (
            mp.mpf("0.3585") * (x + mp.mpf("1.353")) ** 2 + mp.mpf("0.344")
        ),
    }
    assert len(found) == len(stand_ins) + 1 + len(polynomials)
    low = -mp.log(2)
    for name, p in polynomials.items():
        power = mp.quad(lambda x: (p(x) - mp.exp(x)) ** 2, [low, low / 2, 0])  # noqa: B023
        largest = max(abs(p(low * i / 400) - mp.exp(low * i / 400)) for i in range(401))
        assert abs(float(mp.sqrt(power / -low)) - found[name][0]) < 1e-5
        assert abs(found[name][1] - float(largest)) < 1e-5


def test_scales_outside_the_domain_are_refused() -> None:
    q = np.arange(-3, 1)
    for scale in (0.0011, 0.0315, 0, -1e-4):
        with pytest.raises(ValueError, match=r"GELU needs a scale in \(0, 0.001\]"):
            system.gelu(q, scale)
    assert system.gelu_error(Fraction(1, 1000)) < 0.022 < 0.05 < system.gelu_error(Fraction(3, 1000))
    with pytest.raises(ValueError, match="exp needs a scale"):
        system.exp(q, 0.7)
    with pytest.raises(ValueError, match="exp takes q <= 0, not 1"):
        system.exp(np.array([1]), 0.01)


def test_overflow_is_refused() -> None:
    with pytest.raises(OverflowError, match="more than 62 bits"):
        system.gelu(np.array([1 << 50]), 1e-5)
    with pytest.raises(OverflowError, match="more than 62 bits"):
        system.exp(np.array([0]), 1e-6)
    row = [40000, -40000, 40000, -40000]
    for call in (lambda: system.layernorm_exact(row), lambda: system.layernorm(np.array([row]))):
        with pytest.raises(OverflowError, match=r"sum of squares 6400000000 is not below 2\*\*32 at a shift of 0"):
            call()
    assert system.layernorm(np.array([row]), 1).tolist() == [system.layernorm_exact(row, 1)]


# -- transformers -----------------------------------------------------------------------------------------------------


def modules() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    return torch, pytest.importorskip("transformers.models.ibert.quant_modules")


def tensors(torch: Any, q: Any, scale: Fraction) -> tuple[Any, Any]:
    """Values and scale in float64, in which their modules compute; q is recovered as x / scale, so it is rounded."""
    s = torch.tensor([float(scale)], dtype=torch.float64)
    return torch.from_numpy(q.astype(np.float64)) * s, s


def test_gelu_and_exp_of_transformers() -> None:
    torch, hf = modules()
    compared = 0
    for scale in (Fraction(1, 1024), Fraction(1, 4096), Fraction(1, 32768)):  # powers of two: x / scale is q
        q = np.arange(int(-6 / scale), int(6 / scale), 3 if scale < 1e-4 else 1)
        x, s = tensors(torch, q, scale)
        y, unit = hf.IntGELU().double()(x, s)
        ours, our_unit = system.gelu(q, scale)
        np.testing.assert_array_equal(np.rint((y / unit).numpy()), ours)
        assert float(unit) == pytest.approx(float(our_unit), rel=1e-12)
        e, unit = hf.IntSoftmax(8, quant_mode=True).double().int_exp(torch.from_numpy(-np.abs(q).astype(float)), s)
        ours, our_unit = system.exp(-np.abs(q), scale)
        np.testing.assert_array_equal(e.numpy(), ours.astype(float))
        assert float(unit) == pytest.approx(float(our_unit), rel=1e-12)
        compared += 2 * q.size
    print(f"transformers: {compared} values of GELU and exp compared, no difference")


def test_softmax_of_transformers() -> None:
    torch, hf = modules()
    rng = np.random.default_rng(0)
    for scale in (Fraction(1, 64), Fraction(1, 1024)):
        q = rng.integers(int(-6 / scale), int(6 / scale), (200, 16))
        module = hf.IntSoftmax(8, quant_mode=True).double().eval()
        module.act.x_max = torch.tensor([system.Exp.of(scale).c * 2.0**30], dtype=torch.float64)
        y, unit = module(*tensors(torch, q, scale))
        np.testing.assert_array_equal(np.rint((y / unit).numpy()).reshape(q.shape), system.softmax(q, scale))
    print("transformers: 6400 values of softmax compared, no difference")


def test_layernorm_of_transformers() -> None:
    torch, hf = modules()
    rng = np.random.default_rng(0)
    for shift in (0, 4):
        q = rng.integers(-7000, 7001, (4, 50, 40)) << shift
        module = hf.IntLayerNorm(40, 1e-5, quant_mode=True).double().eval()
        module.weight.data.fill_(1)
        module.shift = torch.tensor([float(shift)], dtype=torch.float64)
        y, unit = module(*tensors(torch, q, Fraction(1, 256)))
        np.testing.assert_array_equal(np.rint((y / unit).detach().numpy()), system.layernorm(q, shift))
    print("transformers: 16000 values of LayerNorm compared, no difference")
