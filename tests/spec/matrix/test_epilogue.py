"""Epilogues, splits over K and joins of promoted sums, against arithmetic written out here."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from second_oracles import matrix_units as second

import fp8ref
from fp8ref.spec import Datum, get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.matrix.models import get_model
from fp8ref.spec.matrix.products import dot

E4M3, F32, ADA = "e4m3fn", get_format("f32"), "ada.mma.fp8.f32"
ONE = 0x3F800000


def datum(bits: int) -> Datum:
    return unpack(bits, F32)


def f32(bits: int) -> Fraction:
    return second.real(bits, "f32")


def finite_code(rng: random.Random, near_one: bool = False) -> int:
    return rng.choice([c for c in range(256) if c & 0x7F != 0x7F and (not near_one or 0x30 <= c & 0x7F < 0x48)])


def signed(value: Fraction, zero_sign: int) -> int:
    """Binary32 to nearest; ``zero_sign``: the sign bit where the exact value is zero."""
    if value == 0:
        return zero_sign << 31
    return second.to_nearest(value, "f32")


def chain(a: list[int], b: list[int], c: int = 0) -> int:
    pad = [0] * (-len(a) % 16)
    return second.nvidia(a + pad, b + pad, E4M3, E4M3, c, "f32", 16, 13, 14)


# -- the epilogue -----------------------------------------------------------------------------------------------------
def test_an_absent_c_is_plus_zero() -> None:
    """230,109 results recorded on an RTX 4060 say so: fma(+0, -1, +0) is +0, and what underflows keeps its sign."""
    minus = ((Datum.finite(-1), Datum.finite(1)),)
    assert dot([0], [0], E4M3, accumulator=ADA, scales=minus) == 0
    assert fp8ref.dot([0], [0], E4M3, accumulator=ADA, scale_a=-1.0).view(np.uint32) == 0
    tiny = ((Datum.finite(-(Fraction(2) ** -140)), Datum.finite(1)),)
    assert dot([0x01], [0x01], E4M3, accumulator=ADA, scales=tiny) == 0x80000000
    assert fp8ref.dot([1], [1], E4M3, accumulator=ADA, scale_a=-(2.0**-140)).view(np.uint32) == 0x80000000
    apart = ADA + "+out.sab"  # a product that is not fused keeps the sign of a zero
    assert dot([0], [0], E4M3, accumulator=apart, scales=minus) == 0x80000000
    assert fp8ref.dot([0], [0], E4M3, accumulator=apart, scale_a=-1.0).view(np.uint32) == 0x80000000


def by_hand(steps: str, acc: int, sa: int, sb: int, c: int, sr: int) -> int:
    """The steps on binary32 numbers, one rounding each, written out."""
    joint = second.to_nearest(f32(sa) * f32(sb), "f32")
    factors = {"scale": joint, "sab": joint, "sa": sa, "fsa": sa, "sb": sb, "fsb": sb}
    words, x, i = steps.split("."), acc, 0
    while i < len(words):
        word = words[i]
        if word in factors:
            s = factors[word]
            exact, sign = f32(x) * f32(s), (x >> 31) ^ (s >> 31)
            fused = word in ("scale", "fsa", "fsb")
            if fused and words[i + 1 : i + 2] == ["bias"]:
                x, i = signed(exact + f32(c), sign & (c >> 31)), i + 1
            else:
                x = signed(exact, 0 if fused else sign)
        elif word == "bias":
            x = signed(f32(x) + f32(c), (x >> 31) & (c >> 31))
        elif word == "relu":
            x = 0 if x >> 31 else x
        else:
            x = signed(f32(x) * f32(sr), (x >> 31) ^ (sr >> 31))
        i += 1
    return x


STEPS = (
    "scale", "scale.bias", "sab.bias", "sa.sb", "sa.sb.bias", "sa.fsb.bias", "sb.sa.bias", "bias.scale", "fsa.bias.sb",
    "scale.bias.relu", "scale.relu.scale_result", "sab.bias.scale_result", "sa.bias.sb.relu.scale_result",
)  # fmt: skip


@pytest.mark.parametrize("steps", STEPS)
def test_steps_in_their_order(steps: str) -> None:
    rng = random.Random(steps)
    n, k = 40, 20
    a, b = ([[finite_code(rng, near_one=True) for _ in range(k)] for _ in range(n)] for _ in "ab")
    sa, sb, c, sr = (
        [(rng.getrandbits(1) << 31) | rng.randrange(0x3E000000, 0x41000000) for _ in range(n)] for _ in range(4)
    )
    sa[0] |= 1 << 31
    a[0] = a[1] = [0] * k
    c[0] = 1 << 31
    name = f"{ADA}+out.{steps}"
    arrays = (np.array(x, np.uint32).view(np.float32) for x in (sa, sb, c, sr))
    va, vb, vc, vr = arrays
    got = fp8ref.dot(
        a, b, E4M3, accumulator=name, scale_a=va[:, None], scale_b=vb[:, None], c=vc,
        scale_result=vr if "scale_result" in steps else None,
    ).view(np.uint32)  # fmt: skip
    for i in range(n):
        acc = chain(a[i], b[i], 0 if "bias" in steps else c[i])
        want = by_hand(steps, acc, sa[i], sb[i], c[i], sr[i])
        more = {"scale_result": datum(sr[i])} if "scale_result" in steps else {}
        scales = [(datum(sa[i]), datum(sb[i]))]
        own = dot(a[i], b[i], E4M3, c=datum(c[i]), accumulator=name, scales=scales, **more)
        assert (f"{own:08x}", f"{int(got[i]):08x}") == (f"{want:08x}", f"{want:08x}"), i


def test_scale_result_is_a_second_rounding() -> None:
    """acc * alpha rounds to binary32, then times scale_result."""
    third, s = 0x3EAAAAAB, 0x3F800800
    a, b = [0x38, 0x01 << 3], [0x38, 0x02 << 3]  # 1 * 1 + 2^-6 * 2^-5
    twice = second.to_nearest(f32(second.to_nearest((1 + Fraction(1, 2**11)) * f32(s), "f32")) * f32(third), "f32")
    given = {"scales": [(datum(s), datum(ONE))], "scale_result": datum(third)}
    assert dot(a, b, E4M3, accumulator=ADA, **given) == twice
    assert fp8ref.dot(a, b, E4M3, accumulator=ADA, scale_a=f32_of(s), scale_result=f32_of(third)).view("u4") == twice


def f32_of(bits: int) -> float:
    return float(np.uint32(bits).view(np.float32))


def test_without_scales_c_joins_inside_unless_the_epilogue_adds_it() -> None:
    c = datum(0x3F800001)  # 1 + 2^-23: the unit keeps 13 bits of it, an addition all
    assert dot([0], [0], E4M3, c=c, accumulator=ADA) == ONE
    assert dot([0], [0], E4M3, c=c, accumulator=f"{ADA}+out.bias") == 0x3F800001
    assert dot([0], [0], E4M3, c=c, accumulator=f"{ADA}+out.scale.bias") == 0x3F800001
    assert dot([0], [0], E4M3, c=c, accumulator=f"{ADA}+out.sat") == ONE
    assert dot([0x38], [0xB8], E4M3, c=c, accumulator=f"{ADA}+out.bias.relu") == 0x34000000


@pytest.mark.parametrize(
    ("accumulator", "result", "value", "code"),
    [
        (ADA + "+out.sat", "e4m3fn", 2.0**15, 0x7E),
        (ADA, "e4m3fn", 2.0**15, 0x7F),  # as the caller says: nonsat here
        (ADA + "+out.nonsat", "e5m2", 2.0**30, 0x7C),
        (ADA + "+out.sat", "e5m2", -(2.0**30), 0xFB),
        (ADA + "+out.rtz.sat", "e5m2", 1.9375, 0x3F),
        (ADA + "+out.rne.sat", "e5m2", 1.9375, 0x40),
        (ADA + "+out.rtp.nonsat", "e5m2", 1.8, 0x40),
    ],
)
def test_the_output_is_converted_by_its_own_rule(accumulator: str, result: str, value: float, code: int) -> None:
    a = fp8ref.encode([value / 2**15], "f16").view(np.uint16)
    unit = accumulator.replace(ADA, "ampere.mma.f16.f32")
    one = [0x3C00]
    scales = [(Datum.finite(2**15), Datum.finite(1))]
    assert dot(a.tolist(), one, "f16", accumulator=unit, result=result, scales=scales, overflow="nonsat") == code
    got = fp8ref.dot(a, one, "f16", accumulator=unit, result=result, scale_a=2.0**15, overflow="nonsat")
    assert got.item() == code


@pytest.mark.parametrize(
    ("unit", "codes"),
    [
        (ADA, {"f32": 0x7FFFFFFF, "f16": 0x7FFF, "bf16": 0x7FFF, "e4m3fn": 0x7F, "e5m2": 0x7F}),
        ("f32.fma", {"f32": 0x7FC00000, "f16": 0x7E00, "bf16": 0x7FC0, "e4m3fn": 0x7F, "e5m2": 0x7F}),
    ],
)
def test_the_nan_of_every_output_type(unit: str, codes: dict[str, int]) -> None:
    for result, code in codes.items():
        assert dot([0x7F], [0x38], E4M3, accumulator=unit + "+out.sat", result=result) == code
        got = fp8ref.dot([0x7F], [0x38], E4M3, accumulator=unit + "+out.sat", result=result)
        assert int(got.reshape(1).view(f"u{got.itemsize}")[0]) == code


def test_exact_sums_take_their_rounding_in_the_same_words() -> None:
    a, b = [0x7E, 0x7E], [0x7E, 0x38]
    for name in ("exact+out.rtz.nonsat", "exact.rtz.nonsat"):
        assert dot(a, b, E4M3, accumulator=name, result="e5m2") == 0x7B
        assert fp8ref.dot(a, b, E4M3, accumulator=name, result="e5m2").item() == 0x7B
    assert dot(a, b, E4M3, accumulator="exact+out.nonsat", result="e5m2") == 0x7C
    assert fp8ref.dot(a, b, E4M3, accumulator="exact+out.sat", result="e5m2", overflow="nonsat").item() == 0x7B


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{ADA}+out.scale.silu", "'silu' is no step"),
        (f"{ADA}+out.scale.sa", "enter once"),
        (f"{ADA}+out.sa", "enter once"),
        (f"{ADA}+out.bias.bias", "enter once"),
        (f"{ADA}+out.sat+promote32.fadd", "comes last"),
        (f"{ADA}+out.", "is no step"),
        ("blackwell.mxf8f6f4+out.scale.sat", "takes its scales inside"),
        ("exact+out.scale.sat", "rounded once"),
        ("exact+out.", "exact.out.rounding"),
        ("exact.rtz", "exact.rounding.overflow"),
        (f"{ADA}+promote32.fmadd", "promote<N>.fadd"),
        (f"{ADA}+split0.t64", "split<S>.t<W>"),
        ("f32.fma@order=down+split2.t4", "order up"),
        ("blackwell.mxf8f6f4+split2.t48", "cut blocks of 32"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dot([0], [0], E4M3, accumulator=name)
    with pytest.raises(ValueError, match=said):
        fp8ref.dot([0], [0], E4M3, accumulator=name)


def test_scales_without_a_step_are_refused() -> None:
    one = [(Datum.finite(1), Datum.finite(1))]
    with pytest.raises(ValueError, match="names no step for scales"):
        dot([0], [0], E4M3, accumulator=f"{ADA}+out.bias", scales=one)
    with pytest.raises(ValueError, match="has no place"):
        dot([0], [0], E4M3, accumulator=f"{ADA}+out.sa.sb", scales=one, tensor_scale=Datum.finite(2))
    with pytest.raises(ValueError, match="scale_result has shape"):
        fp8ref.dot([[0]] * 3, [[0]] * 3, E4M3, accumulator=ADA, scale_result=np.ones(2, np.float32))


# -- K in parts -------------------------------------------------------------------------------------------------------
def parts_by_hand(k: int, s: int, w: int, interleaved: bool) -> list[list[int]]:
    tiles = [list(range(t, min(t + w, k))) for t in range(0, k, w)]
    each = -(-len(tiles) // s)
    owners = [(t % s if interleaved else t // each) for t in range(len(tiles))]
    return [[i for t, tile in enumerate(tiles) if owners[t] == p for i in tile] for p in range(s)]


def combined(sums: list[int], pairwise: bool) -> int:
    if not pairwise:
        total = sums[0]
        for x in sums[1:]:
            total = second.add(total, x, "f32")
        return total
    s, h = len(sums), -(-len(sums) // 2)
    total = sums[-1]
    for i in range(h):
        slot = second.add(sums[i], sums[i + h], "f32") if i + h < s - 1 else sums[i]
        total = second.add(total, slot, "f32")
    return total


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("pairwise", [False, True])
@pytest.mark.parametrize(("s", "w", "k"), [(2, 16, 80), (3, 64, 300), (5, 16, 200), (4, 32, 70), (7, 16, 96)])
def test_split(s: int, w: int, k: int, interleaved: bool, pairwise: bool) -> None:
    rng = random.Random(s * k + w)
    name = f"{ADA}+split{s}.t{w}{'.interleaved' * interleaved}{'.pairwise' * pairwise}"
    rows = [([finite_code(rng) for _ in range(k)], [finite_code(rng) for _ in range(k)]) for _ in range(6)]
    got = fp8ref.dot([a for a, _ in rows], [b for _, b in rows], E4M3, accumulator=name).view(np.uint32)
    for i, (a, b) in enumerate(rows):
        owned = parts_by_hand(k, s, w, interleaved)
        want = combined([chain([a[j] for j in p], [b[j] for j in p]) if p else 0 for p in owned], pairwise)
        assert dot(a, b, E4M3, accumulator=name) == want == int(got[i])


def test_splitk_is_a_split_into_runs_of_instructions() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.integers(0, 0x7F, (50, 330)).astype(np.uint8) for _ in "ab")
    for parts in (2, 3, 4, 7):
        short, long = f"{ADA}+splitk{parts}", f"{ADA}+split{parts}.t16"
        same = [fp8ref.dot(a, b, E4M3, accumulator=name).view(np.uint32) for name in (short, long)]
        assert np.array_equal(*same)
        run = -(-330 // (parts * 16)) * 16  # what +splitkN always meant
        pieces = [fp8ref.dot(a[:, i : i + run], b[:, i : i + run], E4M3, accumulator=ADA) for i in range(0, 330, run)]
        want = pieces[0]
        for piece in pieces[1:]:
            want = want + piece
        assert np.array_equal(same[0], want.view(np.uint32))


def test_stream_k_and_sums_in_a_narrow_type() -> None:
    rng = np.random.default_rng(4)
    a, b = (fp8ref.encode(rng.standard_normal((30, 200)), E4M3) for _ in "ab")
    edges = (0, 32, 96, 160, 200)  # 1 tile of 32, then runs of 2
    pieces = [fp8ref.dot(a[:, i:j], b[:, i:j], E4M3, accumulator=ADA) for i, j in pairwise(edges)]
    want = ((pieces[0] + pieces[1]) + pieces[2]) + pieces[3]
    got = fp8ref.dot(a, b, E4M3, accumulator=f"{ADA}+stream2.t32.first1")
    assert np.array_equal(got.view(np.uint32), want.view(np.uint32))
    runs = [fp8ref.dot(a[:, i : i + 64], b[:, i : i + 64], E4M3, accumulator=ADA) for i in range(0, 200, 64)]
    half = [run.astype(np.float16) for run in runs]
    want16 = ((half[0] + half[1]) + half[2]) + half[3]
    got = fp8ref.dot(a, b, E4M3, accumulator=f"{ADA}+split4.t64.f16")
    assert np.array_equal(got, want16.astype(np.float32))


def test_split_then_promotion_counts_a_parts_own_products() -> None:
    """cuBLASLt's slow accumulation: a part restarts every 128 of its own products."""
    rng = np.random.default_rng(5)
    a, b = (fp8ref.encode(rng.standard_normal((20, 960)), E4M3) for _ in "ab")
    name = f"{ADA}+promote128.fadd+split3.t64.interleaved.pairwise"
    sums = []
    for owned in parts_by_hand(960, 3, 64, interleaved=True):
        acc = np.zeros(20, np.float32)
        for i in range(0, len(owned), 128):
            acc = acc + fp8ref.dot(a[:, owned[i : i + 128]], b[:, owned[i : i + 128]], E4M3, accumulator=ADA)
        sums.append(acc)
    want = (sums[2] + sums[0]) + sums[1]
    assert np.array_equal(fp8ref.dot(a, b, E4M3, accumulator=name), want)
    assert dot(a[0].tolist(), b[0].tolist(), E4M3, accumulator=name) == int(want.view(np.uint32)[0])


