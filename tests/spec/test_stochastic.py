"""Stochastic rounding as a pure function: exact counts, three vendors' integer recipes, and unbiased on average."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

import fp8ref
from fp8ref import get_format
from fp8ref.spec import RandomBits, Rounding, encode
from fp8ref.spec.rounding import random_field

# 1 + eta/8 in e4m3fn lies between 0x38 and 0x39; eta as a binary fraction of 12 bits
ETAS = [Fraction(n, 4096) for n in (1, 255, 256, 257, 1000, 2048, 2049, 3000, 4095)]
N = 5


def times_away(mode: str, eta: Fraction) -> int:
    found = 0
    for R in range(2**N):
        code, status = encode(1 + eta / 8, "e4m3fn", mode, random=RandomBits(R, N))
        assert code in (0x38, 0x39)
        assert status == 1
        found += code - 0x38
    return found


@pytest.mark.parametrize("eta", ETAS)
def test_how_often_each_mode_goes_away(eta: Fraction) -> None:
    """P3109 v4.0 RoundToPrecision, counted over every R: the floor, the nearest, and the nearest-even of eta 2**N."""
    scaled = eta * 2**N
    assert times_away("sr-a", eta) == math.floor(scaled)
    assert times_away("sr-b", eta) == math.floor(scaled + Fraction(1, 2))
    assert times_away("sr-c", eta) == round(scaled)
    assert times_away("sr-ptx", eta) == math.floor(scaled)


def test_exact_values_stay_and_signs_mirror() -> None:
    for mode in ("sr-a", "sr-b", "sr-c", "sr-ptx"):
        assert encode(1, "e4m3fn", mode, random=RandomBits(31, 5)) == (0x38, 0)
        up, _ = encode(Fraction(33, 32), "e4m3fn", mode, random=RandomBits(30, 5))
        down, _ = encode(Fraction(-33, 32), "e4m3fn", mode, random=RandomBits(30, 5))
        assert down == up | 0x80


def finite_halves(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 0x7C00, n) | rng.integers(0, 2, n) << 15).astype(np.uint16)


@pytest.mark.parametrize(("name", "t", "bias"), [("e5m2", 2, 15), ("e4m3fn", 3, 7)])
def test_intel_bias(name: str, t: int, bias: int) -> None:
    """VCVTBIASPH2BF8/HF8: the bias, of which HF8 drops the last bit, is added at the last place of the normalised
    binary16 significand; then all below the result's last place is cut off.  [bochs-emu/Bochs cpu/avx/fp8.cc]"""
    codes = finite_halves(4000, 1)
    words = np.random.default_rng(2).integers(0, 256, codes.size).astype(np.uint8)
    got = fp8ref.encode(codes.view(np.float16), name, rounding="sr-bias", random_bits=words, overflow="sat")
    for code, word, answer in zip(codes.tolist(), words.tolist(), got.tolist()):
        exponent, fraction = code >> 10 & 31, code & 1023
        if exponent == 0:
            if fraction == 0:
                assert answer == code >> 8 & 0x80
                continue
            exponent = 1
            while fraction < 1024:
                fraction, exponent = fraction * 2, exponent - 1
        else:
            fraction += 1024
        fraction += word >> (t - 2)
        value = Fraction(fraction, 1024) * Fraction(2) ** (exponent - 15)
        lowest = Fraction(2) ** (1 - bias - t)
        binade = max(math.floor(math.log2(value)), 1 - bias)
        ulp = max(Fraction(2) ** (binade - t), lowest)
        cut = value // ulp * ulp
        f = get_format(name)
        want = min(cut, f.max)
        assert abs(fp8ref.spec.decode(answer, name).value) == want, (hex(code), word)
        if value < 2 * f.min_normal:  # the reference, too, where results are subnormal or nearly so
            exact = fp8ref.spec.decode(code, "f16").value
            assert encode(exact, name, "sr-bias", random=RandomBits(word >> (t - 2), 10 - t))[0] == answer


@pytest.mark.parametrize("mode", ["sr-hip", "sr-hip-ocp"])
@pytest.mark.parametrize(("name", "t", "emin"), [("e4m3fn", 3, -6), ("e5m2", 2, -14), ("e4m3fnuz", 3, -7)])
def test_hip(name: str, t: int, emin: int, mode: str) -> None:
    """cast_to_f8: a subnormal result's significand is shifted first, dropping bits; the low 23 - t random bits are
    added to the 23-bit fraction; what lies below the kept t bits is cut off.  The OCP header adds the word
    shifted right by 32 - (23 - t) instead."""
    rng = random.Random(4)
    values = [math.ldexp(1 + rng.getrandbits(23) / 2**23, rng.randint(emin - t - 3, emin + 8)) for _ in range(2000)]
    words = [rng.getrandbits(32) for _ in values]
    got = fp8ref.encode(np.float32(values), name, rounding=mode, random_bits=np.uint32(words))
    for x, word, answer in zip(values, words, got.tolist()):
        mantissa, e = math.frexp(x)
        fraction, e = int(mantissa * 2**24), e - 1
        fraction >>= max(0, emin - e)
        fraction += word & ((1 << (23 - t)) - 1) if mode == "sr-hip" else word >> (32 - (23 - t))
        kept = fraction >> (23 - t)
        want = min(Fraction(kept) * Fraction(2) ** (max(e, emin) - t), get_format(name).max)
        assert fp8ref.spec.decode(answer, name).value == want, (x, hex(word))


