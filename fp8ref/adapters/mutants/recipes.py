"""Mutants of recipes: a recipe in use with a factor changed, or two, to judge how recipes are judged.

``fp8ref check --impl mini:recipe-floor-scale`` must fail and name the factor; ``mini:recipe-model,recipe=TEXT`` answers
by any recipe and claims any (``claim=*``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ml_dtypes import bfloat16

from ...cases.operation import Operation
from ...cases.scaling.questions import quantiser, values
from ...cases.scaling.recipes import FakeQuantiser, rows_of, with_element
from ...fast.values import fake_quantize
from ...spec.scaling.named import get_recipe
from ...spec.scaling.recipe import Recipe
from ..base import Codes

GROUP, MX8, MX4, FP4 = (
    "scale/f32/e4m3fn/{};k=128",
    "scale/f32/e4m3fn/{};k=32;scale=e8m0fnu",
    "scale/f32/e2m1fn/{};k=32",
    "scale/f32.f32/e2m1fn/{};k=16",
)
BF16 = "scale/bf16/e4m3fn/{};k=128"


@dataclass
class RecipeMutant:
    """``base``: the recipe that is claimed, ``factors``: what is changed in it, ``claim``: in which operation."""

    base: str
    factors: Mapping[str, str]
    claim: str = GROUP
    asked: str = ""  # claimed instead of the base
    name: str = ""

    @property
    def recipe(self) -> Recipe:
        return get_recipe(get_recipe(self.base).but(**self.factors))

    def identify(self) -> Mapping[str, str]:
        return {"name": f"mini:{self.name}", "version": "1", "device": "cpu"}

    def capabilities(self) -> Sequence[str]:
        return [self.claim.format(self.asked or self.base)]

    def run(self, op: Operation, *operands: Codes) -> Codes:
        x, whole = values(op, operands)
        return rows_of(with_element(str(self.recipe), op.result), x, op.operands[0], whole)


def _mutants(claim: str, *lines: tuple[str, str]) -> list[RecipeMutant]:
    return [RecipeMutant(base, dict(word.split("=") for word in words.split()), claim) for base, words in lines]


# one factor each: (recipe, factor=choice)
SINGLE = (
    *_mutants(
        GROUP,
        ("vllm-group", "floor=s:1e-12"), ("vllm-group", "floor=a:1e-6"), ("vllm-group", "floor=none"),
        ("vllm-group", "scale=rdiv"), ("vllm-group", "scale=rmul"), ("vllm-group", "amax=keep"),
        ("vllm-group", "amax=signed"), ("vllm-group", "elements=direct"), ("vllm-group", "elements=rdirect"),
        ("vllm-group", "nan=zero"), ("vllm-group", "aim=240"), ("vllm-group", "power=floor"),
        ("vllm-group", "power=up"), ("vllm-group", "rounding=rtz"), ("vllm-group", "rounding=rna"),
        ("vllm-group", "zeros=none"), ("vllm-group", "zeros=plus"), ("vllm-group", "elements=mul"),
        ("vllm-group", "scale_in=bf16"), ("vllm-group", "elements_in=bf16"), ("vllm-group-ue8m0", "power=log2.floor"),
        ("vllm-group-ue8m0", "power=log2.round"), ("vllm-group-ue8m0", "floor=a:1e-4"),
        ("sglang-group", "nan=+max"), ("sglang-group", "floor=a:1e-8"), ("sglang-group", "scale_in=bf16"),
        ("deepgemm-ue8m0", "nan_scale=nan"), ("deepgemm-ue8m0", "power=log2.ceil"),
        ("deepep-round", "power=floor"), ("te-block", "cap=none"), ("te-block", "zero=positive"),
        ("te-block", "zero=none"), ("te-block-pow2", "power=q.log2"), ("torchao-tensor", "floor=a:1e-10"),
        ("hf-fp8", "zero=finite"), ("ct-fp8-bf16", "zero=none"),
        ("ct-fp8-bf16", "zero=2^-23"), ("vllm-token", "floor=s:1e-12"),
    ),
    *_mutants(
        MX8,
        ("te-mxfp8", "power=up"), ("te-mxfp8", "amax=keep"), ("te-mxfp8", "rounding=rtz"), ("te-mxfp8", "small=one"),
        ("torchao-mxfp8-floor", "small=exact"), ("torchao-mxfp8-even", "power=even1"),
        ("torchao-mxfp8-rceil", "small=exact"), ("torchao-mxfp8-floor", "overflow=nonsat"),
    ),
    *_mutants(
        MX4,
        ("torchao-mxfp4-even", "rounding=down"), ("torchao-mxfp4-even", "power=log2.ceil"),
        ("vllm-mxfp4", "small=exact"),
        ("vllm-mxfp4", "zeros=none"), ("gguf-mxfp4", "limits=0-254"), ("modelopt-mxfp4", "zeros=keep"),
    ),
    *_mutants(
        FP4,
        ("te-nvfp4", "scale=g.mul"), ("te-nvfp4", "cap=none"), ("te-nvfp4", "rounding=down"),
        ("torchao-nvfp4", "floor=s:2^-9"), ("ct-nvfp4", "zero=none"), ("modelopt-nvfp4", "scale=p.div"),
        ("modelopt-nvfp4", "zeros=keep"), ("vllm-nvfp4", "small=exact"),
    ),
)  # fmt: skip
DOUBLE = (
    *_mutants(GROUP, ("vllm-group", "floor=a:1e-8 elements=direct"), ("sglang-group", "floor=a:1e-12 nan=zero"),
              ("deepgemm-ue8m0", "rounding=rtz floor=a:1e-6")),
    *_mutants(FP4, ("te-nvfp4", "rounding=down cap=none")),
)  # fmt: skip


FAKE = "fake/f32/e4m3fn/{};k=128"
Change = Callable[[Any, Any], Any]


@dataclass
class FakeMutant(RecipeMutant):
    """A fake quantiser, whose values are changed: ``change(values, x)``."""

    change: Change | None = None

    def run(self, op: Operation, *operands: Codes) -> Codes:
        x, whole = values(op, operands)
        q = quantiser(op)
        assert isinstance(q, FakeQuantiser)
        r = with_element(str(self.recipe), op.result)
        found = fake_quantize(r, x, op.operands[0], None if r.tensor == "none" else whole)
        with np.errstate(all="ignore"):
            return q.bytes_of(np.asarray(found if self.change is None else self.change(found, x), np.float32))


def _off_grid(v: Any, x: Any) -> Any:
    """Values next to the right ones, for a few."""
    return np.where(np.arange(v.shape[1]) == 3, np.nextafter(v, np.float32(np.inf)), v)


FAKES = {
    "fake-correct": FakeMutant("vllm-group", {}, FAKE),
    "fake-not-rounded": FakeMutant(
        "vllm-group", {}, FAKE,
        change=lambda v, x: np.where(np.isnan(v) | np.isnan(x), v, np.clip(x, -(top := _top(v)), top)),
    ),
    "fake-via-bf16": FakeMutant("vllm-group", {}, FAKE, change=lambda v, x: v.astype(bfloat16).astype(np.float32)),
    "fake-zero-sign-lost": FakeMutant("vllm-group", {}, FAKE, change=lambda v, x: v + np.float32(0)),
    "fake-nan-zero": FakeMutant("vllm-group", {}, FAKE, change=lambda v, x: np.where(np.isnan(x), 0, v)),
    "fake-nan-kept": FakeMutant("vllm-group", {}, FAKE, change=lambda v, x: np.where(np.isnan(x), x, v)),
    "fake-off-grid": FakeMutant("vllm-group", {}, FAKE, change=_off_grid),
    "fake-other-floor": FakeMutant("vllm-group", {"floor": "a:1e-6"}, FAKE),
    "fake-undone-by-multiplier": FakeMutant("sglang-group", {"values": "undo"}, FAKE),
    "fake-nvfp4-joint": FakeMutant("te-nvfp4", {"values": "joint"}, "fake/f32.f32/e2m1fn/{};k=16"),
}  # fmt: skip


def _top(v: Any) -> Any:
    return np.nanmax(np.abs(v), axis=1, initial=0, keepdims=True)


def _names() -> dict[str, RecipeMutant]:
    found: dict[str, RecipeMutant] = {}
    for mutant in (*SINGLE, *DOUBLE):
        words = "-".join(f"{factor}-{choice}" for factor, choice in mutant.factors.items())
        name = f"recipe-{mutant.base}-{words}".replace(":", "-").replace("+", "-").replace("^", "")
        found[name] = replace(mutant, name=name)
    return found


RECIPE_MUTANTS = _names()


def connect(name: str, recipe: str = "vllm-group", claim: str = "*", source: str = "f32", k: str = "") -> RecipeMutant:
    """The mutant of a name; ``recipe-model`` is any recipe.  Raises ValueError for any other."""
    if name == "recipe-model":
        r = get_recipe(recipe)
        operands = f"{source}.f32" if r.tensor != "none" else source
        k = k or str(r.shape[0] * r.shape[1] or 128)
        asked = f"scale/{operands}/{r.element}/{{}};k={k}" + f";scale={r.stored.partition('.')[0]}"
        return RecipeMutant(recipe, {}, asked, claim.replace(" ", ","), f"{name} {recipe}")
    if name in FAKES:
        return replace(FAKES[name], name=name)
    if name not in RECIPE_MUTANTS:
        raise ValueError(f"unknown mutant {name!r:.80}; choose from {', '.join((*RECIPE_MUTANTS, *FAKES))}")
    return RECIPE_MUTANTS[name]
