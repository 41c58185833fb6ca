"""x86's units, restated: tiles of two chains, pairs of elements fma by fma, ACE's outer products.

The restatements are Fractions and signs, from the pseudo-code that Bochs follows (amx.cc, avx512_bf16.cc,
avx10_2_misc.cc at 783b58fd; amx_top.cc at d651ee9c).  The recorded answers come from that code, compiled.
"""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from second_oracles import matrix_units as second

import fp8ref
from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.matrix.models import get_model, models
from fp8ref.spec.matrix.products import dot

Number = tuple[int, Fraction | str]  # a sign, and a magnitude, "inf" or "nan"
FP8 = ("e4m3fn", "e5m2")
LEAST, EDGE = Fraction(2) ** -126, Fraction(2) ** -126 - Fraction(2) ** -151
WIDTHS = {"mxint8": 8, "e4m3fn": 8, "e5m2": 8, "f16": 16, "bf16": 16, "f32": 32}


def number(code: int, name: str, *, plain: bool = False) -> Number:
    if name == "mxint8":
        return code >> 7, Fraction(abs(code - 256 * (code >> 7)), 64)
    sign, magnitude = code >> (WIDTHS[name] - 1), code & ((1 << (WIDTHS[name] - 1)) - 1)
    w, t, _ = second.FIELDS[name]
    if not plain and name == "e4m3fn" and magnitude == 0x7F:
        return sign, "nan"
    if not plain and name != "e4m3fn" and magnitude >> t == (1 << w) - 1:
        return sign, "nan" if magnitude & ((1 << t) - 1) else "inf"
    return sign, second.real(magnitude, name)


def zeroed(x: Number, least: Fraction = LEAST) -> Number:
    return (x[0], Fraction(0)) if isinstance(x[1], Fraction) and x[1] < least else x


def times(x: Number, y: Number) -> Number:
    sign = x[0] ^ y[0]
    if isinstance(x[1], Fraction) and isinstance(y[1], Fraction):
        return sign, x[1] * y[1]
    return sign, "nan" if "nan" in (x[1], y[1]) or 0 in (x[1], y[1]) else "inf"


def fl(x: Number) -> Number:
    """Rounded to binary32, tiny results zeros of their sign."""
    if not isinstance(x[1], Fraction):
        return x
    if x[1] < EDGE:
        return x[0], Fraction(0)
    return number(second.to_nearest(x[1], "f32") | x[0] << 31, "f32")


def plus(x: Number, y: Number) -> Number:
    """The exact sum: to be rounded by fl."""
    if "nan" in (x[1], y[1]) or (x[1] == y[1] == "inf" and x[0] != y[0]):
        return 0, "nan"
    if not (isinstance(x[1], Fraction) and isinstance(y[1], Fraction)):
        return x if x[1] == "inf" else y
    total = (-1) ** x[0] * x[1] + (-1) ** y[0] * y[1]
    return (x[0] & y[0] if total == 0 else int(total < 0)), abs(total)


def code(x: Number) -> int:
    if x[1] == "nan":
        return 0x7FC00000
    return x[0] << 31 | (0x7F800000 if x[1] == "inf" else second.to_nearest(Fraction(x[1]), "f32"))


def tile(a: list[int], b: list[int], fa: str, fb: str, c: int, *, pairs: bool, flushed: tuple[str, ...]) -> int:
    """One instruction: t0, t1 from +0, D = C + (t0 + t1)."""
    least = {f: Fraction(2) ** (1 - second.FIELDS[f][2]) if f in flushed else LEAST for f in (fa, fb)}
    xs, ys = ([zeroed(number(x, f), least[f]) for x in side] for side, f in ((a, fa), (b, fb)))
    products = [times(x, y) for x, y in zip(xs, ys)]
    if pairs:
        products = [fl(plus(fl(p), fl(q))) for p, q in zip(products[::2], products[1::2])]
    t: list[Number] = [(0, Fraction(0)), (0, Fraction(0))]
    for i, p in enumerate(products):
        t[i % 2] = fl(plus(p, t[i % 2]))
    return code(fl(plus(zeroed(number(c, "f32")), fl(plus(*t)))))


