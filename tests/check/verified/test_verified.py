"""Verified vectors as a report: causes as check names them, ids that pass, modes compared, expected failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from short import some

from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation
from fp8ref.cli.main import main
from fp8ref.vectors.files import write_file
from fp8ref.vectors.forms.registry import get_form
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Block, Section

MODES = ("rne", "rna", "rtz", "rtp", "rtn")
MUL, DOT = "mul/e4m3fn.e4m3fn/e4m3fn/{}.nonsat;flags=1", "dot/e5m2.e5m2/f16/exact.{}.nonsat;flags=1;k=2;zero=ieee"
PLANTED = {  # name: operation, whose answers it has, what is said, the id that passes
    "conversion": ("convert/f32/e4m3fn/rne.sat;flags=1", "convert/f32/e4m3fn/rtz.sat;flags=1", "truncates",
                   "convert/f32/e4m3fn/rtz.sat;flags=1"),
    "flushed": (MUL.format("rne"), MUL.format("rne") + ";subnormal=both;tininess=before", "flushed to zero",
                MUL.format("rne") + ";subnormal=both;tininess=before"),
    "sum": (DOT.format("rne"), DOT.format("rne").replace("k=2;", "k=2;tininess=before;"),
            "underflow is found before rounding", DOT.format("rne").replace("k=2;", "k=2;tininess=before;")),
    "overflow": ("dot/e4m3fn.e4m3fn/fx24.8/exact.rtz.sat;k=4", "dot/e4m3fn.e4m3fn/fx24.8/exact.rtz.wrap;k=4",
                 "wraps around", "dot/e4m3fn.e4m3fn/fx24.8/exact.rtz.wrap;c=none;k=4"),
    "unit": ("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32;k=32", "dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32;k=32",
             "steps of 16 products", ""),
    "amax": ("dot/e4m3fn.e4m3fn/e5m2/exact;amax=number;k=2",
             "dot/e4m3fn.e4m3fn/e5m2/exact;amax=nan;k=2", "a NaN makes amax a NaN",
             "dot/e4m3fn.e4m3fn/e5m2/exact;amax=nan;k=2;zero=ieee"),
}  # fmt: skip


def planted(path: Path, *pairs: tuple[str, str], n: int | None = None) -> Path:
    """Vectors of operations, each with the answers of another."""

    def blocks(recipe: Recipe, other: Operation) -> Iterator[Block]:
        for block in generate(recipe):
            found = expect(other, block.operands)
            yield replace(block, result=found.codes, status=block.status if found.status is None else found.status,
                          amax=found.amax)  # fmt: skip

    def sections() -> Iterator[tuple[Section, Iterator[Block]]]:
        for op, other in pairs:
            recipe = Recipe.of(op, "bins", each=4, n=n)
            asked = recipe.operation
            keys = {**dict(asked.keys), **dict(Operation.parse(other).keys)}
            like = replace(Operation.parse(other), keys=tuple(sorted(keys.items())))
            yield recipe.section(True), blocks(recipe, like)

    write_file(path, get_form("jsonl"), sections(), force=True)
    return path


def verified(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["vectors", "verify", str(path), *options])


def of_modes(which: tuple[str, ...], keys: str, only: tuple[str, ...] = MODES) -> list[tuple[str, str]]:
    return [(MUL.format(m), MUL.format(m) + (keys if m in only else "")) for m in which]


@pytest.mark.parametrize("name", some(PLANTED, ("conversion", "sum", "amax")))
def test_planted_faults_are_named_with_the_id_that_passes(name: str, tmp_path: Path) -> None:
    op, other, said, passes = PLANTED[name]
    result = verified(planted(tmp_path / "v.jsonl", (op, other)), "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["conforms"]
    (one,) = found["operations"]
    assert said in one["findings"][0]["diagnosis"]
    assert one["failed"] == found["wrong"] == sum(f["count"] for f in one["findings"])
    assert one["passes_as"][:1] == ([passes] if passes else [])


def test_modes_are_compared(tmp_path: Path) -> None:
    path = planted(tmp_path / "v.jsonl", *of_modes(("rne", "rtz", "rtp"), ";tininess=before", ("rne", "rtz")))
    said = " ".join(verified(path).stdout.split())
    assert "tininess is judged before rounding, in rne; not in rtp; rtz cannot tell" in said
    every = planted(tmp_path / "w.jsonl", *of_modes(("rne", "rtz"), ";subnormal=both;tininess=before"))
    assert "every mode passes with subnormal=both;tininess=before" in " ".join(verified(every).stdout.split())


def test_everything_that_differs_is_listed_and_written(tmp_path: Path) -> None:
    op, other, *_ = PLANTED["conversion"]
    path = planted(tmp_path / "v.jsonl", (op, other))
    wrong = json.loads(verified(path, "--json", "--all").stdout)
    assert len(wrong["mismatches"]) == wrong["wrong"] > 10
    assert len(json.loads(verified(path, "--json").stdout)["mismatches"]) == 10
    files = ["--junit", str(tmp_path / "r.xml"), "--cases", str(tmp_path / "c.csv")]
    assert "not shown" in verified(path, *files).stdout
    suite = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert [(one.get("tests"), one.get("failures")) for one in suite] == [("1", "1")]
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 1 + wrong["wrong"]
    again = verified(path, *files)
    assert again.exit_code == 4
    assert "--force" in again.stderr


def test_expected_failures_are_those_of_check(tmp_path: Path) -> None:
    op, other, *_ = PLANTED["conversion"]
    path, known = planted(tmp_path / "v.jsonl", (op, other)), tmp_path / "known.toml"
    (finding,) = json.loads(verified(path, "--json").stdout)["operations"][0]["findings"]
    symptom = finding["signature"].removeprefix(f"{op} ")
    entry = f'[[expected]]\noperation = "{op}"\nfinding = "{symptom}"\nreason = "the unit truncates"\n'
    known.write_text(f'schema = "fp8ref/expected/1"\n{entry}')
    result = verified(path, "--expect", str(known), "--strict")
    assert result.exit_code == 0
    assert "expected: the unit truncates" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("fails as expected")
    right = planted(tmp_path / "r.jsonl", (op, op))
    assert verified(right, "--expect", str(known)).exit_code == 0
    assert verified(right, "--expect", str(known), "--strict").exit_code == 1
    forged = entry.replace("the unit truncates", r"so\nconforms: 9 cases of 1 operation")
    known.write_text(f'schema = "fp8ref/expected/1"\n{forged}')
    assert not any(line.startswith("conforms") for line in verified(path, "--expect", str(known)).stdout.splitlines())
    known.write_text(f'schema = "fp8ref/expected/1"\n{entry.replace(symptom, "something-else")}')
    assert verified(path, "--expect", str(known)).exit_code == 1


def test_a_wrong_text_is_the_files_own_fault(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    planted(path, (DOT.format("rne"), DOT.format("rne")), n=40)
    lines = path.read_text().splitlines()
    header = {**json.loads(lines[0]), "sha256": None}
    case: dict[str, Any] = {**json.loads(lines[5]), "exact": "12345"}
    path.write_text("\n".join([json.dumps(header), *lines[1:5], json.dumps(case), *lines[6:]]) + "\n")
    assert "the exact sum that is written is not that of the operands (1 of 40 cases)" in verified(path).stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--cases", "c.txt"], "a file .csv or .parquet"), (["--strict"], "give them with --expect"),
     (["--expect", "none.toml"], "none.toml"), (["--nan", "all"], "--nan")],
)  # fmt: skip
def test_bad_options_have_one_error(options: list[str], said: str, tmp_path: Path) -> None:
    op, other, *_ = PLANTED["conversion"]
    result = verified(planted(tmp_path / "v.jsonl", (op, other), n=4), *options)
    assert result.exit_code == 4
    assert said in " ".join(result.stderr.split())


def test_a_directory_has_no_report(tmp_path: Path) -> None:
    result = verified(tmp_path, "--json")
    assert result.exit_code == 4
    assert "name one of its files" in " ".join(result.stderr.split())


@pytest.mark.parametrize("form", ["memh", "npz"])
def test_an_amax_is_verified_in_every_form_of_files(form: str, tmp_path: Path) -> None:
    op, other, said, _ = PLANTED["amax"]
    for answers, code in ((op, 0), (other, 1)):
        path = planted(tmp_path / "v.jsonl", (op, answers))
        file = tmp_path / f"v{code}.{form}"
        assert CliRunner().invoke(main, ["vectors", "export", str(path), "--as", form, "-o", str(file)]).exit_code == 0
        result = verified(file)
        assert result.exit_code == code, result.stdout
        assert (said in " ".join(result.stdout.split())) == bool(code)


def test_testfloat_and_streams_have_no_place_for_an_amax(tmp_path: Path) -> None:
    op = "dot/e4m3fn.e4m3fn/e5m2/exact;amax=1;k=1"
    path = planted(tmp_path / "v.jsonl", (op, op), n=4)
    assert verified(path).exit_code == 0
    for command in (["generate", op, "--as", "testfloat"], ["export", str(path), "--as", "testfloat"],
                    ["generate", op, "--interleave"]):  # fmt: skip
        result = CliRunner().invoke(main, ["vectors", *command])
        assert result.exit_code == 4
        assert "no place for an amax" in " ".join(result.stderr.split())


def test_one_answer_names_no_cause_and_several_causes_stay_open(tmp_path: Path) -> None:
    """Of three answers one is wrong; one alone has many causes."""
    path = planted(tmp_path / "v.jsonl", (MUL.format("rne"), MUL.format("rne")), n=3)
    lines = path.read_text().splitlines()
    header, case = {**json.loads(lines[0]), "sha256": None}, json.loads(lines[2])
    case["z"] = f"{int(case['z'], 16) ^ 1:02X}"
    path.write_text("\n".join([json.dumps(header), lines[1], json.dumps(case), *lines[3:]]) + "\n")
    assert "no single wrong rule" in " ".join(verified(path).stdout.split())
    op = "convert/f32/e4m3fn/rne.sat"
    few = tmp_path / "few.fpv"
    few.write_text("3FA80001 3A 01\n")  # 1.3125 and a little: 3B to nearest
    result = verified(few, "--op", op, "--as", "testfloat", "--count", "1")
    said = " ".join(result.stdout.split())
    assert "rounds toward zero, or rounds toward -infinity" in said
    assert "rtz.sat;flags=1 or convert/f32/e4m3fn/rtn.sat;flags=1" in said
