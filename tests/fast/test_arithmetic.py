"""The array forms of arithmetic equal the reference, for formats, modes and options drawn at random together."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from short import some

import fp8ref
from fp8ref import get_format, spec
from fp8ref.fast import compare as fast_compare
from fp8ref.fast.arithmetic import Task, compute_arrays, evaluate, operation_table
from fp8ref.fast.encode import convert_codes
from fp8ref.fast.exact import serves
from fp8ref.fast.kernel import Random, code_dtype
from fp8ref.fast.linear import plan
from fp8ref.spec import Format, NaNs, RandomBits, Rounding, pack, project, unpack
from fp8ref.spec.functions.catalog import FUNCTIONS
from fp8ref.spec.operations.arithmetic import DEFINITIONS, compute_codes, require_defined
from fp8ref.spec.operations.compare import PREDICATES, classify, compare, relation, total_order
from fp8ref.spec.operations.definition import Semantics
from fp8ref.spec.operations.integers import INTEGERS, OutOfRange, to_integer
from fp8ref.spec.operations.quiet import absolute, copysign, negate, next_down, next_up
from fp8ref.spec.projection import NaN, Negative, Projection, SNaN, Subnormal, get_projection, operand
from fp8ref.spec.rounding import OF_CONVERSIONS, random_field
from fp8ref.spec.status import Tininess

ARITHMETIC = [op for op in DEFINITIONS if op not in FUNCTIONS]  # those have tests of their own

NARROW = [
    *("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e4m3", "e3m4", "e3m2fn", "e2m3fn", "e2m1fn", "mxint8"),
    *("e8m0fnu", "ue5m3", "ue4m3", "binary8p3se", "binary8p4se", "binary8p1ue", "binary8p1se", "binary6p3uf"),
    *("binary5p2sf", "e0m7fn", "e7m0fn", "e5m2b30"),
]
WIDE = ["f16", "bf16", "tf32", "f32", "e8m7"]
WIDTHS = (1, 3, 8, 13, 16, 32)


def any_projection(rng: random.Random, f: Format, modes: list[Rounding]) -> Projection:
    return get_projection(
        f,
        rng.choice(modes),
        rng.choice(["sat", "satprop", "nonsat"]),
        rng.choice([n for n in NaN if n is not NaN.ERROR]),
        rng.choice([n for n in Negative if f.zero or n is not Negative.ZERO]),
        rng.choice(list(Tininess)),
        rng.choice(list(SNaN)),
        rng.choice(list(Subnormal)),
    )


def any_codes(rng: random.Random, f: Format, n: int, like: list[int] | None) -> list[int]:
    """Codes, many of them special, many equal or opposite to those of another operand."""
    special = [0, f.sign_bit, 1, f.max_code, f.max_code | f.sign_bit, f.nan_canonical or 0]
    special += [f.infinity_code, f.infinity_code | f.sign_bit] if f.infinities else []
    out = []
    for i in range(n):
        code = rng.getrandbits(f.k)
        kind = rng.random()
        if kind < 0.1:
            code = rng.choice(special)
        elif kind < 0.4 and like is not None:
            code = (like[i] ^ rng.choice([0, f.sign_bit, 1, f.sign_bit | 1])) & f.code_mask
        out.append(code)
    return out


def any_task(rng: random.Random) -> Task:
    while True:
        op = rng.choice(ARITHMETIC)
        operands = tuple(
            get_format(rng.choice(NARROW + WIDE)) for _ in range(1 if op == "scale_b" else DEFINITIONS[op].arity)
        )
        result = operands[0] if rng.random() < 0.5 else get_format(rng.choice(NARROW + WIDE))
        modes = [mode for mode in Rounding if mode not in OF_CONVERSIONS]
        try:
            require_defined(op, result)
            rho = any_projection(rng, result, modes)
        except ValueError:
            continue
        return Task(op, operands, result, rho, rng.choice(list(Semantics)))


def check_task(task: Task, rng: random.Random, n: int) -> None:
    codes: list[list[int]] = []
    for f in task.operands:
        codes.append(any_codes(rng, f, n, codes[0] if codes and task.operands[0].k == f.k else None))
    arrays = [np.array(c, code_dtype(f)) for c, f in zip(codes, task.operands)]
    if task.op == "scale_b":
        codes.append([rng.choice([0, 1, -1, 5, -7, 100, -100, 10**9, -(10**12)]) for _ in range(n)])
        arrays.append(np.array(codes[-1], np.int64))
    words, width = None, rng.choice(WIDTHS)
    if task.rho.rounding.is_stochastic:
        words = np.array([rng.getrandbits(width) for _ in range(n)], np.uint64)
    bits = None if words is None else (words, width)
    got, status = compute_arrays(task, arrays, True, bits)
    alone, none = compute_arrays(task, arrays, False, bits)
    assert status is not None
    assert none is None
    assert (got == alone).all()
    for i in range(n):
        one = None if words is None else RandomBits(int(words[i]), width)
        triple = [c[i] for c in codes]
        want = compute_codes(task.op, triple, task.operands, task.result, task.rho, task.semantics, one)
        assert (int(got[i]), int(status[i])) == want, (task, [hex(c) for c in triple], one)


@pytest.mark.parametrize("seed", some(range(4), [3]))
def test_any_operation(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(60):
        check_task(any_task(rng), rng, 24)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 112))
def test_any_operation_at_length(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(1000):
        check_task(any_task(rng), rng, 60)


@pytest.mark.full
@pytest.mark.parametrize("op", [op for op in ARITHMETIC if DEFINITIONS[op].arity == 2 and op != "scale_b"])
@pytest.mark.parametrize("name", ["e4m3fn", "e5m2"])
def test_every_pair(name: str, op: str) -> None:
    f = get_format(name)
    task = Task(op, (f, f), f, get_projection(f, "rtn", "nonsat", "payload"))
    codes, status = operation_table(task)
    for index in range(1 << 16):
        want = compute_codes(op, divmod(index, 256), (f, f), f, task.rho)
        assert (int(codes[index]), int(status[index])) == want, (name, op, hex(index))


@pytest.mark.parametrize(
    ("op", "operands", "result", "through"),
    [
        ("add", "f16 f16", "f16", True),
        ("multiply", "f32 f32", "f32", True),
        ("fma", "e4m3fn e4m3fn e4m3fn", "e4m3fn", True),
        ("fma", "e5m2 e5m2 f32", "f32", True),
        ("fma", "f32 f32 f32", "f16", True),
        ("multiply", "f64 f64", "e4m3fn", False),
        ("fma", "tf32 e5m2 e5m2", "e5m2", False),
        ("divide", "f32 f32", "f32", False),
    ],
)
def test_float64_and_integers_agree(op: str, operands: str, result: str, through: bool) -> None:
    formats, to = tuple(get_format(name) for name in operands.split()), get_format(result)
    rng = np.random.default_rng(11)
    for rounding in spec.DETERMINISTIC:
        task = Task(op, formats, to, get_projection(to, rounding, "nonsat"))
        assert (plan(op, formats, to, task.rho, Semantics.IEEE) is not None) == through
        arrays = [rng.integers(0, 1 << f.k, 20_000, np.uint64).astype(code_dtype(f)) for f in formats]
        if formats[-1].k > 16 and not serves(op, formats, to):
            arrays = [a[:50] for a in arrays]
        got, status = compute_arrays(task, arrays, True)
        codes, flags = evaluate(task, arrays)
        assert (got == codes).all()
        assert status is not None
        assert (status == flags).all()


def bits(*values: float) -> list[np.ndarray[Any, Any]]:
    return [np.array([value], np.float32).view(np.uint32) for value in values]


@pytest.mark.parametrize(("tail", "code"), [(1.0, 0x39), (-1.0, 0x38), (0.0, 0x38)])
def test_a_sum_longer_than_float64_is_rounded_once(tail: float, code: int) -> None:
    """1.0625 is a tie of e4m3fn; a product of 2**-70 beside it decides, and does not fit into a float64 with it."""
    f32, to = get_format("f32"), get_format("e4m3fn")
    fma = Task("fma", (f32, f32, f32), to, get_projection(to))
    for way in (
        lambda task, arrays: compute_arrays(task, arrays, False)[0],
        lambda task, arrays: evaluate(task, arrays)[0],
    ):
        assert way(fma, bits(2.0**-30, tail * 2.0**-40, 1.0625)).tolist() == [code]
        assert way(fma, bits(-(2.0**-30), tail * 2.0**-40, -1.0625)).tolist() == [code | 0x80]
        add = Task("add", (f32, f32), to, get_projection(to))
        assert way(add, bits(tail * 2.0**-70, 1.0625)).tolist() == [code]
    bf16, f16 = get_format("bf16"), get_format("f16")
    faa = Task("faa", (bf16, bf16, bf16), f16, get_projection(f16))
    assert serves("faa", faa.operands, f16)
    tied = np.float16(1).view(np.uint16) + (tail > 0)
    terms = [(c >> np.uint32(16)).astype(np.uint16) for c in bits(1.0, 2.0**-11, tail * 2.0**-70)]
    assert compute_arrays(faa, terms, False)[0].tolist() == [tied]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_what_two_that_cancel_leave(order: tuple[int, ...]) -> None:
    f = get_format("bf16")
    terms = [c.astype(np.uint32) for c in bits(2.0**100, -(2.0**100), 2.0**-100)]
    codes = [(terms[i] >> np.uint32(16)).astype(np.uint16) for i in order]
    task = Task("faa", (f, f, f), f, get_projection(f))
    assert serves("faa", task.operands, f)
    got, status = compute_arrays(task, codes, True)
    assert got.tolist() == [int(bits(2.0**-100)[0][0]) >> 16]
    assert status is not None
    assert status.tolist() == [0]


@pytest.mark.parametrize(
    ("nan", "want"), [("payload", [0xFE01, 0x7E02, 0x7F03]), ("keep-sign", [0xFE00, 0x7E00, 0x7E00])]
)
def test_a_nan_of_a_wide_operand_is_the_first_with_or_without_flags(nan: str, want: list[int]) -> None:
    """[IEEE 754-2019 6.2.3] The payload of an operand, quieted; a signalling NaN raises invalid [6.2]."""
    a, b = np.array([[0xFE01, 0x3C00, 0x7D03], [0x7E05, 0x7E02, 0xFE04]], np.uint16)
    for op in (fp8ref.add, fp8ref.multiply):
        assert op(a, b, "f16", nan=nan).view(np.uint16).tolist() == want
        codes, status = op(a, b, "f16", nan=nan, flags=True)
        assert codes.view(np.uint16).tolist() == want
        assert status.tolist() == [0, 0, 16]


@pytest.mark.parametrize(("x", "y", "f"), [(0x38, 0x10, "e4m3fn"), (0x3F80, 0x3B00, "bf16")])
def test_random_bits_of_a_sum(x: int, y: int, f: str) -> None:
    """A quarter of an ulp goes away from zero for one of four [P3109 RoundToPrecision: floor(eta 4) + R >= 4]."""
    rho = {"rounding": "sr-a", "random_bits": np.arange(4, dtype=np.uint8), "random_width": 2}
    a, b = (np.full(4, code, np.uint16 if f == "bf16" else np.uint8) for code in (x, y))
    assert fp8ref.add(a, b, f, **rho).astype(np.float64).tolist() == [x, x, x, x + 1]


@pytest.mark.parametrize("name", ["e5m2", "f16"])
def test_scaling_by_powers_of_two(name: str) -> None:
    """[IEEE 754-2019 5.3.3] by numpy's ldexp on binary16, whose results here need at most its 11 bits."""
    f, n = get_format(name), np.array([0, 1, -1, 7, -40, 10**9, -(10**9)])
    codes = np.array([0x0000, 0x8000, 0x3C00, 0xC500, 0x7B00, 0x0100, 0x7C00, 0xFC00], np.uint16)[:, None]
    with np.errstate(over="ignore", under="ignore"):
        want = np.ldexp(codes.view(np.float16), np.clip(n, -99, 99)).view(np.uint16)
    if name == "e5m2":
        want = np.where(want & 0xFF, 0, want)  # the one result too fine for e5m2, a tie with 0
        codes, want = (codes >> 8).astype(np.uint8), want >> 8
    assert fp8ref.scale_b(codes, n, f, overflow="nonsat").view(codes.dtype).tolist() == want.tolist()


