"""The PyTorch adapter on CPU: its claims by version, its answers and the layouts it is handed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from adapters.asking import ask, claim, codes_of, decodes_exactly, disagreements, same_in_every_layout, well_formed

from fp8ref.adapters import Unsupported
from fp8ref.adapters.base import Unavailable
from fp8ref.adapters.libraries.torch import Torch
from fp8ref.cases import Operation

torch = pytest.importorskip("torch", reason="torch is not installed")

RELEASE = tuple(int(part) for part in torch.__version__.split(".")[:2])
SATURATES = RELEASE >= (2, 13)  # E4M3 only [pytorch/pytorch pull request 178817]
NAN = float("nan")
INF = float("inf")
OVERFLOWS = {
    "e4m3fn": "sat" if SATURATES else "nonsat",
    "e5m2": "nonsat",
    "e4m3fnuz": "nonsat",
    "e5m2fnuz": "nonsat",
}
seen = pytest.mark.skipif(RELEASE != (2, 13), reason="observed with torch 2.13 only")


@pytest.fixture(scope="module")
def adapter() -> Torch:
    return Torch()


def test_it_keeps_the_protocol(adapter: Torch) -> None:
    well_formed(adapter, "torch")


def test_only_what_the_headers_say_is_promised(adapter: Torch) -> None:
    promised = {c.split(";")[0] for c in adapter.capabilities() if c.startswith("convert/") and "/*" not in c}
    wanted = {f"convert/{source}/e8m0fnu/rna.nonsat" for source in ("f16", "bf16", "f32")}
    if SATURATES:
        wanted |= {f"convert/{source}/e4m3fn/rne.sat" for source in ("f16", "bf16", "f32")}
    assert promised == wanted


@pytest.mark.parametrize(("version", "mode"), [("2.12.1", "*"), ("2.13.0+cpu", "rne.sat"), ("3.0.0", "rne.sat")])
def test_the_claim_follows_the_version(monkeypatch: pytest.MonkeyPatch, version: str, mode: str) -> None:
    monkeypatch.setattr(torch, "__version__", version)
    assert claim(Torch(), "convert/f32/e4m3fn/").mode == mode


@pytest.mark.parametrize("result", OVERFLOWS)
@pytest.mark.parametrize("source", ["f16", "bf16", "f32"])
def test_to_nearest_even(adapter: Torch, source: str, result: str) -> None:
    assert disagreements(adapter, f"convert/{source}/{result}/", "rne", OVERFLOWS[result]) == []


def test_to_nearest_power_of_two(adapter: Torch) -> None:
    # above 1.5 * 2**-127 only: below, 2.13 takes code 0 for zero
    found = disagreements(adapter, "convert/f32/e8m0fnu/", "rna", "nonsat", keep=lambda x: x >= 1.5 * 2**-127)
    assert found == []


@pytest.mark.parametrize(
    ("result", "values", "codes"),
    [
        pytest.param(
            "e4m3fn",
            [464, 465, 480, INF, -INF, NAN, -NAN],
            [0x7E, 0x7E, 0x7E, 0x7E, 0xFE, 0x7F, 0xFF] if SATURATES else [0x7E, 0x7F, 0x7F, 0x7F, 0xFF, 0x7F, 0xFF],
        ),
        ("e5m2", [61439, 61440, INF, -INF, NAN, -NAN], [0x7B, 0x7C, 0x7C, 0xFC, 0x7F, 0xFF]),
        ("e4m3fnuz", [247, 248, -INF, NAN, -0.0], [0x7F, 0x80, 0x80, 0x80, 0x00]),
        ("e5m2fnuz", [61439, 61440, INF, NAN], [0x7F, 0x80, 0x80, 0x80]),
        ("e8m0fnu", [1, 1.5, 3, 2**-127, 2**-149, 0, INF, NAN], [0x7F, 0x80, 0x81, 0x00, 0x00, 0x00, 0xFF, 0xFF]),
    ],
)
def test_special_codes(adapter: Torch, result: str, values: list[float], codes: list[int]) -> None:
    assert ask(adapter, f"convert/f32/{result}/", values) == codes


@seen
def test_faults_are_passed_on(adapter: Torch) -> None:
    assert ask(adapter, "convert/f64/e4m3fn/", [1.0625 * (1 + 2**-40)]) == [0x38]  # directly 39
    assert ask(adapter, "convert/f32/e8m0fnu/", [1.25 * 2**-127, -1]) == [0x01, 0x7F]


@pytest.mark.parametrize("source", [*OVERFLOWS, "e8m0fnu"])
def test_decoding_is_exact(adapter: Torch, source: str) -> None:
    assert decodes_exactly(adapter, source, "f32")
    assert decodes_exactly(adapter, source, "bf16")


@pytest.mark.parametrize("source", ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"])
def test_integers(adapter: Torch, source: str) -> None:
    dtype = np.dtype(f"{'u' if source[0] == 'u' else ''}int{source[1:]}")
    op = claim(adapter, f"convert/{source}/e4m3fn/")
    assert adapter.run(op, np.array([0, 1, 17, 18, 100, 127], dtype)).tolist() == [0, 0x38, 0x58, 0x59, 0x6C, 0x70]


@pytest.mark.parametrize("prefix", ["convert/f32/e4m3fn/", "convert/bf16/e5m2/", "convert/f64/e5m2/"])
def test_layouts(adapter: Torch, prefix: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same_in_every_layout(adapter, prefix, [0.3, 1, -2, 448, 0, 6, 1e300] * 20)


def test_strided_and_read_only_memory_is_not_copied(adapter: Torch) -> None:
    x = codes_of([1, 2, 3, 4, 5, 6], "f32")
    x.setflags(write=False)
    for view in (x, x[1:], x[::2], x.reshape(2, 3).T):
        assert np.shares_memory(adapter._tensor(view).numpy(), x)
        assert adapter._tensor(view).stride() == tuple(step // x.itemsize for step in view.strides)


def test_it_declines_what_it_does_not_have(adapter: Torch) -> None:
    x = np.zeros(1, np.uint32)
    texts = ["convert/f32/e3m4/*", "convert/f32/e8m0fnu/rtz.nonsat", "convert/f32/e5m2/*;flags=1"]
    for text in texts:
        with pytest.raises(Unsupported):
            adapter.run(Operation.parse(text), x)


def test_a_missing_device_is_one_clear_line() -> None:
    with pytest.raises(Unavailable, match=r"torch has no device 'nonsense' here \(.*\): try device=cpu"):
        Torch(device="nonsense")
