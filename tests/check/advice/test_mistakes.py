"""Every name that a diagnosis can have leads to a page, and every pattern of a page to a name."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import warm

from fp8ref.adapters.mutants.connect import FAULTY, MUTANTS
from fp8ref.cases.families import FAMILIES
from fp8ref.cases.operation import Operation
from fp8ref.cases.selection import cases
from fp8ref.check.advice.pages import GROUPS, UNEXPLAINED, pages, pages_of
from fp8ref.check.diagnosis.book import rules_for
from fp8ref.check.matrix.causes import faults_of

MATRIX = sorted((Path(__file__).parents[3] / "docs" / "data" / "matrix").glob("*.jsonl.gz"))
PRODUCTS = (
    "dot/e4m3fn.e5m2/f32/exact;k=37",
    "matmul/e4m3fn.e4m3fn/f32/exact;k=32",
    "dot/e2m1fn.e2m1fn/f32/exact;k=64;scale=e8m0fnu",
)
FEW = ("convert/f32/e4m3fn/rne.sat", "decode/e5m2/f32", "convert/f16/e8m0fnu/rne.sat")


def names(operations: list[str], most: int) -> Iterator[str]:
    for text in operations:
        op = Operation.parse(text)
        operands = cases(op, 1, 0)
        step = -(-len(operands[0]) // most)
        yield from (rule.name for rule in rules_for(op, [np.ascontiguousarray(codes[::step]) for codes in operands]))


def of_products() -> Iterator[str]:
    for text in PRODUCTS:
        yield from (fault.name for fault in faults_of(Operation.parse(text), True))


def recorded() -> Iterator[str]:
    for path in MATRIX:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from (str(found["rule"]) for found in map(json.loads, lines) if found.get("kind") == "finding")


def lost(found: Iterator[str]) -> set[str]:
    return {name for name in found if name != UNEXPLAINED and pages()[UNEXPLAINED] in pages_of(name)}


def test_the_names_of_planted_faults_and_of_products_have_pages() -> None:
    assert not lost(MUTANTS[name].diagnosis for name in FAULTY)
    assert not lost(of_products())
    assert not lost(names(list(FEW), 50))


@pytest.mark.full
def test_every_name_has_a_page() -> None:
    singles = [f.example for f in FAMILIES.values() if f.name not in ("dot", "matmul")]
    flagged = ["mul/e4m3.e4m3/e4m3/rne.nonsat;flags=1", "div/e5m2.e5m2/e5m2/rne.nonsat;flags=1"]
    found = {*names([*FEW, *singles, *flagged], 500), *of_products(), *recorded()}
    assert len(found) > 500
    assert not lost(iter(found))
    steps = [step for name in found for step in (name.split("+") if name.startswith("rounding-") else [name])]
    open_ = {"one-more", "one-less", "subnormals-kept", "scale-inverse", "rounding-s*"}  # by other keys and modes
    unused = {p for page in pages().values() for p in page.rules if not any(fnmatchcase(s, p) for s in steps)} - open_
    assert not unused


def test_what_was_recorded_of_libraries_has_pages() -> None:
    assert MATRIX
    assert not lost(recorded())


@pytest.mark.parametrize(
    ("rule", "page"),
    [
        ("via-f32", ["double-rounding"]),
        ("nan-leading-7-zero-infinity", ["nan-becomes-infinity"]),
        ("nan-leading-7-zero-zero", ["nan-becomes-number"]),
        ("rounding-rtz+flush-to-zero", ["truncation", "flush-to-zero"]),
        ("recipe-floor-a:1e-4+s:1e-10", ["recipe"]),
        ("a rule that nobody knows", [UNEXPLAINED]),
    ],
)
def test_the_closest_pattern_decides(rule: str, page: list[str]) -> None:
    assert [found.name for found in pages_of(rule)] == page


def test_pages_are_whole() -> None:
    assert {page.group for page in pages().values()} == set(GROUPS)
    for page in pages().values():
        assert re.fullmatch(r"[a-z-]+", page.name)
        assert page.rules
        for text in (page.title, page.looks, page.comes, page.mend):
            assert text
            assert text is page.title or text.endswith(".")


def test_commands_on_pages_are_commands() -> None:
    said = {line for page in pages().values() for line in re.findall(r"`fp8ref ((?:help|list) [a-z-]+)`", page.mend)}
    assert said
    for line in sorted(said):
        assert warm.fp8ref(*line.split()).returncode == 0, line


def test_a_finding_leads_to_its_page_in_every_form() -> None:
    done = warm.fp8ref("check", "convert/f32/e4m3fn/rne.sat", "--impl", "mini:truncates")
    assert "  mend   fp8ref help truncation\n" in done.stdout
    data = warm.fp8ref("check", "convert/f32/e4m3fn/rne.sat", "--impl", "mini:truncates", "--json").stdout
    assert [found["pages"] for found in json.loads(data)["findings"]] == [["truncation"]]
    shown = warm.fp8ref("help", "truncation").stdout
    assert shown.startswith("Truncation\n")
    assert "How to mend it" in shown
