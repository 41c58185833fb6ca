"""Recipes: the survey's digests and edge cases, texts, and the steps in exact arithmetic."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from spec.scaling.recipe_facts import DIGESTS, EDGES, from_bf16

from fp8ref.fast import recipes as fast
from fp8ref.spec.datum import Datum
from fp8ref.spec.scaling.exact import log2, quantize_group
from fp8ref.spec.scaling.named import get_recipe, in_words, named, names_of, short_text
from fp8ref.spec.scaling.recipe import CHOICES, FACTORS, Recipe, sentence

LINES = [line.split() for line in DIGESTS.split("\n") if line]
ROWS = [line.split() for line in EDGES.split("\n") if line]
GROUPS = ((0, 0), (2.0**-149, 0), (1e-30, 0), (1e-9, 0), (3e38, 1), (math.inf, 1), (math.nan, 1))


def length(r: Recipe) -> int:
    """K of the survey's input."""
    return 16 if r.tensor != "none" or r.group == "1x16" else 32 if r.group == "1x32" else 128


def data(r: Recipe) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((4096, length(r))).astype(np.float32)
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def datums(row: np.ndarray) -> list[Datum]:
    return [Datum.of(float(v)) for v in row]


@pytest.mark.parametrize(("name", "codes", "scales"), LINES, ids=[line[0] for line in LINES])
def test_digests_of_the_survey(name: str, codes: str, scales: str) -> None:
    r = get_recipe(name)
    whole = np.float32(3) if r.tensor != "none" else None
    stored, found = fast.quantize(r, data(r), "bf16" if from_bf16(name) else "f32", whole)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:12] == codes
    assert hashlib.sha256(stored.tobytes()).hexdigest()[:12] == scales


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_edges_of_the_survey_in_exact_arithmetic(row: list[str]) -> None:
    name, *cells = row
    r = get_recipe(name)
    source = "bf16" if from_bf16(name) else "f32"
    whole = Datum.finite(3) if r.tensor != "none" else None
    for (v, w), cell in zip(GROUPS, cells, strict=True):
        x = np.zeros(4, np.float32)
        x[:2] = v, w
        if source == "bf16":
            x = x.astype(ml_dtypes.bfloat16).astype(np.float32)
        scale, codes = quantize_group(r, datums(x), source, whole)
        text = f"{scale:08X}" if r.stored == "f32" else f"{scale:02X}"
        assert f"{text}:{codes[0]:02X},{codes[1]:02X}" == cell, (v, w)


def test_a_name_and_its_spelled_out_form_are_one_object() -> None:
    assert get_recipe("vllm-group") is get_recipe("e4m3fn 1x128 floor=a:1e-10 nan=-max")
    assert get_recipe("vllm-group") is get_recipe("e4m3fn,1x128,nan=-max,floor=a:1e-10,power=none")
    for entry in named().values():
        assert get_recipe(str(entry.recipe)) is get_recipe(entry.name)
        assert entry.source


def test_differences_are_told_in_words() -> None:
    r = get_recipe("vllm-group floor=s:1e-12")
    assert in_words(r) == "vllm-group, but the floor is 1e-12 on the scale"
    assert short_text(r) == "vllm-group floor=s:1e-12"
    assert get_recipe(short_text(r)) == r
    assert names_of(get_recipe("sglang-tensor")) == ["vllm-tensor", "sglang-tensor"]


def test_every_choice_has_a_sentence_and_a_default() -> None:
    assert {"element", "group", "floor", *CHOICES} == set(FACTORS)
    default = Recipe("e4m3fn")
    for factor in FACTORS:
        assert sentence(factor, getattr(default, factor))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("vlm-group", "did you mean vllm-group"),
        ("", "begin with a name"),
        ("e4m3fn 1x128 div", "no factor"),
        ("e4m3fn 0x128", "RxC"),
        ("e4m3fn 1x128 scale=dvi", "did you mean div"),
        ("e4m3fn 1x128 scal=div", "did you mean scale"),
        ("e4m3fn 1x128 nan=nan nan=zero", "twice"),
        ("e4m3fn 1x128 floor=1e-10", "a:1e-10"),
        ("e4m3fn 1x128 aim=many", "224"),
        ("e4m3fn 1x128 stored=e8m0fnu", "power of two"),
        ("e2m1fn 1x16 scale=g.te", "needs a multiplier"),
        ("e2m1fn 1x16 tensor=te scale=g.te", "tensor's scale too"),
        ("f16 1x16", "unknown recipe 'f16'"),
        ("vllm-group\n", "ASCII"),
        ("x" * 500, "ASCII"),
        ("floor=a:1", "begin with a name"),
    ],
)
def test_bad_texts_say_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        get_recipe(text)


def test_the_logarithm_is_correctly_rounded() -> None:
    """Values just above powers of two whose logarithm rounds to the power's: 1 above 2^-5 and 2^-8, 5, 22."""
    for e, count in ((-5, 1), (-8, 1), (20, 5), (100, 22)):
        same = 0
        while log2(Datum.finite(Fraction(2) ** e * (1 + Fraction(same + 1, 1 << 23)))).value == e:
            same += 1
        assert same == count
    for x in (3, 5, Fraction(7, 3), Fraction(1, 10), 2**90 + 1):
        assert float(log2(Datum.finite(x)).value) == float(np.float32(math.log2(x)))
    assert log2(Datum.finite(0)) == Datum.infinity(1)
    assert log2(Datum.nan()).is_nan