def test_extremes_of_wide_operands() -> None:
    """[IEEE 754-2019 9.6] by numpy's minimum and maximum of binary16, and of the magnitudes where these differ."""
    f, rng = get_format("f16"), np.random.default_rng(3)
    x, y = (rng.integers(1, 0x7C00, 400).astype(np.uint16).view(np.float16) for _ in range(2))
    x, y = (np.concatenate([v, -v, v, -v]) for v in (x, y))
    y[800:] *= -1
    y[::9] = x[::9]
    y[1::9] = -x[1::9]
    smaller = np.where(abs(x) < abs(y), x, np.where(abs(y) < abs(x), y, np.minimum(x, y)))
    larger = np.where(abs(x) > abs(y), x, np.where(abs(y) > abs(x), y, np.maximum(x, y)))
    extremes = {"minimum": np.minimum(x, y), "maximum": np.maximum(x, y)}
    extremes |= {"minimum_magnitude": smaller, "maximum_magnitude": larger}
    for name, want in extremes.items():
        for op in (name, f"{name}_number"):
            got = compute_arrays(Task(op, (f, f), f, get_projection(f)), [x.view(np.uint16), y.view(np.uint16)], False)[
                0
            ]
            assert (got == want.view(np.uint16)).all(), op


@pytest.mark.parametrize("bias", [700, -700])
def test_products_beyond_float64(bias: int) -> None:
    """Code 0x3F80 is 2**(127 - bias) in e8m7; the square has twice that exponent."""
    f = Format("far", 16, 8, bias, nans=spec.NaNs.ALL_ONES)
    twice = Format("twice", 16, 8, 2 * bias - 127, nans=spec.NaNs.ALL_ONES)
    assert int(fp8ref.multiply([0x3F80], [0x3F80], f, result=twice)[0]) == 0x3F80


