"""Recipes on arrays equal the same steps on exact rationals: every named recipe, and every choice of every factor."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest
from short import every

from fp8ref.fast import recipes as fast
from fp8ref.spec.datum import Datum, power_of_two
from fp8ref.spec.scaling import exact
from fp8ref.spec.scaling.named import get_recipe, named
from fp8ref.spec.scaling.recipe import CHOICES, Recipe

DTYPES = {"f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16}
EDGES = (0, 1e-6, 1e-9, 4e-8, 1e-30, 2.0**-149, 2.0**-127, 3e38, 1e4, 448 * 2.0**7, 449, 6.0, 7.0, 5.25, 3.5, 1.0)


def groups(rng: np.random.Generator, n: int, block: int, source: str) -> np.ndarray:
    """Groups of every magnitude; zeros, subnormals, infinities, NaNs, ties of codes."""
    x = rng.standard_normal((n, block)) * 2.0 ** rng.integers(-20, 20, (n, 1))
    x[: n // 3] = np.round(x[: n // 3] * 4) / 4
    for i, edge in enumerate(EDGES):
        x[i % n] = 0 if i % 2 else x[i % n] / max(np.abs(x[i % n]).max(), 1) * edge
        x[i % n, i % block] = -edge if i % 3 else edge
    for i, odd in enumerate((np.inf, -np.inf, np.nan, -np.nan)):
        x[(len(EDGES) + i) % n, (3 * i) % block] = odd
    x[(len(EDGES) + 4) % n] = np.nan
    x[:, 1] *= rng.choice([0.0, -0.0, 1.0], n)
    with np.errstate(all="ignore"):
        return x.astype(DTYPES[source]).astype(np.float32)


def datums(row: np.ndarray) -> list[Datum]:
    return [Datum.of(float(v)) for v in row]


def compare(r: Recipe, source: str, n: int = 24, block: int = 16) -> None:
    rng = np.random.default_rng(7)
    x = groups(rng, n, block, source)
    whole = None
    if r.tensor != "none":
        whole = rng.choice(np.float32([3, 1e-30, 1e30, 0, 1e-3, np.inf, np.nan, 448, 3]), n).astype(np.float32)
    stored, codes = fast.quantize(r, x, source, whole)
    bits = stored.view(np.uint32) if r.stored == "f32" else stored
    for i, row in enumerate(x):
        tensor = None if whole is None else Datum.of(float(whole[i]))
        want = exact.quantize_group(r, datums(row), source, tensor)
        assert (int(bits[i]), codes[i].tolist()) == (want[0], want[1]), (str(r), i, row, tensor)


DETERMINISTIC = [name for name, entry in named().items() if entry.recipe.rounding != "sr-ptx"]


@pytest.mark.parametrize("name", every(3, DETERMINISTIC))
def test_named_recipes_equal_the_specification(name: str) -> None:
    r = get_recipe(name)
    compare(r, "f32")
    compare(r, "bf16" if len(name) % 2 else "f16", n=22, block=16)


def variants() -> Iterator[Recipe]:
    """Every choice of every factor beside some recipe, where it fits."""
    for base in ("vllm-group", "deepep-round", "torchao-mxfp4-even", "te-nvfp4", "te-block-pow2", "modelopt-nvfp4",
                 "hf-fp8-ue8m0", "gguf-mxfp4"):  # fmt: skip
        for factor, choices in CHOICES.items():
            for choice in choices:
                try:
                    r = get_recipe(base).but(**{factor: choice})
                except ValueError:
                    continue
                if r.rounding == "first" and r.format.k > 4:
                    continue  # 254 candidates for every element
                if r.rounding != "sr-ptx" and r != get_recipe(base):
                    yield r


VARIANTS = list(dict.fromkeys(variants()))


def test_some_single_factors_equal_the_specification() -> None:
    for r in VARIANTS[::19]:
        compare(r, "bf16" if "T" in str(r) else "f32", n=21, block=16)


@pytest.mark.full
@pytest.mark.parametrize("i", range(8))
def test_single_factors_equal_the_specification(i: int) -> None:
    for r in VARIANTS[i::8]:
        compare(r, "bf16" if "T" in str(r) else "f32", n=21, block=16)


def test_the_logarithm_beside_powers_of_two() -> None:
    """Where its floor or ceiling hangs on the rounding: every exponent, up to 40 ulps on both sides (some of them)."""
    m = exact.Exact()
    rng = np.random.default_rng(3)
    for e in range(-149, 128):
        center = np.float32(float(power_of_two(e)))
        for d in {*rng.integers(-46, 47, 6).tolist(), -1, 0, 1}:
            bits = int(center.view(np.uint32)) + d
            if not 0 < bits < 0x7F800000:
                continue
            x = np.array([bits], np.uint32).view(np.float32)
            assert float(fast.Vectors().log2(x)[0]) == float(m.log2(Datum.of(float(x[0]))).value), hex(bits)


def test_stored_codes_equal_the_specification() -> None:
    """Scales of every magnitude and beside every boundary of E4M3 and of powers of two."""
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 0x7F800000, 1500).astype(np.uint32)
    small = np.float32(np.concatenate([np.arange(0, 600) / 1024, 2.0 ** np.arange(-20.0, 10), np.arange(200, 470)]))
    near = (small.view(np.uint32)[:, None] + np.arange(-1, 2)).clip(0).astype(np.uint32).ravel()
    x = np.concatenate([bits, near, np.uint32([0x7F800000, 0x7FC00000])]).view(np.float32)
    for how in ("e8m0.rp", "e4m3fn.gguf", "e4m3fn.up", "e4m3fn"):
        with np.errstate(all="ignore"):
            got = fast.Vectors().code(x, how)
        want = [exact.stored_code(Datum.of(float(v)), how) for v in x]
        assert got.tolist() == want, how
