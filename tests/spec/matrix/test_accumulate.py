"""The specification of accumulators: published probes, an independent integer model, and the rules of specials."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from second_oracles import matrix_units as second
from short import over

from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.datum import Datum
from fp8ref.spec.matrix.accumulate import Evidence, Fused, Split
from fp8ref.spec.matrix.models import ALIASES, get_model, models
from fp8ref.spec.matrix.products import dot

E4M3, FNUZ = "e4m3fn", "e4m3fnuz"
F32 = get_format("f32")


def code(value: Fraction, name: str) -> int:
    nan = (0x80,) if name == FNUZ else (0x7F, 0xFF)
    return next(c for c in range(256) if c not in nan and second.real(c, name) == value)


def two(e: int) -> Fraction:
    return Fraction(2) ** e


def reference(
    a: list[int], b: list[int], fa: str, fb: str, c: int, accumulator: str, kind: str = "f32", **more: object
) -> int:
    return dot(a, b, fa, fb, c=unpack(c, get_format(kind)), accumulator=accumulator, **more)  # type: ignore[arg-type]


V = Fraction(15, 8)
MODELS = (
    "ada.mma.fp8.f32",
    "hopper.wgmma.fp8.f32",
    "hopper.mma.fp8.f32",
    "blackwell.tcgen05.fp8.f32",
    "exact",
    "f32.fma",
    "cdna3.mfma.fp8.f32",
)
# products by place {k: (a, b)}, C, and D of each of MODELS (None: not expressible in that unit's formats)
PROBES = {
    "P1": ({}, 0x3F800400, "3f800400 3f800400 3f800400 3f800400 3f800400 3f800400 3f800400"),
    "P2": ({}, 0x3F800200, "3f800000 3f800000 3f800200 3f800200 3f800200 3f800200 3f800200"),
    "P2b": ({}, 0x3F800001, "3f800000 3f800000 3f800001 3f800001 3f800001 3f800001 3f800001"),
    "P3": (
        {0: (1, 1), 1: (two(-7), two(-6))},
        0,
        "3f800400 3f800400 3f800400 3f800400 3f800400 3f800400 3f800400",
    ),
    "P4": (
        {0: (1, 1), 1: (two(-7), two(-7))},
        0,
        "3f800000 3f800000 3f800200 3f800200 3f800200 3f800200 3f800200",
    ),
    "P5": (
        {0: (1, 1)} | {k: (two(-7), two(-7)) for k in range(1, 16)},
        0,
        "3f800000 3f800000 3f801e00 3f801e00 3f801e00 3f801e00 3f801e00",
    ),
    "P6": (
        {0: (-1, 1), 1: (-3 * two(-8), two(-7))},
        0,
        "bf800000 bf800000 bf800300 bf800300 bf800300 bf800300 bf800300",
    ),
    "P6b": (
        {0: (1, 1), 1: (-two(-7), two(-7))},
        0,
        "3f800000 3f800000 3f7ffc00 3f7ffc00 3f7ffc00 3f7ffc00 3f7ffc00",
    ),
    "P7": (
        {0: (256, 256), 1: (-256, 256), 16: (two(-5), two(-5))},
        0,
        "3a800000 00000000 00000000 00000000 3a800000 3a800000 n/a",
    ),
    "P7b": (
        {0: (256, 256), 1: (-256, 256), 2: (two(-5), two(-5))},
        0,
        "00000000 00000000 3a800000 00000000 3a800000 3a800000 n/a",
    ),
    "P8": (
        {0: (256, 256), 1: (-256, 256)},
        0x3A800000,
        "00000000 00000000 3a800000 00000000 3a800000 00000000 n/a",
    ),
    "P9": (
        {0: (V, V), 1: (-V, 1), 2: (two(-7), two(-6))},
        0,
        "3fd20400 3fd20400 3fd20400 3fd20400 3fd20400 3fd20400 3fd20400",
    ),
    "P9b": (
        {0: (120, 240), 1: (-240, 64), 2: (-240, 56), 3: (two(-6), two(-6))},
        0,
        "00000000 00000000 39800000 39800000 39800000 39800000 00000000",
    ),
    "P10": (
        {0: (256, 256), 1: (two(-4), two(-5)), 2: (-256, 256)},
        0,
        "00000000 00000000 00000000 3b000000 3b000000 00000000 n/a",
    ),
    "P10b": (
        {0: (256, 256), 1: (two(-5), two(-5)), 2: (-256, 256)},
        0,
        "00000000 00000000 00000000 00000000 3a800000 00000000 n/a",
    ),
    "P11": (
        {0: (128, 128), 1: (two(-5), two(-6)), 2: (-128, 128)},
        0,
        "00000000 00000000 00000000 3a000000 3a000000 00000000 00000000",
    ),
    "P12": ({0: (0, 448)}, 0x35800000, "35800000 35800000 35800000 35800000 35800000 35800000 n/a"),
    "P13": (
        dict.fromkeys(range(32), (V, V)),
        0,
        "42e10000 42e10000 42e10000 42e10000 42e10000 42e10000 42e10000",
    ),
    "P14": (
        {k: (two(-9), two(-9)) for k in range(32)},
        0,
        "39000000 39000000 39000000 39000000 39000000 39000000 39000000",
    ),
    "P15": (
        {0: (1, 1), 1: (two(-6), two(-6)), 2: (two(-7), two(-7))},
        0xBF800000,
        "39800000 39800000 39a00000 39a00000 39a00000 39a00000 39a00000",
    ),
}


@over("probe", PROBES)
@over("column", range(len(MODELS)))
def test_probe(probe: str, column: int) -> None:
    places, c, answers = PROBES[probe]
    want = answers.split()[column]
    if want == "n/a":
        return
    name = FNUZ if MODELS[column].startswith("cdna3") else E4M3
    a, b = [0] * 32, [0] * 32
    for k, (x, y) in places.items():
        a[k], b[k] = code(Fraction(x), name), code(Fraction(y), name)
    assert f"{reference(a, b, name, name, c, MODELS[column]):08x}" == want


def test_sm120_is_tcgen05() -> None:
    a, b = get_model("sm120.mma.fp8.f32"), get_model("blackwell.tcgen05.fp8.f32")
    assert isinstance(a, Fused)
    assert isinstance(b, Fused)
    assert (a.k, a.products, a.fraction_bits, a.precision) == (b.k, b.products, b.fraction_bits, b.precision)


def finite(rng: random.Random, name: str) -> int:
    """Codes of every magnitude, many of them extreme."""
    while True:
        c = (
            rng.randrange(256)
            if rng.random() < 0.7
            else rng.choice((0, 1, 2, 7, 8, 0x38, 0x3C, 0x77, 0x7E, 0x7B, 0x81))
        )
        if not unpack(c, get_format(name)).is_nan and not unpack(c, get_format(name)).is_infinite:
            return c


def addend(rng: random.Random, kind: str) -> int:
    k = 16 if kind == "f16" else 32
    c = rng.choice((0, rng.getrandbits(k), rng.getrandbits(k), rng.getrandbits(8)))
    if kind == "f32" and rng.random() < 0.6:
        c = c & 0x807FFFFF | rng.randrange(90, 150) << 23
    datum = unpack(c, get_format(kind))
    return c if datum.is_finite and not (datum.is_zero and datum.sign) else 0


SECOND = {
    "ada.mma.fp8.f32": ("f32", lambda *x: second.nvidia(*x, "f32", 16, 13, 14)),
    "ada.mma.fp8.f16": ("f16", lambda *x: second.nvidia(*x, "f16", 16, 13, 0)),
    "hopper.wgmma.fp8.f32": ("f32", lambda *x: second.nvidia(*x, "f32", 32, 13, 14)),
    "hopper.wgmma.fp8.f16": ("f16", lambda *x: second.nvidia(*x, "f16", 32, 13, 0)),
    "hopper.mma.fp8.f32": ("f32", lambda *x: second.emulated(*x, "f32")),
    "hopper.mma.fp8.f16": ("f16", lambda *x: second.emulated(*x, "f16")),
    "blackwell.tcgen05.fp8.f32": ("f32", lambda *x: second.nvidia(*x, "f32", 32, 25, 24)),
    "blackwell.tcgen05.fp8.f16": ("f16", lambda *x: second.nvidia(*x, "f16", 32, 25, 0)),
    "cdna3.mfma.fp8.f32": ("f32", second.cdna3_fp8),
}


@pytest.mark.parametrize("name", SECOND)
def test_against_an_independent_integer_model(name: str) -> None:
    kind, model = SECOND[name]
    rng = random.Random(name)
    operands = get_model(name).operands[:2]
    for _ in range(80):
        fa, fb = rng.choice(operands), rng.choice(operands)
        n = rng.choice((32, 64))
        a, b = [finite(rng, fa) for _ in range(n)], [finite(rng, fb) for _ in range(n)]
        if rng.random() < 0.3:  # cancellation
            a[n // 2 :], b[n // 2 :] = [x ^ 0x80 if x & 0x7F else x for x in a[: n // 2]], b[: n // 2]
            b[-1] = finite(rng, fb)
        c = addend(rng, kind)
        assert reference(a, b, fa, fb, c, name, kind) == model(a, b, fa, fb, c)


@pytest.mark.parametrize(
    "name", ["volta.mma.f16.f32", "ampere.mma.f16.f32", "hopper.mma.f16.f32", "hopper.mma.bf16.f32"]
)
def test_wide_operands_against_the_integer_model(name: str) -> None:
    model = get_model(name)
    assert isinstance(model, Fused)
    rng = random.Random(name)
    operand = model.operands[0]
    for _ in range(100):
        exponents = range(110, 145) if operand == "bf16" else range(31)
        t = second.FIELDS[operand][1]
        a, b = (
            [rng.getrandbits(1) << 15 | rng.choice(exponents) << t | rng.getrandbits(t) for _ in "x" * 16] for _ in "ab"
        )
        c = addend(rng, "f32")
        want = second.nvidia(a, b, operand, operand, c, "f32", model.products, model.fraction_bits, 24)
        assert reference(a, b, operand, operand, c, name) == want


def test_block_scales_shift_product_exponents() -> None:
    rng = random.Random(7)
    e8m0 = get_format("e8m0fnu")
    for _ in range(100):
        a, b = [finite(rng, E4M3) for _ in range(32)], [finite(rng, "e5m2") for _ in range(32)]
        sa, sb = rng.choice((0, 1, 100, 127, 130, 254)), rng.choice((0, 120, 127, 140, 254))
        c = addend(rng, "f32")
        want = second.nvidia_step(a, b, E4M3, "e5m2", c, "f32", 25, 24, sa + sb - 254)
        scales = [(unpack(sa, e8m0), unpack(sb, e8m0))]
        got = reference(a, b, E4M3, "e5m2", c, "blackwell.mxf8f6f4", scales=scales, block=32)
        assert got == (want if want != 0x80000000 else 0)


def test_fp4_groups() -> None:
    """Four group sums with scales 2**0, 2**1 ...: small enough to be exact."""
    ue4m3 = get_format("ue4m3")
    a = [2] * 64  # 1.0
    scales = [(unpack(0x38 + 8 * g, ue4m3), unpack(0x38, ue4m3)) for g in range(4)]
    got = dot(a, a, "e2m1fn", accumulator="blackwell.mxf4nvf4", scales=scales, block=16)
    assert got == second.to_nearest(Fraction(16 * (1 + 2 + 4 + 8)), "f32")
    tiny = [(unpack(0x7E, ue4m3), unpack(0x7E, ue4m3))] + [(unpack(0x01, ue4m3), unpack(0x01, ue4m3))] * 3
    zeros = [0] * 16 + [2] * 48
    got = dot(zeros, a, "e2m1fn", accumulator="blackwell.mxf4nvf4", scales=tiny, block=16)
    assert got == second.to_nearest(3 * Fraction(16) * two(-18), "f32")
    # as MMA-Sim c785138 had it, a zero group with a large scale sets the exponent, 16, and 2**-20 lies below 16 - 35
    for options, want in (("", second.to_nearest(two(-20), "f32")), ("@zero_groups=scale", 0)):
        a, unit = [0] * 16 + [1] + [0] * 47, f"blackwell.mxf4nvf4{options}"
        assert dot(a, [1] * 64, "e2m1fn", accumulator=unit, scales=tiny, block=16) == want


SPECIAL = [  # a, b, C, what D is
    ([0x7F], [0x00], 0, "nan"),
    ([0x7C, 0x38], [0x3C, 0x38], 0, "inf"),
    ([0xFC], [0x3C], 0x7F800000, "nan"),
    ([0x7C], [0x00], 0, "nan"),
    ([0x7C, 0xFC], [0x3C, 0x3C], 0, "nan"),
    ([0x3C], [0x3C], 0xFF800000, "-inf"),
    ([0x3C], [0x3C], 0x7FC12345, "nan"),
]


@pytest.mark.parametrize(
    "accumulator",
    [
        "exact",
        *(m.name for m in models() if m.result == "f32" and "e5m2" in m.operands and m.name != "x86.ace.mxfp8.f32"),
    ],
)
def test_specials(accumulator: str) -> None:
    for a, b, c, want in SPECIAL:
        got = reference(
            a, b, "e5m2", "e5m2", c, accumulator, **({"overflow": "nonsat"} if accumulator == "exact" else {})
        )
        nan = 0x7FC00000 if accumulator == "exact" else get_model(accumulator).nan
        assert got == {"nan": nan, "inf": 0x7F800000, "-inf": 0xFF800000}[want]


def test_signed_zero() -> None:
    for accumulator in ("exact", "hopper.wgmma.fp8.f32", "cdna3.mfma.fp8.f32"):
        f = FNUZ if accumulator.startswith("cdna3") else E4M3
        assert reference([0x38, 0xB8], [0x38, 0x38], f, f, 0, accumulator) == 0
    assert reference([0x80], [0x38], E4M3, E4M3, 0x80000000, "f32.fma") == 0x80000000
    assert reference([0x80], [0x38], E4M3, E4M3, 0x80000000, "exact") == 0
    tiny = {"result": "e4m3fn"}
    assert reference([0x81], [0x01], E4M3, E4M3, 0, "exact", **tiny) == 0x80  # rounds to zero and keeps its sign


def test_composition() -> None:
    rng = random.Random(3)
    a, b = [finite(rng, E4M3) for _ in range(256)], [finite(rng, E4M3) for _ in range(256)]
    halves = [second.nvidia(a[s], b[s], E4M3, E4M3, 0, "f32", 32, 13, 14) for s in second.runs(256, 128)]
    c = 0x3F8CCCCD
    promoted = second.add(second.add(c, halves[0], "f32"), halves[1], "f32")
    assert reference(a, b, E4M3, E4M3, c, "hopper.wgmma.fp8.f32+promote128.fadd") == promoted
    split = second.add(second.add(halves[0], halves[1], "f32"), c, "f32")
    assert reference(a, b, E4M3, E4M3, c, "hopper.wgmma.fp8.f32+splitk2") == split
    scales = [(Datum.finite(Fraction(3, 2)), Datum.finite(Fraction(5, 4))), (Datum.finite(2), Datum.finite(two(-3)))]
    want = second.real(c, "f32")
    for half, (x, y) in zip(halves, scales):  # one rounding for each fma
        want = second.real(second.to_nearest(second.real(half, "f32") * x.value * y.value + want, "f32"), "f32")
    got = reference(a, b, E4M3, E4M3, c, "hopper.wgmma.fp8.f32+promote128.ffma", scales=scales, block=128)
    assert second.real(got, "f32") == want
    s = Fraction(0x800003, 0x800000)  # after all the chunks, where they are only added
    sums = second.real(second.add(halves[0], halves[1], "f32"), "f32")
    name = "hopper.wgmma.fp8.f32+promote128.fadd"
    got = reference(a, b, E4M3, E4M3, c, name, scales=[(Datum.finite(s), Datum.finite(1))])
    assert got == second.to_nearest(sums * s + second.real(c, "f32"), "f32")
    with pytest.raises(ValueError, match="takes one scale for all of K"):
        reference(a, b, E4M3, E4M3, c, name, scales=scales, block=128)


def test_names_and_options() -> None:
    assert get_model("blackwell.mma.fp8.f16") is get_model("hopper.mma.fp8.f16")
    split = get_model("f32.fma+splitk4")
    assert isinstance(split, Split)
    assert split.evidence is Evidence.ASSUMED
    assert get_model("hopper.wgmma.fp8.f32+promote128.ffma").evidence is Evidence.REPORTED  # by DeepSeek-V3's report
    model = get_model("hopper.mma.bf16.f32@min_exponent=-133@zero_exponent=-126")
    assert isinstance(model, Fused)
    assert (model.min_exponent, model.zero_exponent) == (-133, -126)
    for bad, hint in (
        ("hoper.wgmma.fp8.f32", "hopper.wgmma.fp8.f32"),
        ("f32.fma@zero_exponent=1", "order"),
        ("f32.fma@order=sideways", "order"),
        ("hopper.wgmma.fp8.f32+promote100.fadd", "32"),
        ("f32.fma+twice", "promote<N>"),
        ("blackwell.mxf4+promote128.fadd", "inside"),
    ):
        with pytest.raises(ValueError, match=hint):
            get_model(bad)
    for length, said in ((200, "fp8ref list models"), (201, "at most 200 characters")):
        with pytest.raises(ValueError, match=said):
            get_model("#" * length)
    with pytest.raises(ValueError, match="e4m3fnuz"):
        dot([0], [0], "e4m3fnuz", accumulator="hopper.wgmma.fp8.f32")
    assert set(ALIASES.values()) <= {m.name for m in models()}
    assert all(m.source and isinstance(m.evidence, Evidence) for m in models())


@pytest.mark.parametrize(("exponent", "want"), [(64, 0x7FC00000), (63, 0)])
def test_cdna3_takes_products_of_2_to_the_128_for_infinite(exponent: int, want: int) -> None:
    a, b = [(64 + 127) << 7] * 2, [(exponent + 127) << 7, 0x8000 | (exponent + 127) << 7]  # of bf16; b has both signs
    assert reference(a + [0] * 6, b + [0] * 6, "bf16", "bf16", 0, "cdna3.mfma.bf16.f32") == want


@pytest.mark.parametrize("name", ["f32.fma+splitk4", "hopper.wgmma.fp8.f32+promote128.fadd", "f32.pairwise"])
def test_a_product_of_nothing_is_c(name: str) -> None:
    assert reference([], [], "e4m3fn", "e4m3fn", 0x3FC00000, name) == 0x3FC00000


def test_lengths_of_instructions() -> None:
    """K as instructions are named: wgmma m64n8k32, v_mfma_f32_32x32x16_fp8, 32x32x2_bf16, 32x32x4_bf16_1k."""
    lengths = {
        "hopper.wgmma.fp8.f32": 32,
        "cdna3.mfma.fp8.f32": 16,
        "cdna3.mfma.f16.f32": 8,
        "cdna2.mfma.bf16.f32": 4,
        "cdna2.mfma.bf16.k2.f32": 2,
        "cdna1.mfma.bf16.f32": 2,
        "cdna1.mfma.f16.f32": 4,
        "volta.mma.f16.f32": 4,  # m8n8k4, m16n8k8, m16n8k16
        "ampere.mma.f16.f32": 8,
        "hopper.mma.f16.f32": 16,
    }
    assert {name: get_model(name).k for name in lengths} == lengths


def test_a_negative_sum_that_vanishes_is_plus_zero_unless_asked() -> None:
    """[MMA-Sim] a zero is +0 always: -2**-30 is less than half of binary16's least, 2**-24."""
    a, b = [0x02] + [0] * 31, [0x82] + [0] * 31  # of e5m2: 2**-15 and -2**-15
    name = "hopper.wgmma.fp8.f16"
    assert reference(a, b, "e5m2", "e5m2", 0, name, "f16") == 0
    assert reference(a, b, "e5m2", "e5m2", 0, f"{name}@underflow_sign=1", "f16") == 0x8000