def pairwise(a: list[int], b: list[int], name: str, c: int) -> int:
    """VDPPHPS, VDPBF16PS: of each pair the high element first."""
    d = zeroed(number(c, "f32"))
    for i in range(0, len(a), 2):
        for j in (i + 1, i):
            d = fl(plus(times(zeroed(number(a[j], name)), zeroed(number(b[j], name))), d))
    return code(d)


def outer(a: list[int], b: list[int], fa: str, fb: str, c: int, sa: int, sb: int) -> int:
    """TOP4MX: exact sums of four codes that are all numbers, scaled, rounded; then C."""
    d = number(c, "f32")
    for i in range(0, len(a), 4):
        s: Number = (0, Fraction(0))
        for x, y in zip(a[i : i + 4], b[i : i + 4]):
            s = plus(s, times(number(x, fa, plain=True), number(y, fb, plain=True)))
        s = (0, "nan") if 255 in (sa, sb) else (s[0], Fraction(s[1]) * Fraction(2) ** (sa + sb - 254))
        d = fl(plus(zeroed(d), fl(s)))
    return code(d)


def outer_bf16(a: list[int], b: list[int], c: int) -> int:
    """TOP2BF16PS: C + (p0 + p1), all rounded."""
    d = number(c, "f32")
    for i in range(0, len(a), 2):
        p, q = (fl(times(zeroed(number(a[j], "bf16")), zeroed(number(b[j], "bf16")))) for j in (i, i + 1))
        d = fl(plus(zeroed(d), fl(plus(p, q))))
    return code(d)


# -- questions ---------------------------------------------------------------------------------------------------------


def operands(rng: random.Random, name: str, k: int) -> list[int]:
    """Any codes; near one; the smallest and largest; such that products of bf16 are tiny; zeros."""
    f = get_format(name)

    def sign() -> int:
        return rng.choice([0, f.sign_bit])

    match rng.randrange(6):
        case 0:
            return [rng.getrandbits(f.k) for _ in range(k)]
        case 1 | 2 if not f.fixed_point:
            return [sign() | (f.bias + rng.randint(-3, 3)) << f.t | rng.getrandbits(f.t) for _ in range(k)]
        case 3:
            return [sign() | rng.choice([0, 1, 2, (1 << f.t) - 1, 1 << f.t, f.max_code]) for _ in range(k)]
        case 4 if name == "bf16":
            return [sign() | rng.randrange(58, 68) << 7 | rng.getrandbits(7) for _ in range(k)]
        case 5:
            return [sign() if not f.fixed_point else 0 for _ in range(k)]
    return [sign() | rng.randrange(f.max_code + 1) for _ in range(k)]


def addend(rng: random.Random) -> int:
    sign = rng.getrandbits(1) << 31
    fields = (0, 0, 1, 2, 127 + rng.randint(-30, 30), rng.randrange(256), 254)
    return sign | rng.choice([0, rng.choice(fields) << 23 | rng.getrandbits(23)])


UNITS = {
    "x86.amx.fp8.f32": [(x, y) for x in FP8 for y in FP8],
    "x86.amx.fp8.f32@daz=none": [("e5m2", "e5m2"), ("e4m3fn", "e5m2")],
    "x86.amx.fp8.f32@daz=all": [("e5m2", "e5m2"), ("e4m3fn", "e5m2")],
    "x86.amx.f16.f32": [("f16", "f16")],
    "x86.amx.bf16.f32": [("bf16", "bf16")],
    "x86.vdp.f16.f32": [("f16", "f16")],
    "x86.vdp.bf16.f32": [("bf16", "bf16")],
    "x86.ace.bf16.f32": [("bf16", "bf16")],
    "x86.ace.mxfp8.f32": [(x, y) for x in FP8 for y in FP8],
    "x86.ace.mxint8.f32": [("mxint8", "mxint8")],
}
DAZ = {"": ("e5m2",), "daz=none": (), "daz=all": FP8}


def wanted(name: str, a: list[int], b: list[int], fa: str, fb: str, c: int, sa: int, sb: int) -> int:
    unit, _, option = name.partition("@")
    match unit.split(".")[1:3]:
        case "amx", kind:
            return tile(a, b, fa, fb, c, pairs=kind == "fp8", flushed=DAZ[option] if kind == "fp8" else ())
        case "vdp", kind:
            return pairwise(a, b, kind, c)
        case _, "bf16":
            return outer_bf16(a, b, c)
    return outer(a, b, fa, fb, c, sa, sb)


