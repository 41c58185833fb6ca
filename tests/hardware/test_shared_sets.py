"""Published results of real GPUs: the declared models answer every case bit for bit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import fp8ref
from fp8ref.spec import get_format
from fp8ref.spec.codec import unpack
from fp8ref.spec.matrix.products import dot

ROOT = Path(os.environ.get("FP8REF_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "data" / "hardware"
SETS = {
    "Ada.mma.m16n8k32.f16.e5m2.e5m2.f16": "ada.mma.fp8.f16",
    "Ada.mma.m16n8k32.f32.e4m3.e4m3.f32": "ada.mma.fp8.f32",
    "B200.mma_emul.m16n8k32.f32.e5m2.e5m2.f32": "b200.mma.fp8.f32",
    "H100.mma_emul.m16n8k32.f16.e5m2.e5m2.f16": "hopper.mma.fp8.f16",
    "H100.mma_emul.m16n8k32.f32.e4m3.e4m3.f32": "hopper.mma.fp8.f32",
    "H100.wgmma.k32.f32.e4m3.e4m3": "hopper.wgmma.fp8.f32",
    "H100.wgmma.k32.f32.e5m2.e5m2": "hopper.wgmma.fp8.f32",
}


def cases(name: str) -> list[dict[str, str]]:
    path = ROOT / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"no hardware data at {path}: set FP8REF_SHARED")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", SETS)
def test_reference(name: str, every: int) -> None:
    operand, kind = "e5m2" if "e5m2" in name else "e4m3fn", get_format(SETS[name].rpartition(".")[2])
    wrong = 0
    for case in cases(name)[::every]:
        a, b = bytes.fromhex(case["a"]), bytes.fromhex(case["b"])
        c = unpack(int(case["c"], 16), kind)
        wrong += dot(a, b, operand, c=c, accumulator=SETS[name]) != int(case["d"], 16)
    assert wrong == 0


@pytest.mark.parametrize("name", SETS)
def test_arrays(name: str) -> None:
    operand, kind = "e5m2" if "e5m2" in name else "e4m3fn", SETS[name].rpartition(".")[2]
    found = cases(name)
    a, b = (np.array([list(bytes.fromhex(case[x])) for case in found], np.uint8) for x in "ab")
    bits, dtype = (np.uint16, np.float16) if kind == "f16" else (np.uint32, np.float32)
    c, d = (np.array([int(case[x], 16) for case in found], bits) for x in "cd")
    got = fp8ref.dot(a, b, operand, c=c.view(dtype), accumulator=SETS[name])
    assert got.dtype == dtype
    assert np.array_equal(got.view(bits), d)