def test_a_small_addend_of_a_large_product_is_not_lost() -> None:
    """57344 squared is 49 * 2**26; float64 cannot add binary16's 2**-24 to it, upward it makes the next float32."""
    got = fp8ref.fma([0x7B], [0x7B], [1], "e5m2", "e5m2", "f16", result="f32", rounding="rtp")
    assert got.view(np.float32)[0] == np.nextafter(np.float32(57344**2), np.float32(np.inf))


def test_remainders_by_python() -> None:
    """[IEEE 754-2019 5.3.1] math.remainder is exact, and a remainder of two binary16 numbers is one."""
    rng = np.random.default_rng(5)
    x, y = (rng.integers(1, 0x7C00, 500).astype(np.uint16) for _ in range(2))
    y[:250] = x[:250] + rng.integers(-3000, 3000, 250)  # quotients near 1
    y[y >= 0x7C00] = 0x3C00
    want = [math.remainder(a, b) for a, b in zip(x.view(np.float16).tolist(), y.view(np.float16).tolist())]
    got = fp8ref.remainder(x, y, "f16")
    assert got.view(np.float16).tolist() == want


def test_infinity_times_zero_plus_a_nan() -> None:
    """[IEEE 754-2019 7.2 c] as RISC-V and Arm do: invalid; a NaN beside a defined product raises nothing."""
    a, b, c = np.array([[0x7C00, 0, 0x7C00, 0x3C00], [0, 0xFC00, 0x3C00, 0], [0x7E00] * 4], np.uint16)
    codes, status = fp8ref.fma(a, b, c, "f16", flags=True)
    assert codes.view(np.uint16).tolist() == [0x7E00] * 4
    assert status.tolist() == [16, 16, 0, 0]


