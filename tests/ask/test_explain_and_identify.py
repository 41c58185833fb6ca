"""fp8ref.explain and fp8ref.identify say what the commands say."""

from __future__ import annotations

import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from click.testing import CliRunner

import fp8ref
from fp8ref.cli.main import main
from fp8ref.errors import Unreadable

ALL_CASES = True  # see tests/conftest.py

CAST = "convert/f32/e4m3fn/rne.sat"


@pytest.mark.parametrize(
    "case",
    [f"{CAST}#43E80001", "convert/f16/e5m2/*#7BFF", "add/e4m3fn.e4m3fn/e4m3fn/rne.sat#38.39", "neg/e4m3fn/e4m3fn#38",
     "dot/e4m3fn.e4m3fn/f32/hopper.wgmma.fp8.f32#1,0.001;1,1;0", "scale/f32/mxfp4/floor#3F800000.40000000"],
)  # fmt: skip
def test_a_case_is_explained_as_on_the_command_line(case: str) -> None:
    assert CliRunner().invoke(main, ["explain", case]).output.rstrip() == fp8ref.explain(case).text.rstrip()


def test_answers_are_right_or_wrong() -> None:
    """1.3203125 in E4M3 is between 1.25 (3A) and 1.375 (3B), nearer to 1.375."""
    assert fp8ref.explain(f"{CAST}#3FA90000", got=0x3B).verdict == "right"
    found = fp8ref.explain(f"{CAST}#3FA90000", got=["3A"])
    assert found.verdict == "wrong"
    assert "3B = 1.375" in found.text
    printed = CliRunner().invoke(main, ["explain", f"{CAST}#3FA90000", "--got", "3A", "--json"])
    assert printed.exit_code == 1
    assert json.loads(printed.output) == json.loads(json.dumps(found.document))


def test_arrays_of_values_and_of_codes() -> None:
    x = np.array([1.3203125, 500.0, -0.1], np.float32)
    nearest = np.array([1.375, 448.0, -0.1015625]).astype(ml_dtypes.float8_e4m3fn)
    assert fp8ref.explain(CAST, x, got=nearest).verdict == "right"
    assert fp8ref.explain(CAST, x.view(np.uint32), got=nearest.view(np.uint8)).verdict == "right"
    assert fp8ref.explain(CAST, x, got=[0x3A, 0x7E, 0x9D]).verdict == "wrong"
    assert fp8ref.explain("convert/f32/e4m3fn/*", x[:1], got=nearest[:1]).verdict == "undecided"


@pytest.mark.parametrize(
    ("arguments", "got", "message"),
    [
        (("convert/f32/e4m3fn#XY",), None, "'X' at position 1 is no hexadecimal digit"),
        (("convert/f32/e4m3fn",), None, "is an operation: a case has # and its inputs"),
        (("convert/f32/e9#38",), None, "CASE: "),
        ((f"{CAST}#3F800000", [1.0]), [0x38], "arrays go with an operation id alone"),
        ((CAST, np.ones(2, np.float16)), [0x38, 0x38], "values or codes of f32 .uint32., not float16"),
        ((CAST, np.ones((2, 2), np.float32)), [0x38, 0x38], r"operand 1 of 2 cases has shape \(2,\), not \(2, 2\)"),
        ((f"{CAST};flags=1", np.ones(1, np.float32)), [0x38], "without status flags"),
    ],
)
def test_what_cannot_be_explained_is_refused(arguments: Any, got: Any, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        fp8ref.explain(*arguments, got=got)


def test_a_function_is_identified() -> None:
    def last_first(a: Any, b: Any, c: Any) -> Any:
        total = c
        for k in range(a.shape[1]):
            total = (total + a[:, k].astype(np.float32) * b[:, k].astype(np.float32)).astype(np.float32)
        return total

    found = fp8ref.identify(last_first, "dot/e4m3fn.e4m3fn/f32/*;k=4", random=100)
    assert found.decided
    assert "f32.mul-add" in found.names["dot/e4m3fn.e4m3fn/f32/*;k=4"]
    assert repr(found).startswith("last_first\ndot/e4m3fn.e4m3fn/f32/*;k=4")


def test_a_recipe_is_identified() -> None:
    x = np.random.default_rng(3).normal(size=(4, 64)).astype(np.float32)
    made = fp8ref.scale_blocks(x, "mxfp8_e4m3", rule="floor")
    codes = made.codes.view(ml_dtypes.float8_e4m3fn)
    found = fp8ref.identify(quantized=codes, scales=made.scales, original=x, scale_format="e8m0fnu")
    assert found.decided
    spoilt = made.scales ^ np.uint8(1)
    assert not fp8ref.identify(quantized=codes, scales=spoilt, original=x, scale_format="e8m0fnu").decided


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((), {}, "give a target"),
        ((), {"quantized": [1]}, "go together"),
        (("ml_dtypes",), {}, "it claims no dot or matrix products"),
        ((abs, "decode/e5m2/f32"), {}, "it claims no dot or matrix products"),
    ],
)
def test_what_cannot_be_identified_is_refused(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fp8ref.identify(*arguments, **options)
