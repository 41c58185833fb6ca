"""NVIDIA's host conversions: the adapter, the building of its library, and what the headers answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from adapters.asking import ask, claim, decodes_exactly, disagreements, same_in_every_layout, well_formed

from fp8ref.adapters import Unsupported
from fp8ref.adapters.base import Unavailable
from fp8ref.adapters.cuda.host import CudaHost, _candidates, find_headers
from fp8ref.cases import Operation

NAN = float("nan")
INF = float("inf")
UP = 2**-23  # one ulp of a float32 in [1, 2)
SOURCES = ("f16", "bf16", "f32", "f64")
HEADERS = sorted({str(place.resolve()) for place in _candidates() if (place / "cuda_fp8.h").is_file()})
NO_COMPILER = not any(shutil.which(name) for name in ("g++", "c++", "clang++"))
pytestmark = pytest.mark.skipif(NO_COMPILER, reason="no C++ compiler")


@pytest.fixture(scope="module", params=HEADERS or [""])
def adapter(request: pytest.FixtureRequest) -> CudaHost:
    if not request.param:
        pytest.skip("no CUDA headers: set CUDA_HOME, or install nvidia-cuda-runtime, -crt and -cccl")
    return CudaHost(include=request.param)


@pytest.fixture
def ue5m3(adapter: CudaHost) -> CudaHost:
    if "decode/ue5m3/f16" not in adapter.capabilities():
        pytest.skip(f"the headers of CUDA {adapter.identify()['version']} have no UE5M3")
    return adapter


def test_it_keeps_the_protocol(adapter: CudaHost) -> None:
    well_formed(adapter, "cuda_host")


def test_both_policies_are_claimed_with_what_the_headers_promise(adapter: CudaHost) -> None:
    claims = adapter.capabilities()
    for text in (
        "convert/f32/e4m3fn/rne.sat",
        "convert/f32/e4m3fn/rne.nonsat",
        "convert/f64/e5m2/rne.nonsat;nan=payload",
        "convert/bf16/e3m2fn/rtz.sat;nan=max",
        "convert/f64/e8m0fnu/rtp.nonsat;negative=magnitude",
        "decode/e8m0fnu/bf16",
    ):
        assert text in claims
    assert not any("/f16/e8m0fnu/" in text or "e2m1fn/rne.nonsat" in text for text in claims)


def test_each_claim_names_its_policy_and_its_header(adapter: CudaHost) -> None:
    for prefix, words in (
        ("convert/f32/e4m3fn/rne.sat;", "cuda_fp8.h __NV_SATFINITE"),
        ("convert/f64/e8m0fnu/rtp.nonsat;", "cuda_fp8.h __NV_NOSAT"),
        ("convert/f16/e2m1fn/rtz.sat;", "cuda_fp4.h MAXNORM"),
    ):
        assert all(word in adapter.source(claim(adapter, prefix)) for word in words.split())


# Measured with the headers of CUDA 13.0 and 13.5: numbers, codes under SATFINITE, codes under NOSAT
E4M3 = [
    ([448, 464], [0x7E, 0x7E], [0x7E, 0x7E]),
    ([464 * (1 + UP), 465, 480, 1e6], [0x7E] * 4, [0x7F] * 4),
    ([57344, 61439.9, 61440, 65536], [0x7E] * 4, [0x7F] * 4),
    ([INF, -INF, -465], [0x7E, 0xFE, 0xFE], [0x7F, 0xFF, 0xFF]),
    ([2**-10, 1.0001 * 2**-10, 1.5 * 2**-9, 2.5 * 2**-9], [0, 1, 2, 2], [0, 1, 2, 2]),
    ([0.0, -0.0, NAN, -NAN], [0x00, 0x80, 0x7F, 0x7F], [0x00, 0x80, 0x7F, 0x7F]),
]
E5M2 = [
    ([464 * (1 + UP), 465, 480, 1e6], [0x5F, 0x5F, 0x60, 0x7B], [0x5F, 0x5F, 0x60, 0x7C]),
    ([57344, 61439.9, 61440, 65536], [0x7B] * 4, [0x7B, 0x7B, 0x7C, 0x7C]),
    ([INF, -INF, -465], [0x7B, 0xFB, 0xDF], [0x7C, 0xFC, 0xDF]),
    ([2**-17, 1.0001 * 2**-17, 1.5 * 2**-16], [0, 1, 2], [0, 1, 2]),
    ([NAN, -NAN], [0x7F, 0x7F], [0x7F, 0x7F]),
]


@pytest.mark.parametrize(("result", "rows"), [("e4m3fn", E4M3), ("e5m2", E5M2)])
def test_the_table_of_fp8(adapter: CudaHost, result: str, rows: list[tuple[list[float], list[int], list[int]]]) -> None:
    for values, satfinite, nosat in rows:
        assert ask(adapter, f"convert/f32/{result}/rne.sat;", values) == satfinite
        assert ask(adapter, f"convert/f32/{result}/rne.nonsat;", values) == nosat


def test_only_double_keeps_the_bits_of_a_nan(adapter: CudaHost) -> None:
    nans = np.array([0x7FF8 << 48, 0xFFF8 << 48, 0x7FF4 << 48, 0xFFFC << 48, (0x7FF0 << 48) | 1], np.uint64)
    wanted = {"e4m3fn": [0x7F, 0xFF, 0x7F, 0xFF, 0x7F], "e5m2": [0x7E, 0xFE, 0x7F, 0xFF, 0x7E]}
    for result, codes in wanted.items():
        for policy in ("sat", "nonsat"):
            assert adapter.run(claim(adapter, f"convert/f64/{result}/rne.{policy};"), nans).tolist() == codes


@pytest.mark.parametrize("policy", ["sat", "nonsat"])
@pytest.mark.parametrize("result", ["e4m3fn", "e5m2"])
@pytest.mark.parametrize("source", SOURCES)
def test_fp8(adapter: CudaHost, source: str, result: str, policy: str) -> None:
    assert disagreements(adapter, f"convert/{source}/{result}/rne.{policy};", "rne", policy) == []


@pytest.mark.parametrize("rounding", ["rne", "rtz"])
@pytest.mark.parametrize("result", ["e3m2fn", "e2m3fn", "e2m1fn"])
@pytest.mark.parametrize("source", SOURCES)
def test_fp6_and_fp4(adapter: CudaHost, source: str, result: str, rounding: str) -> None:
    prefix = f"convert/{source}/{result}/{rounding}.sat;"
    assert disagreements(adapter, prefix, rounding, "sat") == []
    largest = 7 if result == "e2m1fn" else 0x1F
    sign = 8 if result == "e2m1fn" else 0x20
    values = [NAN, -NAN, INF, -INF, -0.0]
    assert ask(adapter, prefix, values) == [largest, largest, largest, sign | largest, sign]


TINY = 2.0**-149
ABOVE = 2.0**-127 * (1 + 2**-22)  # the float32 just above 2**-127
E8M0 = [  # rz sat, rz nosat, rp sat, rp nosat
    ([0.0, TINY, 2.0**-128, 2.0**-127], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]),
    ([ABOVE], [0], [0], [1], [1]),
    ([1, 1 + UP, 3, -3], *[[0x7F, 0x7F, 0x80, 0x80]] * 2, *[[0x7F, 0x80, 0x81, 0x81]] * 2),
    ([2.0**127, 1.5 * 2.0**127], [0xFE, 0xFE], [0xFE, 0xFE], [0xFE, 0xFE], [0xFE, 0xFF]),
    ([INF, -INF], [0xFE] * 2, [0xFF] * 2, [0xFE] * 2, [0xFF] * 2),
    ([NAN], [0xFF], [0xFF], [0xFF], [0xFF]),
]
E8M0_MODES = ("rtz.sat", "rtz.nonsat", "rtp.sat", "rtp.nonsat")


@pytest.mark.parametrize("source", ["f32", "f64"])
def test_the_table_of_e8m0(adapter: CudaHost, source: str) -> None:
    for values, *columns in E8M0:
        for mode, codes in zip(E8M0_MODES, columns, strict=True):
            assert ask(adapter, f"convert/{source}/e8m0fnu/{mode};", values) == codes, (mode, values)


@pytest.mark.parametrize("mode", E8M0_MODES)
@pytest.mark.parametrize("source", ["bf16", "f32", "f64"])
def test_e8m0(adapter: CudaHost, source: str, mode: str) -> None:
    rounding, overflow = mode.split(".")
    # an infinity is no rounded value: NOSAT makes it NaN under rz too
    found = disagreements(adapter, f"convert/{source}/e8m0fnu/{mode};", rounding, overflow, magnitude=True)
    assert found == []


@pytest.mark.parametrize("policy", ["sat", "nonsat"])
@pytest.mark.parametrize("rounding", ["rne", "rtz", "rtp"])
@pytest.mark.parametrize("source", SOURCES)
def test_ue5m3(ue5m3: CudaHost, source: str, rounding: str, policy: str) -> None:
    prefix = f"convert/{source}/ue5m3/{rounding}.{policy};"
    assert disagreements(ue5m3, prefix, rounding, policy, magnitude=True) == []
    if source == "f32" and rounding == "rne":  # the tie at 118784 goes to FE
        values = [114688, 118784, 118785, INF, -1, 2**-14]
        over = 0xFE if policy == "sat" else 0xFF
        assert ask(ue5m3, prefix, values) == [0xFE, 0xFE, over, over, 0x78, 0x08]


@pytest.mark.parametrize("source", ["e4m3fn", "e5m2", "e3m2fn", "e2m3fn", "e2m1fn"])
def test_decoding_is_exact(adapter: CudaHost, source: str) -> None:
    assert decodes_exactly(adapter, source, "f16")


def test_decoding_of_scales(adapter: CudaHost) -> None:
    assert decodes_exactly(adapter, "e8m0fnu", "bf16")
    codes = adapter.run(claim(adapter, "decode/e8m0fnu/bf16;"), np.array([0x00, 0x7F, 0xFF], np.uint8))
    assert codes.tolist() == [0x0040, 0x3F80, 0x7FFF]


def test_layouts(adapter: CudaHost) -> None:
    for prefix in ("convert/f32/e4m3fn/rne.sat;", "convert/f64/e5m2/rne.nonsat;", "convert/bf16/e2m1fn/rtz.sat;"):
        same_in_every_layout(adapter, prefix, [0.3, 1, -2, 448, 0, 6, 1e6])


def test_it_declines_what_it_does_not_have(adapter: CudaHost) -> None:
    for text in ("convert/f32/e4m3fn/rtz.sat", "convert/f32/e4m3fn/*", "convert/f32/e4m3fn/rne.sat;flags=1"):
        with pytest.raises(Unsupported):
            adapter.run(Operation.parse(text), np.zeros(1, np.uint32))


# -- finding and building ---------------------------------------------------------------------------------------------
def test_the_library_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: CudaHost) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    CudaHost(include=str(adapter._include))
    first = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert [path.suffix for path in first] == [".so"]
    CudaHost(include=str(adapter._include))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == first
    assert [path.name for path in tmp_path.iterdir()] == ["fp8ref"]


def test_cuda_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "cuda_fp8.h").write_text("")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert find_headers() == tmp_path / "include"


def test_no_headers(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no cuda_fp8\.h in .*: .*pip install nvidia-cuda-runtime"):
        CudaHost(include=str(tmp_path))


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, adapter: CudaHost) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(Unavailable, match=r"no compiler \(no-such-compiler\) on PATH"):
        CudaHost(include=str(adapter._include))


def test_headers_that_do_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cuda_fp8.h").write_text('#include "crt/host_defines.h"\n')
    with pytest.raises(Unavailable, match=r"cannot compile host.cpp .*host_defines\.h.*: install") as caught:
        CudaHost(include=str(tmp_path))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "fp8ref").iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapter: CudaHost) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(Unavailable, match="set XDG_CACHE_HOME"):
        CudaHost(include=str(adapter._include))
