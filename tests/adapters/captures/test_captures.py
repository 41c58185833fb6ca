"""Captures: written and read again, and refused with file and line where they are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fp8ref.adapters.base import Unavailable, Unsupported
from fp8ref.adapters.captures import files as captures
from fp8ref.adapters.connect import connect
from fp8ref.cases.operation import Operation
from fp8ref.check.run import Request, Run

OP = "dot/e4m3fn.e5m2/f32/hopper.wgmma.fp8.f32;k=4"
HEADER = {"fp8ref": "capture", "schema": "fp8ref/capture/1", "operation": OP, "count": 1, "source": {"device": "X"}}
CASE = {"a": "38000000", "b": "3C000000", "c": "3F800000", "d": "40000000"}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_a_capture_is_read_as_written_and_rewritten_the_same(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", HEADER, CASE)
    capture = captures.read(path)
    assert capture.operation.id == OP
    assert [x.tolist() for x in capture.operands] == [[[0x38, 0, 0, 0]], [[0x3C, 0, 0, 0]], [0x3F800000]]
    assert capture.answers.tolist() == [0x40000000]
    assert capture.answers.dtype == np.uint32
    captures.write(tmp_path / "b.jsonl", capture)
    captures.write(tmp_path / "c.jsonl", captures.read(tmp_path / "b.jsonl"))
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "c.jsonl").read_bytes()


def test_operations_of_one_operand_are_captured_too(tmp_path: Path) -> None:
    header = {**HEADER, "operation": "convert/f32/e4m3fn/rne.sat", "count": 2}
    path = written(tmp_path / "x", header, {"a": "3F800000", "d": "38"}, {"a": "bf800000", "d": "b8"})
    capture = captures.read(path)
    assert capture.operands[0].tolist() == [0x3F800000, 0xBF800000]
    assert capture.answers.tolist() == [0x38, 0xB8]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ":1: not a line of a capture"),
        (["nonsense"], ":1: not a line of a capture"),
        (["[1]"], ":1: not a line"),
        (['{"a": 1}'], ":1: not a capture"),
        ([{**HEADER, "schema": "fp8ref/capture/9"}], "schema 'fp8ref/capture/9'"),
        ([{**HEADER, "operation": "dot/e4m3fn/f32"}], ":1: operation"),
        ([{**HEADER, "operation": "dot/e4m3fn.e4m3fn/f32/nonesuch"}], ":1: unknown accumulator"),
        ([{**HEADER, "count": -1}], "count is the number"),
        ([{**HEADER, "count": True}], "count is the number"),
        ([{**HEADER, "source": 3}], "source is an object"),
        ([HEADER], "announces 1 cases, the file has 0"),
        ([HEADER, CASE, CASE], ":3: the header announces 1 cases"),
        ([HEADER, {**CASE, "a": "38"}], ":2: a is 4 element"),
        ([HEADER, {**CASE, "d": 7}], ":2: d is 1 element"),
        ([HEADER, {**CASE, "c": "3F80000G"}], ":2: c is 1 element"),
        ([HEADER, {key: CASE[key] for key in "abc"}], ":2: d is 1 element"),
        ([HEADER, "[" * 100_000], ":2: not a line"),
        ([HEADER, " " * 10 + "x" * (captures.LARGEST_LINE + 5)], ":2: a line of more than"),
    ],
)
def test_what_is_no_capture_is_refused_with_the_place(tmp_path: Path, lines: list[object], said: str) -> None:
    path = written(tmp_path / "bad.jsonl", *lines)
    with pytest.raises(ValueError, match=said.replace("[", r"\[")) as error:
        captures.read(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 900


def test_a_replay_answers_what_it_holds_and_declines_the_rest(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", HEADER, CASE)
    replay = connect(f"replay:{path}")
    op = Operation.parse(OP)
    assert replay.capabilities() == [OP]
    assert replay.identify()["name"] == "replay of X"
    operands = captures.read(path).operands
    assert replay.run(op, *operands).tolist() == [0x40000000]  # type: ignore[union-attr]
    assert replay.run(op, *(x[:0] for x in operands)).tolist() == []  # type: ignore[union-attr]
    with pytest.raises(Unsupported, match="does not hold this case"):
        replay.run(op, operands[0] + 1, *operands[1:])
    with pytest.raises(Unsupported, match="the capture holds"):
        replay.run(Operation.parse("dot/e4m3fn.e4m3fn/f32/exact;k=4"), *operands)


def test_two_answers_to_one_question_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", {**HEADER, "count": 2}, CASE, {**CASE, "d": "40000001"})
    with pytest.raises(ValueError, match="two different answers"):
        connect(f"replay:{path}")


def test_a_missing_file_is_reported() -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        connect("replay:/nonexistent")


EPILOGUE = "dot/e4m3fn.e4m3fn/e4m3fn/ada.mma.fp8.f32+out.scale.sat;k=4;scale=f32;scale_result=1"


@pytest.mark.parametrize(("answer", "verdict"), [("7e", "pass"), ("7f", "fail")])
def test_a_capture_says_what_surrounds_the_unit(tmp_path: Path, answer: str, verdict: str) -> None:
    """2^8 * 2^8 by 1.5 and 2 saturates; without ``sat`` in the mode a right device failed."""
    header = {**HEADER, "operation": EPILOGUE}
    case = {"a": "78000000", "b": "78000000", "c": "00000000", "sa": "3fc00000", "sb": "3f800000", "sr": "40000000"}
    path = written(tmp_path / "x.jsonl", header, {**case, "d": answer})
    capture = captures.read(path)
    captures.write(tmp_path / "y.jsonl", capture)
    assert captures.read(tmp_path / "y.jsonl").operation == capture.operation
    with Run(Request(f"replay:{path}", [])) as run:
        (report,) = run.reports()
    assert str(report.verdict) == verdict


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (";scale_result=1", "comes with scales"),
        (";scale=f32;scale_result=yes", "one of 0, 1"),
        (";bias=e4m3fn", "the type of C"),
        (";bias=f64", "within f32"),
    ],
)
def test_keys_of_an_epilogue_that_do_not_fit_are_refused(keys: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Operation.parse("dot/e4m3fn.e4m3fn/f32/ada.mma.fp8.f32" + keys)
