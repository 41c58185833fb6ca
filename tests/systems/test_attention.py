"""FP8 attention: a scalar restatement by MPFR and a published unit, the public reports, and refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from second_oracles.published_units import PUBLISHED

from fp8ref import encode
from fp8ref.systems import attention as system

gmpy2 = pytest.importorskip("gmpy2")
UNIT = PUBLISHED["hopper.wgmma.fp8.f32"]


@pytest.fixture
def binary32() -> Iterator[None]:
    with gmpy2.context(precision=24, emax=128, emin=-148, subnormalize=True):
        yield


def word(x: object) -> int:
    return int(np.float32(float(x)).view(np.uint32))  # exact: x is a binary32 number


def restated(q: list, k: list, v: list, tile: int, scale: float, two: bool = True) -> list[int]:
    """One query over all keys, number by number."""
    f = lambda code: gmpy2.mpfr(float(np.uint32(code).view(np.float32)))  # noqa: E731
    product = lambda a, b, c: f(UNIT(a, b, "e4m3fn", "e4m3fn", c, [], []))  # noqa: E731
    factor = gmpy2.mpfr(float(np.float32(scale * math.log2(math.e))))
    most, out = gmpy2.mpfr("-inf"), [gmpy2.mpfr(0)] * len(v[0])
    threads = [gmpy2.mpfr(0)] * 4
    for first in reversed(range(0, len(k), tile)):
        keys = range(first, min(first + tile, len(k)))
        scores = [product(q, k[j], 0) for j in keys]
        before, most = most, max([most, *scores])
        rest = gmpy2.exp2((before - most) * factor)
        shifted = gmpy2.fma(most, factor, gmpy2.mpfr(-8))
        p = [gmpy2.exp2(gmpy2.fma(s, factor, -shifted)) for s in scores]
        threads = [t * rest for t in threads]
        for i, x in enumerate(p):
            threads[i % 8 // 2] += x
        codes = [int(encode(np.float32(float(x)), "e4m3fn")) for x in p]
        codes += [0] * (-len(codes) % 32)
        for column, o in enumerate(out):
            values = [v[j][column] for j in keys]
            values += [0] * (len(codes) - len(values))
            o = o * rest
            out[column] = o + product(codes, values, 0) if two else product(codes, values, word(o))
    total = (threads[0] + threads[2]) + (threads[1] + threads[3])
    return [word(o * (1 / total)) for o in out]


@pytest.mark.parametrize(("keys", "two"), [(40, True), (70, True), (70, False)])
@pytest.mark.usefixtures("binary32")
def test_every_bit_is_that_of_the_restatement(keys: int, two: bool) -> None:
    rng = np.random.default_rng(keys)
    q, k = (encode(rng.normal(0, 2, (n, 32)).astype(np.float32), "e4m3fn") for n in (1, keys))
    v = encode(rng.normal(0, 2, (keys, 3)).astype(np.float32), "e4m3fn")
    found = system.attention(q, k, v, system.Kernel(32, two_levels=two))
    want = restated(q[0].tolist(), k.tolist(), v.tolist(), 32, 1 / math.sqrt(32), two)
    assert found.o.view(np.uint32)[0].tolist() == want
    value = np.float64(found.o[0])
    scores = fp64(q) @ fp64(k).T / math.sqrt(32)
    weights = np.exp(scores - scores.max())
    assert np.allclose(value, (weights @ fp64(v) / weights.sum())[0], atol=0.06 * np.abs(fp64(v)).max())  # P: 4 bits
    assert found.lse[0] == pytest.approx(np.log(np.exp(scores).sum()), abs=1e-3)


def fp64(codes: np.ndarray) -> np.ndarray:
    import ml_dtypes

    return codes.view(ml_dtypes.float8_e4m3fn).astype(np.float64)


def test_the_first_difference_of_decode_and_prefill_is_at_97_keys() -> None:
    """sgl-project/sglang issue 25790, vllm-project/vllm issue 54035: tiles of 96 and 192 keys, head dimension 128."""
    assert (system.flash3(128, 1).tile, system.flash3(128, 256).tile) == (96, 192)
    rows = system.decode_and_prefill([64, 96, 97, 192])
    assert [row["keys"] for row in rows if row["bf16"]] == [97, 192]
    assert not any(row["differ"] for row in rows if row["keys"] <= 96)
    assert all(row["largest"] > 0 for row in rows if row["keys"] >= 97)


def test_queries_of_a_prefill_are_each_as_alone() -> None:
    """What lies behind a query's last key changes nothing, whole masked tiles included."""
    rng = np.random.default_rng(5)
    q, k, v = (encode(rng.normal(0, 1, (70, 32)).astype(np.float32), "e4m3fn") for _ in range(3))
    kernel = system.Kernel(32)
    together = system.attention(q, k, v, kernel, causal=True)
    for i in (0, 31, 32, 69):
        alone = system.attention(q[i : i + 1], k[: i + 1], v[: i + 1], kernel)
        assert np.array_equal(together.o[i].view(np.uint32), alone.o[0].view(np.uint32))