@pytest.mark.parametrize(("exponent", "want"), [(-31, 0x3F800001), (-32, 0x3F800000)])
def test_cdna3_keeps_31_bits_of_the_products_below_c(exponent: int, want: int) -> None:
    """C = 1 and 2**-24 is a tie, which goes to even; 2**-31 beside it breaks it, 2**-32 is floored away."""
    small = {-31: 0x02, -32: 0x01}[exponent]  # of e5m2fnuz: 2**-16 and 2**-17, times 2**-15
    a, b = [0x10, 0, 0x04] + [0] * 13, [0x10, 0, small] + [0] * 13
    assert reference(a, b, "e5m2fnuz", "e5m2fnuz", 0x3F800000, "cdna3.mfma.fp8.f32") == want


def test_named_choices_decide_what_they_name() -> None:
    """A zero operand that shows the exponent -126 hides a small C behind 0 * 2**127; one that does not, does not."""
    big = 0x7F00  # bf16 2**127
    c = 0xA721EAEE
    assert reference([0], [big], "bf16", "bf16", c, "hopper.mma.bf16.f32") == c
    assert reference([0], [big], "bf16", "bf16", c, "hopper.mma.bf16.f32@zero_exponent=-126") == 0
    # products of 2**-80 * 2**-79 = 2**-159 sum to 0 in f32
    small = [(47 << 7), (48 << 7)]
    a, b = [small[0]] * 16, [small[1]] * 16
    assert reference(a, b, "bf16", "bf16", 0, "hopper.mma.bf16.f32") == 0
    a, b = [(52 << 7)] * 16, [(50 << 7)] * 16  # 2**-152, 16 of them: 2**-148
    assert reference(a, b, "bf16", "bf16", 0, "hopper.mma.bf16.f32") == 2  # 2**-152 lies above 2**(-133 - 25)
    assert reference(a, b, "bf16", "bf16", 0, "hopper.mma.bf16.f32@min_exponent=-126") == 0


