"""``explain`` with answers: who is right, what gives them, which cases decide; every refusal in one line."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fp8ref.cli.explain import explain

ALL_CASES = True  # see tests/conftest.py
SAT, FREE = "convert/f32/e4m3fn/rne.sat", "convert/f32/e4m3fn/*"


def invoke(*args: str, stdin: str = "") -> Result:
    return CliRunner().invoke(explain, args, input=stdin)


def document(*args: str, stdin: str = "", code: int = 0) -> Any:
    result = invoke(*args, "--json", stdin=stdin)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def refused(*args: str, stdin: str = "") -> str:
    result = invoke(*args, stdin=stdin)
    assert result.exit_code == 4, (result.exit_code, result.output)
    return result.stderr.splitlines()[-1].removeprefix("Error: ")


def names(found: Any, kind: str) -> set[str]:
    return {c["name"] for group in found["behaviours"] for c in group if c["kind"] == kind}


# -- one case ---------------------------------------------------------------------------------------------------------
def test_one_point_has_several_causes() -> None:
    """1.31640625 lies nearer 1.375; rounded to bfloat16 first it is a tie, to 1.25, where truncation goes, too."""
    found = document(f"{SAT}#3FA88000", "--got", "3A", code=1)
    assert (found["lines"][0]["want"], found["verdict"]) == ("3B", "wrong")
    assert {"via-bf16", "rounding-rtz"} <= names(found, "rule")
    assert found["open"]
    assert found["deciders"]
    assert "rtz.sat" in names(found, "mode")


def test_the_deciding_cases_tell_every_behaviour_from_every_other() -> None:
    found = document(f"{SAT}#3FA88000", "--got", "3A", code=1)
    firsts = {
        f"{group[0]['name']} ({group[0]['text']})" if group[0]["kind"] == "library" else group[0]["name"]
        for group in found["behaviours"]
    }
    answers = {name: [] for name in firsts}
    for decider in found["deciders"]:
        for answer in decider["answers"]:
            for name in answer["by"]:
                answers[name].append(answer["answer"])
    assert len({tuple(row) for row in answers.values()}) == len(firsts)


def test_answers_of_several_people() -> None:
    found = document(f"{SAT}#3FA88000", "--got", "3B", "3A", "0x7F", code=1)
    assert [line["verdict"] for line in found["lines"]] == ["right", "wrong", "wrong"]


def test_what_is_printed_runs_as_it_is_printed(tmp_path: Path) -> None:
    """The command at the end, with the answers of truncation put for ?, leaves that alone."""
    result = invoke(f"{SAT}#3FA88000", "--got", "3A")
    assert result.exit_code == 1
    command, *lines, end = result.stdout.rstrip().split("\n\n")[-1].splitlines()
    assert end == "END"
    assert command.endswith(" - <<'END'")
    argv = shlex.split(command.removesuffix(" <<'END'"))
    truncated = {"CA800000": "FE", "B5800000": "80", "FF800000": "FE", "4A000000": "7E", "43180000": "71",
                 "C18C0000": "D8"}  # fmt: skip
    filled = [line.replace("?", truncated.get(line.split()[0], "")) for line in lines]
    found = document(*argv[2:], stdin="\n".join(filled), code=1)
    assert names(found, "mode") == {"rtz.sat"}
    assert not found["open"]


def test_open_questions_are_allowed_by_name() -> None:
    """OCP MX 1.0 5.3 leaves a NaN in E2M1 to the implementation."""
    found = document("convert/f32/e2m1fn/rne.sat#7FC00000", "--got", "8")
    assert found["lines"][0]["verdict"] == "allowed"
    assert found["lines"][0]["allowed"] == "nan-without-nan"


def test_a_recorded_library_is_named() -> None:
    """torch rounds float64 twice: 2^-10 (1 + 2^-52) becomes 00, and 01 is right."""
    found = document("convert/f64/e4m3fn/rne.sat#3F50000000000001", "--got", "00", code=1)
    assert any(name.startswith("torch 2.") for name in names(found, "library"))
    assert "via-f32" in names(found, "rule")
    assert "gfloat 0.5.2" in {c["name"] for group in found["behaviours"] for c in group if "rtz" in c["text"]}


# -- tables -----------------------------------------------------------------------------------------------------------
def test_two_exact_points_decide_nothing() -> None:
    found = document(FREE, "-", stdin="3F800000 38\n40000000 40\n", code=5)
    assert found["verdict"] == "undecided"
    assert {"rne.sat", "rtz.nonsat"} <= names(found, "mode")


def test_a_claimed_mode_that_holds_is_right() -> None:
    assert document(SAT, "-", stdin="3F800000 38\n")["verdict"] == "right"


NOTATIONS = [
    "3F800000 38\n3E99999A 2A",
    "1.0 1.0\n0.3 0.3125",
    "0x1p0 -> 0x38\n0x1.333334p-2 -> 0x2A",
    "x,got\n1.0,38\n0.3,2A",
    "input;want;got;flags\n1;;38;tie\n3e-1;;2A;",
    "# a comment\n\n1\t0b00111000\n0.3 | d:42",
]


@pytest.mark.parametrize("text", NOTATIONS)
def test_codes_numbers_and_headers(text: str) -> None:
    found = document(SAT, "-", stdin=text)
    assert [line["got"] for line in found["lines"]] == ["38", "2A"]


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("input,got\n3F800000,38\n")
    assert document(SAT, str(tmp_path / "t.csv"))["verdict"] == "right"


def test_other_kinds_of_question() -> None:
    decoded = document("decode/e4m3fn/f32", "-", stdin="01 0.005859375\n02 0.0078125\n", code=1)  # 3/512, 4/512
    assert [line["want"] for line in decoded["lines"]] == ["3B000000", "3B800000"]
    added = document("add/e4m3fn.e4m3fn/e4m3fn/rne.sat", "-", stdin="a,b,got\n1.0,0.0625,1.125\n", code=1)
    assert added["lines"][0]["want"] == "38"
    assert "rtp.sat" in names(added, "mode")
    asked = document("isnan/e4m3fn/bool", "-", stdin="7F 1\n7E 0\n")
    assert asked["verdict"] == "right"
    whole = document("int/e4m3fn/i8/rtz.riscv", "-", stdin="0x44 3\n0xC4 -3\n")
    assert [line["got"] for line in whole["lines"]] == ["03", "FD"]


def test_blocks_name_their_rule() -> None:
    """amax 3 in MXFP4: floor takes 2^(1 - 2), ceil 2^(2 - 2)."""
    found = document("scale/f32/mxfp4/floor", "-", stdin="3.0 -0.5 1.0 -> 1.0 3.0 -0.5 1.0\n", code=1)
    assert found["lines"][0]["want"] == "7E 7 A 4"
    assert "ceil" in names(found, "mode")


def test_products_of_scaled_blocks() -> None:
    """128 ones, scales 2 and 4 by 1 and 2."""
    rows = [f"1*128;1*128;0;{a};{b} {128 * a * b}.0" for a in (2, 4) for b in (1, 2)]
    found = document("dot/e4m3fn.e4m3fn/f32/*;scale=f32", "-", stdin="\n".join(rows), code=5)
    assert all(line["verdict"] == "right" for line in found["lines"])
    assert "exact" in names(found, "model")


def test_a_product_names_the_unit_that_cuts() -> None:
    """1 + 2^-14 keeps its bit in binary32, and loses it below 13 fraction bits."""
    case = "dot/e4m3fn.e4m3fn/f32/*#1,0.0078125;1,0.0078125;0"
    assert "exact" in names(document(case, "--got", "3F800200", code=5), "model")
    units = names(document(case, "--got", "3F800000"), "model")
    assert "hopper.wgmma.fp8.f32" in units
    assert "exact" not in units
    assert "exact.rtz" not in units


# -- refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        ((SAT, "-"), "", "standard input has no lines"),
        ((SAT, "-"), "x,got\n", "a header alone"),
        ((SAT, "-"), "3F800000\n", "line 1: 1 number(s)"),
        ((SAT, "-"), "3F800000 38 39\n", "line 1: 3 number(s)"),
        ((SAT, "-"), "3F800000 38\n3F80000G 38\n", "line 2, input: '3F80000G' is neither a code of f32"),
        ((SAT, "-"), "1.0 38\n3F8000FF 38\n", "line 2, input: '3F8000FF' is a code and '1.0' a number"),
        ((SAT, "-"), "1.0 0.3\n", "line 1, got: '0.3' is no value of e4m3fn; the nearest is 0.3125"),
        ((SAT, "-"), "1.0 1000.0\n", "is beyond the values of e4m3fn, which end at 448"),
        ((SAT, "-"), "1.0 inf\n", "e4m3fn has no infinity"),
        ((SAT, "-"), "1.0 0x1FF\n", "out of range"),
        ((SAT, "-"), "1.0 ?\n", "no line has an answer yet"),
        ((SAT, "-"), "a,b,got\n1,2,3\n", "the header names 2 input(s) and 1 answer(s), and 1 and 1 are needed"),
        ((SAT, "-"), "x,want\n1.0,38\n", "the header names 1 input(s) and 0 answer(s)"),
        ((SAT, "nowhere.csv"), "", "cannot read nowhere.csv: No such file or directory"),
        ((SAT, "a", "b"), "", "one file, not 2"),
        ((SAT, "--got", "38"), "", "--got answers a CASE"),
        ((f"{SAT}#3F800000", "-"), "", "is a case: a table takes an operation id"),
        ((f"{SAT}#3F800000", "--got", "XY"), "", "'XY' is neither a code of e4m3fn, 2 hexadecimal digits"),
        ((f"{SAT};flags=1", "-"), "1.0 38", "answers are judged without status flags"),
        (("dot/e5m2.e5m2/f32/exact;amax=1;k=1", "-"), "3C.3C.0 38", "answers are judged without amax"),
        (("convert/f32/none/rne.sat", "-"), "1 2", "OPERATION: unknown format 'none'"),
        (("scale/f32/mxfp4/floor#3F800000", "--got", "38"), "", "give it in a line of a table"),
        (("scale/f32/mxfp4/floor", "-"), "1.0 7F 4\n", "a block is its elements, ->"),
        (("scale/f32/mxfp4/floor", "-"), "1.0 -> 7F 4 4\n", "3 answer(s) for a scale and 1 element(s)"),
        (("scale/f32/mxfp4/floor", "-"), "1.0 1.0 -> 7F 4 4\n1.0 -> 7F 4\n", "one length a table"),
        (("dot/e4m3fn.e4m3fn/f32/exact", "-"), "38\n", "is a.b.c and the answer"),
        (("dot/e4m3fn.e4m3fn/f32/exact#38.38",), "", "has 2 row(s): dot takes a, b, c"),
        (("dot/e4m3fn.e4m3fn/f32/exact#1.5.1.5.0",), "", "put ; between rows of decimals"),
        (("dot/e4m3fn.e4m3fn/f32/exact#3838.38.00000000",), "", "b: 1 element(s), and 2 are needed"),
        (("dot/e4m3fn.e4m3fn/f32/exact#38*0.38.00000000",), "", "an element is missing"),
        (("dot/e4m3fn.e4m3fn/f32/exact#38*999999.38.00000000",), "", "at most 65536 elements"),
        (("dot/e4m3fn.e4m3fn/f32/nothing#38.38.00000000",), "", "nothing"),
        (("convert/f32/e4m3fn/rne.sat;via=nonsense#3F800000",), "", "via: unknown format 'nonsense'"),
        (("convert/f32/e4m3fn/rne.sat;nan=odd#3F800000",), "", "nan is one of canonical"),
        (("convert/f32/e4m3fn/rne.sat;k=3#3F800000",), "", "convert has no k"),
        (("convert/f32/e4m3fn/rne.sat;nan=max;nan=zero#3F800000",), "", "nan is said twice"),
    ],
)  # fmt: skip
def test_refusals(args: Sequence[str], stdin: str, message: str) -> None:
    assert message in refused(*args, stdin=stdin)


def test_text_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"\xff\xfe")
    assert "no UTF-8 text at byte 0" in refused(SAT, str(tmp_path / "t"))


def test_bare_numbers_that_could_be_either_are_noted() -> None:
    result = invoke(SAT, "-", stdin="1.0 38\n")
    assert "note: got: 38 is read as the code 0x38; a number has a point: 38.0" in result.stderr


# -- products drawn ---------------------------------------------------------------------------------------------------
def test_a_product_is_drawn_in_the_units_window() -> None:
    """Hopper keeps 13 fraction bits: of 2^-14 nothing is left, of 3 * 2^-14 one bit."""
    page = invoke("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32#1,0.0078125,0.0234375;1,0.0078125,0.0078125;0").stdout
    assert "last bit kept 2^-13" in page
    assert re.search(r"k = 1 +\+0\.0{13}\|1 +cut \+6\.103515625e-5$", page, re.M)
    assert re.search(r"k = 2 +\+0\.0{12}1\|1 +cut \+6\.103515625e-5$", page, re.M)
    assert "exact    ~+1.00024414" in page
    assert "0x3F800400" in page
    assert re.search(r"within\.f32 .* outside: 0x3F800400", page)


def test_the_drawn_product_as_data() -> None:
    found = document("dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32#1,0.0078125;1,0.0078125;0")
    assert found["exact"] == "16385/16384"
    assert found["answer"] == "0x3F800000"
    assert found["steps"][0]["addends"][1] == {"k": 1, "exact": "1/16384", "kept": "0"}
    by = {name: model["answer"] for model in found["models"] for name in model["names"]}
    assert by["exact"] == "0x3F800200"
    assert by["hopper.wgmma.fp8.f32"] == "0x3F800000"


@pytest.mark.parametrize(
    ("case", "answer", "also"),
    [("dot/e5m2.e5m2/f16/exact.rtz.nonsat;c=none;k=2;flags=1#3C3D.4041", "0x4520   +5.125", "flags    00   nothing"),
     ("dot/e5m2.e5m2/f16/exact.rtz.nonsat;c=none;k=2;flags=1;zero=ieee#8080.3C3C", "0x8000   -0", "flags    00"),
     ("dot/e4m3fn.e4m3fn/fx24.8/exact.rne.wrap;k=2#3839.4041", f"0x{1160:06X}   +4.53125", "exact    +4.53125"),
     ("dot/e4m3fn.e4m3fn/fx24.8/exact.rne.wrap;bias=bf16;flags=1;k=2#3839.4041.3F80", "0x000588", "C        0x3F80"),
     ("dot/e5m2.e5m2/fx70.32/exact.rne.impossible;k=2#3839.C1C1", f"0x{2**70 - 45 * 2**28:018X}   -2.8125", "k")],
)  # fmt: skip
def test_sums_without_c_and_in_fixed_point_are_explained(case: str, answer: str, also: str) -> None:
    """1 x 2 + 1.25 x 2.5; zeros of one sign; (1 x 2 + 1.125 x 2.25) 256; -2.8125 2^32 in 70 bits."""
    page = invoke(case).stdout
    assert f"answer   {answer}" in page
    assert also in page
    assert "what the models answer" not in page
