"""Exact dot products against integer sums written here, for every pair of formats, on data meant to be hard."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from second_oracles import matrix_units as second

import fp8ref
import fp8ref.fast.matrix.dot as dot_route
from fp8ref import spec
from fp8ref.fast.matrix.exact_dot import K_RUN, ROWS
from fp8ref.spec import get_format
from fp8ref.spec.datum import Datum
from fp8ref.spec.matrix.products import dot as reference

FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}
NAMES = (
    "e4m3fn",
    "e5m2",
    "e4m3fnuz",
    "e5m2fnuz",
    "e3m4",
    "e4m3b11fnuz",
    "e3m2fn",
    "e2m3fn",
    "e2m1fn",
    "mxint8",
    "e8m0fnu",
    "ue5m3",
    "e7m0fnuz",
    "binary8p1uf",
    "binary8p3se",
)


def integers(name: str) -> tuple[dict[int, int], int]:
    """Every finite code as an integer in units of 2**lsb, and lsb."""
    f = get_format(name)
    lsb = f.quantum_exponent(f.emin)
    data = {code: fp8ref.spec.decode(code, f) for code in range(1 << f.k)}
    return {code: int(x.value / Fraction(2) ** lsb) for code, x in data.items() if x.is_finite}, lsb


def adversarial(
    rng: random.Random, known: dict[int, int], other: dict[int, int], k: int
) -> tuple[list[int], list[int]]:
    """Full spread, few distinct codes, tiny codes, or a cancelling half with a remainder."""
    codes, others = list(known), list(other)
    kind = rng.randrange(5)
    if kind == 1:
        codes = rng.sample(codes, 3)
    if kind == 2:
        codes = [*sorted(codes, key=lambda c: abs(known[c]))[:6], rng.choice(codes)]
    a, b = [rng.choice(codes) for _ in range(k)], [rng.choice(others) for _ in range(k)]
    if kind >= 3:
        negative = {v: c for c, v in known.items()}
        order = rng.sample(range(k // 2), k // 2)
        for i, j in enumerate(order):  # the second half cancels the first
            if -known[a[i]] in negative:
                a[k // 2 + j], b[k // 2 + j] = negative[-known[a[i]]], b[i]
        if kind == 4 and k > 1:
            a[-1] = rng.choice(codes)
    return a, b


def check(seed: int, pairs: list[tuple[str, str]], count: int, ks: tuple[int, ...]) -> int:
    done = 0
    for fa, fb in pairs:
        rng = random.Random(f"{seed} {fa} {fb}")
        (ia, la), (ib, lb) = integers(fa), integers(fb)
        unit = Fraction(2) ** (la + lb)
        for k in ks:
            rows = [adversarial(rng, ia, ib, k) for _ in range(count)]
            a, b = np.array([r[0] for r in rows], np.uint8), np.array([r[1] for r in rows], np.uint8)
            sums = [sum(ia[x] * ib[y] for x, y in zip(*row)) * unit for row in rows]
            result = rng.choice(list(FLOATS))
            got = fp8ref.dot(a, b, fa, fb, result=result, overflow="nonsat")
            want = [second.to_nearest(s, result) for s in sums]
            assert got.view(f"u{got.itemsize}").tolist() == want, (fa, fb, k, result)
            done += count
    return done


def test_every_pair_of_formats() -> None:
    pairs = [(x, y) for x in NAMES for y in NAMES]
    assert check(1, pairs, 22, (2, 33)) >= 9_000


@pytest.mark.full
def test_every_pair_of_formats_at_length() -> None:
    pairs = [(x, y) for x in NAMES for y in NAMES]
    assert check(2, pairs, 120, (1, 2, 31, 64)) >= 100_000


def test_wide_sums_in_every_tile() -> None:
    """The widest pairs and every length class, few rows each, so that every way of slicing is taken."""
    wide = ("e8m0fnu", "e7m0fnuz", "binary8p1uf", "e5m2")
    assert check(3, [(x, y) for x in wide for y in wide], 60, (31, 64)) > 1_000


def test_the_bound_of_one_float64_product_is_tight() -> None:
    """Largest products and one unit: 53 bits and more, where one float64 sum would lose the unit."""
    for fa, fb, ks in (("e4m3fn", "e4m3fn", (1 << 16, 1 << 17, 1 << 18)), ("e5m2", "e4m3fn", (7, 8, 9, 15, 16, 32))):
        largest = [{"e4m3fn": 0x7E, "e5m2": 0x7B}[f] for f in (fa, fb)]
        for k in ks:
            a, b = (np.full((1, k), code, np.uint8) for code in largest)
            a[0, -1] = b[0, -1] = 1
            value = second.real(largest[0], fa) * second.real(largest[1], fb) * (k - 1)
            value += second.real(1, fa) * second.real(1, fb)
            for rounding, want in (("rne", second.to_nearest(value, "f64")), ("rtp", None)):
                got = fp8ref.dot(a, b, fa, fb, result="f64", rounding=rounding)
                assert want is None or int(got.view(np.uint64)[0]) == want
                assert rounding == "rne" or Fraction(float(got[0])) >= value


def test_ties_that_a_third_component_breaks() -> None:
    """A double's half ulp, less or more by far less than another double's: C, a product and a product."""
    one, half, tiny = 0x7F, 0x7F - 53, 0x00  # e8m0: 2**0, 2**-53, 2**-127
    c = np.array([1.0, -1.0, 1 + 2.0**-52, -(1 + 2.0**-52)] * 2)
    a, b = np.tile(np.uint8([half, tiny]), (8, 1)), np.full((8, 2), one, np.uint8)
    signs = np.where(np.arange(8) < 4, 1.0, -1.0)[:, None]
    for first, second_scale in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)):
        scale = signs * np.array([[first, second_scale]])
        got = fp8ref.dot(a, b, "e8m0fnu", c=c, result="f64", scale_a=scale, block=1)
        for i in range(8):
            exact = Fraction(c[i]) + Fraction(scale[i, 0]) / 2**53 + Fraction(scale[i, 1]) / 2**127
            assert int(got.view(np.uint64)[i]) == second.to_nearest(exact, "f64")


def test_with_c_and_every_rounding() -> None:
    """One sum more: c close to the sum, far from it, cancelling it; modes by the reference's rounding of exact sums."""
    rng = random.Random(5)
    for fa, fb in (("e4m3fn", "e4m3fn"), ("e5m2", "e5m2"), ("e8m0fnu", "e5m2")):
        (ia, la), (ib, lb) = integers(fa), integers(fb)
        unit = Fraction(2) ** (la + lb)
        for result in ("f32", "f64", "bf16", "e4m3fn", "e5m2"):
            rows = [adversarial(rng, ia, ib, 16) for _ in range(40)]
            a, b = np.array([r[0] for r in rows], np.uint8), np.array([r[1] for r in rows], np.uint8)
            sums = [sum(ia[x] * ib[y] for x, y in zip(*row)) * unit for row in rows]
            near = [float(s) if abs(s) < 2**1000 else 1.0 for s in sums]
            c = np.array([rng.choice((-x, x, -x * (1 + 2**-50), 1e-300, 2.0**-900, 5e-324, 1.0)) for x in near])
            for rounding in ("rne", "rna", "rtz", "rtp", "rtn", "rto"):
                got = fp8ref.dot(a, b, fa, fb, c=c, result=result, rounding=rounding, overflow="nonsat")
                want = [
                    fp8ref.spec.encode(s + Fraction(x), result, rounding, "nonsat")[0] for s, x in zip(sums, c.tolist())
                ]
                assert got.view(f"u{got.itemsize}").tolist() == want, (fa, fb, result, rounding)


