"""Quick sums of aligned products: every route against the specification, and what each lemma leans on, by hand."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fp8ref
from fp8ref.fast.matrix.aligned import late
from fp8ref.fast.matrix.aligned.powers import Exponents, Largest, lowest_bits
from fp8ref.fast.matrix.aligned.quick import Quick
from fp8ref.fast.matrix.aligned.steps import Steps
from fp8ref.spec import Datum, Rounding, get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.matrix.accumulate import Fused, Model, Scales
from fp8ref.spec.matrix.models import get_model
from fp8ref.spec.matrix.products import dot as reference

Array = np.ndarray[Any, Any]
BITS = {"f32": np.uint32, "f16": np.uint16}


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many outputs of a step each route gave."""
    taken: Counter[str] = Counter()

    def watch(owner: type, name: str, route: str, size: Any) -> None:
        method = getattr(owner, name)

        def watched(*args: Any) -> Any:
            found = method(*args)
            if found is not None or route.startswith("one by one"):
                taken[route] += size(args, found)
            return found

        monkeypatch.setattr(owner, name, watched)

    watch(Quick, "uncut", "uncut", lambda _, found: found.size)
    watch(Quick, "add_one_by_one", "one by one", lambda args, _: int(args[3].sum()))
    watch(Quick, "cut_in_int32", "int32", lambda _, found: found.size)
    watch(Quick, "cut_in_float32", "float32", lambda _, found: found.size)
    watch(late._Uncut, "sums", "uncut late", lambda _, found: found[0].size)
    watch(late._Uncut, "add_one_by_one", "one by one late", lambda args, _: int(args[2].sum()))
    watch(Steps, "careful", "careful", lambda _, found: found.size)
    return taken


def codes(rng: np.random.Generator, name: str, shape: tuple[int, ...], data: str) -> Array:
    """Codes of data: normal, of large spread, every finite code, extremes, with specials, mostly zeros."""
    f = get_format(name)
    dtype = np.uint8 if f.k <= 8 else np.uint16 if f.k <= 16 else np.uint32
    if data in ("normal", "spread", "sparse"):
        x = rng.standard_normal(shape)
        if data == "spread":
            x *= 2.0 ** rng.integers(-1, 4, shape)
        if data == "sparse":
            x *= rng.random(shape) < 0.06
        return np.asarray(fp8ref.encode(x, f)).view(dtype)
    if data == "extremes":
        pool = [0, 1, 2, f.max_code, f.max_code - 1, f.sign_bit | f.max_code, f.sign_bit | 1]
        return rng.choice(np.array(pool, dtype), shape)
    every = rng.integers(0, 1 << f.k, shape).astype(dtype)
    special = ~np.isfinite(fp8ref.decode(every, f, dtype=np.float64))
    every[special & (rng.random(shape) < (0.9 if data == "specials" else 1))] = 1
    return every


def addends(rng: np.random.Generator, model: Model, shape: tuple[int, int]) -> Array:
    """C: of ordinary size, with zeros, the least, infinities and any others among them."""
    f = model.format
    c = fp8ref.encode(rng.standard_normal(shape) * 2.0 ** rng.integers(-20, 4, shape), f).view(BITS[f.name])
    odd = rng.integers(0, 1 << f.k, shape, dtype=np.uint64).astype(c.dtype)
    c = np.where(rng.random(shape) < 0.01, odd, c)
    c.reshape(-1)[:4] = (0, f.sign_bit, 1, f.infinity_code)
    return c.view({"f32": np.float32, "f16": np.float16}[f.name])


def of_the_specification(
    model: Model, fa: str, fb: str, a: Array, b: Array, c: Array | None, scales: tuple[Array, Array] | None
) -> list[list[int]]:
    f = model.format
    bits = None if c is None else c.view(BITS[f.name])
    rows = []
    for i in range(a.shape[0]):
        row = []
        for j in range(b.shape[1]):
            pairs = []
            if scales is not None:
                pairs = [(Datum.of(float(x)), Datum.of(float(y))) for x, y in zip(scales[0][i], scales[1][:, j])]
            addend = None if bits is None else unpack(int(bits[i, j]), f)
            row.append(reference(
                a[i].tolist(), b[:, j].tolist(), fa, fb, c=addend, accumulator=model, scales=pairs, block=model.block,
            ))  # fmt: skip
        rows.append(row)
    return rows