def test_the_field_of_a_random_word() -> None:
    """As many bits as the source has significand bits more; Intel's 8-bit bias for E4M3 drops its last bit."""
    assert random_field(Rounding.STOCHASTIC_BIAS, 8, 10 - 3) == (1, 7)
    assert random_field(Rounding.STOCHASTIC_BIAS, 8, 10 - 2) == (0, 8)
    assert random_field(Rounding.STOCHASTIC_BIAS, 32, 23 - 3) == (0, 20)
    assert random_field(Rounding.STOCHASTIC_HIP, 32, 23 - 2) == (0, 21)
    assert random_field(Rounding.STOCHASTIC_HIP, 64, 48) == (0, 48)
    assert random_field(Rounding.STOCHASTIC_HIP, 1, 1) == (0, 1)
    assert random_field(Rounding.STOCHASTIC_A, 13, 0) == (0, 13)
    for width, discarded in ((32, 0), (7, 8), (64, 49)):
        with pytest.raises(ValueError, match=f"here {discarded}; {width} were given"):
            random_field(Rounding.STOCHASTIC_HIP, width, discarded)


def test_ptx_words() -> None:
    """PTX ISA 9.0, cvt .rs: f16 13 low bits of each half; bf16 the halves; x4: a b share the upper half, e f the lower;
    e2m1x4: a b the upper bytes of the halves, e f the lower ones; a and e in reverse order, as probed on a B200."""
    word = [0xABCD1234]
    bits, width = fp8ref.ptx_random_bits(word, "bf16")
    assert (bits.tolist(), width) == ([[0xABCD, 0x1234]], 16)
    for name in ("e4m3fn", "e5m2", "e2m3fn"):
        bits, width = fp8ref.ptx_random_bits([0x12345678], name)
        assert (bits.tolist(), width) == ([[0x2C48, 0x1234, 0x1E6A, 0x5678]], 16)
    bits, width = fp8ref.ptx_random_bits([0x12345678], "e2m1fn")
    assert (bits.tolist(), width) == ([[0x6A48, 0x1256, 0x1E2C, 0x3478]], 16)
    for bit in range(32):  # one-hot words, as the probe asked
        first, second, third, fourth = (int(x) for x in fp8ref.ptx_random_bits([1 << bit], "e5m2")[0][0])
        text = f"{1 << bit:032b}"
        assert f"{second:016b}{fourth:016b}" == text
        assert f"{first:016b}"[::-1] + f"{third:016b}"[::-1] == text
    bits, width = fp8ref.ptx_random_bits(word, "f16")
    assert (bits.tolist(), width) == ([[0xABCD & 0x1FFF, 0x1234 & 0x1FFF]], 13)
    x = np.full((1, 4), 1.0625, np.float32)
    bits, width = fp8ref.ptx_random_bits([0x8000_7FFF], "e4m3fn")
    codes = fp8ref.encode(x, "e4m3fn", rounding="sr-ptx", random_bits=bits, random_width=width)
    assert codes.tolist() == [[0x38, 0x39, 0x39, 0x38]]
    with pytest.raises(ValueError, match=r"no cvt\.rs to e3m4"):
        fp8ref.ptx_random_bits(word, "e3m4")
    with pytest.raises(ValueError, match="32-bit words"):
        fp8ref.ptx_random_bits([1 << 32], "e4m3fn")


@pytest.mark.parametrize("mode", ["sr-a", "sr-b", "sr-c", "sr-ptx", "sr-hip", "sr-hip-ocp"])
@pytest.mark.parametrize("x", [1.01, 3.3, 0.0011, -250.7, 447.9])
def test_unbiased(mode: str, x: float) -> None:
    """The mean of 200,000 roundings lies within 5 standard errors of x: by chance it does not once in 1.7 million."""
    n = 200_000
    y = np.full(n, x, np.float32)
    z = fp8ref.quantize(y, "e4m3fn", rounding=mode, rng=np.random.default_rng(12)).astype(np.float64)
    value = float(y[0])
    low, high = z.min(), z.max()
    assert low < value < high
    eta = (value - low) / (high - low)
    deviation = (high - low) * math.sqrt(eta * (1 - eta) / n)
    assert abs(z.mean() - value) < 5 * deviation


def test_the_same_seed_gives_the_same_codes() -> None:
    x = np.linspace(-3, 3, 1001)
    first, again, other = (
        fp8ref.encode(x, "e5m2", rounding="sr-b", rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_refusals() -> None:
    x = np.float32([1.0, 2.0])
    bits = np.array([1, 2], np.uint8)
    for options, message in (
        ({}, "needs random_bits or rng"),
        ({"random_bits": bits, "rng": np.random.default_rng(0)}, "one of them"),
        ({"random_bits": bits[:1]}, r"shape \(1,\)"),
        ({"random_bits": bits, "random_width": 1}, r"random_bits\[1\] = 2 does not fit"),
        ({"random_bits": bits, "random_width": 65}, "1 to 64"),
    ):
        with pytest.raises(ValueError, match=message):
            fp8ref.encode(x, "e4m3fn", rounding="sr-a", **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unsigned integers"):
        fp8ref.encode(x, "e4m3fn", rounding="sr-a", random_bits=np.float32([0, 1]))
    with pytest.raises(TypeError, match="numpy Generator"):
        fp8ref.encode(x, "e4m3fn", rounding="sr-a", rng=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="deterministic"):
        fp8ref.encode(x, "e4m3fn", random_bits=bits)
    with pytest.raises(ValueError, match="as many random bits as"):
        fp8ref.encode(x, "e4m3fn", rounding="sr-hip", random_bits=bits)
    with pytest.raises(ValueError, match="for conversions"):
        fp8ref.add([1], [1], "e4m3fn", rounding="sr-hip", rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="needs random bits"):
        encode(Fraction(33, 32), "e4m3fn", "sr-a")
    with pytest.raises(ValueError, match="is not an integer of 3 bits"):
        RandomBits(8, 3)
