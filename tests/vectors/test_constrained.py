"""Constrained vectors: operands of classes and ranges, cases of one bin, bins that weigh more."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fp8ref.cli.main import main
from fp8ref.spec.catalog import formats, get_format
from fp8ref.spec.codec import unpack
from fp8ref.vectors.constrained import CLASSES, ranges

MUL = "mul/e4m3fn.e4m3fn/e4m3fn/rne.sat"


def made(*options: str, op: str = MUL) -> Result:
    return CliRunner().invoke(main, ["vectors", "generate", op, *options])


def cases(*options: str, op: str = MUL) -> list[dict[str, str]]:
    result = made(*options, op=op)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith('{"a"')]


def codes(text: str, name: str) -> set[int]:
    return {code for low, high in ranges(text, name) for code in range(low, high + 1)}


@pytest.mark.parametrize("f", [f for f in formats() if f.k <= 8 and not f.fixed_point], ids=lambda f: f.name)
def test_classes_are_those_of_the_values(f: object) -> None:
    name = f.name  # type: ignore[attr-defined]
    form = get_format(name)
    known: dict[str, set[int]] = {word: set() for word in CLASSES}
    for code in range(1 << form.k):
        x = unpack(code, form)
        if x.is_nan or x.is_infinite:
            known["nan" if x.is_nan else "infinity"].add(code)
            continue
        known["finite"].add(code)
        known["zero" if x.is_zero else "normal" if x.magnitude >= form.min_normal else "subnormal"].add(code)
    for word, there in known.items():
        if there:
            assert codes(word, name) == there
        else:
            with pytest.raises(ValueError, match="has none"):
                ranges(word, name)


def test_signs_ranges_and_unions() -> None:
    assert codes("-zero+0x30..0x32+subnormal", "e5m2") == {0x80, 0x30, 0x31, 0x32, 1, 2, 3, 0x81, 0x82, 0x83}
    assert codes("+infinity", "f16") == {0x7C00}
    assert codes("0x5", "i8") == {5}


def test_operands_keep_to_what_is_said() -> None:
    found = cases("--a", "subnormal", "--b", "0x30..0x37", "-n", "400")
    assert len(found) == 400
    assert {int(case["a"], 16) & 0x7F for case in found} == {*range(1, 8)}
    assert {int(case["b"], 16) for case in found} == {*range(0x30, 0x38)}
    wide = cases("--a", "subnormal+0x7F800000", "-n", "60", op="convert/f32/e4m3fn/rne.sat")
    assert all(0 < int(case["a"], 16) & 0x7FFFFFFF < 1 << 23 or case["a"] == "7F800000" for case in wide)


@pytest.mark.full
def test_every_element_of_a_row_keeps_to_it() -> None:
    rows = cases("--a", "-normal", "--c", "zero", "-n", "40", op="dot/e5m2.e5m2/f16/exact;k=2")
    assert all(0x84 <= code <= 0xFB for case in rows for code in bytes.fromhex(case["a"]))
    assert {case["c"] for case in rows} <= {"0000", "8000"}


def test_one_bin_and_weights() -> None:
    assert all("mid=+tie" in case["bins"] or "mid=-tie" in case["bins"] for case in cases("--select", "bin=tie"))
    shares = []
    for options in ((), ("--weight", "tie=20")):
        found = cases("--select", "bins", "-n", "3000", "--a", "finite", *options)
        shares.append(np.mean([case.get("bins", "").find("tie") >= 0 for case in found[-1500:]]))
    assert shares[1] > 4 * shares[0]


def test_the_recipe_in_the_header_makes_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    options = ("--a", "subnormal", "--weight", "tie=5", "-n", "50", "-o", str(path))
    assert made(*options).exit_code == 0
    recipe = json.loads(path.read_text().splitlines()[0])["recipe"]
    assert "--a subnormal --weight 'tie=5'" in recipe
    piped = made("--a", "subnormal", "--as", "testfloat", "-n", "20")
    lines = piped.stdout.splitlines(keepends=True)
    for kept, code in ((lines, 0), (lines[:4] + lines[5:], 4)):  # a line is lost: the recipe tells
        text = tmp_path / "v.fpv"
        text.write_text("".join(kept))
        assert CliRunner().invoke(main, ["vectors", "verify", str(text)]).exit_code == code


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--a", "infinity"), "e4m3fn has none"), (("--a", "tiny"), "an operand is zero, subnormal"),
     (("--a", "0x30..0x20"), "go up from 0x0 to 0xFF"), (("--b", "0x100"), "go up from 0x0 to 0xFF"),
     (("--a", "zero++"), "joined by one +"), (("--c", "nan"), "has no operand c; it has a, b"),
     (("--weight", "tie"), "BIN=N"), (("--weight", "tie=1"), "BIN=N"), (("--weight", "none=4"), "has no bin 'none'"),
     (("--select", "bin=none"), "has no bin 'none'"), (("--select", "all"), "unknown selection 'all'"),
     (("--a", "nan", "--select", "bin=tie"), "no case of a=nan bin=tie")],
)  # fmt: skip
def test_every_bad_option_has_one_error(options: tuple[str, ...], said: str) -> None:
    result = made(*options)
    assert result.exit_code == 4
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_blocks_are_not_constrained() -> None:
    result = made("--a", "zero", op="scale/f32/mxfp4/floor")
    assert result.exit_code == 4
    assert "blocks are not constrained" in " ".join(result.stderr.split())


def test_scales_are_restricted(tmp_path: Path) -> None:
    op = "dot/e4m3fn.e4m3fn/f32/exact;block=2;k=4;scale=e8m0fnu"
    path = tmp_path / "v.fpv"
    made = CliRunner().invoke(
        main, ["vectors", "generate", op, "--sa", "0x7E..0x80", "--sb", "nan", "-n", "40", "-o", str(path)]
    )
    assert made.exit_code == 0, made.stderr
    cases = [line.split() for line in path.read_text().splitlines() if line[0] not in "@#"]
    assert len(cases) == 40
    assert {case[i] for case in cases for i in (0, 2)} == {"7E", "7F", "80"}
    assert {case[i] for case in cases for i in (1, 3)} == {"FF"}
    assert CliRunner().invoke(main, ["vectors", "verify", str(path)]).exit_code == 0
