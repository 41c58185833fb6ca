"""Bins: recomputed from exact fractions, reached or explained, never reached where they are said to be impossible."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from vectors.oracle import table, wide
from vectors.plain_reader import Case, read_jsonl

from fp8ref.cases.operation import Operation
from fp8ref.cases.tuples import every, total_width
from fp8ref.vectors.coverage.bins import Coverage, bins_of, points_of
from fp8ref.vectors.generate import Recipe, answered, generate
from fp8ref.vectors.section import NONE, Section

ROOT = Path(__file__).parents[3] / "vectors"


def class_of(magnitude_code: int, t: int, top: int) -> str:
    first = 1 << t
    for code, name in ((0, "zero"), (1, "minsub"), (first - 1, "maxsub"), (first, "minnorm"), (top, "maxnorm")):
        if magnitude_code == code:
            return name
    return "sub" if magnitude_code < first else "norm"


def expected_bins(case: Case, result: str) -> dict[str, str]:
    """The bins of a conversion from binary32 to E4M3 or E5M2, from the words of flags.json alone."""
    t, f = {"e4m3fn": 3, "e5m2": 2}[result], table(result)
    kind, sign, value, signalling = wide(case.operands[0][0], "f32")
    s, z = "+-"[sign], case.result[0]
    found = {}
    if kind == "nan":
        found["from"] = "snan" if signalling else "qnan"
    else:
        found["from"] = s + (
            "inf" if kind == "infinite" else class_of(case.operands[0][0] & 0x7FFFFFFF, 23, 0x7F7FFFFF)
        )
    if z in f.nans:
        found["to"] = "qnan"
    else:
        found["to"] = "+-"[z >> 7] + ("inf" if z & 0x7F == f.infinity else class_of(z & 0x7F, t, f.top))
    if not value:
        return found
    x = abs(value)
    codes = f.ladder
    down = bisect_right(codes, x, hi=f.top + 2) - 1
    here, following = codes[down], f.magnitude(down + 1)
    part = (x - here) / (following - here)  # of an ulp; beyond the first overflow it may exceed 1
    if down <= f.top:
        eighths = int(part * 8)
        sticky = part * 8 != eighths
        found["grs"] = f"{(eighths & 6) | (eighths & 1 or sticky):03b}.{down & 1}"
        found["mid"] = s + ("exact" if part == 0 else "below" if 2 * part < 1 else "tie" if 2 * part == 1 else "above")
        up = z & 0x7F == down + 1
        if up and down + 1 <= f.top and (down + 1) % (1 << t) == 0:
            found["carry"] = "normal" if down + 1 == 1 << t else "binade"
    ulp = codes[f.top] - codes[f.top - 1]
    over = (x - codes[f.top]) / ulp
    if over >= 0:
        half = Fraction(1, 2)
        names = {"max": over == 0, "<half": 0 < over < half, "half": over == half, ">half": half < over < 1,
                 "first": over == 1, "beyond": over > 1}  # fmt: skip
        found["limit"] = s + next(name for name, holds in names.items() if holds)
    unit = x / codes[1]
    if 0 < unit < 1 or unit == Fraction(3, 2):
        found["minsub"] = s + ("<1/2" if 2 * unit < 1 else "1/2" if 2 * unit == 1 else ">1/2" if unit < 1 else "3/2")
    if codes[(1 << t) - 1] < x < codes[1 << t] and case.bins.get("tiny"):
        found["tiny"] = case.bins["tiny"]  # compared by flags in test_core_answers
    return found


@pytest.mark.parametrize("result", ["e4m3fn", "e5m2"])
def test_every_tag_of_a_conversion_is_right(result: str) -> None:
    for part in read_jsonl(ROOT / "convert" / f"f32_to_{result}.jsonl.gz"):
        for case in part.cases:
            assert case.bins == expected_bins(case, result), (part.operation, case)


SHIPPED = sorted(
    path for folder in ("convert", "arithmetic", "dot", "scale") for path in (ROOT / folder).glob("*.jsonl.gz")
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name.partition(".")[0])
def test_every_bin_has_its_cases_or_a_reason(path: Path) -> None:
    """8 cases, or all that there can be, in every bin that a case can be in."""
    for part in read_jsonl(path):
        op = Operation.parse(part.operation)
        complete = total_width(op) <= 16 and op.family not in ("dot", "scale")
        hits: Counter[str] = Counter(f"{k}={v}" for case in part.cases for k, v in case.bins.items())
        for point in points_of(op):
            for value, name in zip(point.coverpoint.values, point.coverpoint.bins):
                assert not (value in point.missing and hits[name]), f"{name}: {point.missing[value]}"
                assert hits[name] <= point.room.get(value, np.inf), f"{part.operation} {name}"
                if value not in point.missing and not complete:
                    assert hits[name] >= min(8, point.room.get(value, 8)), f"{part.operation} {name}"


ALONE = {  # classes of results that exact numbers alone give, and how many of them there are, worked out by hand
    "convert/f32/e4m3fn/rtp.sat": {"+zero": 1},
    "convert/f32/e4m3fn/rtn.sat": {"-zero": 1},
    "convert/f32/e4m3fn/rne.sat": {},
    "convert/f32/e5m2/rtz.nonsat": {"+inf": 1, "-inf": 1},  # overflow gives the largest finite value
    "convert/f32/e5m2/rto.nonsat": dict.fromkeys(  # codes that end in 0 are never rounded to
        ("+zero", "-zero", "+sub", "-sub", "+minnorm", "-minnorm", "+inf", "-inf"), 1
    ),
    "convert/f32/e4m3fnuz/rtn.sat": {},  # its one zero comes from small positive numbers, too
}


@pytest.mark.parametrize("text", ALONE)
def test_results_that_rounding_never_gives_are_known(text: str) -> None:
    (point,) = (p for p in points_of(Operation.parse(text)) if p.coverpoint.name == "to")
    assert {k: int(v) for k, v in point.room.items()} == ALONE[text]


SMALL = [
    "convert/f16/e4m3fn/rne.sat", "convert/f16/e5m2/rtz.nonsat", "convert/bf16/e8m0fnu/rtp.sat",
    "convert/bf16/e2m1fn/rto.sat", "convert/i16/e4m3fn/rne.nonsat", "convert/e4m3fn/e5m2/rtn.nonsat",
    "add/e4m3fn.e4m3fn/e4m3fn/rne.sat", "add/e5m2.e5m2/e5m2/rtn.nonsat", "sub/e4m3fnuz.e4m3fnuz/e4m3fnuz/rna.sat",
    "add/e4m3fn.e5m2/f16/rne.nonsat", "mul/e4m3fn.e4m3fn/e4m3fn/rtz.sat", "mul/e5m2.e5m2/e5m2/rne.nonsat",
    "mul/e2m3fn.e3m2fn/e2m1fn/rto.sat", "div/e5m2.e5m2/e5m2/rne.nonsat", "fma/e2m1fn.e2m1fn.e3m2fn/e3m2fn/rne.sat",
    "fma/e3m2fn.e2m1fn.e2m3fn/e4m3fn/rtp.nonsat", "fma/e3m1.e3m1.e3m1/e3m1/rne.nonsat", "sqrt/e5m2/e5m2/rne.sat",
]  # fmt: skip


@pytest.mark.parametrize("text", SMALL)
def test_what_is_said_to_be_impossible_never_happens(text: str) -> None:
    """All cases of operations of at most 16 bits."""
    section = Section.of(text)
    op, points = section.operation, points_of(section.operation)
    coverage = Coverage(points, 8)
    block = answered(section, every(op))
    coverage.add(bins_of(op, points, block))
    for point, counts in zip(points, coverage.counts):
        for value, hits in zip(point.coverpoint.values, counts):
            assert not (value in point.missing and hits), f"{point.coverpoint.name}={value}: {point.missing[value]}"
            assert hits <= point.room.get(value, np.inf), f"{point.coverpoint.name}={value}"


@pytest.mark.full
@pytest.mark.parametrize("f", ["e4m3fn", "e5m2"])
def test_bins_of_fma_without_a_case_have_none_among_all(f: str) -> None:
    """All 2^24 triples against what the search by bins found."""
    recipe = Recipe.of(f"fma/{f}.{f}.{f}/{f}/rne.nonsat")
    op, points = recipe.operation, points_of(recipe.operation)
    searched, complete = Coverage(points, 8), Coverage(points, 8)
    for _ in generate(recipe, True, searched):
        pass
    section = Section.of(op)
    for start in range(0, 1 << 24, 1 << 16):
        block = answered(section, every(op, start, start + (1 << 16)))
        complete.add(bins_of(op, points, block))
    for point, few, all_ in zip(points, searched.counts, complete.counts):
        for name, a, b in zip(point.coverpoint.bins, few, all_):
            assert (a > 0) == (b > 0), name
            assert a >= min(8, b), name


def test_a_wrong_claim_of_impossibility_is_seen() -> None:
    """The test above can fail: a bin that happens, declared missing."""
    section = Section.of("mul/e5m2.e5m2/e5m2/rne.nonsat")
    points = points_of(section.operation)
    bins = bins_of(section.operation, points, answered(section, every(section.operation)))
    column = next(i for i, p in enumerate(points) if p.coverpoint.name == "limit")
    names = [points[column].coverpoint.values[v] for v in np.unique(bins[:, column]) if v != NONE]
    assert "+half" in names
    assert "+half" not in points[column].missing


def test_filling_goes_on_and_is_the_same_again() -> None:
    recipe = Recipe.of("convert/f32/e4m3fn", n=40000, seed=3)
    first, second = ([b.operands[0] for b in generate(recipe, False)] for _ in range(2))
    assert sum(map(len, first)) == 40000
    assert np.array_equal(np.concatenate(first), np.concatenate(second))
    other = np.concatenate([b.operands[0] for b in generate(Recipe.of("convert/f32/e4m3fn", n=40000, seed=4), False)])
    assert not np.array_equal(np.concatenate(first), other)
    assert len(np.unique(other)) > 20000


def test_flags_explain_every_bin_that_is_shipped() -> None:
    families = json.loads((ROOT / "flags.json").read_text())["families"]
    known = {name for family in families.values() for name in family["points"]}
    for path in SHIPPED:
        for part in read_jsonl(path):
            assert {name for case in part.cases for name in case.bins} <= known, path