def test_every_tie_of_the_random_bits() -> None:
    """StochasticC rounds eta 2**N to nearest even; with f16's 7 discarded bits and N of 1 to 8, ties abound."""
    x = (1 + np.arange(128)[:, None] / 1024).astype(np.float16)
    for mode, scaled in (("sr-a", np.floor), ("sr-b", lambda v: np.floor(v + 0.5)), ("sr-c", np.rint)):
        for width in range(1, 9):
            each, words = (
                np.ascontiguousarray(v) for v in np.broadcast_arrays(x, np.arange(1 << width, dtype=np.uint8))
            )
            codes = fp8ref.encode(each, "e4m3fn", rounding=mode, random_bits=words, random_width=width)
            away = (codes - 0x38).sum(axis=1)
            assert (away == scaled(np.arange(128) / 128 * 2**width)).all(), (mode, width)


def test_the_specification_serves_where_integers_lack_bits() -> None:
    f64 = get_format("f64")
    task = Task("divide", (f64, f64), f64, get_projection(f64, "rne", "nonsat"))
    assert not serves("divide", task.operands, f64)
    x, y = np.array([1.0, -2.0, 5e-324, 0.0, 1.0]), np.array([3.0, 7.0, 3.0, 0.0, 0.0])
    with np.errstate(all="ignore"):
        want = x / y
    got, status = compute_arrays(task, [x.view(np.uint64), y.view(np.uint64)], True)
    assert np.array_equal(got.view(np.float64), want, equal_nan=True)
    assert status is not None
    assert status.tolist() == [1, 1, 3, 16, 8]