def compared(name: str, count: int) -> None:
    """The reference and the arrays, against the restatement; all NaNs are one."""
    rng = random.Random(name)
    scaled = name.startswith("x86.ace.mx")
    turn = 4 if "fp8" in name or scaled else 2
    e8m0, f32 = get_format("e8m0fnu"), get_format("f32")
    for fa, fb in UNITS[name]:
        k = turn * rng.choice([1, 3])
        a, b = ([operands(rng, f, k) for _ in range(count)] for f in (fa, fb))
        c = [addend(rng) for _ in range(count)]
        scales = [(rng.choice([127, rng.randrange(256), 64]), rng.choice([127, 63, 254, 255])) for _ in range(count)]
        want = [wanted(name, x, y, fa, fb, z, *s) for x, y, z, s in zip(a, b, c, scales)]
        more = {}
        if scaled:
            sa, sb = (np.array([[s[i]] for s in scales], np.uint8) for i in (0, 1))
            more = {"scale_a": sa, "scale_b": sb, "scale_format": "e8m0fnu", "block": 32}
        types = [np.uint8 if WIDTHS[f] == 8 else np.uint16 for f in (fa, fb)]
        floats = np.array(c, np.uint32).view(np.float32)
        got = fp8ref.dot(np.array(a, types[0]), np.array(b, types[1]), fa, fb, c=floats, accumulator=name, **more)
        codes = [0x7FC00000 if np.isnan(x) else int(y) for x, y in zip(got, got.view(np.uint32))]
        assert [f"{x:08X}" for x in codes] == [f"{x:08X}" for x in want]
        for i in range(0, count, 4):
            pairs = [tuple(unpack(s, e8m0) for s in scales[i])] if scaled else ()
            own = dot(a[i], b[i], fa, fb, c=unpack(c[i], f32), accumulator=name, scales=pairs, block=32)  # type: ignore[arg-type]
            assert (0x7FC00000 if own & 0x7FFFFFFF > 0x7F800000 else own) == want[i], (a[i], b[i], c[i], scales[i])


def test_every_unit_is_asked() -> None:
    assert {m.name for m in models() if m.name.startswith("x86.")} == {name for name in UNITS if "@" not in name}


@pytest.mark.parametrize("name", UNITS)
def test_a_unit(name: str) -> None:
    compared(name, 120)


@pytest.mark.full
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_at_length(name: str) -> None:
    compared(name, 2000)


RECORDED = [  # a, b, C, D: AMX-FP8 on E4M3 as Bochs' own compiled code answers
    ("7E01FE00", "7E387E00", 0x00000000, 0x00000000),
    ("7EFE0100", "7E7E3800", 0x00000000, 0x3B000000),
    ("7E0101FE", "7E01017E", 0x00000000, 0x00000000),
    ("38383838", "38383838", 0x4B800000, 0x4B800002),
    ("38000000", "38000000", 0x33800000, 0x3F800000),
    ("80808080", "38383838", 0x80000000, 0x00000000),
    ("01000000", "38000000", 0x00000000, 0x3B000000),
]


@pytest.mark.parametrize(("a", "b", "c", "d"), RECORDED)
def test_recorded(a: str, b: str, c: int, d: int) -> None:
    sides = list(bytes.fromhex(a)), list(bytes.fromhex(b))
    assert dot(*sides, "e4m3fn", c=unpack(c, get_format("f32")), accumulator="x86.tdphf8ps.fp8.f32") == d


def test_subnormals_of_e5m2_are_a_named_choice() -> None:
    answers = {
        daz: dot([1], [0x3C], "e5m2", accumulator=f"x86.amx.fp8.f32@daz={daz}") for daz in ("none", "e5m2", "all")
    }
    assert answers == {"none": 0x37800000, "e5m2": 0, "all": 0}
    assert dot([1], [0x38], "e4m3fn", accumulator="x86.amx.fp8.f32@daz=all") == 0
    with pytest.raises(ValueError, match="not a value of daz"):
        get_model("x86.amx.fp8.f32@daz=e4m3fn")