@pytest.mark.parametrize(
    ("exponents", "order", "want"),
    [
        ((0, -12, -12), "up", 0x3F800000),  # 1 + 2**-24 is a tie, to even, twice
        ((0, -12, -12), "down", 0x3F800001),
        ((-12, 0, -12), "up", 0x3F800000),
        ((-12, 0, -12), "stride2", 0x3F800001),
        ((-12, 0, -12, 0), "stride2", 0x40000000),  # 2**-23 + 1 + 1, a tie
        ((-12, 0, -12, 0), "stride3", 0x40000000),
    ],
)
def test_orders_of_a_chain(exponents: tuple[int, ...], order: str, want: int) -> None:
    a = [(e + 15) << 2 for e in exponents]  # of e5m2; the products are 1 and 2**-24
    assert reference(a, a, "e5m2", "e5m2", 0, f"f32.fma@order={order}") == want


def test_flushed_operands_lose_their_sign() -> None:
    """CDNA2: the first instruction's -2**-127 is flushed to -0, a subnormal operand to +0; +0 + -0 is +0."""
    a = [0x2000, 0, 0, 0] + [0x8001] * 4  # 2**-63 in bf16, then negative subnormals
    b = [0x2000, 0, 0, 0] + [0x3F80] * 4
    c = 0x80C00000  # -1.5 * 2**-126
    assert reference(a[:4], b[:4], "bf16", "bf16", c, "cdna2.mfma.bf16.f32") == 0x80000000
    assert reference(a, b, "bf16", "bf16", c, "cdna2.mfma.bf16.f32") == 0


