"""Streams of several operations: every word is a right case of its opcode, and idle cycles are as they are said."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fp8ref.cases.answers import expect
from fp8ref.cases.operation import Operation, carrier_dtype
from fp8ref.cli.main import main

TWO = ("mul/e4m3fn.e4m3fn/e4m3fn/rne.sat", "fma/e5m2.e5m2.e5m2/e5m2/rtz.nonsat")


def made(*options: str, ops: tuple[str, ...] = TWO) -> Result:
    return CliRunner().invoke(main, ["vectors", "generate", *ops, "--interleave", "--select", "bins", *options])


def parsed(text: str) -> tuple[list[str], list[str], list[list[str]]]:
    """(fields, operation of each opcode, words)."""
    lines = text.splitlines()
    fields = re.findall(r"([a-z]+) \d+", lines[1])
    operations = [re.split(r" ", line)[3] for line in lines if line.startswith("// opcode")]
    return fields, operations, [line.split("_") for line in lines if not line.startswith("//")]


def test_every_word_is_a_right_case_of_its_operation() -> None:
    fields, names, words = parsed(made("-n", "60").stdout)
    assert fields == ["valid", "ready", "opcode", "a", "b", "c", "z", "flags"]
    assert Counter(word[2] for word in words) == {"00": 60, "01": 60}
    assert {(word[0], word[1]) for word in words} == {("1", "1")}
    assert [word[2] for word in words] != sorted(word[2] for word in words)
    for i, name in enumerate(names):
        op = Operation.parse(name)
        mine = [word for word in words if word[2] == f"{i:02X}"]
        operands = [
            np.array([int(word[3 + j], 16) for word in mine], carrier_dtype(t)) for j, t in enumerate(op.operands)
        ]
        right = expect(op, operands)
        assert right.status is not None
        assert [int(word[-2], 16) for word in mine] == right.codes.tolist()
        assert [int(word[-1], 16) for word in mine] == right.status.tolist()


def test_idle_stalls_and_bursts_are_as_said() -> None:
    *_, words = parsed(made("-n", "200", "--idle", "30", "--stall", "20", "--burst", "3").stdout)
    valid = "".join(word[0] for word in words)
    assert valid.count("1") == 400
    assert max(map(len, valid.split("0"))) == 3
    assert max(map(len, valid.strip("0").split("1"))) <= 8
    assert 0.1 < np.mean([word[1] == "0" for word in words]) < 0.3
    assert all(set("".join(word[2:])) == {"0"} for word in words if word[0] == "0")
    assert made("-n", "9", "--idle", "30").stdout == made("-n", "9", "--idle", "30").stdout


def test_widths_are_those_of_the_widest() -> None:
    *_, words = parsed(made("-n", "5", ops=(TWO[0], "convert/f32/f16/rne.nonsat")).stdout)
    assert {tuple(map(len, word)) for word in words} == {(1, 1, 2, 8, 2, 4, 2)}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs iverilog")
@pytest.mark.full
def test_a_simulator_reads_it(tmp_path: Path) -> None:
    assert made("-n", "20", "--idle", "20", "-o", str(tmp_path / "s.memh")).exit_code == 0
    words = parsed((tmp_path / "s.memh").read_text())[2]
    bench = tmp_path / "t.v"
    bench.write_text(
        f"module t; reg [55:0] m [0:{len(words) - 1}]; integer i;\n"
        'initial begin $readmemh("s.memh", m);\n'
        f'for (i = 0; i < {len(words)}; i = i + 1) $display("%h", m[i]); end endmodule\n'
    )
    subprocess.run(["iverilog", "-o", "t", "t.v"], cwd=tmp_path, check=True, timeout=60)
    told = subprocess.run(["./t"], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True).stdout
    assert told.split() == ["".join(word).lower() for word in words]


def verified(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["vectors", "verify", str(path), *options])


def stream(path: Path, *ops: str) -> list[str]:
    """The lines of a stream that was made."""
    assert made("-n", "60", "--idle", "20", "-o", str(path), "--force", ops=ops or TWO).exit_code == 0
    return path.read_text().splitlines()


def test_a_stream_is_verified_by_opcode(tmp_path: Path) -> None:
    path = tmp_path / "s.memh"
    sum_ = "dot/e5m2.e5m2/f16/exact.rtz.nonsat;flags=1;k=2;zero=ieee"
    stream(path, *TWO, "convert/f32/f16/rne.nonsat", sum_, "decode/e5m2/f32")
    result = verified(path)
    assert result.exit_code == 0, result.stderr
    assert "conforms: 300 cases of 5 operations" in result.stdout
    assert f"60  {sum_}" in result.stdout
    assert verified(path, "--op", TWO[0]).exit_code == 4


def test_a_fault_in_one_opcode_is_named_for_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.memh"
    lines = stream(path)
    truncates = Operation.parse(TWO[0].replace("rne", "rtz"))
    changed = []
    for line in lines:
        fields = line.split("_")
        if not line.startswith("//") and fields[0] == "1" and fields[2] == "00":
            found = expect(truncates, [np.array([int(x, 16)], np.uint8) for x in fields[3:5]])
            fields[6] = f"{int(found.codes[0]):02x}"  # a bench may write lower case
        changed.append("_".join(fields))
    path.write_text("\n".join(changed) + "\n")
    result = verified(path)
    said = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert "truncates" in said
    assert "why mul" in said
    assert "why fma" not in said
    number = next(i for i, (a, b) in enumerate(zip(lines, changed), 1) if a.lower() != b.lower())
    assert f"s.memh:{number}: result is" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda words: words[:-1], "makes more: words were lost"), (lambda words: [*words[:9], words[8], *words[9:]],
     "lost, repeated or made up"), (lambda words: [*words, words[-1]], "lost, repeated or made up"),
     (lambda words: [words[0][:4] + "7F" + words[0][6:], *words[1:]], "field opcode"),
     (lambda words: [words[0][:-2] + "0x", *words[1:]], "field flags: '0x'"),
     (lambda words: [words[0] + "0", *words[1:]], "a word of"), (lambda words: ["2" + words[0][1:], *words[1:]],
     "field valid is 0 or 1"), (lambda words: [words[0].replace("_", "0"), *words[1:]], "joined by _")],
)  # fmt: skip
def test_damaged_streams_are_refused(change: Callable[[list[str]], list[str]], said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.memh"
    lines = stream(path)
    words = [line for line in lines if line.startswith("1_")]
    path.write_text("\n".join([line for line in lines if line.startswith("//")] + change(words)) + "\n")
    result = verified(path)
    assert result.exit_code == 4
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("opcode 01", "opcode 02", "opcode 02; wanted is 01"), ("mul/e4m3fn", "mul/e4m3xx", "s.memh:3: "),
     ("opcode 0", "opcodes 0", "no line says an opcode"), ("z 2", "z 4", "the fields of these operations are")],
)  # fmt: skip
def test_wrong_comments_are_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "s.memh"
    stream(path)
    path.write_text(path.read_text().replace(old, new))
    result = verified(path)
    assert result.exit_code == 4
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--interleave", "--forever"), "without --forever"), (("--interleave", "--as", "npz"), "a stream of its own"),
     (("--idle", "5"), "say --interleave"), (("--interleave", "--idle", "100"), "--idle"),
     (("--interleave", "--burst", "-1"), "--burst")],
)  # fmt: skip
def test_bad_options_have_one_error(options: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main, ["vectors", "generate", *TWO, *options])
    assert result.exit_code == 4
    assert said in " ".join(result.stderr.split())