def test_threads_strides_and_broadcasting() -> None:
    rng = np.random.default_rng(13)
    a, b, c = (rng.integers(0, 256, (300, 1000), dtype=np.uint8) for _ in range(3))
    words = rng.integers(0, 256, a.shape, dtype=np.uint8)
    calls: list[Callable[..., Any]] = [
        lambda x, y, z, r: fp8ref.add(x, y, "e5m2", flags=True),
        lambda x, y, z, r: fp8ref.fma(x, y, z, "e5m2", flags=True),
        lambda x, y, z, r: fp8ref.faa(x, y, z, "e4m3fn", flags=True),
        lambda x, y, z, r: fp8ref.add(x, y, "e4m3fn", rounding="sr-b", random_bits=r, flags=True),
        lambda x, y, z, r: fp8ref.compare(x, y, "lt", "e5m2", flags=True),
    ]
    for call in calls:
        want = call(a, b, c, words)
        fp8ref.set_threads(2)
        both = call(a, b, c, words)
        fp8ref.set_threads(1)
        turned = call(a.T[::-1], b.T[::-1], c.T[::-1], words.T[::-1])
        for one, two, three in zip(want, both, turned):
            assert (one == two).all()
            assert (one == three[::-1].T).all()
    row = fp8ref.multiply(a, b[3], "e4m3fn")
    assert (row == fp8ref.multiply(a, np.ascontiguousarray(np.broadcast_to(b[3], a.shape)), "e4m3fn")).all()


# -- stochastic conversions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [mode for mode in Rounding if mode.is_stochastic])
def test_stochastic_conversions(mode: Rounding) -> None:
    rng = random.Random(f"conversions {mode}")
    tried = 0
    while tried < 1500:
        source, result = (
            get_format(rng.choice(["f16", "f32", "f64", "bf16"])),
            get_format(rng.choice([*NARROW, "bf16"])),
        )
        rho = any_projection(rng, result, [mode])
        width = rng.choice((*WIDTHS, 53, 64))
        try:
            low, count = random_field(mode, width, source.t - result.t)
        except ValueError:
            continue
        codes = any_codes(rng, source, 40, None)
        for i in range(0, 40, 2):  # near the result's range
            e = rng.randint(result.emin - result.t - 4, result.emax + 3) + source.bias
            if 0 <= e < 1 << source.w:
                codes[i] = rng.getrandbits(1) << (source.k - 1) | e << source.t | rng.getrandbits(source.t)
        words = [rng.getrandbits(width) for _ in codes]
        got, status = convert_codes(
            np.array(codes, code_dtype(source)), source, result, rho, True, (np.array(words, np.uint64), width)
        )
        assert status is not None
        for i, (code, word) in enumerate(zip(codes, words)):
            bits = RandomBits((word >> low) & ((1 << count) - 1), count)
            datum, flags = project(operand(code, source, rho), result, rho, bits)
            assert (int(got[i]), int(status[i])) == (pack(datum, result), flags), (rho, hex(code), bits)
        tried += len(codes)


# -- comparisons, classes, signs, neighbours, integers --------------------------------------------------------------


