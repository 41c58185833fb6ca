"""The bench for cocotb and its like: cases, verdicts and coverage, driven here by plain Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fp8ref.testing import NotConforming
from fp8ref.testing.bench import Bench
from fp8ref.vectors.files import write_file
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.merging.reading import coverage_of

UNIT = "dot/e5m2.e5m2/f16/exact.rtn.nonsat;flags=1;k=2;zero=ieee"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    recipe = Recipe.of(UNIT, each=1, n=60)
    write_file(tmp_path / "v.jsonl", get_form("jsonl"), [(recipe.section(), generate(recipe))])
    return tmp_path / "v.jsonl"


def test_cases_as_a_bench_wants_them(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    cases = list(Bench(path).cases())
    assert len(cases) == len(lines) == 60
    for case, line in zip(cases, lines):
        assert case.codes("a") == [int(line["a"][i : i + 2], 16) for i in (0, 2)] == [*divmod(case.packed("a"), 256)]
        assert (case.packed("c"), case.packed("z"), case.status) == tuple(int(line[name], 16) for name in "czx")
    assert cases[3].place == "v.jsonl:5"
    with pytest.raises(KeyError, match="has a, b, c, z, not d"):
        cases[0].packed("d")


def test_a_right_design_conforms_and_a_wrong_one_is_named(path: Path) -> None:
    right, wrong = Bench(path), Bench(path)
    for case in right.cases():
        assert case.status is not None
        assert right.answer(case, case.packed("z"), case.status)
        wrong.answer(case, case.packed("z"), case.status & 29)
    right.require_conforming()
    with pytest.raises(NotConforming, match=r"cases differ: UF is never raised\n  v.jsonl:\d+: a=.* flags 01, not"):
        wrong.require_conforming()
    with pytest.raises(ValueError, match="no case was answered"):
        Bench(path).require_conforming()


def test_any_nan_will_do_and_flags_may_be_left_out(path: Path) -> None:
    bench = Bench(path)
    for case in bench.cases():
        z = case.packed("z")
        bench.answer(case, z ^ 0x8001 if z & 0x7FFF > 0x7C00 else z)
    bench.require_conforming()


def test_the_coverage_of_what_was_driven(path: Path, tmp_path: Path) -> None:
    bench = Bench(path)
    for i, case in enumerate(bench.cases()):
        if i < 10:
            bench.answer(case, case.packed("z"), case.status)
    bench.write_coverage(tmp_path / "c.json")
    found = coverage_of(tmp_path / "c.json")
    assert [(source.kind, source.form) for source in found.sources] == [("simulator", "cocotb")]
    tags = [json.loads(line)["bins"].split() for line in path.read_text().splitlines()[1:11]]
    for point in found.points(UNIT):
        for row in found.rows(UNIT, point):
            assert row.simulator == sum(f"{point}={row.name}" in words for words in tags)