@pytest.mark.parametrize(
    ("fa", "fb"), [("e4m3fn", "e4m3fn"), ("e5m2", "e5m2"), ("e4m3fn", "e5m2"), ("mxint8", "e2m1fn")]
)
def test_matmul_is_dot_of_rows_and_columns(fa: str, fb: str) -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 1 << get_format(fa).k, (37, 70)).astype(np.uint8)
    b = rng.integers(0, 1 << get_format(fb).k, (70, 41)).astype(np.uint8)
    c = rng.standard_normal((37, 41)).astype(np.float32)
    got = fp8ref.matmul(a, b, fa, fb, c=c, overflow="nonsat")
    want = fp8ref.dot(a[:, None, :], b.T[None], fa, fb, c=c, overflow="nonsat")
    assert np.array_equal(got.view(np.uint32), want.view(np.uint32))
    for i, j in ((0, 0), (3, 7), (36, 40)):
        x = reference(
            a[i].tolist(), b[:, j].tolist(), fa, fb, c=fp8ref.spec.Datum.of(float(c[i, j])), overflow="nonsat"
        )
        assert x == int(got.view(np.uint32)[i, j])


@pytest.mark.parametrize("k", [(1 << 17) + 5, 1 << 20])
@pytest.mark.parametrize("f", ["e4m3fn", "e5m2"])
def test_long_sums(k: int, f: str) -> None:
    """All products alike, and one small one more: beyond 53 bits."""
    top, tiny = {"e4m3fn": (0x7E, 0x01), "e5m2": (0x7B, 0x01)}[f]
    a = np.full((1, k), top, np.uint8)
    a[0, 0] = tiny
    b = a.copy()
    value = second.real(top, f) ** 2 * (k - 1) + second.real(tiny, f) ** 2
    for result in ("f64", "f32"):
        assert int(fp8ref.dot(a, b, f, result=result).view("u8" if result == "f64" else "u4")[0]) == second.to_nearest(
            value, result
        )
    got = fp8ref.matmul(a, b.T, f, result="f64", rounding="rtp")
    assert Fraction(float(got[0, 0])) >= value > Fraction(float(np.nextafter(got[0, 0], 0)))