def held_against_the_specification(
    model: Model, fa: str, fb: str, k: int, data: str, rng: np.random.Generator, *, with_c: bool, shape: tuple[int, int]
) -> None:
    a, b = codes(rng, fa, (shape[0], k), data), codes(rng, fb, (k, shape[1]), data)
    c = addends(rng, model, shape) if with_c else None
    scales = None
    more: dict[str, Any] = {}
    if model.scales is Scales.PRODUCT:
        scales = tuple(2.0 ** rng.integers(-3, 3, (n, -(-k // 32))) for n in shape)  # type: ignore[assignment]
        assert scales is not None
        scales = scales[0], scales[1].T
        more = {"scale_a": scales[0], "scale_b": scales[1], "block": 32}
    got = fp8ref.matmul(a, b, fa, fb, c=c, accumulator=model, **more).view(BITS[model.result])
    want = np.array(of_the_specification(model, fa, fb, a, b, c, scales), got.dtype)
    wrong = np.argwhere(got != want)
    assert wrong.size == 0, (model.name, data, wrong[:3].tolist())


# unit, formats, data, routes of which each is to give a part of the outputs
CASES = (
    ("blackwell.tcgen05.fp8.f32", "e4m3fn", "normal", {"uncut"}),
    ("blackwell.tcgen05.fp8.f32", "e4m3fn", "spread", {"uncut", "one by one"}),
    ("blackwell.tcgen05.fp8.f32", "e4m3fn", "every", {"int32"}),
    ("blackwell.tcgen05.fp8.f32", "e4m3fn", "extremes", {"int32"}),
    ("blackwell.tcgen05.fp8.f32", "e4m3fn", "sparse", set()),
    ("blackwell.tcgen05.fp8.f32", "e5m2", "normal", {"uncut", "one by one"}),
    ("blackwell.tcgen05.fp8.f32", "e5m2", "every", {"int32"}),
    ("blackwell.tcgen05.fp8.f16", "e4m3fn", "normal", {"uncut"}),
    ("blackwell.tcgen05.fp8.f16", "e5m2", "specials", {"int32"}),
    ("blackwell.mxf8f6f4", "e4m3fn", "normal", {"uncut", "one by one"}),
    ("blackwell.mxf8f6f4", "e5m2", "specials", {"int32"}),
    ("blackwell.mxf8f6f4", "e2m3fn", "every", {"uncut"}),
    ("hopper.mma.fp8.f32", "e4m3fn", "normal", {"uncut"}),
    ("hopper.mma.fp8.f32", "e5m2", "spread", {"uncut", "one by one"}),
    ("hopper.mma.fp8.f32", "e5m2", "every", {"int32"}),
    ("hopper.mma.fp8.f16", "e5m2", "specials", {"int32"}),
    ("hopper.wgmma.fp8.f32", "e4m3fn", "normal", {"float32"}),
    ("hopper.wgmma.fp8.f32", "e5m2", "every", {"float32"}),
    ("hopper.wgmma.fp8.f16", "e5m2", "specials", {"float32"}),
    ("ada.mma.fp8.f32", "e4m3fn", "extremes", {"float32"}),
    ("ada.mma.fp8.f32", "e4m3fn", "sparse", set()),
    ("ampere.mma.f16.f32", "f16", "normal", {"int32"}),
    ("ampere.mma.f16.f16", "f16", "specials", {"int32"}),
    ("hopper.mma.bf16.f32", "bf16", "normal", {"int32"}),
    ("hopper.mma.bf16.f32", "bf16", "every", {"careful"}),
    ("volta.mma.f16.f32", "f16", "extremes", {"int32"}),
    ("hopper.mma.tf32.f32", "tf32", "normal", {"int32"}),
    ("cdna3.mfma.fp8.f32", "e4m3fnuz", "normal", {"uncut late"}),
    ("cdna3.mfma.fp8.f32", "e4m3fnuz", "spread", {"uncut late", "one by one late"}),
    ("cdna3.mfma.fp8.f32", "e5m2fnuz", "normal", {"uncut late", "one by one late"}),
    ("cdna3.mfma.fp8.f32", "e5m2fnuz", "every", set()),
    ("cdna3.mfma.fp8.f32", "e4m3fnuz", "specials", set()),
    ("cdna3.mfma.fp8.f32", "e4m3fnuz", "sparse", {"uncut late"}),
    ("cdna3.mfma.fp8.f32@zero_exponent=none", "e4m3fnuz", "normal", set()),
    ("cdna3.mfma.bf16.f32", "bf16", "every", set()),
    ("riscv.bulknorm16.fp8.f32", "e4m3fn", "normal", {"uncut"}),
    ("riscv.bulknorm16.fp8.f32", "e5m2", "every", {"careful"}),
    ("hopper.mma.bf16.f32@zero_exponent=-126", "bf16", "normal", {"careful"}),
    ("blackwell.tcgen05.fp8.f32+promote64.fadd", "e4m3fn", "spread", {"uncut"}),
    ("hopper.mma.fp8.f32+splitk3", "e4m3fn", "spread", {"uncut"}),
    ("blackwell.tcgen05.fp8.f32@underflow_sign=1@min_exponent=none", "e5m2", "normal", {"uncut"}),
)


def seed(case: tuple[Any, ...]) -> int:
    return sum(map(ord, str(case[:3])))


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case[:3]))
@pytest.mark.parametrize("with_c", [False, True], ids=["no C", "C"])
def test_every_route_equals_the_specification(case: tuple[str, str, str, set[str]], with_c: bool) -> None:
    unit, f, data, _ = case
    rng = np.random.default_rng(seed(case) + with_c)
    held_against_the_specification(get_model(unit), f, f, 70, data, rng, with_c=with_c, shape=(3, 4))


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case[:3]))
def test_matrix_products_equal_dots(case: tuple[str, str, str, set[str]], routes: Counter[str]) -> None:
    """More than one tile; single dot products go the careful way, which is held against the specification."""
    unit, f, data, wanted = case
    model, rng = get_model(unit), np.random.default_rng(seed(case))
    m, n, k = 67, 40, 96
    a, b = codes(rng, f, (m, k), data), codes(rng, f, (k, n), data)
    c = addends(rng, model, (m, n))
    more: dict[str, Any] = {"accumulator": model, "c": c}
    scaled: dict[str, Any] = {}
    if model.scales is Scales.PRODUCT:
        sa, sb = 2.0 ** rng.integers(-3, 3, (m, 3)), 2.0 ** rng.integers(-3, 3, (3, n))
        scaled = {"scale_a": sa[:, None], "scale_b": sb.T[None], "block": 32}
        more |= {"scale_a": sa, "scale_b": sb, "block": 32}
    got = fp8ref.matmul(a, b, f, **more).view(BITS[model.result])
    assert all(routes[route] for route in wanted), dict(routes)
    want = fp8ref.dot(a[:, None], b.T[None], f, **{**more, **scaled}).view(BITS[model.result])
    assert np.array_equal(got, want)


