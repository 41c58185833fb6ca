"""The JAX adapter on CPU: its claims, its answers and the layouts it is handed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from adapters.asking import ask, claim, decodes_exactly, disagreements, same_in_every_layout, well_formed

from fp8ref.adapters import Unsupported
from fp8ref.adapters.base import Unavailable
from fp8ref.adapters.libraries.jax import Jax
from fp8ref.cases import Operation

jax = pytest.importorskip("jax", reason="jax is not installed")

NAN = float("nan")
INF = float("inf")
OVERFLOWS = {
    **dict.fromkeys(("e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz"), "nonsat"),
    "e2m1fn": "sat",
}
seen = pytest.mark.skipif(jax.__version__ != "0.10.2", reason="observed with jax 0.10.2 only")


@pytest.fixture(scope="module")
def adapter() -> Jax:
    return Jax()


def test_it_keeps_the_protocol(adapter: Jax) -> None:
    well_formed(adapter, "jax")


def test_no_mode_is_promised(adapter: Jax) -> None:
    assert {Operation.parse(c).mode for c in adapter.capabilities() if c.startswith("convert/")} == {"*"}


@seen
@pytest.mark.parametrize("result", OVERFLOWS)
@pytest.mark.parametrize("source", ["f16", "bf16", "f32", "f64"])
def test_to_nearest_even_with_one_rounding(adapter: Jax, source: str, result: str) -> None:
    assert disagreements(adapter, f"convert/{source}/{result}/", "rne", OVERFLOWS[result]) == []


@seen
def test_special_codes(adapter: Jax) -> None:
    assert ask(adapter, "convert/f32/e4m3fn/", [464, 465, INF, -INF, -0.0]) == [0x7E, 0x7F, 0x7F, 0xFF, 0x80]
    assert ask(adapter, "convert/f32/e5m2/", [61439, 61440, -INF]) == [0x7B, 0x7C, 0xFC]
    assert ask(adapter, "convert/f64/e4m3fn/", [1.0625 * (1 + 2**-40), 1e300]) == [0x39, 0x7F]
    assert ask(adapter, "convert/f32/e8m0fnu/", [1, 1.5, 3, 0, -1, INF, NAN]) == [0x7F, 0x80, 0x81, *[0xFF] * 4]


@pytest.mark.parametrize("source", OVERFLOWS)
def test_decoding_is_exact(adapter: Jax, source: str) -> None:
    assert decodes_exactly(adapter, source, "f32")


@pytest.mark.parametrize("source", ["i8", "u16", "i64", "u64"])
def test_integers(adapter: Jax, source: str) -> None:
    dtype = np.dtype(f"{'u' if source[0] == 'u' else ''}int{source[1:]}")
    op = claim(adapter, f"convert/{source}/e4m3fn/")
    assert adapter.run(op, np.array([0, 1, 17, 18, 100, 127], dtype)).tolist() == [0, 0x38, 0x58, 0x59, 0x6C, 0x70]


@pytest.mark.parametrize("prefix", ["convert/f32/e4m3fn/", "convert/f64/e5m2/"])
def test_layouts(adapter: Jax, prefix: str) -> None:
    same_in_every_layout(adapter, prefix, [0.3, 1, -2, 448, 0, 6, 1e300])


def test_it_leaves_jaxs_settings_alone(adapter: Jax) -> None:
    before = jax.config.jax_enable_x64, jax.config.jax_default_device
    ask(adapter, "convert/f64/e4m3fn/", [1.0])
    assert (jax.config.jax_enable_x64, jax.config.jax_default_device) == before


def test_it_declines_what_it_does_not_have(adapter: Jax) -> None:
    for text in ("convert/f32/e2m3fn/*", "convert/f32/e4m3fn/*;flags=1"):
        with pytest.raises(Unsupported):
            adapter.run(Operation.parse(text), np.zeros(1, np.uint32))


def test_without_jax_it_says_what_would_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(Unavailable, match=r"jax cannot be imported .*: pip install jax"):
        Jax()


def test_arrays_of_every_length_are_answered_in_full(adapter: Jax) -> None:
    x = (np.arange(70, dtype=np.uint32) + 120 << 23).astype(np.uint32)  # powers of two
    op = claim(adapter, "convert/f32/e5m2/")
    whole = adapter.run(op, x)
    for n in (*range(19), 32, 34, 64, 66):
        np.testing.assert_array_equal(adapter.run(op, x[:n]), whole[:n])
        np.testing.assert_array_equal(adapter.run(op, x[::-1][:n]), whole[::-1][:n])