def test_an_instruction_has_at_most_64_products() -> None:
    """Then D is C of the next: 2^24 - 2^24 + 1 in one tile, and C where its addition loses the 1."""
    a, b = [0] * 68, [0] * 68
    a[:1], b[:1] = [0x38], [0x38]
    a[64:65], b[64:65] = [0x38], [0x38]
    first = tile(a[:64], b[:64], "e4m3fn", "e4m3fn", 0x4B800000, pairs=True, flushed=())
    want = tile(a[64:], b[64:], "e4m3fn", "e4m3fn", first, pairs=True, flushed=())
    assert want == 0x4B800000 != tile(a, b, "e4m3fn", "e4m3fn", 0x4B800000, pairs=True, flushed=())
    c = np.array([0x4B800000], np.uint32).view(np.float32)
    got = fp8ref.dot(np.array([a], np.uint8), np.array([b], np.uint8), "e4m3fn", c=c, accumulator="x86.amx.fp8.f32")
    assert got.view(np.uint32).tolist() == [want]


TINY = [  # of 2**-126 minus p: p in units of 2**-152, and what x86 calls tiny: after rounding to 24 bits
    ((0x1980, 0x9980), 0x00800000),  # 1
    ((0x1A00, 0x9980), 0x00800000),  # 2: a tie
    ((0x19C0, 0x9A00), 0x00000000),  # 3: to 2**-126 - 2**-150, though binary32's subnormals would round it up
    ((0x1A00, 0x9A00), 0x00000000),  # 4
]


@pytest.mark.parametrize(("product", "want"), TINY)
@pytest.mark.parametrize("unit", ["x86.vdp.bf16.f32", "f32.fma"])
def test_tiny_after_rounding(product: tuple[int, int], want: int, unit: str) -> None:
    a, b = [product[0], 0], [product[1], 0]
    want = 0x00800000 if unit == "f32.fma" else want  # whose subnormals are numbers: all four round up, one at a tie
    assert dot(a, b, "bf16", c=unpack(0x00800000, get_format("f32")), accumulator=unit) == want
    c = np.array([0x00800000], np.uint32).view(np.float32)
    got = fp8ref.dot(np.array([a], np.uint16), np.array([b], np.uint16), "bf16", c=c, accumulator=unit)
    assert got.view(np.uint32).tolist() == [want]


def test_sums_that_binary64_does_not_hold() -> None:
    """2**32 and more, 2**-32, and the first again without its sign: in any order."""
    orders = np.array(list(permutations(range(4))))
    a, b = np.array([0x7B, 0x01, 0xFB, 0x00], np.uint8), np.array([0x7B, 0x01, 0x7B, 0x00], np.uint8)
    assert outer(a.tolist(), b.tolist(), "e5m2", "e5m2", 0, 127, 127) == 0x2F800000
    got = fp8ref.dot(a[orders], b[orders], "e5m2", accumulator="x86.ace.mxfp8.f32")
    assert set(got.view(np.uint32).tolist()) == {0x2F800000}


ACE = [  # a, b, scales, D from C = 0: every code is a number
    ("e4m3fn", [0x7E] * 4, [0x7E] * 4, (127, 127), 0x49440000),
    ("e4m3fn", [0x7F, 0, 0, 0], [0x38, 0, 0, 0], (127, 127), 0x43F00000),
    ("e4m3fn", [0x38, 0, 0, 0], [0x38, 0, 0, 0], (0, 127), 0x00000000),
    ("e4m3fn", [0x38, 0, 0, 0], [0x38, 0, 0, 0], (1, 127), 0x00800000),
    ("e5m2", [0x7C, 0, 0, 0], [0x3C, 0, 0, 0], (127, 127), 0x47800000),
    ("e5m2", [0x7F, 0, 0, 0], [0x3C, 0, 0, 0], (127, 127), 0x47E00000),
]


@pytest.mark.parametrize(("name", "a", "b", "scales", "d"), ACE)
def test_codes_without_specials(name: str, a: list[int], b: list[int], scales: tuple[int, int], d: int) -> None:
    pair = [tuple(unpack(s, get_format("e8m0fnu")) for s in scales)]
    assert dot(a, b, name, accumulator="x86.ace.mxfp8.f32", scales=pair, block=32) == d  # type: ignore[arg-type]


def test_no_conversion_before_codes() -> None:
    with pytest.raises(ValueError, match="reads codes"):
        get_model("x86.ace.mxfp8.f32+in.e4m3fn.rne")
