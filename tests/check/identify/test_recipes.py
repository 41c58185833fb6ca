"""Recipes found from the outside: five stacks written from their formulas alone, mutants of one factor and of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest

from fp8ref.adapters.mutants.recipes import DOUBLE, FAKES, RECIPE_MUTANTS, SINGLE, RecipeMutant
from fp8ref.cases.operation import Operation
from fp8ref.cases.scaling.questions import quantiser, scaled_rows
from fp8ref.cases.selection import cases
from fp8ref.check.harness.here import Here
from fp8ref.check.identify.recipes import UNSEEN, Match, find_recipe
from fp8ref.check.judge import Options, judge
from fp8ref.check.run import Request, Run
from fp8ref.check.verdict import Verdict
from fp8ref.fast.recipes import Vectors
from fp8ref.report.runs.text import drawing, remark
from fp8ref.spec.scaling.named import get_recipe, in_words, nearest
from fp8ref.spec.scaling.recipe import Recipe
from fp8ref.spec.scaling.steps import scale_of

FEW_ROWS = True  # see tests/conftest.py
F32 = np.float32
MAX, RECIPROCAL = F32(448), F32(1) / F32(448)


def e4m3(y: np.ndarray) -> np.ndarray:
    """E4M3 codes of binary32 numbers, saturating, by ml_dtypes."""
    codes = np.clip(y, -448, 448).astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
    codes[np.isnan(y)] = 0x7F
    return codes


def amax(x: np.ndarray, least: float) -> np.ndarray:
    """Largest magnitudes without NaNs, at least so much."""
    return np.fmax.reduce(np.abs(x), axis=1, initial=F32(least))


def rows(scale: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.concatenate([scale.astype(F32).view(np.uint8).reshape(-1, 4), codes], axis=1)


def vllm(x: np.ndarray) -> np.ndarray:
    s = amax(x, 1e-10) / MAX
    y = np.fmin(np.fmax(x / s[:, None], -MAX), MAX)
    return rows(s, e4m3(np.where(np.isnan(x / s[:, None]), -MAX, y)))


def sglang(x: np.ndarray) -> np.ndarray:
    a = amax(x, 1e-10)
    return rows(a * RECIPROCAL, e4m3(x * (MAX / a)[:, None]))


def tensorrt_llm(x: np.ndarray) -> np.ndarray:
    a = amax(x, 1e-10)
    q = MAX / a
    return rows(F32(1) / q, e4m3(x * q[:, None]))


def deepseek(x: np.ndarray) -> np.ndarray:
    s = amax(x, 1e-4) / MAX
    return rows(s, e4m3(x / s[:, None]))


def deepep_round(x: np.ndarray) -> np.ndarray:
    s = amax(x, 1e-4) * RECIPROCAL
    bits = s.view(np.uint32)
    byte = ((bits >> 23) & 0xFF) + ((bits & 0x7FFFFF) != 0)
    power = (byte.astype(np.uint32) << 23).view(F32)
    q = ((np.uint32(254) - byte.astype(np.uint32)) << 23).astype(np.uint32).view(F32)
    return rows(power, e4m3(x * q[:, None]))


STACKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "vllm-group": vllm,
    "sglang-group": sglang,
    "trtllm-group": tensorrt_llm,
    "deepseek-v3": deepseek,
    "deepep-round": deepep_round,
}


@dataclass
class Stack:
    """A serving stack's group quantiser, which says nothing of its recipe."""

    answer: Callable[[np.ndarray], np.ndarray]

    def identify(self) -> dict[str, str]:
        return {"name": "stack", "version": "1"}

    def capabilities(self) -> Sequence[str]:
        return ["scale/f32/e4m3fn/*;k=128"]

    def run(self, op: Operation, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.answer(np.ascontiguousarray(x).view(F32))


@pytest.mark.parametrize("name", STACKS)
def test_five_stacks_are_named(name: str) -> None:
    adapter = Stack(STACKS[name])
    report = judge(Here(adapter), Operation.parse(adapter.capabilities()[0]), Options())
    assert (report.verdict, report.failed) == (Verdict.PASS, 0)
    assert report.op == f"scale/f32/e4m3fn/{name};k=128"
    assert name in report.profiles
    assert name in remark(report)


QUANTISERS = {name: mutant for name, mutant in RECIPE_MUTANTS.items() if name not in FAKES}


def found(mutant: RecipeMutant) -> str:
    """What the search says of a mutant's answers to level 1, a third of them; see :func:`matching`."""
    return matching(mutant).text


def matching(mutant: RecipeMutant) -> Match:
    """The recipe that is found, which gives every bit."""
    op = Operation.parse(mutant.claim.format("*"))
    asked = [codes[::3] for codes in cases(op.with_mode(quantiser(op).rules[0]), 1, 0)]
    got = mutant.run(op, *asked)
    match = find_recipe(op, asked, got)
    assert match.wrong == 0, (mutant, match)
    assert np.array_equal(scaled_rows(op.with_mode(match.mode), asked), got)
    return match


def test_there_are_sixty_mutants_of_one_factor() -> None:
    assert len(SINGLE) >= 60
    assert len(QUANTISERS) == len(SINGLE) + len(DOUBLE)
    assert all(mutant.recipe != get_recipe(mutant.base) for mutant in QUANTISERS.values())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[] if i % 12 == 1 and i < len(SINGLE) else pytest.mark.full)
        for i, n in enumerate(QUANTISERS)
    ],
)
def test_mutants_are_found_by_their_factors(name: str) -> None:
    """One factor by one clause, two by both; another description only of the same function, and as simple."""
    mutant = RECIPE_MUTANTS[name]
    match = matching(mutant)
    if match.text != in_words(mutant.recipe):
        _, factors = nearest(match.recipe, UNSEEN)
        assert len(factors) == len(mutant.factors), match.text
        assert one_function(match.recipe, mutant.recipe), match.text


