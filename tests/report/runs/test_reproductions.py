"""The scripts that need only the library itself show the wrong bits that the finding reports."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from fp8ref.check.diagnosis.diagnose import Diagnosis
from fp8ref.check.verdict import Finding
from fp8ref.report.runs import record
from fp8ref.report.runs.reproductions import RECIPES, adapter_of, script

RUNS = Path(__file__).parents[3] / "docs" / "data" / "runs"


def printed(text: str) -> list[int]:
    """The codes that a script prints, run alone."""
    done = subprocess.run([sys.executable, "-W", "error", "-"], input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(code, 16) for code in re.findall(r"0x(\w+)", done.stdout)]


def found(op: str, inputs: tuple[int, ...], want: int, got: int, **more: Any) -> Finding:
    return Finding(op, inputs, want, got, 1, 2, (), Diagnosis("x", "y"), **more)


@pytest.mark.parametrize("name", ["ml_dtypes", "torch"])
def test_the_scripts_print_the_wrong_answers(name: str) -> None:
    pytest.importorskip(name)
    document = record.read(RUNS / f"{name}-level2.jsonl")
    judged = document["header"]["implementation"]["version"]
    if version(name).partition("+")[0] != judged.partition("+")[0]:
        pytest.skip(f"the record is of {name} {judged}")
    findings = [Finding.from_json(line) for line in document["findings"]]
    scripts = [script(finding, document["header"]["impl"]) for finding in findings]
    assert len(findings) > 10
    assert all(scripts)
    # one process for all: each script in names of its own
    together = "".join(f"exec({text!r}, {{}})\nprint('==')\n" for text in scripts)
    done = subprocess.run([sys.executable, "-c", together], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for finding, said in zip(findings, done.stdout.split("==\n"), strict=False):
        codes = [int(code, 16) for code in re.findall(r"0x(\w+)", said)]
        assert len(codes) == finding.length
        assert codes[finding.position] == finding.got != finding.want, finding.signature


# what the specification of the formats makes of 1.3 and 1: by hand, 1.3 lies between 1.25 (0x3A) and 1.375 of E4M3
ANSWERS = {
    "ml_dtypes": [("convert/f32/e4m3fn/rne.nonsat", (0x3FA66666,), 0x3A), ("isnan/e5m2/bool", (0x7E,), 1),
                  ("add/e5m2.e5m2/e5m2/rne.nonsat", (0x3C, 0x3C), 0x40),
                  ("finfo/e5m2/f64/max", (0,), 0x40EC000000000000), ("finfo/e5m2/i64/minexp", (0,), 2**64 - 14)],
    "torch": [("convert/f32/e4m3fn/rne.sat", (0x3FA66666,), 0x3A), ("decode/e4m3fn/bf16", (0x38,), 0x3F80),
              ("convert/i8/e5m2/rne.sat", (-1,), 0xBC), ("eq/e5m2.e5m2/bool", (0, 0x80), 1),
              ("finfo/e4m3fn/f64/max", (0,), 0x407C000000000000), ("finfo/e4m3fn/i64/bits", (0,), 8)],
    "jax": [("convert/f64/e4m3fn/rne.nonsat", (0x3FF4CCCCCCCCCCCD,), 0x3A),
            ("mul/e5m2.e5m2/e5m2/rne.nonsat", (0x40, 0x40), 0x44), ("finfo/e4m3fn/i64/nmant", (0,), 3)],
    "onnx": [("convert/f32/e4m3fn/rne.sat", (0x3FA66666,), 0x3A), ("decode/e4m3fn/f16", (0x38,), 0x3C00)],
    "onnxruntime": [("convert/f32/e4m3fn/rne.sat", (0x3FA66666,), 0x3A), ("decode/e4m3fn/f32", (0x38,), 0x3F800000)],
    "openvino": [("convert/f32/e4m3fn/rne.sat", (0x3FA66666,), 0x3A)],
    "tensorflow": [("convert/f32/e4m3fn/rne.nonsat", (0x3FA66666,), 0x3A)],
    "paddle": [("convert/f32/e4m3fn/rne.nonsat", (0x3FA66666,), 0x3A)],
    "mlx": [("convert/f32/e4m3fn/rne.sat", (0x3FA66666,), 0x3A), ("decode/e4m3fn/f32", (0x38,), 0x3F800000)],
    "tinygrad": [("convert/f32/e4m3fn/rne.nonsat", (0x3FA66666,), 0x3A)],
    "gfloat": [("convert/f64/e4m3fn/rtp.sat", (0x3FF4CCCCCCCCCCCD,), 0x3B), ("decode/e5m2/f64", (0x3C,), 0x3FF << 52),
               ("finfo/e5m2/f64/eps", (0,), 0x3FD << 52), ("finfo/e4m3fn/i64/maxexp", (0,), 9)],
    "pychop": [("convert/f64/binary8p4se/rtz.sat", (0x3FF4CCCCCCCCCCCD,), 0x42)],
    "apytypes": [("convert/f32/e5m2/rtz.nonsat", (0x3FA66666,), 0x3D), ("neg/e5m2/e5m2", (3,), 0x83)],
    "triton": [],  # its kernels are read from a file
}  # fmt: skip
MODULES = {"mlx": "mlx.core", "paddle": "paddle"}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_asks_what_the_operation_asks(name: str) -> None:
    if not ANSWERS[name]:
        pytest.skip("nothing to ask")
    try:
        import_module(MODULES.get(name, name))
    except ImportError as error:
        pytest.skip(str(error))
    for op, inputs, code in ANSWERS[name]:
        text = script(found(op, inputs, code, code ^ 1), name)
        assert "fp8ref" not in text
        assert printed(text)[0] == code, text


def test_a_long_array_stays_long() -> None:
    finding = found("abs/e4m3fn/e4m3fn", (0x80,), 0, 0x80, length=33, position=7)
    text = script(finding, "torch")
    assert "[0x80] * 33" in text
    assert "as element 7" in text


@pytest.mark.parametrize(
    ("finding", "impl"),
    [
        (found("convert/f32/e4m3fn/rne.sat", (0,), 0, 1), "exec:./program"),
        (found("convert/f32/e4m3fn/rne.sat", (0,), 0, 1), "py:my.module:Torch"),
        (found("convert/f32/e4m3fn/rne.sat", (0,), 0, 1, layout="strided"), "torch"),
        (found("matmul/e4m3fn.e4m3fn/f32/exact;k=2", (0,) * 5, 0, 1), "torch"),
        (found("convert/f32/nonsense/rne.sat", (0,), 0, 1), "torch"),
        (found("convert/f32/e4m3fn/rne.sat", (0,), 0, 1), 'torch,device=cpu");import os;("'),
    ],
)
def test_without_a_recipe_there_is_no_script(finding: Finding, impl: str) -> None:
    assert script(finding, impl) == ""


def test_the_adapter_in_a_connectable() -> None:
    assert adapter_of("torch,device=cuda:0") == ("torch", {"device": "cuda:0"})
    assert adapter_of("py:fp8ref.adapters.libraries.gfloat:Gfloat") == ("gfloat", {})
    assert adapter_of("mini:truncates") == ("", {})