@pytest.mark.parametrize(
    ("accumulator", "kind", "fraction_bits"),
    [
        ("volta.mma.f16.f32", "f16", 23),
        ("ampere.mma.f16.f32", "f16", 24),
        ("ampere.mma.bf16.f32", "bf16", 24),
        ("hopper.mma.f16.f32", "f16", 25),
        ("hopper.mma.bf16.f32", "bf16", 25),
    ],
)
def test_how_far_below_the_largest_term_a_unit_looks(accumulator: str, kind: str, fraction_bits: int) -> None:
    """[MMA-Sim, table of parameters] 1 + 2**-F - 1 is 2**-F; one bit further down it is 0."""
    f = get_format(kind)

    def power(e: int) -> int:
        return (e + f.bias) << f.t

    for e, want in ((-fraction_bits, (127 - fraction_bits) << 23), (-fraction_bits - 1, 0)):
        a = [power(0), power(e // 2), power(0) | f.sign_bit]
        b = [power(0), power(e - e // 2), power(0)]
        assert reference(a, b, kind, kind, 0, accumulator) == want


def test_cdna2_flushes_subnormal_operands_and_cdna1_does_not() -> None:
    for accumulator, want in (("cdna1.mfma.bf16.f32", 14 << 23), ("cdna2.mfma.bf16.f32", 0)):
        assert reference([0x0001], [0x4980], "bf16", "bf16", 0, accumulator) == want  # 2**-133 times 2**20


def test_a_nan_is_named_by_its_code_in_hexadecimal() -> None:
    assert get_model("hopper.wgmma.fp8.f32@nan=7fffffff").nan == 0x7FFFFFFF
    assert reference([0x7F], [0x38], E4M3, E4M3, 0, "hopper.wgmma.fp8.f32@nan=7fffffff") == 0x7FFFFFFF


@pytest.mark.parametrize(("exponents", "want"), [((0, -12, -12), 0x3F800000), ((-12, -12, 0), 0x3F800001)])
def test_a_tree_splits_at_a_power_of_two(exponents: tuple[int, ...], want: int) -> None:
    a = [(e + 15) << 2 for e in exponents]  # of e5m2; the products are 1 and 2**-24, the first two are added first
    assert reference(a, a, "e5m2", "e5m2", 0, "f32.pairwise") == want
    negative = [code | 0x80 for code in a]
    assert reference(negative, negative, "e5m2", "e5m2", 0, "f32.pairwise") == want
    assert reference([], [], "e5m2", "e5m2", 0x3F800001, "f32.pairwise") == 0x3F800001


def test_promotion_by_fma_without_scales_adds() -> None:
    assert reference([0x38], [0x38], E4M3, E4M3, 0x3F800000, "hopper.wgmma.fp8.f32+promote128.ffma") == 0x40000000