@pytest.mark.full
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case[:3]))
def test_matrix_products_equal_dots_at_length(case: tuple[str, str, str, set[str]]) -> None:
    unit, f, _, _ = case
    model, rng = get_model(unit), np.random.default_rng(seed(case))
    for data in ("normal", "spread", "every", "extremes", "specials", "sparse") * 3:
        a, b = codes(rng, f, (130, 200), data), codes(rng, f, (200, 90), data)
        c = addends(rng, model, (130, 90))
        got = fp8ref.matmul(a, b, f, accumulator=model, c=c).view(BITS[model.result])
        want = fp8ref.dot(a[:, None], b.T[None], f, accumulator=model, c=c).view(BITS[model.result])
        assert np.array_equal(got, want), data


# -- what the lemmas lean on ------------------------------------------------------------------------------------------
ONE, TWO_TO_THE = 0x38, {e: 0x38 + 8 * e for e in range(-6, 9)}  # e4m3fn


def one_step(unit: str | Model, a: list[int], b: list[int], c: float = 0.0) -> tuple[float, float]:
    """The one output by a matrix product, and by the specification."""
    model = get_model(unit) if isinstance(unit, str) else unit
    got = fp8ref.matmul([a], [[x] for x in b], "e4m3fn", c=np.float32([[c]]), accumulator=model).item()
    want = reference(a, b, "e4m3fn", "e4m3fn", c=Datum.of(c), accumulator=model)
    return got, np.uint32(want).view(np.float32).item()


