"""Exact sums with flags, without C and in fixed point, in every form: written, read, verified, found out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from short import every

from fp8ref.cases.operation import Operation
from fp8ref.cases.products.exact import exact_sums
from fp8ref.cli.main import main
from fp8ref.vectors.coverage.exact_sums import value_of
from fp8ref.vectors.files import found_in, sections_of, write_file
from fp8ref.vectors.forms.registry import FORMS, get_form
from fp8ref.vectors.generate import Recipe, generate
from fp8ref.vectors.section import Block
from fp8ref.vectors.source import Source, open_source
from fp8ref.vectors.verify import Tally, verify

OPERATIONS = (
    "dot/e5m2.e5m2/f16/exact.rtz.nonsat;flags=1;k=2;tininess=before;zero=ieee",
    "dot/e5m2.e5m2/e5m2/exact.rtn.sat;c=none;flags=1;k=3;snan=quiet;zero=plus",
    "dot/e5m2.e5m2/fx70.32/exact.rne.impossible;k=32",
    "dot/e4m3fn.e5m2/fx66.20/exact.rtp.wrap;bias=bf16;flags=1;k=4",
    "dot/e4m3fn.e4m3fn/f16/exact.rtz.nonsat;block=2;flags=1;k=4;scale=e8m0fnu;zero=ieee",
    "dot/e4m3fn.e4m3fn/e4m3fn/exact.rtz.sat;block=32;flags=1;k=4;scale=f32;scale_result=1;zero=ieee",
)


@pytest.mark.parametrize("text", every(2, OPERATIONS))
@pytest.mark.parametrize("form", [name for name, form in FORMS.items() if name != "parquet"])
def test_a_file_holds_what_was_made(text: str, form: str, tmp_path: Path) -> None:
    recipe = Recipe.of(text, n=40)
    block = Block.joined(generate(recipe, False))
    made = [(recipe.section(False), iter([block]))]
    chosen = get_form(form)
    path = tmp_path / f"v{chosen.suffix}"
    if chosen.stream:
        write_file(path, chosen, made)
    else:
        chosen.exporter(made, path, False)
    if not chosen.reads:
        assert f"v_z[40]{'[2]' if '/fx' in text else ''} = " in path.read_text(encoding="utf-8")
        return
    ((name, again),) = [
        (section.operation.id, Block.joined(blocks)) for section, blocks in sections_of(found_in(open_source(path)))
    ]
    assert name == recipe.operation.id
    for x, y in zip((*again.operands, again.result), (*block.operands, block.result)):
        assert np.array_equal(x, y)
    assert (again.status is None) == (block.status is None)
    assert again.status is None or np.array_equal(again.status, block.status)


@pytest.mark.parametrize("text", every(3, OPERATIONS))
def test_a_changed_answer_is_found(text: str, tmp_path: Path) -> None:
    recipe = Recipe.of(text, n=400)
    block = Block.joined(generate(recipe, False))
    wrong = block.result.copy()
    number = next(i for i, exact in enumerate(block.exact or ()) if "p" in exact)
    wrong.reshape(400, -1)[number, -1] ^= 1
    path = tmp_path / "v.fpv"
    changed = Block(block.operands, wrong, block.status, None, block.exact)
    write_file(path, get_form("testfloat"), [(recipe.section(False), iter([changed]))])
    tally = verify(found_in(open_source(path)), lambda line: f"line {line}", Tally())
    assert (tally.cases, tally.wrong) == (400, 1)
    assert tally.first[0].field == "result"


def test_a_wide_code_is_the_exact_sum() -> None:
    recipe = Recipe.of("dot/e5m2.e5m2/fx70.32/exact.rne.impossible;k=32")
    checked = 0
    for block in generate(recipe, False):
        for words, text in zip(block.result.tolist(), block.exact or ()):
            value = value_of(text)
            if value is None:
                continue
            code = words[0] << 64 | words[1]
            assert code - (code >> 69 << 70) == value * 2**32
            checked += 1
    assert checked > 100


def test_a_device_without_c_is_asked_in_a_pipe() -> None:
    """A header, cases without C, flags; the same lines verified."""
    runner = CliRunner()
    made = runner.invoke(main, ["vectors", "generate", OPERATIONS[1], "--as", "testfloat", "-n", "5"])
    assert made.exit_code == 0
    head, first = made.stdout.splitlines()[:2]
    assert "accumulator=exact.rtn.sat acc=none snan=quiet zero=plus flags=NV,DZ,OF,UF,NX" in head
    lines = [line for line in made.stdout.splitlines() if line[0] not in "@#"]
    assert [len(line.split()) for line in lines] == [3 * 2 + 2] * 5
    assert first.startswith("# exact ")


def test_names_of_testfloat_have_fixed_point(tmp_path: Path) -> None:
    recipe = Recipe.of("e5m2_dot32_fx70.32", n=3)
    assert recipe.operation.id == "dot/e5m2.e5m2/fx70.32/exact;c=none;k=32"
    path = tmp_path / "v.fpv"
    write_file(path, get_form("testfloat"), [(recipe.section(False), generate(recipe, False))])
    with path.open("rb") as file:
        found = list(found_in(Source(file, "v.fpv")))
    assert sum(piece.block.size for piece in found) == 3


def test_a_unit_that_reads_every_code_as_a_number_has_such_sums() -> None:
    """x86 ACE: E4M3's 7F is 480, E5M2's 7C 65536, and their sums are no NaN and no infinity."""
    op = Operation.parse("dot/e4m3fn.e5m2/f32/x86.ace.mxfp8.f32;k=4")
    a, b = np.array([[0x7F, 0, 0, 0]], np.uint8), np.array([[0x7C, 0, 0x7F, 0]], np.uint8)
    (total,) = exact_sums(op, [a, b, np.zeros(1, np.uint32)])
    assert total.special == ""
    assert total.units * Fraction(2) ** total.exponent == 480 * 65536
    (ieee,) = exact_sums(op.with_mode("exact"), [a, b, np.zeros(1, np.uint32)])
    assert ieee.special == "nan"
