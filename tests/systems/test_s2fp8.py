"""S2FP8: mpmath and Fractions written here against the definition, that against arrays, and the invariants."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

import fp8ref
from fp8ref.systems.powers import compare_power, inverse_power
from fp8ref.systems.s2fp8 import Squeeze, compare, matmul, truncate

mpmath.mp.dps = 60
FEW = (1.0, 1e-6, 1e6)

# E5M2 as its table has it: 4 codes a binade from 2**-14 on, subnormals 2**-16 apart
VALUES = [Fraction(m, 1 << 16) for m in range(4)] + [
    Fraction(4 + m, 4) * Fraction(2) ** e for e in range(-14, 16) for m in range(4)
]
RNG = np.random.default_rng(9)
TENSORS = {
    "normal": RNG.standard_normal(400),
    "small": RNG.standard_normal(200) * 1e-9,
    "wide": 2.0 ** (20 * RNG.standard_normal(300)),
    "narrow": 1 + RNG.random(100) * 0.01,
    "nearly constant": 3 + RNG.random(50) * 1e-6,
    "subnormal": RNG.standard_normal(64) * 1e-42,
    "with zeros": np.where(RNG.random(200) < 0.3, 0, RNG.standard_normal(200)),
    "powers of three": 3.0 ** np.arange(1, 9),
}


def tensor(name: str) -> Any:
    return TENSORS[name].astype(np.float32)


def fractions(x: Any) -> list[Fraction]:
    return [Fraction(v) for v in x.reshape(-1).tolist()]


def nearest_float32(x: mpmath.mpf) -> float:
    """Normal range only."""
    e = int(mpmath.floor(mpmath.log(abs(x), 2)))
    ulp = mpmath.mpf(2) ** (max(e, -126) - 23)
    return float(mpmath.nint(x / ulp) * ulp)


def statistics_by_mpmath(x: Any) -> tuple[float, float]:
    logs = [mpmath.log(abs(mpmath.mpf(v)), 2) for v in x.reshape(-1).tolist() if v]
    mean, top = mpmath.fsum(logs) / len(logs), max(logs)
    alpha = min(15 / (top - mean), mpmath.mpf(1024)) if top > mean else mpmath.mpf(1024)
    return nearest_float32(alpha), nearest_float32(-alpha * mean)


def code_by_mpmath(x: float, squeeze: Squeeze) -> int:
    """Nearest E5M2 magnitude of 2**beta |x|**alpha by distance; no tensor here meets a tie."""
    if x == 0:
        return 0
    y = mpmath.power(2, mpmath.mpf(float(squeeze.beta)) + mpmath.mpf(float(squeeze.alpha)) * mpmath.log(abs(x), 2))
    code = min(range(124), key=lambda c: abs(y - mpmath.mpf(VALUES[c].numerator) / VALUES[c].denominator))
    return code | (0x80 if x < 0 else 0)


@pytest.mark.parametrize("name", TENSORS)
def test_the_definition_against_mpmath(name: str) -> None:
    x = tensor(name)
    squeeze = Squeeze.exact(fractions(x))
    assert (float(squeeze.alpha), float(squeeze.beta)) == statistics_by_mpmath(x)
    some = x[:40].tolist()
    assert [squeeze.encode_exact(Fraction(v)) for v in some] == [code_by_mpmath(v, squeeze) for v in some]
    alpha, beta = mpmath.mpf(float(squeeze.alpha)), mpmath.mpf(float(squeeze.beta))
    for code in (1, 3, 4, 40, 60, 61, 100, 119, 120):
        exact = mpmath.power(
            2, (mpmath.log(mpmath.mpf(VALUES[code].numerator) / VALUES[code].denominator, 2) - beta) / alpha
        )
        if 2**-140 < exact < 2**127:
            assert float(squeeze.decode_exact(code)) == nearest_float32(exact)


@pytest.mark.parametrize("name", TENSORS)
def test_arrays_are_the_definition(name: str) -> None:
    x = tensor(name)
    squeeze = Squeeze.of(x)
    assert squeeze == Squeeze.exact(fractions(x))
    codes = squeeze.encode(x)
    some = slice(0, 60)
    assert [c & 0x7F for c in codes[some].tolist()] == [squeeze.encode_exact(abs(v)) for v in fractions(x[some])]
    back = squeeze.decode(codes)
    assert [Fraction(v) for v in np.abs(back[some]).tolist()] == [
        squeeze.decode_exact(c & 0x7F) for c in codes[some].tolist()
    ]
    np.testing.assert_array_equal(np.signbit(back), np.signbit(x))


@pytest.mark.parametrize("name", ["normal", "wide", "nearly constant", "subnormal"])
def test_every_threshold_is_the_last_float32_with_its_code(name: str) -> None:
    """At both sides of all 123 thresholds the definition changes its mind, and arrays with it."""
    squeeze = Squeeze.of(tensor(name))
    last = squeeze.thresholds[squeeze.thresholds < np.finfo(np.float32).max]
    after = np.nextafter(last, np.float32(np.inf))
    for code in range(0, len(last), 5):
        assert squeeze.encode_exact(Fraction(float(last[code]))) <= code
        assert squeeze.encode_exact(Fraction(float(after[code]))) > code
    np.testing.assert_array_equal(squeeze.encode(last), np.searchsorted(squeeze.thresholds, last))
    np.testing.assert_array_equal(squeeze.encode(after), np.searchsorted(squeeze.thresholds, after))


def test_ties_go_to_the_even_code() -> None:
    """alpha = 1, beta = 0 is E5M2 itself, whose ties are numbers; alpha = 1/2 meets ties at squares."""
    plain = Squeeze(Fraction(1), Fraction(0))
    x = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(np.float16).astype(np.float32)
    x = x[np.abs(x) < 61440]  # beyond, E5M2 would have infinities
    want = fp8ref.encode(x, "e5m2")
    np.testing.assert_array_equal(plain.encode(x), want)
    assert plain.values[:124].tolist() == [float(v) for v in VALUES]
    root = Squeeze(Fraction(1, 2), Fraction(0))
    ties = [(VALUES[c] + VALUES[c + 1]) / 2 for c in range(60, 70)]
    assert [root.encode_exact(t * t) for t in ties] == [c + c % 2 for c in range(60, 70)]
    assert root.encode(np.array([t * t for t in ties], np.float32)).tolist() == [c + c % 2 for c in range(60, 70)]


@pytest.mark.parametrize(
    ("x", "alpha", "beta", "h", "sign"),
    [
        (Fraction(9, 4), Fraction(3, 2), Fraction(3), Fraction(27), 0),  # 2**3 (9/4)**(3/2) = 27
        (Fraction(9, 4), Fraction(3, 2), Fraction(3), Fraction(27) + Fraction(1, 2**90), -1),
        (Fraction(1), Fraction(7, 5 * 0 + 8), Fraction(-3), Fraction(1, 8), 0),
        (Fraction(3), Fraction(1, 2), Fraction(0), Fraction(7, 4), -1),
        (Fraction(5), Fraction(1), Fraction(1, 2), Fraction(7), 1),  # 5 sqrt 2 = 7.07
        (Fraction(49), Fraction(1, 2), Fraction(-1), Fraction(7, 2), 0),
    ],
)
def test_comparisons_know_equality(x: Fraction, alpha: Fraction, beta: Fraction, h: Fraction, sign: int) -> None:
    assert compare_power(x, alpha, beta, h) == sign


def test_digits_are_added_until_they_decide() -> None:
    """Numbers 2**-100 and 2**-400 beside a tie and beside each other, far below 28 or 40 digits."""
    for bits in (100, 400):
        off = Fraction(1, 1 << bits)
        assert compare_power(1 + off, Fraction(1), Fraction(0), Fraction(1)) == 1
        assert compare_power(Fraction(1), Fraction(3), Fraction(0), 1 + off) == -1
        middle = Fraction(2**24 + 1)
        assert inverse_power(middle + off, Fraction(1), Fraction(0)) == 2**24 + 2
        assert inverse_power(middle - off, Fraction(1), Fraction(0)) == 2**24


def test_an_inverse_half_way_between_two_float32_goes_to_the_even_one() -> None:
    middle = Fraction(2**24 + 1)
    assert inverse_power(middle * 8, Fraction(1), Fraction(3)) == 2**24
    assert inverse_power((middle + 2) * 8, Fraction(1), Fraction(3)) == 2**24 + 4


def test_edge_cases_are_the_documented_ones() -> None:
    zeros = np.array([0.0, -0.0], np.float32)
    assert Squeeze.of(zeros) == Squeeze(Fraction(1), Fraction(0)) == Squeeze.exact([])
    assert Squeeze.of(zeros).encode(zeros).tolist() == [0, 0x80]
    for value in (1.0, 0.1, 3e38, 1e-45, -7.25):
        one = np.full(5, value, np.float32)
        squeeze = Squeeze.of(one)
        assert squeeze.alpha == 1024
        assert set(squeeze.encode(one).tolist()) == {0x3C | (0x80 if value < 0 else 0)}  # Y = 1
        np.testing.assert_allclose(truncate(one), one, rtol=4e-6)
    special = np.array([1, -2, 8, np.inf, -np.inf, np.nan], np.float32)
    squeeze = Squeeze.of(special)
    assert squeeze == Squeeze.of(special[:3])
    assert squeeze.encode(special)[3:].tolist() == [0x7C, 0xFC, 0x7F]
    assert np.isinf(truncate(special)[3:5]).all()
    assert np.isnan(truncate(special)[5])
    with pytest.raises(TypeError, match="float64"):
        squeeze.encode(np.zeros(2))


def test_the_logarithms_of_y_have_mean_0_and_maximum_15() -> None:
    for name in ("normal", "small", "wide", "with zeros"):
        x = tensor(name)
        squeeze = Squeeze.of(x)
        logs = np.log2(np.abs(x[x != 0]).astype(np.float64)) * float(squeeze.alpha) + float(squeeze.beta)
        assert abs(logs.mean()) < 1e-4
        assert abs(logs.max() - 15) < 1e-4
        assert squeeze.encode(np.abs(x)).max() == 0x78  # 2**15


def test_scaling_by_a_power_of_two_changes_beta_alone() -> None:
    x = RNG.standard_normal(1 << 14).astype(np.float32)
    plain = Squeeze.of(x)
    codes = plain.encode(x)
    for e in (-90, -3, 20, 100):
        scaled = np.ldexp(x, e)
        squeeze = Squeeze.of(scaled)
        assert squeeze.alpha == plain.alpha
        assert math.isclose(squeeze.beta, plain.beta - e * plain.alpha, rel_tol=2**-22)
        assert (squeeze.encode(scaled) != codes).mean() < 1e-3  # beta is rounded to another float32


def test_the_figures_of_a_normal_tensor_and_the_error_bound() -> None:
    """Where |Y| is normal, rounding makes at least 8/9 of it: the tie 1.125 that goes to 1."""
    x = np.random.default_rng(0).standard_normal(1 << 18).astype(np.float32)
    squeeze = Squeeze.of(x)
    assert (round(float(squeeze.alpha), 4), round(float(squeeze.beta), 4)) == (4.7547, 4.3380)
    codes = squeeze.encode(x)
    normal = (codes & 0x7F) > 4  # 4 takes numbers below 2**-14 too
    wide = x[normal].astype(np.float64)
    worst = np.abs(squeeze.decode(codes)[normal] / wide - 1).max()
    bound = 1 - (8 / 9) ** (1 / float(squeeze.alpha))
    assert 0.99 * bound < worst < bound * (1 + 1e-5)
    # the mean of log2|N(0, 1)| is -(gamma + ln 2) / (2 ln 2)
    mean = -(float(mpmath.euler) + math.log(2)) / (2 * math.log(2))
    assert abs(-float(squeeze.beta / squeeze.alpha) - mean) < 0.01


def test_where_raw_e5m2_underflows_s2fp8_does_not() -> None:
    rows = {(r["tensor"], r["scale"]): r for r in compare(FEW, log2_n=14)}
    for scale in FEW:
        row = rows["N(0, 1)", scale]
        assert row["s2fp8 dB"] > 38
        assert row["s2fp8 lost"] < 0.05
    assert rows["N(0, 1)", 1e-6]["e5m2 lost"] == 1
    assert rows["N(0, 1)", 1.0]["e5m2 dB"] == pytest.approx(25.54, abs=0.1)


def test_products_are_exact_sums_rounded_once() -> None:
    a, b = RNG.standard_normal((3, 40)).astype(np.float32), (RNG.standard_normal((40, 4)) * 1e-5).astype(np.float32)
    left, right, product = truncate(a), truncate(b), matmul(a, b)
    for i in range(3):
        for j in range(4):
            total = sum(Fraction(float(p)) * Fraction(float(q)) for p, q in zip(left[i], right[:, j]))
            assert product[i, j] == nearest_float32(mpmath.mpf(total.numerator) / total.denominator)
    with pytest.raises(ValueError, match="finite"):
        matmul(np.full((1, 1), np.inf, np.float32), np.ones((1, 1), np.float32))


def test_a_float64_that_cannot_decide_asks_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """With logarithms that are far too coarse every tensor goes the exact way, and nothing changes."""
    x = tensor("normal")
    want, asked = Squeeze.of(x), []
    exact = Squeeze.exact.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(math, "log2", lambda v: 1e9)
    monkeypatch.setattr(Squeeze, "exact", classmethod(lambda cls, v: asked.append(1) or exact(cls, v)))
    assert Squeeze.of(x) == want
    assert asked