def one_function(r: Recipe, s: Recipe) -> bool:
    """Do two recipes give the same bits for every group?

    All factors that matter are equal but the steps from the largest magnitude to the exponent byte, and those make
    larger bytes of larger magnitudes: the recipes are equal if they are at the first and the last magnitude of every
    byte of either, at infinity and at NaN.
    """
    if r.stored != "e8m0fnu" or set(r.differences(s)) - {*UNSEEN, "power", "limits"}:
        return False
    ends = [bits for recipe in (r, s) for bits in byte_ends(recipe)]
    a = np.array([0, 1, *ends, 0x7F800000, 0x7FC00000], np.uint32).view(F32)
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(scales(r, a), scales(s, a)))


def scales(r: Recipe, a: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of largest magnitudes: stored bytes, what elements meet, whether it divides, which groups become zeros."""
    with np.errstate(all="ignore"):
        found = scale_of(r, Vectors(), a, "f32")
    blank = False if found.blank is None else found.blank
    return tuple(np.broadcast_to(part, a.shape) for part in (found.stored, found.factor, found.divide, blank))


def byte_ends(r: Recipe) -> np.ndarray:
    """The last magnitude, as bits, of each exponent byte, and the first of the next: by halving, for all bytes."""
    bytes_ = np.arange(255)
    low, high = np.zeros(255, np.int64), np.full(255, 0x7F800001, np.int64)  # byte(low) <= b < byte(high)
    while (high - low > 1).any():
        middle = (low + high) // 2
        above = scales(r, np.minimum(middle, 0x7F800000).astype(np.uint32).view(F32))[0] > bytes_
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.minimum(np.concatenate([low, high]), 0x7F800000)


def test_descriptions_that_are_one_function() -> None:
    """An infinity has the byte 253 before any limit: limits of 254 and of 255 never differ there; logarithms do."""
    exact = get_recipe("vllm-mxfp4 small=exact")
    assert one_function(exact, get_recipe("aiter-mxfp4 power=even"))
    assert not one_function(exact, get_recipe("aiter-mxfp4"))
    assert not one_function(exact, get_recipe("vllm-mxfp4 small=exact amax=keep"))
    assert not one_function(exact, get_recipe("vllm-mxfp4 small=exact power=even1 limits=0-254"))
    assert not one_function(exact, get_recipe("vllm-mxfp4 small=exact limits=1-254"))


def test_two_factors_are_both_named() -> None:
    mutant = RecipeMutant("vllm-group", {"floor": "a:1e-8", "elements": "direct"})
    told = found(mutant)
    assert told == ("vllm-group, but the floor is 1e-8 on the largest magnitude and elements are multiplied by max / a")


@pytest.mark.parametrize("name", ["recipe-vllm-group-floor-s-1e-12", "recipe-te-nvfp4-rounding-down",
                                  "recipe-torchao-mxfp8-floor-small-exact"])  # fmt: skip
def test_a_claimed_recipe_is_diagnosed_by_the_factor_that_differs(name: str) -> None:
    mutant = RECIPE_MUTANTS[name]
    ((factor, choice),) = mutant.factors.items()
    report = judge(Here(mutant), Operation.parse(mutant.capabilities()[0]), Options())
    assert report.verdict is Verdict.FAIL
    (finding,) = report.findings
    assert finding.diagnosis.rule == f"recipe-{factor}-{choice}"
    assert "want" in drawing(finding, f"mini:{name}")


def test_from_the_command_line() -> None:
    with Run(Request("mini:recipe-model,recipe=sglang-group floor=a:1e-12")) as run:
        (report,) = run.reports()
    assert report.verdict is Verdict.PASS
    assert report.op == "scale/f32/e4m3fn/sglang-group,floor=a:1e-12;k=128;scale=f32"
    assert report.profiles == ("sglang-group, but the floor is 1e-12 on the largest magnitude",)


def test_a_free_recipe_of_two_levels_and_of_bytes() -> None:
    for recipe, claim in (("te-nvfp4", "scale/f32.f32/e2m1fn/*;k=16"), ("gguf-mxfp4", "scale/f32/e2m1fn/*;k=32"),
                          ("te-mxfp8", "scale/f32/e4m3fn/*;k=32;scale=e8m0fnu")):  # fmt: skip
        mutant = RecipeMutant(recipe, {}, claim.replace("*", "{}"), "*")
        report = judge(Here(mutant), Operation.parse(claim), Options())
        assert (report.verdict, report.op) == (Verdict.PASS, claim.replace("*", recipe))


@pytest.mark.usefixtures("all_cases")
def test_what_is_no_recipe_has_a_nearest_one() -> None:
    op = Operation.parse("scale/f32/e4m3fn/*;k=16")
    asked = [codes[::40] for codes in cases(op.with_mode("vllm-group"), 1, 0)]
    got = RecipeMutant("vllm-group", {}).run(op, *asked)
    got[: len(got) // 2, 7] ^= 1
    match = find_recipe(op, asked, got)
    assert match.recipe == get_recipe("vllm-group")
    assert match.wrong == len(got) // 2
    assert match.names == ()