@pytest.mark.parametrize("pair", ["e5m2 e5m2", "e4m3fn e5m2fnuz", "e4m3 mxint8", "binary8p3se ue5m3", "e8m0fnu e2m1fn"])
def test_comparisons(pair: str) -> None:
    f, g = (get_format(name) for name in pair.split())
    a = np.repeat(np.arange(1 << f.k, dtype=np.uint8), 1 << g.k)
    b = np.tile(np.arange(1 << g.k, dtype=np.uint8), 1 << f.k)
    left, right = [unpack(x, f) for x in range(1 << f.k)], [unpack(y, g) for y in range(1 << g.k)]
    related = np.array([relation(x, y) for x in left for y in right])
    for predicate, true_for in PREDICATES.items():
        got, _ = fast_compare.compare_arrays(predicate, [a, b], (f, g), None, True, False)
        assert (got == np.isin(related, [int(r) for r in true_for])).all(), predicate
    rng = random.Random(3)
    for predicate in PREDICATES:
        for loud in (None, True, False):
            for snan in SNaN:
                some = np.array(rng.sample(range(a.size), 15))
                holds, status = fast_compare.compare_arrays(
                    predicate, [a[some], b[some]], (f, g), loud, snan is SNaN.IEEE, True
                )
                assert status is not None
                for n, i in enumerate(some):
                    reference = compare(predicate, left[a[i]], right[b[i]], loud, snan)
                    assert (bool(holds[n]), int(status[n])) == reference, (predicate, loud, hex(a[i]), hex(b[i]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_comparisons_as_numpy_compares(dtype: Any) -> None:
    x = np.array(
        [-np.inf, -3, -2, -1, -(2.0**-14), -(2.0**-24), -0.0, 0, 2.0**-24, 2.0**-14, 1, 2, 3, np.inf, np.nan], dtype
    )
    f = get_format(f"f{8 * x.itemsize}")
    a, b = np.meshgrid(x, x, indexing="ij")
    codes = [np.ascontiguousarray(v).view(code_dtype(f)) for v in (a, b)]
    for predicate, want in (("eq", a == b), ("lt", a < b), ("ge", a >= b), ("un", np.isnan(a) | np.isnan(b))):
        assert np.array_equal(fast_compare.compare_arrays(predicate, codes, (f, f), None, True, False)[0], want)


@pytest.mark.parametrize("name", ["e5m2", "e4m3fn", "e4m3fnuz", "binary6p3se", "binary6p3uf", "mxint8", "e2m1fn"])
@pytest.mark.parametrize("semantics", Semantics)
def test_total_order(name: str, semantics: Semantics) -> None:
    f = get_format(name)
    data = [unpack(code, f) for code in range(1 << f.k)]
    a, b = np.meshgrid(np.arange(len(data), dtype=np.uint8), np.arange(len(data), dtype=np.uint8), indexing="ij")
    got = fast_compare.total_order_arrays([a, b], f, semantics)
    some = sorted({*range(0, len(data), 3), f.sign_bit})  # -0, too
    assert [[bool(got[i, j]) for j in some] for i in some] == [
        [total_order(data[i], data[j], semantics) for j in some] for i in some
    ]


WIDE = [Format(f"{k} bits", k, p, 1023, True, True, NaNs.IEEE) for k, p in ((62, 51), (63, 52), (64, 40))]


@pytest.mark.parametrize("f", [*map(get_format, ("f16", "tf32", "f32", "f64")), *WIDE], ids=str)
def test_total_order_of_wide_formats(f: Format) -> None:
    """[IEEE 754-2019 5.10]: NaNs by their payloads and signs, outside the infinities; -0 below +0.

    [P3109 TotalOrder]: the NaN first, zeros alike.
    """
    upward = [0, 1, 2, f.max_code - 1, f.max_code, f.infinity_code, f.infinity_code + 1, (1 << (f.k - 1)) - 1]
    codes = np.array([m | f.sign_bit for m in reversed(upward)] + upward, code_dtype(f))
    a, b = np.meshgrid(codes, codes, indexing="ij")
    assert np.array_equal(fast_compare.total_order_arrays([a, b], f, Semantics.IEEE), np.tri(codes.size).T)
    places = np.array([0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 0, 0])
    order = places[:, None] <= places
    assert np.array_equal(fast_compare.total_order_arrays([a, b], f, Semantics.P3109), order)


@pytest.mark.parametrize("k", [8, 62, 63, 64])
def test_total_order_of_integers(k: int) -> None:
    """Codes in two's complement, as Python orders what they mean."""
    values = [-1 << (k - 1), 1 - (1 << (k - 1)), -2, -1, 0, 1, 2, (1 << (k - 1)) - 1]
    f = Format("whole", k, 1, 0, fixed_point=True)
    codes = np.array([x & ((1 << k) - 1) for x in values], code_dtype(f))
    a, b = np.meshgrid(codes, codes, indexing="ij")
    for semantics in Semantics:
        assert np.array_equal(fast_compare.total_order_arrays([a, b], f, semantics), np.tri(codes.size).T)


@pytest.mark.parametrize(("k", "p"), [(8, 7), (8, 1), (12, 4), (63, 1), (64, 60)])
def test_neighbours_of_integers(k: int, p: int) -> None:
    """One unit up or down, whatever the unit is; the ends stay."""
    f, least, most = Format("whole", k, p, 0, fixed_point=True), -1 << (k - 1), (1 << (k - 1)) - 1
    values = [least, least + 1, -2, -1, 0, 1, most - 1, most]
    codes = np.array([x % (1 << k) for x in values], code_dtype(f))
    for step, reference in ((1, next_up), (-1, next_down)):
        want = [min(max(x + step, least), most) % (1 << k) for x in values]
        moved, status = fast_compare.neighbours(codes, f, step, Semantics.IEEE)
        assert moved.tolist() == want
        assert moved.dtype == codes.dtype
        assert not status.any()
        assert [reference(int(code), f) for code in codes] == [(code, 0) for code in want]


def test_total_order_where_the_nan_is_at_the_code_of_minus_zero() -> None:
    """It comes last, as positive NaNs do; with every code of 64 bits in use, too."""
    for k in (8, 63, 64):
        f = Format("fnuz", k, 3, 1 << (k - 4), nans=NaNs.NEGATIVE_ZERO)
        most = (1 << (k - 1)) - 1
        codes = np.array([f.sign_bit | most, f.sign_bit | 1, 0, 1, most - 1, most, f.sign_bit], code_dtype(f))
        a, b = np.meshgrid(codes, codes, indexing="ij")
        assert np.array_equal(fast_compare.total_order_arrays([a, b], f, Semantics.IEEE), np.tri(codes.size).T)
        places = np.array([1, 2, 3, 4, 5, 6, 0])
        order = places[:, None] <= places
        assert np.array_equal(fast_compare.total_order_arrays([a, b], f, Semantics.P3109), order)


UNARY: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (lambda c, f: fast_compare.with_sign(c, f, np.zeros(c.shape, bool)), absolute),
    (lambda c, f: fast_compare.with_sign(c, f, c & c.dtype.type(f.sign_bit) == 0), negate),
]


@pytest.mark.parametrize("name", NARROW)
def test_signs_classes_and_neighbours(name: str) -> None:
    f = get_format(name)
    codes = np.arange(1 << f.k, dtype=np.uint8)
    assert fast_compare.classes(codes, f).tolist() == [classify(unpack(c, f), f) for c in range(1 << f.k)]
    for fast, reference in UNARY[: 1 + f.signed]:
        assert fast(codes, f).tolist() == [reference(c, f) for c in range(1 << f.k)]
    for other in (0, f.max_code | f.sign_bit, f.sign_bit):
        signs = fast_compare.has_sign(np.full(codes.shape, other, np.uint8), f)
        assert fast_compare.with_sign(codes, f, signs).tolist() == [copysign(c, other, f) for c in range(1 << f.k)]
    for semantics in Semantics:
        for step, neighbour in ((1, next_up), (-1, next_down)):
            moved, status = fast_compare.neighbours(codes, f, step, semantics)
            assert list(zip(moved.tolist(), status.tolist())) == [neighbour(c, f, semantics) for c in range(1 << f.k)]


@pytest.mark.parametrize("name", ["e4m3fn", "e5m2", "e4m3fnuz", "mxint8", "binary8p1se", "f16", "f32", "f64"])
def test_integers(name: str) -> None:
    f, rng = get_format(name), random.Random(name)
    codes = list(range(256)) if f.k == 8 else any_codes(rng, f, 300, None)
    if f.w > 8 or f.k == 32:  # exponents about those of the integer types
        codes += [
            (rng.randint(-3, 66) + f.bias) << f.t | rng.getrandbits(f.t) | rng.getrandbits(1) << (f.k - 1)
            for _ in range(300)
        ]
    array = np.array(codes, code_dtype(f))
    for integer, to in INTEGERS.items():
        for rule in OutOfRange:
            mode = rng.choice([mode for mode in Rounding if mode not in OF_CONVERSIONS])
            words = [rng.getrandbits(8) for _ in codes]
            bits = Random(np.array(words, np.uint64), 8) if mode.is_stochastic else None
            got, status = fast_compare.to_integers(array, f, to, get_projection(f, mode), True, rule, bits)
            for i, code in enumerate(codes):
                one = RandomBits(words[i], 8) if mode.is_stochastic else None
                reference = to_integer(unpack(code, f), integer, mode, out_of_range=rule, random=one)
                assert (int(got[i]), int(status[i])) == reference, (name, integer, mode, hex(code))