@pytest.mark.parametrize("e", [-12, -11, -10, -9, -8, 0, 8])
def test_the_last_bit_that_is_not_cut(e: int) -> None:
    """One product at 2**16, others of one bit about 2**-9: kept at 25 bits below, cut at 26."""
    x, y = (TWO_TO_THE[max(e, -6)], TWO_TO_THE[e - max(e, -6)])
    for small in ([x], [x, x | 0x80], [x] * 3):
        a = [TWO_TO_THE[8], *small] + [0] * (31 - len(small))
        b = [TWO_TO_THE[8], *[y] * len(small)] + [0] * (31 - len(small))
        for unit in ("blackwell.tcgen05.fp8.f32", "hopper.mma.fp8.f32", "riscv.bulknorm4.fp8.f32"):
            got, want = one_step(unit, a, b)
            assert got == want
    model = get_model("blackwell.tcgen05.fp8.f32")
    assert isinstance(model, Fused)
    for bits in range(16 - e - 2, 16 - e + 3):  # the boundary of this product itself, downward too
        for cut in (Rounding.TOWARD_ZERO, Rounding.TOWARD_NEGATIVE):
            if bits > 0:
                unit_of = replace(model, fraction_bits=bits, cut=cut)
                got, want = one_step(unit_of, [TWO_TO_THE[8], x | 0x80], [TWO_TO_THE[8], y])
                assert got == want, bits