def test_specials_everywhere() -> None:
    """Random codes, NaNs and infinities among them, against the reference element by element."""
    rng = np.random.default_rng(3)
    a, b = (rng.choice(np.array([0, 0x80, 0x3C, 0xBC, 0x7C, 0xFC, 0x7F, 0x01], np.uint8), (12, 3)) for _ in "ab")
    c = rng.choice(np.array([0, -0.0, 1, np.inf, -np.inf, np.nan], np.float32), (12, 12))
    scale = rng.choice(np.array([1, -2, 0, np.inf, np.nan, 1, 1, 1], np.float32), (12, 1))
    for overflow in ("sat", "nonsat"):
        for s in (None, scale):
            got = fp8ref.matmul(a, b.T, "e5m2", c=c, overflow=overflow, scale_a=s)
            for i in range(12):
                for j in range(12):
                    one, x = fp8ref.spec.Datum.finite(1), fp8ref.spec.Datum.of(float(c[i, j]))
                    scales = [] if s is None else [(fp8ref.spec.Datum.of(float(s[i, 0])), one)]
                    want = reference(a[i].tolist(), b[j].tolist(), "e5m2", c=x, overflow=overflow, scales=scales)
                    assert int(got.view(np.uint32)[i, j]) == want, (a[i], b[j], c[i, j], s if s is None else s[i])