@pytest.mark.parametrize("join", ["fadd", "ffma", "fmul", "triton", "triton-fmul"])
def test_joins_of_promoted_sums(join: str) -> None:
    rng = np.random.default_rng(6)
    n = 60
    a, b = (fp8ref.encode(rng.standard_normal((n, 96)), E4M3) for _ in "ab")
    sa, sb = (rng.uniform(0.5, 2, (n, 3)).astype(np.float32) for _ in "ab")
    c = rng.standard_normal(n).astype(np.float32)
    name = f"{ADA}+promote32.{join}"
    scales = {} if join == "fadd" else {"scale_a": sa, "scale_b": sb, "block": 32}
    got = fp8ref.dot(a, b, E4M3, accumulator=name, c=c, **scales).view(np.uint32)

    def bits(x: float) -> int:
        return int(np.float32(x).view(np.uint32))

    def to(value: Fraction) -> Fraction:
        return f32(second.to_nearest(value, "f32"))

    for i in range(n):
        acc = f32(bits(c[i]))
        for chunk in range(3):
            s = slice(chunk * 32, chunk * 32 + 32)
            p = f32(chain(a[i, s].tolist(), b[i, s].tolist()))
            x, y = (f32(bits(v[i, chunk])) for v in (sa, sb))
            acc = to(acc + {
                "fadd": lambda p=p: p,
                "ffma": lambda p=p, x=x, y=y: p * to(x * y),
                "fmul": lambda p=p, x=x, y=y: to(p * to(x * y)),
                "triton": lambda p=p, x=x, y=y: to(p * x) * y,
                "triton-fmul": lambda p=p, x=x, y=y: to(to(p * x) * y),
            }[join]())  # fmt: skip
        assert f32(int(got[i])) == acc
        pairs = [(Datum.of(float(x)), Datum.of(float(y))) for x, y in zip(sa[i], sb[i])] if scales else []
        own = dot(a[i].tolist(), b[i].tolist(), E4M3, c=Datum.of(float(c[i])), accumulator=name, scales=pairs, block=32)
        assert own == int(got[i])


def test_names_survive_a_round_trip() -> None:
    for name in (f"{ADA}+split3.t64.interleaved.pairwise.bf16+out.scale.bias.relu.rtz.sat", f"{ADA}+out.max-nan"):
        assert get_model(name).name == name
        assert get_model(get_model(name).name) == get_model(name)


@pytest.mark.parametrize("c", [None, 1.5, -0.3])
def test_an_exact_sum_times_an_output_scale_is_rounded_once(c: float | None) -> None:
    rng = np.random.default_rng(7)
    a, b = (fp8ref.encode(rng.standard_normal((9, 6)), E4M3) for _ in "ab")
    r = rng.uniform(-2, 2, 9).astype(np.float32)
    s = np.float32(1.7)
    addend = None if c is None else np.float32(c)
    got = fp8ref.dot(a, b, E4M3, c=addend, scale_a=s, scale_result=r).view(np.uint32)
    for i in range(9):
        exact = sum(second.real(int(x), E4M3) * second.real(int(y), E4M3) for x, y in zip(a[i], b[i]))
        exact = (exact * Fraction(float(s)) + (Fraction(float(addend)) if addend is not None else 0)) * Fraction(
            float(r[i])
        )
        assert int(got[i]) == second.to_nearest(exact, "f32")