@pytest.mark.parametrize("e", [-13, -12, -11, -10, -9])
def test_the_last_bit_that_cdna3_keeps(e: int) -> None:
    """One product at 2**14, another of one bit, in its group or the other: kept at 24 bits below, cut at 25."""
    unit = "cdna3.mfma.fp8.f32"
    big, x, y = (int(fp8ref.encode(v, "e4m3fnuz")) for v in (2.0**7, 2.0 ** (e // 2), 2.0 ** (e - e // 2)))
    for place in (1, 2):
        for sign in (0, 0x80):
            a, b = [0] * 16, [0] * 16
            a[0], b[0], a[place], b[place] = big, big, x | sign, y
            a[3], b[3] = big | 0x80, big  # the large ones cancel: what is kept shows
            got = fp8ref.matmul([a], [[v] for v in b], "e4m3fnuz", accumulator=unit).view(np.uint32).item()
            assert got == reference(a, b, "e4m3fnuz", "e4m3fnuz", accumulator=unit)


def test_the_largest_products_fill_int32() -> None:
    """1.875 * 1.875 at the largest exponent, all of one sign: 16 of them at 25 bits are just below 2**31."""
    for unit in ("blackwell.tcgen05.fp8.f32", "hopper.mma.fp8.f32", "hopper.wgmma.fp8.f32", "ada.mma.fp8.f32"):
        for sign in (0, 0x80):
            a, b = [0x77 | sign] * 32, [0x77] * 32
            b[31] = 0x01  # cut at 25 bits with the others' exponent: the products go through int32
            a[30], b[30] = 0x01, 0x01
            for c in (0.0, 2.0**23 - 1, -(2.0**31), 2.0**40):
                got, want = one_step(unit, a, b, c)
                assert got == want
    for unit, f in (("ampere.mma.f16.f32", "f16"), ("hopper.mma.f16.f32", "f16"), ("hopper.mma.bf16.f32", "bf16")):
        all_ones = (1 << get_format(f).t) - 1 | int(fp8ref.encode(2.0**7, f).view(np.uint16))
        a16 = np.full((1, 32), all_ones, np.uint16)
        for other in (a16, a16 ^ np.uint16(0x8000), np.where(np.arange(32) % 3 == 0, a16, a16 ^ np.uint16(0x8000))):
            got = fp8ref.matmul(a16, other.T.copy(), f, accumulator=unit).view(np.uint32).item()
            assert got == reference(a16[0].tolist(), other[0].tolist(), f, f, accumulator=unit)


def test_k_in_the_order_of_the_steps() -> None:
    """hopper.mma adds lanes 0 and 1 of every four first: with products that cut, another order has other answers."""
    rng = np.random.default_rng(12)
    a, b = (codes(rng, "e4m3fn", shape, "every") for shape in ((16, 64), (64, 16)))
    got = fp8ref.matmul(a, b, "e4m3fn", accumulator="hopper.mma.fp8.f32").view(np.uint32)
    model = get_model("hopper.mma.fp8.f32")
    want = of_the_specification(model, "e4m3fn", "e4m3fn", a[:3], b[:, :4], None, None)
    assert got[:3, :4].tolist() == want
    assert isinstance(model, Fused)
    other = fp8ref.matmul(a, b, "e4m3fn", accumulator=replace(model, lanes=())).view(np.uint32)
    assert (got != other).mean() > 0.01


def test_tiny_c_with_zeros_alone() -> None:
    """Exponents below float32's powers: zeros leave C as it is, in every route."""
    for unit in ("blackwell.tcgen05.fp8.f32", "hopper.wgmma.fp8.f32", "hopper.mma.f16.f32", "blackwell.mxf8f6f4"):
        for c in (2.0**-149, -(2.0**-120), 2.0**-101, 0.0, -0.0):
            f = "f16" if "f16" in unit else "e4m3fn"
            zeros = np.zeros((3, 64), np.uint16 if f == "f16" else np.uint8)
            zeros[1, 0] = int(fp8ref.encode(1.0, f).view(zeros.dtype))
            got = fp8ref.matmul(zeros, zeros.T.copy(), f, c=np.float32([[c]]), accumulator=unit).view(np.uint32)
            for i, j in ((0, 0), (1, 1), (0, 1)):
                x, y = zeros[i].tolist(), zeros[j].tolist()
                assert got[i, j] == reference(x, y, f, f, c=Datum.of(c), accumulator=unit)


# -- exponents --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("span", "dtype"), [(14, np.float32), (15, np.float64), (100, np.float64)])
def test_the_largest_sum_of_exponents(span: int, dtype: Any) -> None:
    """Of random integers, many at the largest among them: up to 128 terms, by Python's max."""
    rng = np.random.default_rng(span)
    for k in (1, 5, 32, 128):
        x = rng.choice([-3, span - 3, span - 4, 0], (k, 6))
        y = rng.integers(7 - span, 8, (k, 9))
        x[0, 0], x[-1, 1], y[0, 0], y[-1, 1] = -3, span - 3, 7 - span, 7
        x[:, 2], y[:, 2] = span - 3, 7  # all of them at the top
        there = rng.random((k, 6)) < 0.8, rng.random((k, 9)) < 0.8
        for side in there:
            side[:, :3] = True
        there[0][:, 3] = False
        sides = [Exponents(v.astype(np.int16), p) for v, p in zip((x, y), there)]
        assert Largest.serves(*sides, k)
        largest = Largest(*sides)
        assert largest.a.dtype == dtype
        got = largest.of(slice(0, k))
        for i in range(6):
            for j in range(9):
                sums = [int(x[n, i] + y[n, j]) for n in range(k) if there[0][n, i] and there[1][n, j]]
                assert got[i, j] + largest.base == (max(sums) if sums else largest.base)


def test_ranges_that_powers_do_not_hold() -> None:
    def side(span: int) -> Exponents:
        return Exponents(np.array([[0], [span]], np.int16), np.ones((2, 1), bool))

    for spans, serves in (((120, 120), True), ((121, 0), False), ((0, 240), True), ((1, 240), False)):
        sides = [side(span) for span in spans]
        assert Largest.serves(*sides, 128) == serves
        if serves:
            largest = Largest(*sides)
            assert largest.of(slice(0, 2)).item() + largest.base == sum(spans)
            assert largest.of(slice(0, 1)).item() + largest.base == 0
    assert not Largest.serves(side(1), side(1), 129)
    for spans, dtype in (((15, 14), np.float32), ((15, 15), np.float64), ((16, 0), np.float64)):
        largest = Largest(*(side(span) for span in spans))
        assert largest.a.dtype == dtype
        assert largest.of(slice(0, 2)).item() + largest.base == sum(spans)


def test_lowest_bits() -> None:
    rng = random.Random(5)
    numbers, want = [], []
    for _ in range(200):
        bits, e = rng.getrandbits(rng.randint(1, 52)) | 1, rng.randint(-200, 200)
        numbers.append(rng.choice([1, -1]) * float(bits) * 2.0**e)
        want.append(e)
    assert lowest_bits(np.array(numbers)).tolist() == want