def test_scales() -> None:
    """Tensor, row, column and block scales, powers of two and not, against Fractions."""
    rng = np.random.default_rng(4)
    a, b = (rng.integers(0, 0x7E, shape).astype(np.uint8) for shape in ((5, 70), (70, 4)))
    value = [second.real(c, "e4m3fn") for c in range(0x7F)]
    wide = np.float32(2.0) ** rng.integers(-140, 100, (5, 3)).astype(np.float32)
    for sa, sb, block in (
        (np.float32(0.3), None, None),
        (rng.standard_normal((5, 1)).astype(np.float32), rng.standard_normal((1, 4)).astype(np.float32), None),
        (rng.standard_normal((5, 3)).astype(np.float32), rng.standard_normal((3, 4)).astype(np.float32), 32),
        (wide, None, 32),
        (np.float64(1e-200), np.float64(1e-90), None),  # beyond float64's range together: by the reference
    ):
        got = fp8ref.matmul(a, b, "e4m3fn", scale_a=sa, scale_b=sb, block=block, tensor_scale=0.7, result="f64")
        width = block or 70
        full_a = np.broadcast_to(1.0 if sa is None else sa, (5, -(-70 // width)) if block else (5, 1))
        full_b = np.broadcast_to(1.0 if sb is None else sb, (-(-70 // width), 4) if block else (1, 4))
        for i in range(5):
            for j in range(4):
                want = sum(
                    value[a[i, k]]
                    * value[b[k, j]]
                    * Fraction(float(full_a[i, k // width]))
                    * Fraction(float(full_b[k // width, j]))
                    for k in range(70)
                ) * Fraction(0.7)
                assert int(got.view(np.uint64)[i, j]) == second.to_nearest(want, "f64")


def to_53_bits(n: int, away: bool) -> float:
    size, drop = abs(n), max(0, abs(n).bit_length() - 53)
    kept = -(-size >> drop) if away else size >> drop
    return float(kept << drop) * (-1 if n < 0 else 1)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_data_of_any_width(k: int) -> None:
    """15 times 24 random bits as near as can be to the top of a range, others anywhere in it: how it is cut."""
    rng, n = random.Random(k), 6
    widths = (26, 27, 28, 30, 45, 50, 51, 52, 53, 54, 60, 90)
    for width in ((a, b) for a in widths for b in widths):
        scales = []
        for w in width:
            bits = min(w, 28)
            fifteenth = (1 << bits) // 15
            shifts = (w - bits, 0, rng.randrange(w - bits + 1))
            drawn = [fifteenth - rng.randrange(40) << rng.choice(shifts) for _ in range(n * k // 2)]
            drawn = [rng.choice((1, -1)) * x for x in drawn]
            drawn += [fifteenth - rng.randrange(40) << w - bits for _ in range(n * k // 2)]
            scales.append(np.array(drawn, np.float64).reshape(n, k))
        sums = [225 * sum(int(x) * int(y) for x, y in zip(*row)) for row in zip(*scales)]
        codes = np.full((n, k), 0x57, np.uint8)  # 15
        for rounding in ("rtz", "rtp"):
            options = {"scale_a": scales[0], "scale_b": scales[1], "block": 1, "result": "f64", "rounding": rounding}
            got = fp8ref.dot(codes, codes, "e4m3fn", **options)
            want = [to_53_bits(s, rounding == "rtp" and s > 0) for s in sums]
            assert got.view(np.float64).tolist() == want, (width, rounding)


def test_one_is_as_much_a_number_as_any() -> None:
    """2**60 - 1 toward zero is the next number below 2**60, 2**60 + 1 upward the next above: the 1 is not lost."""
    ones, options = np.full((1, 2), 0x38, np.uint8), {"block": 1, "result": "f64"}
    for one, rounding, want in ((-1, "rtz", 2**60 - 2**7), (1, "rtp", 2**60 + 2**8)):
        for side in ("scale_a", "scale_b"):
            got = fp8ref.dot(ones, ones, "e4m3fn", **{side: np.array([[2.0**60, one]])}, rounding=rounding, **options)
            assert got.view(np.float64).tolist() == [want]


@pytest.mark.parametrize("units", [1, 15])
def test_block_scales_of_53_bits(units: int) -> None:
    """15/8 (1 + 2**-52) - 15/8 is 15 * 2**-55, though float64 has no 15/8 (1 + 2**-52)."""
    a, b, scale = [[0x3F, 0x38]], [[0x38, 0xBF]], np.array([[1 + units * 2.0**-52, 1.0]])
    options = {"block": 1, "result": "f64"}
    assert fp8ref.dot(a, b, "e4m3fn", scale_a=scale, **options).tolist() == [units * 15 * 2.0**-55]
    assert fp8ref.dot(b, a, "e4m3fn", scale_b=scale, **options).tolist() == [units * 15 * 2.0**-55]


@pytest.mark.parametrize("bias", [298, 236, 200, -200])
def test_scales_of_53_bits_of_far_operands(bias: int) -> None:
    """Three factors leave bits far below float64's least; Python divides integers with one rounding."""
    f = spec.Format("far", 8, 4, bias, nans=spec.NaNs.ALL_ONES)
    rng = np.random.default_rng(bias + 300)
    least = Fraction(2) ** (-bias - 2)  # the value of code 1; code 15 is 15 times that
    for _ in range(10):
        x, y = rng.integers(1, 16, (2, 3))
        scales = [float(s) for s in np.ldexp(1 + rng.random(3), -149)]
        given = dict(zip(("scale_a", "scale_b", "tensor_scale"), scales))
        want = least**2 * int(x @ y) * Fraction(scales[0]) * Fraction(scales[1]) * Fraction(scales[2])
        got = fp8ref.dot(x, y, f, result="f64", overflow="nonsat", **given)
        assert got == want.numerator / want.denominator


def test_a_number_beyond_float64_is_no_infinity() -> None:
    """Far operands under large scales: satprop turns a number that overflows into the largest, and keeps infinities."""
    f = spec.Format("far", 8, 4, -219, nans=spec.NaNs.ALL_ONES)
    large = {"scale_a": 2.0**200, "scale_b": 2.0**200, "tensor_scale": 2.0**200}
    got = fp8ref.dot([0x7E], [0x7E], f, result="f64", overflow="satprop", **large)
    assert got == np.finfo(np.float64).max


@pytest.mark.parametrize("sign", [1, -1])
def test_c_as_large_as_float64_holds(sign: int) -> None:
    """[IEEE 754-2019 4.3]: what is added to it counts in the directed roundings."""
    most = float(np.finfo(np.float64).max)
    below = np.nextafter(most, 0)
    for rounding, smaller, larger in (("rne", most, most), ("rtz", below, most), ("rta", most, np.inf)):
        if rounding == "rta":  # away from zero: upward for positive, downward for negative
            rounding = "rtp" if sign > 0 else "rtn"
        options = {"c": np.float64(sign * most), "result": "f64", "rounding": rounding, "overflow": "nonsat"}
        for factor, want in ((0xB8, smaller), (0x38, larger)):
            one = 0x38 if sign > 0 else 0xB8
            assert fp8ref.dot([one], [factor], "e4m3fn", **options) == sign * want


def test_c_of_a_chain_of_far_operands_is_its_first_addend() -> None:
    """2**-152 * 2**152, twice, and 2048 in binary16, where 2049 is a tie to even."""
    small, large = (spec.Format("far", 8, 4, bias, nans=spec.NaNs.ALL_ONES) for bias in (159, -145))
    c = np.array([2048, 0], np.float16)
    got = fp8ref.dot([[0x38, 0x38]] * 2, [[0x38, 0x38]] * 2, small, large, c=c, accumulator="f16.fma")
    assert got.tolist() == [2048, 2]


def test_e8m0_scale_codes_and_nan() -> None:
    a = np.full((2, 64), 0x38, np.uint8)
    codes = np.array([[127, 129], [127, 255]], np.uint8)
    got = fp8ref.dot(a, a, "e4m3fn", scale_a=codes, scale_format="e8m0fnu", block=32, overflow="nonsat")
    assert got[0] == 32 + 128
    assert np.isnan(got[1])


def test_empty_and_scalar() -> None:
    assert fp8ref.dot(np.zeros((3, 0), np.uint8), np.zeros((3, 0), np.uint8), "e4m3fn").tolist() == [0, 0, 0]
    assert fp8ref.matmul(np.zeros((0, 4), np.uint8), np.zeros((4, 2), np.uint8), "e4m3fn").shape == (0, 2)
    assert fp8ref.dot([0x38], [0x38], "e4m3fn").shape == ()


@pytest.mark.parametrize("bias", [900, -900])
def test_exponents_beyond_float64(bias: int) -> None:
    """Code 0x38 is 2**(7 - bias) in e4m3; the product has twice that exponent."""
    f = spec.Format("far", 8, 4, bias, nans=spec.NaNs.ALL_ONES)
    twice = spec.Format("twice", 8, 4, 2 * bias - 7, nans=spec.NaNs.ALL_ONES)
    assert int(fp8ref.dot([0x38], [0x38], f, result=twice)) == 0x38


@pytest.mark.parametrize("scale", [2.0**-230 * (1 + 2.0**-52), 5e-324])
def test_scales_too_small_for_float64(scale: float) -> None:
    """The smallest code is 2**-222; scaled, the product is a number or just above one, and is rounded up from there."""
    f = spec.Format("far", 8, 4, 220, nans=spec.NaNs.ALL_ONES)
    exact = Fraction(scale) ** 3 * Fraction(2) ** -444
    e = exact.denominator.bit_length() - exact.numerator.bit_length()
    to = spec.Format("farther", 8, 4, e + 7, nans=spec.NaNs.ALL_ONES)  # code 0x38 is 2**-e
    got = fp8ref.dot([1], [1], f, scale_a=scale, scale_b=scale, tensor_scale=scale, result=to, rounding="rtp")
    assert int(got) == (0x38 if exact == Fraction(2) ** -e else 0x39)


@pytest.mark.parametrize("name", ["e4m3fn", "e4m3b900fn"])
@pytest.mark.parametrize("shape", [(2, 3, 0), (0, 3, 2), (0, 3, 0), (2, 0, 2)])
def test_products_of_no_elements(name: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    got = fp8ref.matmul(np.ones((m, k), np.uint8), np.ones((k, n), np.uint8), name)
    assert got.tolist() == np.zeros((m, n)).tolist()


BAD = [
    (lambda: fp8ref.dot([1, 2], [1], "e4m3fn"), ValueError, "last axes"),
    (lambda: fp8ref.matmul([[1]], [[1], [2]], "e4m3fn"), ValueError, r"\(M, K\)"),
    (lambda: fp8ref.dot([300], [1], "e4m3fn"), ValueError, "300"),
    (lambda: fp8ref.dot([1.0], [1.0], "e4m3fn"), TypeError, "codes"),
    (lambda: fp8ref.dot(np.ones(1, np.float32), [1], "e4m3fn"), TypeError, "float32"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", accumulator="exakt"), ValueError, "exact"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", c=np.zeros(1, np.int8)), TypeError, "float array"),
    (lambda: fp8ref.matmul([[1]], [[1]], "e4m3fn", c=np.zeros(3)), ValueError, "outputs"),
    (lambda: fp8ref.matmul([[1, 1]], [[1], [1]], "e4m3fn", scale_a=np.ones((1, 2))), ValueError, "block="),
    (lambda: fp8ref.matmul([[1, 1]], [[1], [1]], "e4m3fn", scale_a=np.ones((1, 2)), block=2), ValueError, "fit"),
    (lambda: fp8ref.matmul([[1]], [[1]], "e4m3fn", scale_a=np.ones((3, 1))), ValueError, "scale_a"),
    (lambda: fp8ref.matmul([[1]], [[1]], "e4m3fn", scale_a=np.ones((1, 1), int)), TypeError, "scale_format"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", tensor_scale=[1, 2]), ValueError, "one number"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", rounding="sr-a"), ValueError, "deterministic"),
    (lambda: fp8ref.dot([1], [1], "e4m3fn", block=0), ValueError, "block"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input(case: int) -> None:
    call, error, text = BAD[case]
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [0.7, -0.7, 3.0, -3.0, 0.0])
def test_infinite_sums_under_scales(sign: int, scale: float) -> None:
    """An infinite sum times a scale (IEEE 754-2019 6.1, 7.2): its sign is the product's, and times zero it is NaN."""
    infinity = 0x7C if sign > 0 else 0xFC
    a = np.array([[infinity, 0x3C], [0x3C, 0x3C], [infinity, 0x7E]], np.uint8)  # 1 is 3C, NaN 7E
    b = np.full((3, 2), 0x3C, np.uint8)
    given = {"scale_a": np.full((3, 1), scale, np.float32), "result": "f32", "overflow": "nonsat"}
    got = fp8ref.dot(a, b, "e5m2", **given).view(np.float32)
    assert np.isnan(got[0]) if scale == 0 else got[0] == sign * np.copysign(np.inf, scale)
    assert got[1] == np.float32(2) * np.float32(scale)
    assert np.isnan(got[2])


def test_one_scale_for_more_rows_than_a_tile_has() -> None:
    a = (np.arange(ROWS + 3, dtype=np.uint8) % 8 + 0x38)[:, None]  # 1 to 1.875
    got = fp8ref.matmul(a, [[0x38]], "e4m3fn", scale_a=3.0, result="f32").view(np.float32)
    assert got[:, 0].tolist() == [3 * (1 + i % 8 / 8) for i in range(ROWS + 3)]
    pairs, ones = np.repeat(a, 2, axis=1), [[0x38], [0x38]]
    got = fp8ref.matmul(pairs, ones, "e4m3fn", scale_a=[[3.0, 1.0]], block=1, result="f32").view(np.float32)
    assert got[:, 0].tolist() == [4 * (1 + i % 8 / 8) for i in range(ROWS + 3)]


def test_block_scales_beyond_one_run_over_k() -> None:
    """The sum of ones, each block of 32 under a power of two of its own, is a whole number below 2^53."""
    blocks = K_RUN // 32 + 3
    codes = np.full((1, 32 * blocks), 0x38, np.uint8)
    exponents = np.arange(blocks) % 20
    scale = np.exp2(exponents).astype(np.float32)[None, :]
    got = fp8ref.dot(codes, codes, "e4m3fn", scale_a=scale, block=32, result="f64").view(np.float64)
    assert int(got[0]) == sum(32 << int(e) for e in exponents)


def bits(x: np.ndarray) -> np.ndarray:
    return x.view(f"u{x.itemsize}")


@pytest.mark.parametrize("result", ["f32", "e4m3fn"])
def test_a_scale_of_the_result_multiplies_c_too(result: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """(AB + C) r, rounded once; without the specification's help, save for an r that is no positive number."""
    slow = []
    usual = dot_route._by_specification
    monkeypatch.setattr(dot_route, "_by_specification", lambda p: slow.append(p.shape[0]) or usual(p))
    rng = np.random.default_rng(11)
    for wild in (False, True):
        a, b = (rng.integers(0, 256 if wild else 64, (40, 12)).astype(np.uint8) for _ in "ab")
        c = rng.integers(0, 1 << 32, 40, dtype=np.uint64).astype(np.uint32).view(np.float32)
        c[:20] = rng.standard_normal(20) * 2.0 ** rng.integers(-9, 3, 20)
        r = np.float32(1.37) * 2.0 ** rng.integers(-140, 120, 40).astype(np.float32)
        r[30:] = 1 / 3
        for rs in (r, -r[:1], np.float32([np.inf])):
            got = bits(fp8ref.dot(a, b, "e5m2", "e4m3fn", c=c, result=result, scale_result=rs))
            for i in range(40):
                want = reference(
                    a[i].tolist(), b[i].tolist(), get_format("e5m2"), get_format("e4m3fn"), c=Datum.of(float(c[i])),
                    accumulator="exact", result=get_format(result), scale_result=Datum.of(float(rs[i % rs.size])),
                )  # fmt: skip
                assert int(got[i]) == want, (wild, i, c[i], rs[i % rs.size])
    assert slow == [40] * 4