def test_nans_stay_in_their_row() -> None:
    rng = np.random.default_rng(8)
    q, k, v = (encode(rng.normal(0, 1, (40, 32)).astype(np.float32), "e4m3fn") for _ in range(3))
    plain = system.attention(q, k, v, system.Kernel(32))
    q[3, 5] = 0x7F
    found = system.attention(q, k, v, system.Kernel(32))
    assert np.isnan(found.o[3]).all()
    assert found.lse[3] == -np.inf  # a sum that is NaN counts as none
    assert np.array_equal(np.delete(found.o, 3, 0), np.delete(plain.o, 3, 0))


def test_scales_enter_where_the_kernel_has_them() -> None:
    rng = np.random.default_rng(6)
    q, k, v = (encode(rng.normal(0, 1, (40, 32)).astype(np.float32), "e4m3fn") for _ in range(3))
    plain = system.attention(q, k, v, system.Kernel(32), softmax_scale=0.5)
    split = system.attention(q, k, v, system.Kernel(32), softmax_scale=0.125, q_scale=2.0, k_scale=2.0, v_scale=4.0)
    assert np.array_equal(split.o, 4 * plain.o)  # powers of two: exact


@pytest.mark.usefixtures("binary32")
def test_exp2_is_correctly_rounded() -> None:
    rng = np.random.default_rng(7)
    x = np.concatenate([-rng.exponential(20, 3000), -rng.random(2000), [0, -126, -126.5, -np.inf, 1e-30, 127.9, 128]])
    x = x.astype(np.float32)
    want = [gmpy2.exp2(gmpy2.mpfr(float(e))) for e in x]
    flushed = [0.0 if y < 2.0**-126 else float(y) for y in want]
    assert system.exp2(x).astype(np.float64).tolist() == flushed


def test_undecided_numbers_are_asked_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.float32([-0.3, -1.7, -20.2])
    before = system.exp2(x)
    monkeypatch.setattr(system, "LIBRARY_ERROR", 2.0**-20)  # now all of them are undecided
    assert system.exp2(x).tolist() == before.tolist()


def test_probabilities_near_a_threshold_are_counted() -> None:
    assert system.unsettled(np.float32([9.5, 9.5 * (1 + 2.0**-21), 10, 0.0]), "e4m3fn") == 1  # 9.5: between 9 and 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q": np.zeros((2, 16), np.uint8)}, "must be"),
        ({"k": np.zeros((0, 32), np.uint8), "v": np.zeros((0, 32), np.uint8)}, "a key at least"),
        ({"v": np.zeros((3, 32), np.uint8)}, "must be"),
        ({"causal": True, "q": np.zeros((9, 32), np.uint8)}, "9 queries have only 4 keys"),
        ({"v_scale": 0.0}, "v_scale is 0.0"),
        ({"q_scale": math.nan}, "q_scale is nan"),
        ({"softmax_scale": 1e300}, "softmax_scale is 1e"),
    ],
)
def test_refusals(change: dict, message: str) -> None:
    given = {"q": np.zeros((2, 32), np.uint8), "k": np.zeros((4, 32), np.uint8), "v": np.zeros((4, 32), np.uint8)}
    with pytest.raises(ValueError, match=message):
        system.attention(**{**given, "kernel": system.Kernel(32), **change})


def test_kernels_that_are_none() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        system.Kernel(48)
    with pytest.raises(ValueError, match="up to 256"):
        system.flash3(257, 1)
    assert [system.flash3(d, 100).tile for d in (64, 96, 128, 192, 256)] == [128, 128, 192, 96, 128]
    assert [system.flash3(d, 100, two_levels=False).tile for d in (64, 96, 128, 192, 256)] == [160, 128, 224, 160, 128]
